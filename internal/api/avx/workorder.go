package avx

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var workOrderRoutes = []route{
	{method: http.MethodPost, name: "certificate/workorder/update", function: mayApprove, handle: read((*api).updateWorkOrder)},
	{method: http.MethodPost, name: "visualworkflow-update-request", function: mayApprove, handle: read((*api).updateWorkOrder)},
	{method: http.MethodPost, name: "visualworkflow-get-request-current-task-details", function: mayView, handle: read((*api).currentTask)},
}

// wholeOrder is the number of the only work order that a request has.
const wholeOrder = "0"

// readRequestID reads the number of a request, with the letter in front that lists of
// certificates have, or without it.
func readRequestID(s string) (id clm.WorkID, isNumber bool) {
	s = strings.TrimSpace(s)
	if len(s) > 0 && (s[0] == 'R' || s[0] == 'r') {
		s = s[1:]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return clm.WorkID(n), err == nil && n > 0
}

// A taskBody is what a client says about a task of a request. Some wrap it once more.
type taskBody struct {
	taskParts
	Payload *taskParts `json:"payload"`
}

type taskParts struct {
	Data struct {
		Action   lenient.String `json:"task_action"`
		Comments text           `json:"comments"`
	} `json:"data"`
	Header struct {
		Request   lenient.String `json:"request_id"`
		WorkOrder lenient.String `json:"workorder_id"`
		Task      lenient.String `json:"task_id"`
	} `json:"header"`
}

// parts are what was said, wrapped or not.
func (b *taskBody) parts() taskParts {
	if b.Payload != nil {
		return *b.Payload
	}
	return b.taskParts
}

// taskActions say yes or no: the numbers of the product, and the words of those who use it.
var taskActions = map[string]bool{
	"1": true, "approve": true, "implement": true, "approved": true, "implemented": true,
	"2": false, "reject": false, "rejected": false,
}

// A gateTask is how a gate is called: the ID that is told, and those that are accepted.
type gateTask struct {
	id, name string
	accepted []string
}

// gateTasks are the tasks of an order that its asker wants approved.
var gateTasks = map[string]gateTask{
	core.GateApprove:   {"approve_1", "Approve Request", []string{"approve_1", "approval_1", "review_1"}},
	core.GateImplement: {"review_1", "Implement Request", []string{"review_1", "implement_1"}},
}

// otherTask is the task of any other gate. It is approved, and no more.
var otherTask = gateTask{"review_1", "Review Request", []string{"approve_1", "approval_1", "review_1", "implement_1"}}

// anyTask is accepted for whichever gate comes next.
const anyTask = "reviewComponent_1"

// taskOf is the task of the gate with the name.
func taskOf(gate string) gateTask {
	if t, known := gateTasks[gate]; known {
		return t
	}
	return otherTask
}

func (t gateTask) accepts(id string) bool {
	return strings.EqualFold(id, anyTask) || slices.ContainsFunc(t.accepted, func(a string) bool { return strings.EqualFold(id, a) })
}

// isTask reports whether some task may be called so.
func isTask(id string) bool {
	return otherTask.accepts(id)
}

// A requestReply tells how a request stands.
type requestReply struct {
	RequestID   string `json:"requestId"`
	WorkOrderID string `json:"workorderId"`
	Message     string `json:"message"`
	Status      string `json:"status"`
	StatusCode  int    `json:"statusCode"`
}

// updateWorkOrder approves, implements or rejects a request: what the action means is what
// the request waits for.
func (a *api) updateWorkOrder(c *call, in *taskBody) answer {
	p := in.parts()
	yes, known := taskActions[strings.ToLower(p.Data.Action.Trimmed())]
	task := p.Header.Task.Trimmed()
	switch {
	case !known:
		return fail(mandatory("task_action"))
	case p.Header.Request.Trimmed() == "":
		return fail(mandatory("request_id"))
	case p.Header.WorkOrder.Trimmed() == "":
		return fail(mandatory("workorder_id"))
	case !isTask(task):
		return fail(mandatory("task_id"))
	case !isTextOrNone(p.Data.Comments):
		return fail(mandatory("comments"))
	}
	id, isNumber := readRequestID(p.Header.Request.Value)
	if !isNumber || p.Header.WorkOrder.Trimmed() != wholeOrder {
		return fail(noRecords)
	}
	o, err := a.core.DecideOrder(c.Context(), c.who(), core.OrderDecision{
		Order: id, Gate: func(g clm.Gate) bool { return taskOf(g.Name).accepts(task) }, Yes: yes, Said: string(p.Data.Comments),
	})
	if err != nil {
		return a.refuse(c, decisionWords, err)
	}
	says := stateWords[o.State]
	return ok(http.StatusOK, requestReply{requestID(o.ID), wholeOrder, said(yes), says.status, says.code}, textDone)
}

// said is what the client is told of its decision.
func said(yes bool) string {
	if yes {
		return "Request has been approved successfully."
	}
	return "Request has been rejected successfully."
}

// textDone is the message of calls that have nothing more to say.
const textDone = "Success"

// decisionWords are how it reads that a decision was not taken.
var decisionWords = words{
	{kind: clm.NotFound}:      noRecords,
	{clm.Denied, "read-only"}: readGroup,
	{kind: clm.Denied}:        accessDenied,
	{kind: clm.Unnecessary}:   cannot("No task is pending for the request."),
	{clm.Invalid, "gate"}:     mandatory("task_id"),
}

// A taskReply tells what a request waits for.
type taskReply struct {
	RequestID   string   `json:"requestId"`
	WorkOrderID string   `json:"workorderId"`
	TaskID      string   `json:"task_id"`
	TaskName    string   `json:"task_name"`
	TaskStatus  string   `json:"task_status"`
	State       int      `json:"state"`
	TaskIDs     []string `json:"acceptedTaskIds"`
}

// currentTask tells what a request waits for, and by which names that may be called.
func (a *api) currentTask(c *call, in *taskBody) answer {
	p := in.parts()
	if p.Header.Request.Trimmed() == "" {
		return fail(mandatory("request_id"))
	}
	var found []core.Order
	order := p.Header.WorkOrder.Trimmed()
	if id, isNumber := readRequestID(p.Header.Request.Value); isNumber && (order == "" || order == wholeOrder) {
		var err error
		if found, err = a.core.Orders(c.Context(), c.who(), []clm.WorkID{id}); err != nil {
			return a.refuse(c, nil, err)
		}
	}
	if len(found) == 0 {
		return fail(noRecords)
	}
	gate, waits := found[0].Next()
	if !waits {
		return fail(decisionWords[way{kind: clm.Unnecessary}])
	}
	t, says := taskOf(gate.Name), stateWords[core.OrderOpen]
	return ok(http.StatusOK, taskReply{requestID(found[0].ID), wholeOrder, t.id, t.name, says.status, says.code, t.accepted}, textDone)
}
