package estate

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A field is a custom field.
type field struct {
	place
	name string
	own  map[clm.Attr][]string
}

// fieldKeys are what may be said of a custom field besides its name.
var fieldKeys = []struct {
	key  string
	attr clm.Attr
}{
	{"label", clm.Label}, {"kind", clm.FieldKind}, {"values", clm.FieldValues}, {"single", clm.FieldSingle},
	{"required", clm.FieldRequired}, {"pattern", clm.FieldPattern}, {"for", clm.FieldClasses},
}

func readField(v value) (field, error) {
	f := field{place: v.place(), own: map[clm.Attr][]string{}}
	err := v.object(keys{
		"name":     to(&f.name, name),
		"label":    own(f.own, clm.Label, line),
		"kind":     own(f.own, clm.FieldKind, one(clm.TextField, clm.ListField, clm.DateField, clm.IdentityField)),
		"values":   owns(f.own, clm.FieldValues, line),
		"single":   onlyIfTrue(f.own, clm.FieldSingle),
		"required": onlyIfTrue(f.own, clm.FieldRequired),
		"pattern":  own(f.own, clm.FieldPattern, pattern),
		"for":      owns(f.own, clm.FieldClasses, anyClass),
	})
	kind := clm.Setting{Values: f.own[clm.FieldKind]}.First()
	switch isList := kind == clm.ListField; {
	case err != nil:
		return f, err
	case f.name == "":
		return f, f.fail("has no name")
	case isList && len(f.own[clm.FieldValues]) == 0:
		return f, f.fail("a list needs values")
	case !isList && len(f.own[clm.FieldValues]) > 0:
		return f, f.fail("values are for the kind %s only", clm.ListField)
	case (isList || kind == clm.DateField) && len(f.own[clm.FieldPattern]) > 0:
		return f, f.fail("a %s has no pattern", kind)
	}
	return f, nil
}

// pattern reads a regular expression that whole values match.
func pattern(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	if _, err := regexp.Compile(s); err != nil {
		return "", v.fail("%q is not a regular expression", short(s))
	}
	return s, nil
}

func (f field) dn() clm.DN { return clm.DN(core.FieldsDN).Child(f.name) }

// put is the custom field as it shall be. One that is new is for certificates
// unless the file says otherwise.
func (f field) put(isNew bool) core.Put {
	p := core.Put{DN: string(f.dn()), Class: clm.CustomField, Own: f.own}
	if isNew && len(f.own[clm.FieldClasses]) == 0 {
		p.Own = maps.Clone(f.own)
		p.Own[clm.FieldClasses] = []string{string(clm.AnyCertificate)}
	}
	return p
}

// findFields finds the custom fields that there are and will be. Those that a plan
// would make first have no GUID, and go by their names.
func (a *applying) findFields(ctx context.Context) error {
	known, err := a.core.CustomFields(ctx)
	if err != nil {
		return refusal{"applying an estate file", err}
	}
	a.fields, a.newFields = known, map[string]bool{}
	for _, f := range a.file.fields {
		node, err := a.core.Object(ctx, a.who, string(f.dn()))
		isNew := errors.Is(err, clm.NotFound)
		if err != nil && !isNew {
			return f.refused(f.name, err)
		}
		o := clm.Object{ID: node.ID, DN: node.DN, Own: map[clm.Attr][]string{}}
		if isNew {
			o.ID, o.DN = clm.ObjectID(f.name), f.dn()
			a.newFields[o.DN.Key()] = true
		}
		maps.Copy(o.Own, node.Own)
		maps.Copy(o.Own, f.put(isNew).Own)
		a.fields = slices.DeleteFunc(a.fields, func(k core.Field) bool { return k.DN.Key() == o.DN.Key() })
		a.fields = append(a.fields, core.FieldOf(&o))
	}
	return nil
}

// field finds a custom field by its label or name, in any case.
func (a *applying) field(name string) (core.Field, bool) {
	at := slices.IndexFunc(a.fields, func(f core.Field) bool {
		return strings.EqualFold(f.Label, name) || strings.EqualFold(f.DN.Name(), name)
	})
	if at < 0 {
		return core.Field{}, false
	}
	return a.fields[at], true
}

// fieldRule finds the custom field that a policy attribute is the label of.
func (a *applying) fieldRule(attr clm.Attr) (core.Field, bool) {
	vendor, ok := strings.CutPrefix(string(attr), names.Unknown)
	if !ok {
		return core.Field{}, false
	}
	return a.field(vendor)
}

// attrName is what the file calls an attribute.
func (a *applying) attrName(attr clm.Attr) string {
	if id, ok := clm.FieldOf(attr); ok {
		for _, f := range a.fields {
			if f.ID == id {
				return f.Label
			}
		}
	}
	return names.AttrName(attr)
}

// values are what the file says of one custom field.
type fieldValues struct {
	place
	field  string
	values []string
}

func readFieldValues(dst *[]fieldValues) reader {
	return func(v value) error {
		return v.mapping(func(label string, _ int, entry value) error {
			values, err := several(line)(entry)
			*dst = append(*dst, fieldValues{entry.place(), label, values})
			return err
		})
	}
}

// lookForFields makes sure that the custom fields are there of which the file
// gives values, and that they can have them.
func (a *applying) lookForFields() error {
	for _, c := range a.file.certificates {
		for _, said := range c.fields {
			f, ok := a.field(said.field)
			isCertificates := func(class string) bool { return clm.Class(class).Is(clm.CertificateBase) }
			if !ok || !slices.ContainsFunc(f.Classes, isCertificates) {
				return said.fail("certificates have no such custom field")
			}
			if err := said.fits(f); err != nil {
				return err
			}
		}
	}
	for _, folder := range a.file.folders {
		for key, rule := range folder.policy {
			if f, ok := a.fieldRule(key.Attr); ok {
				if err := (fieldValues{folder.place, f.Label, rule.Values}).fits(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s fieldValues) fits(f core.Field) error {
	if err := f.Check(s.values); err != nil {
		return s.fail("the custom field %s cannot be %q", f.Label, short(clm.AsError(err).Value))
	}
	return nil
}

// customFields makes the custom fields, and looks at what they are then.
func (a *applying) customFields(ctx context.Context) error {
	for _, f := range a.file.fields {
		if err := a.put(ctx, f.place, f.put(a.newFields[f.dn().Key()])); err != nil {
			return err
		}
	}
	return a.findFields(ctx)
}

// fieldLine describes a change of a custom field.
func fieldLine(c core.Change) string {
	if c.Made != "" {
		return "create field " + c.DN.Name()
	}
	values := slices.Clone(c.Values)
	if c.Attr == clm.FieldClasses {
		for i, class := range values {
			values[i] = names.ClassName(clm.Class(class))
		}
	}
	for _, k := range fieldKeys {
		if k.attr == c.Attr {
			return "field " + c.DN.Name() + ": " + k.key + are(values)
		}
	}
	return "field " + c.DN.Name() + ": " + names.AttrName(c.Attr) + are(values)
}
