package estate

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// look finds what the file refers to, before anything is changed: what it needs
// must be in the installation or in the file itself.
func (a *applying) look(ctx context.Context) error {
	if err := a.findAccounts(ctx); err != nil {
		return err
	}
	a.passwords = map[string]secret.Plain{}
	for _, u := range a.file.users {
		var err error
		if a.passwords[u.name], err = u.password.read(a.opt.Dir); err != nil {
			return err
		}
	}
	a.clientSecrets = map[string]secret.Plain{}
	for _, s := range a.file.services {
		var err error
		if a.clientSecrets[s.name], err = s.secret.read(a.opt.Dir); err != nil {
			return err
		}
	}
	a.secrets = map[string]map[string]secret.Plain{}
	for i := range a.file.credentials {
		var err error
		c := &a.file.credentials[i]
		if a.secrets[c.dn.Key()], err = c.values(a.opt.Dir); err != nil {
			return err
		}
	}
	a.materials = map[string]material{}
	for _, c := range a.file.certificates {
		if !c.outside.isThere() {
			continue
		}
		var err error
		if a.materials[c.dn.Key()], err = c.outside.load(a.opt.Dir); err != nil {
			return err
		}
	}
	if err := a.findFields(ctx); err != nil {
		return err
	}
	for _, check := range []func() error{a.lookForPeople, a.lookForFields, a.lookForRehearsals} {
		if err := check(); err != nil {
			return err
		}
	}
	for _, check := range []func(context.Context) error{a.lookForIssuers, a.lookForLinks, a.lookForSSHKeys} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) lookForPeople() error {
	var people []reference
	for _, g := range a.file.groups {
		people = append(people, g.members...)
	}
	for _, t := range a.file.things() {
		people = append(people, t.people...)
	}
	for _, p := range people {
		if !a.accounts.isThere(p.name) {
			return p.fail("there is no user or group %q", p.name)
		}
	}
	for _, u := range a.file.users {
		for _, g := range u.groups {
			if !a.accounts.isGroup(g.name) {
				return g.fail("there is no group %q", g.name)
			}
		}
	}
	return nil
}

func (a *applying) lookForIssuers(ctx context.Context) error {
	there := map[string]bool{}
	needed := a.file.vouchers
	for _, i := range a.file.issuers {
		there[i.Name] = true
		if i.Above != "" {
			needed = append(needed, reference{i.place, i.Above})
		}
	}
	for _, want := range a.file.authorities {
		if want.issuer != nil {
			needed = append(needed, *want.issuer)
		}
	}
	for _, n := range needed {
		if there[n.name] {
			continue
		}
		if _, err := a.core.Chain(ctx, n.name); errors.Is(err, clm.NotFound) {
			return n.fail("there is no issuer %q", n.name)
		} else if err != nil {
			return n.refused(n.name, err)
		}
		there[n.name] = true
	}
	return nil
}

// lookForLinks makes sure that the objects are there that others name.
func (a *applying) lookForLinks(ctx context.Context) error {
	for _, t := range a.file.things() {
		for _, l := range t.links {
			if err := a.lookForObject(ctx, l.reference, linked[l.attr]); err != nil {
				return err
			}
		}
	}
	for _, c := range a.file.certificates {
		if c.authority != nil {
			if err := a.lookForObject(ctx, *c.authority, linked[clm.IssuedBy]); err != nil {
				return err
			}
		}
	}
	for _, d := range a.file.devices {
		for _, p := range d.programs {
			if p.certificate == nil || p.certificate.name == "" {
				continue
			}
			if err := a.lookForObject(ctx, *p.certificate, wanted{"certificate", clm.CertificateBase}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A wanted is what a reference must be to: objects of the class, or any.
type wanted struct {
	what  string
	class clm.Class
}

// linked says what attributes name; those that are not there name any objects.
var linked = map[clm.Attr]wanted{
	clm.IssuedBy: {"authority", clm.Authority}, clm.Workflows: {"workflow", clm.Workflow}, clm.WorkflowBlocks: {"workflow", clm.Workflow},
	clm.Engines: {"engine", clm.Engine}, clm.Assets: {"folder", clm.Folder}, clm.SSHSigner: {"key pair", clm.SSHKeyPair}, clm.SSHFolder: {"folder", clm.Folder},
	clm.CredentialOf: {"credential", clm.Credential}, clm.KeyCredential: {"credential", clm.Credential}, clm.StoreCredential: {"credential", clm.Credential}, clm.ServiceUser: {"credential", clm.Credential},
}

// lookForObject makes sure that the file or the installation has what is named.
func (a *applying) lookForObject(ctx context.Context, n reference, w wanted) error {
	dn := n.name
	if w.class == clm.Engine {
		dn = engineDN(dn)
	}
	class, isThere := a.classes[clm.DN(dn).Key()]
	if !isThere {
		o, err := a.core.Object(ctx, a.who, dn)
		if err != nil && !errors.Is(err, clm.NotFound) && !errors.Is(err, clm.Invalid) {
			return n.refused(dn, err)
		}
		if class = o.Class; err == nil {
			a.classes[o.DN.Key()] = class
		}
	}
	if class == "" || w.class != "" && !class.Is(w.class) {
		return n.fail("there is no %s %s", cmp.Or(w.what, "object"), n.name)
	}
	return nil
}

// isLike refuses to take an issuer that is there already for another one that the
// file describes: issuers do not change.
func (i issuer) isLike(der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return i.refused(i.Name, err)
	}
	is, err := pki.ReadNames(cert.RawSubject, nil)
	if err != nil {
		return i.refused(i.Name, err)
	}
	want := i.Subject
	for _, part := range []struct{ what, is, want string }{
		{"commonName", is.CommonName, want.CommonName}, {"organization", is.Organization, want.Organization},
		{"country", is.Country, want.Country}, {"key", pki.SpecOf(cert.PublicKey).String(), i.Key.String()},
	} {
		if part.is != part.want {
			return i.fail("the issuer %s is there already, with %s %q instead of %q, and issuers do not change", i.Name, part.what, part.is, part.want)
		}
	}
	return nil
}
