package tpp

import (
	"errors"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type metadataQuery struct {
	DN  lenient.String
	All lenient.Bool
}

// The results of the Metadata calls.
const (
	metadataDone  = 0
	metadataBadDN = 2
)

// fieldTypes are the numbers and names of the kinds of custom fields (pages
// Metadata/DefineItem and GET Certificates/{guid}).
var fieldTypes = map[string]struct {
	number int
	name   string
}{
	clm.TextField: {1, "Text"}, clm.ListField: {2, "List"}, clm.DateField: {4, "DateTime"}, clm.IdentityField: {5, "Identity"},
}

// metadataGet serves POST vedsdk/Metadata/Get: the custom fields of an object that
// have a value, or with All each that it may have.
func (a *api) metadataGet(c *call, in *metadataQuery) answer {
	fields, err := a.core.Fields(c.Context(), c.who(), in.DN.Value, in.All.Value)
	switch {
	case errors.Is(err, clm.NotFound), errors.Is(err, clm.Invalid), errors.Is(err, clm.Denied):
		return ok(map[string]any{"Error": "Get metadata values failed; InvalidDN.", "Result": metadataBadDN})
	case err != nil:
		return a.fault(c, err)
	}
	data, locked := []any{}, false
	for _, f := range fields {
		data = append(data, map[string]any{"Key": metadataItem(f.Field), "Value": list(f.Values)})
		locked = locked || f.Locked
	}
	return ok(map[string]any{"Data": data, "Locked": locked, "Result": metadataDone})
}

// metadataItem is a custom field as the Metadata calls show it.
func metadataItem(f core.Field) facts {
	item := facts{
		"AllowedValues": list(f.Choices), "ConfigAttribute": braced(f.ID), "DN": f.DN, "Guid": braced(f.ID), "Label": f.Label,
		"Mandatory": f.Required, "Name": f.DN.Name(), "Policyable": true, "Single": f.Single, "Type": fieldTypes[f.Kind].number,
	}
	classes := []string{}
	for _, c := range f.Classes {
		classes = append(classes, names.ClassName(clm.Class(c)))
	}
	item["Classes"] = classes
	item.add("RegularExpression", f.Pattern)
	return item
}

// customFields are the custom fields of a certificate in its details.
func customFields(settings []core.FieldSetting) []any {
	fields := []any{}
	for _, s := range settings {
		fields = append(fields, map[string]any{"Name": s.Label, "Type": fieldTypes[s.Kind].name, "Value": list(s.Values)})
	}
	return fields
}
