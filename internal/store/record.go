package store

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// A recordRow is what a version is searched by, beside what its place says.
type recordRow struct {
	id                  clm.VersionID
	certificate         clm.ObjectID
	record              string
	commonName          string
	sans                []string
	serial, thumbprint  string
	facts, ca           int64
	issued              bool
	notBefore, notAfter int64
}

// The kinds of CA certificates.
const (
	noCA   = 0
	someCA = 1
	rootCA = 2
)

// pendingRow is the row of a version without a certificate: it is known by the names
// that its place asks for.
func pendingRow(v clm.Version, own map[clm.Attr][]string) recordRow {
	r := recordRow{id: v.ID, certificate: v.Certificate, record: clm.RecordID(v)}
	if cn := own[clm.CommonName]; len(cn) > 0 {
		r.commonName = cn[0]
	}
	for _, kind := range sanKinds {
		for _, value := range own[kind] {
			r.sans = append(r.sans, strings.ToLower(value))
		}
	}
	return r
}

// issuedRow is the row of a version whose certificate says this.
func issuedRow(v clm.Version, f clm.Facts) recordRow {
	r := recordRow{
		id: v.ID, certificate: v.Certificate, record: clm.RecordID(v), commonName: f.CommonName, issued: true,
		serial: v.Serial, thumbprint: v.Thumbprint, facts: factsRow(f)[0].(int64), notBefore: micros(v.NotBefore), notAfter: micros(v.NotAfter),
	}
	switch {
	case f.IsCA && f.SelfSigned:
		r.ca = rootCA
	case f.IsCA:
		r.ca = someCA
	}
	for _, s := range sansOf(f.Names) {
		r.sans = append(r.sans, s.value)
	}
	return r
}

// names is the text in which names are looked for.
func (r recordRow) names() string {
	var b strings.Builder
	b.WriteString("\n" + oneLine(r.commonName) + "\n")
	for _, s := range r.sans {
		b.WriteString("\t" + oneLine(s) + "\n")
	}
	return b.String()
}

func (r recordRow) prints() string {
	if r.serial == "" && r.thumbprint == "" {
		return ""
	}
	return "\n" + strings.ToLower(r.serial) + "\n" + strings.ToLower(r.thumbprint) + "\n"
}

// row is the row as it is stored: its values in the order of recordColumns.
func (r recordRow) row() []any {
	return []any{int64(r.id), string(r.certificate), r.record, []byte(keyOf(r.commonName)), r.names(), r.prints(), r.facts, r.ca, r.issued, r.notBefore, r.notAfter}
}

const recordColumns = "id, certificate, record, cn_key, names, prints, facts, ca, issued, not_before, not_after"

// factsColumns are the columns of record_facts.
const factsColumns = "id, issuer, issuer_name, organization, units, locality, province, country"

// factsRow is what many records have in common, in the order of factsColumns.
func factsRow(f clm.Facts) []any {
	units := ""
	for _, u := range f.OrganizationalUnit {
		units += "\n" + oneLine(u)
	}
	if units != "" {
		units += "\n"
	}
	rest := []any{oneLine(f.IssuedBy), oneLine(f.Issuer), oneLine(f.Organization), units, oneLine(f.Locality), oneLine(f.Province), oneLine(f.Country)}
	return append([]any{hashOf(rest)}, rest...)
}

// addRecord writes down what a new version is searched by: by the names that its place
// asks for. One whose place is not there is not found.
func (tx *Tx) addRecord(v clm.Version, place *clm.Object) error {
	if place == nil {
		own, err := one(tx, scanOne[string], "SELECT own FROM objects WHERE id = $1", string(v.Certificate))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		place = &clm.Object{ID: v.Certificate}
		if place.Own, err = fromJSON[map[clm.Attr][]string](own); err != nil {
			return err
		}
	}
	r := pendingRow(v, place.Own)
	used, err := one(tx, scanOne[string], insertRecord+" RETURNING COALESCE((SELECT u.names FROM certificates c JOIN records u ON u.id = c.current WHERE c.id = $2), '')", r.row()...)
	if err != nil || r.names() == used { // as nearly always
		return err
	}
	return tx.saveRecordNames(r)
}

const insertRecord = "INSERT INTO records (" + recordColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE
	SET cn_key = excluded.cn_key, names = excluded.names, prints = excluded.prints, facts = excluded.facts, ca = excluded.ca, issued = excluded.issued,
	not_before = excluded.not_before, not_after = excluded.not_after`

// RecordIssued writes down what a version with a certificate is searched by. For the one
// that comes into use Activate does.
func (tx *Tx) RecordIssued(v clm.Version, f clm.Facts) error {
	if err := tx.recordIssued(v, f, false); err != nil {
		return err
	}
	return tx.saveRecordNames(issuedRow(v, f))
}

// recordIssued writes the row of a version with a certificate, which is in the inventory
// from then on, even if it was taken out before. alike: that in use before
// it says the same, and so the facts are there.
func (tx *Tx) recordIssued(v clm.Version, f clm.Facts, alike bool) error {
	if !alike {
		if _, err := tx.c.exec("INSERT INTO record_facts ("+factsColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING", factsRow(f)...); err != nil {
			return err
		}
	}
	removed, err := one(tx, scanOne[int64], insertRecord+" RETURNING COALESCE((SELECT v.removed FROM versions v WHERE v.id = $1), 0)", issuedRow(v, f).row()...)
	if err != nil || removed == 0 { // as nearly always
		return err
	}
	return tx.ShowVersion(v.ID)
}

// saveRecordNames writes down the alternative names by which the record is found although
// the certificate in use may have others.
func (tx *Tx) saveRecordNames(r recordRow) error {
	for _, value := range r.sans {
		if err := tx.keepRecordName(value, r.certificate); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) keepRecordName(value string, of clm.ObjectID) error {
	value = keyOf(value)
	_, err := tx.c.exec("INSERT INTO record_names (value, certificate) VALUES ($1, $2) ON CONFLICT (value, certificate) DO NOTHING", value, string(of))
	return err
}

// DropRecord takes the version's record out of what is searched. The version stays.
func (tx *Tx) DropRecord(id clm.VersionID) error {
	_, err := tx.c.exec("DELETE FROM records WHERE id = $1", int64(id))
	return err
}
