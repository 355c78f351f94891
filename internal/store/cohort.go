package store

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// A Cohort is all that a certificate has in common with many others: where it is,
// how it is managed, and what its version in use says, but for its own names and
// dates. Searches for such things select cohorts, of which there are few, and how
// many certificates each has is known. Its texts are in lower case.
type Cohort struct {
	Folder     clm.ObjectID
	Class      clm.Class // as it is written
	Disabled   bool
	Management string // the certificates' own management type; empty where they have none

	// What follows is empty before the first version.
	Country, Province, Locality, Organization string
	Units                                     []string
	Issuer, KeyAlgorithm, SignatureAlgorithm  string
	KeySize                                   int
	SelfSigned, Wildcard                      bool
}

// NewCohort is the cohort of a place without a certificate.
func NewCohort(o *clm.Object, folder clm.ObjectID) Cohort {
	return Cohort{Folder: folder}.managed(o)
}

// managed is the cohort for the object as it is now.
func (k Cohort) managed(o *clm.Object) Cohort {
	k.Class, k.Disabled, k.Management = o.Class, isOff(o), ""
	if own := o.Own[clm.ManagementType]; len(own) > 0 {
		k.Management = strings.ToLower(own[0])
	}
	return k
}

// Holding is the cohort when the certificate in use says this.
func (k Cohort) Holding(f clm.Facts) Cohort {
	k.Country, k.Province, k.Locality, k.Organization = strings.ToLower(f.Country), strings.ToLower(f.Province), strings.ToLower(f.Locality), strings.ToLower(f.Organization)
	k.Units = nil
	if len(f.OrganizationalUnit) > 0 {
		k.Units = each(f.OrganizationalUnit, strings.ToLower)
	}
	k.Issuer, k.KeyAlgorithm, k.SignatureAlgorithm = strings.ToLower(f.Issuer), strings.ToLower(f.KeyAlgorithm), strings.ToLower(f.SignatureAlgorithm)
	k.KeySize, k.SelfSigned, k.Wildcard = f.KeySize, f.SelfSigned, isWildcard(f.CommonName)
	for _, name := range f.DNS {
		k.Wildcard = k.Wildcard || isWildcard(name)
	}
	return k
}

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// Row is the cohort as it is stored: its values in the order of CohortColumns.
func (k Cohort) Row() []any {
	rest := []any{string(k.Folder), string(k.Class), k.Disabled, k.Management, k.Country, k.Province, k.Locality, k.Organization, toJSON(k.Units, len(k.Units)),
		k.Issuer, k.KeyAlgorithm, int64(k.KeySize), k.SignatureAlgorithm, k.SelfSigned, k.Wildcard}
	return append([]any{hashOf(rest)}, rest...)
}

// ID names the cohort. It is never zero.
func (k Cohort) ID() int64 { return k.Row()[0].(int64) }

// hashOf tells values from one another that are texts, numbers and flags.
func hashOf(values []any) int64 {
	text := make([]byte, 0, 512)
	for _, value := range values {
		switch v := value.(type) {
		case string:
			text = strconv.AppendQuote(text, v)
		case bool:
			text = strconv.AppendBool(text, v)
		case int64:
			text = strconv.AppendInt(text, v, 10)
		}
		text = append(text, '\n')
	}
	sum := sha256.Sum256(text)
	return int64(binary.BigEndian.Uint64(sum[:])>>1 | 1)
}

// CohortColumns are the columns of the table.
const CohortColumns = "id, folder, class, disabled, management, country, province, locality, organization, units, issuer, key_algorithm, key_size, signature_algorithm, self_signed, wildcard"

func scanCohort(r row) (id int64, k Cohort, err error) {
	var units string
	if err = r.Scan(&id, &k.Folder, &k.Class, &k.Disabled, &k.Management, &k.Country, &k.Province, &k.Locality, &k.Organization, &units,
		&k.Issuer, &k.KeyAlgorithm, &k.KeySize, &k.SignatureAlgorithm, &k.SelfSigned, &k.Wildcard); err == nil {
		k.Units, err = fromJSON[[]string](units)
	}
	return id, k, err
}

// saveCohort makes sure that the cohort is there, and returns its ID.
func (tx *Tx) saveCohort(k Cohort) (int64, error) {
	row := k.Row()
	id := row[0].(int64)
	if tx.db.census.knows(id) {
		return id, nil
	}
	_, err := tx.c.exec("INSERT INTO cohorts ("+CohortColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING", row...)
	return id, err
}

// cohortOf is the cohort of a certificate, as a transaction sees it, and where it counts.
func (tx *Tx) cohortOf(id clm.ObjectID) (Cohort, place, error) {
	type found struct {
		Cohort
		place
	}
	f, err := one(tx, func(r row) (f found, err error) {
		return f, r.Scan(&f.cohort, &f.notBefore, &f.notAfter)
	}, "SELECT cohort, not_before, not_after FROM certificates WHERE id = $1", string(id))
	if err != nil || f.cohort == 0 {
		return f.Cohort, f.place, notFound(err)
	}
	if k, known := tx.db.census.cohort(f.cohort); known {
		return k, f.place, nil
	}
	f.Cohort, err = one(tx, func(r row) (Cohort, error) { _, k, err := scanCohort(r); return k, err },
		"SELECT "+CohortColumns+" FROM cohorts WHERE id = $1", f.cohort)
	return f.Cohort, f.place, err
}
