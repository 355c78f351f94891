package clm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A DN names an object by its way from the root: `\VED\Policy\Shop\www`. It is
// absolute, has no trailing backslash, and keeps the casing it was given. Two
// DNs that differ only in case name the same object; compare their Keys.
type DN string

// Limits of a DN.
const (
	MaxNameLength = 255 // characters in one component
	MaxDepth      = 64  // components
)

// The places that exist in every installation.
const (
	RootDN   DN = `\VED`
	PolicyDN DN = `\VED\Policy`
)

// ParseDN reads a DN leniently, as clients write them: blanks around it, runs of
// backslashes and a trailing backslash are forgiven. It fails with Invalid when
// the DN is not absolute, a component is empty, too long or not a legal name, or
// there are too many of them.
func ParseDN(s string) (DN, error) {
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, `\`) {
		return "", Fail(Invalid, "dn", s)
	}
	names := strings.FieldsFunc(trimmed, func(r rune) bool { return r == '\\' })
	if len(names) == 0 || len(names) > MaxDepth {
		return "", Fail(Invalid, "dn", s)
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return "", Fail(Invalid, "dn", s)
		}
	}
	return DN(`\` + strings.Join(names, `\`)), nil
}

// CheckName fails with Invalid when name cannot be a component of a DN.
func CheckName(name string) error {
	switch {
	case name == "", strings.TrimSpace(name) != name, strings.Contains(name, `\`),
		!utf8.ValidString(name), utf8.RuneCountInString(name) > MaxNameLength,
		strings.ContainsFunc(name, unicode.IsControl):
		return Fail(Invalid, "name", name)
	}
	return nil
}

// Key is the form in which DNs are compared, sorted and looked up.
func (d DN) Key() string { return strings.ToLower(string(d)) }

// Name is the last component.
func (d DN) Name() string { return string(d[strings.LastIndexByte(string(d), '\\')+1:]) }

// Parent is the DN of the object that contains d; empty for the root.
func (d DN) Parent() DN {
	return d[:max(strings.LastIndexByte(string(d), '\\'), 0)]
}

// Child is the DN of the object called name in d.
func (d DN) Child(name string) DN { return d + DN(`\`+name) }

// Ancestors lists the DNs above d, the root first; d itself is not among them.
func (d DN) Ancestors() []DN {
	var above []DN
	for i := 1; i < len(d); i++ {
		if d[i] == '\\' {
			above = append(above, d[:i])
		}
	}
	return above
}

// IsBelow reports whether d is somewhere under folder. Nothing is below itself.
func (d DN) IsBelow(folder DN) bool { return strings.HasPrefix(d.Key(), folder.Key()+`\`) }
