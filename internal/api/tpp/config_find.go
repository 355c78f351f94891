package tpp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// classList is a choice of the vendor's classes; of none it means all.
type classList []*names.ClassDef

// classes are those that the call names, as Class, as a list, or as a list in one text.
func (in *configQuery) classes() (defs classList, err error) {
	wanted := in.Classes.NonEmpty()
	if in.given("Class") {
		wanted = append(wanted, in.Class.Value)
	}
	for _, several := range wanted {
		for _, name := range strings.FieldsFunc(several, func(r rune) bool { return r == ',' || r == ';' }) {
			def, ok := names.ClassNamed(strings.TrimSpace(name))
			if !ok {
				return nil, clm.Fail(clm.NotFound, fieldNoClass, name)
			}
			defs = append(defs, def)
		}
	}
	return defs, nil
}

// derived are the classes and all that derive from them.
func (l classList) derived() (all classList) {
	for _, def := range names.Classes() {
		if slices.ContainsFunc(l, func(from *names.ClassDef) bool { return def.Derives(from.Name) }) {
			all = append(all, def)
		}
	}
	return all
}

// ours are our classes for them, several of which may be one.
func (l classList) ours() (classes []clm.Class) {
	for _, def := range l {
		if !slices.Contains(classes, def.Class) {
			classes = append(classes, def.Class)
		}
	}
	return classes
}

// keep tells objects of the classes from others of our classes for them.
func (l classList) keep() func(core.Node) bool {
	if !slices.ContainsFunc(l, hasKinds) {
		return nil
	}
	wanted := map[string]bool{}
	for _, def := range l {
		wanted[def.Name] = true
	}
	return func(n core.Node) bool { return wanted[names.TypeName(n.Object)] }
}

// hasKinds reports whether our class for the vendor's is that of others of his, too.
func hasKinds(of *names.ClassDef) bool {
	return slices.ContainsFunc(names.Classes(), func(def *names.ClassDef) bool { return def.Class == of.Class && def.Kind != "" })
}

// search lists objects.
func (a *api) search(c *call, s core.Search) (facts, error) {
	found, err := a.core.Search(c.Context(), c.who(), s)
	objects := make([]any, 0, len(found))
	for _, n := range found {
		objects = append(objects, configObject(n))
	}
	return facts{"Objects": objects}, err
}

// below is where to look, as the call says it: in the folder of everything that is
// managed unless it names another place.
func (in *configQuery) below() string {
	if dn := in.ObjectDN.Trimmed(); dn != "" {
		return dn
	}
	return string(clm.PolicyDN)
}

// enumerate serves POST vedsdk/Config/Enumerate.
func (a *api) enumerate(c *call, in *configQuery) (facts, error) {
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	return a.search(c, core.Search{Below: in.below(), Recursive: in.Recursive.Value, Pattern: p})
}

// enumerateAll serves POST vedsdk/Config/EnumerateAll.
func (a *api) enumerateAll(c *call, in *configQuery) (facts, error) {
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	return a.search(c, core.Search{Pattern: p})
}

// enumerateDerived serves POST vedsdk/Config/EnumerateObjectsDerivedFrom.
func (a *api) enumerateDerived(c *call, in *configQuery) (facts, error) {
	def, err := classNamed(in.DerivedFrom)
	if err != nil {
		return nil, err
	}
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	all := classList{def}.derived()
	return a.search(c, core.Search{Classes: all.ours(), Keep: all.keep(), Pattern: p})
}

// findOfClass serves POST vedsdk/Config/FindObjectsOfClass: objects of just these
// classes, unless those that derive from them are asked for. Without a place it looks
// everywhere.
func (a *api) findOfClass(c *call, in *configQuery) (facts, error) {
	defs, err := in.classes()
	if err != nil {
		return nil, err
	}
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	if in.IncludeDerivedClasses.Value {
		defs = defs.derived()
	}
	return a.search(c, core.Search{
		Below: in.ObjectDN.Trimmed(), Recursive: in.Recursive.Value, Classes: defs.ours(), Keep: defs.keep(), Pattern: p,
	})
}

// findContainers serves POST vedsdk/Config/FindContainers: what may hold other objects.
func (a *api) findContainers(c *call, in *configQuery) (facts, error) {
	var classes []clm.Class
	for _, def := range names.Classes() {
		if len(def.Class.Classes()) > 0 && !slices.Contains(classes, def.Class) {
			classes = append(classes, def.Class)
		}
	}
	return a.search(c, core.Search{Below: in.ObjectDN.Value, Recursive: in.Recursive.Value, Classes: classes})
}

// countObjects serves POST vedsdk/Config/CountObjects.
func (a *api) countObjects(c *call, in *configQuery) (facts, error) {
	var defs classList
	if in.Type.Trimmed() != "" {
		def, err := classNamed(in.Type)
		if err != nil {
			return nil, err
		}
		defs = classList{def}
	}
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	n, err := a.core.Count(c.Context(), c.who(), core.Search{
		Below: in.below(), Recursive: in.Recursive.Value, Classes: defs.ours(), Keep: defs.keep(), Pattern: p,
	})
	return facts{"Count": n}, err
}

// findByValue serves POST vedsdk/Config/Find: objects with a value of their own that
// fits, of the attributes that are named or of any. Numbers in the vault, which no
// object has written down, are found when they are given in full.
func (a *api) findByValue(c *call, in *configQuery) (facts, error) {
	p, err := pattern(in.Pattern)
	if err != nil {
		return nil, err
	}
	byName, err := pattern(in.ObjectPattern)
	if err != nil {
		return nil, err
	}
	var defs []*names.AttrDef
	for _, name := range in.AttributeNames.NonEmpty() {
		def, ok := names.AttrNamed(name)
		if !ok {
			return nil, clm.Fail(clm.Unsupported, fieldAttribute, name)
		}
		defs = append(defs, def)
	}
	found, err := a.search(c, core.Search{
		Below: in.ObjectDN.Trimmed(), Recursive: true, Pattern: byName, Links: true, Has: wordIn(in.Pattern.Value, defs),
		Keep: func(n core.Node) bool { return says(n, defs, p) },
	})
	if err != nil {
		return nil, err
	}
	holder, has, err := a.vaultHolder(c, defs, p)
	if err == nil && has && byName.Matches(holder.DN) {
		found["Objects"] = append(found["Objects"].([]any), configObject(holder.Node))
	}
	return found, err
}

// says reports whether the object says of itself what fits, of the attributes or, where
// there are none, of any.
func says(n core.Node, defs []*names.AttrDef, p clm.Pattern) bool {
	fits := func(at clm.Attr) bool {
		return isShown(n.Class, at) && slices.ContainsFunc(shown(at, n.Own[at]), p.Match)
	}
	for _, def := range defs {
		if fits(attrOf(n.Class, def)) {
			return true
		}
	}
	if len(defs) == 0 {
		for at := range n.Own {
			if fits(at) {
				return true
			}
		}
	}
	return false
}

// wordIn is the longest run of ASCII letters and digits in a pattern, in lower case:
// what fits contains it. It is empty where values are not stored as they are shown.
func wordIn(pattern string, defs []*names.AttrDef) (longest string) {
	for _, def := range defs {
		if def.Syntax == names.SyntaxDN || def.Classes || isPerson(def.Attr) {
			return ""
		}
	}
	if len(defs) == 0 {
		return ""
	}
	isOther := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }
	for _, word := range strings.FieldsFunc(strings.ToLower(pattern), isOther) {
		if len(word) > len(longest) {
			longest = word
		}
	}
	return longest
}

// vaultHolder is the certificate that has the number which the pattern stands for as one
// of the attributes, if there is one.
func (a *api) vaultHolder(c *call, defs []*names.AttrDef, p clm.Pattern) (v core.View, has bool, err error) {
	text, ok := p.Literal()
	id, bad := strconv.ParseInt(text, 10, 64)
	if !ok || bad != nil || len(defs) == 0 {
		return v, false, nil
	}
	v, err = a.core.VersionHolder(c.Context(), c.who(), id)
	if clm.AsError(err) != nil && clm.AsError(err).Kind == clm.NotFound {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	for _, def := range defs {
		if isVaultID(def) && slices.Contains(a.computedValues(v, def), text) {
			return v, true, nil
		}
	}
	return v, false, nil
}
