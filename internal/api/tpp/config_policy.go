package tpp

import (
	"cmp"
	"slices"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// policyOf are the class and the attribute that a call about policy names.
func (in *configQuery) policyOf() (*names.ClassDef, *names.AttrDef, error) {
	class, err := classNamed(in.Class)
	if err != nil {
		return nil, nil, err
	}
	def, err := policyAttr(in.AttributeName.Trimmed())
	return class, def, err
}

// editPolicy changes what a folder says.
func (a *api) editPolicy(c *call, in *configQuery, values []string, mode core.EditMode) (facts, error) {
	class, def, err := in.policyOf()
	if err != nil {
		return nil, err
	}
	e, err := edit(class.Class, def, values, mode)
	if err != nil {
		return nil, err
	}
	e.Single = e.Single && mode != core.RemoveFrom
	return nil, a.core.EditPolicy(c.Context(), c.who(), in.ObjectDN.Value, class.Class, e, in.Locked.Value)
}

// writePolicy serves POST vedsdk/Config/WritePolicy.
func (a *api) writePolicy(c *call, in *configQuery) (facts, error) {
	return a.editPolicy(c, in, in.Values.NonEmpty(), core.Replace)
}

// addPolicyValue serves POST vedsdk/Config/AddPolicyValue.
func (a *api) addPolicyValue(c *call, in *configQuery) (facts, error) {
	return a.editPolicy(c, in, in.Value.NonEmpty(), core.AddTo)
}

// removePolicyValue serves POST vedsdk/Config/RemovePolicyValue. What is not there can be
// removed all the same.
func (a *api) removePolicyValue(c *call, in *configQuery) (facts, error) {
	return a.editPolicy(c, in, in.Value.NonEmpty(), core.RemoveFrom)
}

// clearPolicy serves POST vedsdk/Config/ClearPolicyAttribute, whatever the attribute.
func (a *api) clearPolicy(c *call, in *configQuery) (facts, error) {
	return a.editPolicy(c, in, nil, core.Replace)
}

// readPolicy serves POST vedsdk/Config/ReadPolicy: what just this folder says.
func (a *api) readPolicy(c *call, in *configQuery) (facts, error) {
	class, def, err := in.policyOf()
	if err != nil {
		return nil, err
	}
	v, err := a.core.View(c.Context(), c.who(), in.ObjectDN.Value)
	switch {
	case err != nil:
		return nil, err
	case !v.Class.HoldsPolicy():
		return nil, clm.Fail(clm.Unsupported, "policy", string(v.Class))
	}
	rule, ok := v.Policy[clm.PolicyKey{Class: class.Class, Attr: def.Attr}]
	if !ok {
		return nil, clm.Fail(clm.NotFound, fieldNoValue, def.Name)
	}
	return facts{"Locked": rule.Locked, "Values": shown(def.Attr, rule.Values)}, nil
}

// findPolicy serves POST vedsdk/Config/FindPolicy: what the folder or those above it say.
func (a *api) findPolicy(c *call, in *configQuery) (facts, error) {
	class, def, err := in.policyOf()
	if err != nil {
		return nil, err
	}
	says, err := a.core.FindPolicy(c.Context(), c.who(), in.ObjectDN.Value, class.Class, def.Attr)
	switch {
	case err != nil:
		return nil, err
	case len(says.Values) == 0:
		return nil, unset(class.Name, def)
	}
	return facts{"Locked": says.Locked, "PolicyDN": says.From, "Values": shown(def.Attr, says.Values)}, nil
}

// policyLocked is the property of a policy that binds what is below.
const policyLocked = 1

// enumeratePolicies serves POST vedsdk/Config/EnumeratePolicies.
func (a *api) enumeratePolicies(c *call, in *configQuery) (facts, error) {
	v, err := a.viewToRead(c, in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	var entries []facts
	for key, rule := range v.Policy {
		name, ok := nameOf(key.Class, key.Attr)
		if !ok {
			continue
		}
		entry := facts{"AttributeName": name, "GUID": braced(v.ID), "TypeName": names.ClassName(key.Class), "ValueList": shown(key.Attr, rule.Values)}
		if rule.Locked {
			entry["Property"] = policyLocked
		}
		entries = append(entries, entry)
	}
	of := func(f facts, member string) string { return f[member].(string) }
	slices.SortFunc(entries, func(x, y facts) int {
		return cmp.Or(cmp.Compare(of(x, "TypeName"), of(y, "TypeName")), cmp.Compare(of(x, "AttributeName"), of(y, "AttributeName")))
	})
	if entries == nil {
		entries = []facts{}
	}
	return facts{"Policies": entries}, nil
}
