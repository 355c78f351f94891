package estate

import (
	"context"
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// readGroupName reads the name by which the folder is known as a group of certificates.
// An empty one is its place.
func (f *folder) readGroupName(v value) error {
	f.named = v.place()
	said := map[clm.Attr][]string{}
	if err := own(said, "", name)(v); err != nil {
		return err
	}
	f.group = new(string)
	*f.group = clm.Setting{Values: said[""]}.First()
	return nil
}

// agreeGroupNames refuses names of what is no group, and those that two folders have.
func (f *File) agreeGroupNames() error {
	seen := distinct{}
	for _, folder := range f.folders {
		switch {
		case folder.group == nil:
			continue
		case !folder.dn.IsBelow(clm.PolicyDN):
			return folder.named.fail("%s is no group: only what is below %s is one", folder.dn, clm.PolicyDN)
		case *folder.group == "":
			continue
		}
		if err := seen.add(fold(*folder.group), folder.named); err != nil {
			return err
		}
	}
	return nil
}

// groupPlace is the name of the group that the folder is where it was given none.
func groupPlace(dn clm.DN) string {
	return strings.ReplaceAll(string(dn[len(clm.PolicyDN)+1:]), `\`, "/")
}

// ownGroupName is the name of the group that the folder was given; empty where it goes by
// its place.
func ownGroupName(names core.GroupNames, o clm.Object) string {
	if !o.DN.IsBelow(clm.PolicyDN) {
		return ""
	}
	name := names.Of(clm.Path{&o})
	if name == groupPlace(o.DN) || name == string(o.DN) {
		return ""
	}
	return name
}

// nameGroups gives folders their names as groups, once all folders are there.
func (a *applying) nameGroups(ctx context.Context) error {
	var known *core.GroupNames
	for _, f := range a.file.folders {
		if f.group == nil {
			continue
		}
		if known == nil {
			names, err := a.core.GroupNames(ctx)
			if err != nil {
				return f.refused(string(f.dn), err)
			}
			known = &names
		}
		if err := a.nameGroup(ctx, f, *known); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) nameGroup(ctx context.Context, f folder, known core.GroupNames) error {
	dn, had, wanted := f.dn, "", *f.group
	node, err := a.core.Object(ctx, a.who, string(dn))
	switch {
	case err == nil:
		dn, had = node.DN, ownGroupName(known, node.Object)
	case !a.opt.Plan || !errors.Is(err, clm.NotFound):
		return f.named.refused(string(dn), err)
	}
	if wanted == groupPlace(dn) {
		wanted = ""
	}
	if wanted == had {
		return nil
	}
	if !a.opt.Plan {
		if err := a.core.NameGroup(ctx, a.who, string(dn), wanted); err != nil {
			return f.named.refused(string(dn), err)
		}
	}
	var values []string
	if wanted != "" {
		values = []string{wanted}
	}
	a.say(string(dn) + ": group name" + are(values))
	return nil
}
