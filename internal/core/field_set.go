package core

import (
	"cmp"
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A FieldSet is what a custom field is to have.
type FieldSet struct {
	ID     clm.ObjectID
	Values []string // none: it is cleared
}

// SetFields gives an object the values of custom fields: all of them or, when one
// cannot be, none. Unless the others are to be kept, they are cleared.
//
// It fails with Invalid, NotFound and Denied. A field that is not there is NotFound,
// one that objects of the class do not have Unsupported, one that policy has locked to
// something else Denied, and a value that it cannot have Invalid, each with the Field
// "custom-field"; the Field is "choice" for a value that is not in the list.
func (c *Core) SetFields(ctx context.Context, who clm.Actor, dn string, sets []FieldSet, keep bool) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "set fields", Subject: dn}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Write) {
			return clm.About(dn, clm.Denied)
		}
		o := cloned(path.Last())
		wanted := map[clm.Attr][]string{}
		for a := range o.Own {
			if _, isField := clm.FieldOf(a); isField && !keep {
				wanted[a] = nil
			}
		}
		fields, err := allFields(tx)
		if err != nil {
			return err
		}
		for _, s := range sets {
			f, err := fieldByID(fields, s.ID)
			if err != nil {
				return err
			}
			attr, values := clm.FieldAttr(f.ID), distinct(s.Values)
			switch says := path.Value(attr); {
			case !f.isFor(o.Class):
				return clm.About(dn, clm.Fail(clm.Unsupported, "custom-field", f.Label))
			case says.Locked && !slices.Equal(says.Values, values):
				return clm.About(dn, clm.Fail(clm.Denied, "custom-field", f.Label))
			}
			if err := f.checkChoices(values); err != nil {
				return err
			}
			wanted[attr] = values
		}
		changes := Put{Own: wanted}.diffOwn(o)
		tx.About(string(o.DN), describe(changes))
		if len(changes) == 0 {
			return nil
		}
		return tx.SaveObject(o)
	})
}

// FieldRules is what a folder is to say about custom fields of objects of a class.
type FieldRules struct {
	DN     string
	Class  clm.Class
	Sets   []FieldSet // a field without values: it says nothing about it
	Locked bool
}

// SetFieldRules lets a folder say something about custom fields, or nothing any more:
// about all of those that are named or, when one cannot be, about none. It fails as
// SetFields does; with Unsupported, whose Field is "container", when the object says
// nothing about what is below it, and whose Field is "policyable" for a custom field
// about which folders say nothing. What a folder says can always be removed.
func (c *Core) SetFieldRules(ctx context.Context, who clm.Actor, r FieldRules) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "set field policy", Subject: r.DN}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, r.DN)
		if err != nil {
			return err
		}
		o := cloned(path.Last())
		switch {
		case !rights.Has(clm.PolicyWrite):
			return clm.About(r.DN, clm.Denied)
		case !o.Class.HoldsPolicy():
			return clm.About(r.DN, clm.Fail(clm.Unsupported, "container", string(o.Class)))
		}
		fields, err := allFields(tx)
		if err != nil {
			return err
		}
		wanted := map[clm.PolicyKey]clm.Rule{}
		for _, s := range r.Sets {
			f, err := fieldByID(fields, s.ID)
			if err != nil {
				return err
			}
			values := distinct(s.Values)
			if len(values) > 0 {
				err = f.mayRule(o.DN, r.Class)
			}
			if err == nil {
				err = f.checkChoices(values)
			}
			if err != nil {
				return err
			}
			wanted[clm.PolicyKey{Class: r.Class, Attr: clm.FieldAttr(f.ID)}] = clm.Rule{Values: values, Locked: r.Locked}
		}
		o.Policy = copyOf(o.Policy)
		changes := Put{Policy: wanted}.diffPolicy(o)
		tx.About(string(o.DN), describe(changes))
		if len(changes) == 0 {
			return nil
		}
		return tx.SaveObject(o)
	})
}

// FieldRule is what a folder itself says about a custom field for objects of the
// class; a rule without values where it says nothing. It fails with Invalid, NotFound
// and Denied, and with Unsupported, whose Field is "container", for other objects.
func (c *Core) FieldRule(ctx context.Context, who clm.Actor, dn string, id clm.ObjectID, class clm.Class) (rule clm.Rule, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := readable(tx, who, dn)
		if err != nil {
			return err
		}
		if !path.Last().Class.HoldsPolicy() {
			return clm.About(dn, clm.Fail(clm.Unsupported, "container", string(path.Last().Class)))
		}
		fields, err := allFields(tx)
		if err == nil {
			_, err = fieldByID(fields, id)
		}
		rule = path.Last().Policy[clm.PolicyKey{Class: class, Attr: clm.FieldAttr(id)}]
		return err
	})
	return rule, err
}

// FieldValue is what holds for a custom field of an object. It fails with Invalid,
// NotFound and Denied, and with Unsupported, whose Field is "custom-field", when such
// objects do not have it.
func (c *Core) FieldValue(ctx context.Context, who clm.Actor, dn string, id clm.ObjectID) (says clm.Setting, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, err := readable(tx, who, dn)
		if err != nil {
			return err
		}
		fields, err := allFields(tx)
		if err != nil {
			return err
		}
		f, err := fieldByID(fields, id)
		if err != nil {
			return err
		}
		if !f.isFor(path.Last().Class) {
			return clm.About(dn, clm.Fail(clm.Unsupported, "custom-field", f.Label))
		}
		says = path.Value(clm.FieldAttr(id))
		return nil
	})
	return says, err
}

// ClassFields are custom fields about which a folder says something for a class.
type ClassFields struct {
	Class  clm.Class
	Fields []Field
}

// RuledFields lists the custom fields about which a folder itself says something, by
// class, for whoever may see it. It fails with Invalid and NotFound, and with
// Unsupported, whose Field is "container", for other objects.
func (c *Core) RuledFields(ctx context.Context, who clm.Actor, dn string) (list []ClassFields, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		path, _, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		folder := path.Last()
		if !folder.Class.HoldsPolicy() {
			return clm.About(dn, clm.Fail(clm.Unsupported, "container", string(folder.Class)))
		}
		fields, err := allFields(tx)
		by := map[clm.Class][]Field{}
		for _, f := range fields {
			for key := range folder.Policy {
				if key.Attr == clm.FieldAttr(f.ID) {
					by[key.Class] = append(by[key.Class], f)
				}
			}
		}
		for class, ruled := range by {
			list = append(list, ClassFields{class, ruled})
		}
		slices.SortFunc(list, func(a, b ClassFields) int { return cmp.Compare(a.Class, b.Class) })
		return err
	})
	return list, err
}
