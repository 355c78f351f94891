package estate

type group struct {
	place
	name    string
	members []reference
	counts  bool // members is the whole list
}

type user struct {
	place
	name     string
	password password
	master   *bool
	groups   []reference
	counts   bool // groups is the whole list, but for groups that name the user themselves
}

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
	g := group{place: v.place()}
	err := v.object(keys{
		"name": to(&g.name, name),
		"members": func(v value) error {
			g.counts = true
			return references(&g.members)(v)
		},
	})
	if err == nil && g.name == "" {
		err = g.fail("has no name")
	}
	return g, err
}

func readUser(v value) (user, error) {
	v.secret = true
	u := user{place: v.place(), password: password{place: v.place()}}
	err := v.object(merged(keys{
		"name":   to(&u.name, name),
		"master": maybe(&u.master, truth),
		"groups": func(v value) error {
			u.counts = true
			return references(&u.groups)(v)
		},
	}, u.password.keys(u.place)))
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
