package estate

import (
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type group struct {
	thing
	name    string
	members []reference
	counts  bool // members is the whole list
	master  *bool
	auditor *bool
	isTeam  bool
}

type user struct {
	thing
	name     string
	password password
	master   *bool
	auditor  *bool
	groups   []reference
	counts   bool // groups is the whole list, but for groups that name the user themselves
}

var (
	groupKeys = []attrKey{
		{"fullName", clm.FullName, line, oneValue},
		{"description", clm.Description, text, oneValue},
		{"owners", clm.Owners, line, manyValues},
		{"products", clm.Products, line, manyValues},
		{"assets", clm.Assets, dnText, manyValues},
	}
	userKeys = []attrKey{
		{"fullName", clm.FullName, line, oneValue},
		{"givenName", clm.GivenName, line, oneValue},
		{"surname", clm.Surname, line, oneValue},
		{"email", clm.Email, email, oneValue},
		{"description", clm.Description, text, oneValue},
	}
)

type application struct {
	place
	id          string
	name        *string
	scope       *string
	access      *seconds
	grant       *seconds
	refreshable *bool
}

func readGroup(v value) (group, error) {
	g := group{thing: newThing(v)}
	err := g.read(v, merged(g.keys(groupKeys), keys{
		"name":    to(&g.name, name),
		"master":  maybe(&g.master, truth),
		"auditor": maybe(&g.auditor, truth),
		"team":    g.readTeam,
		"members": func(v value) error {
			g.counts = true
			return references(&g.members)(v)
		},
	}))
	g.dn = core.IdentityDN.Child(g.name)
	switch {
	case err != nil:
		return g, err
	case g.name == "":
		return g, g.fail("has no name")
	case !g.isTeam && len(g.own[clm.Assets]) > 0:
		return g, g.fail("has assets, and is no team")
	}
	return g, nil
}

func (g *group) readTeam(v value) (err error) {
	if g.isTeam, err = truth(v); err == nil && !g.isTeam {
		err = v.fail("a group that is a team stays one: leave it out")
	}
	return err
}

func readUser(v value) (user, error) {
	v.secret = true
	u := user{thing: newThing(v), password: password{place: v.place()}}
	err := u.read(v, merged(merged(u.keys(userKeys), u.password.keys(u.place)), keys{
		"name":    to(&u.name, name),
		"master":  maybe(&u.master, truth),
		"auditor": maybe(&u.auditor, truth),
		"groups": func(v value) error {
			u.counts = true
			return references(&u.groups)(v)
		},
	}))
	u.dn = core.IdentityDN.Child(u.name)
	if err == nil && u.name == "" {
		err = u.fail("has no name")
	}
	return u, err
}

func readApplication(v value) (application, error) {
	a := application{place: v.place()}
	err := v.object(keys{
		"id":             to(&a.id, name),
		"name":           maybe(&a.name, name),
		"scope":          maybe(&a.scope, scope),
		"accessValidity": maybe(&a.access, life),
		"grantValidity":  maybe(&a.grant, life),
		"refreshable":    maybe(&a.refreshable, truth),
	})
	switch {
	case err != nil:
		return a, err
	case a.id == "":
		return a, a.fail("has no id")
	case a.access != nil && a.grant != nil && *a.access > *a.grant:
		return a, a.fail("accessValidity is longer than grantValidity")
	}
	return a, nil
}
