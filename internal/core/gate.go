package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// TicketsDN is where the tickets stand, and the reasons that they may give.
const TicketsDN = `\VED\Workflow Tickets`

// The states of a ticket.
const (
	TicketPending  = "Pending"
	TicketApproved = "Approved"
	TicketAfter    = "Approved After"
	TicketBefore   = "Approved Before"
	TicketBetween  = "Approved Between"
	TicketRejected = "Rejected"
)

// Values are the values of an attribute of an object: its own or, with policy, those
// that hold for it. There are none of what is not there.
type Values func(dn clm.DN, a clm.Attr, policy bool) []string

// An Expander replaces what an edge knows as macros in a text. self is the object that
// the text is about.
type Expander func(text string, self clm.DN, values Values) string

// clientTicket begins the names of gates that clients have put up.
const clientTicket = "client/"

// stopAtGates puts up the gates that workflows want before the stage of the task, as
// far as they have not been passed, and gives the work back if there are any that hold
// it up. It reports whether it has. The question comes up before every stage of every
// work, so where no folder names a workflow and no client has asked, it costs nothing.
func (c *Core) stopAtGates(ctx context.Context, t *task) (stopped bool, err error) {
	points := t.work.Points(t.version.UserCSR)
	if len(points) == 0 || !t.asked && len(t.path.Workflows()) == 0 || !t.version.Orphaned.IsZero() { // whom should one ask about what nobody wants
		return false, nil
	}
	var holding, void []clm.Gate
	var wanted []clm.Path
	err = c.db.Glance(ctx, func(tx *store.Tx) error {
		holding, void = nil, nil
		gates, err := tx.Gates(t.work.ID)
		if err != nil {
			return err
		}
		for _, g := range gates {
			switch {
			case g.Stage != t.work.Stage:
			case g.Holds(tx.Now):
				holding = append(holding, g)
			case isVoid(g, tx.Now):
				void = append(void, g)
			}
		}
		wanted, err = c.workflowsAt(tx, t.path, points)
		wanted = slices.DeleteFunc(wanted, func(w clm.Path) bool {
			return slices.ContainsFunc(gates, func(g clm.Gate) bool { return g.Name == string(w.Last().ID) })
		})
		return err
	})
	if err != nil || len(holding)+len(void)+len(wanted) == 0 {
		return false, err
	}
	t.asked = true
	entry := store.Entry{Actor: clm.Actor{Name: t.work.Actor}, Action: "ask", Subject: t.subject(), Detail: "before " + string(t.work.Stage)}
	return true, c.db.Write(context.Background(), entry, func(tx *store.Tx) error {
		t.work.NotBefore = clm.Never // until it is answered
		if len(void) > 0 {
			t.work.NotBefore, t.work.Failure = tx.Now, "the approval was good until "+void[0].Until.UTC().Format(time.RFC3339)
		}
		if err := tx.SaveWork(t.work); err != nil {
			return err
		}
		if keep := trades[t.work.Op].keep; keep != nil {
			if err := keep(tx, t); err != nil {
				return err
			}
		}
		for _, g := range void { // who retries it is asked anew: by the workflow, or as wantsApproval has it
			if isOrderGate(g) {
				continue
			}
			if err := tx.DropGate(g); err != nil {
				return err
			}
		}
		if t.work.Failure != "" {
			return undoLater(tx, t.work)
		}
		if err := c.askAll(tx, t.work, t.path, wanted); err != nil {
			return err
		}
		return tx.Settle(t.work.ID)
	})
}

// isVoid reports whether the yes that was given at the gate is not good any more.
func isVoid(g clm.Gate, now time.Time) bool { return !g.Until.IsZero() && g.Until.Before(now) }

// workflowsAt are the workflows that stop the work of the last object of the path at one
// of the points.
func (c *Core) workflowsAt(tx *store.Tx, path clm.Path, points []clm.Stage) (found []clm.Path, err error) {
	for _, id := range path.Workflows() {
		workflow, err := tx.PathByID(id)
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		stops, err := c.stopsAt(tx, workflow, points, path)
		if err != nil {
			return nil, err
		}
		if stops {
			found = append(found, workflow)
		}
	}
	return found, nil
}

// stopsAt reports whether the workflow stops the work of the last object of the path
// at one of the points.
func (c *Core) stopsAt(tx *store.Tx, workflow clm.Path, points []clm.Stage, path clm.Path) (bool, error) {
	o, subject := workflow.Last(), path.Last()
	point := clm.Stage(firstOf(o, clm.PointOf))
	class := clm.Class(firstOf(o, clm.ForClass))
	switch {
	case !o.Class.Is(clm.Workflow) || !slices.Contains(points, point) || firstOf(o, clm.Off) == "1":
		return false, nil
	case class == "" || subject.Class.Is(class):
		return true, nil
	}
	consumers, err := boundTo(tx, subject)
	for _, id := range consumers {
		if err == nil {
			var app clm.Path
			if app, err = tx.PathByID(id); err == nil && app.Last().Class.Is(class) {
				return true, nil
			}
		}
	}
	return false, err
}

// askAll puts up the gates of workflows before the work, which is about the last object
// of the path.
func (c *Core) askAll(tx *store.Tx, w clm.Work, path clm.Path, workflows []clm.Path) error {
	for _, workflow := range workflows {
		o := workflow.Last()
		approvers, err := c.approvers(tx, o, path)
		if err != nil {
			return err
		}
		g := clm.Gate{Subject: path.Last().ID, Work: w.ID, Stage: w.Stage, Point: clm.Stage(firstOf(o, clm.PointOf)), Name: string(o.ID), Open: true}
		_, err = addTicket(tx, g, map[clm.Attr][]string{
			clm.Workflows: {clm.Ref(o.ID)}, clm.Approvers: approvers, clm.ReasonOf: o.Own[clm.ReasonOf], clm.Requester: {requester(tx, w.Actor)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// requester is who has asked for a work, by ID, so that a renaming does not matter; what
// the server does by itself has the name that it had.
func requester(tx *store.Tx, name string) string {
	p, err := tx.PrincipalByName(name)
	if err != nil {
		return name
	}
	return string(p.ID)
}

// takeTickets puts the tickets that clients have put up about the object, and that wait
// for a work, before this one, as far as it comes to their points. It reports whether
// there are any.
func takeTickets(tx *store.Tx, w clm.Work) (taken bool, err error) {
	waiting, err := tx.GatesOf(w.Subject)
	for _, g := range waiting {
		stage := stageOf(w, g.Point)
		if err != nil || g.Work != 0 || stage == "" {
			continue
		}
		taken = true
		g.Work, g.Stage = w.ID, stage
		err = tx.SaveGate(g)
	}
	return taken, err
}

// stageOf is the stage of the work before which the point is, if it is still to come;
// otherwise it is empty.
func stageOf(w clm.Work, point clm.Stage) clm.Stage {
	plan := clm.Plan(w.Op)
	stage := point
	switch point {
	case clm.Start:
		stage = plan[0]
		if w.Stage == clm.Submit { // a signing request from outside
			stage = clm.Submit
		}
	case clm.Approval:
		stage = clm.Collect
	}
	if at := slices.Index(plan, stage); at < 0 || at < slices.Index(plan, w.Stage) || len(w.Points(false)) == 0 {
		return ""
	}
	return stage
}

// approvers are the principals that have to say yes: those that the workflow names, or
// if it names nobody those that hold for the object, or else its contacts. Where nobody
// is left only a master may.
func (c *Core) approvers(tx *store.Tx, workflow *clm.Object, path clm.Path) ([]string, error) {
	for _, named := range [][]string{workflow.Own[clm.Approvers], path.Value(clm.Approver).Values, path.Value(clm.Contact).Values} {
		if len(named) > 0 {
			return known(tx, c.named(tx, path.Last().DN, named))
		}
	}
	return nil, nil
}

// named are the IDs in texts about an object, which may name several each, or be macros.
func (c *Core) named(tx *store.Tx, self clm.DN, texts []string) (ids []string) {
	for _, text := range texts {
		for who := range strings.SplitSeq(c.expanded(tx, text, self), ",") {
			if id := principalIn(who); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// known are those of the IDs that are of users and groups that are there.
func known(tx *store.Tx, ids []string) ([]string, error) {
	there, err := tx.Principals()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return there[clm.PrincipalID(id)] == nil }), err
}

// principalIn is the ID in the text, in which edges write users and groups with a
// directory in front, and braces.
func principalIn(text string) string {
	return strings.ToLower(strings.Trim(text[strings.LastIndexByte(text, ':')+1:], " {}"))
}

// expanded is the text with its macros replaced.
func (c *Core) expanded(tx *store.Tx, text string, self clm.DN) string {
	if c.expand == nil || !strings.Contains(text, "$") {
		return text
	}
	return c.expand(text, self, func(dn clm.DN, a clm.Attr, policy bool) []string {
		path, err := tx.Path(dn)
		if err != nil {
			return nil
		}
		s := clm.Setting{Values: path.Last().Own[a]}
		if policy {
			s = path.Value(a)
		}
		if s, err = dereferredSetting(tx, s); err != nil {
			return nil
		}
		return s.Values
	})
}

// addTicket puts up a gate and its ticket.
func addTicket(tx *store.Tx, g clm.Gate, own map[clm.Attr][]string) (clm.ObjectID, error) {
	root, err := tx.Path(TicketsDN)
	if err != nil {
		return "", fmt.Errorf("the root of tickets: %w", err)
	}
	g.ID = tx.NewObjectID()
	ticket := &clm.Object{ID: g.ID, DN: root.Last().DN.Child(string(g.ID)), Class: clm.Ticket, Own: map[clm.Attr][]string{
		clm.OwnerOf: {clm.Ref(g.Subject)}, clm.TicketState: {TicketPending}, clm.Changed: {tx.Now.UTC().Format(time.RFC3339)},
	}}
	set(ticket.Own, clm.PointOf, string(g.Point))
	for a, values := range own {
		set(ticket.Own, a, values...)
	}
	if err := tx.AddObject(ticket, root.Last().ID); err != nil {
		return "", err
	}
	return g.ID, tx.AddGate(g, ticket.Own[clm.Approvers])
}

// firstOf is the first of the object's own values; empty where there is none.
func firstOf(o *clm.Object, a clm.Attr) string { return clm.Setting{Values: o.Own[a]}.First() }
