package tpp

import (
	"maps"
	"slices"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// viewToRead finds an object that the caller may read.
func (a *api) viewToRead(c *call, dn string) (core.View, error) {
	v, err := a.core.View(c.Context(), c.who(), dn)
	if err == nil && !v.Rights.Has(clm.Read) {
		err = clm.Denied
	}
	return v, err
}

// valuesOf are the values that the object itself has for the attribute: what is known of
// it, or else what it says. It fails with NotFound, of the field "value/none", when there
// are none, and with Unsupported, of the field "attribute", when there cannot be any.
func (a *api) valuesOf(v core.View, def *names.AttrDef) ([]string, error) {
	if def.Hidden() && !def.Trigger {
		return nil, clm.Fail(clm.Denied, fieldHidden, def.Name)
	}
	if values := a.computedValues(v, def); len(values) > 0 {
		return values, nil
	}
	at := attrOf(v.Class, def)
	if values := shown(at, v.Own[at]); len(values) > 0 && !isLink(v.Class, at) {
		return values, nil
	}
	return nil, unset(names.TypeName(v.Object), def)
}

// isLink reports whether the attribute says which certificate or applications an object
// is bound to: these values are computed.
func isLink(class clm.Class, at clm.Attr) bool {
	return at == clm.Bound && class.Is(clm.Application) || at == clm.Consumers && class.Is(clm.CertificateBase)
}

// unset says that an object of the class has no value.
func unset(class string, def *names.AttrDef) error {
	if d, known := names.ClassNamed(class); known && !d.Has(def.Name) && !settings[def.Attr] {
		return clm.Fail(clm.Unsupported, fieldAttribute, def.Name)
	}
	return clm.Fail(clm.NotFound, fieldNoValue, def.Name)
}

// readValues serves POST vedsdk/Config/Read and Config/ReadDn.
func (a *api) readValues(c *call, in *configQuery) (facts, error) {
	v, err := a.viewToRead(c, in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	def, err := attrNamed(v.Class, in.AttributeName.Trimmed())
	if err != nil {
		return nil, err
	}
	values, err := a.valuesOf(v, def)
	return facts{"Values": values}, err
}

// readAll serves POST vedsdk/Config/ReadAll: what the object itself says, and what is
// known of it.
func (a *api) readAll(c *call, in *configQuery) (facts, error) {
	v, err := a.viewToRead(c, in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for at, values := range v.Own {
		if name, ok := nameOf(v.Class, at); ok && !isLink(v.Class, at) {
			all[name] = shown(at, values)
		}
	}
	class, _ := names.ClassNamed(names.TypeName(v.Object))
	for _, name := range append(slices.Collect(maps.Keys(computed)), "Version", "Schema Version") {
		def, ok := names.AttrNamed(name)
		if !ok || def.Hidden() || class == nil || !class.Has(name) {
			continue
		}
		if values := a.computedValues(v, def); len(values) > 0 {
			all[name] = values
		}
	}
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, map[string]any{"Name": name, "Values": all[name]})
	}
	return facts{"NameValues": list}, nil
}

// readReferenced serves POST vedsdk/Config/ReadDnReferences: the values of the objects
// that an attribute names, one after another.
func (a *api) readReferenced(c *call, in *configQuery) (facts, error) {
	v, err := a.viewToRead(c, in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	by, err := attrNamed(v.Class, in.ReferenceAttributeName.Trimmed())
	if err != nil {
		return nil, err
	}
	dns, err := a.valuesOf(v, by)
	if err != nil {
		return nil, err
	}
	all := []string{}
	for _, dn := range dns {
		values, err := a.referencedValues(c, dn, in.AttributeName.Trimmed())
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return facts{"Values": all}, nil
}

// referencedValues are the values of an object that another names; one without any adds
// none.
func (a *api) referencedValues(c *call, dn, attribute string) ([]string, error) {
	v, err := a.viewToRead(c, dn)
	switch kind := clm.AsError(err); {
	case err != nil && (kind.Kind == clm.NotFound || kind.Kind == clm.Invalid):
		return nil, clm.Fail(clm.NotFound, fieldReference, dn)
	case err != nil:
		return nil, err
	}
	def, err := attrNamed(v.Class, attribute)
	if err != nil {
		return nil, err
	}
	values, err := a.valuesOf(v, def)
	if clm.AsError(err) != nil && clm.AsError(err).Field == fieldNoValue {
		return nil, nil
	}
	return values, err
}

// readEffective serves POST vedsdk/Config/ReadEffectivePolicy: what holds for the object.
func (a *api) readEffective(c *call, in *configQuery) (facts, error) {
	v, err := a.viewToRead(c, in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	def, err := attrNamed(v.Class, in.AttributeName.Trimmed())
	if err != nil {
		return nil, err
	}
	at := attrOf(v.Class, def)
	holds, err := a.core.Effective(c.Context(), c.who(), in.ObjectDN.Value, at)
	if err != nil {
		return nil, err
	}
	if holds.From == "" || def.Computed || def.Hidden() {
		values, err := a.valuesOf(v, def)
		return facts{"Locked": false, "Overridden": holds.Overridden && holds.From == "", "Values": values}, err
	}
	return facts{"Locked": holds.Locked, "Overridden": holds.Overridden, "PolicyDN": holds.From, "Values": shown(at, holds.Values)}, nil
}
