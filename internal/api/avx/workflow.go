package avx

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/core"
)

var workflowRoutes = []route{
	{method: http.MethodPost, name: "visualworkflow-submit-request", function: mayCreate, handle: read((*api).submitRequest)},
	{method: http.MethodPost, name: "visualworkflow-search-data", function: mayView, handle: read((*api).searchRequests)},
}

// createWorkflow is the name of the workflow that makes a certificate and has it put where
// it is used, as far as its group is for that. In any case of letters.
const createWorkflow = "create certificate and push"

// A submission body is what submits a request to a workflow.
type submissionBody struct {
	Payload struct {
		Header struct {
			WorkflowName text `json:"workflowName"`
		} `json:"header"`
		Data struct {
			Input struct {
				RequestData []struct {
					FieldInfo fields `json:"fieldInfo"`
				} `json:"requestData"`
			} `json:"input"`
		} `json:"data"`
	} `json:"payload"`
}

// fields are the values of a form by their names. What is no text, number or yes or no is
// not read.
type fields map[string]fieldText

// A fieldText is the value of a field as text.
type fieldText string

// UnmarshalJSON does not fail.
func (f *fieldText) UnmarshalJSON(data []byte) error {
	var s lenient.String
	if *f = ""; s.UnmarshalJSON(data) == nil {
		*f = fieldText(s.Trimmed())
	}
	return nil
}

// first is the first of the fields that says something.
func (f fields) first(names ...string) string {
	for _, name := range names {
		for known, value := range f {
			if strings.EqualFold(known, name) && value != "" {
				return string(value)
			}
		}
	}
	return ""
}

// creation is the certificate that the fields ask for, as certificate/create takes it.
func (f fields) creation() (in *creation, err error) {
	type object = map[string]any
	body, err := json.Marshal(object{
		"certificateGroup": object{"name": f.first("certificate_group_name", "group_name")},
		"caConnectorInfo": object{
			"certificateAuthority": f.first("certificate_authority", "ca_name"),
			"caSettingName":        f.first("ca_setting_name"),
			"certificateType":      f.first("certificate_type"),
			"validityUnit":         f.first("validity_unit"),
			"validityUnitValue":    f.first("validity_unit_value"),
			"csrParameters": object{
				"commonName":       f.first("common_name", "cn"),
				"hashFunction":     f.first("hash_algorithm"),
				"keyType":          f.first("key_type"),
				"bitLength":        f.first("key_bit_length"),
				"enhancedSANTypes": object{"dNSNames": namesIn(f.first("dns_names", "dns", "san"))},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	in = &creation{isForm: true}
	return in, lenient.Decode(strings.NewReader(string(body)), maxBody, in)
}

// namesIn are the names in a list that is separated by commas.
func namesIn(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
}

// A submittedReply is what a client is told of a request that it has submitted.
type submittedReply struct {
	WorkOrderID     string `json:"workorderId"`
	RequestType     string `json:"requestType"`
	RequestID       string `json:"requestId"`
	WorkflowVersion string `json:"workflowVersion"`
	Message         string `json:"message"`
	Status          string `json:"status"`
	StatusCode      int    `json:"statusCode"`
}

// submitRequest submits a request to a workflow. There is one, whose request is the order
// for the certificate.
func (a *api) submitRequest(c *call, in *submissionBody) answer {
	name := string(in.Payload.Header.WorkflowName)
	switch {
	case name == "":
		return fail(mandatory("workflowName"))
	case !strings.EqualFold(name, createWorkflow):
		return fail(noRecords)
	case len(in.Payload.Data.Input.RequestData) == 0:
		return fail(mandatory("requestData"))
	}
	made, err := in.Payload.Data.Input.RequestData[0].FieldInfo.creation()
	if err != nil {
		return fail(badPayload)
	}
	c.query.isSync = false // it is followed by its log
	begun := a.create(c, made)
	ids, isBegun := begun.Response.(map[string]string)
	if !isBegun {
		return begun
	}
	id, says := ids["requestId"], stateWords[core.OrderOpen]
	done := ok(http.StatusOK, submittedReply{
		wholeOrder, workflows[core.ActionCreate].requestType, id, workflowVersion,
		"Workflow Request is created with Id " + id + " . Request submitted to workflow engine for processing workorder.", says.status, says.code,
	}, textDone)
	done.Tags, done.Headers = nil, map[string]string{"X-WorkFlowName": name}
	return done
}

// How many requests are listed.
const (
	defaultPage = 10
	maxPage     = core.MaxOrders
)

// A requestSearch is which requests are to be listed. Pages count from one.
type requestSearch struct {
	searchParts
	Payload *searchParts `json:"payload"`
}

type searchParts struct {
	PageIndex lenient.Int64 `json:"pageIndex"`
	PageSize  lenient.Int64 `json:"pageSize"`
	Query     struct {
		WorkflowName text `json:"workflowName"`
	} `json:"query"`
}

// searchRequests lists requests, the newest first: those of one workflow, or all.
func (a *api) searchRequests(c *call, in *requestSearch) answer {
	p := in.searchParts
	if in.Payload != nil {
		p = *in.Payload
	}
	for _, n := range []struct {
		name string
		of   lenient.Int64
	}{{"pageIndex", p.PageIndex}, {"pageSize", p.PageSize}} {
		if n.of.Wrong != "" || n.of.Value < 0 {
			return fail(mandatory(n.name))
		}
	}
	size := int(min(p.PageSize.Value, maxPage))
	if size == 0 {
		size = defaultPage
	}
	name := string(p.Query.WorkflowName)
	found, err := a.core.FindOrders(c.Context(), c.who(), core.OrdersWanted{
		Suits: func(o core.Order) bool { return name == "" || strings.EqualFold(name, workflows[o.Kind()].name) },
		Skip:  size * int(min(max(p.PageIndex.Value, 1)-1, maxPage)), Most: size,
	})
	if err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(http.StatusOK, map[string][]requestLog{"requestList": logsOf(found)}, textDone)
}
