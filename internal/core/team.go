package core

import (
	"context"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A Team is a group with owners and folders that are its business: one that was made
// with it and has its name, and the assets.
type Team struct {
	Principal
	Description string
	Owners      []Principal
	Members     []Principal // owners are among them
	Assets      []clm.DN    // as far as the actor may see them
	Products    []string
}

func (g *group) isTeam() bool { return len(g.object.Own[clm.TeamFolder]) > 0 }

// Team finds a team. It needs no rights. Kinds: GroupKinds.
func (c *Core) Team(ctx context.Context, who clm.Actor, ref PrincipalRef) (t Team, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
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
		if !g.isTeam() {
			return clm.About(p.Name, clm.Fail(clm.Unsupported, "team", p.Name))
		}
		t, err = g.team(tx, who, known)
		return err
	})
	return t, err
}

func (g *group) team(tx *store.Tx, who clm.Actor, known map[clm.PrincipalID]*store.Principal) (Team, error) {
	t := Team{
		Principal: principalOf(g.Principal), Description: firstOf(g.object, clm.Description),
		Members: membersOf(known, g.Principal, false), Products: g.object.Own[clm.Products],
	}
	for _, id := range g.owners() {
		if p := known[id]; p != nil {
			t.Owners = append(t.Owners, principalOf(p))
		}
	}
	slices.SortFunc(t.Owners, byName)
	for _, id := range refsOf(g.object, clm.Assets) {
		path, _, err := findByID(tx, who, id)
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return t, err
		}
		t.Assets = append(t.Assets, path.Last().DN)
	}
	return t, nil
}

// refsOf are the objects that an attribute names.
func refsOf(o *clm.Object, a clm.Attr) (ids []clm.ObjectID) {
	for _, v := range o.Own[a] {
		if id, ok := clm.RefID(v); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// TeamChange says what a team shall be. What is nil stays as it is.
type TeamChange struct {
	Name        *string
	Description *string
	Owners      []PrincipalRef // they become members
	Members     []PrincipalRef
	Assets      []string // DNs of folders, each of one team only
	Products    []string
}

// Unknown are the places, in a call's lists, of those who are unknown.
type Unknown struct {
	Owners, Members []int
}

// AddTeam makes a team of the name, and a folder of that name directly below the policy
// folder; one that is there and belongs to no team is taken, and outlives the team. The
// group has TeamRights on it and on the assets. Only a master may, and one owner at least
// must be known. Kinds: GroupKinds.
func (c *Core) AddTeam(ctx context.Context, who clm.Actor, name string, t TeamChange) (made Principal, unknown Unknown, err error) {
	if err := clm.CheckName(name); err != nil {
		return made, unknown, err
	}
	t.Name = nil
	entry := store.Entry{Actor: who, Action: "add team", Subject: string(IdentityDN.Child(name))}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		if !who.Master {
			return clm.About(name, clm.Denied)
		}
		g, err := makeGroup(tx, name)
		if err != nil {
			return err
		}
		folder, err := teamFolder(tx, name, g.ID)
		if err != nil {
			return err
		}
		set(g.object.Own, clm.TeamFolder, clm.Ref(folder))
		if err := grantTeam(tx, folder, g.ID); err != nil {
			return err
		}
		made = principalOf(g.Principal)
		unknown, err = g.become(tx, who, t)
		return err
	})
	return made, unknown, err
}

// teamFolder finds or makes the folder of a new team. One that is made says so, by
// having been created by the team.
func teamFolder(tx *store.Tx, name string, team clm.PrincipalID) (clm.ObjectID, error) {
	dn := clm.PolicyDN.Child(name)
	path, err := tx.Path(dn)
	if errors.Is(err, clm.NotFound) {
		above, err := tx.Path(clm.PolicyDN)
		if err != nil {
			return "", err
		}
		o := &clm.Object{DN: dn, Class: clm.Folder, Own: map[clm.Attr][]string{clm.CreatedBy: {string(team)}}}
		err = tx.AddObject(o, above.Last().ID)
		return o.ID, err
	}
	if err != nil {
		return "", err
	}
	o := path.Last()
	if o.Class != clm.Folder {
		return "", clm.Fail(clm.Exists, "folder", string(o.DN))
	}
	return o.ID, isFree(tx, o, "")
}

// isFree fails with Exists where the folder is another team's.
func isFree(tx *store.Tx, folder *clm.Object, but clm.PrincipalID) error {
	known, err := tx.Principals()
	if err != nil {
		return err
	}
	for _, p := range known {
		if !p.IsGroup || p.ID == but {
			continue
		}
		g, err := groupOf(tx, p)
		if err != nil {
			return err
		}
		if slices.Contains(append(refsOf(g.object, clm.TeamFolder), refsOf(g.object, clm.Assets)...), folder.ID) {
			return clm.Fail(clm.Exists, "folder", string(folder.DN))
		}
	}
	return nil
}

// inTeam is inGroup for a team: masters and owners alone may.
func (c *Core) inTeam(ctx context.Context, who clm.Actor, action string, ref PrincipalRef, change func(*store.Tx, *group) error) error {
	return c.inGroup(ctx, store.Entry{Actor: who, Action: action}, ref, clm.View, func(tx *store.Tx, g *group) error {
		switch {
		case !g.isTeam():
			return clm.Fail(clm.Unsupported, "team", g.Name)
		case !who.Master && !slices.ContainsFunc(g.owners(), who.Is):
			return clm.Denied
		}
		return change(tx, g)
	})
}

// ChangeTeam changes a team. Its owners may, and masters; but only who may manage the
// rights on a folder makes it an asset. Kinds: GroupKinds.
func (c *Core) ChangeTeam(ctx context.Context, who clm.Actor, ref PrincipalRef, t TeamChange) (changed Principal, unknown Unknown, err error) {
	if t.Name != nil {
		if err := clm.CheckName(*t.Name); err != nil {
			return changed, unknown, err
		}
	}
	err = c.inTeam(ctx, who, "change team", ref, func(tx *store.Tx, g *group) error {
		if unknown, err = g.become(tx, who, t); err != nil {
			return err
		}
		changed = principalOf(g.Principal)
		if t.Name == nil || *t.Name == g.Name {
			return nil
		}
		changed.Name = *t.Name
		return g.rename(tx, *t.Name)
	})
	return changed, unknown, err
}

// become brings a team to what it shall be, its name apart.
func (g *group) become(tx *store.Tx, who clm.Actor, t TeamChange) (unknown Unknown, err error) {
	for _, values := range [][]string{t.Products, {stringOf(t.Description)}} {
		if err := forged(values); err != nil {
			return unknown, err
		}
	}
	if t.Description != nil {
		set(g.object.Own, clm.Description, *t.Description)
	}
	if t.Products != nil {
		set(g.object.Own, clm.Products, distinct(t.Products)...)
	}
	if t.Assets != nil {
		if err := g.setAssets(tx, who, t.Assets); err != nil {
			return unknown, err
		}
	}
	known, err := tx.Principals()
	if err != nil {
		return unknown, err
	}
	owners := knownOwners(known, g.object.Own[clm.Owners])
	if t.Owners != nil || len(owners) == 0 {
		owners = nil
		find := finder(known)
		for i, ref := range t.Owners {
			if p := find(ref); p != nil && p.ID != g.ID {
				owners = append(owners, string(p.ID))
			} else {
				unknown.Owners = append(unknown.Owners, i)
			}
		}
		if len(owners) == 0 {
			return unknown, clm.Fail(clm.Invalid, "owners", "")
		}
		set(g.object.Own, clm.Owners, distinct(owners)...)
	}
	if err := tx.SaveObject(g.object); err != nil {
		return unknown, err
	}
	unknown.Members, err = g.setMembers(tx, t.Members, owners)
	if err != nil {
		return unknown, err
	}
	tx.About(string(g.object.DN), saying("owned by", peopleOf(known, owners)))
	return unknown, nil
}

func stringOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// setMembers says who is in the team: the owners and, where refs is not nil, these and
// nobody else.
func (g *group) setMembers(tx *store.Tx, refs []PrincipalRef, owners []string) (unknown []int, err error) {
	known, err := tx.Principals()
	if err != nil {
		return nil, err
	}
	wanted, find := map[clm.PrincipalID]bool{}, finder(known)
	for _, ref := range refs {
		if p := find(ref); p != nil {
			wanted[p.ID] = true
		}
	}
	for _, id := range owners {
		wanted[clm.PrincipalID(id)] = true
	}
	var gone []PrincipalRef
	for _, p := range membersOf(known, g.Principal, false) {
		if refs != nil && !wanted[p.ID] {
			gone = append(gone, PrincipalRef{ID: p.ID})
		}
	}
	if _, _, err := g.leave(tx, gone); err != nil {
		return nil, err
	}
	if _, unknown, err = g.join(tx, refs); err != nil {
		return nil, err
	}
	_, _, err = g.join(tx, refsTo(owners))
	return unknown, err
}

func refsTo(ids []string) (refs []PrincipalRef) {
	for _, id := range ids {
		refs = append(refs, PrincipalRef{ID: clm.PrincipalID(id)})
	}
	return refs
}

// setAssets says which folders are the team's assets. Those that the actor does not see
// stay: they cannot be named.
func (g *group) setAssets(tx *store.Tx, who clm.Actor, dns []string) error {
	had := refsOf(g.object, clm.Assets)
	var has []clm.ObjectID
	for _, dn := range dns {
		path, rights, err := find(tx, who, dn)
		if errors.Is(err, clm.NotFound) || errors.Is(err, clm.Invalid) {
			return clm.Fail(clm.NotFound, "folder", dn)
		}
		if err != nil {
			return err
		}
		o := path.Last()
		isNew := !slices.Contains(had, o.ID)
		switch {
		case o.Class != clm.Folder:
			return clm.Fail(clm.Unsupported, "folder", string(o.DN))
		case isNew && !rights.Has(clm.ManagePermissions):
			return clm.Denied
		}
		if err := isFree(tx, o, g.ID); err != nil {
			return err
		}
		if !slices.Contains(has, o.ID) {
			has = append(has, o.ID)
		}
	}
	for _, id := range had {
		if hidden, err := isHidden(tx, who, id); err != nil {
			return err
		} else if hidden {
			has = append(has, id)
		}
	}
	refs := make([]string, 0, len(has))
	for _, id := range has {
		refs = append(refs, clm.Ref(id))
		if slices.Contains(had, id) {
			continue // its entry may have been changed since
		}
		if err := grantTeam(tx, id, g.ID); err != nil {
			return err
		}
	}
	for _, id := range had {
		if slices.Contains(has, id) || slices.Contains(refsOf(g.object, clm.TeamFolder), id) {
			continue
		}
		if err := ungrantTeam(tx, id, g.ID); err != nil {
			return err
		}
	}
	set(g.object.Own, clm.Assets, refs...)
	return nil
}

// isHidden reports whether the object is there, but the actor does not see it.
func isHidden(tx *store.Tx, who clm.Actor, id clm.ObjectID) (bool, error) {
	path, err := tx.PathByID(id)
	if errors.Is(err, clm.NotFound) {
		return false, nil
	}
	return err == nil && !path.Rights(who).Has(clm.View), err
}

// An OwnersChange lets users and groups own a team, or own it no longer.
type OwnersChange struct {
	Team   PrincipalRef
	Owners []PrincipalRef
	Demote bool // they stay members
}

// ChangeOwners changes who owns a team, and returns the team and, by their places, the
// owners who are unknown. One owner has to be left. Kinds: GroupKinds.
func (c *Core) ChangeOwners(ctx context.Context, who clm.Actor, o OwnersChange) (t Team, unknown []int, err error) {
	err = c.inTeam(ctx, who, "change owners", o.Team, func(tx *store.Tx, g *group) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		unknown = nil
		owners := slices.Clone(g.object.Own[clm.Owners])
		find := finder(known)
		for i, ref := range o.Owners {
			p := find(ref)
			switch {
			case p == nil, p.ID == g.ID:
				unknown = append(unknown, i)
			case o.Demote:
				owners = slices.DeleteFunc(owners, func(id string) bool { return id == string(p.ID) })
			default:
				owners = distinct(append(owners, string(p.ID)))
			}
		}
		if err := g.setOwners(tx, owners); err != nil {
			return err
		}
		if _, _, err := g.join(tx, refsTo(owners)); err != nil {
			return err
		}
		tx.About(string(g.object.DN), saying("owned by", peopleOf(known, owners)))
		if known, err = tx.Principals(); err == nil {
			t, err = g.team(tx, who, known)
		}
		return err
	})
	return t, unknown, err
}

func peopleOf(known map[clm.PrincipalID]*store.Principal, ids []string) (names []string) {
	for _, id := range ids {
		if p := known[clm.PrincipalID(id)]; p != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// DeleteTeam takes a team away, with its rights on its folders. The folder that AddTeam
// made for it goes along when the actor may delete it, nothing is below it, and nobody
// has said anything of it. Kinds: GroupKinds.
func (c *Core) DeleteTeam(ctx context.Context, who clm.Actor, ref PrincipalRef) error {
	return c.inTeam(ctx, who, "delete team", ref, func(tx *store.Tx, g *group) error {
		var made []clm.Path
		for _, id := range refsOf(g.object, clm.TeamFolder) {
			path, err := tx.PathByID(id)
			switch {
			case errors.Is(err, clm.NotFound):
			case err != nil:
				return err
			case firstOf(path.Last(), clm.CreatedBy) == string(g.ID) && path.Rights(who).Has(clm.Delete): // as long as the team has its own
				made = append(made, path)
			}
		}
		if err := c.deleteGroup(tx, g); err != nil {
			return err
		}
		for _, path := range made {
			if err := c.deleteUnused(tx, path.Last().ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteUnused deletes a folder that holds nothing, and of which nothing is said but who
// created it.
func (c *Core) deleteUnused(tx *store.Tx, id clm.ObjectID) error {
	path, err := tx.PathByID(id)
	if err != nil {
		return err
	}
	below, err := tx.Children(id)
	if o := path.Last(); err != nil || o.Class != clm.Folder || len(below) > 0 || len(o.Policy)+len(o.Grants) > 0 || len(o.Own) > 1 {
		return err
	}
	return c.deleteOne(tx, path)
}
