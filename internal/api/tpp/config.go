package tpp

import (
	"encoding/json"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var (
	mayLook   = needs("configuration")
	mayChange = needs("configuration:manage")
)

// configRoutes are the calls about the objects of the tree. Behind each operation, in
// the words of its error texts, stand the list of its answer, which is there even when it
// fails, and the members that it cannot do without.
var configRoutes = []route{
	{"POST", "/vedsdk/config/dntoguid", anyToken, config("Converting Distinguished Name to GUID", "", (*api).dnToGUID, "ObjectDN")},
	{"POST", "/vedsdk/config/guidtodn", anyToken, config("Converting GUID to Distinguished Name", "", (*api).guidToDN, "ObjectGUID")},
	{"POST", "/vedsdk/config/idinfo", anyToken, config("Converting an identifier to Distinguished Name", "", (*api).idInfo, "ObjectID")},
	{"POST", "/vedsdk/config/isvalid", mayLook, config("Checking an object", "", (*api).isValid, "ObjectDN or ObjectGUID")},
	{"GET", "/vedsdk/config/defaultdn", mayLook, (*api).defaultDN},
	{"POST", "/vedsdk/config/getrevision", mayLook, config("Get the revision of an object", "", (*api).revision, "ObjectDN")},
	{"POST", "/vedsdk/config/gethighestrevision", mayLook, config("Get the highest revision", "", (*api).highestRevision, "ObjectDN")},
	{"POST", "/vedsdk/config/containableclasses", mayLook, config("Get containable classes", "ClassNames", (*api).containable, "ObjectDN")},

	{"POST", "/vedsdk/config/enumerate", mayLook, config("Find all matching subordinate Distinguished Names", "Objects", (*api).enumerate)},
	{"POST", "/vedsdk/config/enumerateall", mayLook, config("Find all matching Distinguished Names", "Objects", (*api).enumerateAll)},
	{"POST", "/vedsdk/config/enumerateobjectsderivedfrom", mayLook, config("Find all objects derived from a class", "Objects", (*api).enumerateDerived, "DerivedFrom")},
	{"POST", "/vedsdk/config/findobjectsofclass", mayLook, config("Find all objects of a class", "Objects", (*api).findOfClass, "Class or Classes")},
	{"POST", "/vedsdk/config/findcontainers", mayLook, config("Find all containers", "Objects", (*api).findContainers, "ObjectDN")},
	{"POST", "/vedsdk/config/find", mayLook, config("Find all objects with a matching value", "Objects", (*api).findByValue)},
	{"POST", "/vedsdk/config/countobjects", mayLook, config("Count objects", "", (*api).countObjects)},

	{"POST", "/vedsdk/config/create", mayChange, config("Create an object", "", (*api).createObject, "ObjectDN", "Class")},
	{"POST", "/vedsdk/config/delete", needs("configuration:delete"), config("Delete an object", "", (*api).deleteObject, "ObjectDN")},
	{"POST", "/vedsdk/config/renameobject", mayChange, config("Rename an object", "", (*api).renameObject, "ObjectDN", "NewObjectDN")},
	{"POST", "/vedsdk/config/mutateobject", mayChange, config("Mutate an object", "", (*api).mutateObject, "ObjectDN", "Class")},

	{"POST", "/vedsdk/config/read", mayLook, config("Read attribute values", "Values", (*api).readValues, "ObjectDN", "AttributeName")},
	{"POST", "/vedsdk/config/readdn", mayLook, config("Read attribute values", "Values", (*api).readValues, "ObjectDN", "AttributeName")},
	{"POST", "/vedsdk/config/readall", mayLook, config("Read all attribute values", "NameValues", (*api).readAll, "ObjectDN")},
	{"POST", "/vedsdk/config/readdnreferences", mayLook, config("Read values of referenced objects", "Values", (*api).readReferenced, "ObjectDN", "ReferenceAttributeName", "AttributeName")},
	{"POST", "/vedsdk/config/readeffectivepolicy", mayLook, config("Read effective policy", "Values", (*api).readEffective, "ObjectDN", "AttributeName")},

	{"POST", "/vedsdk/config/write", mayChange, config("Write attribute values", "", (*api).writeValues, "ObjectDN", "AttributeData")},
	{"POST", "/vedsdk/config/writedn", mayChange, config("Write attribute values", "", (*api).writeOne, "ObjectDN", "AttributeName")},
	{"POST", "/vedsdk/config/addvalue", mayChange, config("Add an attribute value", "", edits(core.AddTo), "ObjectDN", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/adddnvalue", mayChange, config("Add an attribute value", "", edits(core.AddTo), "ObjectDN", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/removevalue", mayChange, config("Remove an attribute value", "", edits(core.RemoveFrom), "ObjectDN", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/removednvalue", mayChange, config("Remove an attribute value", "", edits(core.RemoveFrom), "ObjectDN", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/clearattribute", mayChange, config("Clear an attribute", "", (*api).clearAttribute, "ObjectDN", "AttributeName")},

	{"POST", "/vedsdk/config/readpolicy", mayLook, config("Read policy", "Values", (*api).readPolicy, "ObjectDN", "Class", "AttributeName")},
	{"POST", "/vedsdk/config/findpolicy", mayLook, config("Find policy", "Values", (*api).findPolicy, "ObjectDN", "Class", "AttributeName")},
	{"POST", "/vedsdk/config/enumeratepolicies", mayLook, config("Enumerate policies", "Policies", (*api).enumeratePolicies, "ObjectDN")},
	{"POST", "/vedsdk/config/writepolicy", mayChange, config("Write policy", "", (*api).writePolicy, "ObjectDN", "Class", "AttributeName")},
	{"POST", "/vedsdk/config/addpolicyvalue", mayChange, config("Add a policy value", "", (*api).addPolicyValue, "ObjectDN", "Class", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/removepolicyvalue", mayChange, config("Remove a policy value", "", (*api).removePolicyValue, "ObjectDN", "Class", "AttributeName", "Value")},
	{"POST", "/vedsdk/config/clearpolicyattribute", mayChange, config("Clear a policy attribute", "", (*api).clearPolicy, "ObjectDN", "Class", "AttributeName")},
}

// Fields of failures that only this dialect knows.
const (
	fieldNoClass   = "class/none"     // there is no such class
	fieldNoValue   = "value/none"     // the attribute has none
	fieldHidden    = "hidden"         // nobody reads the attribute
	fieldReadOnly  = "read-only"      // nobody writes it
	fieldMixed     = "mixed"          // what starts work is written together with something else
	fieldUnserved  = "unserved"       // nothing here does the work
	fieldReference = "reference/none" // an attribute should name an object
)

// configResults are the results of the Config and ConfigSchema calls (page Config
// Result Codes).
var configResults = &results{
	done: 1,
	names: map[int]string{
		2: "InvalidArgument", 3: "InvalidArgumentRange", 4: "MismatchedArguments", 5: "NotImplemented", 7: "InsufficientPrivileges", 8: "InvalidOperation",
		102: "AttributeNotFound", 103: "AttributeValueExists", 106: "AttributeReferenceDoesNotExist", 112: "IllegalAttributeForClass", 113: "InvalidAttributeDN",
		114: "AttributeValueDoesNotExist", 115: "AttributeIsSingleValued", 116: "AttributeIsReadOnly", 117: "AttributeIsHidden",
		200: "ClassDoesNotExist", 211: "ClassInvalidPolicyClass", 301: "PolicyLockStateCollision",
		400: "ObjectDoesNotExist", 401: "ObjectAlreadyExists", 402: "ObjectHasChildren", 403: "ObjectNameTooLong", 404: "ObjectDepthTooDeep",
		405: "ObjectInvalidName", 406: "ObjectInvalidClass", 407: "ObjectInvalidContainment", 410: "ObjectInvalidOperation", 502: "DriverDatabaseError",
	},
	rules: []resultRule{
		{clm.NotFound, fieldNoClass, 200},
		{clm.NotFound, fieldNoValue, 102},
		{clm.NotFound, fieldReference, 106},
		{clm.NotFound, "value", 114},
		{clm.NotFound, "vault-id", 2},
		{clm.NotFound, "", 400},
		{clm.Invalid, "dn", 400},
		{clm.Invalid, "length", 403},
		{clm.Invalid, "depth", 404},
		{clm.Invalid, "name", 405},
		{clm.Invalid, "reference", 113},
		{clm.Invalid, "single", 115},
		{clm.Invalid, "", 2},
		{clm.Denied, fieldReadOnly, 116},
		{clm.Denied, fieldHidden, 117},
		{clm.Denied, "", 7},
		{clm.Exists, "value", 103},
		{clm.Exists, "lock", 301},
		{clm.Exists, "", 401},
		{clm.Limited, "", 3},
		{clm.Unsupported, fieldAttribute, 112},
		{clm.Unsupported, fieldMixed, 4},
		{clm.Unsupported, fieldUnserved, 5},
		{clm.Unsupported, "class", 406},
		{clm.Unsupported, "place", 407},
		{clm.Unsupported, "policy", 211},
		{clm.Unsupported, "below", 402},
		{clm.Unsupported, "within", 410},
		{clm.Unsupported, "object", 410},
		{clm.Unsupported, "number", 3},
		{clm.Unsupported, "", 8},
		{clm.Busy, "", 8}, {clm.InError, "", 8}, {clm.Disabled, "", 8}, {clm.Unmanaged, "", 8}, {clm.NeedsCSR, "", 8}, {clm.Violation, "", 8},
		{clm.NotIssued, "", 8}, {clm.NoKey, "", 8}, {clm.Unwritten, "", 502},
	},
}

// refusals say why work was not started.
var refusals = map[clm.Kind]string{
	clm.Busy: "Work is under way.", clm.InError: "Work has failed and is to be retried or reset.", clm.Disabled: "Processing is disabled.",
	clm.Unmanaged: "The management type does not allow it.", clm.NeedsCSR: "A signing request is needed.", clm.NotIssued: "There is no certificate.",
	clm.NoKey: "There is no private key.",
}

// configQuery is what all Config calls together take.
type configQuery struct {
	ObjectDN, ObjectGUID, NewObjectDN     lenient.String
	ObjectID                              lenient.Int64
	Class, Type, DerivedFrom              lenient.String
	Classes                               lenient.StringList
	AttributeName, ReferenceAttributeName lenient.String
	AttributeNames                        lenient.StringList
	Value, Values                         lenient.StringList
	AttributeData, NameAttributeList      nameValues
	Locked                                lenient.Bool
	Recursive, IncludeDerivedClasses      lenient.Bool
	Pattern, ObjectPattern                lenient.String
}

// has reports whether the member was given: of "A or B" one of the two.
func (in *configQuery) has(member string) bool {
	one, other, _ := strings.Cut(member, " or ")
	return in.given(one) || other != "" && in.given(other)
}

func (in *configQuery) given(member string) bool {
	text := map[string]lenient.String{
		"ObjectDN": in.ObjectDN, "ObjectGUID": in.ObjectGUID, "NewObjectDN": in.NewObjectDN, "Class": in.Class, "DerivedFrom": in.DerivedFrom,
		"AttributeName": in.AttributeName, "ReferenceAttributeName": in.ReferenceAttributeName, "Pattern": in.Pattern,
	}
	switch member {
	case "ObjectID":
		return in.ObjectID.Set
	case "Classes":
		return len(in.Classes.NonEmpty()) > 0
	case "Value":
		return len(in.Value.NonEmpty()) > 0
	case "AttributeData":
		return in.AttributeData.Set || in.AttributeName.Trimmed() != ""
	}
	return text[member].Trimmed() != ""
}

// nameValues lists attributes with values. One alone is taken for a list of it.
type nameValues struct {
	lenient.Presence
	items []attribute
}

// UnmarshalJSON leaves it to attribute to say what is wrong with one.
func (l *nameValues) UnmarshalJSON(data []byte) error {
	*l = nameValues{}
	if l.Null = string(data) == "null"; l.Null {
		return nil
	}
	l.Set = true
	if strings.HasPrefix(string(data), "{") {
		l.items = make([]attribute, 1)
		return json.Unmarshal(data, &l.items[0])
	}
	return json.Unmarshal(data, &l.items)
}

// lacksName reports whether one of the attributes has no name.
func (l nameValues) lacksName() bool {
	for _, item := range l.items {
		if item.Name.Trimmed() == "" {
			return true
		}
	}
	return false
}

// config makes a handler of a Config call: doing is the operation in the words of its
// error texts, list what its answer lists, needed the members that it cannot do without.
func config(doing, list string, do func(*api, *call, *configQuery) (facts, error), needed ...string) handler {
	return read(func(a *api, c *call, in *configQuery) answer {
		for _, member := range needed {
			if !in.has(member) {
				return lacks(member)
			}
		}
		switch {
		case in.AttributeData.lacksName(), in.NameAttributeList.lacksName():
			return lacks("Name")
		case in.ObjectID.Wrong != "":
			return oauthError(400, "invalid_request", "The value of ObjectID is not a number.")
		}
		done, err := do(a, c, in)
		if err != nil && list != "" {
			return a.configFailure(c, doing, err, list)
		}
		if err != nil {
			return a.configFailure(c, doing, err)
		}
		return configResults.ok(done)
	})
}

// configFailure answers with the result code of a failure: Config says with 200
// that something did not work.
func (a *api) configFailure(c *call, operation string, err error, lists ...string) answer {
	e := clm.AsError(err)
	if _, isField := clm.FieldOf(clm.Attr(e.Field)); isField && e.Kind == clm.Invalid {
		err = clm.Fail(clm.Unsupported, fieldAttribute, e.Field) // objects of the class do not have the custom field
	}
	ans := configResults.refuse(a, c, operation, err, lists...)
	why := refusals[e.Kind]
	if e.Kind == clm.Violation {
		why = renewing.say(e).text
	}
	if body, ok := ans.body.(map[string]any); ok && why != "" {
		body["Error"] = body["Error"].(string) + " " + why
	}
	return ans
}

// dnToGUID serves POST vedsdk/Config/DnToGuid.
func (a *api) dnToGUID(c *call, in *configQuery) (facts, error) {
	node, err := a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	return facts{
		"ClassName": names.TypeName(node.Object), "GUID": braced(node.ID), "HierarchicalGUID": hierarchy(node), "Revision": node.Revision,
	}, err
}

// guidToDN serves POST vedsdk/Config/GuidToDn.
func (a *api) guidToDN(c *call, in *configQuery) (facts, error) {
	node, err := a.core.ObjectByID(c.Context(), c.who(), guidOf(in.ObjectGUID.Value))
	return facts{
		"ClassName": names.TypeName(node.Object), "HierarchicalGUID": hierarchy(node), "ObjectDN": node.DN, "Revision": node.Revision,
	}, err
}

// idInfo serves POST vedsdk/Config/IdInfo.
func (a *api) idInfo(c *call, in *configQuery) (facts, error) {
	node, err := a.core.ObjectByNumber(c.Context(), c.who(), in.ObjectID.Value)
	return facts{
		"ClassName": names.TypeName(node.Object), "GUID": braced(node.ID), "HierarchicalGUID": hierarchy(node), "ObjectDN": node.DN,
		"Revision": node.Revision,
	}, err
}

// isValid serves POST vedsdk/Config/IsValid: is there such an object?
func (a *api) isValid(c *call, in *configQuery) (facts, error) {
	var node core.Node
	var err error
	if in.given("ObjectDN") {
		node, err = a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	} else {
		node, err = a.core.ObjectByID(c.Context(), c.who(), guidOf(in.ObjectGUID.Value))
	}
	return facts{"Object": configObject(node)}, err
}

// defaultDN serves GET vedsdk/Config/DefaultDN.
func (a *api) defaultDN(*call) answer { return configResults.ok(facts{"DefaultDN": clm.PolicyDN}) }

// revision serves POST vedsdk/Config/GetRevision.
func (a *api) revision(c *call, in *configQuery) (facts, error) {
	node, err := a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	return facts{"Revision": node.Revision}, err
}

// highestRevision serves POST vedsdk/Config/GetHighestRevision.
func (a *api) highestRevision(c *call, in *configQuery) (facts, error) {
	defs, err := in.classes()
	if err != nil {
		return nil, err
	}
	highest, err := a.core.HighestRevision(c.Context(), c.who(), in.ObjectDN.Value, defs.ours())
	return facts{"Revision": highest}, err
}

// containable serves POST vedsdk/Config/ContainableClasses.
func (a *api) containable(c *call, in *configQuery) (facts, error) {
	node, err := a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	if err != nil {
		return nil, err
	}
	classes := []string{}
	if def, ok := names.ClassNamed(names.TypeName(node.Object)); ok {
		for _, child := range def.Contains() {
			classes = append(classes, child.Name)
		}
	}
	return facts{"ClassNames": classes}, nil
}

// configObject is an object on the wire.
func configObject(n core.Node) map[string]any {
	return map[string]any{
		"AbsoluteGUID": hierarchy(n), "DN": n.DN, "GUID": braced(n.ID), "Id": n.Number, "Name": n.DN.Name(), "Parent": n.DN.Parent(),
		"Revision": n.Revision, "TypeName": names.TypeName(n.Object),
	}
}

// hierarchy is the GUIDs from the root down to the object, written together.
func hierarchy(n core.Node) string {
	var b strings.Builder
	for _, id := range n.Above {
		b.WriteString(braced(id))
	}
	return b.String() + braced(n.ID)
}

// classNamed finds a class by the vendor's name.
func classNamed(name lenient.String) (*names.ClassDef, error) {
	def, ok := names.ClassNamed(name.Trimmed())
	if !ok {
		return nil, clm.Fail(clm.NotFound, fieldNoClass, name.Value)
	}
	return def, nil
}

// pattern reads the pattern that names or DNs are to fit.
func pattern(s lenient.String) (clm.Pattern, error) { return clm.ParsePattern(s.Trimmed()) }
