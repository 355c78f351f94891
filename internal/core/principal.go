package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// PutPrincipal says what a user or group shall be.
type PutPrincipal struct {
	Name     string
	IsGroup  bool
	Master   bool
	Auditor  *bool        // nil: it stays as it is
	Password secret.Plain // empty: it stays as it is
	Groups   []string     // the names of the groups it is in; nil: they stay as they are
	Plan     bool         // only say what would change
}

// PutPrincipal brings a user or group to what it shall be and says what had to
// change for that. A new password ends the user's sessions. Only a master may. It fails
// with Denied (also where nobody would be a master any more), Exists (a group of the
// user's name, or the other way round), NotFound (of a group) and Busy (somebody else is
// changing the password).
func (c *Core) PutPrincipal(ctx context.Context, who clm.Actor, p PutPrincipal) (changes []string, err error) {
	if !who.Master {
		return nil, clm.About(p.Name, clm.Denied)
	}
	if err := clm.CheckName(p.Name); err != nil {
		return nil, err
	}
	had := ""
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.PrincipalByName(p.Name)
		if errors.Is(err, clm.NotFound) {
			return nil
		}
		if err == nil {
			had = known.Password
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	newPassword := !p.Password.IsEmpty() && (had == "" || !c.checkPassword(p.Password, had))
	var fresh *store.Principal
	diff := func(tx *store.Tx) error {
		fresh, changes, err = p.diff(tx, newPassword)
		return err
	}
	if err := c.db.Read(ctx, diff); err != nil || len(changes) == 0 || p.Plan {
		return changes, err
	}
	hash := ""
	if newPassword {
		hash = c.hashPassword(p.Password) // it takes long: not inside a transaction
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "put principal", Subject: p.Name}, func(tx *store.Tx) error {
		if err := diff(tx); err != nil {
			return err
		}
		tx.About(p.Name, strings.Join(changes, "; "))
		isNew := fresh.ID == ""
		if !p.Password.IsEmpty() && fresh.Password != had {
			return clm.About(p.Name, clm.Fail(clm.Busy, "password", ""))
		}
		if newPassword {
			fresh.Password = hash
		}
		if err := savePrincipal(tx, fresh); err != nil || isNew {
			return err
		}
		if newPassword {
			if err := tx.EndSessionsOf(fresh.ID, ""); err != nil {
				return err
			}
		}
		return aMasterRemains(tx)
	})
	return changes, err
}

func groupsChange(names []string) string {
	if len(names) == 0 {
		return ": groups: none"
	}
	return ": groups = " + strings.Join(names, ", ")
}

// diff is the principal as it shall be, but for its password, and what that changes.
func (p PutPrincipal) diff(tx *store.Tx, newPassword bool) (fresh *store.Principal, changes []string, err error) {
	fresh = &store.Principal{Name: p.Name, IsGroup: p.IsGroup}
	known, err := tx.PrincipalByName(p.Name)
	kind := map[bool]string{true: "group ", false: "user "}[p.IsGroup] + p.Name
	switch {
	case errors.Is(err, clm.NotFound):
		changes = append(changes, "create "+kind)
	case err != nil:
		return nil, nil, err
	case known.IsGroup != p.IsGroup:
		return nil, nil, clm.About(p.Name, clm.Exists)
	default:
		copied := *known
		fresh = &copied
	}
	if fresh.Master != p.Master {
		changes = append(changes, kind+": master = "+map[bool]string{true: "yes", false: "no"}[p.Master])
		fresh.Master = p.Master
	}
	if p.Auditor != nil && fresh.Auditor != *p.Auditor {
		changes = append(changes, kind+": auditor = "+map[bool]string{true: "yes", false: "no"}[*p.Auditor])
		fresh.Auditor = *p.Auditor
	}
	if newPassword {
		changes = append(changes, kind+": password")
	}
	if p.Groups == nil {
		return fresh, changes, nil
	}
	var in []clm.PrincipalID
	for _, name := range p.Groups {
		group, err := tx.PrincipalByName(name)
		if errors.Is(err, clm.NotFound) && p.Plan {
			return fresh, append(changes, kind+groupsChange(p.Groups)), nil
		}
		if err == nil && !group.IsGroup {
			err = clm.About(name, clm.Fail(clm.NotFound, "group", name))
		}
		if err != nil {
			return nil, nil, err
		}
		in = append(in, group.ID)
	}
	slices.Sort(in)
	if !slices.Equal(in, slices.Sorted(slices.Values(fresh.In))) {
		changes = append(changes, kind+groupsChange(p.Groups))
		fresh.In = in
	}
	return fresh, changes, nil
}

// IdentityDN is where users and groups stand in the tree, each as an object with the
// ID of the principal.
const IdentityDN clm.DN = `\VED\Identity`

// savePrincipal writes a user or group down, and its object in the tree: the two are
// one thing, with one ID and one name.
func savePrincipal(tx *store.Tx, p *store.Principal) error {
	if err := tx.SavePrincipal(p); err != nil {
		return err
	}
	_, err := tx.PathByID(clm.ObjectID(p.ID))
	if !errors.Is(err, clm.NotFound) {
		return err
	}
	root, err := tx.Path(IdentityDN)
	if err != nil {
		return err
	}
	class := clm.User
	if p.IsGroup {
		class = clm.Group
	}
	return tx.AddObject(&clm.Object{ID: clm.ObjectID(p.ID), DN: IdentityDN.Child(p.Name), Class: class}, root.Last().ID)
}

// PrincipalNamed finds a user or group by its name. It fails with NotFound.
func (c *Core) PrincipalNamed(ctx context.Context, name string) (id clm.PrincipalID, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		p, err := tx.PrincipalByName(name)
		if err == nil {
			id = p.ID
		}
		return clm.About(name, err)
	})
	return id, err
}

// addPrincipal makes a user or group of the object, which stands below IdentityDN.
func addPrincipal(tx *store.Tx, o *clm.Object) error {
	p := &store.Principal{Name: o.DN.Name(), IsGroup: o.Class == clm.Group}
	if err := savePrincipal(tx, p); err != nil {
		if errors.Is(err, store.ErrDuplicate) {
			return clm.About(string(o.DN), clm.Exists)
		}
		return err
	}
	path, err := tx.PathByID(clm.ObjectID(p.ID))
	if err != nil {
		return err
	}
	made := cloned(path.Last())
	made.Own, made.Grants = o.Own, o.Grants
	*o = *made
	return tx.SaveObject(o)
}

// aMasterRemains makes sure that one user is a master, by itself or by a group it is in.
// It ends every change after which nobody might be one. It fails with Denied.
func aMasterRemains(tx *store.Tx) error {
	known, err := tx.Principals()
	if err != nil {
		return err
	}
	isUser := func(p Principal) bool { return !p.IsGroup }
	for _, p := range known {
		if p.Master && (!p.IsGroup || slices.ContainsFunc(membersOf(known, p, true), isUser)) {
			return nil
		}
	}
	return clm.Fail(clm.Denied, "master", "")
}

// mayTouch makes sure that the actor may delete or rename the principal by way of its
// object. Everyone stays; who makes masters or auditors, or is one, is for masters alone;
// and one user stays who is a master.
func mayTouch(tx *store.Tx, who clm.Actor, id clm.PrincipalID, deletes bool) error {
	known, err := tx.Principals()
	if err != nil || known[id] == nil {
		return err
	}
	p := known[id]
	isPowerful := func(p *store.Principal) bool { return p.Master || p.Auditor }
	switch {
	case isEveryone(p):
		return clm.Fail(clm.Unsupported, "object", p.Name)
	case !who.Master && (isPowerful(p) || slices.ContainsFunc(groupsAbove(known, p), isPowerful)):
		return clm.Denied
	case !deletes:
		return nil
	}
	isMaster := func(p *store.Principal) bool {
		return !p.IsGroup && (p.Master || slices.ContainsFunc(groupsAbove(known, p), func(g *store.Principal) bool { return g.Master && g.ID != id }))
	}
	for _, other := range known {
		if other.ID != id && isMaster(other) {
			return nil
		}
	}
	return clm.Fail(clm.Unsupported, "object", p.Name)
}
