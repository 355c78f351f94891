package core

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Limits of the certificates in the vault.
const (
	MaxCollection   = 100   // that are added in one go
	maxDaysAhead    = 36500 // for which what expires is looked for
	maxCertificates = 1000  // that are handed out in one go
)

// AddCertificates asks for certificates to be kept in the vault.
type AddCertificates struct {
	Owner        string   // the DN of the object that they belong to
	Certificates [][]byte // DER; the leaf first
	Keyname      string   // as in AddSecret
	Facts        []Fact   // what else is known of the leaf
}

// AddCertificates keeps the certificates. It returns the number of the leaf, and
// whether it was there before: then it has one owner more. A certificate that is the
// owner's own already, as a version, is there; that of another place is kept once
// more, because its version goes with that place. It fails with Invalid, NotFound,
// Denied, for facts about what others own too that the actor may not write as well, and
// for those about a version Unsupported.
func (c *Core) AddCertificates(ctx context.Context, who clm.Actor, a AddCertificates) (id int64, existed bool, err error) {
	keyname, err := readKeyname(a.Keyname)
	if err != nil {
		return 0, false, err
	}
	if err := a.check(); err != nil {
		return 0, false, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "add certificates", Subject: a.Owner}, func(tx *store.Tx) error {
		owner, err := findOwner(tx, who, a.Owner, clm.Write)
		if err != nil {
			return err
		}
		for _, der := range slices.Backward(a.Certificates) { // the leaf comes last
			if id, existed, err = c.keepCertificate(tx, owner, keyname, der); err != nil {
				return err
			}
		}
		if len(a.Facts) > 0 {
			if _, err := findSecret(tx, who, id, "fact"); err != nil {
				return err
			}
		}
		tx.About(string(owner.DN), aboutSecret(id, VaultCertificate))
		for _, f := range a.Facts {
			if _, err := tx.AddFact(id, f.stored()); err != nil {
				return err
			}
		}
		return nil
	})
	return id, existed, err
}

func (a AddCertificates) check() error {
	if n := len(a.Certificates); n == 0 || n > MaxCollection {
		return clm.Fail(clm.Invalid, "certificate", fmt.Sprint(n))
	}
	for _, der := range a.Certificates {
		if err := checkSecret(VaultCertificate, secret.NewPlain(der)); err != nil {
			return err
		}
	}
	for _, f := range a.Facts {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// keepCertificate finds the certificate, DER, in the vault, or adds it, and makes the
// object an owner.
func (c *Core) keepCertificate(tx *store.Tx, owner *clm.Object, keyname string, der []byte) (id int64, existed bool, err error) {
	versions, err := versionsWith(tx, der)
	if err != nil {
		return 0, false, err
	}
	for _, v := range versions {
		if v.Certificate == owner.ID {
			return int64(v.ID), true, nil
		}
	}
	hash := sha256.Sum256(der)
	id, err = tx.SecretWithHash(VaultCertificate, hash[:])
	switch {
	case err == nil:
		return id, true, tx.OwnSecret(id, owner.ID)
	case !errors.Is(err, clm.NotFound):
		return 0, false, err
	}
	if id, err = c.addSecret(tx, VaultCertificate, keyname, secret.NewPlain(der), owner.ID); err != nil {
		return 0, false, err
	}
	return id, false, addFacts(tx, id, der)
}

// versionsWith lists the versions that have or had the certificate, DER, in use.
func versionsWith(tx *store.Tx, der []byte) ([]clm.Version, error) {
	versions, err := tx.Holders(pki.Thumbprint(der))
	return slices.DeleteFunc(versions, func(v clm.Version) bool { return !bytes.Equal(v.Cert, der) }), err
}

// CertificateEntries lists the numbers under which the certificate, DER, is in the
// vault, as far as the actor may read them. It fails with Invalid, and with NotFound
// when there is none.
func (c *Core) CertificateEntries(ctx context.Context, who clm.Actor, der []byte) (ids []int64, err error) {
	if err := checkSecret(VaultCertificate, secret.NewPlain(der)); err != nil {
		return nil, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		found, err := certificateEntries(tx, der)
		ids = nil
		for _, e := range found {
			if e.may(who, clm.Read) == nil {
				ids = append(ids, e.id)
			}
		}
		if err == nil && len(ids) == 0 {
			err = clm.Fail(clm.NotFound, "certificate", "")
		}
		return err
	})
	return ids, err
}

// certificateEntries finds the entries of the certificate, DER: versions first.
func certificateEntries(tx *store.Tx, der []byte) (entries []vaultEntry, err error) {
	versions, err := versionsWith(tx, der)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, v := range versions {
		ids = append(ids, int64(v.ID))
	}
	hash := sha256.Sum256(der)
	for _, kind := range []int64{VaultCertificate, VaultCertificate | Archived} {
		id, err := tx.SecretWithHash(kind, hash[:])
		if err == nil {
			ids = append(ids, id)
		} else if !errors.Is(err, clm.NotFound) {
			return nil, err
		}
	}
	for _, id := range ids {
		e, err := findEntry(tx, id)
		if errors.Is(err, clm.NotFound) { // a version whose place is gone
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// A VaultedCertificate is a certificate in the vault.
type VaultedCertificate struct {
	ID    int64
	DER   []byte
	Facts []Fact // by name; of RetrieveCertificate only
}

// RetrieveCertificate hands out a certificate that is in the vault. It fails with
// NotFound, Denied and, where something else stands under the number, Invalid with the
// Field "kind".
func (c *Core) RetrieveCertificate(ctx context.Context, who clm.Actor, id int64) (got VaultedCertificate, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		e, err := findOwned(tx, who, id, clm.Read)
		if err != nil {
			return err
		}
		got, err = c.vaulted(tx, e)
		return err
	})
	return got, err
}

func (c *Core) vaulted(tx *store.Tx, e vaultEntry) (v VaultedCertificate, err error) {
	if e.kind&^Archived != VaultCertificate {
		return v, clm.Fail(clm.Invalid, "kind", fmt.Sprint(e.kind))
	}
	der, err := c.content(tx, e)
	if err != nil {
		return v, err
	}
	facts, err := e.facts(tx)
	return VaultedCertificate{ID: e.id, DER: der.Reveal(), Facts: facts}, err
}

// CertificatesOf lists the certificates that the object owns, archived ones too: the
// first thousand, without facts. It fails with Invalid, NotFound and Denied.
func (c *Core) CertificatesOf(ctx context.Context, who clm.Actor, owner string) (found []VaultedCertificate, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Read)
		if err != nil {
			return err
		}
		var entries []vaultEntry
		for _, kind := range []int64{VaultCertificate, VaultCertificate | Archived} {
			some, err := ownedBy(tx, o.ID, kind, maxCertificates)
			if err != nil {
				return err
			}
			entries = append(entries, some...)
		}
		slices.SortFunc(entries, byNumber)
		found, err = c.certificates(ctx, tx, entries)
		return err
	})
	return found, err
}

// certificates hands out those of the entries that are certificates, at most
// maxCertificates, without facts.
func (c *Core) certificates(ctx context.Context, tx *store.Tx, entries []vaultEntry) (found []VaultedCertificate, err error) {
	for _, e := range entries {
		if e.kind&^Archived != VaultCertificate {
			continue
		}
		if len(found) == maxCertificates {
			break
		}
		der, err := c.content(tx, e)
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		found = append(found, VaultedCertificate{ID: e.id, DER: der.Reveal()})
	}
	return found, nil
}

// CertificatesWith lists the certificates of which the fact is known and that the
// actor may read, as VaultEntriesWith finds them: the first thousand, without facts.
func (c *Core) CertificatesWith(ctx context.Context, who clm.Actor, f Fact) (found []VaultedCertificate, err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		entries, err := entriesWith(ctx, tx, who, f)
		if err != nil {
			return err
		}
		found, err = c.certificates(ctx, tx, entries)
		return err
	})
	return found, err
}

// ExpiringCertificates lists the numbers of the object's certificates, but for archived
// ones, that expire within so many days. It fails with Invalid, NotFound and Denied.
func (c *Core) ExpiringCertificates(ctx context.Context, who clm.Actor, owner string, days int) (ids []int64, err error) {
	if days < 0 || days > maxDaysAhead {
		return nil, clm.Fail(clm.Invalid, "days", fmt.Sprint(days))
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Read)
		if err != nil {
			return err
		}
		last := tx.Now.Add(time.Duration(days) * clm.Day)
		if ids, err = tx.SecretsBetween(o.ID, VaultCertificate, Fact{factEnds, tx.Now}.stored(), Fact{factEnds, last}.stored().Value); err != nil {
			return err
		}
		v, err := c.current(tx, o)
		if err == nil && v != nil && v.NotAfter.After(tx.Now) && !v.NotAfter.After(last) {
			ids = append(ids, int64(v.ID))
		}
		slices.Sort(ids)
		return err
	})
	return ids, err
}

// RemoveCertificate takes the certificate from the object: the one with the number,
// or else the one that is der. It fails as DisownSecret does, and with NotFound when
// the object has none like it.
func (c *Core) RemoveCertificate(ctx context.Context, who clm.Actor, owner string, id int64, der []byte) error {
	if id == 0 {
		if _, err := x509.ParseCertificate(der); err != nil {
			return clm.Fail(clm.Invalid, "certificate", "")
		}
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "remove certificate", Subject: owner}, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Write)
		if err != nil {
			return err
		}
		tx.About(string(o.DN), fmt.Sprintf("secret %d", id))
		if id != 0 {
			return removeEntry(tx, id, o)
		}
		found, err := certificateEntries(tx, der)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(found, func(e vaultEntry) bool {
			return slices.ContainsFunc(e.owners, func(path clm.Path) bool { return path.Last().ID == o.ID })
		})
		if at < 0 {
			return clm.Fail(clm.NotFound, "certificate", "")
		}
		return disown(tx, found[at].id, o)
	})
}

// removeEntry is disown for what must be a certificate.
func removeEntry(tx *store.Tx, id int64, owner *clm.Object) error {
	e, err := findEntry(tx, id)
	if err == nil && e.kind&^Archived != VaultCertificate {
		err = clm.Fail(clm.Invalid, "kind", fmt.Sprint(e.kind))
	}
	if err != nil {
		return err
	}
	return disown(tx, id, owner)
}
