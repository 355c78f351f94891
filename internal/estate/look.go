package estate

import (
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
	for _, check := range []func(context.Context) error{a.lookForIssuers, a.lookForAuthorities, a.lookForCertificates} {
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
	for _, f := range a.file.folders {
		people = append(people, f.people...)
	}
	for _, c := range a.file.certificates {
		people = append(people, c.people...)
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

func (a *applying) lookForAuthorities(ctx context.Context) error {
	there := map[string]bool{}
	for _, want := range a.file.authorities {
		there[want.dn.Key()] = true
	}
	var needed []reference
	for _, f := range a.file.folders {
		needed = append(needed, f.authorities...)
	}
	for _, c := range a.file.certificates {
		if c.authority != nil {
			needed = append(needed, *c.authority)
		}
	}
	return a.lookForObjects(ctx, needed, there, "authority", clm.Authority)
}

// lookForCertificates makes sure that programs use certificates that there are.
func (a *applying) lookForCertificates(ctx context.Context) error {
	there := map[string]bool{}
	for _, c := range a.file.certificates {
		there[c.dn.Key()] = true
	}
	var needed []reference
	for _, d := range a.file.devices {
		for _, p := range d.programs {
			if p.certificate != nil && p.certificate.name != "" {
				needed = append(needed, *p.certificate)
			}
		}
	}
	return a.lookForObjects(ctx, needed, there, "certificate", clm.CertificateBase)
}

// lookForObjects makes sure that what is needed is of the class. there are the
// keys of the DNs that the file makes.
func (a *applying) lookForObjects(ctx context.Context, needed []reference, there map[string]bool, what string, class clm.Class) error {
	for _, n := range needed {
		key := clm.DN(n.name).Key()
		if there[key] {
			continue
		}
		o, err := a.core.Object(ctx, a.who, n.name)
		switch {
		case errors.Is(err, clm.NotFound), err == nil && !o.Class.Is(class):
			return n.fail("there is no %s %s", what, n.name)
		case err != nil:
			return n.refused(n.name, err)
		}
		there[key] = true
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
