package tpp

// identityRoutes are the calls about users and groups.
var identityRoutes = []route{
	{"GET", "/vedsdk/identity/self", anyToken, (*api).self},
}

// identity is a user or a group on the wire.
type identity struct {
	FullName          string
	IsContainer       bool
	IsGroup           bool
	Name              string
	Prefix            string
	PrefixedName      string
	PrefixedUniversal string
	Type              int // 1 a user, 2 a group
	Universal         string
}

// self serves GET vedsdk/Identity/Self: the caller, who comes first, and the
// caller's groups.
func (a *api) self(c *call) answer {
	principals, err := a.core.Principals(c.Context(), c.who())
	if err != nil {
		return a.fault(c, err)
	}
	identities := []identity{}
	for _, p := range principals {
		kind := 1
		if p.IsGroup {
			kind = 2
		}
		identities = append(identities, identity{
			FullName:          `\VED\Identity\` + p.Name,
			IsGroup:           p.IsGroup,
			Name:              p.Name,
			Prefix:            "local",
			PrefixedName:      localPrefix + p.Name,
			PrefixedUniversal: universal(p.ID),
			Type:              kind,
			Universal:         braced(p.ID),
		})
	}
	return ok(map[string]any{"Identities": identities})
}
