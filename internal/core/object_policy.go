package core

import (
	"context"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// EditPolicyKinds are the ways in which EditPolicy fails. Unsupported: the object holds
// no policy, or folders say nothing about the custom field; Exists, of field "lock": the entry is locked otherwise; of field "value":
// the value is there.
var EditPolicyKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Exists}

// EditPolicy changes an entry of a folder's policy. An entry without values goes; what
// is not there can be removed all the same.
func (c *Core) EditPolicy(ctx context.Context, who clm.Actor, dn string, class clm.Class, e Edit, locked bool) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "edit policy", Subject: dn}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		switch {
		case err != nil:
			return err
		case !rights.Has(clm.PolicyWrite):
			return clm.About(dn, clm.Denied)
		case !path.Last().Class.HoldsPolicy():
			return clm.About(dn, clm.Fail(clm.Unsupported, "policy", string(path.Last().Class)))
		}
		if err := forged(e.Values); err != nil {
			return err
		}
		o := cloned(path.Last())
		o.Policy = copyOf(o.Policy)
		key := clm.PolicyKey{Class: class, Attr: e.Attr}
		had, known := o.Policy[key]
		if e.Mode == AddTo && known && had.Locked != locked {
			return clm.About(dn, clm.Fail(clm.Exists, "lock", string(e.Attr)))
		}
		if e.Mode == RemoveFrom {
			locked = had.Locked
			names, err := dereferred(tx, had.Values)
			if err != nil {
				return err
			}
			there := folded(names)
			e.Values = slices.DeleteFunc(slices.Clone(e.Values), func(v string) bool { return !there[strings.ToLower(v)] })
		}
		values, err := e.apply(tx, who, &clm.Object{Class: class, Own: map[clm.Attr][]string{e.Attr: had.Values}})
		if err != nil {
			return clm.About(dn, err)
		}
		if id, isField := clm.FieldOf(e.Attr); isField && e.Mode != RemoveFrom && len(values) > 0 {
			fields, err := allFields(tx)
			if err != nil {
				return err
			}
			f, err := fieldByID(fields, id)
			if err != nil {
				return clm.About(dn, clm.Fail(clm.Invalid, string(e.Attr), values[0]))
			}
			if err := f.mayRule(o.DN, class); err != nil {
				return err
			}
			if err := f.checkNew(values, had.Values); err != nil {
				return err
			}
		}
		changes := Put{Policy: map[clm.PolicyKey]clm.Rule{key: {Values: values, Locked: locked && len(values) > 0}}}.diffPolicy(o)
		tx.About(string(o.DN), describe(changes))
		if len(changes) == 0 {
			return nil
		}
		above := path[: len(path)-1 : len(path)-1]
		if err := (Put{DN: dn, Policy: map[clm.PolicyKey]clm.Rule{key: {}}}).check(tx, append(above, o)); err != nil {
			return err
		}
		if isReached(class) && isAim(e.Attr) {
			if err := mayAimByPolicy(tx, who, path, append(above, o), key); err != nil {
				return clm.About(dn, err)
			}
		}
		if err := tx.SaveObject(o); err != nil {
			return err
		}
		return replanAfter(tx, append(above, o), changes)
	})
}

// mayAimByPolicy is mayAimBelow for the entry of policy. Only masters say of anything that
// it is this machine.
func mayAimByPolicy(tx *store.Tx, who clm.Actor, was, now clm.Path, key clm.PolicyKey) error {
	isOfHere := func(path clm.Path) bool { return isLocal(path.Last().Policy[key].Values) }
	if key.Attr == clm.ConnectBy && !who.Master && (isOfHere(was) || isOfHere(now)) {
		return clm.Denied
	}
	return mayAimBelow(tx, who, was, now)
}
