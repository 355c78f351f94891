package core

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// FieldKinds are the ways in which the use cases about custom fields fail.
var FieldKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported}

// DefineField makes a custom field of the name, or of one that nothing else has when
// it is empty. It fails with Invalid, with Exists when another is called so or has the
// label, and with Denied.
func (c *Core) DefineField(ctx context.Context, who clm.Actor, name string, f Field) (made Field, err error) {
	if utf8.RuneCountInString(name) > clm.MaxNameLength {
		return made, clm.Fail(clm.Invalid, "name/long", name)
	}
	if name != "" {
		if err := clm.CheckName(name); err != nil {
			return made, err
		}
	}
	if err := f.sound(); err != nil {
		return made, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "define field", Subject: FieldsDN, Detail: f.Label}, func(tx *store.Tx) error {
		path, err := tx.Path(clm.DN(FieldsDN))
		if err != nil {
			return err
		}
		if !path.Rights(who).Has(clm.Create) {
			return clm.About(FieldsDN, clm.Denied)
		}
		made = f
		if made.DN = path.Last().DN.Child(name); name == "" {
			made.DN = path.Last().DN.Child(string(tx.NewObjectID()))
		}
		if err := made.isNew(tx); err != nil {
			return err
		}
		o := &clm.Object{DN: made.DN, Class: clm.CustomField, Own: made.own()}
		tx.About(string(made.DN), "label = "+f.Label)
		if err := tx.AddObject(o, path.Last().ID); err != nil {
			return err
		}
		made = FieldOf(o)
		return nil
	})
	return made, err
}

// isNew makes sure that no other custom field is found by the name or label of f. It
// fails with Exists.
func (f Field) isNew(tx *store.Tx) error {
	fields, err := allFields(tx)
	if err != nil {
		return err
	}
	for _, other := range fields {
		for _, name := range []string{other.Label, other.DN.Name()} {
			if other.ID != f.ID && (strings.EqualFold(name, f.Label) || strings.EqualFold(name, f.DN.Name())) {
				return clm.About(string(f.DN), clm.Fail(clm.Exists, "custom-field", name))
			}
		}
	}
	return nil
}

// UpdateField changes the custom field with the ID by edit, which may be called more
// than once and must change nothing else. What it is called and the kind of its values
// stay. It fails with Invalid, with Exists when another has the label, with NotFound
// and with Denied.
func (c *Core) UpdateField(ctx context.Context, who clm.Actor, id clm.ObjectID, edit func(*Field) error) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "update field", Subject: string(id)}, func(tx *store.Tx) error {
		path, f, err := definition(tx, who, id, clm.Write)
		if err != nil {
			return err
		}
		o, was := cloned(path.Last()), f
		f.More = copyOf(f.More)
		if err := edit(&f); err != nil {
			return err
		}
		if f.ID != was.ID || f.DN != was.DN || f.Kind != was.Kind {
			return clm.Fail(clm.Invalid, "read-only", string(f.DN))
		}
		if err := f.sound(); err != nil {
			return err
		}
		if err := f.isNew(tx); err != nil {
			return err
		}
		wanted := f.own()
		for a := range o.Own {
			if _, stays := wanted[a]; !stays {
				wanted[a] = nil
			}
		}
		changes := Put{Own: wanted}.diffOwn(o)
		tx.About(string(o.DN), describe(changes))
		if len(changes) == 0 {
			return nil
		}
		return tx.SaveObject(o)
	})
}

// definition finds the custom field with the ID and makes sure that who may do with it
// what needs the right.
func definition(tx *store.Tx, who clm.Actor, id clm.ObjectID, need clm.Rights) (path clm.Path, f Field, err error) {
	fields, err := allFields(tx)
	if err != nil {
		return nil, f, err
	}
	if f, err = fieldByID(fields, id); err != nil {
		return nil, f, err
	}
	if path, err = tx.Path(f.DN); err != nil {
		return nil, f, err
	}
	if !path.Rights(who).Has(need) {
		return nil, f, clm.About(string(f.DN), clm.Denied)
	}
	return path, f, nil
}

// UndefineField removes the custom field and, with data, all values of it and what
// folders say about it. Without data it fails with Exists, whose Field is "field-data",
// when there is any. It also fails with NotFound and Denied.
//
// The data go first, in steps of clearStep objects, so that nobody else has to wait; a
// call that is cut short may be repeated. What somebody sets meanwhile goes as well.
func (c *Core) UndefineField(ctx context.Context, who clm.Actor, id clm.ObjectID, data bool) error {
	var dn clm.DN
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		_, f, err := definition(tx, who, id, clm.Delete)
		if err != nil {
			return err
		}
		dn = f.DN
		return nil
	})
	if err != nil {
		return err
	}
	if data {
		if err := c.clearField(ctx, who, id, dn); err != nil {
			return err
		}
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "undefine field", Subject: string(dn)}, func(tx *store.Tx) error {
		path, _, err := definition(tx, who, id, clm.Delete)
		if err != nil {
			return err
		}
		if !data {
			err = unused(tx, path.Last())
		}
		if errors.Is(err, clm.Unsupported) {
			return clm.About(string(dn), clm.Fail(clm.Exists, "field-data", clm.AsError(err).Value))
		}
		if err != nil {
			return err
		}
		return tx.DeleteObject(path.Last())
	})
	if err != nil || !data {
		return err
	}
	return c.clearField(ctx, who, id, dn) // nobody can set any more
}

// unused makes sure that nothing has a value for the custom field that the object is,
// and no folder says anything about it. It fails with Unsupported, whose Field is
// "field-data" and whose Value what has or does.
func unused(tx *store.Tx, o *clm.Object) error {
	holders, err := tx.HoldersOf(clm.FieldAttr(o.ID), "", 1)
	if err == nil && len(holders) > 0 {
		err = clm.About(string(o.DN), clm.Fail(clm.Unsupported, "field-data", string(holders[0].DN)))
	}
	return err
}

// clearStep is from how many objects a custom field is removed at a time.
const clearStep = 200

// clearField removes the values of the custom field from all objects, and what folders
// say about it.
func (c *Core) clearField(ctx context.Context, who clm.Actor, id clm.ObjectID, dn clm.DN) error {
	attr := clm.FieldAttr(id)
	for after := clm.ObjectID(""); ; {
		var holders []*clm.Object
		err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
			holders, err = tx.HoldersOf(attr, after, clearStep)
			return err
		})
		if err != nil || len(holders) == 0 {
			return err
		}
		entry := store.Entry{Actor: who, Action: "clear field", Subject: string(dn), Detail: strconv.Itoa(len(holders)) + " objects"}
		err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
			for _, holder := range holders {
				if err := clearHolder(tx, holder.ID, attr); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = holders[len(holders)-1].ID
	}
}

// clearHolder removes the attribute from the object, if that is still there.
func clearHolder(tx *store.Tx, id clm.ObjectID, attr clm.Attr) error {
	path, err := tx.PathByID(id)
	if clm.AsError(err) != nil {
		if clm.AsError(err).Kind == clm.NotFound {
			return nil
		}
		return err
	}
	o := cloned(path.Last())
	delete(o.Own, attr)
	o.Policy = maps.Clone(o.Policy)
	maps.DeleteFunc(o.Policy, func(key clm.PolicyKey, _ clm.Rule) bool { return key.Attr == attr })
	if len(o.Own) == len(path.Last().Own) && len(o.Policy) == len(path.Last().Policy) {
		return nil
	}
	return tx.SaveObject(o)
}

// Limits of FieldHolders.
const (
	MaxFieldHolders = 10_000 // objects that are found
	maxHoldersRead  = 50_000 // objects that are looked at to find them
)

// FieldHolders lists the objects that have a value of their own for the custom field,
// or with a value that one, in any case; only those that the actor may read, in the
// order of their IDs, and MaxFieldHolders at most; of a field of very many, only those
// are looked at that were made first. It fails with NotFound.
func (c *Core) FieldHolders(ctx context.Context, who clm.Actor, id clm.ObjectID, value string) (found []Node, err error) {
	attr := clm.FieldAttr(id)
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		found = nil
		fields, err := allFields(tx)
		if err != nil {
			return err
		}
		if _, err := fieldByID(fields, id); err != nil {
			return err
		}
		for after, n := clm.ObjectID(""), 0; len(found) < MaxFieldHolders && n < maxHoldersRead; n += clearStep {
			holders, err := tx.HoldersOf(attr, after, clearStep)
			if err != nil || len(holders) == 0 {
				return err
			}
			for _, o := range holders {
				after = o.ID
				has := func(v string) bool { return value == "" || strings.EqualFold(v, value) }
				if !slices.ContainsFunc(o.Own[attr], has) || len(found) == MaxFieldHolders {
					continue
				}
				above, err := tx.Path(o.DN.Parent())
				if err != nil {
					return err
				}
				path := append(above[:len(above):len(above)], o)
				if !path.Rights(who).Has(clm.Read) {
					continue
				}
				n, err := nodeAt(tx, path)
				if err != nil {
					return err
				}
				found = append(found, n)
			}
		}
		return nil
	})
	return found, err
}
