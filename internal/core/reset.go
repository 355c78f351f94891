package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Reset asks for a place to be freed of whatever it is stuck in.
type Reset struct {
	DN      string
	Restart bool // begin anew when something was reset

	// Say words why policy forbids the next certificate, for whoever looks at the work
	// that has stopped for it; nil: no more than the kind is told.
	Say func(error) string
}

// ResetDone says what a reset has done.
type ResetDone struct {
	DN         clm.DN
	Processing bool       // work of the place or of its applications was ended, or a ticket deleted
	Key        bool       // a private key that did not match the certificate was replaced or given up
	Revocation bool       // what was known of a revocation was forgotten
	Restarted  bool       // work that leads to the next certificate has begun
	Work       clm.WorkID // that work

	asker    string // who had asked for the enrolment that was ended
	approval bool   // which was to be approved
}

func (d ResetDone) isNothing() bool { return !d.Processing && !d.Key && !d.Revocation }

// ResetKinds are the ways in which Reset fails. Busy: another transaction has the
// place; Unmanaged: its management type is Unassigned; Unnecessary: there was nothing
// to reset, and nothing was done.
var ResetKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy, clm.Unmanaged, clm.Unnecessary}

// Reset clears what the place and its applications are stuck in: open work, failures,
// tickets; a private key that does not match; what is known of the revocation of
// the version in use, and of any that is not done. The certificate in use stays.
//
// It clears only what existed when its transaction began. A worker that is at it
// is not waited for: what it brings later is dropped, and if that is a certificate
// of a CA outside, it is recorded and revoked or kept, but never in use. Whatever
// is asked for after the reset is not touched by it.
func (c *Core) Reset(ctx context.Context, who clm.Actor, r Reset) (done ResetDone, err error) {
	begun := time.Now()
	for pause := lockPause; ; pause *= 2 {
		done, err = c.resetNow(ctx, who, r)
		switch {
		case !errors.Is(err, store.ErrLocked):
			return done, err
		case time.Since(begun)+pause > c.db.LockWait() || ctx.Err() != nil:
			return done, clm.About(r.DN, &clm.Error{Kind: clm.Busy, Err: err})
		}
		c.rest(ctx, nil, pause)
	}
}

// lockPause is the first pause before a place is tried again that another transaction
// has; it doubles each time.
const lockPause = 50 * time.Millisecond

// resetNow is Reset that does not wait.
func (c *Core) resetNow(ctx context.Context, who clm.Actor, r Reset) (done ResetDone, err error) {
	claim := r.Restart && c.reserve()
	var t *task
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "reset", Subject: r.DN}, func(tx *store.Tx) (err error) {
		t, done = nil, ResetDone{}
		path, rights, err := find(tx, who, r.DN)
		switch {
		case err != nil:
			return err
		case !isCertificate(path) || !rights.Has(clm.Read):
			return clm.About(r.DN, clm.NotFound)
		}
		done.DN = path.Last().DN
		tx.About(string(done.DN), "")
		if !rights.Has(clm.Write) {
			return clm.About(string(done.DN), clm.Denied)
		}
		if err := tx.Lock(path.Last().ID); err != nil {
			return err
		}
		if m := path.Management(); m == clm.Unassigned {
			return clm.About(string(done.DN), clm.Fail(clm.Unmanaged, "", m))
		}
		unused, err := c.reset(tx, path.Last(), &done)
		if err == nil && done.isNothing() {
			err = clm.Unnecessary
		}
		if err == nil && r.Restart {
			t, err = r.restart(tx, clm.Actor{Name: cmp.Or(done.asker, who.Name)}, path.Last().ID, unused, claim && !done.approval)
			if err == nil && t != nil && done.approval {
				err = c.askForSuccessor(tx, t.work, t.path)
			}
		}
		if t != nil {
			done.Restarted, done.Work = t.work.Failure == "", t.work.ID
		}
		tx.About(string(done.DN), done.String())
		return clm.About(string(done.DN), err)
	})
	c.hand(claim, t, err)
	return done, err
}

// String lists what was done.
func (d ResetDone) String() string {
	var parts []string
	for _, part := range []struct {
		done bool
		name string
	}{{d.Processing, "processing"}, {d.Key, "private key"}, {d.Revocation, "revocation"}, {d.Restarted, "restart"}} {
		if part.done {
			parts = append(parts, part.name)
		}
	}
	return strings.Join(parts, ", ")
}

// reset clears what there is to be cleared of the place, and says so. unused is the
// version with a signing request from outside that the work which was ended has not
// made a certificate of.
func (c *Core) reset(tx *store.Tx, place *clm.Object, done *ResetDone) (unused *clm.Version, err error) {
	works, err := tx.OpenWorks(place.ID)
	if err != nil {
		return nil, err
	}
	for _, w := range works {
		v, err := tx.Version(w.Version)
		if err != nil {
			return nil, err
		}
		switch {
		case w.Op == clm.Abandon, w.Op == clm.Revoke && !v.Orphaned.IsZero():
			continue // what nobody wants any more goes its own way
		case w.Op == clm.Enroll:
			done.Processing, done.asker = true, w.Actor
			if v.UserCSR && len(v.CSR) > 0 && v.Orphaned.IsZero() {
				unused = &v
			}
			if done.approval, err = isToBeApproved(tx, &w); err == nil {
				err = endEnrolment(tx, w)
			}
		case w.Op.IsRevocation():
			done.Revocation = true
			err = tx.EndWork(w.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := resetTickets(tx, place.ID, done); err != nil {
		return nil, err
	}
	if err := resetApplications(tx, place, done); err != nil {
		return nil, err
	}
	if err := resetRevocations(tx, place, done); err != nil {
		return nil, err
	}
	return unused, c.resetKey(tx, place, done)
}

// resetApplications ends what is under way or has stopped at the applications that
// use the certificate. Where nothing is left to do but to look, that goes on.
func resetApplications(tx *store.Tx, place *clm.Object, done *ResetDone) error {
	bound, err := boundTo(tx, place)
	if err != nil {
		return err
	}
	for _, id := range bound {
		works, err := tx.OpenWorks(id)
		if err != nil {
			return err
		}
		for _, w := range works {
			if w.Op == clm.Undo {
				continue // what is to be put back is put back
			}
			open, err := stand(tx, w)
			if err != nil {
				return err
			}
			if open.State == clm.Processing && !w.IsBefore(clm.Verify) {
				continue // it has been done, and is only looked at
			}
			done.Processing = true
			if err := endInstall(tx, w); err != nil {
				return err
			}
		}
		if err := resetTickets(tx, id, done); err != nil {
			return err
		}
	}
	return nil
}

// resetTickets deletes the tickets of the object that wait for a work.
func resetTickets(tx *store.Tx, id clm.ObjectID, done *ResetDone) error {
	gates, err := tx.GatesOf(id)
	for _, g := range gates {
		if err == nil && g.Work == 0 {
			done.Processing = true
			err = tx.DropGate(g)
		}
	}
	return err
}

// boundTo lists the applications that use the certificate, and no other.
func boundTo(tx *store.Tx, place *clm.Object) (bound []clm.ObjectID, err error) {
	for _, id := range place.Own[clm.Consumers] {
		path, err := tx.PathByID(clm.ObjectID(id))
		switch {
		case err == nil && slices.Contains(path.Last().Own[clm.Bound], string(place.ID)):
			bound = append(bound, path.Last().ID)
		case err != nil && !errors.Is(err, clm.NotFound):
			return nil, err
		}
	}
	return bound, nil
}

// resetRevocations forgets what is known of the revocation of the version in use and
// of those that are not done. That a version which is not in use any more was
// revoked stays on record, and one that never was in use, because it came when nobody
// wanted it any more, is revoked all the same. At the CA everything stays as it is.
func resetRevocations(tx *store.Tx, place *clm.Object, done *ResetDone) error {
	all, err := tx.Revocations(place.ID)
	if err != nil {
		return err
	}
	for _, r := range all {
		if !r.IsKnown() || r.IsDone() && r.Version != place.Current {
			continue
		}
		v, err := tx.Version(r.Version)
		if err != nil {
			return err
		}
		if !v.Orphaned.IsZero() {
			continue
		}
		done.Revocation = true
		r.Cleared = tx.Now
		if err := tx.SaveRevocation(r); err != nil {
			return err
		}
		if err := tx.EndCheck(r.Version); err != nil {
			return err
		}
	}
	return nil
}

// resetKey mends the private key of the place where it does not match.
func (c *Core) resetKey(tx *store.Tx, place *clm.Object, done *ResetDone) error {
	v, err := c.current(tx, place)
	if err != nil || v == nil {
		return err
	}
	state, err := c.keyState(tx, place, *v)
	if err != nil || !state.IsWrong() {
		return err
	}
	done.Key = true
	return c.mendKey(tx, place, *v, state)
}

// restart begins the next certificate of the place, with the signing request that
// was not used up if there is one and policy has not come to forbid it; there is no
// task where the place is not managed or disabled. What policy forbids stops at once,
// and says why.
func (r Reset) restart(tx *store.Tx, who clm.Actor, id clm.ObjectID, unused *clm.Version, claim bool) (*task, error) {
	path, err := tx.PathByID(id) // as the reset has left it
	if err != nil {
		return nil, err
	}
	place := cloned(path.Last())
	if !clm.IsManaged(path.Management()) || (clm.Certificate{Object: *place}).IsOff() {
		return nil, nil
	}
	var csr *pki.CSR
	if csr, err = heldCSR(tx, path); err == nil && csr != nil { // it was handed in last
		if err = dropHeld(tx, place); err == nil {
			err = tx.SaveObject(place)
		}
	} else if wanted := path.Value(clm.UserCSR); err == nil && unused != nil && !(wanted.Locked && !wanted.IsOn()) {
		csr, err = pki.ParseCSRDER(unused.CSR)
	}
	if err != nil {
		return nil, err
	}
	path = append(path[:len(path)-1:len(path)-1], place)
	forbidden := mayRestart(tx, path, csr)
	if forbidden != nil && clm.AsError(forbidden).Kind == clm.Internal {
		return nil, forbidden
	}
	t, err := begin(tx, who, path, beginning{csr: csr, reason: "restart", claim: claim && forbidden == nil})
	if err == nil && forbidden != nil {
		t.work.Failure = r.say(forbidden)
		err = tx.SaveWork(t.work)
	}
	return t, err
}

func (r Reset) say(err error) string {
	if r.Say == nil {
		return clm.AsError(err).Kind.Error()
	}
	return r.Say(err)
}

// mayRestart applies the rules for the next certificate of the place.
func mayRestart(tx *store.Tx, path clm.Path, csr *pki.CSR) error {
	place := path.Last()
	policy := path[:len(path)-1].PolicyFor(place.Class)
	demand := demandOf(path)
	if csr != nil {
		demand = demandOfCSR(csr)
	} else if !path.Value(clm.UserCSR).IsOn() {
		policy.Fill(&demand)
		if err := canBeMade(demand); err != nil {
			return err
		}
	} else {
		return nil // it waits for a request, which will be judged
	}
	return judge(tx, policy, demand, csr, place.ID)
}
