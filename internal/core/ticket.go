package core

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A Ticket is a question to those who have to say yes before work goes on.
type Ticket struct {
	clm.Object
	Gate      clm.Gate
	Blocks    clm.DN            // what waits for the yes
	Workflow  clm.DN            // what asks; empty where an edge does, or where it is gone
	Approvers []clm.PrincipalID // all have to say yes; none: a master has to
	Approved  []clm.PrincipalID // those that have
	State     string            // one of the states of a ticket
	Reason    string
}

// MaxTickets is how many tickets are listed at most.
const MaxTickets = 10_000

// TicketKinds are the ways in which the calls about tickets fail. Of NotFound, Field
// says whether it is the ticket, the object or the workflow. Denied: the actor is none
// of the approvers, or has asked for the work.
var TicketKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied}

func noTicket(id clm.ObjectID) error {
	return clm.About(string(id), clm.Fail(clm.NotFound, "ticket", ""))
}

// ticket finds a ticket that the actor may see: who is asked, and who may read what
// waits or the tickets altogether. One that was said yes to is gone.
func (c *Core) ticket(tx *store.Tx, who clm.Actor, id clm.ObjectID) (t Ticket, err error) {
	g, err := tx.Gate(id)
	if err == nil && !g.Holds(tx.Now) {
		err = clm.NotFound
	}
	var path clm.Path
	if err == nil {
		path, err = tx.PathByID(id)
	}
	if errors.Is(err, clm.NotFound) {
		return t, noTicket(id)
	}
	if err != nil {
		return t, err
	}
	t = Ticket{Object: *path.Last(), Gate: g, State: firstOf(path.Last(), clm.TicketState)}
	t.Approvers, t.Approved = principals(t.Own[clm.Approvers]), principals(t.Own[clm.Approvals])
	blocked, err := tx.PathByID(g.Subject)
	if err != nil && !errors.Is(err, clm.NotFound) {
		return t, err
	}
	mayRead := path.Rights(who).Has(clm.Read) || slices.ContainsFunc(t.Approvers, who.Is)
	if err == nil {
		t.Blocks = blocked.Last().DN
		mayRead = mayRead || blocked.Rights(who).Has(clm.Read)
	}
	if !mayRead {
		return t, noTicket(id)
	}
	if w, ok := clm.RefID(firstOf(&t.Object, clm.Workflows)); ok {
		workflow, err := tx.PathByID(w)
		if err == nil {
			t.Workflow = workflow.Last().DN
		} else if !errors.Is(err, clm.NotFound) {
			return t, err
		}
	}
	t.Reason, err = c.reason(tx, t)
	return t, err
}

func principals(ids []string) (list []clm.PrincipalID) {
	for _, id := range ids {
		list = append(list, clm.PrincipalID(id))
	}
	return list
}

// reason is the reason of a ticket in words: what stands behind its code at the root
// of tickets, or the reason itself where it is no code.
func (c *Core) reason(tx *store.Tx, t Ticket) (string, error) {
	given := firstOf(&t.Object, clm.ReasonOf)
	root, err := tx.Path(TicketsDN)
	if err != nil {
		return "", err
	}
	text, isCode := given, false
	for _, known := range root.Last().Own[clm.Reasons] {
		parts := strings.SplitN(known, ",", 3)
		if len(parts) == 3 && strings.TrimLeft(strings.TrimSpace(parts[0]), "0") == strings.TrimLeft(given, "0") {
			text, isCode = strings.TrimSpace(parts[2]), true
		}
	}
	if !isCode { // what a client has written must not tell it what it may not read
		return text, nil
	}
	return c.expanded(tx, text, t.DN), nil
}

// Ticket finds a ticket.
func (c *Core) Ticket(ctx context.Context, who clm.Actor, id clm.ObjectID) (t Ticket, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = c.ticket(tx, who, id)
		return err
	})
	return t, err
}

// Tickets lists the tickets that the actor may see, oldest first: those of the object,
// if one is named.
func (c *Core) Tickets(ctx context.Context, who clm.Actor, object string) (list []Ticket, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		var gates []clm.Gate
		if object != "" {
			path, _, err := find(tx, who, object)
			if err != nil {
				return ofObject(object, err)
			}
			if gates, err = tx.GatesOf(path.Last().ID); err != nil {
				return err
			}
		} else if gates, err = openTo(tx, who); err != nil {
			return err
		}
		for _, g := range gates {
			t, err := c.ticket(tx, who, g.ID)
			if errors.Is(err, clm.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		return nil
	})
	return list, err
}

// openTo lists the gates that may be of interest to the actor: those of which it is
// asked, and the oldest open ones, of which it may read some. A master may read all.
func openTo(tx *store.Tx, who clm.Actor) ([]clm.Gate, error) {
	if who.Master {
		return tx.OpenGates("", MaxTickets)
	}
	asked, err := tx.GatesAskedOf(who, MaxTickets)
	if err != nil {
		return nil, err
	}
	others, err := tx.OpenGates("", maxLooked)
	for _, g := range others {
		if !slices.ContainsFunc(asked, func(a clm.Gate) bool { return a.ID == g.ID }) {
			asked = append(asked, g)
		}
	}
	slices.SortFunc(asked, func(a, b clm.Gate) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return asked, err
}

// maxLooked is how many open tickets are looked at for somebody who is not asked by them.
const maxLooked = 1000

// ofObject says of a failure that the object is not there.
func ofObject(dn string, err error) error {
	if errors.Is(err, clm.NotFound) {
		return clm.About(dn, clm.Fail(clm.NotFound, "object", dn))
	}
	return err
}

// NewTicket is a question that a client wants to ask.
type NewTicket struct {
	Object    string         // its DN; the actor must be allowed to write it
	Workflow  string         // the DN of the workflow that it is asked for
	Approvers []PrincipalRef // none: those of the workflow
	Reason    string
	UserData  string
}

// CreateTicket puts up a question, besides those that workflows ask. It stops the open
// work of the object if that is still to come to the workflow's stage and nobody is
// carrying it out, or else the next work.
func (c *Core) CreateTicket(ctx context.Context, who clm.Actor, n NewTicket) (id clm.ObjectID, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "create ticket", Subject: n.Object}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, n.Object)
		if err != nil {
			return ofObject(n.Object, err)
		}
		if !rights.Has(clm.Write) {
			return clm.About(n.Object, clm.Denied)
		}
		workflow, err := workflowOf(tx, who, path, n.Workflow)
		if err == nil && !workflow.Last().Class.Is(clm.Workflow) || errors.Is(err, clm.NotFound) {
			return clm.About(n.Workflow, clm.Fail(clm.NotFound, "workflow", n.Workflow))
		}
		if err != nil {
			return err
		}
		var approvers []string
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		for _, ref := range n.Approvers {
			p := ref.find(known)
			if p == nil {
				return clm.Fail(clm.Invalid, "approver", ref.String())
			}
			approvers = append(approvers, string(p.ID))
		}
		if len(approvers) == 0 {
			if approvers, err = c.approvers(tx, workflow.Last(), path); err != nil {
				return err
			}
		}
		g := clm.Gate{Subject: path.Last().ID, Point: clm.Stage(firstOf(workflow.Last(), clm.PointOf)), Name: clientTicket, Open: true}
		if g.Work, g.Stage, err = stoppedBy(tx, path.Last().ID, g.Point); err != nil {
			return err
		}
		reason := n.Reason
		if reason == "" {
			reason = firstOf(workflow.Last(), clm.ReasonOf)
		}
		id, err = addTicket(tx, g, map[clm.Attr][]string{
			clm.Workflows: {clm.Ref(workflow.Last().ID)}, clm.Approvers: approvers, clm.ReasonOf: {reason}, clm.UserData: {n.UserData}, clm.Requester: {string(who.ID)},
		})
		if err == nil && g.Work != 0 {
			err = tx.Settle(g.Work)
		}
		return err
	})
	return id, err
}

// workflowOf finds a workflow that holds for the object at the end of the path or that
// the actor may see.
func workflowOf(tx *store.Tx, who clm.Actor, path clm.Path, dn string) (clm.Path, error) {
	parsed, err := clm.ParseDN(dn)
	if err != nil {
		return nil, clm.About(dn, err)
	}
	workflow, err := tx.Path(parsed)
	if err == nil && slices.Contains(path.Workflows(), workflow.Last().ID) {
		return workflow, nil
	}
	workflow, _, err = find(tx, who, dn)
	return workflow, err
}

// stoppedBy finds the open work of the object that is still to come to the point, and
// that rests, if there is one.
func stoppedBy(tx *store.Tx, subject clm.ObjectID, point clm.Stage) (clm.WorkID, clm.Stage, error) {
	works, err := tx.OpenWorks(subject)
	if err != nil {
		return 0, "", err
	}
	for _, w := range works {
		stage := stageOf(w, point)
		if stage == "" || w.Failure == "" && w.State(false) == clm.AwaitsCSR {
			continue
		}
		if held, err := tx.IsHeld(w.ID); err != nil || !held {
			return w.ID, stage, err
		}
	}
	return 0, "", nil
}

// DeleteTicket takes a question back, which answers nothing: the workflow asks anew
// when work comes to its stage, and an order that is to be approved at once. The actor must be allowed to delete the ticket, or to
// write what waits for it.
func (c *Core) DeleteTicket(ctx context.Context, who clm.Actor, id clm.ObjectID) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "delete ticket", Subject: string(id)}, func(tx *store.Tx) error {
		t, err := c.ticket(tx, who, id)
		if err != nil {
			return err
		}
		tx.About(string(t.Blocks), string(t.DN))
		path, err := tx.PathByID(id)
		if err != nil {
			return err
		}
		if !path.Rights(who).Has(clm.Delete) {
			return clm.About(string(id), clm.Denied)
		}
		if err := tx.DropGate(t.Gate); err != nil {
			return err
		}
		return askOnceMore(tx, t)
	})
}

// A Decision is what somebody says to a ticket.
type Decision struct {
	Ticket      clm.ObjectID
	State       string // one of the states of a ticket but Pending, in any case
	Explanation string
	From, To    time.Time // when work may go on; zero where nothing is said
}

// decisions says of each state what it needs.
var decisions = map[string]struct{ yes, from, to bool }{
	TicketApproved: {yes: true}, TicketAfter: {true, true, false}, TicketBefore: {true, false, true}, TicketBetween: {true, true, true}, TicketRejected: {},
}

// Decide answers a ticket. Work goes on when all approvers have said yes, or a master
// has; one no stops it. Who has asked for the work may not say yes to it, unless the
// installation allows that.
func (c *Core) Decide(ctx context.Context, who clm.Actor, d Decision) error {
	state := ""
	for known := range decisions {
		if strings.EqualFold(known, strings.TrimSpace(d.State)) {
			state = known
		}
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "decide", Subject: string(d.Ticket)}, func(tx *store.Tx) error {
		t, err := c.ticket(tx, who, d.Ticket)
		if err != nil {
			return err
		}
		tx.About(string(t.Blocks), state+" "+d.Explanation)
		return c.decide(tx, who, t, d, state)
	})
}

// decide is Decide of a ticket that was found; state is the one that is meant, or empty.
func (c *Core) decide(tx *store.Tx, who clm.Actor, t Ticket, d Decision, state string) error {
	needs := decisions[state]
	may, err := mayAnswer(tx, who, t)
	switch {
	case err != nil:
		return err
	case !may:
		return clm.About(string(d.Ticket), clm.Denied)
	case state == "":
		return clm.Fail(clm.Invalid, "status", d.State)
	case needs.from && d.From.IsZero():
		return clm.Fail(clm.Invalid, "from", "")
	case needs.to && (d.To.IsZero() || !d.To.After(tx.Now) || needs.from && !d.To.After(d.From)):
		return clm.Fail(clm.Invalid, "to", "")
	}
	if barred, err := isBarred(tx, who, t); err != nil || barred && needs.yes {
		return orElse(err, clm.About(string(d.Ticket), clm.Fail(clm.Denied, "requester", who.Name)))
	}
	if t.Gate.Work != 0 {
		err := tx.AddDecision(store.Decision{Work: t.Gate.Work, Gate: t.Gate.Name, Stage: t.Gate.Stage, Actor: who.Name, Yes: needs.yes, Said: d.Explanation})
		if err != nil {
			return err
		}
	}
	if !needs.yes {
		return c.reject(tx, who, t, d)
	}
	return c.approve(tx, who, t, d, state)
}

// mayAnswer reports whether the actor is one of those who are asked. Where the asker of
// an order has wanted it approved, and nobody is named, these are all who may write
// what it is about.
func mayAnswer(tx *store.Tx, who clm.Actor, t Ticket) (bool, error) {
	if who.Master || slices.ContainsFunc(t.Approvers, who.Is) {
		return true, nil
	}
	if len(t.Approvers) > 0 || !isOrderGate(t.Gate) {
		return false, nil
	}
	path, err := tx.PathByID(t.Gate.Subject)
	return err == nil && path.Rights(who).Has(clm.Write), err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// isBarred reports whether the actor has asked for what the ticket is about, or for the
// ticket, and may therefore not say yes.
func isBarred(tx *store.Tx, who clm.Actor, t Ticket) (bool, error) {
	if isOrderGate(t.Gate) && len(t.Approvers) == 0 { // who has wanted it approved may do without
		return false, nil
	}
	askers := t.Own[clm.Requester]
	if t.Gate.Work != 0 {
		w, err := tx.Work(t.Gate.Work)
		if err != nil {
			return false, err
		}
		askers = append(slices.Clone(askers), requester(tx, w.Actor))
	}
	if !slices.Contains(askers, string(who.ID)) {
		return false, nil
	}
	root, err := tx.Path(clm.RootDN)
	return err == nil && firstOf(root.Last(), clm.SelfApproval) != "1", err
}

func (c *Core) approve(tx *store.Tx, who clm.Actor, t Ticket, d Decision, state string) error {
	for _, p := range t.Approvers {
		if (who.Is(p) || who.Master) && !slices.Contains(t.Approved, p) {
			t.Approved = append(t.Approved, p)
		}
	}
	needs, g := decisions[state], t.Gate
	g.Open = len(t.Approved) < len(t.Approvers)
	if needs.from {
		g.Since = d.From
	}
	if needs.to {
		g.Until = d.To
	}
	if !needs.from && !needs.to && !g.Open && !t.Gate.Open { // it was said when, and now it is not
		g.Since, g.Until = time.Time{}, time.Time{}
	}
	if err := tx.SaveGate(g); err != nil {
		return err
	}
	switch {
	case g.Open:
		state = TicketPending
	case g.Work == 0: // nothing has come to it, and it is said
		return tx.DropGate(g)
	case !g.Holds(tx.Now):
		return tx.Answered(g)
	}
	return t.save(tx, who, d, state, g)
}

// save writes on the ticket what was said.
func (t Ticket) save(tx *store.Tx, who clm.Actor, d Decision, state string, g clm.Gate) error {
	o := cloned(&t.Object)
	var approved []string
	for _, p := range t.Approved {
		approved = append(approved, string(p))
	}
	set(o.Own, clm.Approvals, approved...)
	set(o.Own, clm.TicketState, state)
	set(o.Own, clm.Explanation, d.Explanation)
	set(o.Own, clm.DecidedBy, who.Name)
	set(o.Own, clm.Changed, tx.Now.UTC().Format(time.RFC3339))
	set(o.Own, clm.ScheduleFrom, dateText(g.Since))
	set(o.Own, clm.ScheduleTo, dateText(g.Until))
	return tx.SaveObject(o)
}

func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// reject stops the work, and takes away all that it is still asked. Retrying it asks
// anew.
func (c *Core) reject(tx *store.Tx, who clm.Actor, t Ticket, d Decision) error {
	why := "The request was rejected by " + who.Name + "."
	if d.Explanation != "" {
		why = "The request was rejected by " + who.Name + ": " + d.Explanation
	}
	if t.Gate.Work == 0 {
		return tx.DropGate(t.Gate)
	}
	w, err := tx.Work(t.Gate.Work)
	if err == nil {
		err = undoLater(tx, w)
	}
	if err == nil {
		err = tx.StopWork(w.ID, why)
	}
	if err != nil {
		return err
	}
	gates, err := tx.Gates(t.Gate.Work)
	for _, g := range gates {
		switch {
		case err != nil || g.Stage != t.Gate.Stage:
		case isOrderGate(g): // it stays closed, for who retries it to be known for one that is to be approved
			g.Open, g.Since, g.Until = false, time.Time{}, time.Time{}
			if err = tx.SaveGate(g); err == nil {
				err = tx.Answered(g)
			}
		default:
			err = tx.DropGate(g)
		}
	}
	return err
}
