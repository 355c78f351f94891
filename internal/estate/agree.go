package estate

import (
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// rootSuffix is added to an issuer's name for the root that is made for it.
const rootSuffix = "-root"

// agree checks that the parts of the file do not contradict one another, and
// brings issuers and groups into the order in which they can be made.
func (f *File) agree() error {
	for _, check := range []func() error{f.agreeIssuers, f.agreeServices, f.agreeAccounts, f.agreeGroupNames, f.agreeFields, f.agreeObjects, f.orderGroups, f.orderObjects} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// distinct refuses names that stand for the same thing.
type distinct map[string]place

func (d distinct) add(key string, at place) error {
	if other, twice := d[key]; twice {
		return at.fail("is the same as %s in line %d", other.path, other.line)
	}
	d[key] = at
	return nil
}

// agreeIssuers puts roots first and makes items of the roots that are asked for.
func (f *File) agreeIssuers() error {
	seen := distinct{}
	var roots, others []issuer
	for _, i := range f.issuers {
		if i.makesRoot {
			root := i
			root.makesRoot = false
			root.Name, root.Years = i.Name+rootSuffix, 0
			root.Subject.CommonName += " Root"
			i.Above = root.Name
			roots = append(roots, root)
			if err := seen.add(root.Name, i.place); err != nil {
				return err
			}
		}
		if i.Above == "" {
			roots = append(roots, i)
		} else {
			others = append(others, i)
		}
		if err := seen.add(i.Name, i.place); err != nil {
			return err
		}
	}
	for _, i := range others {
		if slices.ContainsFunc(others, func(other issuer) bool { return other.Name == i.Above }) {
			return i.fail("%q is no root", i.Above)
		}
	}
	f.issuers = append(roots, others...)
	return nil
}

func (f *File) agreeAccounts() error {
	people, applications := distinct{}, distinct{}
	for _, g := range f.groups {
		if err := people.add(strings.ToLower(g.name), g.place); err != nil {
			return err
		}
	}
	for _, u := range f.users {
		if err := people.add(strings.ToLower(u.name), u.place); err != nil {
			return err
		}
	}
	for _, a := range f.applications {
		if err := applications.add(a.id, a.place); err != nil {
			return err
		}
	}
	return nil
}

// agreeFields refuses two custom fields of one name or label, and attributes of
// policy that are neither labels nor anything else, but nearly so.
func (f *File) agreeFields() error {
	seen := distinct{}
	for _, field := range f.fields {
		label := fold(clm.Setting{Values: field.own[clm.Label]}.First())
		if err := seen.add(fold(field.name), field.place); err != nil {
			return err
		}
		if label != "" && label != fold(field.name) {
			if err := seen.add(label, field.place); err != nil {
				return err
			}
		}
	}
	for _, t := range f.things() {
		for _, s := range t.slips {
			if _, isField := seen[fold(s.name)]; !isField {
				return s.fail("there is no such attribute; did you mean %q?", s.near)
			}
		}
	}
	return nil
}

// agreeObjects refuses two items for one DN, and items below what cannot hold them.
func (f *File) agreeObjects() error {
	seen, classes := distinct{}, map[string]clm.Class{}
	things := f.things()
	for _, t := range things {
		if err := seen.add(t.dn.Key(), t.place); err != nil {
			return err
		}
		classes[t.dn.Key()] = t.class
	}
	for _, t := range things {
		for _, above := range t.dn.Ancestors() {
			holder, isThere := classes[above.Key()]
			mayHold := len(holder.Classes()) > 0
			if above == t.dn.Parent() {
				mayHold = holder.MayHold(t.class)
			}
			if isThere && !mayHold {
				return t.fail("%s is no %s", above, map[bool]string{true: "place for it", false: "folder"}[holder == clm.Folder])
			}
		}
	}
	return nil
}

// orderGroups puts groups before their members, and refuses circles.
func (f *File) orderGroups() error {
	index := map[string]int{}
	for i, g := range f.groups {
		index[strings.ToLower(g.name)] = i
	}
	const under, done = 1, 2
	state := make([]int, len(f.groups))
	var order []group
	var visit func(i int) error
	visit = func(i int) error {
		state[i] = under
		for _, m := range f.groups[i].members {
			j, isGroup := index[strings.ToLower(m.name)]
			if isGroup && state[j] == under {
				return m.fail("makes %s a member of itself", f.groups[j].name)
			}
			if isGroup && state[j] == 0 {
				if err := visit(j); err != nil {
					return err
				}
			}
		}
		state[i] = done
		order = append(order, f.groups[i])
		return nil
	}
	for i := range slices.Backward(f.groups) {
		if state[i] == 0 {
			if err := visit(i); err != nil {
				return err
			}
		}
	}
	slices.Reverse(order)
	f.groups = order
	return nil
}
