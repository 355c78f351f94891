package core

import (
	"context"
	"crypto"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// RetrieveSSH asks for an SSH certificate.
type RetrieveSSH struct {
	DN         string       // of its object; DN, ID, or both
	ID         clm.ObjectID //
	WithKey    bool         // the private key too, if it is held here
	Passphrase secret.Plain // with which that is to be encrypted; empty: not at all
}

// SSHRetrieveKinds are the ways in which RetrieveSSH fails. Denied is about reading the
// certificate or, with the Field "key", its private key; NoKey is about one that is not
// that of the certificate; NotIssued: there is no certificate that can be read.
var SSHRetrieveKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.NotIssued, clm.NoKey}

// RetrieveSSH hands out a certificate.
func (c *Core) RetrieveSSH(ctx context.Context, who clm.Actor, r RetrieveSSH) (got SSHIssued, err error) {
	var sealed secret.Plain
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		asIs := func(dn string) string { return dn }
		path, rights, err := findNamed(tx, who, r.DN, r.ID, asIs)
		if err != nil {
			return err
		}
		o := path.Last()
		switch {
		case !o.Class.Is(clm.SSHCertificate):
			return clm.About(string(o.DN), clm.NotFound)
		case !rights.Has(clm.Read):
			return clm.About(string(o.DN), clm.Denied)
		}
		if got, err = sshIssued(tx, o); err != nil || !got.HasKey || !r.WithKey {
			return err
		}
		if !rights.Has(clm.KeyRead) {
			return clm.About(string(o.DN), clm.Fail(clm.Denied, "key", ""))
		}
		sealed, err = c.sealedSSHKey(tx, o)
		return err
	})
	if err != nil || sealed.IsEmpty() {
		return got, err
	}
	key, err := openSSHKey(sealed, got.Facts.KeyFingerprint)
	if err != nil {
		return SSHIssued{}, clm.About(string(got.DN), err)
	}
	got.Key, err = c.handOutSSHKey(ctx, who, got, key, r.Passphrase)
	return got, err
}

// handOutSSHKey notes who is given the private key of the certificate, and encrypts it,
// which takes time.
func (c *Core) handOutSSHKey(ctx context.Context, who clm.Actor, of SSHIssued, key crypto.Signer, passphrase secret.Plain) (text secret.Plain, err error) {
	if err := c.keyIsRead(ctx, who, of.DN, "key ID "+of.Facts.KeyID); err != nil {
		return text, err
	}
	err = c.taking(ctx, func() error {
		encoded, err := pki.EncodeSSHPrivateKey(key, of.Facts.KeyID, passphrase.Reveal())
		text = secret.NewPlain(encoded)
		return err
	})
	return text, err
}

// sshIssued is what an object says of its certificate, but for the private key. It
// fails with NotIssued.
func sshIssued(tx *store.Tx, o *clm.Object) (got SSHIssued, err error) {
	value := func(a clm.Attr) string { return clm.Setting{Values: o.Own[a]}.First() }
	got = SSHIssued{
		DN: o.DN, ID: o.ID, Text: value(clm.SSHText), PublicKey: value(clm.SSHPublicKey),
		By: clm.PrincipalID(value(clm.SSHRequestedBy)), From: value(clm.SSHRequestedFrom),
	}
	if got.Facts, err = pki.DescribeSSH(got.Text); err != nil {
		return got, &clm.Error{Kind: clm.NotIssued, Subject: string(o.DN), Err: err}
	}
	template, err := objectNamed(tx, value(clm.SSHTemplateOf))
	if err != nil {
		return got, err
	}
	if template != nil {
		got.Template = *template
	}
	id, err := sshSecret(tx, o)
	got.HasKey = id != 0
	return got, err
}

// SSHTemplateKinds are the ways in which SSHTemplate fails. NotFound is about the
// template, Denied about reading it.
var SSHTemplateKinds = []clm.Kind{clm.Internal, clm.NotFound, clm.Denied}

// SSHTemplate finds a template by its DN or name, by its ID, or by both.
func (c *Core) SSHTemplate(ctx context.Context, who clm.Actor, name string, id clm.ObjectID) (t SSHTemplate, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := findSSHTemplate(tx, who, name, id)
		if err == nil && !rights.Has(clm.Read) {
			err = clm.About(string(path.Last().DN), clm.Fail(clm.Denied, "template", name))
		}
		if err == nil {
			t, err = readSSHTemplate(tx, path.Last())
		}
		return err
	})
	return t, err
}

// SSHTemplates lists the templates by which the actor may have certificates issued, by
// DN, at most MaxSSHTemplates.
func (c *Core) SSHTemplates(ctx context.Context, who clm.Actor) (list []clm.Object, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Walk(store.Walk{Below: clm.DN(SSHTemplatesDN), Classes: []clm.Class{clm.SSHTemplate}}, func(o *clm.Object) (bool, error) {
			above, err := tx.Path(o.DN.Parent())
			if err == nil && append(above[:len(above):len(above)], o).Rights(who).Has(clm.Create) {
				list = append(list, *o)
			}
			return len(list) < MaxSSHTemplates, err
		})
	})
	return list, err
}

// SSHPublicKey is the public key of the key pair that signs by the template, for
// everybody who knows the template's name or ID: servers that are to trust it have no
// login. It fails with NotFound, about the template or, with the Field "public-key",
// about the key.
func (c *Core) SSHPublicKey(ctx context.Context, name string, id clm.ObjectID) (line string, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, _, err := findSSHTemplate(tx, clm.System, name, id)
		if err != nil {
			return err
		}
		t, err := readSSHTemplate(tx, path.Last())
		if line = t.Signer.PublicKey(); err == nil && line == "" {
			err = clm.Fail(clm.NotFound, "public-key", t.value(clm.SSHSigner))
		}
		return err
	})
	return line, err
}
