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

// stopAtGates puts up the gates that workflows want before the stage of the task, as
// far as they have not been passed, and gives the work back if there are any. It
// reports whether it has. The question comes up before every stage of every work, so
// where no folder names a workflow it costs nothing.
func (c *Core) stopAtGates(ctx context.Context, t *task) (stopped bool, err error) {
	ids := t.path.Workflows()
	points := t.work.Points(t.version.UserCSR)
	if len(ids) == 0 || len(points) == 0 || !t.version.Orphaned.IsZero() { // whom should one ask about what nobody wants
		return false, nil
	}
	var wanted []clm.Path
	err = c.db.Glance(ctx, func(tx *store.Tx) error {
		wanted, stopped = nil, false
		gates, err := tx.Gates(t.work.ID)
		if err != nil {
			return err
		}
		for _, id := range ids {
			workflow, err := tx.PathByID(id)
			if errors.Is(err, clm.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			stops, err := c.stopsAt(tx, workflow, points, t.path)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(gates, func(g clm.Gate) bool { return g.Name == string(id) })
			switch {
			case !stops:
			case at < 0:
				wanted = append(wanted, workflow)
			case !gates[at].Until.IsZero() && gates[at].Until.Before(tx.Now):
				return clm.Permanent(errors.New("the approval was good until " + gates[at].Until.UTC().Format(time.RFC3339)))
			case gates[at].Holds(tx.Now):
				stopped = true
			}
		}
		return nil
	})
	if err != nil || len(wanted) == 0 && !stopped {
		return false, err
	}
	entry := store.Entry{Actor: clm.Actor{Name: t.work.Actor}, Action: "ask", Subject: t.subject(), Detail: "before " + string(t.work.Stage)}
	return true, c.db.Write(context.Background(), entry, func(tx *store.Tx) error {
		t.work.NotBefore = tx.Now
		if err := tx.SaveWork(t.work); err != nil {
			return err
		}
		if keep := trades[t.work.Op].keep; keep != nil {
			if err := keep(tx, t); err != nil {
				return err
			}
		}
		for _, workflow := range wanted {
			if err := c.ask(tx, t, workflow); err != nil {
				return err
			}
		}
		return nil
	})
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

// isGated reports whether a workflow stops the work of the last object of the path at
// the point.
func (c *Core) isGated(tx *store.Tx, path clm.Path, point clm.Stage) (bool, error) {
	for _, id := range path.Workflows() {
		workflow, err := tx.PathByID(id)
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if stops, err := c.stopsAt(tx, workflow, []clm.Stage{point}, path); err != nil || stops {
			return stops, err
		}
	}
	return false, nil
}

// ask puts up the workflow's gate before the task's work: a ticket that waits for one
// is taken for it.
func (c *Core) ask(tx *store.Tx, t *task, workflow clm.Path) error {
	o, subject := workflow.Last(), t.path.Last()
	waiting, err := tx.GatesOf(subject.ID)
	if err != nil {
		return err
	}
	for _, g := range waiting {
		if g.Work == 0 && g.Name == string(o.ID) {
			g.Work, g.Stage = t.work.ID, t.work.Stage
			return tx.SaveGate(g)
		}
	}
	approvers, err := c.approvers(tx, o, t.path)
	if err != nil {
		return err
	}
	g := clm.Gate{Subject: subject.ID, Work: t.work.ID, Stage: t.work.Stage, Point: clm.Stage(firstOf(o, clm.PointOf)), Name: string(o.ID), Open: true}
	_, err = addTicket(tx, g, map[clm.Attr][]string{
		clm.Workflows: {clm.Ref(o.ID)}, clm.Approvers: approvers, clm.ReasonOf: o.Own[clm.ReasonOf], clm.Requester: {t.work.Actor},
	})
	return err
}

// approvers are the principals that have to say yes: those that the workflow names,
// or else those that hold for the object, or else its contacts. Where nobody is left
// only a master may.
func (c *Core) approvers(tx *store.Tx, workflow *clm.Object, path clm.Path) ([]string, error) {
	known, err := tx.Principals()
	if err != nil {
		return nil, err
	}
	for _, named := range [][]string{workflow.Own[clm.Approvers], path.Value(clm.Approver).Values, path.Value(clm.Contact).Values} {
		var ids []string
		for _, text := range named {
			for named := range strings.SplitSeq(c.expanded(tx, text, path.Last().DN), ",") {
				// Edges write users and groups with a directory in front, and braces.
				id := strings.ToLower(strings.Trim(named[strings.LastIndexByte(named, ':')+1:], " {}"))
				if known[clm.PrincipalID(id)] != nil && !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		}
		if len(ids) > 0 {
			return ids, nil
		}
	}
	return nil, nil
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
	return g.ID, tx.SaveGate(g)
}

// firstOf is the first of the object's own values; empty where there is none.
func firstOf(o *clm.Object, a clm.Attr) string { return clm.Setting{Values: o.Own[a]}.First() }
