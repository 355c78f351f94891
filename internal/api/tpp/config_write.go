package tpp

import (
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A wish is what a call wants done with an attribute.
type wish struct {
	name   string
	values []string
	mode   core.EditMode
}

// writeValues serves POST vedsdk/Config/Write: each attribute gets the values in place of
// those that it had; without any it is cleared. Old VenafiPS names a single one.
func (a *api) writeValues(c *call, in *configQuery) (facts, error) {
	if !in.AttributeData.Set {
		return a.writeOne(c, in)
	}
	return nil, a.changeObject(c, in, in.AttributeData.wishes())
}

// wishes are the attributes with the values they are to have; those of one that is there
// several times add up.
func (l nameValues) wishes() (wishes []wish) {
	at := map[string]int{}
	for _, item := range l.items {
		name := item.Name.Trimmed()
		if i, known := at[name]; known {
			wishes[i].values = append(wishes[i].values, item.Value.NonEmpty()...)
			continue
		}
		at[name] = len(wishes)
		wishes = append(wishes, wish{name: name, values: item.Value.NonEmpty()})
	}
	return wishes
}

// writeOne serves POST vedsdk/Config/WriteDn.
func (a *api) writeOne(c *call, in *configQuery) (facts, error) {
	values := in.Values.NonEmpty()
	if !in.Values.Set {
		values = in.Value.NonEmpty()
	}
	return nil, a.changeObject(c, in, []wish{{name: in.AttributeName.Trimmed(), values: values}})
}

// clearAttribute serves POST vedsdk/Config/ClearAttribute.
func (a *api) clearAttribute(c *call, in *configQuery) (facts, error) {
	return nil, a.changeObject(c, in, []wish{{name: in.AttributeName.Trimmed()}})
}

// edits serves the calls that add values to those of an attribute, or remove some.
func edits(mode core.EditMode) func(*api, *call, *configQuery) (facts, error) {
	return func(a *api, c *call, in *configQuery) (facts, error) {
		return nil, a.changeObject(c, in, []wish{{in.AttributeName.Trimmed(), in.Value.NonEmpty(), mode}})
	}
}

// viewToWrite finds an object that the caller may write.
func (a *api) viewToWrite(c *call, dn string) (core.View, error) {
	v, err := a.core.View(c.Context(), c.who(), dn)
	if err == nil && !v.Rights.Has(clm.Write) {
		err = clm.Denied
	}
	return v, err
}

// changeObject does what is wished with an object: all or nothing.
func (a *api) changeObject(c *call, in *configQuery, wishes []wish) error {
	v, err := a.viewToWrite(c, in.ObjectDN.Value)
	if err != nil {
		return err
	}
	var edits []core.Edit
	for _, w := range wishes {
		def, err := attrNamed(v.Class, w.name)
		if err != nil {
			return err
		}
		if def.Trigger && w.starts() {
			if len(wishes) > 1 {
				return clm.Fail(clm.Unsupported, fieldMixed, w.name)
			}
			return a.start(c, in.ObjectDN.Value, def)
		}
		if isSaid(def) || isLocked(v.Class, def) {
			if err := w.leaves(v, def, a.computedValues(v, def)); err != nil {
				return err
			}
			continue
		}
		e, err := edit(v.Class, def, w.values, w.mode)
		if err != nil {
			return err
		}
		edits = append(edits, e)
	}
	if len(edits) == 0 {
		return nil
	}
	return a.core.EditObject(c.Context(), c.who(), in.ObjectDN.Value, edits, readRule)
}

// isSaid reports whether it is the server that says what the attribute is, or that
// nobody is to see it.
func isSaid(def *names.AttrDef) bool { return def.Computed || def.ReadOnly() || def.Hidden() }

// isLocked reports whether objects of the class, unlike others, do not say the attribute
// themselves.
func isLocked(class clm.Class, def *names.AttrDef) bool {
	return isVersion(class, def) || (class == clm.User || class == clm.Group) && (def.Name == "Member" || def.Name == "Group Membership")
}

// leaves makes sure that the wish changes nothing of what the server says: it may only
// clear what is not there. said is what the server says.
func (w wish) leaves(v core.View, def *names.AttrDef, said []string) error {
	switch {
	case def.Trigger && len(w.values) > 0 && len(said) == 0:
		return nil // "0": it does not run
	case def.Hidden() && !def.Trigger:
		return clm.Fail(clm.Denied, fieldHidden, def.Name)
	case len(w.values) == 0 && len(said) == 0 && len(v.Own[def.Attr]) == 0:
		return nil
	}
	return clm.Fail(clm.Denied, fieldReadOnly, def.Name)
}

// starts reports whether the wish is for work to begin.
func (w wish) starts() bool {
	if w.mode == core.RemoveFrom || len(w.values) == 0 {
		return false
	}
	flag, _ := asFlag(w.values[0])
	return flag != "0"
}

// start begins the work that an attribute stands for.
func (a *api) start(c *call, dn string, def *names.AttrDef) error {
	begin, served := map[string]func(*core.Core) error{
		"Work To Do":              func(k *core.Core) error { return k.StartRenewal(c.Context(), c.who(), dn) },
		"Provisioning Work To Do": func(k *core.Core) error { return k.StartInstall(c.Context(), c.who(), dn) },
		"Revocation Check Now":    func(k *core.Core) error { return k.CheckRevocation(c.Context(), c.who(), dn) },
	}[def.Name]
	if !served {
		return clm.Fail(clm.Unsupported, fieldUnserved, def.Name)
	}
	return begin(a.core)
}
