package core_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// regenerates asks, as somebody, for another certificate like the record's, which somebody
// has to approve and somebody to implement.
func (g gateRig) regenerates(who string, i core.Issued) core.Accepted {
	g.t.Helper()
	done, err := g.Renew(context.Background(), g.who(who), core.Renew{
		Record: recordOf(i), Key: clm.KeyNew, Approval: true, Reason: "key lost", Action: core.ActionRegenerate,
	})
	check(g.t, err)
	return done
}

// approves says yes to both gates of the order.
func (g gateRig) approves(who string, order clm.WorkID) {
	g.t.Helper()
	for range 2 {
		_, err := g.says(who, order, true)
		check(g.t, err)
	}
}

// says answers the order.
func (g gateRig) says(who string, order clm.WorkID, yes bool) (core.Order, error) {
	return g.DecideOrder(context.Background(), g.who(who), core.OrderDecision{Order: order, Yes: yes, Said: "says " + who})
}

// is wants the order to be in the state, and to stand before so many gates.
func (g gateRig) is(order clm.WorkID, want core.OrderState, gates int) core.Order {
	g.t.Helper()
	o := orderOf(g.t, g.Rig, order)
	if o.State != want || len(o.Gates) != gates {
		g.t.Errorf("got order in state %d before gates %+v, want state %d and %d gates", o.State, o.Gates, want, gates)
	}
	return o
}

// record wants the record to have come so far.
func (g gateRig) record(id string, want core.RecordState) {
	g.t.Helper()
	rec, err := g.Record(context.Background(), g.Admin, core.RecordRef{ID: id})
	check(g.t, err)
	if rec.State != want {
		g.t.Errorf("record %s: got state %d, want %d", id, rec.State, want)
	}
}

// Who may see what an order is about may see the order; who may write it may decide where
// nobody is named, whoever has asked. Those who are named decide alone, but not about
// what they have asked for themselves.
func TestWhoDecidesOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		_, err := g.Put(ctx, g.Admin, core.Put{DN: gatedFolder, Class: clm.Folder, Rights: map[string]clm.Rights{
			"alice": clm.AllRights &^ clm.ManagePermissions, "bob": clm.View | clm.Read,
		}})
		check(t, err)
		done := g.regenerates("alice", first)
		g.is(done.Work, core.OrderOpen, 2)

		for who, want := range map[string]int{"alice": 1, "bob": 1, "carol": 0} {
			found, err := g.Orders(ctx, g.who(who), []clm.WorkID{done.Work, done.Work + 1<<40})
			all, e := g.FindOrders(ctx, g.who(who), core.OrdersWanted{Most: 10, Suits: func(o core.Order) bool { return o.ID == done.Work }})
			if err != nil || e != nil || len(found) != want || len(all) != want {
				t.Errorf("%s sees %d and %d orders, %v, %v; want %d", who, len(found), len(all), err, e, want)
			}
		}
		_, err = g.says("carol", done.Work, true)
		fails(t, "by somebody who cannot know of it", err, clm.NotFound, "")
		_, err = g.says("bob", done.Work, true)
		fails(t, "by a reader", err, clm.Denied, "read-only")
		_, err = g.DecideOrder(ctx, g.Admin, core.OrderDecision{Order: done.Work, Yes: true, Gate: func(g clm.Gate) bool { return g.Name == core.GateImplement }})
		fails(t, "about a gate that does not come next", err, clm.Invalid, "gate")
		g.is(done.Work, core.OrderOpen, 2)
		for n := range 2 {
			o, err := g.says("alice", done.Work, true)
			if err != nil || o.State == core.OrderOpen && len(o.Gates) != 1-n {
				t.Errorf("answer %d of who has asked, where nobody is named: %+v, %v", n+1, o.Gates, err)
			}
		}
		second := await(t, g.Rig, done)
		if o := g.is(done.Work, core.OrderDone, 0); len(o.Decisions) != 2 || o.Decisions[0].Gate != core.GateApprove || o.Decisions[1].Said != "says alice" || o.Work.Reason != "key lost" {
			t.Errorf("got %+v of %+v", o.Decisions, o.Work)
		}
		_, err = g.says("alice", done.Work, true)
		fails(t, "about what is over", err, clm.Unnecessary, "")
		_, err = g.says("bob", done.Work, true)
		fails(t, "about what is over, by a reader", err, clm.Denied, "read-only")

		bob, err := g.PrincipalNamed(ctx, "bob")
		check(t, err)
		carol, err := g.PrincipalNamed(ctx, "carol")
		check(t, err)
		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
			{Class: clm.AnyCertificate, Attr: clm.Approver}: {Values: []string{string(bob), string(carol)}},
		}})
		done = g.regenerates("alice", second)
		_, err = g.says("alice", done.Work, true)
		fails(t, "by who is not named", err, clm.Denied, "")
		if found, err := g.Orders(ctx, g.who("carol"), []clm.WorkID{done.Work}); err != nil || len(found) != 1 {
			t.Errorf("who is asked sees %d orders, %v; want the one", len(found), err)
		}
		for n, who := range []string{"bob", "carol", "carol", "bob"} {
			if _, err := g.says(who, done.Work, true); err != nil {
				t.Errorf("answer %d, by %s: %v", n+1, who, err)
			}
		}
		third := await(t, g.Rig, done)

		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Rights: map[string]clm.Rights{"bob": clm.AllRights &^ clm.ManagePermissions}})
		done = g.regenerates("bob", third)
		_, err = g.says("bob", done.Work, true)
		fails(t, "by who has asked", err, clm.Denied, "requester")
		if _, err := g.says("bob", done.Work, false); err != nil {
			t.Errorf("a no of who has asked: %v", err)
		}
		g.is(done.Work, core.OrderRejected, 0)
	})
}

// A no at either gate ends the order; the certificate in use is usable as before, and the
// next order runs. What has been rejected and is let go on has to be approved anew, and
// what fails then has failed.
func TestRejectedOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		for yeses := range 2 {
			done := g.regenerates("alice", first)
			_, err := g.Renew(ctx, g.Admin, core.Renew{Record: recordOf(first), Key: clm.KeyNew, Action: core.ActionRegenerate})
			fails(t, "another order while one waits", err, clm.Busy, "")
			for range yeses {
				_, err := g.says("alice", done.Work, true)
				check(t, err)
			}
			o, err := g.says("alice", done.Work, false)
			if err != nil || o.State != core.OrderRejected || o.Reason != "The request was rejected by alice: says alice" {
				t.Errorf("after %d yeses: got %d, %q, %v", yeses, o.State, o.Reason, err)
			}
			g.record(done.Record, core.RecordRejected)
			g.record(core.RecordID(first.Version), core.RecordIssued)
			g.asked(0)

			_, err = g.Retry(ctx, g.Admin, gatedName)
			check(t, err)
			g.is(done.Work, core.OrderOpen, 2)
			g.record(done.Record, core.RecordPending)
			g.asked(2)
			put(t, g.Rig, gatedName, clm.ServerCertificate, map[clm.Attr][]string{clm.EndDate: {"2020-01-01 00:00:00"}})
			g.approves("alice", done.Work)
			if _, err := g.Wait(ctx, done.Work, patience); err != nil {
				t.Fatal(err)
			}
			g.is(done.Work, core.OrderFailed, 0)
			g.record(done.Record, core.RecordFailed)
			put(t, g.Rig, gatedName, clm.ServerCertificate, map[clm.Attr][]string{clm.EndDate: {}})
		}
		done := g.regenerates("alice", first)
		g.approves("alice", done.Work)
		await(t, g.Rig, done)
	})
}

// The gates of an order are tickets as well: who answers these decides about the order,
// who takes one back decides nothing, and a reset ends the order.
func TestOrdersAndTickets(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		done := g.regenerates("alice", first)
		for _, ticket := range g.asked(2) {
			if ticket.Gate.Name == core.GateApprove {
				check(t, g.DeleteTicket(ctx, g.Admin, ticket.ID))
			}
		}
		g.is(done.Work, core.OrderOpen, 2)
		for _, ticket := range g.asked(2) {
			if ticket.Gate.Name == core.GateApprove {
				g.yes("alice", ticket)
			}
		}
		if o := g.is(done.Work, core.OrderOpen, 1); o.Gates[0].Name != core.GateImplement {
			t.Errorf("got %+v, want it before the other gate", o.Gates)
		}
		_, err := g.says("alice", done.Work, true)
		check(t, err)
		second := await(t, g.Rig, done)

		done = g.regenerates("alice", second)
		reset(t, g.Rig, gatedName, false)
		g.is(done.Work, core.OrderCancelled, 0)
		g.record(done.Record, core.RecordRejected)
		g.asked(0)
		_, err = g.says("alice", done.Work, true)
		fails(t, "about what was ended", err, clm.Unnecessary, "")

		done = g.regenerates("alice", second)
		if err := g.decide("alice", core.Decision{Ticket: g.asked(2)[0].ID, State: core.TicketRejected}); err != nil {
			t.Error(err)
		}
		g.is(done.Work, core.OrderRejected, 0)
	})
}

// A no to whatever else has stopped the order makes it no order that is not to be approved.
func TestRejectionSparesNoApproval(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		workflow := `\VED\Policy\By hand`
		g.put(core.Put{DN: workflow, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {string(clm.Start)}}})
		done := g.regenerates("alice", first)
		ticket, err := g.CreateTicket(ctx, g.Admin, core.NewTicket{Object: gatedName, Workflow: workflow, Approvers: []core.PrincipalRef{{Name: "bob"}}})
		check(t, err)
		g.is(done.Work, core.OrderOpen, 3)
		if err := g.decide("bob", core.Decision{Ticket: ticket, State: core.TicketRejected}); err != nil {
			t.Fatal(err)
		}
		g.is(done.Work, core.OrderRejected, 0)
		_, err = g.Retry(ctx, g.Admin, gatedName)
		check(t, err)
		g.is(done.Work, core.OrderOpen, 2)
	})
}

// Of many answers at a time each counts once: two yeses let the order run, whoever comes
// first, and after a no there is nothing left to say yes to.
func TestManyDecideAtATime(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, nil)
		i := await(t, g.Rig, g.order("alice"))
		for _, withNo := range []bool{false, true} {
			done := g.regenerates("alice", i)
			const many = 8
			answers := make([]error, many)
			var all sync.WaitGroup
			for n := range many {
				all.Go(func() { _, answers[n] = g.says("alice", done.Work, !withNo || n > 0) })
			}
			all.Wait()
			o := orderOf(t, g.Rig, done.Work)
			yes, no := 0, 0
			for _, d := range o.Decisions {
				if d.Yes {
					yes++
				} else {
					no++
				}
			}
			taken := 0
			for _, err := range answers {
				if err == nil {
					taken++
				} else if !errors.Is(err, clm.Unnecessary) {
					t.Errorf("got %v", err)
				}
			}
			if taken != yes+no || no == 0 && yes != 2 || no > 0 && (yes > 1 || o.State != core.OrderRejected || !strings.Contains(o.Reason, "rejected by alice")) {
				t.Errorf("%d answers were taken; got %d yeses and %d noes, state %d", taken, yes, no, o.State)
			}
			if no == 0 {
				i = await(t, g.Rig, done)
			}
		}
	})
}

// A yes that is good until a time counts no more after it, and who lets the order go on then
// has to have it approved anew.
func TestApprovalOfOrderRunsOut(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		done := g.regenerates("alice", first)
		for _, ticket := range g.asked(2) {
			if ticket.Gate.Name == core.GateApprove {
				check(t, g.decide("alice", core.Decision{Ticket: ticket.ID, State: core.TicketBefore, To: g.Clock.Now().Add(time.Hour)}))
			}
		}
		g.Clock.Turn(2 * time.Hour)
		_, err := g.says("alice", done.Work, true)
		check(t, err)
		eventually(t, "the order has stopped", func() bool { s, _ := g.state(); return s == clm.Stopped })
		g.is(done.Work, core.OrderFailed, 0)
		_, err = g.Retry(context.Background(), g.Admin, gatedName)
		check(t, err)
		g.is(done.Work, core.OrderOpen, 2)
		g.approves("alice", done.Work)
		await(t, g.Rig, done)
	})
}

// Approvers may be named several at a time, and as macros. Where somebody is named whom
// nobody knows, only a master decides, who is not the one who asks.
func TestNamedApproversOfOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		var bob clm.PrincipalID
		expand := func(text string, _ clm.DN, _ core.Values) string {
			return map[string]string{"$owner$": string(bob), "$none$": ""}[text]
		}
		g := gated(t, d, coretest.Options{Expand: expand}, nil)
		i := await(t, g.Rig, g.order("alice"))
		bob = g.who("bob").ID
		carol := g.who("carol").ID
		for named, want := range map[string][]clm.PrincipalID{
			string(bob) + ", local:{" + string(carol) + "}": {bob, carol}, "$owner$": {bob}, "nobody knows": {}, "$none$": {},
		} {
			g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
				{Class: clm.AnyCertificate, Attr: clm.Approver}: {Values: []string{named}},
			}})
			done := g.regenerates("alice", i)
			for _, ticket := range g.asked(2) {
				if len(want) > 0 && !slices.Equal(ticket.Approvers, want) {
					t.Errorf("%s: got %v asked, want %v", named, ticket.Approvers, want)
				}
			}
			if len(want) == 0 {
				_, err := g.says("alice", done.Work, true)
				fails(t, named+": by who may write and has asked", err, clm.Denied, "")
			}
			g.approves("admin", done.Work)
			i = await(t, g.Rig, done)
		}
		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
			{Class: clm.AnyCertificate, Attr: clm.Approver}: {Values: []string{"nobody knows"}},
		}})
		done := g.regenerates("admin", i)
		_, err := g.DecideOrder(ctx, g.Admin, core.OrderDecision{Order: done.Work, Yes: true})
		fails(t, "by the master who has asked", err, clm.Denied, "requester")
	})
}

// What replaces an order that is to be approved is to be approved as well: by a reset that
// begins anew, by a request for the same place, and by one over what was rejected.
func TestSuccessorsOfOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		first := await(t, g.Rig, g.order("alice"))
		done := g.regenerates("alice", first)
		next := reset(t, g.Rig, gatedName, true).Work
		g.is(done.Work, core.OrderCancelled, 0)
		g.is(next, core.OrderOpen, 2)

		again := g.order("alice")
		g.is(next, core.OrderCancelled, 0)
		g.is(again.Work, core.OrderOpen, 2)
		_, err := g.says("alice", again.Work, false)
		check(t, err)
		last := g.order("alice")
		_, err = g.Retry(ctx, g.Admin, gatedName)
		check(t, err)
		g.is(last.Work, core.OrderOpen, 2)
		g.approves("alice", last.Work)
		await(t, g.Rig, last)
		done = g.order("alice")
		await(t, g.Rig, done) // what replaces nothing asks nobody
	})
}

// What is asked anew about a push is asked about the application, before the push begins.
func TestRejectedPushIsAskedAnew(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		s := newShop(t, d)
		check(t, s.EditObject(ctx, s.Admin, at(`web\a`), []core.Edit{{Attr: clm.Approver, Values: []string{"nobody knows"}}}, nil))
		v, err := s.View(ctx, s.Admin, s.dn)
		check(t, err)
		done, err := s.PushRecord(ctx, s.Admin, core.PushRecord{Record: core.RecordRef{ID: core.RecordID(*v.Version)}, Names: []string{at(`web\a`)}, Approval: true})
		check(t, err)
		gates := func() []clm.Gate {
			t.Helper()
			o := orderOf(t, s.Rig, done[0].Work)
			return o.Gates
		}
		before := gates()
		check(t, s.DB.Write(ctx, store.Entry{Actor: s.Admin, Action: "push"}, func(tx *store.Tx) error {
			w, err := tx.Work(done[0].Work)
			w.Stage = clm.Reload
			return errors.Join(err, tx.AddDecision(store.Decision{Work: w.ID, Gate: core.GateApprove, Stage: w.Stage, Actor: "admin"}), tx.SaveWork(w), tx.StopWork(w.ID, "The request was rejected by admin."))
		}))
		_, err = s.Retry(ctx, s.Admin, s.dn)
		check(t, err)
		after := gates()
		if len(before) != 2 || len(after) != 2 {
			t.Fatalf("got gates %+v, then %+v", before, after)
		}
		for n, g := range after {
			if g.Subject != before[n].Subject || g.Stage != before[n].Stage || g.Point != before[n].Point || g.ID == before[n].ID {
				t.Errorf("got %+v, want another one like %+v", g, before[n])
			}
		}
	})
}
