package core

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// MaxSecret is how many bytes a secret has at most.
const MaxSecret = 256 << 10

// VaultKinds are the ways in which the use cases of the vault fail. NotFound with
// the Field "vault-id" is about an entry of the vault, with "fact" about something
// that is not known of it, with "dissociate" about something that was to be forgotten,
// with "certificate" about one that is not there, and without a Field about an object.
// Unsupported is about the parts of versions, which come and go with their certificate:
// its Field is what cannot be done with them, "delete", "owner", "kind", "fact" or
// "dissociate".
var VaultKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported}

// AddSecret asks for a secret to be kept.
type AddSecret struct {
	Owner   string // the DN of the object that it belongs to
	Kind    int64  //
	Keyname string // one of Protections, in any case; empty for the usual one
	Content secret.Plain
}

// AddSecret keeps the secret and returns its number. Certificates, private keys and
// signing requests must be DER. It fails with Invalid, NotFound and Denied.
func (c *Core) AddSecret(ctx context.Context, who clm.Actor, a AddSecret) (id int64, err error) {
	keyname, err := readKeyname(a.Keyname)
	if err == nil {
		err = checkSecret(a.Kind, a.Content)
	}
	if err != nil {
		return 0, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "add secret", Subject: a.Owner}, func(tx *store.Tx) error {
		owner, err := findOwner(tx, who, a.Owner, clm.Write)
		if err != nil {
			return err
		}
		if id, err = c.addSecret(tx, a.Kind, keyname, a.Content, owner.ID); err != nil {
			return err
		}
		tx.About(string(owner.DN), aboutSecret(id, a.Kind))
		if a.Kind&^Archived == VaultCertificate {
			return addFacts(tx, id, a.Content.Reveal())
		}
		return nil
	})
	return id, err
}

func aboutSecret(id, kind int64) string { return fmt.Sprintf("secret %d of kind %d", id, kind) }

// readKeyname is the protection key as it is written here.
func readKeyname(s string) (string, error) {
	if s = strings.TrimSpace(s); s == "" {
		return DefaultProtection, nil
	}
	at := slices.IndexFunc(Protections, func(known string) bool { return strings.EqualFold(known, s) })
	if at < 0 {
		return "", clm.Fail(clm.Invalid, "keyname", s)
	}
	return Protections[at], nil
}

// checkSecret makes sure that there is a kind of this number and that the content is
// of it.
func checkSecret(kind int64, content secret.Plain) error {
	if !isVaultKind(kind) {
		return clm.Fail(clm.Invalid, "vault-type", fmt.Sprint(kind))
	}
	if n := len(content.Reveal()); n == 0 || n > MaxSecret {
		return clm.Fail(clm.Invalid, "size", fmt.Sprint(n))
	}
	if reads := formats[kind&^Archived]; reads != nil && reads(content.Reveal()) != nil {
		return clm.Fail(clm.Invalid, "format", fmt.Sprint(kind))
	}
	return nil
}

// formats say whether the content is of its kind. Of a private key only its frame is
// looked at: whether the numbers in it are right takes too long to tell.
var formats = map[int64]func(der []byte) error{
	VaultCertificate: func(der []byte) error { _, err := x509.ParseCertificate(der); return err },
	VaultCSR:         func(der []byte) error { _, err := x509.ParseCertificateRequest(der); return err },
	VaultKey: func(der []byte) error {
		var frame struct { // RFC 5958, section 2
			Version   int
			Algorithm pkix.AlgorithmIdentifier
			Key       []byte
		}
		rest, err := asn1.Unmarshal(der, &frame)
		if err == nil && len(rest) > 0 {
			err = asn1.SyntaxError{Msg: "trailing data"}
		}
		return err
	},
}

// RetrieveSecret opens what stands under the number. Only a master may, and what
// objects keep to themselves not even a master. It fails with Denied and NotFound.
func (c *Core) RetrieveSecret(ctx context.Context, who clm.Actor, id int64) (kind int64, content secret.Plain, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "retrieve secret", Subject: fmt.Sprint(id)}, func(tx *store.Tx) error {
		if !who.Master {
			return clm.Denied
		}
		e, err := findEntry(tx, id)
		if err != nil {
			return err
		}
		if e.isKept() {
			return clm.Fail(clm.Denied, "vault-id", fmt.Sprint(id))
		}
		kind = e.kind
		content, err = c.content(tx, e)
		return err
	})
	if err != nil {
		return 0, secret.Plain{}, err
	}
	return kind, content, nil
}

// keepsToItself reports whether what the object owns is handed out by calls of its own
// only, as RetrieveCredential. Such a secret gets no other owner: that would have it
// handed out like any.
func keepsToItself(o *clm.Object) bool {
	return slices.ContainsFunc([]clm.Class{clm.Credential, clm.SSHKeyPair, clm.SSHCertificate}, o.Class.Is)
}

// isKept reports whether an owner keeps the entry to itself.
func (e vaultEntry) isKept() bool {
	return slices.ContainsFunc(e.owners, func(path clm.Path) bool { return keepsToItself(path.Last()) })
}

// OwnSecret gives the secret one more owner. Who does that needs to be allowed to
// write both the object and an owner that it has: an owner may use it. Neither may keep
// it to itself. It fails with Invalid, NotFound, Denied and Unsupported.
func (c *Core) OwnSecret(ctx context.Context, who clm.Actor, id int64, owner string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "own secret", Subject: owner}, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Write)
		if err != nil {
			return err
		}
		e, err := findOwned(tx, who, id, clm.Write)
		if err != nil {
			return err
		}
		if e.parts != nil {
			return clm.Fail(clm.Unsupported, "owner", fmt.Sprint(id))
		}
		if keepsToItself(o) || e.isKept() {
			return clm.Fail(clm.Denied, "vault-id", fmt.Sprint(id))
		}
		tx.About(string(o.DN), fmt.Sprintf("secret %d", id))
		return tx.OwnSecret(id, o.ID)
	})
}

// findSecret finds an entry of which something is to be changed, for who may write all
// of its owners. With a part of a version that cannot be done: it fails with
// Unsupported, and what as its Field.
func findSecret(tx *store.Tx, who clm.Actor, id int64, what string) (vaultEntry, error) {
	e, err := findEntry(tx, id)
	if err == nil {
		err = e.mayAll(who, clm.Write)
	}
	if err == nil && e.parts != nil {
		err = clm.Fail(clm.Unsupported, what, fmt.Sprint(id))
	}
	return e, err
}

// DisownSecrets takes all secrets from the object, and deletes those that nobody owns
// any more. The parts of its versions stay: they go when it does. It fails with
// Invalid, NotFound and Denied.
func (c *Core) DisownSecrets(ctx context.Context, who clm.Actor, owner string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "disown secrets", Subject: owner}, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Write)
		if err != nil {
			return err
		}
		return tx.DropSecretsOf(o.ID)
	})
}

// DisownSecret takes the secret from the object, and deletes it when nobody owns it
// any more. An object that keeps its secrets to itself loses all of them or none. It
// fails with Invalid, NotFound, Denied and, for a part of a version, Unsupported.
func (c *Core) DisownSecret(ctx context.Context, who clm.Actor, id int64, owner string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "disown secret", Subject: owner}, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Write)
		if err != nil {
			return err
		}
		if keepsToItself(o) {
			return clm.Fail(clm.Denied, "vault-id", fmt.Sprint(id))
		}
		tx.About(string(o.DN), fmt.Sprintf("secret %d", id))
		return disown(tx, id, o)
	})
}

// disown takes what stands under the number from the object. What that does not own is
// not there for it.
func disown(tx *store.Tx, id int64, owner *clm.Object) error {
	e, err := findEntry(tx, id)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(e.owners, func(path clm.Path) bool { return path.Last().ID == owner.ID }) {
		return noVaultEntry(id)
	}
	if e.parts != nil {
		return clm.Fail(clm.Unsupported, "delete", fmt.Sprint(id))
	}
	return tx.DisownSecret(id, owner.ID)
}

// ChangeSecretKind makes the secret one of another kind, such as an archived one. Its
// content must be of that kind. It fails with Invalid, NotFound, Denied and Unsupported.
func (c *Core) ChangeSecretKind(ctx context.Context, who clm.Actor, id, kind int64) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "change secret", Subject: fmt.Sprint(id)}, func(tx *store.Tx) error {
		e, err := findSecret(tx, who, id, "kind")
		if err != nil {
			return err
		}
		tx.About(fmt.Sprint(id), aboutSecret(id, kind))
		if kind&^Archived == e.kind&^Archived {
			return tx.ChangeSecretKind(id, kind)
		}
		content, err := c.content(tx, e)
		if err == nil {
			err = checkSecret(kind, content)
		}
		if err == nil {
			err = tx.ChangeSecretKind(id, kind)
		}
		if err == nil {
			err = tx.SetSecretHash(id, lookupHash(kind, content))
		}
		if err == nil && kind&^Archived == VaultCertificate {
			err = addFacts(tx, id, content.Reveal())
		}
		return err
	})
}
