package names

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// A ClassDef is a class of the vendor's object tree, or one of ours in its style.
type ClassDef struct {
	Name     string    // the vendor's spelling
	Class    clm.Class // what its objects are here; a name under Unknown where they have no rules
	Kind     string    // of certificate authorities and custom fields: which of them, in the words of Class
	Supers   []string  // the classes that it derives from directly, the main line first
	Attrs    []string  // its own attributes, as the vendor spells them
	Abstract bool      // there are no objects of it

	own map[string]bool // its own attributes, folded
}

// Classes lists all classes, the vendor's and ours, in an order that stays. They are
// shared and must not be changed.
func Classes() []*ClassDef { return classDefs }

// ClassNamed finds a class by the vendor's name, in any case and with or without
// its blanks.
func ClassNamed(vendor string) (*ClassDef, bool) {
	d, ok := defByVendor[fold(vendor)]
	return d, ok
}

// Derives reports whether d is the named class or derives from it, by whichever
// line.
func (d *ClassDef) Derives(from string) bool {
	return d.some(func(c *ClassDef) bool { return fold(c.Name) == fold(from) })
}

// Has reports whether objects of d can have the attribute, in any spelling. What
// only some authority understands is for certificates, and the values of custom
// fields may be on every object.
func (d *ClassDef) Has(attr string) bool {
	a, ok := AttrNamed(attr)
	switch {
	case !ok:
		return false
	case a.listed:
		return d.some(func(c *ClassDef) bool { return c.own[fold(attr)] })
	case isField(a.Attr):
		return true
	}
	return d.Derives("X509 Certificate Base")
}

// AllAttrs lists the attributes of d and of all that it derives from, each once.
func (d *ClassDef) AllAttrs() []string {
	var all []string
	seen := map[string]bool{}
	d.some(func(c *ClassDef) bool {
		for _, name := range c.Attrs {
			if !seen[name] {
				all = append(all, name)
			}
			seen[name] = true
		}
		return false
	})
	return all
}

// some reports whether the test holds for d or a class that it derives from.
func (d *ClassDef) some(holds func(*ClassDef) bool) bool {
	return holds(d) || slices.ContainsFunc(d.Supers, func(super string) bool { return defByVendor[fold(super)].some(holds) })
}

// Parents lists the classes whose objects may hold objects of d, or of classes
// that derive from d.
func (d *ClassDef) Parents() []string {
	var parents []string
	for _, p := range classDefs {
		if slices.ContainsFunc(p.Class.Classes(), d.Class.Is) {
			parents = append(parents, p.Name)
		}
	}
	return parents
}

// Contains lists the classes of the objects that an object of d may hold.
func (d *ClassDef) Contains() []*ClassDef {
	var children []*ClassDef
	for _, c := range classDefs {
		if !c.Abstract && d.Class.MayHold(c.Class) {
			children = append(children, c)
		}
	}
	return children
}

// Marks are the values by which an object of d.Class shows that it is of d, where
// one class of ours is many of the vendor's: TypeName reads them.
func (d *ClassDef) Marks() map[clm.Attr][]string {
	switch {
	case d.Kind == "":
		return nil
	case d.Class == clm.Authority:
		return map[clm.Attr][]string{clm.AuthorityKind: {d.Kind}}
	case d.Name == choice:
		return map[clm.Attr][]string{clm.FieldKind: {d.Kind}, clm.FieldSingle: {"1"}}
	}
	return map[clm.Attr][]string{clm.FieldKind: {d.Kind}}
}

// The syntaxes of values, as the vendor numbers them.
const (
	SyntaxText = 5 // letters of either case are the same
	SyntaxDN   = 7 // the DN of an object
)

// The properties of an attribute, as the vendor numbers them; several are added.
const (
	PropertyHidden   = 2
	PropertyReadOnly = 8
	PropertySingle   = 16
)

// An AttrDef is an attribute of the vendor's objects.
type AttrDef struct {
	Name       string   // the vendor's spelling
	Attr       clm.Attr // ours
	Syntax     int      // SyntaxText or SyntaxDN
	Property   int      // the sum of its properties
	Policyable bool     // folders may say it for what is below them
	Flag       bool     // the values are "1" and "0"
	Trigger    bool     // nobody reads it; "1" starts work. The published schema does not show it
	Computed   bool     // the server says it of its own accord, whatever was written before
	Classes    bool     // the values are classes: the vendor's names there, ours here
	Guarded    bool     // of a certificate: only calls that change any object may change it

	listed bool // it is an attribute of some class
}

// Single reports whether the attribute has one value at most.
func (a *AttrDef) Single() bool { return a.Property&PropertySingle != 0 }

// ReadOnly reports whether clients that write the attribute are refused.
func (a *AttrDef) ReadOnly() bool { return a.Property&PropertyReadOnly != 0 }

// Hidden reports whether clients never see the values.
func (a *AttrDef) Hidden() bool { return a.Property&PropertyHidden != 0 }

// Attrs lists the attributes of all classes by their names. They are shared and
// must not be changed.
func Attrs() []*AttrDef { return attrDefs }

// AttrNamed finds an attribute by the vendor's name, in any case and with or
// without its blanks. The values of custom fields, and what only some authority
// understands ("DigiCert CA:Request Id"), have a definition too, although Attrs
// does not list them. Names of ours ("Certwright:look-at") have one where a class has
// them.
func AttrNamed(vendor string) (*AttrDef, bool) {
	if d, ok := attrDefByVendor[fold(vendor)]; ok {
		return d, true
	}
	a := Attr(vendor)
	if isField(a) {
		return &AttrDef{Name: AttrName(a), Attr: a, Syntax: SyntaxText, Policyable: true}, true
	}
	kind, rest, _ := strings.Cut(vendor, ":")
	if kind+":" == ownPrefix || strings.TrimSpace(kind) == "" || strings.TrimSpace(rest) == "" {
		return nil, false
	}
	return &AttrDef{Name: AttrName(a), Attr: a, Syntax: SyntaxText, Property: PropertySingle, Policyable: true}, true
}

func isField(a clm.Attr) bool {
	_, ok := clm.FieldOf(a)
	return ok
}

// The definitions, made of the tables of classes and of traits.
var (
	classDefs       = readClasses()
	defByVendor     = byName(classDefs, func(d *ClassDef) string { return d.Name })
	attrDefs        = readAttrs()
	attrDefByVendor = byName(attrDefs, func(d *AttrDef) string { return d.Name })
)

func byName[T any](defs []*T, name func(*T) string) map[string]*T {
	named := map[string]*T{}
	for _, d := range defs {
		named[fold(name(d))] = d
	}
	return named
}

func readClasses() (defs []*ClassDef) {
	for _, row := range classRows {
		d := &ClassDef{Name: row.name, Class: row.ours, Supers: list(row.supers), Attrs: list(row.attrs), own: map[string]bool{}}
		for _, name := range d.Attrs {
			d.own[fold(name)] = true
		}
		if below, ok := strings.CutSuffix(string(row.ours), "/"); ok {
			d.Class = clm.Class(below).Kind(fold(row.name))
		}
		d.Kind = fieldKinds[row.name]
		d.Abstract = d.Class.IsAbstract() || strings.HasSuffix(d.Name, " Base") || slices.Contains(abstract, d.Name)
		switch {
		case d.Class == "":
			d.Class = clm.Class(Unknown + row.name)
		case d.Class == clm.Authority && !d.Abstract:
			d.Kind = d.Name
		}
		defs = append(defs, d)
	}
	return defs
}

func readAttrs() []*AttrDef {
	named := map[string]*AttrDef{}
	for _, c := range classDefs {
		for _, name := range c.Attrs {
			named[name] = &AttrDef{Name: name, listed: true, Syntax: SyntaxText, Property: PropertySingle, Policyable: true}
		}
	}
	for _, t := range traits {
		for _, name := range list(t.names) {
			if d := named[name]; d != nil {
				t.mark(d)
			}
		}
	}
	for _, d := range named {
		d.Attr = cmp.Or(attrByVendor[fold(d.Name)], clm.Attr(Unknown+d.Name))
		if name, ok := strings.CutPrefix(d.Name, ownPrefix); ok {
			d.Attr = clm.Attr(name)
		}
	}
	return slices.SortedFunc(maps.Values(named), func(a, b *AttrDef) int { return cmp.Compare(a.Name, b.Name) })
}

// list splits the names in a row of a table.
func list(names string) (all []string) {
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.Join(strings.Fields(name), " "); name != "" {
			all = append(all, name)
		}
	}
	return all
}
