package avx

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var requestLogRoutes = []route{
	{method: http.MethodGet, name: "visualworkflow-request-logs", function: mayView, handle: (*api).requestLogs},
}

// noRequest is the failure of a call that names no request.
var noRequest = failure{http.StatusBadRequest, "WORKFLOW_1300", "Workflow Request ID is Mandatory."}

// stateWord is how a state of an order reads: of the request and of the task that it has
// come to, in the message, and in the last line of the log of a task that has failed,
// before which the reason stands.
type stateWord struct {
	code    int
	status  string
	message string
	closing string
}

// stateWords are how the states of orders read.
var stateWords = map[core.OrderState]stateWord{
	core.OrderOpen:      {0, "In Progress", "Request is in progress.", ""},
	core.OrderDone:      {1, "Success", "Request has been completed successfully.", ""},
	core.OrderFailed:    {2, "Failed", "Request has failed.", "The task has failed."},
	core.OrderRejected:  {3, "Rejected", "Request has been rejected.", "The task has been rejected."},
	core.OrderCancelled: {8, "Cancelled", "Request has been cancelled.", "The task has been cancelled."},
}

// A workflow is how orders of a kind are called.
type workflow struct{ name, requestType, task string }

// workflows are the kinds of orders.
var workflows = map[core.Action]workflow{
	core.ActionCreate:     {createWorkflow, "Create", "Trigger Certificate Creation"},
	core.ActionRenew:      {"renew certificate", "Renew", "Trigger Certificate Renewal"},
	core.ActionRegenerate: {"regenerate certificate", "Regenerate", "Trigger Certificate Regeneration"},
	core.ActionReissue:    {"reissue certificate", "Reissue", "Trigger Certificate Reissue"},
	core.ActionRevoke:     {"revoke certificate", "Revoke", "Trigger Certificate Revocation"},
	core.ActionSuspend:    {"suspend certificate", "Suspend", "Trigger Certificate Suspension"},
	core.ActionReinstate:  {"reinstate certificate", "Reinstate", "Trigger Certificate Reinstatement"},
	core.ActionPush:       {"push certificate", "Push", "Trigger Certificate Push"},
	core.ActionWithdraw:   {"withdraw order", "Withdraw", "Trigger Order Withdrawal"},
}

// workflowVersion is the version of all workflows.
const workflowVersion = "version1"

// A requestLog is what has become of a request, with all that was done.
type requestLog struct {
	RequestID       string    `json:"requestId"`
	WorkflowName    string    `json:"workflowName"`
	WorkflowVersion string    `json:"workflowVersion"`
	RequestType     string    `json:"requestType"`
	Status          string    `json:"status"`
	StatusCode      int       `json:"statusCode"`
	Message         string    `json:"message"`
	ToolTip         string    `json:"toolTip"`
	CreatedBy       string    `json:"created_by"`
	CreatedTime     int64     `json:"created_time"`
	Tasks           []taskLog `json:"tasks"`
}

// A taskLog is what was done for a request in one step of it.
type taskLog struct {
	ID     string    `json:"task_id"`
	Name   string    `json:"task_name"`
	Status string    `json:"task_status"`
	State  int       `json:"state"`
	Logs   []logLine `json:"logs"`
}

type logLine struct {
	User    string `json:"user"`
	Message string `json:"message"`
	Time    int64  `json:"time"` // in milliseconds
}

// requestLogs tells what has become of requests. Those that are not there, and those of
// certificates that the caller may not see, are left out.
func (a *api) requestLogs(c *call) answer {
	var ids []clm.WorkID
	given := false
	for text := range strings.SplitSeq(strings.Join(c.URL.Query()["ids"], ","), ",") {
		given = given || strings.TrimSpace(text) != ""
		if id, isNumber := readRequestID(text); isNumber {
			ids = append(ids, id)
		}
	}
	if !given {
		return fail(noRequest)
	}
	found, err := a.core.Orders(c.Context(), c.who(), ids)
	if err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(http.StatusOK, map[string][]requestLog{"requestList": logsOf(found)}, textDone)
}

func logsOf(orders []core.Order) []requestLog {
	logs := make([]requestLog, 0, len(orders))
	for _, o := range orders {
		logs = append(logs, logOf(o))
	}
	return logs
}

// logOf tells what has become of an order.
func logOf(o core.Order) requestLog {
	is, says := workflows[o.Kind()], stateWords[o.State]
	l := requestLog{
		RequestID: requestID(o.ID), WorkflowName: is.name, WorkflowVersion: workflowVersion, RequestType: is.requestType,
		Status: says.status, StatusCode: says.code, Message: says.message, CreatedBy: o.Actor, CreatedTime: o.Created.UnixMilli(),
		Tasks: []taskLog{submission(o)},
	}
	if o.State == core.OrderFailed || o.State == core.OrderRejected {
		l.ToolTip = o.Reason
	}
	l.Tasks = append(l.Tasks, reviews(o)...)
	if o.State != core.OrderRejected && len(o.Gates) == 0 {
		l.Tasks = append(l.Tasks, execution(o, is.task))
	}
	return l
}

// task begins the log of a task that stands like an order in the state.
func task(id, name string, state core.OrderState) taskLog {
	says := stateWords[state]
	return taskLog{ID: id, Name: name, Status: says.status, State: says.code, Logs: []logLine{}}
}

func (t *taskLog) say(user string, at time.Time, message string) {
	t.Logs = append(t.Logs, logLine{user, message, at.UnixMilli()})
}

// submission is the task of asking.
func submission(o core.Order) taskLog {
	t := task("submit_1", "Submit Request", core.OrderDone)
	t.say(o.Actor, o.Created, "Request submitted.")
	if o.Work.Reason != "" {
		t.say(o.Actor, o.Created, "Reason: "+o.Work.Reason)
	}
	return t
}

// reviews are the tasks of those who have decided about the order, and of those who are
// asked.
func reviews(o core.Order) (tasks []taskLog) {
	var gates []string
	for _, d := range o.Decisions {
		if !slices.Contains(gates, d.Gate) {
			gates = append(gates, d.Gate)
		}
	}
	waits := map[string]bool{}
	for _, g := range o.Gates {
		waits[g.Name] = g.Open
		if !slices.Contains(gates, g.Name) {
			gates = append(gates, g.Name)
		}
	}
	for _, gate := range gates {
		tasks = append(tasks, review(o, gate, waits[gate]))
	}
	return tasks
}

// review is the task of deciding about one gate of the order.
func review(o core.Order, gate string, waits bool) taskLog {
	is := taskOf(gate)
	t := task(is.id, is.name, core.OrderDone)
	isLast := false
	for i, d := range o.Decisions {
		if d.Gate != gate {
			continue
		}
		isLast = i == len(o.Decisions)-1
		word := "Approved"
		if !d.Yes {
			word = "Rejected"
		}
		if d.Said != "" {
			word += ": " + d.Said
		}
		t.say(d.Actor, d.At, word)
		if isLast && !d.Yes && o.State == core.OrderRejected {
			t.Status, t.State = stateWords[o.State].status, stateWords[o.State].code
			t.say(d.Actor, d.At, o.Reason)
			t.say(d.Actor, d.At, stateWords[o.State].closing)
		}
	}
	if waits {
		t.Status, t.State = stateWords[core.OrderOpen].status, stateWords[core.OrderOpen].code
		t.say(o.Actor, o.Since, "Waiting for a decision.")
	}
	return t
}

// execution is the task of doing what was asked for. Clients find the new certificate by
// its log, and why there is none in the line before the last.
func execution(o core.Order, name string) taskLog {
	t := task("execute_1", name, o.State)
	switch says := stateWords[o.State]; o.State {
	case core.OrderOpen:
		t.say(o.Actor, o.Since, "Processing: "+string(o.Stage))
		if o.Note != "" {
			t.say(o.Actor, o.Since, o.Note)
		}
	case core.OrderDone:
		t.say(o.Actor, o.Since, fmt.Sprintf("{'resourceId': '%s', 'commonName': '%s', 'requestId': '%s'}", o.Record.ID, o.Record.CommonName, requestID(o.ID)))
		t.say(o.Actor, o.Since, says.message)
	case core.OrderCancelled:
		t.say(o.Actor, o.Since, "The work was ended before it was done.")
		t.say(o.Actor, o.Since, says.closing)
	default:
		t.say(o.Actor, o.Since, o.Reason)
		t.say(o.Actor, o.Since, says.closing)
	}
	return t
}
