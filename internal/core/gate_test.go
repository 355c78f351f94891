package core_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

const (
	gatedFolder = `\VED\Policy\Gated`
	gatedName   = `\VED\Policy\Gated\www.example.com`
)

// gateRig is a folder whose certificates need somebody's yes.
type gateRig struct {
	*coretest.Rig
	t      *testing.T
	people map[string]clm.Actor
}

// gated makes users alice, bob and carol, group ops with bob and carol, and workflows,
// each at a point with the approvers.
func gated(t *testing.T, d coretest.Database, o coretest.Options, workflows map[clm.Stage][]string) gateRig {
	t.Helper()
	g := gateRig{coretest.New(t, d, o), t, map[string]clm.Actor{}}
	ctx := context.Background()
	put := func(p core.PutPrincipal) {
		t.Helper()
		if _, err := g.PutPrincipal(ctx, g.Admin, p); err != nil {
			t.Fatal(err)
		}
	}
	put(core.PutPrincipal{Name: "ops", IsGroup: true})
	for name, groups := range map[string][]string{"alice": {}, "bob": {"ops"}, "carol": {"ops"}} {
		password := secret.NewString("pass-Word-1-" + name)
		put(core.PutPrincipal{Name: name, Password: password, Groups: groups})
		who, err := g.Login(ctx, core.Login{Name: name, Password: password, Address: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		g.people[name] = who
	}
	var names []string
	for point, approvers := range workflows {
		var ids []string
		for _, name := range approvers {
			id, err := g.PrincipalNamed(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, string(id))
		}
		dn := `\VED\Policy\Approval of ` + string(point)
		g.put(core.Put{DN: dn, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {string(point)}, clm.Approvers: ids}})
		names = append(names, dn)
	}
	g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Own: map[clm.Attr][]string{clm.Workflows: names},
		Rights: map[string]clm.Rights{"alice": clm.AllRights &^ clm.ManagePermissions}})
	return g
}

func (g gateRig) put(p core.Put) {
	g.t.Helper()
	if _, err := g.Put(context.Background(), g.Admin, p); err != nil {
		g.t.Fatal(err)
	}
}

// order asks for the certificate on behalf of somebody.
func (g gateRig) order(who string) core.Accepted {
	g.t.Helper()
	done, err := g.Request(context.Background(), g.who(who), core.Request{
		Folder: gatedFolder, Class: clm.ServerCertificate, Names: clm.Names{CommonName: "www.example.com", DNS: []string{"www.example.com"}},
		KeyAlgorithm: clm.ECC, Curve: clm.P256,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return done
}

func (g gateRig) who(name string) clm.Actor {
	if who, ok := g.people[name]; ok {
		return who
	}
	return g.Admin
}

// asked waits for so many tickets about the certificate.
func (g gateRig) asked(n int) []core.Ticket {
	g.t.Helper()
	var list []core.Ticket
	eventually(g.t, fmt.Sprintf("there are %d tickets", n), func() bool {
		found, err := g.Tickets(context.Background(), g.Admin, gatedName)
		list = found
		return err == nil && len(found) == n
	})
	return list
}

func (g gateRig) decide(who string, d core.Decision) error {
	return g.Decide(context.Background(), g.who(who), d)
}

// yes says yes and expects to be heard.
func (g gateRig) yes(who string, t core.Ticket) {
	g.t.Helper()
	if err := g.decide(who, core.Decision{Ticket: t.ID, State: "approved"}); err != nil {
		g.t.Fatalf("%s: %v", who, err)
	}
}

// state is how the open work of the certificate stands.
func (g gateRig) state() (state clm.State, failure string) {
	g.t.Helper()
	v, err := g.View(context.Background(), g.Admin, gatedName)
	if err != nil {
		g.t.Fatal(err)
	}
	if v.Open == nil {
		return clm.Finished, ""
	}
	return v.Open.State, v.Open.Failure
}

func (g gateRig) ends() {
	g.t.Helper()
	eventually(g.t, "the work is at its end", func() bool { s, _ := g.state(); return s == clm.Finished })
}

// Work stops at every point that a workflow names, shows what it waits for, and goes
// on when it is said yes to; a certificate comes of it once.
func TestWorkflowsStopWorkAtTheirPoints(t *testing.T) {
	t.Parallel()
	for _, point := range []clm.Stage{clm.Start, clm.CreateKey, clm.CreateCSR, clm.Submit, clm.Approval, clm.Collect} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{point: {"bob"}})
				g.order("alice")
				ticket := g.asked(1)[0]
				if ticket.Gate.Point != point || string(ticket.Blocks) != gatedName || ticket.State != core.TicketPending {
					t.Errorf("got a ticket at %s about %s that is %s", ticket.Gate.Point, ticket.Blocks, ticket.State)
				}
				if state, _ := g.state(); state != clm.Gated {
					t.Errorf("got state %d, want one that waits for a yes", state)
				}
				g.yes("bob", ticket)
				g.ends()
				if _, current, err := g.VersionsOf(gatedName); err != nil || current.Thumbprint == "" {
					t.Errorf("got %q in use, %v", current.Thumbprint, err)
				}
				if left, err := g.Tickets(context.Background(), g.Admin, gatedName); len(left) != 0 || err != nil {
					t.Errorf("%d tickets are left, %v", len(left), err)
				}
			})
		})
	}
}

// Several workflows are asked one after the other along the way, and those of one
// point at once; what was said yes to is not asked again, neither after a failure that
// is tried again.
func TestEveryWorkflowIsAskedOnce(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Start: {"bob"}, clm.CreateKey: {"carol"}, clm.Submit: {"ops"}})
		g.order("alice")
		first := g.asked(2) // start and create-key are both before the first stage
		g.yes("bob", pick(t, first, clm.Start))
		g.yes("carol", pick(t, g.asked(1), clm.CreateKey))
		g.yes("carol", pick(t, g.asked(1), clm.Submit)) // one of the group
		g.ends()
	})
}

func pick(t *testing.T, tickets []core.Ticket, point clm.Stage) core.Ticket {
	t.Helper()
	for _, ticket := range tickets {
		if ticket.Gate.Point == point {
			return ticket
		}
	}
	t.Fatalf("none of %d tickets is at %s", len(tickets), point)
	return core.Ticket{}
}

// Who is none of the approvers decides nothing; who has asked for the work may not say
// yes to it, be it a master, unless the installation allows it; all approvers have to
// say yes, and a group is content with one of its members.
func TestWhoMaySayYes(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"alice", "ops"}})
		g.order("alice")
		ticket := g.asked(1)[0]
		denied := func(who string) {
			t.Helper()
			if err := g.decide(who, core.Decision{Ticket: ticket.ID, State: core.TicketApproved}); !errors.Is(err, clm.Denied) {
				t.Errorf("got %v for %s, want that it is refused", err, who)
			}
		}
		denied("alice")
		g.yes("bob", ticket)
		if state, _ := g.state(); state != clm.Gated {
			t.Errorf("got state %d after one of two has said yes", state)
		}
		g.put(core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: map[clm.Attr][]string{clm.SelfApproval: {"1"}}})
		g.yes("alice", ticket)
		g.ends()
		g.put(core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: map[clm.Attr][]string{clm.SelfApproval: nil}})

		g.order("admin")
		ticket = g.asked(1)[0]
		denied("admin")
		g.yes("bob", ticket)
		g.yes("alice", ticket)
		g.ends()
	})
}

// Who is asked may read what it is about, until it is decided, and nobody else may.
func TestApproversMayRead(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		g.order("alice")
		ticket := g.asked(1)[0]
		sees := func(who string, want bool) {
			t.Helper()
			v, err := g.View(context.Background(), g.who(who), gatedName)
			if got := err == nil && v.Rights.Has(clm.Read); got != want {
				t.Errorf("%s may read it: %t, want %t (%v)", who, got, want, err)
			}
			_, err = g.Ticket(context.Background(), g.who(who), ticket.ID)
			if got := err == nil; got != want {
				t.Errorf("%s may read the ticket: %t, want %t (%v)", who, got, want, err)
			}
		}
		sees("bob", true)
		sees("carol", false)
		if err := g.decide("carol", core.Decision{Ticket: ticket.ID, State: core.TicketApproved}); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v for somebody who cannot know of it", err)
		}
		g.yes("bob", ticket)
		g.ends()
		sees("bob", false)
	})
}

// One no stops the work, with what was said; retrying it asks anew, and a reset takes
// the question away.
func TestRejectedWorkStops(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob", "carol"}})
		g.order("alice")
		ticket := g.asked(1)[0]
		if err := g.decide("bob", core.Decision{Ticket: ticket.ID, State: core.TicketRejected, Explanation: "not this year"}); err != nil {
			t.Fatal(err)
		}
		if state, failure := g.state(); state != clm.Stopped || failure != "The request was rejected by bob: not this year" {
			t.Errorf("got state %d, %q", state, failure)
		}
		g.asked(0)
		if _, err := g.Retry(context.Background(), g.Admin, gatedName); err != nil {
			t.Fatal(err)
		}
		again := g.asked(1)[0]
		if again.ID == ticket.ID {
			t.Error("the ticket that was rejected is there again")
		}
		reset(t, g.Rig, gatedName, false)
		g.asked(0)
		if state, _ := g.state(); state != clm.Finished {
			t.Errorf("got state %d after the reset", state)
		}
	})
}

// A yes may be good from some time on, or until then.
func TestScheduledApprovals(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		g.order("alice")
		ticket := g.asked(1)[0]
		now := g.Clock.Now()
		for name, bad := range map[string]core.Decision{
			"no such state":        {State: "perhaps"},
			"no start":             {State: core.TicketAfter},
			"no stop":              {State: core.TicketBefore},
			"only one of the two":  {State: core.TicketBetween, From: now},
			"a stop that has been": {State: core.TicketBefore, To: now.Add(-time.Hour)},
			"a stop before start":  {State: core.TicketBetween, From: now.Add(2 * time.Hour), To: now.Add(time.Hour)},
		} {
			bad.Ticket = ticket.ID
			if err := g.decide("bob", bad); !errors.Is(err, clm.Invalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := g.decide("bob", core.Decision{Ticket: ticket.ID, State: core.TicketAfter, From: now.Add(2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if state, _ := g.state(); state != clm.Gated {
			t.Errorf("got state %d before the yes is good", state)
		}
		if err := g.decide("bob", core.Decision{Ticket: ticket.ID, State: core.TicketBetween, From: now.Add(time.Hour), To: now.Add(3 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		g.Clock.Turn(90 * time.Minute)
		g.ends()

		g.order("alice")
		ticket = g.asked(1)[0]
		late := g.Clock.Now().Add(time.Hour)
		if err := g.decide("bob", core.Decision{Ticket: ticket.ID, State: core.TicketBetween, From: late, To: late.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		g.Clock.Turn(3 * time.Hour)
		eventually(t, "the work has stopped", func() bool { s, _ := g.state(); return s == clm.Stopped })
	})
}

// Folders below add their workflows to those above; what a folder blocks does not hold
// there and below, and one of another class of applications stops nothing.
func TestWhichWorkflowsHold(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		submit := `\VED\Policy\Approval of submit`
		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Own: map[clm.Attr][]string{clm.WorkflowBlocks: {submit}}})
		g.order("alice")
		g.ends()
		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Own: map[clm.Attr][]string{clm.WorkflowBlocks: nil, clm.Workflows: nil}})
		g.put(core.Put{DN: string(clm.PolicyDN), Class: clm.Folder, Own: map[clm.Attr][]string{clm.Workflows: {submit}}})
		g.put(core.Put{DN: submit, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.ForClass: {string(clm.ApplicationClass("apache"))}}})
		g.order("alice")
		g.ends()
		g.put(core.Put{DN: submit, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.ForClass: nil}})
		g.order("alice")
		g.yes("bob", g.asked(1)[0])
		g.ends()
	})
}

// A ticket that a client has put up stops the next work that comes to the point; one
// that is deleted answers nothing, and is asked again.
func TestTicketsOfClients(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		ctx := context.Background()
		g.order("alice")
		g.yes("bob", g.asked(1)[0])
		g.ends()
		n := core.NewTicket{Object: gatedName, Workflow: `\VED\Policy\Approval of submit`, Approvers: []core.PrincipalRef{{Name: "carol"}}, Reason: "because", UserData: "mine"}
		id, err := g.CreateTicket(ctx, g.who("alice"), n)
		if err != nil {
			t.Fatal(err)
		}
		if ticket := g.asked(1)[0]; ticket.ID != id || ticket.Reason != "because" {
			t.Errorf("got %+v", ticket)
		}
		g.order("alice")
		eventually(t, "the ticket has its work", func() bool {
			ticket, err := g.Ticket(ctx, g.Admin, id)
			return err == nil && ticket.Gate.Work != 0
		})
		if err := g.DeleteTicket(ctx, g.who("alice"), id); !errors.Is(err, clm.Denied) {
			t.Errorf("got %v for somebody without the right", err)
		}
		if err := g.DeleteTicket(ctx, g.Admin, id); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is asked anew", func() bool {
			found, err := g.Tickets(ctx, g.Admin, gatedName)
			return err == nil && len(found) == 1 && found[0].ID != id
		})
		g.yes("bob", g.asked(1)[0])
		g.ends()
		for name, bad := range map[string]core.NewTicket{
			"object":   {Object: gatedName + "x", Workflow: n.Workflow},
			"workflow": {Object: gatedName, Workflow: gatedName},
		} {
			if _, err := g.CreateTicket(ctx, g.Admin, bad); clm.AsError(err).Kind != clm.NotFound || clm.AsError(err).Field != name {
				t.Errorf("no %s: got %v", name, err)
			}
		}
	})
}

// Revocations stop at their own point, and do not stand in the way of enrolment.
func TestRevocationWaitsForAYes(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.RevokeAt: {"bob"}})
		g.order("alice")
		g.ends()
		if _, err := g.Revoke(context.Background(), g.who("alice"), core.Revoke{DN: gatedName}); err != nil {
			t.Fatal(err)
		}
		ticket := g.asked(1)[0]
		g.order("alice")
		g.ends()
		g.yes("bob", ticket)
		eventually(t, "it is revoked", func() bool {
			all, _, err := g.VersionsOf(gatedName)
			return err == nil && len(all) == 2 && len(entries(t, g.Rig, "revoke/end")) == 1
		})
	})
}

// A ticket that a client has put up is asked besides those of workflows, and not instead
// of them; neither who has put it up nor who has asked for the work may say yes to it.
func TestTicketsOfClientsComeBesides(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		ctx := context.Background()
		g.order("alice")
		g.yes("bob", g.asked(1)[0])
		g.ends()
		_, err := g.CreateTicket(ctx, g.Admin, core.NewTicket{
			Object: gatedName, Workflow: `\VED\Policy\Approval of submit`, Approvers: []core.PrincipalRef{{Name: "alice"}}, Reason: `$Config[\VED\Policy,Description]$`,
		})
		if err != nil {
			t.Fatal(err)
		}
		g.order("alice")
		tickets := g.asked(2)
		for _, ticket := range tickets {
			if len(ticket.Approvers) == 1 && ticket.Approvers[0] == g.people["bob"].ID {
				g.yes("bob", ticket)
			} else if err := g.decide("alice", core.Decision{Ticket: ticket.ID, State: core.TicketApproved}); !errors.Is(err, clm.Denied) {
				t.Errorf("got %v for who has asked for the work", err)
			}
		}
		if state, _ := g.state(); state != clm.Gated {
			t.Errorf("got state %d, want one that waits for a yes", state)
		}
	})
}

// Who may write a certificate or a folder, and not its policy, does not say which
// workflows hold.
func TestWorkflowsAreForThoseWhoManagePolicy(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		ctx, submit := context.Background(), `\VED\Policy\Approval of submit`
		g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Rights: map[string]clm.Rights{"alice": clm.View | clm.Read | clm.Write | clm.Create}})
		g.put(core.Put{DN: submit, Class: clm.Workflow, Rights: map[string]clm.Rights{"alice": clm.View}})
		for name, edit := range map[string]core.Edit{
			"clear the folder's": {Attr: clm.Workflows},
			"block one":          {Attr: clm.WorkflowBlocks, Values: []string{submit}, Mode: core.AddTo},
		} {
			if err := g.EditObject(ctx, g.who("alice"), gatedFolder, []core.Edit{edit}, nil); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		_, err := g.Create(ctx, g.who("alice"), core.NewObject{DN: gatedFolder + `\Free`, Class: clm.Folder, Own: []core.Edit{{Attr: clm.WorkflowBlocks, Values: []string{submit}}}})
		if !errors.Is(err, clm.Denied) {
			t.Errorf("got %v for a folder that blocks one", err)
		}
		g.order("alice")
		g.put(core.Put{DN: gatedName, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.WorkflowBlocks: {submit}}}) // which says nothing there
		g.yes("bob", g.asked(1)[0])
		g.ends()
		g.order("alice")
		g.asked(1)
	})
}

// What a place has come to want while somebody was asked is held to policy.
func TestPolicyHoldsAfterTheYes(t *testing.T) {
	t.Parallel()
	for _, point := range []clm.Stage{clm.Start, clm.Submit} {
		coretest.Databases(t, func(t *testing.T, d coretest.Database) {
			g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{point: {"bob"}})
			g.put(core.Put{DN: gatedFolder, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
				{Class: clm.AnyCertificate, Attr: clm.DomainWhitelist}: {Values: []string{"example.com"}, Locked: true},
			}})
			g.order("alice")
			ticket := g.asked(1)[0]
			edits := []core.Edit{{Attr: clm.CommonName, Values: []string{"evil.org"}}, {Attr: clm.SANDNS, Values: []string{"evil.org"}}}
			if err := g.EditObject(context.Background(), g.who("alice"), gatedName, edits, nil); err != nil {
				t.Fatal(err)
			}
			g.yes("bob", ticket)
			if point == clm.Start {
				eventually(t, "the work has stopped", func() bool { s, _ := g.state(); return s == clm.Stopped })
				return
			}
			g.ends() // the request was signed before
			_, current, err := g.VersionsOf(gatedName)
			if err != nil || !strings.Contains(describe(t, current.Cert), "www.example.com") || strings.Contains(describe(t, current.Cert), "evil.org") {
				t.Errorf("got a certificate for %s, %v", describe(t, current.Cert), err)
			}
		})
	}
}

// describe is what a certificate says of whom it is for.
func describe(t *testing.T, der []byte) string {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Subject.String() + " " + strings.Join(cert.DNSNames, " ")
}

// Deleting a place, or revoking a copy of its certificate from elsewhere, does not spare
// a revocation the question; what was asked for together with it waits for the yes too.
func TestRevocationIsNotSparedTheQuestion(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.RevokeAt: {"bob"}})
		ctx := context.Background()
		g.order("alice")
		g.ends()
		all, current, err := g.VersionsOf(gatedName)
		if err != nil || len(all) != 1 {
			t.Fatal(err)
		}
		if _, err := g.Import(ctx, g.Admin, core.Import{Folder: core.DefaultZone, Name: "copy", Certificate: secret.NewString(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: current.Cert})))}); err != nil {
			t.Fatal(err)
		}
		unlisted := func(when string) {
			t.Helper()
			if e, err := g.ListEntry(current); e != nil || err != nil {
				t.Errorf("%s: it is revoked, %v", when, err)
			}
		}
		if _, err := g.Revoke(ctx, g.Admin, core.Revoke{DN: core.DefaultZone + `\copy`}); err != nil {
			t.Fatal(err)
		}
		unlisted("by its copy")
		if _, err := g.Revoke(ctx, g.who("alice"), core.Revoke{DN: gatedName, Reason: clm.KeyCompromise, Disable: true}); err != nil {
			t.Fatal(err)
		}
		ticket := g.asked(1)[0]
		if err := g.decide("bob", core.Decision{Ticket: ticket.ID, State: core.TicketRejected, Explanation: "it is not"}); err != nil {
			t.Fatal(err)
		}
		unlisted("after a no")
		if o, err := g.Object(ctx, g.Admin, gatedName); err != nil || (clm.Certificate{Object: o.Object}).IsOff() {
			t.Errorf("it is disabled after a no, %v", err)
		}
		g.order("alice") // with the key in use, or another: neither is known as compromised
		g.ends()
		if _, err := g.Revoke(ctx, g.who("alice"), core.Revoke{Thumbprint: current.Thumbprint, DN: gatedName}); err != nil {
			t.Log(err)
		}
		if err := g.DeleteObject(ctx, g.Admin, gatedName, false); err != nil {
			t.Fatal(err)
		}
		unlisted("when its place is deleted")
		if n := len(entries(t, g.Rig, "revoke/end")); n != 0 {
			t.Errorf("%d revocations were done", n)
		}
	})
}

// A requester who has got another name is the same requester, and stays it when somebody
// else restarts the work.
func TestRequesterStaysTheSame(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"alice"}})
		g.order("alice")
		ticket := g.asked(1)[0]
		if err := g.Rename(context.Background(), g.Admin, `\VED\Identity\alice`, `\VED\Identity\alicia`); err != nil {
			t.Fatal(err)
		}
		who := g.people["alice"]
		who.Name = "alicia"
		denied := func(when string) {
			t.Helper()
			if err := g.Decide(context.Background(), who, core.Decision{Ticket: ticket.ID, State: core.TicketApproved}); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v", when, err)
			}
		}
		denied("renamed")
		if err := g.Rename(context.Background(), g.Admin, `\VED\Identity\alicia`, `\VED\Identity\alice`); err != nil {
			t.Fatal(err)
		}
		reset(t, g.Rig, gatedName, true)
		ticket = g.asked(1)[0]
		denied("restarted by somebody else")
	})
}

// Where those are gone whom a workflow names, nobody else is asked but a master.
func TestNobodyStandsInForApprovers(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Submit: {"bob"}})
		if err := g.DeleteObject(context.Background(), g.Admin, `\VED\Identity\bob`, false); err != nil {
			t.Fatal(err)
		}
		g.put(core.Put{DN: gatedName, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.Approver: {string(g.people["carol"].ID)}}})
		g.order("alice")
		ticket := g.asked(1)[0]
		if len(ticket.Approvers) != 0 {
			t.Errorf("%v are asked", ticket.Approvers)
		}
		g.yes("admin", ticket)
		g.ends()
	})
}

// An approval of which one is for later waits for that, quietly; one that comes to be for
// now holds at once; one that has run out is asked for anew when the work is retried.
func TestApprovalsAtTheirTime(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.Start: {"bob"}, clm.CreateKey: {"carol"}})
		g.order("alice")
		tickets := g.asked(2)
		now := g.Clock.Now()
		for who, wait := range map[string]time.Duration{"bob": 24 * time.Hour, "carol": time.Hour} {
			point := map[string]clm.Stage{"bob": clm.Start, "carol": clm.CreateKey}[who]
			if err := g.decide(who, core.Decision{Ticket: pick(t, tickets, point).ID, State: core.TicketAfter, From: now.Add(wait)}); err != nil {
				t.Fatal(err)
			}
		}
		w, err := g.OpenWork(gatedName)
		if err != nil || w == nil || w.NotBefore.Before(now.Add(23*time.Hour)) {
			t.Fatalf("got %+v, %v; want work that rests until tomorrow", w, err)
		}
		g.yes("bob", pick(t, tickets, clm.Start))
		if w, err = g.OpenWork(gatedName); err != nil || w == nil || w.NotBefore.After(now.Add(2*time.Hour)) {
			t.Fatalf("got %+v, %v; want work that rests for an hour", w, err)
		}
		g.Clock.Turn(90 * time.Minute)
		g.ends()

		g.order("alice")
		tickets = g.asked(2)
		now = g.Clock.Now()
		g.yes("carol", pick(t, tickets, clm.CreateKey))
		if err := g.decide("bob", core.Decision{Ticket: pick(t, tickets, clm.Start).ID, State: core.TicketBetween, From: now.Add(time.Hour), To: now.Add(2 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		g.Clock.Turn(3 * time.Hour)
		eventually(t, "the work has stopped", func() bool { s, _ := g.state(); return s == clm.Stopped })
		if _, err := g.Retry(context.Background(), g.Admin, gatedName); err != nil {
			t.Fatal(err)
		}
		g.yes("bob", g.asked(1)[0])
		g.ends()
		if n, err := g.Gates(gatedName); n != 0 || err != nil {
			t.Errorf("%d gates are left, %v", n, err)
		}
	})
}
