package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// GroupKinds are the ways in which the calls about groups and teams fail. Field of
// NotFound: "group", or "folder" of an asset; of Invalid: "name", "owners" where none is
// left, or "value"; of Unsupported: "group" for the one that all users are in, "team"
// for a group that is none, "folder" for an asset that is no folder; of Exists: "group",
// or "folder" for what is another team's, or no folder.
var GroupKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Exists}

// A group that is being changed.
type group struct {
	*store.Principal
	path   clm.Path
	object *clm.Object // the last of the path, to be changed
}

// groupOf is the group as it stands now.
func groupOf(tx *store.Tx, p *store.Principal) (*group, error) {
	path, err := tx.PathByID(clm.ObjectID(p.ID))
	if err != nil {
		return nil, err
	}
	return &group{p, path, cloned(path.Last())}, nil
}

// inGroup lets change do something to a group that needs the right. A master may, who
// owns the group, and who has the right on its object; but whether somebody is a master
// or an auditor is for masters to say.
func (c *Core) inGroup(ctx context.Context, e store.Entry, ref PrincipalRef, need clm.Rights, change func(*store.Tx, *group) error) error {
	e.Subject = ref.String()
	return c.db.Write(ctx, e, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		p := ref.find(known)
		if p == nil || !p.IsGroup {
			return clm.About(ref.String(), clm.Fail(clm.NotFound, "group", ref.String()))
		}
		g, err := groupOf(tx, p)
		if err != nil {
			return err
		}
		tx.About(string(g.object.DN), e.Detail)
		if !g.mayBeChangedBy(e.Actor, known, need) {
			return clm.About(p.Name, clm.Denied)
		}
		return clm.About(p.Name, change(tx, g))
	})
}

func (g *group) mayBeChangedBy(who clm.Actor, known map[clm.PrincipalID]*store.Principal, need clm.Rights) bool {
	isPowerful := func(p *store.Principal) bool { return p.Master || p.Auditor }
	switch {
	case who.Master:
		return true
	case isPowerful(g.Principal), slices.ContainsFunc(groupsAbove(known, g.Principal), isPowerful):
		return false
	}
	return g.path.Rights(who).Has(need) || slices.ContainsFunc(g.owners(), who.Is)
}

func (g *group) owners() []clm.PrincipalID { return principals(g.object.Own[clm.Owners]) }

// knownOwners are those of the owners who are there still.
func knownOwners(known map[clm.PrincipalID]*store.Principal, owners []string) []string {
	return slices.DeleteFunc(slices.Clone(owners), func(id string) bool { return known[clm.PrincipalID(id)] == nil })
}

// checkGroupEdit makes sure that the actor may give the group the values. What makes a
// team, and who owns a group, has calls of its own: by way of the object only masters
// say it. Owners have to be known, or have been owners before, and a team keeps one.
func checkGroupEdit(tx *store.Tx, who clm.Actor, o *clm.Object, a clm.Attr, values []string) error {
	if o.Class != clm.Group || a != clm.Owners && a != clm.Assets && a != clm.TeamFolder {
		return nil
	}
	if !who.Master {
		return clm.Fail(clm.Denied, "read-only", string(a))
	}
	if a != clm.Owners {
		return nil
	}
	known, err := tx.Principals()
	if err != nil {
		return err
	}
	for _, id := range values {
		if known[clm.PrincipalID(id)] == nil && !slices.Contains(o.Own[a], id) {
			return clm.Fail(clm.Invalid, "reference", id)
		}
	}
	g := group{object: o}
	if g.isTeam() && len(knownOwners(known, values)) == 0 {
		return clm.Fail(clm.Invalid, "owners", "")
	}
	return nil
}

// NewGroup is a group that is to be made.
type NewGroup struct {
	Name     string
	Members  []PrincipalRef
	Products []string
}

// AddGroup makes a group, which the actor owns from then on. Who may make objects below
// IdentityDN may do so. invalid are the places of those members who are unknown; all
// others are in it. Kinds: GroupKinds.
func (c *Core) AddGroup(ctx context.Context, who clm.Actor, n NewGroup) (made Principal, invalid []int, err error) {
	if err := clm.CheckName(n.Name); err != nil {
		return made, nil, err
	}
	entry := store.Entry{Actor: who, Action: "add group", Subject: string(IdentityDN.Child(n.Name))}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		root, err := tx.Path(IdentityDN)
		if err != nil {
			return err
		}
		if !root.Rights(who).Has(clm.Create) {
			return clm.About(n.Name, clm.Denied)
		}
		if err := forged(n.Products); err != nil {
			return err
		}
		g, err := makeGroup(tx, n.Name)
		if err != nil {
			return err
		}
		set(g.object.Own, clm.Owners, string(who.ID))
		set(g.object.Own, clm.Products, distinct(n.Products)...)
		if err := tx.SaveObject(g.object); err != nil {
			return err
		}
		made = principalOf(g.Principal)
		var joined []string
		joined, invalid, err = g.join(tx, n.Members)
		tx.About(string(g.object.DN), saying("with", joined))
		return err
	})
	return made, invalid, err
}

// saying is a list of names for the audit log; empty when there is none.
func saying(what string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return what + " " + strings.Join(names, ", ")
}

func makeGroup(tx *store.Tx, name string) (*group, error) {
	p := &store.Principal{Name: name, IsGroup: true}
	if err := savePrincipal(tx, p); err != nil {
		if errors.Is(err, store.ErrDuplicate) {
			err = clm.About(name, clm.Fail(clm.Exists, "group", name))
		}
		return nil, err
	}
	return groupOf(tx, p)
}

// join puts users and groups into the group. invalid are the places of those who are
// unknown, and of groups that the group is in itself.
func (g *group) join(tx *store.Tx, refs []PrincipalRef) (joined []string, invalid []int, err error) {
	known, err := tx.Principals()
	if err != nil {
		return nil, nil, err
	}
	above, find := groupsAbove(known, g.Principal), finder(known)
	for i, ref := range refs {
		p := find(ref)
		if p == nil || p.ID == g.ID || slices.Contains(above, p) {
			invalid = append(invalid, i)
			continue
		}
		if isEveryone(g.Principal) || slices.Contains(p.In, g.ID) {
			continue
		}
		changed := *p
		changed.In = append(slices.Clone(p.In), g.ID)
		if err := tx.SavePrincipal(&changed); err != nil {
			return nil, nil, err
		}
		joined = append(joined, p.Name)
	}
	return joined, invalid, nil
}

// leave takes users and groups out of the group; owners among them own it no longer.
// Who is not in it need not be taken out. invalid are the places of those who are unknown.
// One user stays who is a master.
func (g *group) leave(tx *store.Tx, refs []PrincipalRef) (left []string, invalid []int, err error) {
	known, err := tx.Principals()
	if err != nil {
		return nil, nil, err
	}
	owners, find := g.object.Own[clm.Owners], finder(known)
	for i, ref := range refs {
		p := find(ref)
		if p == nil {
			invalid = append(invalid, i)
			continue
		}
		owners = slices.DeleteFunc(slices.Clone(owners), func(id string) bool { return id == string(p.ID) })
		if !slices.Contains(p.In, g.ID) {
			continue
		}
		changed := *p
		changed.In = slices.DeleteFunc(slices.Clone(p.In), func(id clm.PrincipalID) bool { return id == g.ID })
		if err := tx.SavePrincipal(&changed); err != nil {
			return nil, nil, err
		}
		left = append(left, p.Name)
	}
	if err := g.setOwners(tx, owners); err != nil || len(left) == 0 {
		return left, invalid, err
	}
	return left, invalid, aMasterRemains(tx)
}

// setOwners says who owns the group. A team keeps one owner at least who is known.
func (g *group) setOwners(tx *store.Tx, owners []string) error {
	if slices.Equal(owners, g.object.Own[clm.Owners]) {
		return nil
	}
	known, err := tx.Principals()
	if err != nil {
		return err
	}
	owners = knownOwners(known, owners)
	if g.isTeam() && len(owners) == 0 {
		return clm.Fail(clm.Invalid, "owners", "")
	}
	set(g.object.Own, clm.Owners, owners...)
	return tx.SaveObject(g.object)
}

// A MembersChange puts users and groups into a group, or takes them out.
type MembersChange struct {
	Group   PrincipalRef
	Members []PrincipalRef
	Remove  bool
	Team    bool // the group must be a team
}

// ChangeMembers changes who is in a group, and returns who is in it then and, by their
// places, the members who are unknown. Whoever may write the group's object, and its
// owners, may do so. That all users are in one group cannot be changed, and is no
// failure. Kinds: GroupKinds.
func (c *Core) ChangeMembers(ctx context.Context, who clm.Actor, m MembersChange) (now []Principal, invalid []int, err error) {
	action, verb := "add members", "added"
	if m.Remove {
		action, verb = "remove members", "removed"
	}
	err = c.inGroup(ctx, store.Entry{Actor: who, Action: action}, m.Group, clm.Write, func(tx *store.Tx, g *group) error {
		if m.Team && !g.isTeam() {
			return clm.Fail(clm.Unsupported, "team", g.Name)
		}
		change := g.join
		if m.Remove {
			change = g.leave
		}
		var names []string
		if names, invalid, err = change(tx, m.Members); err != nil {
			return err
		}
		tx.About(string(g.object.DN), saying(verb, names))
		known, err := tx.Principals()
		now = membersOf(known, g.Principal, false)
		return err
	})
	return now, invalid, err
}

// RenameGroup gives a group another name. Whoever may rename the group's object, and its
// owners, may do so. Kinds: GroupKinds.
func (c *Core) RenameGroup(ctx context.Context, who clm.Actor, ref PrincipalRef, name string, team bool) (renamed Principal, err error) {
	if err := clm.CheckName(name); err != nil {
		return renamed, err
	}
	err = c.inGroup(ctx, store.Entry{Actor: who, Action: "rename group", Detail: "to " + name}, ref, clm.Rename, func(tx *store.Tx, g *group) error {
		if team && !g.isTeam() {
			return clm.Fail(clm.Unsupported, "team", g.Name)
		}
		renamed = Principal{g.ID, name, true}
		return g.rename(tx, name)
	})
	return renamed, err
}

func (g *group) rename(tx *store.Tx, name string) error {
	if isEveryone(g.Principal) {
		return clm.Fail(clm.Unsupported, "group", g.Name)
	}
	if taken, err := tx.PrincipalByName(name); err == nil && taken.ID != g.ID {
		return clm.Fail(clm.Exists, "group", name)
	} else if err != nil && !errors.Is(err, clm.NotFound) {
		return err
	}
	if err := renamePrincipal(tx, g.ID, name); err != nil {
		return err
	}
	_, err := tx.MoveObject(g.object, IdentityDN.Child(name), g.path[len(g.path)-2].ID)
	return err
}

// DeleteGroup takes a group away, of a team with its rights on its folders; those in it
// stay. Whoever may delete the group's object, and its owners, may do so, unless nobody
// would be a master any more. Kinds: GroupKinds.
func (c *Core) DeleteGroup(ctx context.Context, who clm.Actor, ref PrincipalRef) error {
	return c.inGroup(ctx, store.Entry{Actor: who, Action: "delete group"}, ref, clm.Delete, func(tx *store.Tx, g *group) error {
		return c.deleteGroup(tx, g)
	})
}

func (c *Core) deleteGroup(tx *store.Tx, g *group) error {
	if isEveryone(g.Principal) {
		return clm.Fail(clm.Unsupported, "group", g.Name)
	}
	for _, id := range append(refsOf(g.object, clm.TeamFolder), refsOf(g.object, clm.Assets)...) {
		if err := ungrantTeam(tx, id, g.ID); err != nil {
			return err
		}
	}
	if err := c.deleteOne(tx, g.path); err != nil {
		return err
	}
	return aMasterRemains(tx)
}
