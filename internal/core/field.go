package core

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// FieldsDN is where the custom fields stand, each an object of class CustomField.
const FieldsDN = `\VED\Metadata Root`

// A Field is a custom field: something that an organisation wants to say about
// its objects, such as a cost centre.
type Field struct {
	ID         clm.ObjectID
	DN         clm.DN
	Label      string   // what people call it
	Kind       string   // one of the kinds of values
	Classes    []string // the classes whose objects have it
	Choices    []string // of a list: what may be chosen
	Defaults   []string // what forms begin with; of a list: some of the choices
	Single     bool     // one value at most
	Required   bool     // forms insist on a value
	Policyable bool     // folders may say something about it
	Pattern    string   // of a text: a regular expression that whole values match; empty: any
	Characters []string // of a text: the characters that values are made of; none: any
	Shortest   int      // of a text: how many characters a value has at least
	Longest    int      // and at most; zero: any number
	DateOnly   bool     // of a date: without the time of day
	TimeOnly   bool     // of a date: the time of day alone

	// More is what only forms want to know, under the names that an edge has for it.
	More map[clm.Attr][]string
}

// FieldValues are values for a custom field, named by its label or name in any case.
type FieldValues struct {
	Name   string
	Values []string // none: the field is cleared
}

// FieldSetting is a custom field and what holds for it on some object.
type FieldSetting struct {
	Field
	clm.Setting
}

// FieldOf is the custom field that the object is.
func FieldOf(o *clm.Object) Field {
	f := Field{ID: o.ID, DN: o.DN, Policyable: true, More: map[clm.Attr][]string{}}
	parts := f.parts()
	for a, values := range o.Own {
		if part, ok := parts[a]; ok && len(values) > 0 {
			part.read(values)
		} else if !ok {
			f.More[a] = values
		}
	}
	if f.Label == "" {
		f.Label = o.DN.Name()
	}
	if f.Kind == "" {
		f.Kind = clm.TextField
	}
	return f
}

// own are the own values of the object that the custom field is.
func (f Field) own() map[clm.Attr][]string {
	own := map[clm.Attr][]string{}
	for a, values := range f.More {
		set(own, a, values...)
	}
	for a, part := range f.parts() {
		set(own, a, part.write()...)
	}
	return own
}

// A fieldPart is a member of a Field as the values of an attribute.
type fieldPart struct {
	read  func(values []string)
	write func() []string
}

// parts are the members of f that are kept under names of ours.
func (f *Field) parts() map[clm.Attr]fieldPart {
	text := func(p *string) fieldPart {
		return fieldPart{func(v []string) { *p = v[0] }, func() []string { return []string{*p} }}
	}
	texts := func(p *[]string) fieldPart {
		return fieldPart{func(v []string) { *p = v }, func() []string { return *p }}
	}
	flag := func(p *bool, no string) fieldPart {
		return fieldPart{func(v []string) { *p = v[0] == "1" }, func() []string { return []string{map[bool]string{true: "1", false: no}[*p]} }}
	}
	count := func(p *int) fieldPart {
		return fieldPart{func(v []string) { *p, _ = strconv.Atoi(v[0]) }, func() []string {
			if *p == 0 {
				return nil
			}
			return []string{strconv.Itoa(*p)}
		}}
	}
	return map[clm.Attr]fieldPart{
		clm.Label: text(&f.Label), clm.FieldKind: text(&f.Kind), clm.FieldPattern: text(&f.Pattern),
		clm.FieldClasses: texts(&f.Classes), clm.FieldValues: texts(&f.Choices), clm.FieldDefaults: texts(&f.Defaults), clm.FieldCharacters: texts(&f.Characters),
		clm.FieldSingle: flag(&f.Single, ""), clm.FieldRequired: flag(&f.Required, ""), clm.FieldDateOnly: flag(&f.DateOnly, ""), clm.FieldTimeOnly: flag(&f.TimeOnly, ""),
		clm.FieldPolicyable: flag(&f.Policyable, "0"), clm.FieldShortest: count(&f.Shortest), clm.FieldLongest: count(&f.Longest),
	}
}

// isFor reports whether objects of the class have the field.
func (f Field) isFor(class clm.Class) bool {
	return slices.ContainsFunc(f.Classes, func(c string) bool { return class.Is(clm.Class(c)) })
}

// fieldsFor lists the custom fields of objects of the class, by their DNs.
func fieldsFor(tx *store.Tx, class clm.Class) ([]Field, error) {
	fields, err := allFields(tx)
	return slices.DeleteFunc(fields, func(f Field) bool { return !f.isFor(class) }), err
}

// allFields lists the custom fields by their DNs.
func allFields(tx *store.Tx) (fields []Field, err error) {
	path, err := tx.Path(clm.DN(FieldsDN))
	if errors.Is(err, clm.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	objects, err := tx.Children(path.Last().ID)
	for _, o := range objects {
		if o.Class == clm.CustomField {
			fields = append(fields, FieldOf(o))
		}
	}
	return fields, err
}

// setFields writes the values on an object that is to be directly in the folder.
func setFields(tx *store.Tx, folder clm.Path, o *clm.Object, values []FieldValues) error {
	if len(values) == 0 {
		return nil
	}
	fields, err := fieldsFor(tx, o.Class)
	if err != nil {
		return err
	}
	for _, v := range values {
		at := slices.IndexFunc(fields, func(f Field) bool {
			return strings.EqualFold(f.Label, v.Name) || strings.EqualFold(f.DN.Name(), v.Name)
		})
		if at < 0 {
			return clm.About(string(o.Class), clm.Fail(clm.Unsupported, "custom-field", v.Name))
		}
		f := fields[at]
		wanted := slices.DeleteFunc(slices.Clone(v.Values), func(s string) bool { return s == "" })
		if says := folder.ValueFor(o.Class, clm.FieldAttr(f.ID)); says.Locked && !slices.Equal(says.Values, wanted) {
			return clm.Fail(clm.Denied, "custom-field", f.Label)
		}
		if err := f.Check(wanted); err != nil {
			return err
		}
		set(o.Own, clm.FieldAttr(f.ID), wanted...)
	}
	return nil
}

// fieldsOf lists the custom fields of the object at the end of the path that have
// a value, or with empty all of them.
func fieldsOf(tx *store.Tx, path clm.Path, empty bool) (settings []FieldSetting, err error) {
	fields, err := fieldsFor(tx, path.Last().Class)
	for _, f := range fields {
		if s := path.Value(clm.FieldAttr(f.ID)); empty || len(s.Values) > 0 {
			settings = append(settings, FieldSetting{f, s})
		}
	}
	return settings, err
}

// Fields lists the custom fields of an object that have a value or, with empty,
// all that it may have. It fails with Invalid, NotFound or Denied.
func (c *Core) Fields(ctx context.Context, who clm.Actor, dn string, empty bool) (settings []FieldSetting, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		if !rights.Has(clm.Read) {
			return clm.About(dn, clm.Denied)
		}
		settings, err = fieldsOf(tx, path, empty)
		return err
	})
	return settings, err
}

// FieldsOf lists the custom fields that an object may have, for whoever may see it.
// It fails with Invalid or NotFound.
func (c *Core) FieldsOf(ctx context.Context, who clm.Actor, dn string) (fields []Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, _, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		fields, err = fieldsFor(tx, path.Last().Class)
		return err
	})
	return fields, err
}

// CustomFields lists all custom fields by their DNs, for objects of whatever class.
func (c *Core) CustomFields(ctx context.Context) (fields []Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		fields, err = allFields(tx)
		return err
	})
	return fields, err
}

// CustomFieldsFor lists the custom fields of objects of the class, by their DNs.
func (c *Core) CustomFieldsFor(ctx context.Context, class clm.Class) (fields []Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		fields, err = fieldsFor(tx, class)
		return err
	})
	return fields, err
}

// LoadField is the custom field that the object with the DN is. It fails with
// Invalid, NotFound, Denied, and with Unsupported, whose Field is "class", when the
// object is something else.
func (c *Core) LoadField(ctx context.Context, who clm.Actor, dn string) (f Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		switch {
		case err != nil:
			return err
		case !rights.Has(clm.Read):
			return clm.About(dn, clm.Denied)
		case path.Last().Class != clm.CustomField:
			return clm.About(dn, clm.Fail(clm.Unsupported, "class", string(path.Last().Class)))
		}
		f = FieldOf(path.Last())
		return nil
	})
	return f, err
}

// FindField finds a custom field by its name or label, in any case. It fails with NotFound.
func (c *Core) FindField(ctx context.Context, name string) (f Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		fields, err := allFields(tx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(fields, func(f Field) bool { return strings.EqualFold(f.DN.Name(), name) })
		if at < 0 {
			at = slices.IndexFunc(fields, func(f Field) bool { return strings.EqualFold(f.Label, name) })
		}
		if at < 0 {
			return noField(name)
		}
		f = fields[at]
		return nil
	})
	return f, err
}

// noField says that there is no such custom field.
func noField(name string) error { return clm.Fail(clm.NotFound, "custom-field", name) }

// fieldByID finds the custom field among those of the list.
func fieldByID(fields []Field, id clm.ObjectID) (Field, error) {
	if at := slices.IndexFunc(fields, func(f Field) bool { return f.ID == id }); at >= 0 {
		return fields[at], nil
	}
	return Field{}, noField(string(id))
}
