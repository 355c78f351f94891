package core

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A Fact is something that is known of an entry of the vault. Its value is a string,
// an int64 or a time.Time.
type Fact struct {
	Name  string
	Value any
}

// Limits of a fact. It is a key of an index, and PostgreSQL takes no more than 2,700
// bytes for one.
const (
	maxFactName = 255  // characters
	maxFact     = 2000 // bytes, of the name and the value
)

// The names of facts of certificates by which they are looked up.
const (
	factHash   = "Hash"
	factSerial = "Serial"
	factEnds   = "ValidTo"
)

// factTime is the form in which times are compared.
const factTime = "2006-01-02T15:04:05.000000Z"

// The kinds of facts as they are stored.
const (
	textFact = "string"
	intFact  = "int"
	dateFact = "datetime"
)

// stored is the fact as it is stored.
func (f Fact) stored() store.Fact {
	s := store.Fact{Name: f.Name}
	switch v := f.Value.(type) {
	case string:
		s.Kind, s.Value = textFact, v
	case int64:
		s.Kind, s.Value = intFact, strconv.FormatInt(v, 10)
	case time.Time:
		s.Kind, s.Value = dateFact, v.UTC().Format(factTime)
	}
	return s
}

// factOf reads what stored writes.
func factOf(s store.Fact) (Fact, error) {
	f := Fact{Name: s.Name, Value: s.Value}
	var err error
	switch s.Kind {
	case intFact:
		f.Value, err = strconv.ParseInt(s.Value, 10, 64)
	case dateFact:
		f.Value, err = time.Parse(factTime, s.Value)
	}
	return f, err
}

// check makes sure that the fact can be kept.
func (f Fact) check() error {
	text, _ := f.Value.(string)
	for _, of := range []struct {
		field, text string
		isWrong     bool
	}{
		{"name", f.Name, f.Name == "" || utf8.RuneCountInString(f.Name) > maxFactName},
		{"value", text, f.Value == nil || len(f.Name)+len(text) > maxFact},
	} {
		if of.isWrong || !utf8.ValidString(of.text) || slices.Contains([]byte(of.text), 0) {
			return clm.Fail(clm.Invalid, of.field, of.text)
		}
	}
	if at, isDate := f.Value.(time.Time); isDate && (at.Year() < 1 || at.Year() > 9999) {
		return clm.Fail(clm.Invalid, "value", at.String())
	}
	return nil
}

// certificateFacts are what is known of a certificate, DER, by itself.
func certificateFacts(der []byte) ([]Fact, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	known := factsOf(cert, pki.Identify(cert))
	facts := []Fact{
		{factHash, pki.Thumbprint(der)}, {factSerial, pki.Serial(cert)}, {"Issuer", known.Issuer}, {"Subject", pki.FormatName(cert.RawSubject)},
		{"ValidFrom", cert.NotBefore.UTC()}, {factEnds, cert.NotAfter.UTC()},
	}
	for name, value := range map[string]string{"CN": known.CommonName, "O": known.Organization, "Key Algorithm": known.KeyAlgorithm} {
		if value != "" {
			facts = append(facts, Fact{name, value})
		}
	}
	if known.KeySize > 0 {
		facts = append(facts, Fact{"Key Size", int64(known.KeySize)})
	}
	return sortFacts(append(facts, templateFacts(cert)...)), nil
}

func sortFacts(facts []Fact) []Fact {
	slices.SortStableFunc(facts, func(a, b Fact) int { return cmp.Compare(a.Name, b.Name) })
	return facts
}

// templateFacts are which template of a Microsoft CA the certificate was issued by:
// the extensions certificate template name and certificate template information.
func templateFacts(cert *x509.Certificate) (facts []Fact) {
	for _, x := range cert.Extensions {
		switch x.Id.String() {
		case "1.3.6.1.4.1.311.20.2":
			var name string
			if _, err := asn1.Unmarshal(x.Value, &name); err == nil {
				facts = append(facts, Fact{"Template Name", name})
			}
		case "1.3.6.1.4.1.311.21.7":
			var template struct {
				ID           asn1.ObjectIdentifier
				Major, Minor int64 `asn1:"optional"`
			}
			if _, err := asn1.Unmarshal(x.Value, &template); err == nil {
				facts = append(facts, Fact{"Template Oid", template.ID.String()}, Fact{"Template Major Version", template.Major},
					Fact{"Template Minor Version", template.Minor})
			}
		}
	}
	return facts
}

// addFacts writes down what is known of the certificate, DER, that the secret holds.
func addFacts(tx *store.Tx, id int64, der []byte) error {
	facts, err := certificateFacts(der)
	if err != nil {
		return fault(err)
	}
	for _, f := range append(facts, Fact{"Store Added", tx.Now}) {
		if f.check() != nil { // a strange or long name in a certificate is no reason not to keep it
			continue
		}
		if _, err := tx.AddFact(id, f.stored()); err != nil {
			return err
		}
	}
	return nil
}

// facts lists what is known of the entry, by name.
func (e vaultEntry) facts(tx *store.Tx) (facts []Fact, err error) {
	if e.parts == nil {
		stored, err := tx.Facts(e.id)
		for _, s := range stored {
			f, err := factOf(s)
			if err != nil {
				return nil, err
			}
			facts = append(facts, f)
		}
		return facts, err
	}
	if e.part() != CertificatePart {
		return nil, nil
	}
	v, err := tx.Version(e.parts.Version)
	if err != nil {
		return nil, err
	}
	facts, err = certificateFacts(v.Cert)
	return sortFacts(append(facts, Fact{"Store Added", v.Created})), fault(err)
}

// AddFact writes down something about a secret. It fails with Invalid, NotFound,
// Denied, Exists and Unsupported.
func (c *Core) AddFact(ctx context.Context, who clm.Actor, id int64, f Fact) error {
	if err := f.check(); err != nil {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "associate", Subject: fmt.Sprint(id), Detail: f.Name}, func(tx *store.Tx) error {
		if _, err := findSecret(tx, who, id, "fact"); err != nil {
			return err
		}
		added, err := tx.AddFact(id, f.stored())
		if err == nil && !added {
			err = clm.Fail(clm.Exists, "fact", f.Name)
		}
		return err
	})
}

// DropFacts forgets facts about a secret: those like f; without a value all of its
// name; without a name all. It fails with Invalid, NotFound, Denied and Unsupported.
func (c *Core) DropFacts(ctx context.Context, who clm.Actor, id int64, f Fact) error {
	if f.Name == "" && f.Value != nil {
		return clm.Fail(clm.Invalid, "name", "")
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "dissociate", Subject: fmt.Sprint(id), Detail: f.Name}, func(tx *store.Tx) error {
		if _, err := findSecret(tx, who, id, "dissociate"); err != nil {
			return err
		}
		known, err := tx.Facts(id)
		if err != nil {
			return err
		}
		dropped := f.Name == ""
		for _, k := range known {
			if f.Name != "" && k.Name != f.Name || f.Value != nil && k != f.stored() {
				continue
			}
			dropped = true
			if _, err := tx.DropFact(id, k); err != nil {
				return err
			}
		}
		if !dropped {
			return clm.Fail(clm.NotFound, "dissociate", f.Name)
		}
		return nil
	})
}

// Facts lists what is known of the entry of the vault, by name. It fails with NotFound
// and Denied.
func (c *Core) Facts(ctx context.Context, who clm.Actor, id int64) (facts []Fact, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		e, err := findOwned(tx, who, id, clm.Read)
		if err != nil {
			return err
		}
		facts, err = e.facts(tx)
		return err
	})
	return facts, err
}

// VaultEntriesWith lists the numbers of the entries of the vault of which the fact is
// known, or without a value any of its name, and that the actor may read: at most
// MaxVaultIDs, and of the first ten thousand hits for who is no master. Versions are
// found by the hash and the serial number of their certificate, in any case.
func (c *Core) VaultEntriesWith(ctx context.Context, who clm.Actor, f Fact) (ids []int64, err error) {
	probe := f
	if probe.Value == nil {
		probe.Value = ""
	}
	if err := probe.check(); err != nil {
		return nil, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		entries, err := entriesWith(ctx, tx, who, f)
		ids = nil
		for _, e := range entries {
			ids = append(ids, e.id)
		}
		return err
	})
	return ids, err
}

// entriesWith is VaultEntriesWith for entries, which it lists without their owners.
func entriesWith(ctx context.Context, tx *store.Tx, who clm.Actor, f Fact) (entries []vaultEntry, err error) {
	most := maxFactsSeen
	if who.Master {
		most = MaxVaultIDs
	}
	may := map[clm.ObjectID]bool{} // the actor may read what the owner has
	add := func(e vaultEntry, owner clm.ObjectID) error {
		if _, isKnown := may[owner]; !isKnown && !who.Master {
			paths, err := pathsOf(tx, []clm.ObjectID{owner})
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return err
			}
			may[owner] = len(paths) > 0 && paths[0].Rights(who).Has(clm.Read)
		}
		if who.Master || may[owner] {
			entries = append(entries, e)
		}
		return nil
	}
	for _, f := range f.spellings() {
		secrets, err := tx.SecretsWithFact(f.stored(), most)
		if err != nil {
			return nil, err
		}
		for _, s := range secrets {
			if err := add(vaultEntry{id: s.ID, kind: s.Kind}, s.Owner); err != nil {
				return nil, err
			}
		}
		versions, err := versionsLike(tx, f, most)
		if err != nil {
			return nil, err
		}
		for _, p := range versions {
			kind, _ := kindOfPart(p, CertificatePart)
			if err := add(vaultEntry{id: int64(p.Version), kind: kind, parts: &p}, p.Certificate); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(entries, byNumber)
	entries = slices.CompactFunc(entries, func(a, b vaultEntry) bool { return a.id == b.id })
	return entries[:min(len(entries), MaxVaultIDs)], nil
}

// spellings are the fact as it is given and, where it is a number in hex, as
// certificateFacts spells it.
func (f Fact) spellings() []Fact {
	all := []Fact{f}
	text, _ := f.Value.(string)
	for _, name := range []string{factHash, factSerial} {
		if usual := (Fact{name, strings.ToUpper(text)}); text != "" && strings.EqualFold(f.Name, name) && usual != f {
			all = append(all, usual)
		}
	}
	return all
}

// versionsLike lists the versions of whose certificate the fact is known and by which
// it can be found.
func versionsLike(tx *store.Tx, f Fact, most int) ([]store.Parts, error) {
	text, _ := f.Value.(string)
	switch {
	case f.Name == factHash && text != "":
		return tx.PartsWithHash(text, most)
	case f.Name == factSerial && text != "":
		return tx.PartsWithSerial(text, most)
	}
	return nil, nil
}
