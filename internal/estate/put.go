package estate

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// thing brings an object to what the file says of it, and the folders above it before.
func (a *applying) thing(ctx context.Context, t *thing, class clm.Class) error {
	if err := a.folder(ctx, t.place, t.dn.Parent()); err != nil {
		return err
	}
	return a.object(ctx, t, class)
}

// object brings an object to what the file says of it. What names other objects is
// left for later, when they are there.
func (a *applying) object(ctx context.Context, t *thing, class clm.Class) error {
	p := core.Put{DN: string(t.dn), Class: class, Own: a.owns(t), Policy: a.rules(t), Rights: t.rights}
	return a.put(ctx, t.place, a.postpone(t.place, p))
}

// A naming is what an object says of others, to be written once they are there.
type naming struct {
	place
	core.Put
}

// postpone is the put without what names other objects. From which authority
// certificates are ordered is said at once: it is found by its DN as well.
func (a *applying) postpone(at place, p core.Put) core.Put {
	isLater := func(attr clm.Attr) bool { return isLink(attr) && attr != clm.IssuedBy }
	for _, onCertificates := range []bool{false, true} {
		later := core.Put{DN: p.DN, Class: p.Class, Own: map[clm.Attr][]string{}, Policy: map[clm.PolicyKey]clm.Rule{}}
		for attr, values := range p.Own {
			if isLater(attr) && a.nameCertificates(values) == onCertificates {
				later.Own[attr] = values
			}
		}
		for key, rule := range p.Policy {
			if isLater(key.Attr) && a.nameCertificates(rule.Values) == onCertificates {
				later.Policy[key] = rule
			}
		}
		if len(later.Own)+len(later.Policy) > 0 {
			a.namings[onCertificates] = append(a.namings[onCertificates], naming{at, later})
		}
	}
	p.Own, p.Policy = maps.Clone(p.Own), maps.Clone(p.Policy)
	maps.DeleteFunc(p.Own, func(attr clm.Attr, _ []string) bool { return isLater(attr) })
	maps.DeleteFunc(p.Policy, func(key clm.PolicyKey, _ clm.Rule) bool { return isLater(key.Attr) })
	return p
}

// nameCertificates reports whether one of the values is a certificate of the file.
func (a *applying) nameCertificates(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return a.classes[clm.DN(v).Key()].Is(clm.CertificateBase) })
}

// nameObjects writes what objects say of others, but for certificates; and nameCertified
// what they say of those.
func (a *applying) nameObjects(ctx context.Context) error   { return a.putNamings(ctx, false) }
func (a *applying) nameCertified(ctx context.Context) error { return a.putNamings(ctx, true) }

func (a *applying) putNamings(ctx context.Context, onCertificates bool) error {
	for _, n := range a.namings[onCertificates] {
		if err := a.put(ctx, n.place, n.Put); err != nil {
			return err
		}
	}
	return nil
}

// owns are the own values that the file says, with users, groups and custom fields by
// their ids.
func (a *applying) owns(t *thing) map[clm.Attr][]string {
	own := map[clm.Attr][]string{}
	for attr, values := range t.own {
		own[attr] = a.resolved(attr, values)
	}
	for _, said := range t.fields {
		f, _ := a.field(said.field) // it was looked for
		own[clm.FieldAttr(f.ID)] = said.values
	}
	return own
}

// rules is the policy that the file says, with users, groups and custom fields by
// their ids.
func (a *applying) rules(t *thing) map[clm.PolicyKey]clm.Rule {
	rules := map[clm.PolicyKey]clm.Rule{}
	for key, rule := range t.policy {
		rule.Values = a.resolved(key.Attr, rule.Values)
		if field, ok := a.fieldRule(key.Attr); ok {
			key.Attr = clm.FieldAttr(field.ID)
		}
		rules[key] = rule
	}
	return rules
}

// resolved are the values of an attribute with users and groups by their ids.
// Those that a plan would make first have none, and are left as they are.
func (a *applying) resolved(attr clm.Attr, values []string) []string {
	if !isPrincipals(attr) {
		return values
	}
	var ids []string
	for _, v := range values {
		ids = append(ids, a.accounts.id(v))
	}
	return ids
}

// put brings an object to what it shall be and reports what that changes.
func (a *applying) put(ctx context.Context, at place, p core.Put) error {
	p.Plan = a.opt.Plan
	var err error
	if values, ok := p.Own[clm.Engines]; ok {
		p.Own = maps.Clone(p.Own)
		if p.Own[clm.Engines], err = a.engineIDs(ctx, values); err != nil {
			return at.refused(p.DN, err)
		}
	}
	node, err := a.core.Object(ctx, a.who, p.DN)
	switch {
	case err == nil:
		p = differing(p, node)
	case !errors.Is(err, clm.NotFound):
		return at.refused(p.DN, err)
	}
	if p, err = a.linked(ctx, p); err != nil {
		return at.refused(p.DN, err)
	}
	changes, err := a.core.Put(ctx, a.who, p)
	if err != nil {
		return at.refused(p.DN, err)
	}
	// What a plan does not know yet, the GUIDs of new custom fields, is not to show
	// in the order either.
	slices.SortStableFunc(changes, func(x, y core.Change) int { return cmp.Compare(a.rank(x), a.rank(y)) })
	for _, c := range changes {
		if c.Made != "" {
			if a.made[c.DN.Key()] {
				continue // a plan comes here a second time
			}
			a.made[c.DN.Key()] = true
		}
		a.say(a.line(c, p))
	}
	return nil
}

// differing is the put without what the object shows as it shall be already, however
// that is kept.
func differing(p core.Put, node core.Node) core.Put {
	p.Own, p.Policy = maps.Clone(p.Own), maps.Clone(p.Policy)
	maps.DeleteFunc(p.Own, func(a clm.Attr, values []string) bool {
		return slices.Equal(canonical(a, values), canonical(a, node.Own[a]))
	})
	maps.DeleteFunc(p.Policy, func(key clm.PolicyKey, rule clm.Rule) bool {
		had, ok := node.Policy[key]
		return ok && len(rule.Values) > 0 && had.Locked == rule.Locked && slices.Equal(canonical(key.Attr, rule.Values), canonical(key.Attr, had.Values))
	})
	return p
}

// unsaid are the values that mean the same as none.
var unsaid = map[clm.Attr]string{
	clm.Off: "0", clm.FieldSingle: "0", clm.FieldRequired: "0", clm.FieldDateOnly: "0", clm.FieldTimeOnly: "0", clm.FieldPolicyable: "1",
	clm.SSHOwnKeyID: "1", clm.SSHOwnPrincipals: "1", clm.SSHOwnExtensions: "1", clm.SSHOwnForceCommand: "1", clm.SSHOwnSourceAddresses: "1",
}

// canonical are the values in a form in which those are the same that mean the same.
func canonical(a clm.Attr, values []string) []string {
	if nothing, ok := unsaid[a]; ok && len(values) == 1 && values[0] == nothing {
		return nil
	}
	isFolded := isLink(a)
	if !isFolded && !isPrincipals(a) {
		return values
	}
	var list []string
	for _, v := range values {
		if id, ok := principalID(v); ok && !isFolded {
			v = id
		}
		if isFolded {
			v = strings.ToLower(v)
		}
		list = append(list, v)
	}
	return list
}

var localID = regexp.MustCompile(`^(?i:local:)?\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?$`)

// principalID is the id in the spellings in which attributes hold users and groups.
func principalID(s string) (id string, ok bool) {
	found := localID.FindStringSubmatch(s)
	if found == nil {
		return "", false
	}
	return strings.ToLower(found[1]), true
}

// linked is the put with references to other objects in place of their DNs, where core
// does not know by itself that they are some. What a plan would make first has none.
func (a *applying) linked(ctx context.Context, p core.Put) (_ core.Put, err error) {
	refer := func(attr clm.Attr, values []string) ([]string, error) {
		if clm.Referring[attr] || attr == clm.Engines || !isLink(attr) {
			return values, nil
		}
		var list []string
		for _, v := range values {
			if isDN(v) {
				node, err := a.core.Object(ctx, a.who, v)
				if err == nil {
					v = clm.Ref(node.ID)
				} else if !errors.Is(err, clm.NotFound) {
					return nil, err
				}
			}
			list = append(list, v)
		}
		return list, nil
	}
	for attr, values := range p.Own {
		if p.Own[attr], err = refer(attr, values); err != nil {
			return p, err
		}
	}
	for key, rule := range p.Policy {
		if rule.Values, err = refer(key.Attr, rule.Values); err != nil {
			return p, err
		}
		p.Policy[key] = rule
	}
	return p, nil
}

// engineIDs are what folders have of engines. One that a plan would make first goes by
// its name.
func (a *applying) engineIDs(ctx context.Context, named []string) (ids []string, err error) {
	for _, name := range named {
		node, err := a.core.Object(ctx, a.who, engineDN(name))
		switch {
		case err == nil:
			a.engines[string(node.ID)] = node.DN.Name()
			name = string(node.ID)
		case !a.opt.Plan || !errors.Is(err, clm.NotFound):
			return nil, err
		}
		ids = append(ids, name)
	}
	return ids, nil
}

// engineDN is where the engine of the name stands.
func engineDN(name string) string { return string(clm.DN(core.EnginesDN).Child(name)) }

// rank sorts the changes of an object as core.Put does, custom fields by label.
func (a *applying) rank(c core.Change) string {
	attr := string(c.Attr)
	if _, ok := clm.FieldOf(c.Attr); ok {
		attr = string(clm.FieldAttr("")) + a.attrName(c.Attr)
	}
	switch {
	case c.Made != "":
		return "made"
	case c.To != "":
		return "rights " + c.To
	case c.For == "":
		return "own " + attr
	}
	return "policy " + string(c.For) + "\x00" + attr
}
