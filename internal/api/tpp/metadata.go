package tpp

import (
	"net/http"
	"reflect"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// metadataRoutes are the calls about custom fields.
var metadataRoutes = []route{
	{"POST", "/vedsdk/metadata/defineitem", needs("configuration:manage"), read((*api).defineItem)},
	{"POST", "/vedsdk/metadata/undefineitem", needs("configuration:delete", "configuration:manage"), read((*api).undefineItem)},
	{"POST", "/vedsdk/metadata/updateitem", needs("configuration:manage"), read((*api).updateItem)},
	{"GET", "/vedsdk/metadata/items", anyToken, (*api).items},
	{"POST", "/vedsdk/metadata/getitems", anyToken, read((*api).itemsOf)},
	{"POST", "/vedsdk/metadata/getitemsforclass", anyToken, read((*api).itemsForClass)},
	{"POST", "/vedsdk/metadata/getitemguids", anyToken, read((*api).itemGUIDs)},
	{"POST", "/vedsdk/metadata/getpolicyitems", anyToken, read((*api).policyItems)},
	{"POST", "/vedsdk/metadata/finditem", anyToken, read((*api).findItem)},
	{"POST", "/vedsdk/metadata/find", anyToken, read((*api).findValues)},
	{"POST", "/vedsdk/metadata/loaditem", needs("configuration"), read((*api).loadItem)},
	{"POST", "/vedsdk/metadata/loaditemguid", needs("configuration"), read((*api).loadItemGUID)},
	{"POST", "/vedsdk/metadata/get", anyToken, read((*api).metadataGet)},
	{"POST", "/vedsdk/metadata/readeffectivevalues", anyToken, read((*api).effectiveValues)},
	{"POST", "/vedsdk/metadata/readpolicy", anyToken, read((*api).readItemPolicy)},
	{"POST", "/vedsdk/metadata/set", needs("any:manage"), read((*api).metadataSet)},
	{"POST", "/vedsdk/metadata/setpolicy", needs("any:manage"), read((*api).setItemPolicy)},
}

// itemLocked is the result of a change of what policy says.
const itemLocked = 22

// metadataResults are the results of the Metadata calls (page Metadata Result Codes).
var metadataResults = &results{
	done: 0,
	names: map[int]string{
		2: "InvalidDN", 3: "InvalidName", 4: "InvalidItem", 5: "InvalidClass", 6: "InvalidMetadataObject", 7: "InvalidRights", 8: "ItemIsNull",
		9: "ItemAlreadyExists", 10: "ItemTypeUnknown", 14: "MetadataInUse", 15: "NoAllowedValues", 16: "AllowedValueDoesNotExist",
		17: "ValueNotInAllowedList", 18: "ItemNotValidForClass", 19: "NameTooLong", 21: "ConfigDnNotContainer", itemLocked: "InvalidPolicyState",
	},
	rules: []resultRule{
		{clm.NotFound, fieldCustom, 4},
		{clm.NotFound, "", 2},
		{clm.Invalid, "dn", 2},
		{clm.Invalid, "name", 3},
		{clm.Invalid, "name/long", 19},
		{clm.Invalid, string(clm.FieldClasses), 5},
		{clm.Invalid, string(clm.FieldKind), 10},
		{clm.Invalid, string(clm.FieldValues), 15},
		{clm.Invalid, string(clm.FieldDefaults), 16},
		{clm.Invalid, "choice", 17},
		{clm.Invalid, "", 4},
		{clm.Unsupported, "class", 6},
		{clm.Unsupported, fieldCustom, 18},
		{clm.Unsupported, "container", 21},
		{clm.Unsupported, "policyable", itemLocked},
		{clm.Exists, "field-data", 14},
		{clm.Exists, "", 9},
		{clm.Denied, fieldCustom, itemLocked},
		{clm.Denied, "", 7},
	},
}

var stringListType = reflect.TypeFor[lenient.StringList]()

// itemsDone is a success; Locked is always said.
func itemsDone(more map[string]any) answer {
	body := map[string]any{"Locked": false}
	for name, value := range more {
		body[name] = value
	}
	return metadataResults.ok(body)
}

// refuseItem answers a failure, with the empty lists that clients look for.
func (a *api) refuseItem(c *call, doing string, err error, lists ...string) answer {
	ans := metadataResults.refuse(a, c, doing, err, lists...)
	if e := clm.AsError(err); e.Kind == clm.Denied && e.Field == fieldCustom {
		ans.body.(map[string]any)["Locked"] = true
	}
	return ans
}

// lacks answers a call without a member that it needs.
func lacks(member string) answer {
	return oauthError(http.StatusBadRequest, "invalid_request", member+" is required.")
}

// itemQuery is what the calls take that ask about custom fields.
type itemQuery struct {
	DN          lenient.String
	All         lenient.Bool
	Item        itemRef
	ItemGuid    itemRef
	Value       lenient.String
	Name        lenient.String
	Type        lenient.String
	ConfigClass lenient.String
	RemoveData  lenient.Bool
}

// metadataGet serves POST vedsdk/Metadata/Get: the custom fields of an object that
// have a value, or with All each that it may have.
func (a *api) metadataGet(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	fields, err := a.core.Fields(c.Context(), c.who(), in.DN.Value, in.All.Value)
	if err != nil {
		return a.refuseItem(c, "Get metadata values", err)
	}
	data, locked := []any{}, false
	for _, f := range fields {
		data = append(data, map[string]any{"Key": metadataItem(f.Field), "Value": list(f.Values)})
		locked = locked || f.Locked
	}
	return itemsDone(map[string]any{"Data": data, "Locked": locked})
}

// itemGUIDs serves POST vedsdk/Metadata/GetItemGuids.
func (a *api) itemGUIDs(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	fields, err := a.core.Fields(c.Context(), c.who(), in.DN.Value, false)
	if err != nil {
		return a.refuseItem(c, "Get metadata item GUIDs", err)
	}
	guids := []string{}
	for _, f := range fields {
		guids = append(guids, braced(f.ID))
	}
	return itemsDone(map[string]any{"ItemGuids": guids})
}

// items serves GET vedsdk/Metadata/Items.
func (a *api) items(c *call) answer {
	fields, err := a.core.CustomFields(c.Context())
	if err != nil {
		return a.refuseItem(c, "Get metadata items", err)
	}
	return itemsDone(map[string]any{"Items": metadataItems(fields)})
}

// itemsOf serves POST vedsdk/Metadata/GetItems.
func (a *api) itemsOf(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	fields, err := a.core.FieldsOf(c.Context(), c.who(), in.DN.Value)
	if err != nil {
		return a.refuseItem(c, "Get metadata items", err)
	}
	return itemsDone(map[string]any{"Items": metadataItems(fields)})
}

// itemsForClass serves POST vedsdk/Metadata/GetItemsForClass, with which VenafiPS
// begins every session.
func (a *api) itemsForClass(c *call, in *itemQuery) answer {
	if in.ConfigClass.Trimmed() == "" {
		return lacks("ConfigClass")
	}
	const doing = "Get metadata items for class"
	def, ok := names.ClassNamed(in.ConfigClass.Trimmed())
	if !ok {
		return metadataResults.fail(5, doing)
	}
	fields, err := a.core.CustomFieldsFor(c.Context(), def.Class)
	if err != nil {
		return a.refuseItem(c, doing, err)
	}
	return itemsDone(map[string]any{"Items": metadataItems(fields)})
}

// policyItems serves POST vedsdk/Metadata/GetPolicyItems.
func (a *api) policyItems(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	ruled, err := a.core.RuledFields(c.Context(), c.who(), in.DN.Value)
	if err != nil {
		return a.refuseItem(c, "Get metadata policy items", err)
	}
	list := []any{}
	for _, r := range ruled {
		list = append(list, map[string]any{"Key": names.ClassName(r.Class), "Value": metadataItems(r.Fields)})
	}
	return itemsDone(map[string]any{"PolicyItems": list})
}

// findItem serves POST vedsdk/Metadata/FindItem.
func (a *api) findItem(c *call, in *itemQuery) answer {
	if in.Name.Trimmed() == "" {
		return lacks("Name")
	}
	f, err := a.core.FindField(c.Context(), in.Name.Trimmed())
	if err != nil {
		return a.refuseItem(c, "Find metadata item", err)
	}
	return itemsDone(map[string]any{"ItemGuid": braced(f.ID)})
}

// findValues serves POST vedsdk/Metadata/Find: the objects that have a value of their
// own for a custom field.
func (a *api) findValues(c *call, in *itemQuery) answer {
	const doing = "Find metadata values"
	id, err := a.itemID(c, in.ItemGuid, in.Item)
	if err != nil {
		return a.refuseItem(c, doing, err, "Objects")
	}
	if id == "" {
		return metadataResults.fail(8, doing, "Objects")
	}
	nodes, err := a.core.FieldHolders(c.Context(), c.who(), id, in.Value.Value)
	if err != nil {
		return a.refuseItem(c, doing, err, "Objects")
	}
	objects := []any{}
	for _, n := range nodes {
		objects = append(objects, configObject(n))
	}
	return itemsDone(map[string]any{"Objects": objects})
}

// itemID is the GUID of the custom field that one of the members names, if one does.
// Those that are known by their DN, name or label are looked up.
func (a *api) itemID(c *call, refs ...itemRef) (clm.ObjectID, error) {
	for _, r := range refs {
		if id := r.id(); id != "" {
			return id, nil
		}
	}
	for _, r := range refs {
		name := r.name()
		if dn, err := clm.ParseDN(name); err == nil {
			name = dn.Name()
		}
		if name != "" {
			f, err := a.core.FindField(c.Context(), name)
			return f.ID, err
		}
	}
	return "", nil
}

// loadItem serves POST vedsdk/Metadata/LoadItem.
func (a *api) loadItem(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	f, err := a.core.LoadField(c.Context(), c.who(), in.DN.Value)
	if err != nil {
		return a.refuseItem(c, "Load metadata item", err)
	}
	return itemsDone(map[string]any{"Item": metadataItem(f)})
}

// loadItemGUID serves POST vedsdk/Metadata/LoadItemGuid.
func (a *api) loadItemGUID(c *call, in *itemQuery) answer {
	if in.DN.Trimmed() == "" {
		return lacks("DN")
	}
	f, err := a.core.LoadField(c.Context(), c.who(), in.DN.Value)
	if err != nil {
		return a.refuseItem(c, "Load metadata item GUID", err)
	}
	return itemsDone(map[string]any{"ItemGuid": braced(f.ID)})
}

// effectiveValues serves POST vedsdk/Metadata/ReadEffectiveValues.
func (a *api) effectiveValues(c *call, in *itemQuery) answer {
	switch {
	case in.DN.Trimmed() == "":
		return lacks("DN")
	case in.ItemGuid.text == "":
		return lacks("ItemGuid")
	}
	says, err := a.core.FieldValue(c.Context(), c.who(), in.DN.Value, guidOf(in.ItemGuid.text))
	if err != nil {
		return a.refuseItem(c, "Read effective metadata values", err, "Values")
	}
	body := facts{"Locked": says.Locked, "Values": list(says.Values)}
	body.add("PolicyDn", string(says.From))
	return itemsDone(body)
}

// readItemPolicy serves POST vedsdk/Metadata/ReadPolicy.
func (a *api) readItemPolicy(c *call, in *itemQuery) answer {
	const doing = "Read metadata policy"
	switch {
	case in.DN.Trimmed() == "":
		return lacks("DN")
	case in.ItemGuid.text == "":
		return lacks("ItemGuid")
	case in.Type.Trimmed() == "":
		return lacks("Type")
	}
	def, ok := names.ClassNamed(in.Type.Trimmed())
	if !ok {
		return metadataResults.fail(5, doing, "Values")
	}
	rule, err := a.core.FieldRule(c.Context(), c.who(), in.DN.Value, guidOf(in.ItemGuid.text), def.Class)
	if err != nil {
		return a.refuseItem(c, doing, err, "Values")
	}
	return itemsDone(map[string]any{"Locked": rule.Locked, "Values": list(rule.Values)})
}

// itemChange is what the calls take that give custom fields values.
type itemChange struct {
	DN           lenient.String
	ConfigClass  lenient.String
	KeepExisting lenient.Bool
	Locked       lenient.Bool
	GuidData     []struct {
		ItemGuid lenient.String
		List     lenient.StringList
	}
}

func (in *itemChange) sets() (sets []core.FieldSet) {
	for _, d := range in.GuidData {
		sets = append(sets, core.FieldSet{ID: guidOf(d.ItemGuid.Value), Values: d.List.NonEmpty()})
	}
	return sets
}

// lacking is the member that is not there; empty when all are.
func (in *itemChange) lacking() string {
	switch {
	case in.DN.Trimmed() == "":
		return "DN"
	case in.GuidData == nil:
		return "GuidData"
	}
	for _, d := range in.GuidData {
		if d.ItemGuid.Trimmed() == "" {
			return "ItemGuid"
		}
	}
	return ""
}

// metadataSet serves POST vedsdk/Metadata/Set.
func (a *api) metadataSet(c *call, in *itemChange) answer {
	if member := in.lacking(); member != "" {
		return lacks(member)
	}
	if err := a.core.SetFields(c.Context(), c.who(), in.DN.Value, in.sets(), in.KeepExisting.Value); err != nil {
		return a.refuseItem(c, "Set metadata values", err)
	}
	return itemsDone(nil)
}

// setItemPolicy serves POST vedsdk/Metadata/SetPolicy.
func (a *api) setItemPolicy(c *call, in *itemChange) answer {
	const doing = "Set metadata policy"
	if member := in.lacking(); member != "" {
		return lacks(member)
	}
	if in.ConfigClass.Trimmed() == "" {
		return lacks("ConfigClass")
	}
	class, ok := fieldClass(in.ConfigClass.Trimmed())
	if !ok {
		return metadataResults.fail(5, doing)
	}
	err := a.core.SetFieldRules(c.Context(), c.who(), core.FieldRules{DN: in.DN.Value, Class: class, Sets: in.sets(), Locked: in.Locked.Value})
	if err != nil {
		return a.refuseItem(c, doing, err)
	}
	return itemsDone(nil)
}
