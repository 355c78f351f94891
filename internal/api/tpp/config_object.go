package tpp

import (
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// createObject serves POST vedsdk/Config/Create. What the server says of objects of its
// own accord is passed over: clients send it along when they copy an object.
func (a *api) createObject(c *call, in *configQuery) (facts, error) {
	def, err := concrete(in)
	if err != nil {
		return nil, err
	}
	n := core.NewObject{DN: in.ObjectDN.Value, Class: def.Class, Read: readRule}
	var unknown error // is told last: first come those of what Create looks at
	for _, w := range in.NameAttributeList.wishes() {
		attr, err := attrNamed(def.Class, w.name)
		switch {
		case err == nil && attr.Name == "Password" && len(w.values) > 0:
			err = clm.Fail(clm.Denied, fieldHidden, attr.Name)
		case err == nil && (isSaid(attr) || isLocked(def.Class, attr)):
			continue
		}
		var e core.Edit
		if err == nil {
			e, err = edit(def.Class, attr, w.values, core.Replace)
		}
		if err != nil && unknown == nil {
			unknown = err
		}
		n.Own = append(n.Own, e)
	}
	for at, values := range def.Marks() {
		n.Own = append(n.Own, core.Edit{Attr: at, Values: values})
	}
	n.Refuse = unknown
	node, err := a.core.Create(c.Context(), c.who(), n)
	return facts{"Object": configObject(node)}, err
}

// concrete is the class that the call names, of which there must be objects.
func concrete(in *configQuery) (*names.ClassDef, error) {
	def, err := classNamed(in.Class)
	if err == nil && def.Abstract {
		err = clm.Fail(clm.Unsupported, "class", def.Name)
	}
	return def, err
}

// deleteObject serves POST vedsdk/Config/Delete.
func (a *api) deleteObject(c *call, in *configQuery) (facts, error) {
	return nil, a.core.DeleteObject(c.Context(), c.who(), in.ObjectDN.Value, in.Recursive.Value)
}

// renameObject serves POST vedsdk/Config/RenameObject, which also moves.
func (a *api) renameObject(c *call, in *configQuery) (facts, error) {
	return nil, a.core.Rename(c.Context(), c.who(), in.ObjectDN.Value, in.NewObjectDN.Value)
}

// mutateObject serves POST vedsdk/Config/MutateObject.
func (a *api) mutateObject(c *call, in *configQuery) (facts, error) {
	def, err := concrete(in)
	if err != nil {
		return nil, err
	}
	return nil, a.core.Mutate(c.Context(), c.who(), in.ObjectDN.Value, def.Class, def.Marks())
}

// readRule reads what a workflow does from the blob that its Rule Vault Id names.
func readRule(definition []byte) (core.Rule, error) {
	r, err := parseRule(string(definition))
	if err != nil {
		return core.Rule{}, err
	}
	rule := core.Rule{Point: pointOf(r.Stage), Command: r.Command}
	if r.Class != "" {
		def, ok := names.ClassNamed(r.Class)
		if !ok {
			return core.Rule{}, clm.Fail(clm.Invalid, "rule", r.Class)
		}
		rule.Class = def.Class
	}
	if r.Reason > 0 {
		rule.Reason = strconv.Itoa(r.Reason)
	}
	for approver := range strings.SplitSeq(r.Approvers, ",") {
		if approver = strings.TrimSpace(approver); approver != "" {
			rule.Approvers = append(rule.Approvers, principalOf(approver))
		}
	}
	return rule, nil
}

// points are the stages before which workflows hold work up. Several stages of ours have
// one number; work comes to the first of them first.
var points = map[int]clm.Stage{
	0: clm.Start, 300: clm.CreateKey, 400: clm.CreateCSR, 500: clm.Submit, 600: clm.Approval, 700: clm.Collect, 800: clm.Place,
	900: clm.Inspect, 1000: clm.Configure, 1100: clm.Reload, 1200: clm.Verify, 1400: clm.RevokeAt,
}

// pointOf is the stage of the vendor's number. Work never comes to one that is not among
// ours, which stops nothing.
func pointOf(stage int) clm.Stage {
	if point, ok := points[stage]; ok {
		return point
	}
	return clm.Stage(names.Unknown + strconv.Itoa(stage))
}
