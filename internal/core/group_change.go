package core

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A NewFolder is a group that is to be made.
type NewFolder struct {
	Name   string
	Parent string                // the name of the group that it is in; empty: none
	Own    map[clm.Attr][]string // what it says of itself
	Policy map[clm.Attr][]string // what it says about the certificates in it, and does not insist on
}

// MakeGroup makes a group. One that is in none goes by the name of its place, even where a
// group in another one was given that name before: that goes by its place then. Kinds:
// GroupingKinds.
func (c *Core) MakeGroup(ctx context.Context, who clm.Actor, n NewFolder) (g Group, err error) {
	for _, name := range []string{n.Name, n.Parent} {
		if err := c.makeBuiltIn(ctx, who, name); err != nil {
			return g, err
		}
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "create group", Subject: n.Name, Detail: n.Parent}, func(tx *store.Tx) error {
		above, err := n.above(tx, who)
		if err != nil {
			return err
		}
		dn, err := childDN(above.Last(), n.Name)
		if err != nil {
			return clm.About(n.Name, clm.Fail(clm.Invalid, "name", n.Name))
		}
		o := &clm.Object{DN: dn, Class: clm.Folder, Own: map[clm.Attr][]string{}, Policy: map[clm.PolicyKey]clm.Rule{}}
		_, byPlace := tx.Path(o.DN)
		_, byName := topmost(tx, n.Name)
		if n.Parent != "" {
			_, byName = folderOf(tx, n.Name)
		}
		for _, err := range []error{byName, byPlace} {
			if err == nil {
				return clm.About(n.Name, clm.Fail(clm.Exists, "group", n.Name))
			}
			if !errors.Is(err, clm.NotFound) {
				return err
			}
		}
		for a, values := range n.Own {
			set(o.Own, a, values...)
		}
		if err := forgedSince(nil, o.Own); err != nil {
			return err
		}
		for a, values := range n.Policy {
			o.Policy[clm.PolicyKey{Class: clm.AnyCertificate, Attr: a}] = clm.Rule{Values: values}
		}
		path := append(above[:len(above):len(above)], o)
		if len(n.Policy) > 0 && !path.Rights(who).Has(clm.PolicyWrite) {
			return clm.About(n.Name, clm.Fail(clm.Denied, "policy", ""))
		}
		if len(n.Policy[clm.RenewalWindow]) > 0 {
			if err := checkWindow(tx, path, clm.ServerCertificate, nil); err != nil {
				return clm.About(n.Name, err)
			}
		}
		if err := tx.AddObject(o, above.Last().ID); err != nil {
			return err
		}
		tx.About(string(o.DN), describe(Put{Own: n.Own}.diffOwn(&clm.Object{DN: o.DN, Own: map[clm.Attr][]string{}})))
		if n.Parent != "" {
			if err := nameGroup(tx, o, n.Name); err != nil {
				return clm.About(n.Name, err)
			}
		}
		g, err = findGroup(tx, who, n.Name)
		return err
	})
	return g, err
}

// above is the folder that the group is to be in.
func (n NewFolder) above(tx *store.Tx, who clm.Actor) (clm.Path, error) {
	if n.Parent == "" {
		path, err := tx.Path(groupRoot)
		if err == nil && !path.Rights(who).Has(clm.Create) {
			err = clm.About(n.Name, clm.Fail(clm.Denied, "root", ""))
		}
		return path, err
	}
	parent, err := findGroup(tx, who, n.Parent)
	if err == nil && !parent.Rights.Has(clm.Create) {
		err = clm.About(n.Parent, clm.Fail(clm.Denied, "read-only", ""))
	}
	return parent.Path, err
}

// DropGroup deletes a group with nothing in it. Kinds: GroupingKinds.
func (c *Core) DropGroup(ctx context.Context, who clm.Actor, name string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "delete group", Subject: name}, func(tx *store.Tx) error {
		g, err := findGroup(tx, who, name)
		if err != nil {
			return err
		}
		folder := g.Path.Last()
		tx.About(string(folder.DN), "")
		if !g.Rights.Has(clm.Delete) {
			return clm.About(name, clm.Fail(clm.Denied, "read-only", ""))
		}
		if isBuiltInPlace(folder.DN) {
			return clm.About(name, clm.Fail(clm.Unsupported, "built-in", g.Name))
		}
		if err := tx.NameFolder(folder.ID, ""); err != nil {
			return err
		}
		err = c.deleteOne(tx, g.Path)
		if errors.Is(err, store.ErrNotEmpty) {
			err = clm.Fail(clm.Unsupported, "below", g.Name)
		}
		return clm.About(name, err)
	})
}

// Assign moves the places of the records into the group: all or, when one cannot be,
// none. A place whose name is taken there gets a number. Who moves must be allowed to
// delete at the one place and to create at the other, and does not come to read private
// keys by it. Kinds: GroupingKinds; NotFound and Invalid may also be about a record,
// Limited where there are too many, Denied ("key") where the group would let the actor read
// a key, and Busy, with the number of the work, while an order is under way or one that was
// to be approved has stopped.
func (c *Core) Assign(ctx context.Context, who clm.Actor, name string, records []RecordRef) error {
	if len(records) > MaxAssigned {
		return clm.About(name, clm.Fail(clm.Limited, "records", strconv.Itoa(len(records))))
	}
	if err := c.makeBuiltIn(ctx, who, name); err != nil {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "assign", Subject: name}, func(tx *store.Tx) error {
		g, err := findGroup(tx, who, name)
		if err != nil {
			return err
		}
		if !g.Rights.Has(clm.Create) {
			return clm.About(name, clm.Fail(clm.Denied, "read-only", ""))
		}
		var moved []string
		for _, ref := range records {
			rec, err := findRecord(tx, who, ref)
			if err != nil {
				return err
			}
			place := cloned(rec.Path.Last())
			if rec.Path[len(rec.Path)-2].ID == g.Path.Last().ID {
				continue
			}
			if !rec.Rights.Has(clm.Write | clm.Delete) {
				return clm.About(string(place.DN), clm.Fail(clm.Denied, "read-only", ""))
			}
			for _, may := range []func(*store.Tx, clm.Actor, clm.Path, clm.Path) error{mayMoveKeys, noneUnderWay, mayMoveAims} {
				if err := may(tx, who, rec.Path, under(g.Path, place)); err != nil {
					return clm.About(string(place.DN), err)
				}
			}
			to, err := freeDN(tx, g.Path.Last(), place.DN.Name())
			if err != nil {
				return err
			}
			moved = append(moved, string(place.DN)+" to "+string(to))
			if _, err := tx.MoveObject(place, to, g.Path.Last().ID); err != nil {
				return err
			}
			fresh, err := tx.PathByID(place.ID)
			if err == nil {
				err = replan(tx, fresh)
			}
			if err != nil {
				return err
			}
		}
		tx.About(string(g.Path.Last().DN), strings.Join(moved, "; "))
		return nil
	})
}

// noneUnderWay makes sure that no order is taken away from those who were asked about it.
func noneUnderWay(tx *store.Tx, _ clm.Actor, was, _ clm.Path) error {
	works, err := tx.OpenWorks(was.Last().ID)
	for _, w := range works {
		if err != nil {
			return err
		}
		var waits bool
		if waits, err = isToBeApproved(tx, &w); err != nil || !waits && w.Failure != "" {
			continue
		}
		var v clm.Version
		if v, err = tx.Version(w.Version); err == nil && w.Op != clm.Abandon && v.Orphaned.IsZero() { // what nobody wants goes its own way
			err = clm.Fail(clm.Busy, string(w.Op), strconv.FormatInt(int64(w.ID), 10))
		}
	}
	return err
}
