package clm

import "slices"

// Rights is a set of permissions on an object.
type Rights uint16

// The permissions, as the pages of the Permissions API count them.
const (
	View Rights = 1 << iota
	Read
	Write
	Create
	Delete
	Rename
	Associate
	RevokeRight
	KeyRead
	KeyWrite
	PolicyWrite
	ManagePermissions

	AllRights Rights = 1<<iota - 1
)

// implied says what each right brings along: Read brings View, Write brings
// Read, and so on. The order matters: stronger rights come first.
var implied = []struct{ has, brings Rights }{
	{PolicyWrite, Read | Write},
	{Write, Read},
	{Create, View},
	{Read, View},
}

// Has reports whether all of want are in r.
func (r Rights) Has(want Rights) bool { return r&want == want }

func (r Rights) closed() Rights {
	for _, i := range implied {
		if r.Has(i.has) {
			r |= i.brings
		}
	}
	return r
}

// Rights computes what who may do with the last object of the path. An entry
// for a principal replaces the same principal's entries further up; an entry for
// the user also hides those of the user's groups that stand higher in the tree;
// otherwise entries of groups add up.
func (p Path) Rights(who Actor) Rights {
	if who.Master {
		return AllRights
	}
	own, depth := p.nearestGrant(who.ID)
	sum := own
	for _, g := range who.Groups {
		if rights, at := p.nearestGrant(g); at >= depth {
			sum |= rights
		}
	}
	if who.Auditor {
		sum |= View | Read
	}
	return sum.closed()
}

// nearestGrant returns the entry of id that is nearest to the last object and its
// depth, or -1 where there is none.
func (p Path) nearestGrant(id PrincipalID) (Rights, int) {
	for depth, o := range slices.Backward(p) {
		if rights, ok := o.Grants[id]; ok {
			return rights, depth
		}
	}
	return 0, -1
}
