package core

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// MoveKinds are the ways in which Rename and Mutate fail. Of Invalid, Field is "name",
// "length" or "depth" for the new DN; of NotFound it is "parent" where the new place is not
// there; of Unsupported it is "object" for what has to stay as it is, "place" where the
// new one does not hold the class, "within" for a place below the object itself, and
// "class" for one that the object cannot come to have.
var MoveKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Exists}

// Rename gives an object another name or place, with everything below it. What refers
// to it goes on doing so.
func (c *Core) Rename(ctx context.Context, who clm.Actor, dn, to string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "rename", Subject: dn, Detail: to}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		target, err := clm.ParseDN(to)
		if err != nil {
			return clm.About(to, wrongDN(to, err))
		}
		o := cloned(path.Last())
		parent, theirs, err := findParent(tx, who, target)
		switch {
		case err != nil:
			return err
		case isFixed(o) || o.Class == clm.Ticket:
			return clm.About(dn, clm.Fail(clm.Unsupported, "object", dn))
		case !rights.Has(clm.Rename):
			return clm.About(dn, clm.Denied)
		case target.IsBelow(o.DN):
			return clm.About(dn, clm.Fail(clm.Unsupported, "within", to))
		}
		above := path[len(path)-2]
		moves := parent.Last().ID != above.ID
		switch {
		case !parent.Last().Class.MayHold(o.Class):
			return clm.About(dn, clm.Fail(clm.Unsupported, "place", string(parent.Last().DN)))
		case moves && !theirs.Has(clm.Create):
			return clm.About(string(parent.Last().DN), clm.Denied)
		}
		target = parent.Last().DN.Child(target.Name())
		if err := fits(tx, o.DN, target); err != nil {
			return clm.About(to, err)
		}
		if there, err := tx.Path(target); err == nil && there.Last().ID != o.ID {
			return clm.About(to, clm.Exists)
		} else if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
		if o.Class == clm.CustomField {
			renamed := cloned(o)
			renamed.DN = target
			if err := FieldOf(renamed).isNew(tx); err != nil {
				return err
			}
		}
		if isPrincipal(o.Class) {
			if err := mayTouch(tx, who, clm.PrincipalID(o.ID), false); err != nil {
				return clm.About(dn, err)
			}
			if err := renamePrincipal(tx, clm.PrincipalID(o.ID), target.Name()); err != nil {
				return err
			}
		}
		if moves {
			for _, may := range []func(*store.Tx, clm.Actor, clm.Path, clm.Path) error{mayMoveKeys, mayMoveAims} {
				if err := may(tx, who, path, under(parent, o)); err != nil {
					return clm.About(dn, err)
				}
			}
		}
		n, err := tx.MoveObject(o, target, parent.Last().ID)
		if err != nil {
			return err
		}
		tx.About(string(path.Last().DN), fmt.Sprintf("to %s, with %d below it", target, n-1))
		if !moves {
			return nil
		}
		if isCertificate(path) {
			fresh, err := tx.PathByID(o.ID)
			if err != nil {
				return err
			}
			return replan(tx, fresh)
		}
		return tx.AddSweep(target) // other folders' policy holds for it now
	})
}

// mayMoveKeys makes sure that nobody comes to read the private keys of what is moved, or of
// what is below it, by moving it to where more is allowed. What has entries of its own for
// the actor is as readable there as here.
func mayMoveKeys(tx *store.Tx, who clm.Actor, was, now clm.Path) error {
	if was.Rights(who).Has(clm.KeyRead) || !now.Rights(who).Has(clm.KeyRead) {
		return nil
	}
	held, err := tx.KeysBelow(was.Last())
	if err == nil && held {
		err = clm.Fail(clm.Denied, "key", "")
	}
	return err
}

// mayMoveAims makes sure that who may let other policy, or another device, say how what is
// moved is reached.
func mayMoveAims(tx *store.Tx, who clm.Actor, was, now clm.Path) error {
	if isReached(now.Last().Class) && isAimedOtherwise(was, now) {
		if err := mayAim(tx, who, was, now); err != nil {
			return err
		}
	}
	return mayAimBelow(tx, who, was, now)
}

// fits makes sure that nothing comes to be too deep.
func fits(tx *store.Tx, from, to clm.DN) error {
	deeper := len(to.Ancestors()) - len(from.Ancestors())
	if deeper <= 0 {
		return nil
	}
	return tx.Walk(store.Walk{Below: from}, func(o *clm.Object) (bool, error) {
		if len(o.DN.Ancestors())+1+deeper > clm.MaxDepth {
			return false, clm.Fail(clm.Invalid, "depth", string(o.DN))
		}
		return true, nil
	})
}

func renamePrincipal(tx *store.Tx, id clm.PrincipalID, name string) error {
	known, err := tx.Principals()
	if err != nil || known[id] == nil {
		return err
	}
	if strings.ToLower(name) == everyone {
		return clm.Exists
	}
	renamed := *known[id]
	renamed.Name = name
	err = tx.SavePrincipal(&renamed)
	if errors.Is(err, store.ErrDuplicate) {
		return clm.Exists
	}
	return err
}

// families are the classes whose objects stay among themselves: of others, what they
// hold or are bound to would be nobody's.
var families = []clm.Class{clm.CertificateBase, clm.Application, clm.Credential, clm.Workflow, clm.Folder, clm.SSHCertificate, clm.Key, clm.CustomField}

// Mutate gives an object another class, which keeps everything that it says. marks are
// values that it is to have from then on. Kinds: those of Rename.
func (c *Core) Mutate(ctx context.Context, who clm.Actor, dn string, class clm.Class, marks map[clm.Attr][]string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "mutate", Subject: dn, Detail: string(class)}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		o := cloned(path.Last())
		if isFixed(o) || isPrincipal(o.Class) || isPrincipal(class) || o.Class == clm.Ticket || class == clm.Ticket {
			return clm.About(dn, clm.Fail(clm.Unsupported, "object", dn))
		}
		above := path[len(path)-2]
		switch {
		case class.IsAbstract():
			return clm.About(dn, clm.Fail(clm.Unsupported, "class", string(class)))
		case !above.Class.MayHold(class):
			return clm.About(dn, clm.Fail(clm.Unsupported, "place", string(above.DN)))
		case !rights.Has(clm.Create | clm.Delete):
			return clm.About(dn, clm.Denied)
		}
		for _, family := range families {
			if o.Class.Is(family) != class.Is(family) {
				return clm.About(dn, clm.Fail(clm.Unsupported, "class", string(class)))
			}
		}
		if kind := marks[clm.FieldKind]; o.Class == clm.CustomField && len(kind) > 0 && kind[0] != FieldOf(o).Kind {
			return clm.About(dn, clm.Fail(clm.Unsupported, "class", string(class))) // values that are there would be none
		}
		below, err := tx.Children(o.ID)
		if err != nil {
			return err
		}
		for _, child := range below {
			if !class.MayHold(child.Class) {
				return clm.About(dn, clm.Fail(clm.Unsupported, "place", string(child.DN)))
			}
		}
		was := o.Class
		o.Class = class
		for a, values := range marks {
			set(o.Own, a, values...)
		}
		if err := mayAim(tx, who, path, under(path[:len(path)-1], o)); err != nil {
			return clm.About(dn, err)
		}
		return tx.ChangeClass(o, above.ID, was)
	})
}
