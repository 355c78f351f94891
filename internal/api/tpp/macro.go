package tpp

import (
	"regexp"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// macros are what the macros in the descriptions of reasons and in lists of
// approvers are expanded from.
type macros struct {
	self   string                              // the DN that $SelfDN$ stands for
	config func(dn, attribute string) []string // an object's own values; none for what does not exist
	policy func(dn, attribute string) []string // the values that hold for it, with its folders'
}

// Limits of one text's expansion. A macro beyond them stays as it is, and so do all
// macros of a text in which they are nested too deep.
const (
	maxMacroDepth = 16
	maxMacros     = 100       // each may cost a look into the store
	maxExpansion  = 64 * 1024 // bytes that all macros together may put into the text, nested ones included
)

// macroStart is $name$ or the beginning of $name[…]$. Other products' macros have
// dots in their names.
var macroStart = regexp.MustCompile(`^\$([A-Za-z][A-Za-z0-9.]*)([$\[])`)

// listArgument is the list argument behind a quoted attribute, as the vendor's page
// "Managing multi-value Attributes" has it: in quotes, the character between values
// and the one that goes before it where a value contains it.
var listArgument = regexp.MustCompile(`["'](\s*,\s*(?:"(.)(.)"|'(.)(.)')\s*)$`)

// betweenValues separates several values where no list argument does.
const betweenValues = ", "

// openMacro is a macro whose end is still to come.
type openMacro struct {
	start, inner int // where it and its arguments begin in the text
	name         string
	out          []byte // its arguments so far, with the macros in them expanded
	commas       []int  // the commas in out that stood in the text, not in a value
}

// expansion is the work on one text.
type expansion struct {
	macros
	open []*openMacro // the text itself, then the macros that are open, the innermost last
	left int          // macros that may still be looked up
	room int          // bytes that they may still put into the text
}

// expand replaces the macros in text, with their names in any case:
//
//	$SelfDN$                   the object that the text is about
//	$CN[dn]$, $ParentDN[dn]$   the object's name, its parent's DN
//	$Config[dn,attribute]$     the object's own values
//	$Policy[dn,attribute]$     the values that hold for it
//
// They may stand in each other's arguments. The attribute follows the last comma,
// for DNs may have some; quotes around it and a list argument behind it are
// understood. What does not exist is the empty text; what is no macro, or none of
// these, stays as it is. Macros in values are not expanded: who may write a value
// must not thereby read others.
func expand(text string, m macros) string {
	x := expansion{macros: m, open: []*openMacro{{}}, left: maxMacros, room: maxExpansion}
	for at := 0; at < len(text); {
		inner := x.open[len(x.open)-1]
		start := macroStart.FindStringSubmatch(text[at:])
		switch {
		case start != nil && start[2] == "[":
			if len(x.open) > maxMacroDepth {
				return text
			}
			next := &openMacro{start: at, inner: at + len(start[0]), name: strings.ToLower(start[1])}
			x.open = append(x.open, next)
			at = next.inner
		case start != nil && strings.EqualFold(start[1], "SelfDN"):
			x.put(start[0], func() (string, bool) { return m.self, true })
			at += len(start[0])
		case len(x.open) > 1 && strings.HasPrefix(text[at:], "]$"):
			at += len("]$")
			x.open = x.open[:len(x.open)-1]
			x.put(text[inner.start:at], func() (string, bool) { return m.value(inner) })
		default:
			if text[at] == ',' {
				inner.commas = append(inner.commas, len(inner.out))
			}
			inner.out = append(inner.out, text[at])
			at++
		}
	}
	var out []byte // what never ended was no macro
	for i, o := range x.open {
		if i > 0 {
			out = append(out, text[o.start:o.inner]...)
		}
		out = append(out, o.out...)
	}
	return string(out)
}

// put adds a macro's value to the innermost open macro; when it has none, or a limit
// is reached, the macro as it was written.
func (x *expansion) put(written string, value func() (string, bool)) {
	if x.left > 0 {
		x.left--
		if v, ok := value(); ok && len(v) <= x.room {
			x.room -= len(v)
			written = v
		}
	}
	inner := x.open[len(x.open)-1]
	inner.out = append(inner.out, written...)
}

// value is what a macro with arguments stands for. It is not ok when there is no such
// macro or an argument is missing.
func (m macros) value(o *openMacro) (value string, ok bool) {
	lookup := m.config
	switch o.name {
	case "cn":
		return dnOf(o.out).Name(), true
	case "parentdn":
		return string(dnOf(o.out).Parent()), true
	case "policy":
		lookup = m.policy
	case "config":
	default:
		return "", false
	}
	args := string(o.out)
	between, escape := betweenValues, ""
	if l := listArgument.FindStringSubmatch(args); l != nil {
		args = strings.TrimSuffix(args, l[1])
		between, escape = l[2]+l[4], l[3]+l[5]
	}
	comma := o.lastComma(len(args))
	if comma < 0 || unquoted(args[comma+1:]) == "" {
		return "", false
	}
	values := slices.Clone(lookup(unquoted(args[:comma]), unquoted(args[comma+1:])))
	for i, v := range values {
		if escape != "" {
			values[i] = strings.ReplaceAll(v, between, escape+between)
		}
	}
	return strings.Join(values, between), true
}

// lastComma is the last comma of the text before end, -1 when there is none.
func (o *openMacro) lastComma(end int) int {
	for _, comma := range slices.Backward(o.commas) {
		if comma < end {
			return comma
		}
	}
	return -1
}

// dnOf is empty for what is no DN.
func dnOf(text []byte) clm.DN {
	dn, err := clm.ParseDN(unquoted(string(text)))
	if err != nil {
		return ""
	}
	return dn
}

// unquoted is an argument without blanks and quotes around it.
func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n > 1 && (s[0] == '\'' || s[0] == '"') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}
