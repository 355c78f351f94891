package avx

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var attributeRoutes = []route{
	{method: http.MethodPost, name: "certificate/attribute", function: mayManage, handle: read(define((*core.Core).DefineFields, "Certificate attribute added successfully"))},
	{method: http.MethodPut, name: "certificate/attribute", function: mayManage, handle: read(define((*core.Core).UpdateFields, "Certificate attribute updated successfully"))},
	{method: http.MethodDelete, name: "certificate/attribute", function: mayManage, handle: read((*api).undefine)},
	{method: http.MethodPost, name: "certificate/attributeValues", function: mayManage, handle: read(say("Certificate attribute values added successfully", (*saidBody).values))},
	{method: http.MethodPut, name: "certificate/attributeValues", function: mayManage, handle: read(say("Certificate attribute values updated successfully", (*saidBody).values))},
	{method: http.MethodDelete, name: "certificate/attributeValues", function: mayManage, handle: read(say("Certificate attribute values deleted successfully", (*saidBody).cleared))},
}

// An attributeBody is an attribute that certificates have.
type attributeBody struct {
	Name      lenient.String
	Label     lenient.String
	Value     lenient.StringList // what forms begin with
	Mandatory lenient.Bool
}

// attributesBody is a list of them, in whichever wrapping.
type attributesBody = wrapped[attributeBody]

// attributeName is what names and labels look like.
var attributeName = regexp.MustCompile(`^[\pL\pN][\pL\pN _-]*$`)

// definitions are the attributes as they are to be. refused says which member makes no
// sense.
func definitions(list attributesBody) (all []core.FieldDefinition, refused *failure) {
	if len(list) == 0 {
		return nil, new(mandatory("name"))
	}
	for _, in := range list {
		d := core.FieldDefinition{Name: in.Name.Trimmed(), Label: in.Label.Trimmed(), Defaults: trimmed(in.Value), Required: in.Mandatory.Value}
		switch {
		case !attributeName.MatchString(d.Name):
			return nil, new(mandatory("name"))
		case !attributeName.MatchString(d.Label):
			return nil, new(mandatory("label"))
		case !areLegible(d.Defaults):
			return nil, new(mandatory("value"))
		}
		all = append(all, d)
	}
	return all, nil
}

// A definedAttribute is an attribute as it is there.
type definedAttribute struct {
	ID        string `json:"_id"`
	Name      string `json:"name"`
	Label     string `json:"label"`
	Type      string `json:"type"`
	Value     string `json:"value"`
	Mandatory bool   `json:"mandatory"`
	Category  string `json:"category"`
	SearchKey string `json:"searchKey"`
}

// A definedReply says which attributes have come to be as they were to be.
type definedReply struct {
	Successful []definedAttribute `json:"successfullGenericFields"`
	Failed     []definedAttribute `json:"failedGenericFields"`
	Available  []definedAttribute `json:"alreadyAvailableGenericFields"`
}

// attributeWords are how failures read of attributes and their values.
var attributeWords = union(recordWords, words{
	{clm.Exists, "custom-field"}:      cannot("Certificate attribute already exists."),
	{clm.Exists, "field-data"}:        cannot("Certificate attribute is in use."),
	{clm.NotFound, "custom-field"}:    noRecords,
	{kind: clm.Denied}:                accessDenied,
	{clm.Denied, "read-only"}:         readGroup,
	{clm.Denied, "custom-field"}:      cannot("The value of the attribute is determined by the policy of the group."),
	{clm.Denied, "locked"}:            cannot("The status of the certificate is determined by the policy of the group."),
	{clm.Unsupported, "custom-field"}: mandatory("attributeValues"),
	{clm.Invalid, "custom-field"}:     mandatory("attributeValues"),
	{clm.Invalid, "choice"}:           mandatory("attributeValues"),
	{clm.Invalid, "value"}:            mandatory("attributeValues"),
	{clm.Invalid, "number"}:           mandatory("resourceIdList"),
	{clm.Invalid, "record"}:           mandatory("resourceIdList"),
	{kind: clm.Invalid}:               mandatory("name"),
	{kind: clm.Busy}:                  openOrders,
})

// define makes a handler of what makes attributes or changes them.
func define(do fieldsAct, said string) func(*api, *call, *attributesBody) answer {
	return func(a *api, c *call, in *attributesBody) answer {
		all, refused := definitions(*in)
		if refused != nil {
			return fail(*refused)
		}
		made, err := do(a.core, c.Context(), c.who(), all)
		if err != nil {
			return a.refuse(c, attributeWords, err)
		}
		done := definedReply{Successful: []definedAttribute{}, Failed: []definedAttribute{}, Available: []definedAttribute{}}
		for _, f := range made {
			done.Successful = append(done.Successful, definedAttribute{
				ID: string(f.ID), Name: f.DN.Name(), Label: f.Label, Type: f.Kind, Value: strings.Join(f.Defaults, ","), Mandatory: f.Required,
				Category: "certAttributes", SearchKey: f.DN.Name(),
			})
		}
		return ok(http.StatusAccepted, done, said)
	}
}

// undefine removes attributes, and what certificates say of them.
func (a *api) undefine(c *call, in *attributesBody) answer {
	var names []string
	for _, at := range *in {
		if name := at.Name.Trimmed(); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return fail(mandatory("name"))
	}
	if err := a.core.UndefineFields(c.Context(), c.who(), names); err != nil {
		return a.refuse(c, attributeWords, err)
	}
	return ok(http.StatusAccepted, true, "Certificate attribute deleted successfully")
}

// fieldStatus is the value by which certificates are managed or only looked at.
const fieldStatus = "avxStatus"

// saidBody says something of certificates, or what is not to be said of them any more.
type saidBody struct {
	ResourceIDList  lenient.StringList `json:"resourceIdList"`
	ResourceIDs     lenient.StringList `json:"resourceIds"`
	ResourceID      lenient.StringList `json:"resourceId"`
	CertificateUUID lenient.StringList `json:"certificateUuid"`
	AttributeValues valuesOrNames
	CertAttributes  valuesOrNames
}

// eachOf are the values of a list, of which several may stand in one, with commas.
func eachOf(lists ...lenient.StringList) (values []string) {
	for _, list := range lists {
		for _, v := range trimmed(list) {
			for one := range strings.SplitSeq(v, ",") {
				if one = strings.TrimSpace(one); one != "" {
					values = append(values, one)
				}
			}
		}
	}
	return values
}

// of is what is said, without the values.
func (in *saidBody) of() (s core.SayOf) {
	for _, id := range eachOf(in.ResourceIDList, in.ResourceIDs, in.ResourceID) {
		s.Records = append(s.Records, core.RecordRef{ID: id})
	}
	s.UUIDs, s.NoteAs = eachOf(in.CertificateUUID), noted
	return s
}

// said are the attributes, wherever they stand.
func (in *saidBody) said() attributes {
	all := attributes{}
	maps.Copy(all, in.CertAttributes.values)
	maps.Copy(all, in.AttributeValues.values)
	return all
}

// values is what is said, with the values.
func (in *saidBody) values() (s core.SayOf, refused *failure) {
	s = in.of()
	all := in.said()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key := strings.TrimSpace(name)
		switch {
		case key == "" || len(key) > maxNoteName || len(all) > maxNotes, !isLine(key), !areLegible(all[name].Values):
			return s, new(mandatory("attributeValues"))
		case strings.EqualFold(key, fieldStatus):
			var known bool
			if s.Managed, known = readStatus(strings.Join(all[name].Values, "")); !known || s.Managed == nil {
				return s, new(mandatory(fieldStatus))
			}
		default:
			s.Values = append(s.Values, core.FieldValues{Name: key, Values: trimmed(all[name])})
		}
	}
	if len(all) == 0 {
		return s, new(mandatory("attributeValues"))
	}
	return s, nil
}

// cleared is what is said, with the attributes that are to have no value any more.
func (in *saidBody) cleared() (s core.SayOf, refused *failure) {
	s = in.of()
	for _, name := range slices.Sorted(maps.Keys(in.said())) {
		if key := strings.TrimSpace(name); key != "" && !strings.EqualFold(key, fieldStatus) {
			s.Values = append(s.Values, core.FieldValues{Name: key})
		}
	}
	if len(s.Values) == 0 {
		return s, new(mandatory("attributeValues"))
	}
	return s, nil
}

// say makes a handler of what is said of certificates.
func say(message string, read func(*saidBody) (core.SayOf, *failure)) func(*api, *call, *wrapped[saidBody]) answer {
	return func(a *api, c *call, in *wrapped[saidBody]) answer {
		if len(*in) == 0 {
			return fail(mandatory("resourceIdList"))
		}
		var all []core.SayOf
		for _, one := range *in {
			s, refused := read(&one)
			if refused != nil {
				return fail(*refused)
			}
			if len(s.Records)+len(s.UUIDs) == 0 {
				return fail(mandatory("resourceIdList"))
			}
			all = append(all, s)
		}
		if err := a.core.Say(c.Context(), c.who(), all); err != nil {
			return a.refuseRecords(c, attributeWords, err)
		}
		return ok(http.StatusAccepted, true, message)
	}
}
