package core_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// replaced has another certificate come into use, which is valid so much longer.
func (s shop) replaced(longer time.Duration) clm.Version {
	s.t.Helper()
	leaf := foreignLeaf(s.t, "www.example.com", -longer, nil)
	take(s.t, s.Rig, core.Import{Name: "www.example.com", Certificate: bundle(leaf), Key: leaf.keyPEM(s.t)})
	return s.used()
}

// used is the version in use.
func (s shop) used() clm.Version {
	s.t.Helper()
	return inUse(s.t, s.Rig, clm.DN(s.dn)).Version
}

// goesBack rolls the application back and wants the version to be in use then.
func (s shop) goesBack(app string, want clm.Version) {
	s.t.Helper()
	_, err := s.Rollback(context.Background(), s.Admin, core.Rollback{Names: []string{at(app)}})
	check(s.t, err)
	if got := s.used(); got.ID != want.ID {
		s.t.Errorf("rolled back at %s: got version %d, want %d", app, got.ID, want.ID)
	}
}

// write changes the database beside the core.
func (s shop) write(fn func(*store.Tx) error) {
	s.t.Helper()
	check(s.t, s.DB.Write(context.Background(), store.Entry{Action: "test"}, fn))
}

// rest ends what is under way at the applications.
func (s shop) rest(apps ...string) {
	s.t.Helper()
	for _, w := range s.installs(apps...) {
		if w != nil {
			s.write(func(tx *store.Tx) error { return tx.EndWork(w.ID) })
		}
	}
}

// pushes asks for the version in use to be put into the application once somebody has
// approved. An application that is named twice is one.
func (s shop) pushes(app string) clm.WorkID {
	s.t.Helper()
	done, err := s.PushRecord(context.Background(), s.Admin, core.PushRecord{
		Record: core.RecordRef{ID: core.RecordID(s.used())}, Names: []string{at(app), " " + at(app)}, Approval: true,
	})
	check(s.t, err)
	if len(done) != 1 {
		s.t.Fatalf("got %d pushes, want one", len(done))
	}
	return done[0].Work
}

// What was brought back is not replaced at once by what somebody has gone back from, but
// a day later; whatever makes the time be found anew.
func TestRollbackIsNotUndone(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		first := s.used()
		s.replaced(200 * clm.Day)
		s.Clock.Turn(345 * clm.Day) // the first one is due long since
		due(t, s.Rig, 0)
		s.goesBack(`web\a`, first)
		due(t, s.Rig, 0)
		s.put(s.dn, clm.ServerCertificate, clm.RenewalWindow, "29")
		s.Clock.Turn(23 * time.Hour)
		due(t, s.Rig, 0)
		s.Clock.Turn(2 * time.Hour)
		due(t, s.Rig, 1)
	})
}

// Whoever goes back again comes to what was before that, never to what somebody has gone
// back from, also when another certificate has come since. The log says what came for what.
func TestRollbackGoesFurtherBack(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		first, second := s.used(), s.replaced(clm.Day)
		third := s.replaced(2 * clm.Day)
		s.goesBack(`web\a`, second)
		if log := entries(t, s.Rig, "rollback"); len(log) != 1 || log[0].Subject != s.dn || log[0].Detail != core.RecordID(second)+" in place of "+core.RecordID(third) {
			t.Errorf("got entries %+v", log)
		}
		s.goesBack(`web\b`, first)
		_, err := s.Rollback(context.Background(), s.Admin, core.Rollback{Names: []string{at(`mail\c`)}})
		fails(t, "from the first one", err, clm.Unsupported, "before")
		s.rest(`web\a`, `web\b`)
		s.replaced(3 * clm.Day)
		s.goesBack(`web\a`, first)
	})
}

// Nothing comes back that is on hold or revoked, whatever was forgotten here; what only
// was to be revoked, and is not, does.
func TestWhatMayComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(tx *store.Tx, v clm.Version) error
		may   bool
	}{
		"hold": {func(tx *store.Tx, v clm.Version) error { return tx.SaveHold(v.ID, tx.Now) }, false},
		"ledger": {func(tx *store.Tx, v clm.Version) error {
			return tx.Enlist(store.LedgerEntry{Issuer: v.Chain, Serial: v.Serial, NotAfter: v.NotAfter, Revoked: tx.Now, Reason: clm.Superseded})
		}, false},
		"revoked": {func(tx *store.Tx, v clm.Version) error {
			return tx.SaveRevocation(clm.Revocation{Version: v.ID, Requested: tx.Now, Accepted: tx.Now})
		}, false},
		"compromised": {func(tx *store.Tx, v clm.Version) error { return tx.CompromiseKey(v.KeyHash) }, false},
		"asked": {func(tx *store.Tx, v clm.Version) error {
			return tx.SaveRevocation(clm.Revocation{Version: v.ID, Requested: tx.Now})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				s := newShop(t, d)
				first, second := s.used(), s.replaced(clm.Day)
				s.replaced(2 * clm.Day)
				s.write(func(tx *store.Tx) error { return c.spoil(tx, second) })
				want := first
				if c.may {
					want = second
				}
				s.goesBack(`web\a`, want)
			})
		})
	}
}

// As long as nobody has approved, nothing changes about what is used; after a no neither.
// What was refused, or has failed, is in nobody's way.
func TestPushToBeApprovedChangesNothingYet(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		s.put(at(`web\d`), clm.ApplicationClass("pem"))
		isFree := func(when string) {
			t.Helper()
			if s.bound(`web\d`) || slices.Contains(s.consumers(), `web\d`) {
				t.Errorf("%s the application uses the certificate", when)
			}
		}
		order := s.pushes(`web\d`)
		isFree("before anybody has approved")
		_, err := s.DecideOrder(ctx, s.Admin, core.OrderDecision{Order: order})
		check(t, err)
		isFree("after a no")
		order = s.pushes(`web\d`)
		_, err = s.DecideOrder(ctx, s.Admin, core.OrderDecision{Order: order})
		check(t, err)
		_, err = s.PushRecord(ctx, s.Admin, core.PushRecord{Record: core.RecordRef{ID: core.RecordID(s.used())}, Names: []string{at(`web\d`)}})
		if check(t, err); !s.bound(`web\d`) {
			t.Error("the application does not use the certificate")
		}

		first, second := s.used(), s.replaced(clm.Day)
		wanted, err := s.Rollback(ctx, s.Admin, core.Rollback{Names: []string{at(`web\a`)}, Approval: true})
		check(t, err)
		if got := s.used(); got.ID != second.ID {
			t.Error("the rollback was not waited for")
		}
		_, err = s.DecideOrder(ctx, s.Admin, core.OrderDecision{Order: wanted[0].Work})
		check(t, err)
		if got := s.used(); got.ID != second.ID {
			t.Error("the rollback was refused and done")
		}
		s.goesBack(`web\a`, first)
	})
}

// A renewal that ends meanwhile does not put its certificate where somebody has to approve
// that first, or has refused it: it asks. What was approved needs no second yes.
func TestRenewalGoesNowhereUnasked(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := newFleet(t, d, 1, nil)
		before := f.inUse(t)
		done, err := f.PushRecord(ctx, f.Admin, core.PushRecord{Record: *recordOf(inUse(t, f.Rig, clm.DN(f.cert))), Names: []string{f.app(0)}, Approval: true})
		check(t, err)
		for n, order := 0, done[0].Work; n < 2; n++ {
			renewed, err := f.Renew(ctx, f.Admin, core.Renew{DN: f.cert})
			check(t, err)
			await(t, f.Rig, renewed)
			w, err := f.OpenInstall(f.app(0))
			check(t, err)
			if w == nil || w.ID == order || w.Version != renewed.Version {
				t.Fatalf("got work %+v", w)
			}
			if o := orderOf(t, f.Rig, w.ID); o.State != core.OrderOpen || len(o.Gates) != 2 {
				t.Fatalf("got order %+v", o)
			}
			f.serve(t, before)
			if order = w.ID; n == 0 {
				_, err = f.DecideOrder(ctx, f.Admin, core.OrderDecision{Order: order})
			} else {
				_, err = f.DecideOrder(ctx, f.Admin, core.OrderDecision{Order: order, Yes: true})
				check(t, err)
				_, err = f.DecideOrder(ctx, f.Admin, core.OrderDecision{Order: order, Yes: true})
			}
			check(t, err)
		}
		f.settled(t)
		f.serve(t, f.inUse(t))
	})
}

// An earlier certificate that was taken out and is brought again only is in the inventory
// again: what is in use, what is under way and how it is managed stay as they are.
func TestRecordOnlyComesBack(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{Idle: true})
		old, now := foreignLeaf(t, "www.example.com", clm.Day, nil), foreignLeaf(t, "www.example.com", 0, nil)
		first := take(t, r, core.Import{Certificate: bundle(old), Key: old.keyPEM(t)})
		take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(now), Key: now.keyPEM(t)})
		all, _, err := r.VersionsOf(string(first.DN))
		check(t, err)
		ref := core.RecordRef{ID: core.RecordID(all[0])}
		check(t, r.RemoveRecords(ctx, r.Admin, core.RemoveRecords{Records: []core.RecordRef{ref}}))
		_, err = r.Renew(ctx, r.Admin, core.Renew{DN: string(first.DN)})
		check(t, err)
		again := take(t, r, core.Import{Certificate: bundle(old), KeyIfAny: true, New: true, Managed: func(bool) bool { return false }})
		if again.Version != all[0].ID || again.DN != first.DN {
			t.Errorf("got %+v", again)
		}
		rec, err := r.Record(ctx, r.Admin, ref)
		if check(t, err); rec.IsCurrent() || rec.Path.Management() != clm.Enrollment {
			t.Errorf("got record %+v, managed as %s", rec, rec.Path.Management())
		}
		if w, err := r.OpenWork(string(first.DN)); err != nil || w == nil {
			t.Errorf("got work %+v, %v", w, err)
		}
		check(t, r.DB.Write(ctx, store.Entry{Action: "test"}, func(tx *store.Tx) error {
			v := all[0]
			v.Orphaned = tx.Now
			return tx.SaveVersion(v)
		}))
		if fresh := take(t, r, core.Import{Name: "www.example.com", Certificate: bundle(old)}); fresh.Version == all[0].ID {
			t.Error("what nobody had wanted is in use")
		}
	})
}

// A place whose certificate in use was taken out of the inventory is not renewed by itself
// any more, until the record is back.
func TestWhatWasTakenOutIsNotRenewed(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		s := newShop(t, d)
		leaf := foreignLeaf(t, "www.example.com", 0, nil)
		take(t, s.Rig, core.Import{Name: "www.example.com", Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
		check(t, s.RemoveRecords(ctx, s.Admin, core.RemoveRecords{Records: []core.RecordRef{{ID: core.RecordID(s.used())}}}))
		s.Clock.Turn(350 * clm.Day)
		due(t, s.Rig, 0)
		s.put(s.dn, clm.ServerCertificate, clm.RenewalWindow, "29")
		due(t, s.Rig, 0)
		take(t, s.Rig, core.Import{Certificate: bundle(leaf), KeyIfAny: true, New: true})
		if got := s.used(); !bytes.Equal(got.Cert, leaf.der) || !got.Removed.IsZero() {
			t.Errorf("got version %+v", got)
		}
		due(t, s.Rig, 1)
	})
}

// What is said of several records at once stands in one entry, which names them all, and
// nothing that is said looks like a reference of ours.
func TestEntriesNameAllRecords(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{Idle: true})
		var refs []core.RecordRef
		var dn string
		for _, cn := range []string{"a.example.com", "b.example.com"} {
			leaf := foreignLeaf(t, cn, 0, nil)
			dn = string(take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)}).DN)
			refs = append(refs, core.RecordRef{ID: core.RecordID(inUse(t, r, clm.DN(dn)).Version)})
		}
		noted := func(name string) clm.Attr { return clm.Attr("test " + name) }
		check(t, r.SetManaged(ctx, r.Admin, refs, false))
		check(t, r.Say(ctx, r.Admin, []core.SayOf{{Records: refs, NoteAs: noted, Values: []core.FieldValues{{Name: "team", Values: []string{"Red"}}}}}))
		for _, action := range []string{"monitor", "set fields"} {
			log := entries(t, r, action)
			if len(log) != 1 || log[0].Subject != "2 certificates" || !strings.Contains(log[0].Detail, refs[0].ID) || !strings.Contains(log[0].Detail, refs[1].ID) {
				t.Errorf("%s: got entries %+v", action, log)
			}
		}
		secret := clm.Ref(objectID(t, r, dn))
		err := r.Say(ctx, r.Admin, []core.SayOf{{Records: refs, NoteAs: noted, Values: []core.FieldValues{{Name: "team", Values: []string{secret}}}}})
		fails(t, "a reference", err, clm.Invalid, "value")
	})
}
