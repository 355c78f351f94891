package core

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// An Action is what somebody wants to be done about a record, as those call it who give
// orders.
type Action string

// The actions.
const (
	ActionCreate     Action = "create"
	ActionRenew      Action = "renew"
	ActionRegenerate Action = "regenerate"
	ActionReissue    Action = "reissue"
	ActionRevoke     Action = "revoke"
	ActionSuspend    Action = "suspend"
	ActionReinstate  Action = "reinstate"
	ActionPush       Action = "push"
	ActionWithdraw   Action = "withdraw" // an order that nobody wants any more
)

// An OrderState says what has become of an order.
type OrderState uint8

// The states of an order.
const (
	OrderOpen      OrderState = iota
	OrderDone                 // it has brought what it was to bring
	OrderFailed               // it has stopped; who retries its work opens it again
	OrderRejected             // somebody has said no
	OrderCancelled            // it was ended before it was done
)

// An Order is a work as those see it who have asked for it: it is done when it has
// brought what it was to bring, and over when it has stopped.
type Order struct {
	clm.Work
	State     OrderState
	Gates     []clm.Gate // those that it stands before, in the order in which they are decided
	Decisions []store.Decision
	Record    Record // what it is about
	Reason    string // why it has stopped
}

// Next is the gate that is decided next, if the order waits for one.
func (o Order) Next() (g clm.Gate, waits bool) {
	if i := slices.IndexFunc(o.Gates, func(g clm.Gate) bool { return g.Open }); i >= 0 {
		return o.Gates[i], true
	}
	return g, false
}

// Kind is what the order is about, whatever whoever asked for it calls it.
func (o Order) Kind() Action {
	switch {
	case o.Action != "":
		return Action(o.Action)
	case o.Op == clm.Enroll && o.Work.Reason == reasonRequest:
		return ActionCreate
	}
	return kinds[o.Op]
}

// kinds are what works of an operation are about for which nobody has a name.
var kinds = map[clm.Op]Action{
	clm.Enroll: ActionRenew, clm.Install: ActionPush, clm.Revoke: ActionRevoke, clm.Hold: ActionSuspend, clm.Release: ActionReinstate,
	clm.Abandon: ActionWithdraw,
}

// reasonRequest is why there is work that leads to the first certificate of a place, where
// nobody has said more.
const reasonRequest = "request"

// The names of the gates that stand before an order whose asker wants it approved. The
// one is to be decided before the other.
const (
	GateApprove   = "order/approve"
	GateImplement = "order/implement"
)

// outcomeOf says what has become of the work. A no counts as long as nobody has let the
// work go on since.
func outcomeOf(tx *store.Tx, w clm.Work) (OrderState, error) {
	switch {
	case w.Failure != "":
		decided, err := tx.Decisions(w.ID)
		if n := len(decided); err == nil && n > 0 && !decided[n-1].Yes && !decided[n-1].At.Before(w.Since) {
			return OrderRejected, nil
		}
		return OrderFailed, err
	case w.Done && w.Stage == clm.End:
		return OrderDone, nil
	case w.Done:
		return OrderCancelled, nil
	}
	return OrderOpen, nil
}

// MaxOrders is how many orders are asked for at a time.
const MaxOrders = 1000

// Orders lists the orders with these numbers whose records the actor may read, in the
// order of the numbers that are given. Kinds: Internal.
func (c *Core) Orders(ctx context.Context, who clm.Actor, ids []clm.WorkID) (orders []Order, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		orders = nil
		for _, id := range ids[:min(len(ids), MaxOrders)] {
			o, err := orderOf(tx, who, id)
			if errors.Is(err, clm.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			orders = append(orders, o)
		}
		return nil
	})
	return orders, err
}

// maxOrdersSeen is how many orders are looked at, the newest first, for those that an actor
// wants.
const maxOrdersSeen = 2_000

// OrdersWanted says which orders are wanted: so many of those that suit, after some that
// are passed over.
type OrdersWanted struct {
	Suits      func(Order) bool // nil: all do
	Skip, Most int
}

// FindOrders lists orders whose records the actor may read, the newest first. It looks at
// the latest only, and at no more than MaxOrders of those that suit. Kinds: Internal.
func (c *Core) FindOrders(ctx context.Context, who clm.Actor, want OrdersWanted) (orders []Order, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		orders = nil
		most, skip, before := min(want.Most, MaxOrders), want.Skip, clm.WorkID(math.MaxInt64)
		for seen := 0; seen < maxOrdersSeen && len(orders) < most; {
			works, err := tx.WorksBefore(before, MaxOrders)
			if err != nil || len(works) == 0 {
				return err
			}
			for _, w := range works {
				o, err := orderOf(tx, who, w.ID)
				if err != nil && !errors.Is(err, clm.NotFound) {
					return err
				}
				if err != nil || want.Suits != nil && !want.Suits(o) {
					continue
				}
				if skip--; skip < 0 && len(orders) < most {
					orders = append(orders, o)
				}
			}
			seen, before = seen+len(works), works[len(works)-1].ID
		}
		return nil
	})
	return orders, err
}

// orderOf finds an order whose record the actor may read. It fails with NotFound.
func orderOf(tx *store.Tx, who clm.Actor, id clm.WorkID) (o Order, err error) {
	w, err := tx.Work(id)
	if err == nil && w.Op == clm.Undo { // nobody has ordered it
		err = clm.NotFound
	}
	if err != nil {
		return o, err
	}
	v, err := tx.Version(w.Version)
	if err != nil {
		return o, err
	}
	o.Work, o.Reason = w, w.Failure
	if o.Record, err = recordOf(tx, who, v); err != nil {
		return o, err
	}
	if o.Decisions, err = tx.Decisions(id); err != nil {
		return o, err
	}
	if o.State, err = outcomeOf(tx, w); err != nil || o.State != OrderOpen {
		return o, err
	}
	open, err := stand(tx, w)
	if err != nil {
		return o, err
	}
	o.Gates = open.Gates
	slices.SortStableFunc(o.Gates, func(a, b clm.Gate) int { return cmp.Compare(gateRank(a), gateRank(b)) })
	return o, nil
}

// gateRank orders gates by when they are decided: whether to do it at all comes first,
// and to implement it last.
func gateRank(g clm.Gate) int {
	switch g.Name {
	case GateApprove:
		return 0
	case GateImplement:
		return 2
	}
	return 1
}

// An OrderDecision is what somebody says to an order.
type OrderDecision struct {
	Order clm.WorkID
	Gate  func(clm.Gate) bool // whether the decision is meant for the gate; nil: for whichever comes next
	Yes   bool
	Said  string
}

// DecideOrderKinds are the ways in which DecideOrder fails. Denied: the actor may only
// read ("read-only"), is none of the approvers, or has asked for the work ("requester");
// Unnecessary: the order stands before no gate; Invalid about "gate": it stands before
// another one.
var DecideOrderKinds = []clm.Kind{clm.Internal, clm.NotFound, clm.Denied, clm.Unnecessary, clm.Invalid}

// DecideOrder answers the gate that the order stands before and that comes next.
func (c *Core) DecideOrder(ctx context.Context, who clm.Actor, d OrderDecision) (o Order, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "decide", Subject: d.subject()}, func(tx *store.Tx) error {
		o, err = orderOf(tx, who, d.Order)
		if err != nil {
			return clm.About(d.subject(), err)
		}
		tx.About(string(o.Record.Path.Last().DN), d.Said)
		gate, waits := o.Next()
		if !waits {
			return clm.About(d.subject(), orElse(d.mayWrite(o), clm.Unnecessary))
		}
		t, err := c.ticket(tx, who, gate.ID)
		if err != nil {
			return err
		}
		if len(t.Approvers) == 0 || !slices.ContainsFunc(t.Approvers, who.Is) {
			if err := d.mayWrite(o); err != nil {
				return clm.About(d.subject(), err)
			}
		}
		if d.Gate != nil && !d.Gate(gate) {
			return clm.About(d.subject(), clm.Fail(clm.Invalid, "gate", gate.Name))
		}
		answer := Decision{Ticket: gate.ID, State: TicketRejected, Explanation: d.Said}
		if d.Yes {
			answer.State = TicketApproved
		}
		if err := c.decide(tx, who, t, answer, answer.State); err != nil {
			return err
		}
		o, err = orderOf(tx, who, d.Order)
		return err
	})
	return o, err
}

func (d OrderDecision) subject() string { return "R" + strconv.FormatInt(int64(d.Order), 10) }

// mayWrite fails with Denied where the actor may only read what the order is about.
func (d OrderDecision) mayWrite(o Order) error {
	if !o.Record.Rights.Has(clm.Write) {
		return clm.Fail(clm.Denied, "read-only", "")
	}
	return nil
}

// askForOrder puts up the gates of an order whose asker wants it approved, before the
// stage at which the work stands, the first: those who approve what is below the folder are
// asked or, where nobody is named, all who may write the certificate.
func (c *Core) askForOrder(tx *store.Tx, w clm.Work, path clm.Path) error {
	approvers, err := c.orderApprovers(tx, path)
	if err != nil {
		return err
	}
	for _, name := range []string{GateApprove, GateImplement} {
		g := clm.Gate{Subject: path.Last().ID, Work: w.ID, Stage: w.Stage, Point: clm.Start, Name: name, Open: true}
		if w.Op != clm.Enroll {
			g.Point = w.Stage
		}
		if _, err := addTicket(tx, g, map[clm.Attr][]string{
			clm.Approvers: approvers, clm.ReasonOf: {w.Reason}, clm.Requester: {requester(tx, w.Actor)},
		}); err != nil {
			return err
		}
	}
	return tx.Settle(w.ID)
}

// orderApprovers are those who are asked about orders for what the path ends in. Where
// somebody is named, and none of them is there, they stay named, so that only a master may
// answer: none at all are all who may write.
func (c *Core) orderApprovers(tx *store.Tx, path clm.Path) ([]string, error) {
	texts := path.Value(clm.Approver).Values
	named := c.named(tx, path.Last().DN, texts)
	if len(texts) > 0 && len(named) == 0 {
		return []string{nobody}, nil
	}
	if there, err := known(tx, named); err != nil || len(there) > 0 {
		return there, err
	}
	return named, nil
}

// nobody is an approver that no user is.
const nobody = "nobody"

// wantsApproval takes the gates away that were put up for the asker of an order that has
// stopped, before it goes on from the stage, and reports whether there were any: it has to
// pass them anew. It does so where somebody has said no, or where a yes was good until a time
// that has passed before anything was done.
func wantsApproval(tx *store.Tx, w clm.Work, from clm.Stage) (wants bool, err error) {
	how, err := outcomeOf(tx, w)
	if err != nil {
		return false, err
	}
	gates, err := orderGates(tx, w)
	if how != OrderRejected && !slices.ContainsFunc(gates, func(g clm.Gate) bool { return g.Stage == from && isVoid(g, tx.Now) }) {
		return false, err
	}
	for _, g := range gates {
		if err == nil {
			err = tx.DropGate(g)
		}
	}
	return len(gates) > 0, err
}

// orderGates are the gates of the work that were put up because its asker has wanted that.
func orderGates(tx *store.Tx, w clm.Work) ([]clm.Gate, error) {
	gates, err := tx.Gates(w.ID)
	return slices.DeleteFunc(gates, func(g clm.Gate) bool { return !isOrderGate(g) }), err
}

// isToBeApproved reports whether the work, if there is one, is an order whose asker wants it
// approved, whatever was said so far. What replaces it is to be approved then, too.
func isToBeApproved(tx *store.Tx, w *clm.Work) (bool, error) {
	if w == nil {
		return false, nil
	}
	gates, err := orderGates(tx, *w)
	return len(gates) > 0, err
}

// askForSuccessor is askForOrder for work that replaces what was to be approved. Where it
// waits for a signing request there is nothing to say yes to yet.
func (c *Core) askForSuccessor(tx *store.Tx, w clm.Work, path clm.Path) error {
	if w.NotBefore.After(tx.Now) {
		return nil
	}
	return c.askForOrder(tx, w, path)
}

// askOnceMore puts the question of an order's gate anew that was taken back: there is no
// workflow that would.
func askOnceMore(tx *store.Tx, t Ticket) error {
	if t.Gate.Work == 0 || !isOrderGate(t.Gate) {
		return nil
	}
	_, err := addTicket(tx, t.Gate, map[clm.Attr][]string{
		clm.Approvers: t.Own[clm.Approvers], clm.ReasonOf: t.Own[clm.ReasonOf], clm.Requester: t.Own[clm.Requester],
	})
	if err != nil {
		return err
	}
	return tx.Settle(t.Gate.Work)
}

// isOrderGate reports whether the gate is one that an order's asker has wanted.
func isOrderGate(g clm.Gate) bool { return strings.HasPrefix(g.Name, "order/") }
