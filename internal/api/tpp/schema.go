package tpp

import (
	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
)

// schemaRoutes are the calls about classes and attributes.
var schemaRoutes = []route{
	{"POST", "/vedsdk/configschema/attributes", anyToken, read((*api).schemaAttributes)},
	{"POST", "/vedsdk/configschema/class", anyToken, read((*api).schemaClass)},
}

// schemaQuery is what the ConfigSchema calls take.
type schemaQuery struct{ Class lenient.String }

// schemaAttributes serves POST vedsdk/ConfigSchema/Attributes. What is written only to
// start work is not shown.
func (a *api) schemaAttributes(*call, *schemaQuery) answer {
	all := []any{}
	for _, def := range names.Attrs() {
		if !def.Trigger {
			all = append(all, map[string]any{"Name": def.Name, "Property": def.Property, "Syntax": def.Syntax})
		}
	}
	return configResults.ok(facts{"AttributeDefinitions": all})
}

// schemaClass serves POST vedsdk/ConfigSchema/Class: what is the class's own. Clients go
// on to the classes from which it derives.
func (a *api) schemaClass(c *call, in *schemaQuery) answer {
	if in.Class.Trimmed() == "" {
		return lacks("Class")
	}
	def, err := classNamed(in.Class)
	if err != nil {
		return a.configFailure(c, "Read the definition of a class", err)
	}
	optional := []string{}
	for _, name := range def.Attrs {
		if attr, ok := names.AttrNamed(name); !ok || !attr.Trigger {
			optional = append(optional, name)
		}
	}
	return configResults.ok(facts{"ClassDefinition": map[string]any{
		"Name": def.Name, "SuperClassNames": list(def.Supers), "OptionalNames": optional, "MandatoryNames": []string{}, "NamingNames": []string{},
		"ContainmentNames": []string{}, "ContainmentSubNames": list(def.Parents()),
	}})
}
