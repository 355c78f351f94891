package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// TestGroupsHaveOneNameEach makes sure that no two folders go by the same name, whichever
// came first, and that every folder can be found by the name that it goes by.
func TestGroupsHaveOneNameEach(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		made, err := r.MakeGroup(ctx, r.Admin, core.NewFolder{Name: "Shop"})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"SHOP", "shop"} {
			found, err := r.Group(ctx, r.Admin, name)
			if err != nil || found.Path.Last().ID != made.Path.Last().ID || found.Name != "Shop" {
				t.Errorf("%s: got %v, %v", name, found, err)
			}
		}
		r.Folder(`\VED\Policy\Bank\Cash`, nil)
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Bank\Cash`, "shop"); !errors.Is(err, clm.Exists) {
			t.Errorf("a name that is taken: got %v", err)
		}
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Bank\Cash`, "bank"); !errors.Is(err, clm.Exists) {
			t.Errorf("a place that is taken: got %v", err)
		}
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Bank\Cash`, "Tills"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Group(ctx, r.Admin, "Bank/Cash"); !errors.Is(err, clm.NotFound) {
			t.Errorf("the place of what has a name: got %v", err)
		}
		// What comes later to stand directly below the root takes the name from it.
		r.Folder(`\VED\Policy\Tills`, nil)
		for name, dn := range map[string]clm.DN{
			"tills": `\VED\Policy\Tills`, "bank/cash": `\VED\Policy\Bank\Cash`, "Bank": `\VED\Policy\Bank`,
		} {
			found, err := r.Group(ctx, r.Admin, name)
			if err != nil || found.Path.Last().DN != dn {
				t.Errorf("%s: got %v, %v", name, found.Path, err)
			}
		}
		// A name goes with its folder.
		if err := r.DeleteObject(ctx, r.Admin, `\VED\Policy\Bank\Cash`, false); err != nil {
			t.Fatal(err)
		}
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Bank`, "Tills"); !errors.Is(err, clm.Exists) {
			t.Errorf("the name of a folder that is there: got %v", err)
		}
		if err := r.DropGroup(ctx, r.Admin, "Tills"); err != nil {
			t.Fatal(err)
		}
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Bank`, "Tills"); err != nil {
			t.Errorf("the name of a folder that is gone: %v", err)
		}
	})
}

// Who may make groups in one group takes no name from those that are in none, nor from
// those that every installation has.
func TestNamesOfGroupsAreNotTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		r.Folder(`\VED\Policy\Shop`, nil)
		alice := user(t, r, "alice")
		give(t, r, `\VED\Policy\Shop`, "alice", clm.AllRights&^clm.ManagePermissions)
		is := func(name string, want clm.DN) {
			t.Helper()
			if found, err := r.Group(ctx, r.Admin, name); err != nil || found.Path.Last().DN != want {
				t.Errorf("%s: got %v, %v, want %s", name, found.Path, err, want)
			}
		}
		_, err := r.MakeGroup(ctx, alice, core.NewFolder{Name: "Payments", Parent: "Shop"})
		check(t, err)
		is("payments", `\VED\Policy\Shop\Payments`)
		_, err = r.MakeGroup(ctx, r.Admin, core.NewFolder{Name: "Payments"})
		check(t, err)
		is("payments", `\VED\Policy\Payments`)
		is("Shop/Payments", `\VED\Policy\Shop\Payments`)
		for _, parent := range []string{"", "Shop"} {
			if _, err := r.MakeGroup(ctx, r.Admin, core.NewFolder{Name: "payments", Parent: parent}); !errors.Is(err, clm.Exists) {
				t.Errorf("another one in %q: got %v", parent, err)
			}
		}

		if err := r.NameGroup(ctx, alice, `\VED\Policy\Shop`, core.GatewayGroup); !errors.Is(err, clm.Exists) {
			t.Errorf("the name of a group that every installation has: got %v", err)
		}
		if _, err := r.Group(ctx, alice, core.GatewayGroup); !errors.Is(err, clm.NotFound) {
			t.Errorf("a group that she may not read: got %v", err)
		}
		is(core.GatewayGroup, `\VED\Policy\Certificate-Gateway`)
		made := entries(t, r, "put")
		if last := made[len(made)-1]; last.Actor != "alice" || last.Subject != `\VED\Policy\Certificate-Gateway` {
			t.Errorf("got %s by %q, want who has named it first", last.Subject, last.Actor)
		}
		if err := r.NameGroup(ctx, r.Admin, `\VED\Policy\Certificate-Gateway`, "Gate"); !errors.Is(err, clm.Unsupported) {
			t.Errorf("another name for it: got %v", err)
		}
	})
}

// Moving a certificate gives nobody its key, and takes no order away from those who are
// asked about it.
func TestAssignKeepsKeysAndOrders(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, nil)
		i := await(t, g.Rig, g.order("alice"))
		mine := g.Folder(`\VED\Policy\Mine`, nil)
		give(t, g.Rig, mine, "alice", clm.AllRights&^clm.ManagePermissions)
		give(t, g.Rig, gatedFolder, "alice", clm.AllRights&^clm.ManagePermissions&^clm.KeyRead)
		fails(t, "to where the key may be read", g.Assign(ctx, g.who("alice"), "Mine", []core.RecordRef{*recordOf(i)}), clm.Denied, "key")
		give(t, g.Rig, mine, "alice", clm.AllRights&^clm.ManagePermissions&^clm.KeyRead)

		done := g.regenerates("alice", i)
		for _, want := range []core.OrderState{core.OrderOpen, core.OrderRejected} {
			err := g.Assign(ctx, g.who("alice"), "Mine", []core.RecordRef{*recordOf(i)})
			fails(t, "while an order is open", err, clm.Busy, "enroll")
			if err != nil && clm.AsError(err).Value != numberOf(done.Work) {
				t.Errorf("got %v, want order %d in the way", err, done.Work)
			}
			g.is(done.Work, want, map[core.OrderState]int{core.OrderOpen: 2}[want])
			if want == core.OrderOpen {
				_, err = g.says("alice", done.Work, false)
				check(t, err)
			}
		}
		reset(t, g.Rig, gatedName, false)
		revocation, err := g.Revoke(ctx, g.Admin, core.Revoke{Record: recordOf(i), Approval: true})
		check(t, err)
		fails(t, "while it is to be revoked", g.Assign(ctx, g.who("alice"), "Mine", []core.RecordRef{*recordOf(i)}), clm.Busy, "revoke")
		for range 2 {
			_, err = g.DecideOrder(ctx, g.Admin, core.OrderDecision{Order: revocation.Work, Yes: true})
			check(t, err)
		}
		ended(t, g.Rig, revocation)
		check(t, g.Assign(ctx, g.who("alice"), "Mine", []core.RecordRef{*recordOf(i)}))
	})
}
