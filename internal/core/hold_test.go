package core_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// recordOf names the record of what was issued.
func recordOf(i core.Issued) *core.RecordRef { return &core.RecordRef{ID: core.RecordID(i.Version)} }

// fails wants the error to be of the kind, with this field.
func fails(t testing.TB, what string, err error, kind clm.Kind, field string) {
	t.Helper()
	if !errors.Is(err, kind) || clm.AsError(err).Field != field {
		t.Errorf("%s: got %v, want %v about %q", what, err, kind, field)
	}
}

// orderOf reads an order.
func orderOf(t testing.TB, r *coretest.Rig, id clm.WorkID) core.Order {
	t.Helper()
	found, err := r.Orders(context.Background(), r.Admin, []clm.WorkID{id})
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("got %d orders with the number %d", len(found), id)
	}
	return found[0]
}

// isDone wants the order to be done, and to be about that.
func isDone(t testing.TB, r *coretest.Rig, done core.RevokeAccepted, kind core.Action) {
	t.Helper()
	if o := orderOf(t, r, done.Work); o.State != core.OrderDone || o.Kind() != kind || o.Record.ID != done.Record {
		t.Errorf("got order %+v of record %s in state %d, want %s of %s done", o.Work, o.Record.ID, o.State, kind, done.Record)
	}
}

// entryOf is what the present lists of the issuer say of the certificate: its part, and
// the whole.
func entryOf(t testing.TB, r *coretest.Rig, i core.Issued) []*x509.RevocationListEntry {
	t.Helper()
	publishAll(t, r)
	r.Clock.Turn(2 * time.Minute) // a whole list is not made anew at once
	serial := certOf(t, i).SerialNumber
	found := make([]*x509.RevocationListEntry, 2)
	for n, shard := range []int64{i.Version.ID.Shard(), core.WholeList} {
		_, list := crl(t, r, shard)
		at := slices.IndexFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(serial) == 0 })
		if at >= 0 {
			found[n] = &list.RevokedCertificateEntries[at]
		}
	}
	return found
}

// stands wants lists and responder to say this of the certificate; a reason below zero:
// that it is good.
func stands(t testing.TB, r *coretest.Rig, i core.Issued, reason clm.Reason) {
	t.Helper()
	for n, e := range entryOf(t, r, i) {
		if (e != nil) != (reason >= 0) || e != nil && e.ReasonCode != int(reason) {
			t.Errorf("list %d: got %+v, want reason %d", n, e, reason)
		}
	}
	s := ask1(t, r, certOf(t, i), i.Chain[0])
	if (s.Status == pki.StatusRevoked) != (reason >= 0) || reason >= 0 && s.Reason != reason {
		t.Errorf("responder: got %+v, want reason %d", s, reason)
	}
}

// ecdsa issues a certificate of the ECDSA issuer.
func ecdsa(t testing.TB, r *coretest.Rig, cn string) core.Issued {
	t.Helper()
	return request(t, r, r.Folder(`\VED\Policy\EC`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{core.ECDSACA}}}), cn)
}

// What is on hold is told to be revoked for that reason, in lists and by the responder,
// until it is taken off; then nobody says so any more. A revocation makes of it what
// it is for, as of the day of the hold, and for good.
func TestSuspendReinstateRevoke(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := publishing(t, d, coretest.Options{})
		i := ecdsa(t, r, "www.example.com")
		other := ecdsa(t, r, "other.example.com")
		hold := core.Hold{Record: recordOf(i), Reason: "lost laptop"}
		known := func() clm.Revocation { return revocation(t, r, i.Version.ID) }

		_, err := r.Reinstate(ctx, r.Admin, hold)
		fails(t, "take off what is not on hold", err, clm.Unsupported, "record")
		stands(t, r, i, -1)
		for range 2 {
			done, err := r.Suspend(ctx, r.Admin, hold)
			check(t, err)
			isDone(t, r, done, core.ActionSuspend)
			if !known().IsHeld() || known().IsKnown() {
				t.Errorf("got %+v, want it on hold, and no revocation", known())
			}
			stands(t, r, i, clm.CertificateHold)
			_, err = r.Suspend(ctx, r.Admin, hold)
			fails(t, "put on hold twice", err, clm.Unsupported, "record")
			_, err = r.Renew(ctx, r.Admin, core.Renew{Record: recordOf(i), Action: core.ActionRenew, Key: clm.KeySame})
			fails(t, "renew what is on hold", err, clm.Unsupported, "record")

			done, err = r.Reinstate(ctx, r.Admin, hold)
			check(t, err)
			isDone(t, r, done, core.ActionReinstate)
			if known().IsHeld() {
				t.Errorf("got %+v, want it off hold", known())
			}
			stands(t, r, i, -1)
		}

		_, err = r.Suspend(ctx, r.Admin, hold)
		check(t, err)
		at := entryOf(t, r, i)[0].RevocationTime
		r.Clock.Turn(time.Hour)
		revoke(t, r, i.Place.DN, clm.CessationOfOperation)
		isRevoked(t, r, i.Version, true, clm.CessationOfOperation)
		if known().IsHeld() {
			t.Errorf("got %+v, want it on hold no more", known())
		}
		stands(t, r, i, clm.CessationOfOperation)
		if got := entryOf(t, r, i)[0].RevocationTime; !got.Equal(at) {
			t.Errorf("got it revoked at %v, want the day of the hold, %v", got, at)
		}
		for name, do := range map[string]func(context.Context, clm.Actor, core.Hold) (core.RevokeAccepted, error){"suspend": r.Suspend, "reinstate": r.Reinstate} {
			_, err := do(ctx, r.Admin, hold)
			fails(t, name+" what is revoked", err, clm.Unsupported, "record")
		}
		stands(t, r, other, -1)
	})
}

// All copies of a certificate go on hold together. A reset leaves a hold as it is.
func TestHoldIsOfTheCertificate(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := publishing(t, d, coretest.Options{})
		i := ecdsa(t, r, "www.example.com")
		copied := take(t, r, core.Import{Folder: core.DefaultZone, Name: "copy", Certificate: secret.NewPlain(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Version.Cert}))})
		_, err := r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(i)})
		check(t, err)
		for _, v := range []clm.VersionID{i.Version.ID, copied.Version} {
			if got := revocation(t, r, v); !got.IsHeld() {
				t.Errorf("version %d: got %+v, want it on hold", v, got)
			}
		}
		if _, err := r.Reset(ctx, r.Admin, core.Reset{DN: string(i.Place.DN)}); !errors.Is(err, clm.Unnecessary) {
			t.Errorf("got %v, want nothing to be reset", err)
		}
		_, err = r.Reinstate(ctx, r.Admin, core.Hold{Record: recordOf(i)})
		check(t, err)
		revoked := ecdsa(t, r, "revoked.example.com")
		revoke(t, r, revoked.Place.DN, clm.Superseded)
		reset(t, r, revoked.Place.DN, false)
		_, err = r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(revoked)})
		fails(t, "put on hold what was revoked and reset", err, clm.Unsupported, "record")
		for _, v := range []clm.VersionID{i.Version.ID, copied.Version} {
			if got := revocation(t, r, v); got.IsHeld() {
				t.Errorf("version %d: got %+v, want it off hold", v, got)
			}
		}
	})
}

// A CA outside is asked, if it can put certificates on hold; it is tried again, and what
// it refuses stays as it was. That a revocation was refused before is in nobody's way.
func TestHoldAtCAOutside(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := &coretest.Faulty{Holds: true}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		i := await(t, r, ask(t, r, "www.example.com"))
		hold := core.Hold{Record: recordOf(i), Reason: "lost laptop"}
		refuse := func() {
			f.At(func(context.Context, coretest.Call) error { return clm.Permanent(errors.New("not now")) })
		}

		refuse()
		revokes(t, r, core.Revoke{DN: string(i.Place.DN), Reason: clm.Superseded})
		failed, err := r.Suspend(ctx, r.Admin, hold)
		check(t, err)
		if o := ended(t, r, failed); o.State != clm.Stopped || revocation(t, r, i.Version.ID).IsHeld() || revocation(t, r, i.Version.ID).IsKnown() {
			t.Errorf("got %+v, %+v; want it refused, and nothing known", o, revocation(t, r, i.Version.ID))
		}
		if o := orderOf(t, r, failed.Work); o.State != core.OrderFailed || o.Reason != "not now" {
			t.Errorf("got %d, %q", o.State, o.Reason)
		}
		f.At(nil)
		done, err := r.Suspend(ctx, r.Admin, hold)
		check(t, err)
		if o := ended(t, r, done); o.State != clm.Finished || !revocation(t, r, i.Version.ID).IsHeld() || f.Calls("hold") != 2 {
			t.Errorf("got %+v after %d calls, want it on hold", o, f.Calls("hold"))
		}
		refuse()
		refused, err := r.Revoke(ctx, r.Admin, core.Revoke{Record: recordOf(i)})
		check(t, err)
		ended(t, r, refused)
		if got := revocation(t, r, i.Version.ID); !got.IsHeld() || got.IsDone() {
			t.Errorf("got %+v, want it still on hold", got)
		}
		f.At(nil)
		done, err = r.Reinstate(ctx, r.Admin, hold)
		check(t, err)
		if o := ended(t, r, done); o.State != clm.Finished || revocation(t, r, i.Version.ID).IsHeld() || f.Calls("release") != 1 {
			t.Errorf("got %+v after %d calls, want it off hold", o, f.Calls("release"))
		}
		isDone(t, r, done, core.ActionReinstate)
	})
}

// A hold that has failed stays failed when the CA can be reached again: who asked was told,
// and may have done something else. A revocation is done after all.
func TestFailedHoldIsNotBegunAnew(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := &coretest.Faulty{Holds: true}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		held, revoked := await(t, r, ask(t, r, "held.example.com")), await(t, r, ask(t, r, "revoked.example.com"))
		f.At(func(context.Context, coretest.Call) error { return errors.New("connection refused") })
		hold, err := r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(held)})
		check(t, err)
		revocation, err := r.Revoke(ctx, r.Admin, core.Revoke{DN: string(revoked.Place.DN), Reason: clm.Superseded})
		check(t, err)
		for _, id := range []clm.WorkID{hold.Work, revocation.Work} {
			eventually(t, "it has failed", func() bool {
				r.Clock.Turn(clm.FirstBackoff)
				return workOf(t, r, id).Failure != ""
			})
		}
		f.At(nil)
		r.Clock.Turn(time.Hour)
		check(t, r.ResumeStopped(ctx))
		if o := ended(t, r, revocation); o.State != clm.Finished {
			t.Errorf("the revocation: got %+v", o)
		}
		if o := orderOf(t, r, hold.Work); o.State != core.OrderFailed || o.Reason != "connection refused" {
			t.Errorf("the hold: got %d, %q", o.State, o.Reason)
		}
		if n := f.Calls("hold"); n != clm.MaxAttempts {
			t.Errorf("the CA was asked %d times, want %d", n, clm.MaxAttempts)
		}
	})
}

// What cannot be done about a record is refused, for the first reason that there is.
func TestWhoMayRevokeRecords(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r, f, _ := outside(t, d, coretest.Options{})
		i := await(t, r, ask(t, r, "www.example.com"))
		dn := string(i.Place.DN)
		revoke := core.Revoke{Record: recordOf(i), Reason: clm.Superseded}
		try := func(what string, who clm.Actor, kind clm.Kind, field string) error {
			t.Helper()
			_, err := r.Revoke(ctx, who, revoke)
			fails(t, what, err, kind, field)
			return err
		}
		reader := user(t, r, "reader")
		_, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: clm.ServerCertificate, Rights: map[string]clm.Rights{"reader": clm.View | clm.Read}})
		check(t, err)
		stranger := user(t, r, "stranger")

		try("by somebody who may not see it", stranger, clm.NotFound, "")
		try("by a reader", reader, clm.Denied, "")
		revoke.Record = &core.RecordRef{ID: "5f56482ce74e187a7e3d52a2"}
		try("of nothing", r.Admin, clm.NotFound, "")
		revoke.Record = recordOf(i)
		_, err = r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(i)})
		fails(t, "a hold that the CA does not know", err, clm.Unsupported, "authority")

		put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.ManagementType: {clm.Monitoring}})
		try("of what is only looked at", r.Admin, clm.Unmanaged, "")
		put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.ManagementType: {}})

		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.AuthorityActions: {"renew", "suspend"}})
		try("by a CA that is not capable", r.Admin, clm.Unsupported, "authority")
		put(t, r, coretest.FaultyCA, clm.Authority, map[clm.Attr][]string{clm.AuthorityActions: {}})

		_, release := f.Hold(t, "collect")
		renewal, err := r.Renew(ctx, r.Admin, core.Renew{DN: dn})
		check(t, err)
		busy := try("while it is renewed", r.Admin, clm.Busy, "")
		if got := clm.AsError(busy).Value; got != numberOf(renewal.Work) {
			t.Errorf("got order %s in the way, want %d", got, renewal.Work)
		}
		try("by a reader while it is renewed", reader, clm.Denied, "")
		_, err = r.Revoke(ctx, r.Admin, core.Revoke{Record: &core.RecordRef{ID: renewal.Record}})
		fails(t, "the new record while it is renewed", err, clm.Busy, "")
		release()
		await(t, r, renewal)

		done, err := r.Revoke(ctx, r.Admin, revoke)
		check(t, err)
		ended(t, r, done)
		isDone(t, r, done, core.ActionRevoke)
		isRevoked(t, r, i.Version, true, clm.Superseded)
		try("twice", r.Admin, clm.Unsupported, "record")
	})
}

// An order to revoke stands in the books although we revoke at once ourselves; with
// approval it waits for two answers, and what goes with it waits, too.
func TestRevocationIsAnOrder(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := publishing(t, d, coretest.Options{})
		now, later := ecdsa(t, r, "now.example.com"), ecdsa(t, r, "later.example.com")
		done, err := r.Revoke(ctx, r.Admin, core.Revoke{Record: recordOf(now), Reason: clm.Superseded, Comments: "replaced"})
		check(t, err)
		isDone(t, r, done, core.ActionRevoke)
		if o := orderOf(t, r, done.Work); o.Work.Reason != "replaced" || o.Actor != r.Admin.Name {
			t.Errorf("got %+v, want who and why", o.Work)
		}
		isRevoked(t, r, now.Version, true, clm.Superseded)

		done, err = r.Revoke(ctx, r.Admin, core.Revoke{Record: recordOf(later), Reason: clm.KeyCompromise, Approval: true})
		check(t, err)
		for n, gate := range []string{core.GateApprove, core.GateImplement} {
			isRevoked(t, r, later.Version, false, 0)
			o := orderOf(t, r, done.Work)
			if next, waits := o.Next(); !waits || next.Name != gate || len(o.Gates) != 2-n {
				t.Errorf("got gates %+v, want %s to come next", o.Gates, gate)
			}
			_, err := r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(later)})
			fails(t, "a hold while it is to be revoked", err, clm.Busy, "revocation")
			_, err = r.DecideOrder(ctx, r.Admin, core.OrderDecision{Order: done.Work, Yes: true})
			check(t, err)
		}
		if o := ended(t, r, done); o.State != clm.Finished {
			t.Errorf("got %+v, want it revoked", o)
		}
		isRevoked(t, r, later.Version, true, clm.KeyCompromise)
		check(t, r.DB.Read(ctx, func(tx *store.Tx) error {
			bad, err := tx.KeyCompromised(later.Version.KeyHash)
			if !bad {
				t.Error("its key is not known to be compromised")
			}
			return err
		}))

		held := ecdsa(t, r, "held.example.com")
		done, err = r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(held), Approval: true})
		check(t, err)
		stands(t, r, held, -1)
		for range 2 {
			_, err = r.DecideOrder(ctx, r.Admin, core.OrderDecision{Order: done.Work, Yes: true})
			check(t, err)
		}
		ended(t, r, done)
		stands(t, r, held, clm.CertificateHold)
		done, err = r.Reinstate(ctx, r.Admin, core.Hold{Record: recordOf(held), Approval: true})
		check(t, err)
		_, err = r.DecideOrder(ctx, r.Admin, core.OrderDecision{Order: done.Work, Said: "not yet"})
		check(t, err)
		if o := orderOf(t, r, done.Work); o.State != core.OrderRejected {
			t.Errorf("got state %d, want it rejected", o.State)
		}
		stands(t, r, held, clm.CertificateHold)
		done, err = r.Reinstate(ctx, r.Admin, core.Hold{Record: recordOf(held)})
		check(t, err)
		isDone(t, r, done, core.ActionReinstate)
		stands(t, r, held, -1)
	})
}

// A workflow that is asked before revocations is asked before holds.
func TestHoldWaitsForAYes(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		g := gated(t, d, coretest.Options{}, map[clm.Stage][]string{clm.RevokeAt: {"bob"}})
		i := await(t, g.Rig, g.order("alice"))
		done, err := g.Suspend(ctx, g.who("alice"), core.Hold{Record: recordOf(i)})
		check(t, err)
		ticket := g.asked(1)[0]
		if o := orderOf(t, g.Rig, done.Work); o.State != core.OrderOpen || len(o.Gates) != 1 {
			t.Errorf("got %+v, want it to wait for one answer", o)
		}
		g.yes("bob", ticket)
		if o := ended(t, g.Rig, done); o.State != clm.Finished || !revocation(t, g.Rig, i.Version.ID).IsHeld() {
			t.Errorf("got %+v, want it on hold", o)
		}
	})
}

// It is looked whether a hold is seen. A revocation for good is not seen as long as only
// the hold is told, and of what is off hold nobody looks for anything.
func TestHoldIsSeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := coretest.New(t, d, coretest.Options{Idle: true})
		p := publish(t, r)
		leaf := p.take("www.example.com", p.both())
		write := func(do func(tx *store.Tx) error) {
			t.Helper()
			check(t, r.DB.Write(ctx, store.Entry{Actor: r.Admin, Action: "hold"}, do))
		}
		write(func(tx *store.Tx) error {
			return errors.Join(tx.SaveHold(leaf.Version, tx.Now), tx.AddCheck(leaf.Version))
		})
		looks(t, r, 1)
		isSeen(t, r, leaf.Version, false, false)
		r.Clock.Turn(time.Hour)
		p.set(func() {
			p.listed, p.told, p.reason = append(p.listed, leaf.cert), append(p.told, leaf.cert), clm.CertificateHold
		})
		looks(t, r, 1)
		isSeen(t, r, leaf.Version, true, true)
		nothingLeft(t, r)

		write(func(tx *store.Tx) error {
			return errors.Join(tx.SaveRevocation(clm.Revocation{Version: leaf.Version, Requested: tx.Now, Accepted: tx.Now}), tx.AddCheck(leaf.Version))
		})
		looks(t, r, 1)
		isSeen(t, r, leaf.Version, false, false)
		r.Clock.Turn(2 * time.Hour)
		p.set(func() { p.reason = clm.Superseded })
		looks(t, r, 1)
		isSeen(t, r, leaf.Version, true, true)
		nothingLeft(t, r)
	})
}

func numberOf(id clm.WorkID) string { return strconv.FormatInt(int64(id), 10) }

// An order about a hold that finds the certificate revoked when it comes to it has failed.
func TestHoldOfWhatWasRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := publishing(t, d, coretest.Options{})
		for name, held := range map[string]bool{"free.example.com": false, "held.example.com": true} {
			i, ask := ecdsa(t, r, name), r.Suspend
			if held {
				_, err := r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(i)})
				check(t, err)
				ask = r.Reinstate
			}
			done, err := ask(ctx, r.Admin, core.Hold{Record: recordOf(i), Approval: true})
			check(t, err)
			check(t, r.DB.Write(ctx, store.Entry{Actor: r.Admin, Action: "revoke"}, func(tx *store.Tx) error {
				return tx.SaveRevocation(clm.Revocation{Version: i.Version.ID, Requested: tx.Now, Accepted: tx.Now, Reason: clm.Superseded})
			}))
			for range 2 {
				_, err = r.DecideOrder(ctx, r.Admin, core.OrderDecision{Order: done.Work, Yes: true})
				check(t, err)
			}
			ended(t, r, done)
			if o := orderOf(t, r, done.Work); o.State != core.OrderFailed || o.Reason != "the certificate has been revoked meanwhile" {
				t.Errorf("%s: got %d, %q", name, o.State, o.Reason)
			}
			if got := revocation(t, r, i.Version.ID); !got.IsDone() {
				t.Errorf("%s: got %+v, want it revoked", name, got)
			}
		}
	})
}

// A hold goes on when the place of the certificate is deleted, unless somebody has still
// to say yes to it.
func TestHoldOutlivesItsPlace(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		f := &coretest.Faulty{Holds: true}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		for _, op := range []string{"hold", "release"} {
			i := await(t, r, ask(t, r, op+".example.com"))
			asked := make(chan struct{}, 1)
			order := r.Suspend
			if op == "release" {
				done, err := r.Suspend(ctx, r.Admin, core.Hold{Record: recordOf(i)})
				check(t, err)
				ended(t, r, done)
				order = r.Reinstate
			}
			f.At(func(_ context.Context, c coretest.Call) error {
				if c.Name == op && !c.After {
					select {
					case asked <- struct{}{}:
					default:
					}
					return errors.New("not now")
				}
				return nil
			})
			done, err := order(ctx, r.Admin, core.Hold{Record: recordOf(i)})
			check(t, err)
			receive(t, "the CA to be asked", asked)
			check(t, r.DeleteObject(ctx, r.Admin, string(i.Place.DN), false))
			f.At(nil)
			r.Clock.Turn(time.Hour)
			eventually(t, "the "+op+" is done", func() bool {
				var w clm.Work
				err := r.DB.Read(ctx, func(tx *store.Tx) (err error) {
					w, err = tx.Work(done.Work)
					return err
				})
				return err == nil && w.Done && w.Stage == clm.End
			})
		}
	})
}

// What somebody says why disables nothing, whatever it says.
func TestReasonsAreOnlyWords(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		ctx := context.Background()
		r := publishing(t, d, coretest.Options{})
		i := ecdsa(t, r, "www.example.com")
		done, err := r.Revoke(ctx, r.Admin, core.Revoke{Record: recordOf(i), Comments: "revocation, and no other certificate", Approval: true})
		check(t, err)
		for range 2 {
			_, err = r.DecideOrder(ctx, r.Admin, core.OrderDecision{Order: done.Work, Yes: true})
			check(t, err)
		}
		ended(t, r, done)
		if off := ownOf(t, r, string(i.Place.DN))[clm.Off]; len(off) > 0 {
			t.Errorf("got the place disabled: %q", off)
		}
	})
}
