package core

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
)

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

// checkNew is Check where there were values already, which are no matter: whatever has
// become of the definition, they may stay or go.
func (f Field) checkNew(values, had []string) error {
	fresh := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(had, v) })
	if len(fresh) > 0 && f.Single && len(values) > 1 {
		return f.Check(values)
	}
	return f.Check(fresh)
}

// mayRule makes sure that folders may say something about the field for objects of the
// class. It fails with Unsupported, whose Field is "custom-field" or "policyable".
func (f Field) mayRule(folder clm.DN, class clm.Class) error {
	switch {
	case !f.isFor(class):
		return clm.About(string(folder), clm.Fail(clm.Unsupported, "custom-field", f.Label))
	case !f.Policyable:
		return clm.About(string(folder), clm.Fail(clm.Unsupported, "policyable", f.Label))
	}
	return nil
}

// checkChoices is Check, in whose failure the Field is "choice" when the value is none
// of those that may be chosen.
func (f Field) checkChoices(values []string) error {
	err := f.Check(values)
	if e := clm.AsError(err); err != nil && f.Kind == clm.ListField && !slices.Contains(f.Choices, e.Value) {
		return clm.About(f.Label, clm.Fail(e.Kind, "choice", e.Value))
	}
	return err
}

// The forms of the value of a date field: without the time of day, the time of day
// alone, or both.
var (
	dayLayouts    = []string{"01/02/2006", time.DateOnly}
	clockLayouts  = []string{"15:04:05", "15:04"}
	momentLayouts = []string{time.RFC3339, "01/02/2006 15:04:05"}
)

func (f Field) takes(value string) bool {
	switch f.Kind {
	case clm.ListField:
		return slices.Contains(f.Choices, value)
	case clm.DateField:
		layouts := slices.Concat(dayLayouts, momentLayouts)
		if f.DateOnly {
			layouts = dayLayouts
		} else if f.TimeOnly {
			layouts = clockLayouts
		}
		return slices.ContainsFunc(layouts, func(layout string) bool {
			_, err := time.Parse(layout, value)
			return err == nil
		})
	case clm.IdentityField:
		directory, id, ok := strings.Cut(value, ":")
		return ok && directory != "" && id != "" && matches(f.Pattern, value)
	}
	return f.takesText(value)
}

func (f Field) takesText(value string) bool {
	length, allowed := utf8.RuneCountInString(value), strings.Join(f.Characters, "")
	strange := func(r rune) bool { return !strings.ContainsRune(allowed, r) }
	return length >= f.Shortest && (f.Longest == 0 || length <= f.Longest) &&
		(allowed == "" || !strings.ContainsFunc(value, strange)) && matches(f.Pattern, value)
}

func matches(pattern, value string) bool {
	if pattern == "" {
		return true
	}
	whole, err := wholePattern(pattern)
	return err == nil && whole.MatchString(value)
}

// wholePattern is the regular expression for whole values.
func wholePattern(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// soundField makes sure that the object is a custom field whose definition makes sense, as
// FieldOf reads it and as it is written. It fails as sound does.
func soundField(o *clm.Object) error {
	f := FieldOf(o)
	for _, a := range []clm.Attr{clm.FieldShortest, clm.FieldLongest} {
		if v := firstOf(o, a); v != "" {
			if _, err := strconv.Atoi(v); err != nil {
				return clm.About(f.Label, clm.Fail(clm.Invalid, string(a), v))
			}
		}
	}
	for _, a := range []clm.Attr{clm.FieldSingle, clm.FieldRequired, clm.FieldDateOnly, clm.FieldTimeOnly, clm.FieldPolicyable} {
		if v := firstOf(o, a); v != "" && v != "0" && v != "1" {
			return clm.About(f.Label, clm.Fail(clm.Invalid, string(a), v))
		}
	}
	return f.sound()
}

// sound makes sure that the definition makes sense. It fails with Invalid, whose Field
// is the attribute that does not.
func (f Field) sound() error {
	wrong := func(a clm.Attr, value string) error {
		return clm.About(f.Label, clm.Fail(clm.Invalid, string(a), value))
	}
	if _, err := wholePattern(f.Pattern); err != nil {
		return wrong(clm.FieldPattern, f.Pattern)
	}
	switch {
	case !slices.Contains([]string{clm.TextField, clm.ListField, clm.DateField, clm.IdentityField}, f.Kind):
		return wrong(clm.FieldKind, f.Kind)
	case f.Kind == clm.ListField && len(f.Choices) == 0:
		return wrong(clm.FieldValues, "")
	case f.Shortest < 0:
		return wrong(clm.FieldShortest, "")
	case f.Longest < 0, f.Longest > 0 && f.Longest < f.Shortest:
		return wrong(clm.FieldLongest, "")
	case f.DateOnly && f.TimeOnly:
		return wrong(clm.FieldTimeOnly, "")
	}
	for _, v := range f.Defaults {
		if f.Kind == clm.ListField && !slices.Contains(f.Choices, v) {
			return wrong(clm.FieldDefaults, v)
		}
	}
	return nil
}
