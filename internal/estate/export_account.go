package estate

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// An issuerChain is an issuer with the certificates of it and of those above it.
type issuerChain struct {
	name  string
	chain [][]byte
}

func (x *exporting) issuers(ctx context.Context) error {
	held, err := x.core.IssuerNames(ctx, x.who)
	if err != nil {
		return err
	}
	var known []issuerChain
	for _, name := range held {
		chain, err := x.core.Chain(ctx, name)
		if err != nil {
			return err
		}
		known = append(known, issuerChain{name, chain})
	}
	slices.SortStableFunc(known, func(a, b issuerChain) int { return len(a.chain) - len(b.chain) })
	for _, is := range known {
		i, err := is.item(known)
		if err != nil {
			return err
		}
		if err := x.add("issuers", "issuer "+is.name, i); err != nil {
			return err
		}
	}
	return nil
}

func (is issuerChain) item(known []issuerChain) (i item, err error) {
	i = newItem()
	cert, err := x509.ParseCertificate(is.chain[0])
	if err != nil {
		return i, err
	}
	subject, err := pki.ReadNames(cert.RawSubject, nil)
	if err != nil {
		return i, err
	}
	spec := pki.SpecOf(cert.PublicKey)
	i.add("name", scalar(is.name))
	i.add("commonName", scalar(subject.CommonName))
	i.add("organization", said(subject.Organization))
	i.add("country", said(subject.Country))
	i.add("key", scalar(spec.Algorithm))
	if spec.Bits > 0 && spec.Algorithm == clm.RSA {
		i.add("size", integer(spec.Bits))
	}
	i.add("curve", said(spec.Curve))
	if len(is.chain) > 1 {
		at := slices.IndexFunc(known, func(above issuerChain) bool { return slices.Equal(above.chain[0], is.chain[1]) })
		if at >= 0 {
			i.add("root", scalar(known[at].name))
		}
	}
	const year = 365.2425 * 24 * float64(time.Hour)
	if years := int(float64(cert.NotAfter.Sub(cert.NotBefore))/year + 0.5); years >= 1 && years <= MaxYears {
		i.add("years", integer(years))
	}
	return i, nil
}

func (x *exporting) applications(ctx context.Context) error {
	list, err := x.core.Applications(ctx, x.who)
	if err != nil {
		return err
	}
	for _, a := range list {
		i := newItem()
		i.add("id", scalar(a.ID))
		i.add("name", said(a.Name))
		i.add("scope", scalar(a.Scope))
		i.add("accessValidity", scalar(lifeText(a.AccessValidity)))
		i.add("grantValidity", scalar(lifeText(a.GrantValidity)))
		i.add("refreshable", boolean(a.Refreshable))
		if err := x.add("applications", "application "+a.ID, i); err != nil {
			return err
		}
	}
	return nil
}

// principal begins an item of a user or group.
func principal(a core.Account) item {
	i := newItem()
	i.add("name", scalar(a.Name))
	i.add("master", boolean(a.Master))
	i.add("auditor", boolean(a.Auditor))
	return i
}

func (x *exporting) groups(ctx context.Context) error { return x.principals(ctx, true) }
func (x *exporting) users(ctx context.Context) error  { return x.principals(ctx, false) }

func (x *exporting) principals(ctx context.Context, groups bool) error {
	for _, a := range x.accounts {
		if a.IsGroup != groups {
			continue
		}
		i := principal(a)
		node, err := x.core.ObjectByID(ctx, x.who, clm.ObjectID(a.ID))
		if err != nil {
			return err
		}
		section, table := "users", userKeys
		if groups {
			section, table = "groups", groupKeys
			members := sequence(x.membersOf(a))
			i.node.Content = append(i.node.Content, scalar("members"), members) // none, too
		}
		own := clm.PolicyDN.Child(a.Name)
		if had := node.Own[clm.TeamFolder]; len(had) > 0 && clm.DN(had[0]).Key() != own.Key() {
			x.remark("team %s: its folder is %s", a.Name, had[0])
		}
		x.thing(ctx, i, node, table)
		if err := x.add(section, section[:len(section)-1]+" "+a.Name, i); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporting) membersOf(group core.Account) (members []string) {
	for _, a := range x.accounts {
		if slices.Contains(a.Groups, group.Name) {
			members = append(members, a.Name)
		}
	}
	return members
}

// fieldsOf writes the custom fields.
func (x *exporting) fieldsOf(ctx context.Context) error {
	for _, f := range x.fields {
		node, err := x.core.ObjectByID(ctx, x.who, f.ID)
		if err != nil {
			return err
		}
		i := newItem()
		i.add("name", scalar(f.DN.Name()))
		x.thing(ctx, i, node, fieldKeys)
		if len(f.Classes) == 0 {
			i.node.Content = append(i.node.Content, scalar("for"), sequence(nil))
		}
		if err := x.add("fields", "field "+f.DN.Name(), i); err != nil {
			return err
		}
	}
	return nil
}
