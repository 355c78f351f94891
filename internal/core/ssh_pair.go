package core

import (
	"context"
	"crypto"
	"errors"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// An SSHKeyPair signs SSH certificates. Its private key is in the vault and is never
// handed out.
type SSHKeyPair struct{ clm.Object }

// PublicKey is a line of type, base64 and comment; empty where there is no key.
func (k SSHKeyPair) PublicKey() string { return clm.Setting{Values: k.Own[clm.SSHPublicKey]}.First() }

// Fingerprint is that of the public key, as pki.SSHFingerprint makes it.
func (k SSHKeyPair) Fingerprint() string {
	pub, _, err := pki.ParseSSHPublicKey(k.PublicKey())
	if err != nil {
		return ""
	}
	return pki.SSHFingerprint(pub)
}

// Algorithm is that of the key, as pki.SSHKeySpec names it.
func (k SSHKeyPair) Algorithm() string { return clm.Setting{Values: k.Own[clm.KeyAlgorithm]}.First() }

// sshKeyName is what pki.SSHKeySpec reads for a key like this.
func sshKeyName(spec pki.KeySpec) string {
	switch {
	case spec.Algorithm == clm.RSA:
		return clm.RSA + strconv.Itoa(spec.Bits)
	case spec.Curve != "":
		return "ECDSA" + strings.TrimPrefix(spec.Curve, "P")
	}
	return strings.ToUpper(spec.Algorithm)
}

// NewSSHKeyPair asks for a key pair.
type NewSSHKeyPair struct {
	Parent     string       // the DN of what is to hold it; empty: SSHKeyPairsDN
	Name       string       //
	Algorithm  string       // of a key that is made here, as pki.SSHKeySpec names it
	Key        secret.Plain // a private key that is brought along, as pki.ParseSSHPrivateKey reads it
	Passphrase secret.Plain // with which that is encrypted
}

// SSHKeyPairKinds are the ways in which CreateSSHKeyPair fails. NotFound and Denied are
// about the parent; of Invalid, Field is "parent", "name", "algorithm" or "private-key",
// of Unsupported "place" that holds no key pairs; Exists: the object is there.
var SSHKeyPairKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Exists}

// CreateSSHKeyPair makes a key pair, of a new key or of one that is brought along. It
// wants the rights to write the parent and to create what is below it.
func (c *Core) CreateSSHKeyPair(ctx context.Context, who clm.Actor, n NewSSHKeyPair) (made SSHKeyPair, err error) {
	if n.Parent == "" {
		n.Parent = SSHKeyPairsDN
	}
	if err := c.db.Read(ctx, func(tx *store.Tx) error {
		_, _, err := n.place(tx, who)
		return err
	}); err != nil {
		return made, err
	}
	key, err := c.sshKey(ctx, n)
	if err != nil {
		return made, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "create SSH key pair", Subject: n.Parent, Detail: n.Name}, func(tx *store.Tx) error {
		above, dn, err := n.place(tx, who)
		if err != nil {
			return err
		}
		o := &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: clm.SSHKeyPair, Own: map[clm.Attr][]string{}}
		if err := c.putSSHKey(tx, o, key, n.Name); err != nil {
			return err
		}
		set(o.Own, clm.KeyAlgorithm, sshKeyName(pki.SpecOf(key.Public())))
		tx.About(string(dn), pki.SSHFingerprint(key.Public()))
		if err := tx.AddObject(o, above.ID); err != nil {
			return err
		}
		made = SSHKeyPair{Object: *o}
		return nil
	})
	return made, err
}

// place is where the key pair comes to stand.
func (n NewSSHKeyPair) place(tx *store.Tx, who clm.Actor) (above *clm.Object, dn clm.DN, err error) {
	path, rights, err := find(tx, who, n.Parent)
	if kind := clm.AsError(err); errors.Is(err, clm.NotFound) || errors.Is(err, clm.Invalid) {
		return nil, "", clm.Fail(kind.Kind, "parent", n.Parent)
	}
	if err != nil {
		return nil, "", err
	}
	above = path.Last()
	switch {
	case !above.Class.MayHold(clm.SSHKeyPair):
		return nil, "", clm.About(n.Parent, clm.Fail(clm.Unsupported, "place", n.Parent))
	case !rights.Has(clm.Write | clm.Create):
		return nil, "", clm.About(n.Parent, clm.Denied)
	}
	if dn, err = childDN(above, n.Name); err != nil {
		return nil, "", err
	}
	if _, err := tx.Path(dn); err == nil {
		return nil, "", clm.About(string(dn), clm.Exists)
	} else if !errors.Is(err, clm.NotFound) {
		return nil, "", err
	}
	return above, dn, nil
}

// sshKey reads the key that is brought along, or makes one.
func (c *Core) sshKey(ctx context.Context, n NewSSHKeyPair) (key crypto.Signer, err error) {
	err = c.taking(ctx, func() error {
		if n.Key.IsEmpty() {
			if key, err = pki.GenerateSSHKey(n.Algorithm); errors.Is(err, pki.ErrUnsupportedKey) {
				return clm.Fail(clm.Invalid, "algorithm", n.Algorithm)
			}
			return err
		}
		if key, err = pki.ParseSSHPrivateKey(n.Key.Reveal(), n.Passphrase.Reveal()); err != nil {
			return &clm.Error{Kind: clm.Invalid, Field: "private-key", Err: err}
		}
		return nil
	})
	if err == nil {
		if _, bad := pki.EncodeSSHPublicKey(key.Public(), n.Name); bad != nil {
			err = clm.Fail(clm.Invalid, "name", n.Name)
		} else if _, bad := pki.EncodeSSHPrivateKey(key, n.Name, nil); bad != nil {
			err = &clm.Error{Kind: clm.Invalid, Field: "private-key", Err: bad} // there are keys that can be read and have no such form
		}
	}
	return key, err
}

// taking does what takes time, as making and opening keys, when its turn comes: there
// are others to be served.
func (c *Core) taking(ctx context.Context, do func() error) error {
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.opening }()
	return do()
}

// putSSHKey seals the private key as a secret of the object, and writes down its
// number and the public key. The object is not saved.
func (c *Core) putSSHKey(tx *store.Tx, o *clm.Object, key crypto.Signer, comment string) error {
	public, err := pki.EncodeSSHPublicKey(key.Public(), comment)
	if err != nil {
		return err
	}
	private, err := pki.EncodeSSHPrivateKey(key, comment, nil)
	if err != nil {
		return err
	}
	id, err := c.addSecret(tx, VaultBlob, "", secret.NewPlain(private), o.ID)
	set(o.Own, clm.SSHPublicKey, public)
	set(o.Own, clm.SSHSecret, strconv.FormatInt(id, 10))
	return err
}

// sshSecret is the number of the secret with the object's private key; zero where
// there is none. The attribute can be written by those who may not read the vault: it
// counts only where the object owns what it names.
func sshSecret(tx *store.Tx, o *clm.Object) (int64, error) {
	number := clm.Setting{Values: o.Own[clm.SSHSecret]}.First()
	if number == "" {
		return 0, nil
	}
	owned, err := tx.SecretsOf(o.ID)
	for _, s := range owned {
		if strconv.FormatInt(s.ID, 10) == number && s.Kind == VaultBlob {
			return s.ID, nil
		}
	}
	return 0, err
}

// sealedSSHKey is the private key of the object as it lies in the vault. It fails with
// NoKey.
func (c *Core) sealedSSHKey(tx *store.Tx, o *clm.Object) (text secret.Plain, err error) {
	id, err := sshSecret(tx, o)
	if err == nil && id == 0 {
		err = clm.NoKey
	}
	if err == nil {
		_, text, err = c.openSecret(tx, id)
	}
	return text, clm.About(string(o.DN), err)
}

// openSSHKey reads the private key. It fails with NoKey, with the Field "mismatch",
// when it is not that with the fingerprint.
func openSSHKey(text secret.Plain, fingerprint string) (crypto.Signer, error) {
	key, err := pki.ParseSSHPrivateKey(text.Reveal(), nil)
	if err != nil || fingerprint == "" || pki.SSHFingerprint(key.Public()) != fingerprint {
		return nil, &clm.Error{Kind: clm.NoKey, Field: "mismatch", Err: err}
	}
	return key, nil
}

// A PutSSHKeyPair says that there shall be a key pair.
type PutSSHKeyPair struct {
	DN         string
	Algorithm  string // of a key that is made here
	Key        secret.Plain
	Passphrase secret.Plain
	Plan       bool // only say what would change
}

// PutSSHKeyPair makes the key pair if it is not there, and reports whether it had to:
// one that is there keeps its key. It fails as CreateSSHKeyPair does, and with Exists
// also when there is another key than the one that is brought along (Field "key") or
// an object of another class (Field "class").
func (c *Core) PutSSHKeyPair(ctx context.Context, who clm.Actor, p PutSSHKeyPair) (changed bool, err error) {
	dn, err := clm.ParseDN(p.DN)
	if err != nil {
		return false, clm.About(p.DN, err)
	}
	n := NewSSHKeyPair{Parent: string(dn.Parent()), Name: dn.Name(), Algorithm: p.Algorithm, Key: p.Key, Passphrase: p.Passphrase}
	node, err := c.Object(ctx, who, p.DN)
	if err == nil {
		return false, clm.About(p.DN, c.isSSHKeyPair(ctx, node.Object, n))
	}
	if !errors.Is(err, clm.NotFound) || p.Plan {
		return p.Plan, ignoring(err, clm.NotFound)
	}
	_, err = c.CreateSSHKeyPair(ctx, who, n)
	return err == nil, err
}

// isSSHKeyPair fails with Exists where the object is not the key pair that is meant.
func (c *Core) isSSHKeyPair(ctx context.Context, o clm.Object, n NewSSHKeyPair) error {
	if o.Class != clm.SSHKeyPair {
		return clm.Fail(clm.Exists, "class", string(o.Class))
	}
	if n.Key.IsEmpty() {
		return nil
	}
	key, err := c.sshKey(ctx, n)
	if err == nil && pki.SSHFingerprint(key.Public()) != (SSHKeyPair{o}).Fingerprint() {
		err = clm.Fail(clm.Exists, "key", "")
	}
	return err
}

// ignoring is err, unless it is of the kind.
func ignoring(err error, kind clm.Kind) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}
