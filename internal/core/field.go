package core

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// FieldsDN is where the custom fields stand, each an object of class CustomField.
const FieldsDN = `\VED\Metadata Root`

// A Field is a custom field: something that an organisation wants to say about
// its objects, such as a cost centre.
type Field struct {
	ID       clm.ObjectID
	DN       clm.DN
	Label    string   // what people call it
	Kind     string   // one of the kinds of values
	Classes  []string // the classes whose objects have it
	Choices  []string // of a list: what may be chosen
	Single   bool     // one value at most
	Required bool     // forms insist on a value
	Pattern  string   // a regular expression that whole values match; empty: any
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
	first := func(a clm.Attr) string { return clm.Setting{Values: o.Own[a]}.First() }
	f := Field{
		ID: o.ID, DN: o.DN, Label: first(clm.Label), Kind: first(clm.FieldKind), Classes: o.Own[clm.FieldClasses], Choices: o.Own[clm.FieldValues],
		Single: first(clm.FieldSingle) == "1", Required: first(clm.FieldRequired) == "1", Pattern: first(clm.FieldPattern),
	}
	if f.Label == "" {
		f.Label = o.DN.Name()
	}
	if f.Kind == "" {
		f.Kind = clm.TextField
	}
	return f
}

// isFor reports whether objects of the class have the field.
func (f Field) isFor(class clm.Class) bool {
	return slices.ContainsFunc(f.Classes, func(c string) bool { return class.Is(clm.Class(c)) })
}

// Check makes sure that the field can have the values. It fails with Invalid, whose
// Value is the first that it cannot have.
func (f Field) Check(values []string) error {
	if f.Single && len(values) > 1 {
		return clm.About(f.Label, clm.Fail(clm.Invalid, "custom-field", values[1]))
	}
	for _, v := range values {
		if !f.takes(v) {
			return clm.About(f.Label, clm.Fail(clm.Invalid, "custom-field", v))
		}
	}
	return nil
}

// dateLayouts are the forms of the value of a date field.
var dateLayouts = []string{"01/02/2006", "2006-01-02", time.RFC3339, "01/02/2006 15:04:05"}

func (f Field) takes(value string) bool {
	switch f.Kind {
	case clm.ListField:
		return slices.Contains(f.Choices, value)
	case clm.DateField:
		return slices.ContainsFunc(dateLayouts, func(layout string) bool {
			_, err := time.Parse(layout, value)
			return err == nil
		})
	}
	if f.Pattern == "" {
		return true
	}
	pattern, err := regexp.Compile(`\A(?:` + f.Pattern + `)\z`)
	return err == nil && pattern.MatchString(value)
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
// all that it may have; none for who may only see it. It fails with Invalid or
// NotFound.
func (c *Core) Fields(ctx context.Context, who clm.Actor, dn string, empty bool) (settings []FieldSetting, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil || !rights.Has(clm.Read) {
			return err
		}
		settings, err = fieldsOf(tx, path, empty)
		return err
	})
	return settings, err
}

// CustomFields lists all custom fields by their DNs, for objects of whatever class.
func (c *Core) CustomFields(ctx context.Context) (fields []Field, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		fields, err = allFields(tx)
		return err
	})
	return fields, err
}
