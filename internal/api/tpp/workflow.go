package tpp

import (
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// workflowRoutes are the calls about tickets.
var workflowRoutes = []route{
	{"POST", "/vedsdk/workflow/ticket/create", needs("configuration:manage"), read((*api).createTicket)},
	{"POST", "/vedsdk/workflow/ticket/delete", needs("configuration:delete"), read((*api).deleteTicket)},
	{"POST", "/vedsdk/workflow/ticket/details", anyToken, read((*api).ticketDetails)},
	{"POST", "/vedsdk/workflow/ticket/enumerate", anyToken, read((*api).tickets)},
	{"POST", "/vedsdk/workflow/ticket/exists", anyToken, read((*api).ticketExists)},
	{"POST", "/vedsdk/workflow/ticket/status", anyToken, read((*api).ticketStatus)},
	{"POST", "/vedsdk/workflow/ticket/updatestatus", needs("any:approve"), read((*api).decideTicket)},
}

// The codes of the Workflow calls.
const (
	ticketMissing = 3
	ticketBadArgs = 5
)

var workflowResults = &results{
	done: 1,
	names: map[int]string{
		ticketMissing: "TicketDoesNotExist", 4: "InsufficientPrivileges", ticketBadArgs: "BadArguments", 6: "ObjectDoesNotExist",
		8: "WorkflowObjectDoesNotExist",
	},
	rules: []resultRule{
		{clm.NotFound, "ticket", ticketMissing}, {clm.NotFound, "object", 6}, {clm.NotFound, "workflow", 8},
		{clm.Denied, "", 4}, {clm.Invalid, "", ticketBadArgs},
	},
}

// ticketQuery is what the Workflow calls take. Some clients send all of it to each.
type ticketQuery struct {
	GUID           lenient.String
	ObjectDN       lenient.String
	WorkflowDN     lenient.String
	Approvers      []identityRef
	Reason         lenient.String
	UserData       lenient.String
	Status         lenient.String
	Explanation    lenient.String
	ScheduledStart lenient.Date
	ScheduledStop  lenient.Date
}

// id is the ticket that the call is about; refused: it names none.
func (q *ticketQuery) id(doing string) (id clm.ObjectID, refused *answer) {
	switch guid := q.GUID.Trimmed(); {
	case guid == "":
		missing := lacks("GUID")
		return "", &missing
	case !isGUID.MatchString(guid):
		malformed := workflowResults.fail(ticketMissing, doing)
		return "", &malformed
	default:
		return guidOf(guid), nil
	}
}

// createTicket serves POST Workflow/Ticket/Create.
func (a *api) createTicket(c *call, in *ticketQuery) answer {
	const doing = "Creating a workflow ticket"
	for _, member := range []struct {
		name  string
		value lenient.String
	}{{"ObjectDN", in.ObjectDN}, {"WorkflowDN", in.WorkflowDN}} {
		if member.value.Trimmed() == "" {
			return lacks(member.name)
		}
	}
	n := core.NewTicket{Object: in.ObjectDN.Value, Workflow: in.WorkflowDN.Value, Reason: in.Reason.Trimmed(), UserData: in.UserData.Value}
	for _, approver := range in.Approvers {
		n.Approvers = append(n.Approvers, approver.principal())
	}
	id, err := a.core.CreateTicket(c.Context(), c.who(), n)
	if err != nil {
		return workflowResults.refuse(a, c, doing, err)
	}
	return workflowResults.ok(map[string]any{"GUID": id})
}

// deleteTicket serves POST Workflow/Ticket/Delete.
func (a *api) deleteTicket(c *call, in *ticketQuery) answer {
	const doing = "Deleting a workflow ticket"
	id, refused := in.id(doing)
	if refused != nil {
		return *refused
	}
	if err := a.core.DeleteTicket(c.Context(), c.who(), id); err != nil {
		return workflowResults.refuse(a, c, doing, err)
	}
	return workflowResults.ok(nil)
}

// withTicket answers with what is told of a ticket.
func (a *api) withTicket(c *call, in *ticketQuery, doing string, tell func(core.Ticket) map[string]any) answer {
	id, refused := in.id(doing)
	if refused != nil {
		return *refused
	}
	t, err := a.core.Ticket(c.Context(), c.who(), id)
	if err != nil {
		return workflowResults.refuse(a, c, doing, err)
	}
	return workflowResults.ok(tell(t))
}

// ticketDetails serves POST Workflow/Ticket/Details.
func (a *api) ticketDetails(c *call, in *ticketQuery) answer {
	return a.withTicket(c, in, "Reading a workflow ticket", func(t core.Ticket) map[string]any {
		first := func(attr clm.Attr) string { return clm.Setting{Values: t.Own[attr]}.First() }
		updated, err := time.Parse(time.RFC3339, first(clm.Changed))
		if err != nil {
			updated = time.UnixMicro(t.Created)
		}
		approvers := []string{}
		for _, id := range t.Approvers {
			approvers = append(approvers, universal(id))
		}
		body := facts{
			"ApprovalExplanation": first(clm.Explanation), "ApprovalFrom": first(clm.DecidedBy), "ApprovalReason": t.Reason, "Approvers": approvers,
			"Blocking": t.Blocks, "Created": jsonDate(time.UnixMicro(t.Created)), "IssuedDueTo": t.Workflow, "Status": t.State, "Updated": jsonDate(updated),
		}
		body.add("ScheduledStart", first(clm.ScheduleFrom))
		body.add("ScheduledStop", first(clm.ScheduleTo))
		body.add("UserData", userData(t))
		return body
	})
}

// userData is what a client has put down, or else the approvers.
func userData(t core.Ticket) string {
	if given := t.Own[clm.UserData]; len(given) > 0 {
		return given[0]
	}
	text := ""
	for i, id := range t.Approvers {
		if i > 0 {
			text += ","
		}
		text += universal(id)
	}
	return text
}

// tickets serves POST Workflow/Ticket/Enumerate: those of one object, or all.
func (a *api) tickets(c *call, in *ticketQuery) answer {
	list, err := a.core.Tickets(c.Context(), c.who(), in.ObjectDN.Trimmed())
	if err != nil {
		return workflowResults.refuse(a, c, "Enumerating workflow tickets", err, "GUIDs")
	}
	guids := []clm.ObjectID{}
	for _, t := range list {
		if wanted := in.UserData.Trimmed(); wanted == "" || wanted == userData(t) {
			guids = append(guids, t.ID)
		}
	}
	return workflowResults.ok(map[string]any{"GUIDs": guids})
}

// ticketExists serves POST Workflow/Ticket/Exists.
func (a *api) ticketExists(c *call, in *ticketQuery) answer {
	return a.withTicket(c, in, "Looking for a workflow ticket", func(core.Ticket) map[string]any { return nil })
}

// ticketStatus serves POST Workflow/Ticket/Status.
func (a *api) ticketStatus(c *call, in *ticketQuery) answer {
	return a.withTicket(c, in, "Reading the status of a workflow ticket", func(t core.Ticket) map[string]any {
		return map[string]any{"Status": t.State}
	})
}

// decideTicket serves POST Workflow/Ticket/UpdateStatus.
func (a *api) decideTicket(c *call, in *ticketQuery) answer {
	const doing = "Updating the status of a workflow ticket"
	id, refused := in.id(doing)
	if refused != nil {
		return *refused
	}
	err := a.core.Decide(c.Context(), c.who(), core.Decision{
		Ticket: id, State: in.Status.Value, Explanation: in.Explanation.Value, From: in.ScheduledStart.Value, To: in.ScheduledStop.Value,
	})
	if err != nil {
		return workflowResults.refuse(a, c, doing, err)
	}
	return workflowResults.ok(nil)
}

// Expand replaces the macros in texts of workflows and tickets.
func Expand(text string, self clm.DN, values core.Values) string {
	of := func(policy bool) func(dn, attr string) []string {
		return func(dn, attr string) []string {
			parsed, err := clm.ParseDN(dn)
			if err != nil {
				return nil
			}
			return values(parsed, names.Attr(attr), policy)
		}
	}
	return expand(text, macros{self: string(self), config: of(false), policy: of(true)})
}
