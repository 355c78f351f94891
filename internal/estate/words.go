package estate

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// line describes a change of the tree as administrators know it.
func (a *applying) line(c core.Change, p core.Put) string {
	values := c.Values
	if isPrincipals(c.Attr) {
		values = nil
		for _, id := range c.Values {
			values = append(values, a.accounts.name(id))
		}
	}
	if word, ok := a.wordsFor()[c.Attr]; ok {
		values = nil
		for _, v := range c.Values {
			values = append(values, word(v))
		}
	}
	if len(values) > 0 && c.Attr != "" && isSecret(names.AttrName(c.Attr)) {
		values = []string{"(a secret)"}
	}
	switch {
	case p.Class == clm.CustomField && c.To == "":
		return fieldLine(c)
	case c.Made != "":
		return fmt.Sprintf("create %s %s", names.TypeName(clm.Object{Class: c.Made, Own: p.Own}), c.DN)
	case c.To != "":
		return fmt.Sprintf("%s: rights of %s%s", c.DN, c.To, are(rightsText(c.Rights)))
	case c.For == "":
		return fmt.Sprintf("%s: %s%s", c.DN, a.attrName(c.Attr), are(values))
	}
	class := ""
	if c.For != clm.AnyCertificate {
		class = " for " + names.ClassName(c.For) + ":"
	}
	locked := map[bool]string{true: " (locked)"}[c.Locked]
	return fmt.Sprintf("%s: policy%s %s%s%s", c.DN, class, a.attrName(c.Attr), are(values), locked)
}

// wordsFor are the words of administrators for values that are kept otherwise.
func (a *applying) wordsFor() map[clm.Attr]func(string) string {
	return map[clm.Attr]func(string) string{
		clm.Engines:  func(id string) string { return cmp.Or(a.engines[id], id) },
		clm.PointOf:  pointNumber,
		clm.ForClass: func(class string) string { return names.ClassName(clm.Class(class)) },
	}
}

// are is how a line ends that says what values are from now on.
func are(values []string) string {
	if len(values) == 0 {
		return ": none"
	}
	return " = " + strings.ReplaceAll(strings.Join(values, ", "), "\n", " ")
}

func rightsText(r clm.Rights) (words []string) {
	if r == clm.AllRights {
		return []string{"all"}
	}
	for _, known := range rightNames {
		if r.Has(known.right) {
			words = append(words, known.name)
		}
	}
	return words
}

func requestLine(c certificate) string {
	switch {
	case c.off != nil && *c.off:
		return fmt.Sprintf("create certificate %s (disabled)", c.dn)
	case c.rests():
		return fmt.Sprintf("create certificate %s (not issued)", c.dn)
	}
	return fmt.Sprintf("request certificate %s", c.dn)
}

func applicationLines(was, is core.Application, isNew bool) (lines []string) {
	if isNew {
		lines = append(lines, "create application "+is.ID)
		was = core.Application{Name: is.ID, Refreshable: true}
	}
	for _, part := range []struct{ what, was, is string }{
		{"name", was.Name, is.Name}, {"scope", was.Scope, is.Scope},
		{"accessValidity", lifeText(was.AccessValidity), lifeText(is.AccessValidity)},
		{"grantValidity", lifeText(was.GrantValidity), lifeText(is.GrantValidity)},
		{"refreshable", fmt.Sprint(was.Refreshable), fmt.Sprint(is.Refreshable)},
	} {
		if part.was != part.is {
			lines = append(lines, fmt.Sprintf("application %s: %s = %s", is.ID, part.what, part.is))
		}
	}
	return lines
}

// lifeText writes a duration as life reads it.
func lifeText(d time.Duration) string {
	if days := d / (24 * time.Hour); d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	text := d.String() // 12h0m0s
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// A refusal is a failure of a use case in words for whoever wrote the file.
type refusal struct {
	where string
	err   error
}

// refused is a failure about something that stands at the place.
func (p place) refused(subject string, err error) error {
	where := p.path + " (" + subject + ")"
	if p.line > 0 {
		where = fmt.Sprintf("line %d: %s", p.line, where)
	}
	return refusal{where, err}
}

// reasons are the kinds of failure in words.
var reasons = map[clm.Kind]string{
	clm.Invalid:     "is not valid",
	clm.NotFound:    "is not there",
	clm.Denied:      "is not allowed",
	clm.Disabled:    "is disabled",
	clm.Unmanaged:   "is not managed here, says policy",
	clm.NeedsCSR:    "needs a signing request from outside, says policy",
	clm.Violation:   "breaks policy",
	clm.Unsupported: "cannot be there",
	clm.Exists:      "is there already, as something else",
}

// Error says in one line where, what and why.
func (r refusal) Error() string {
	e := *clm.AsError(r.err)
	why, ok := reasons[e.Kind]
	if !ok {
		return r.where + ": " + r.err.Error()
	}
	for _, b := range e.Breaches {
		why += fmt.Sprintf(", %s %q", b.Rule, b.Value)
	}
	if e.Field == "class" {
		e.Value = names.ClassName(clm.Class(e.Value))
	}
	if e.Field == string(clm.RenewalWindow) {
		e.Field = names.AttrName(clm.RenewalWindow)
	}
	if e.Field != "" {
		why += fmt.Sprintf(" (%s %q)", e.Field, e.Value)
	}
	return r.where + ": " + why
}

// Unwrap gives the failure itself.
func (r refusal) Unwrap() error { return r.err }
