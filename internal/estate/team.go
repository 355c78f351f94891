package estate

import (
	"context"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// teams makes teams of the groups that are to be some: each has a folder of its name.
// On that and on its assets it gets the usual rights, unless it has others there or the
// file says others.
func (a *applying) teams(ctx context.Context) error {
	for _, g := range a.file.groups {
		if !g.isTeam {
			continue
		}
		own := clm.PolicyDN.Child(g.name)
		known, err := a.node(ctx, reference{g.place, ""}, string(g.dn))
		if err != nil {
			return err
		}
		if had := known.Own[clm.TeamFolder]; len(had) > 0 {
			own = clm.DN(had[0]) // it had another name
		}
		for _, folder := range append([]string{string(own)}, g.own[clm.Assets]...) {
			if err := a.folder(ctx, g.place, clm.DN(folder)); err != nil {
				return err
			}
			if err := a.grantTeam(ctx, g, clm.DN(folder)); err != nil {
				return err
			}
		}
		p := core.Put{DN: string(g.dn), Class: clm.Group, Own: map[clm.Attr][]string{clm.TeamFolder: {string(own)}}}
		a.made[g.dn.Key()] = true
		if err := a.put(ctx, g.place, p); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) grantTeam(ctx context.Context, g group, folder clm.DN) error {
	if f := a.declared[folder.Key()]; f != nil {
		for name := range f.rights {
			if strings.EqualFold(name, g.name) {
				return nil
			}
		}
	}
	node, err := a.node(ctx, reference{g.place, ""}, string(folder))
	if err != nil {
		return err
	}
	if _, has := node.Grants[clm.PrincipalID(a.accounts.id(g.name))]; has {
		return nil
	}
	return a.put(ctx, g.place, core.Put{DN: string(folder), Class: clm.Folder, Rights: map[string]clm.Rights{g.name: core.TeamRights}})
}
