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
	thing
	name string
}

// fieldKeys are what may be said of a custom field besides its name.
var fieldKeys = []attrKey{
	{"label", clm.Label, line, oneValue},
	{"kind", clm.FieldKind, one(clm.TextField, clm.ListField, clm.DateField, clm.IdentityField), oneValue},
	{"values", clm.FieldValues, line, manyValues},
	{"defaults", clm.FieldDefaults, line, manyValues},
	{"single", clm.FieldSingle, nil, onlyYes},
	{"required", clm.FieldRequired, nil, onlyYes},
	{"policyable", clm.FieldPolicyable, nil, onlyNo},
	{"pattern", clm.FieldPattern, pattern, oneValue},
	{"characters", clm.FieldCharacters, line, manyValues},
	{"minLength", clm.FieldShortest, number(0, MaxText), oneValue},
	{"maxLength", clm.FieldLongest, number(1, MaxText), oneValue},
	{"dateOnly", clm.FieldDateOnly, nil, onlyYes},
	{"timeOnly", clm.FieldTimeOnly, nil, onlyYes},
	{"category", names.Attr("Category"), line, oneValue},
	{"help", names.Attr("Help Text"), text, oneValue},
	{"errorMessage", names.Attr("Error Message"), text, oneValue},
	{"mask", names.Attr("Mask"), line, oneValue},
	{"hidden", names.Attr("Render Hidden"), nil, onlyYes},
	{"readOnly", names.Attr("Render Read Only"), nil, onlyYes},
	{"for", clm.FieldClasses, anyClass, manyValues},
}

func readField(v value) (field, error) {
	f := field{thing: newThing(v)}
	err := f.read(v, merged(f.keys(fieldKeys), keys{"name": to(&f.name, name)}))
	f.dn = clm.DN(core.FieldsDN).Child(f.name)
	switch {
	case err != nil:
		return f, err
	case f.name == "":
		return f, f.fail("has no name")
	}
	return f, f.sound()
}

// sound refuses what contradicts itself.
func (f field) sound() error {
	kind := clm.Setting{Values: f.own[clm.FieldKind]}.First()
	isList, isDate := kind == clm.ListField, kind == clm.DateField
	has := func(attrs ...clm.Attr) bool {
		return slices.ContainsFunc(attrs, func(a clm.Attr) bool { return len(f.own[a]) > 0 })
	}
	longest := days(f.own[clm.FieldLongest])
	switch {
	case isList && !has(clm.FieldValues):
		return f.fail("a list needs values")
	case !isList && has(clm.FieldValues):
		return f.fail("values are for the kind %s only", clm.ListField)
	case (isList || isDate) && has(clm.FieldPattern):
		return f.fail("a %s has no pattern", kind)
	case kind != "" && kind != clm.TextField && has(clm.FieldCharacters, clm.FieldShortest, clm.FieldLongest):
		return f.fail("characters and lengths are for the kind %s only", clm.TextField)
	case kind != "" && !isDate && has(clm.FieldDateOnly, clm.FieldTimeOnly):
		return f.fail("dateOnly and timeOnly are for the kind %s only", clm.DateField)
	case has(clm.FieldDateOnly) && has(clm.FieldTimeOnly):
		return f.fail("has both dateOnly and timeOnly")
	case longest > 0 && longest < days(f.own[clm.FieldShortest]):
		return f.fail("minLength is more than maxLength")
	}
	for _, v := range f.own[clm.FieldDefaults] {
		if isList && !slices.Contains(f.own[clm.FieldValues], v) {
			return f.fail("the default %q is none of the values", short(v))
		}
	}
	return nil
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

// complete is the custom field as it shall be. One that is new is for certificates
// unless the file says otherwise.
func (f field) complete(isNew bool) *thing {
	if _, said := f.own[clm.FieldClasses]; isNew && !said {
		return f.with(clm.FieldClasses, string(clm.AnyCertificate))
	}
	return &f.thing
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
		node, err := a.core.Object(ctx, a.who, string(f.dn))
		isNew := errors.Is(err, clm.NotFound)
		if err != nil && !isNew {
			return f.refused(f.name, err)
		}
		o := clm.Object{ID: node.ID, DN: node.DN, Own: map[clm.Attr][]string{}}
		if isNew {
			o.ID, o.DN = clm.ObjectID(f.name), f.dn
			a.newFields[o.DN.Key()] = true
		}
		maps.Copy(o.Own, node.Own)
		maps.Copy(o.Own, f.complete(isNew).own)
		a.fields = slices.DeleteFunc(a.fields, func(k core.Field) bool { return k.DN.Key() == o.DN.Key() })
		a.fields = append(a.fields, core.FieldOf(&o))
	}
	return nil
}

// field finds a custom field by its label or name, in any case.
func (a *applying) field(name string) (core.Field, bool) {
	return findField(a.fields, name)
}

func findField(fields []core.Field, name string) (core.Field, bool) {
	at := slices.IndexFunc(fields, func(f core.Field) bool {
		return strings.EqualFold(f.Label, name) || strings.EqualFold(f.DN.Name(), name)
	})
	if at < 0 {
		return core.Field{}, false
	}
	return fields[at], true
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
	for _, t := range a.file.things() {
		for _, said := range t.fields {
			f, ok := a.field(said.field)
			hasIt := func(class string) bool {
				isCertificate := t.class.Is(clm.CertificateBase) && clm.Class(class).Is(clm.CertificateBase)
				return isCertificate || t.class.Is(clm.Class(class))
			}
			if !ok || !slices.ContainsFunc(f.Classes, hasIt) {
				return said.fail("%s have no such custom field", plural(t.class))
			}
			if err := said.fits(f); err != nil {
				return err
			}
		}
		for key, rule := range t.policy {
			if f, ok := a.fieldRule(key.Attr); ok {
				if err := (fieldValues{t.place, f.Label, rule.Values}).fits(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// plural is what objects of the class are called in errors.
func plural(class clm.Class) string {
	if class.Is(clm.CertificateBase) {
		return "certificates"
	}
	return "objects of class " + names.ClassName(class)
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
		if err := a.object(ctx, f.complete(a.newFields[f.dn.Key()]), clm.CustomField); err != nil {
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
