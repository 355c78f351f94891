package tpp

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// fieldTypes are the numbers and names of the kinds of custom fields (pages
// Metadata/DefineItem and GET Certificates/{guid}).
var fieldTypes = map[string]struct {
	number int
	name   string
}{
	clm.TextField: {1, "Text"}, clm.ListField: {2, "List"}, clm.DateField: {4, "DateTime"}, clm.IdentityField: {5, "Identity"},
}

// An itemIn is a custom field as it came in: the values of its members by their names
// in lower case. Each may be a text, a number, a boolean or a list of them.
type itemIn map[string][]string

// UnmarshalJSON keeps an object that a member has for a value as its JSON: that is how
// some clients write translations. It never repeats a value in its error.
func (in *itemIn) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return &json.UnmarshalTypeError{Value: "an object", Type: stringListType}
	}
	*in = itemIn{}
	for name, value := range members {
		var l lenient.StringList
		if string(value) == "null" {
			continue
		}
		if err := json.Unmarshal(value, &l); err != nil {
			l.Values = []string{string(value)}
		}
		(*in)[strings.ToLower(name)] = l.NonEmpty()
	}
	return nil
}

// first is the only or first value of a member.
func (in itemIn) first(member string) string {
	return clm.Setting{Values: in[strings.ToLower(member)]}.First()
}

// An itemRef is a custom field, or what it is known by.
type itemRef struct {
	item itemIn
	text string
}

// UnmarshalJSON takes an object for a custom field, and anything else for its name.
func (r *itemRef) UnmarshalJSON(data []byte) error {
	*r = itemRef{}
	if len(data) > 0 && data[0] == '{' {
		return json.Unmarshal(data, &r.item)
	}
	var s lenient.String
	err := s.UnmarshalJSON(data)
	r.text = s.Trimmed()
	return err
}

// id is the GUID that the custom field is known by; empty where it is not said.
func (r itemRef) id() clm.ObjectID {
	for _, text := range []string{r.text, r.item.first("Guid"), r.item.first("ConfigAttribute")} {
		if isGUID.MatchString(strings.TrimSpace(text)) {
			return guidOf(text)
		}
	}
	return ""
}

// name is what else the custom field is known by: its DN, name or label.
func (r itemRef) name() string {
	for _, text := range []string{r.text, r.item.first("DN"), r.item.first("Name"), r.item.first("Label")} {
		if text != "" {
			return text
		}
	}
	return ""
}

// An itemMember is a member of a custom field that may be changed.
type itemMember struct {
	name  string
	write func(f *core.Field, values []string) bool // false: it cannot be that
	show  func(f core.Field) any                    // nil: the member is left out
}

// itemMembers are the members of a custom field that may be changed (page Metadata
// Item). Those that no rule reads are kept as attributes.
var itemMembers = []itemMember{
	itemList("AllowedCharacters", func(f *core.Field) *[]string { return &f.Characters }, false),
	itemList("AllowedValues", func(f *core.Field) *[]string { return &f.Choices }, true),
	itemList("DefaultValues", func(f *core.Field) *[]string { return &f.Defaults }, true),
	{"Classes", writeClasses, func(f core.Field) any { return classNames(f.Classes) }},
	itemText("Label", func(f *core.Field) *string { return &f.Label }),
	itemText("RegularExpression", func(f *core.Field) *string { return &f.Pattern }),
	itemFlag("Mandatory", func(f *core.Field) *bool { return &f.Required }, true),
	itemFlag("Policyable", func(f *core.Field) *bool { return &f.Policyable }, true),
	itemFlag("Single", func(f *core.Field) *bool { return &f.Single }, true),
	itemFlag("DateOnly", func(f *core.Field) *bool { return &f.DateOnly }, false),
	itemFlag("TimeOnly", func(f *core.Field) *bool { return &f.TimeOnly }, false),
	itemCount("MaximumLength", func(f *core.Field) *int { return &f.Longest }),
	itemCount("MinimumLength", func(f *core.Field) *int { return &f.Shortest }),
	noteFlag("RenderHidden", "Render Hidden"),
	noteFlag("RenderReadOnly", "Render Read Only"),
	note("Category", "Category", false),
	note("DisplayAfter", "Display After", false),
	note("ErrorMessage", "Error Message", false),
	note("Help", "Help Text", false),
	note("LocalizationTable", "Localization", true),
	note("LocalizedHelp", "Localized Help", true),
	note("LocalizedLabel", "Localized Label", true),
	note("LocalizedSet", "Localized Set", true),
	note("Mask", "Mask", false),
}

func itemText(name string, member func(*core.Field) *string) itemMember {
	return itemMember{name, func(f *core.Field, values []string) bool {
		*member(f) = clm.Setting{Values: values}.First()
		return len(values) <= 1
	}, func(f core.Field) any {
		if text := *member(&f); text != "" {
			return text
		}
		return nil
	}}
}

func itemList(name string, member func(*core.Field) *[]string, always bool) itemMember {
	return itemMember{name, func(f *core.Field, values []string) bool {
		*member(f) = values
		return true
	}, func(f core.Field) any {
		if values := *member(&f); always || len(values) > 0 {
			return list(values)
		}
		return nil
	}}
}

func itemFlag(name string, member func(*core.Field) *bool, always bool) itemMember {
	return itemMember{name, func(f *core.Field, values []string) (ok bool) {
		*member(f), ok = flagOf(values)
		return ok
	}, func(f core.Field) any {
		if is := *member(&f); always || is {
			return is
		}
		return nil
	}}
}

func itemCount(name string, member func(*core.Field) *int) itemMember {
	return itemMember{name, func(f *core.Field, values []string) bool {
		*member(f) = 0
		if len(values) == 0 {
			return true
		}
		n, err := strconv.Atoi(strings.TrimSpace(values[0]))
		*member(f) = n
		return err == nil && n >= 0 && len(values) == 1
	}, func(f core.Field) any {
		if n := *member(&f); n > 0 {
			return n
		}
		return nil
	}}
}

// note is a member that is kept as the vendor's attribute, and nothing else.
func note(name, attribute string, several bool) itemMember {
	attr := names.Attr(attribute)
	return itemMember{name, func(f *core.Field, values []string) bool {
		f.More[attr] = values
		return several || len(values) <= 1
	}, func(f core.Field) any {
		values := f.More[attr]
		switch {
		case len(values) == 0:
			return nil
		case len(values) == 1 && strings.HasPrefix(values[0], "{") && json.Valid([]byte(values[0])):
			return json.RawMessage(values[0])
		case several && len(values) > 1:
			return values
		}
		return values[0]
	}}
}

func noteFlag(name, attribute string) itemMember {
	attr := names.Attr(attribute)
	return itemMember{name, func(f *core.Field, values []string) bool {
		is, ok := flagOf(values)
		delete(f.More, attr)
		if is {
			f.More[attr] = []string{"1"}
		}
		return ok
	}, func(f core.Field) any { return clm.Setting{Values: f.More[attr]}.IsOn() }}
}

// flagOf reads a yes or no; nothing at all means no.
func flagOf(values []string) (is, ok bool) {
	if len(values) == 0 {
		return false, true
	}
	is, err := lenient.ParseBool(values[0])
	return is, err == nil && len(values) == 1
}

// writeClasses reads the names of classes whose objects rules can tell apart.
func writeClasses(f *core.Field, values []string) bool {
	f.Classes = nil
	for _, name := range values {
		class, ok := fieldClass(name)
		if !ok {
			return false
		}
		if !slices.Contains(f.Classes, string(class)) {
			f.Classes = append(f.Classes, string(class))
		}
	}
	return true
}

// fieldClass is the class of the name, if there may be custom fields for it.
func fieldClass(name string) (clm.Class, bool) {
	def, ok := names.ClassNamed(name)
	if !ok || def.Kind != "" || strings.HasPrefix(string(def.Class), names.Unknown) {
		return "", false
	}
	return def.Class, true
}

func classNames(classes []string) []string {
	all := []string{}
	for _, c := range classes {
		all = append(all, names.ClassName(clm.Class(c)))
	}
	return all
}

// isItemMember reports whether custom fields have a member of the name, which may be
// one that cannot be changed.
func isItemMember(name string) bool {
	same := func(m string) bool { return strings.EqualFold(m, name) }
	return slices.ContainsFunc([]string{"Guid", "ConfigAttribute", "DN", "Name", "Type"}, same) ||
		slices.ContainsFunc(itemMembers, func(m itemMember) bool { return same(m.name) })
}

// write changes the field in all members that the item has, or with all in every one:
// those that it does not have come to be what they are at first.
func (in itemIn) write(f *core.Field, all bool) error {
	for _, m := range itemMembers {
		values, has := in[strings.ToLower(m.name)]
		if (has || all) && !m.write(f, values) {
			if m.name == "Classes" {
				return clm.Fail(clm.Invalid, string(clm.FieldClasses), strings.Join(values, ", "))
			}
			return clm.Fail(clm.Invalid, "item", m.name)
		}
	}
	if all && f.Label == "" {
		f.Label = f.DN.Name()
	}
	return nil
}

// keeps makes sure that the item does not say anything else than what cannot be changed.
func (in itemIn) keeps(f *core.Field) error {
	same := map[string]bool{
		"Guid": guidOf(in.first("Guid")) == f.ID, "ConfigAttribute": guidOf(in.first("ConfigAttribute")) == f.ID,
		"DN": strings.EqualFold(in.first("DN"), string(f.DN)), "Name": strings.EqualFold(in.first("Name"), f.DN.Name()),
		"Type": kindOf(in.first("Type")) == f.Kind,
	}
	for member, is := range same {
		if in.first(member) != "" && !is {
			return clm.Fail(clm.Invalid, "read-only", member)
		}
	}
	return nil
}

// kindOf reads the number of a kind of custom field; empty when there is no such kind.
func kindOf(text string) string {
	for kind, t := range fieldTypes {
		if strconv.Itoa(t.number) == strings.TrimSpace(text) {
			return kind
		}
	}
	return ""
}

// metadataItem is a custom field as the Metadata calls show it.
func metadataItem(f core.Field) facts {
	item := facts{
		"ConfigAttribute": braced(f.ID), "DN": f.DN, "Guid": braced(f.ID), "Name": f.DN.Name(), "Type": fieldTypes[f.Kind].number,
	}
	for _, m := range itemMembers {
		if value := m.show(f); value != nil {
			item[m.name] = value
		}
	}
	return item
}

func metadataItems(fields []core.Field) []facts {
	items := []facts{}
	for _, f := range fields {
		items = append(items, metadataItem(f))
	}
	return items
}

// customFields are the custom fields of a certificate in its details.
func customFields(settings []core.FieldSetting) []any {
	fields := []any{}
	for _, s := range settings {
		fields = append(fields, map[string]any{"Name": s.Label, "Type": fieldTypes[s.Kind].name, "Value": list(s.Values)})
	}
	return fields
}
