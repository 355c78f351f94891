package core

import (
	"context"
	"errors"
	"maps"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// GrantKinds are the ways in which the calls about rights fail. Field of NotFound:
// "object", "principal" where there is no such user or group, "entry" where it has none;
// of Exists: "entry". Denied: the actor sees the object, but may not manage its rights.
var GrantKinds = []clm.Kind{clm.Internal, clm.NotFound, clm.Denied, clm.Exists}

// A GrantedOn names an entry: the rights of a user or group on an object.
type GrantedOn struct {
	Object    clm.ObjectID
	Principal clm.PrincipalID
}

// Granted is what a user or group may do with an object.
type Granted struct {
	Explicit  clm.Rights // what the object's entry says
	HasEntry  bool       // an entry may say nothing: it takes away what comes from above
	Implicit  clm.Rights // what there would be without the entry, roles apart
	Effective clm.Rights // what there is
}

// governed finds an object whose rights the actor may manage. Who may see it is told
// that this is not allowed; to all others it is not there.
func governed(tx *store.Tx, who clm.Actor, id clm.ObjectID) (clm.Path, error) {
	path, err := tx.PathByID(id)
	if err == nil && path.Rights(who).Has(clm.ManagePermissions) {
		return path, nil
	}
	_, _, err = findByID(tx, who, id)
	switch {
	case err == nil:
		return nil, clm.About(string(id), clm.Denied)
	case errors.Is(err, clm.NotFound):
		return nil, clm.About(string(id), clm.Fail(clm.NotFound, "object", string(id)))
	}
	return nil, err
}

// Grantees are the users and groups that have an entry on the object, also those that
// are not there any more. Kinds: GrantKinds.
func (c *Core) Grantees(ctx context.Context, who clm.Actor, id clm.ObjectID) (ids []clm.PrincipalID, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := governed(tx, who, id)
		if err == nil {
			ids = sorted(path.Last().Grants)
		}
		return err
	})
	return ids, err
}

// EntryAt is what the entry of a principal on the object with the DN says. The principal
// may be one that is not there any more. has: there is an entry. Kinds: GrantKinds.
func (c *Core) EntryAt(ctx context.Context, who clm.Actor, dn string, id clm.PrincipalID) (rights clm.Rights, has bool, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		var object clm.ObjectID // none, which is looked for all the same
		if parsed, err := clm.ParseDN(dn); err == nil {
			if path, err := tx.Path(parsed); err == nil {
				object = path.Last().ID
			} else if !errors.Is(err, clm.NotFound) {
				return err
			}
		}
		path, err := governed(tx, who, object)
		if err == nil {
			rights, has = path.Last().Grants[id]
		}
		return err
	})
	return rights, has, err
}

// Granted is what a user or group may do with an object, and why. Kinds: GrantKinds.
func (c *Core) Granted(ctx context.Context, who clm.Actor, on GrantedOn) (g Granted, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := governed(tx, who, on.Object)
		if err != nil {
			return err
		}
		actor, err := grantee(tx, on.Principal)
		if err != nil {
			return err
		}
		g = Granted{Effective: path.Rights(actor)}
		g.Explicit, g.HasEntry = path.Last().Grants[on.Principal]
		actor.Master, actor.Auditor = false, false
		g.Implicit = without(path, on.Principal).Rights(actor)
		return nil
	})
	return g, err
}

// grantee is the user or group as if it asked for something.
func grantee(tx *store.Tx, id clm.PrincipalID) (clm.Actor, error) {
	actor, err := actorOf(tx, id)
	if errors.Is(err, clm.NotFound) {
		err = clm.About(string(id), clm.Fail(clm.NotFound, "principal", string(id)))
	}
	return actor, err
}

// without is the path as if its last object had no entry of the principal.
func without(path clm.Path, id clm.PrincipalID) clm.Path {
	o := cloned(path.Last())
	o.Grants = copyOf(o.Grants)
	delete(o.Grants, id)
	return append(path[:len(path)-1:len(path)-1], o)
}

// A GrantMode says what ChangeGrant does with an entry.
type GrantMode uint8

// The modes.
const (
	NewGrant     GrantMode = iota // there must be none
	ReplaceGrant                  // there must be one, which gives way
	DropGrant                     // there must be one, which goes
)

// A GrantChange changes an entry.
type GrantChange struct {
	GrantedOn
	Mode   GrantMode
	Rights clm.Rights // from then on; an entry without rights takes away those that come from above
}

// ChangeGrant changes the rights of a user or group on an object. Who may manage rights
// may give more than they have themselves, and the audit log says so. An entry of
// somebody who is not there any more can still be dropped. Kinds: GrantKinds.
func (c *Core) ChangeGrant(ctx context.Context, who clm.Actor, g GrantChange) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "change rights", Subject: string(g.Object)}, func(tx *store.Tx) error {
		path, err := governed(tx, who, g.Object)
		if err != nil {
			return err
		}
		o := cloned(path.Last())
		o.Grants = copyOf(o.Grants)
		_, has := o.Grants[g.Principal]
		name := string(g.Principal)
		if to, err := grantee(tx, g.Principal); err == nil {
			name = to.Name
		} else if !has || g.Mode != DropGrant {
			return err
		}
		switch {
		case g.Mode == NewGrant && has:
			return clm.About(string(o.DN), clm.Fail(clm.Exists, "entry", name))
		case g.Mode != NewGrant && !has:
			return clm.About(string(o.DN), clm.Fail(clm.NotFound, "entry", name))
		}
		detail := "rights of " + name + ": none of its own"
		if g.Mode == DropGrant {
			delete(o.Grants, g.Principal)
		} else {
			o.Grants[g.Principal] = g.Rights
			detail = Change{DN: o.DN, To: name, Rights: g.Rights}.String()
			if !path.Rights(who).Has(g.Rights) {
				detail += ", more than the actor has"
			}
		}
		tx.About(string(o.DN), detail)
		return tx.SaveObject(o)
	})
}

// grantTeam gives the team TeamRights on the object.
func grantTeam(tx *store.Tx, id clm.ObjectID, to clm.PrincipalID) error {
	return changeGrants(tx, id, func(grants map[clm.PrincipalID]clm.Rights) { grants[to] = TeamRights })
}

// ungrantTeam takes away what grantTeam gave. Where somebody has said something else
// since, it is left: an entry may be there to keep the team out.
func ungrantTeam(tx *store.Tx, id clm.ObjectID, of clm.PrincipalID) error {
	return changeGrants(tx, id, func(grants map[clm.PrincipalID]clm.Rights) {
		if grants[of] == TeamRights {
			delete(grants, of)
		}
	})
}

// changeGrants changes the entries of an object, if it is there.
func changeGrants(tx *store.Tx, id clm.ObjectID, change func(map[clm.PrincipalID]clm.Rights)) error {
	path, err := tx.PathByID(id)
	if errors.Is(err, clm.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	o := cloned(path.Last())
	o.Grants = copyOf(o.Grants)
	change(o.Grants)
	if maps.Equal(o.Grants, path.Last().Grants) {
		return nil
	}
	return tx.SaveObject(o)
}

// TeamRights are what a team may do with its folders: everything but to say what
// certificates must be like, and who else may do what.
const TeamRights = clm.AllRights &^ (clm.PolicyWrite | clm.ManagePermissions)
