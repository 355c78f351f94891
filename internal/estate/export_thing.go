package estate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// thing adds to the item what the object says of itself, what it says about others, and
// who may do what with it.
func (x *exporting) thing(ctx context.Context, i item, n core.Node, table []attrKey) {
	rest := maps.Clone(n.Own)
	maps.DeleteFunc(rest, func(a clm.Attr, _ []string) bool { return x.isLeftOut(n, a) })
	for _, k := range table {
		if node := x.keyed(ctx, n, k); node != nil {
			i.add(k.key, node)
			delete(rest, k.attr)
		} else if len(canonical(k.attr, n.Own[k.attr])) == 0 {
			delete(rest, k.attr)
		}
	}
	if n.Class == clm.Group && len(n.Own[clm.TeamFolder]) > 0 {
		i.add("team", boolean(true))
	}
	i.add("customFields", x.customFields(n, rest))
	i.add("attributes", x.attributes(ctx, n, rest))
	x.policy(ctx, i, n)
	i.add("rights", x.rights(n))
}

// isLeftOut reports whether an own value is none that files say, or not in this item.
func (x *exporting) isLeftOut(n core.Node, a clm.Attr) bool {
	switch {
	case a == clm.Bound:
		return n.Class.Is(clm.Application)
	case a == clm.Consumers:
		return n.Class.Is(clm.CertificateBase)
	case a == clm.Reasons:
		return n.Class == clm.TicketRoot
	case n.Class == clm.SSHKeyPair && a == clm.KeyAlgorithm:
		return true
	case n.Class == clm.Root && slices.Contains([]clm.Attr{clm.WaitSetting, clm.LateOrders, clm.ListSameKey, clm.OCSPNonce, clm.SelfApproval, clm.LoginIssuers}, a):
		return true
	}
	return isInternal(a)
}

// shown are the values of an attribute as files have them; ok: they name nothing that is
// not there.
func (x *exporting) shown(ctx context.Context, a clm.Attr, stored []string) (list []string, ok bool) {
	for _, v := range stored {
		id, isID := principalID(v)
		switch name := x.names[id]; {
		case isPrincipals(a) && isID:
			v, ok = name, name != ""
		case a == clm.Engines:
			v = x.engines[v]
			ok = v != ""
			x.used[v] = ok
		case a == clm.PointOf:
			v, ok = pointNumber(v), true
		case a == clm.ForClass, a == clm.FieldClasses:
			v, ok = names.ClassName(clm.Class(v)), true
		default:
			ok = !isLink(a) || !isDN(v) || x.isThere(ctx, v)
		}
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

// maxLookedUp is how many objects are remembered to be there.
const maxLookedUp = 100_000

// isThere reports whether there is such an object.
func (x *exporting) isThere(ctx context.Context, dn string) bool {
	key := clm.DN(dn).Key()
	is, known := x.there[key]
	if !known {
		_, err := x.core.Object(ctx, x.who, dn)
		is = err == nil
		if len(x.there) < maxLookedUp {
			x.there[key] = is
		}
	}
	return is
}

// read lets a reader of a thing read what is to be written. Nothing comes of what
// files cannot have.
func read(n *yaml.Node, reader func(*thing) reader) (t *thing, ok bool) {
	left := MaxValues
	v := value{node: n, left: &left}
	fresh := newThing(v)
	return &fresh, reader(&fresh)(v) == nil
}

// keyed is what a key of a table says; nil where it cannot say just that.
func (x *exporting) keyed(ctx context.Context, n core.Node, k attrKey) *yaml.Node {
	stored := n.Own[k.attr]
	if len(canonical(k.attr, stored)) == 0 {
		return nil
	}
	list, ok := x.shown(ctx, k.attr, stored)
	if !ok {
		return nil
	}
	node := values(list)
	switch {
	case k.form == manyValues:
		node = sequence(list)
	case k.form != oneValue, isFlag(k.attr):
		node = boolean(stored[0] == "1")
	}
	said, ok := read(node, func(t *thing) reader { return t.attr(k) })
	if !ok || !means(k.attr, said.own[k.attr], stored, list) {
		return nil
	}
	return node
}

// isFlag reports whether the values of an attribute are yes and no.
func isFlag(a clm.Attr) bool {
	d, ok := names.AttrNamed(names.AttrName(a))
	return ok && d.Flag
}

// means reports whether what was read is what is stored, or what of that is shown.
func means(a clm.Attr, read, stored, shown []string) bool {
	if isPrincipals(a) || a == clm.Engines {
		return slices.Equal(read, shown)
	}
	return slices.Equal(canonical(a, read), canonical(a, stored))
}

// customFields are the values of custom fields among those of an object.
func (x *exporting) customFields(n core.Node, rest map[clm.Attr][]string) *yaml.Node {
	i := newItem()
	for _, f := range x.fields {
		attr := clm.FieldAttr(f.ID)
		stored, has := rest[attr]
		if !has {
			continue
		}
		delete(rest, attr)
		name, ok := x.fieldName(f)
		isFor := slices.ContainsFunc(f.Classes, func(c string) bool {
			return n.Class.Is(clm.Class(c)) || n.Class.Is(clm.CertificateBase) && clm.Class(c).Is(clm.CertificateBase)
		})
		node := values(stored)
		read, err := several(line)(value{node: node, left: new(MaxValues)})
		if !ok || !isFor || err != nil || !slices.Equal(read, stored) || f.Check(stored) != nil {
			x.remark("%s: custom field %q = %q", n.DN, f.Label, stored)
			continue
		}
		i.add(name, node)
	}
	return i.node
}

// fieldName is by what the custom field is found: its label, or else its name.
func (x *exporting) fieldName(f core.Field) (name string, ok bool) {
	for _, name := range []string{f.Label, f.DN.Name()} {
		found, ok := findField(x.fields, name)
		if ok && found.ID == f.ID {
			return name, true
		}
	}
	return "", false
}

// attributes are the own values that no key says.
func (x *exporting) attributes(ctx context.Context, n core.Node, rest map[clm.Attr][]string) *yaml.Node {
	i := newItem()
	byName := func(a, b clm.Attr) int { return cmp.Compare(names.AttrName(a), names.AttrName(b)) }
	for _, a := range slices.SortedFunc(maps.Keys(rest), byName) {
		vendor, stored := names.AttrName(a), rest[a]
		if isSecret(vendor) {
			x.remark("%s: %s, which is a secret", n.DN, vendor)
			continue
		}
		list, ok := x.shown(ctx, a, stored)
		node := values(list)
		entry := newItem()
		entry.add(vendor, node)
		said, readable := read(entry.node, func(t *thing) reader { return t.readAttributes })
		if !ok || !readable || len(said.attrs) != 1 || said.attrs[0].attr != a || !means(a, said.attrs[0].values, stored, list) {
			x.remark("%s: %s = %q", n.DN, vendor, stored)
			continue
		}
		i.add(vendor, node)
	}
	return i.node
}

// policy adds what the object says about what is below it.
func (x *exporting) policy(ctx context.Context, i item, n core.Node) {
	classes := map[string]item{}
	order := func(a, b clm.PolicyKey) int {
		return cmp.Or(cmp.Compare(names.ClassName(a.Class), names.ClassName(b.Class)), cmp.Compare(x.ruleName(a.Attr), x.ruleName(b.Attr)))
	}
	for _, key := range slices.SortedFunc(maps.Keys(n.Policy), order) {
		class, vendor := names.ClassName(key.Class), x.ruleName(key.Attr)
		node, ok := x.rule(ctx, key, n.Policy[key])
		if !ok {
			if isSecret(vendor) {
				x.remark("%s: policy for %s: %s, which is a secret", n.DN, class, vendor)
			} else {
				x.remark("%s: policy for %s: %s = %q", n.DN, class, vendor, n.Policy[key].Values)
			}
			continue
		}
		if _, begun := classes[class]; !begun {
			classes[class] = newItem()
		}
		classes[class].add(vendor, node)
	}
	own := names.ClassName(clm.AnyCertificate)
	if rules, ok := classes[own]; ok {
		i.add("policy", rules.node)
		delete(classes, own)
	}
	others := newItem()
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		others.add(class, classes[class].node)
	}
	i.add("policyFor", others.node)
}

// ruleName is what policy calls an attribute: a custom field by its label.
func (x *exporting) ruleName(a clm.Attr) string {
	if id, isField := clm.FieldOf(a); isField {
		for _, f := range x.fields {
			if f.ID == id {
				name, _ := x.fieldName(f)
				return name
			}
		}
	}
	return names.AttrName(a)
}

// rule is a rule of policy; ok: files can say it.
func (x *exporting) rule(ctx context.Context, key clm.PolicyKey, rule clm.Rule) (node *yaml.Node, ok bool) {
	vendor := x.ruleName(key.Attr)
	list, ok := x.shown(ctx, key.Attr, rule.Values)
	if !ok || isSecret(vendor) {
		return nil, false
	}
	if node = values(list); rule.Locked {
		locked := newItem()
		locked.node.Style = yaml.FlowStyle
		locked.add(map[bool]string{true: "value", false: "values"}[len(list) == 1], node)
		locked.add("locked", boolean(true))
		node = locked.node
	}
	entry := newItem()
	entry.add(vendor, node)
	byClass := newItem()
	byClass.add(names.ClassName(key.Class), entry.node)
	said, ok := read(byClass.node, func(t *thing) reader { return t.policyFor })
	if !ok {
		return nil, false
	}
	if _, isField := clm.FieldOf(key.Attr); isField {
		// Whoever reads it finds the custom field by its label, unless an attribute has that name.
		attr := clm.Attr(names.Unknown + vendor)
		if found, ok := findField(x.fields, vendor); !ok || clm.FieldAttr(found.ID) != key.Attr || found.Check(rule.Values) != nil {
			return nil, false
		}
		key.Attr = attr
	}
	got, ok := said.policy[key]
	return node, ok && got.Locked == rule.Locked && means(key.Attr, got.Values, rule.Values, list)
}

// rights are those given on the object.
func (x *exporting) rights(n core.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, id := range slices.SortedFunc(maps.Keys(n.Grants), func(a, b clm.PrincipalID) int {
		return cmp.Or(cmp.Compare(fold(x.names[string(a)]), fold(x.names[string(b)])), cmp.Compare(a, b))
	}) {
		i := newItem()
		i.node.Style = yaml.FlowStyle
		i.add("to", said(x.names[string(id)]))
		allowed := sequence(rightsText(n.Grants[id]))
		i.node.Content = append(i.node.Content, scalar("allow"), allowed)
		grants := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{i.node}}
		t, ok := read(grants, func(t *thing) reader { return func(v value) error { return v.list(1, t.readGrant) } })
		if !ok || t.rights[x.names[string(id)]] != n.Grants[id] || len(list.Content) >= MaxEntries {
			x.remark("%s: rights of %s: %s", n.DN, cmp.Or(x.names[string(id)], string(id)), strings.Join(rightsText(n.Grants[id]), ", "))
			continue
		}
		list.Content = append(list.Content, i.node)
	}
	return list
}
