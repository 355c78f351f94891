package clm

import "slices"

// An ObjectID is an object's GUID: lower case, without braces. It never changes.
type ObjectID string

// An Attr names an attribute in our terms. What an edge does not know in our
// terms is kept under a prefix of that edge and given back untouched.
type Attr string

// An Object is a node of the tree.
type Object struct {
	ID       ObjectID
	Number   int64 // what it is known by to clients that keep numbers of 32 bits; never used again
	DN       DN
	Class    Class
	Own      map[Attr][]string      // its own values; an attribute without values does not exist
	Policy   map[PolicyKey]Rule     // of a folder: what it says about what lies below it
	Grants   map[PrincipalID]Rights // rights given on this very object
	Created  int64                  // microseconds since 1970, UTC
	Revision int64                  // grows with every change of the object
	Current  VersionID              // of a certificate: the version in use; zero before the first one is issued
}

// A PolicyKey names a policy entry of a folder: which attribute, for which class.
type PolicyKey struct {
	Class Class
	Attr  Attr
}

// A Rule is a policy entry. Locked rules bind what is below; others suggest.
type Rule struct {
	Values []string
	Locked bool
}

// A Setting is what holds for an object. From is the folder whose rule it is;
// it is empty when the value is the object's own or there is none.
type Setting struct {
	Values []string
	From   DN
	Locked bool
}

// First is the only or first value; empty where there is none.
func (s Setting) First() string {
	if len(s.Values) == 0 {
		return ""
	}
	return s.Values[0]
}

// IsOn reports whether a yes-or-no setting says yes.
func (s Setting) IsOn() bool { return s.First() == "1" }

// A Path is an object with its ancestors, root first, the object last.
type Path []*Object

// Last is the object itself; nil for an empty path.
func (p Path) Last() *Object {
	if len(p) == 0 {
		return nil
	}
	return p[len(p)-1]
}

// Value is what holds for the last object: the highest locked rule above it, or
// else the object's own value, or else the nearest rule. Values are taken whole
// from one place. (The vendor's pages on policy and locking.)
func (p Path) Value(a Attr) Setting {
	if len(p) == 0 {
		return Setting{}
	}
	o := p.Last()
	return p[:len(p)-1].value(o.Class, a, o.Own[a])
}

// ValueFor is what would hold for a new object of the class directly below the
// last object of the path, which had own as its own value.
func (p Path) ValueFor(class Class, a Attr, own ...string) Setting { return p.value(class, a, own) }

func (p Path) value(class Class, a Attr, own []string) Setting {
	if neverInherited[a] {
		return Setting{Values: own}
	}
	for _, folder := range p {
		if rule, ok := folder.rule(class, a); ok && rule.Locked {
			return Setting{Values: rule.Values, From: folder.DN, Locked: true}
		}
	}
	if len(own) > 0 {
		return Setting{Values: own}
	}
	for _, folder := range slices.Backward(p) {
		if rule, ok := folder.rule(class, a); ok {
			return Setting{Values: rule.Values, From: folder.DN}
		}
	}
	return Setting{}
}

// rule finds what the folder says about the attribute for objects of the class.
// Of several entries that match, that of the most derived class counts.
func (o *Object) rule(class Class, a Attr) (Rule, bool) {
	if len(o.Policy) == 0 {
		return Rule{}, false
	}
	for c, ok := class, true; ok; c, ok = c.up() {
		if rule, found := o.Policy[PolicyKey{c, a}]; found && len(rule.Values) > 0 {
			return rule, true
		}
	}
	return Rule{}, false
}

// Workflows are those that hold for the last object: the ones that a folder above it
// names, but for those that a folder from there on down says not to hold.
func (p Path) Workflows() (ids []ObjectID) {
	for _, o := range p[:max(len(p)-1, 0)] {
		if !o.Class.HoldsPolicy() {
			continue
		}
		for _, value := range o.Own[Workflows] {
			if id, ok := RefID(value); ok && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		for _, value := range o.Own[WorkflowBlocks] {
			if id, ok := RefID(value); ok {
				ids = slices.DeleteFunc(ids, func(known ObjectID) bool { return known == id })
			}
		}
	}
	return ids
}
