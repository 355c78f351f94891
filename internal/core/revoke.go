package core

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Revoke asks for a certificate to be revoked.
type Revoke struct {
	DN         string // of a place: its version in use, unless Thumbprint says which
	Thumbprint string // SHA-1, hex, in any case and with any separators
	Reason     clm.Reason
	Comments   string // for the CA and the record
	Disable    bool   // the place is not to get another certificate

	// Record names the certificate instead. Nothing else may be under way about its place
	// then, and it must not be revoked already. What comes of it is always an order.
	Record   *RecordRef
	Approval bool // it waits until somebody has approved and somebody has implemented it
}

func (r Revoke) subject() string {
	if r.Record != nil {
		return r.Record.String()
	}
	return cmp.Or(r.DN, r.Thumbprint)
}

// RevokeAccepted says what has become of a request for revocation.
type RevokeAccepted struct {
	DN      clm.DN
	Version clm.VersionID
	Record  string     // the ID of the version's record
	Work    clm.WorkID // what is under way; zero where the certificate is revoked, unless it was named by record
	Before  bool       // the revocation was asked for before, by somebody else or another call
	SameKey []SameKey  // which other certificates are for the key; nil unless it is compromised and the installation wants them listed
}

// RevokeKinds are the ways in which Revoke fails. Of NotFound, Field is "thumbprint"
// where no certificate has it, "owner" where none of the place that was named, or of
// any, has, "vanished" where the place was deleted meanwhile, and empty where the
// place is not there. Of NotIssued it is "data" where the certificate is lost, and
// empty where there is nothing to be revoked; of Unwritten "disable", "state",
// "revocation", "check" or "pending"; Unsupported: nobody is known who could revoke.
var RevokeKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.NotIssued, clm.Unwritten, clm.Unsupported}

// RevokeRecordKinds are those of a revocation by record, and of Suspend and Reinstate.
// Denied: the actor may only read or, with Field "copy", has only brought a copy of a
// certificate of ours. Of Busy, Value is the number of the work that is in the way. Of
// Unsupported, Field is "record" where there never was a certificate, or it is revoked or
// on hold or is not, as it may be, and "authority" where its authority is not capable of
// it. Of Invalid it is "record": the identifiers fit several, Value how many, or are not
// enough.
var RevokeRecordKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unmanaged, clm.Busy, clm.Unsupported, clm.Unwritten,
}

// Revoke has the CA revoke a certificate. It never waits for a renewal of the same
// place, nor does it disturb one; each version is revoked by itself. A certificate
// whose issuer's key is held here is revoked when the call returns; otherwise the
// CA is asked by work in a lane of its own. What was asked for before is no
// failure, and a request that has failed may be repeated.
func (c *Core) Revoke(ctx context.Context, who clm.Actor, r Revoke) (done RevokeAccepted, err error) {
	var seen aim // which makes the CA, too, where it is not made yet
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		seen, err = c.aimOf(tx, who, r)
		return err
	})
	isThere := err == nil
	claim := isThere && !seen.here && c.reserve()
	var t *task
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "revoke", Subject: r.subject()}, func(tx *store.Tx) error {
		t = nil
		at, err := c.aimOf(tx, who, r)
		if isThere && errors.Is(err, clm.NotFound) {
			return clm.About(string(seen.path.Last().DN), clm.Fail(clm.NotFound, "vanished", ""))
		}
		if err != nil {
			return err
		}
		done = RevokeAccepted{DN: at.path.Last().DN, Version: at.version.ID, Record: RecordID(at.version)}
		t, err = c.revoke(tx, who, r, at, &done, claim)
		return clm.About(string(done.DN), err)
	})
	c.hand(claim, t, err)
	return done, err
}

// revoke is the part of Revoke that writes. The task is that of work which the
// caller has claimed.
func (c *Core) revoke(tx *store.Tx, who clm.Actor, r Revoke, at aim, done *RevokeAccepted, claim bool) (*task, error) {
	path, place, v := at.path, at.path.Last(), at.version
	known, err := tx.Revocation(v.ID)
	if err != nil {
		return nil, unwritten("state", err)
	}
	open, err := tx.OpenWork(place.ID, clm.RevokeLane(v.ID))
	if err != nil {
		return nil, unwritten("state", err)
	}
	asking, err := c.asksToRevoke(tx, path, v)
	if err != nil {
		return nil, err
	}
	gated := len(asking) > 0 || r.Approval
	if r.Disable && !gated {
		if path, err = disable(tx, path); err != nil {
			return nil, err
		}
	}
	detail := fmt.Sprintf("%s, serial %s, reason %d", v.Thumbprint, v.Serial, r.Reason)
	if r.Comments != "" {
		detail += ": " + r.Comments
	}
	if r.Reason == clm.KeyCompromise && len(v.KeyHash) > 0 && !gated {
		mates, err := compromise(tx, who, v)
		if err != nil {
			return nil, err
		}
		for _, m := range mates {
			detail += "; the key is also that of " + m.Thumbprint
		}
		if path[:1].Value(clm.ListSameKey).IsOn() {
			done.SameKey = mates
		}
	}
	tx.About(string(place.DN), detail)
	switch pending := open != nil && open.Failure == ""; {
	case known.IsDone(): // not by record, which is refused then
		done.Before = true
		return nil, aggravate(tx, at, known, r.Reason)
	case known.IsKnown() && pending && open.Op == clm.Revoke:
		done.Before, done.Work = true, open.ID
		return nil, nil
	case open != nil:
		if err := tx.EndWork(open.ID); err != nil {
			return nil, err
		}
	}
	t := &task{path: path, version: v, asked: gated}
	here := at.here && !gated
	if r.Disable && gated {
		t.work.Reason = revokeAndDisable
	} else if r.Record != nil {
		t.work.Reason, t.work.Action = r.Comments, string(ActionRevoke)
	}
	err = c.submitRevocation(tx, &t.work, clm.Revocation{Version: v.ID, Reason: r.Reason, Comments: r.Comments, Actor: who.Name}, v, here, claim && !r.Approval)
	switch {
	case err == nil && !here:
		err = c.askToRevoke(tx, t, r.Approval, asking)
	case err == nil && r.Record != nil:
		t.work = revocationWork(clm.Revoke, v, t.work, who.Name, tx.Now)
		err = unwritten("revocation", tx.AddDoneWork(&t.work))
	}
	done.Work = t.work.ID
	if !claim || here {
		t = nil
	}
	return t, err
}

// asksToRevoke are the workflows that have to be asked before the version is revoked, be
// it of this place or of another that has the certificate too.
func (c *Core) asksToRevoke(tx *store.Tx, path clm.Path, v clm.Version) ([]clm.Path, error) {
	asking, err := c.workflowsAt(tx, path, []clm.Stage{clm.RevokeAt})
	if err != nil {
		return nil, err
	}
	copies, err := tx.Holders(v.Thumbprint)
	for _, copy := range copies {
		if err != nil {
			return nil, err
		}
		if copy.Certificate == path.Last().ID {
			continue
		}
		var there clm.Path
		if there, err = tx.PathByID(copy.Certificate); errors.Is(err, clm.NotFound) {
			err = nil // it was deleted, and only the version is left
			continue
		} else if err != nil {
			return nil, err
		}
		var more []clm.Path
		more, err = c.workflowsAt(tx, there, []clm.Stage{clm.RevokeAt})
		for _, w := range more {
			if !slices.ContainsFunc(asking, func(a clm.Path) bool { return a.Last().ID == w.Last().ID }) {
				asking = append(asking, w)
			}
		}
	}
	return asking, err
}

// askToRevoke puts up the gates of the task's revocation: those that workflows want, those
// that clients have put up before, and those of an order whose asker wants approval. What
// goes with the revocation waits as well.
func (c *Core) askToRevoke(tx *store.Tx, t *task, approval bool, asking []clm.Path) error {
	taken, err := takeTickets(tx, t.work)
	t.asked = t.asked || taken
	if err == nil && len(asking) > 0 {
		err = c.askAll(tx, t.work, t.path, asking)
	}
	if err == nil && approval {
		err = c.askForOrder(tx, t.work, t.path)
	}
	if err == nil && t.asked {
		err = tx.Settle(t.work.ID)
	}
	return err
}

// disable sees to it that the place at the end of the path gets no other certificate,
// not even one that is on its way.
func disable(tx *store.Tx, path clm.Path) (clm.Path, error) {
	place := path.Last()
	open, err := tx.OpenWork(place.ID, clm.EnrollLane)
	if err == nil && open != nil {
		err = endEnrolment(tx, *open)
	}
	if err != nil || (clm.Certificate{Object: *place}).IsOff() {
		return path, err
	}
	off := cloned(place)
	set(off.Own, clm.Off, "1")
	path = append(path[:len(path)-1:len(path)-1], off)
	if err := tx.SaveObject(off); err != nil {
		return nil, unwritten("disable", err)
	}
	return path, replanFrom(tx, path, place.Own)
}

// submitRevocation writes down that the version is to be revoked: here, at once, or
// by the CA, with work that w becomes.
func (c *Core) submitRevocation(tx *store.Tx, w *clm.Work, r clm.Revocation, v clm.Version, here, claim bool) error {
	r.Requested = tx.Now
	if here {
		return accept(tx, v, r)
	}
	if err := tx.SaveRevocation(r); err != nil {
		return unwritten("revocation", err)
	}
	*w = revocationWork(clm.Revoke, v, *w, r.Actor, tx.Now)
	return addToLane(tx, w, claim)
}

// addToLane writes new work about a revocation down.
func addToLane(tx *store.Tx, w *clm.Work, claim bool) error {
	if claim {
		return unwritten("revocation", tx.AddHeldWork(w, lease))
	}
	return unwritten("revocation", tx.AddWork(w))
}

// revokeAndDisable is the reason of work that disables the place when it is done.
const revokeAndDisable = "revocation, and no other certificate"

// revocationWork is the work that has the CA revoke the version, put it on hold or take it
// off. said tells why, and what whoever asks for it calls it.
func revocationWork(op clm.Op, v clm.Version, said clm.Work, actor string, now time.Time) clm.Work {
	w := clm.Begin(op, clm.RevokeAt, now)
	w.Lane, w.Subject, w.Version, w.Actor = clm.RevokeLane(v.ID), v.Certificate, v.ID, actor
	w.Reason, w.Action = cmp.Or(said.Reason, "revocation"), said.Action
	return w
}

// accept writes down that the version is revoked, for those who publish that and
// for those who look whether it is seen; of what its issuer has revoked here before, as
// of that day. Other copies of the certificate are revoked with it.
func accept(tx *store.Tx, v clm.Version, r clm.Revocation) error {
	r.Accepted = tx.Now
	if at, why, err := tx.Standing(v.Chain, v.Serial); err != nil {
		return unwritten("revocation", err)
	} else if !at.IsZero() {
		r.Accepted = at
		if r.Reason != clm.KeyCompromise && why != clm.CertificateHold {
			r.Reason = why
		}
	}
	if err := enlist(tx, v, r); err != nil {
		return unwritten("revocation", err)
	}
	copies, err := copiesOf(tx, v)
	if err != nil {
		return err
	}
	for _, copy := range copies {
		r.Version = copy.ID
		if err := tx.SaveRevocation(r); err != nil {
			return unwritten("revocation", err)
		}
	}
	return unwritten("check", tx.AddCheck(v.ID))
}

// copiesOf are all versions that are the same certificate, the version itself the last.
func copiesOf(tx *store.Tx, v clm.Version) ([]clm.Version, error) {
	all, err := tx.Holders(v.Thumbprint)
	return append(slices.DeleteFunc(all, func(o clm.Version) bool { return o.ID == v.ID || !bytes.Equal(o.Cert, v.Cert) }), v), err
}

// equipRevocation adds why the version is to be revoked, and the CA that issued it.
func (c *Core) equipRevocation(ctx context.Context, t *task) error {
	return c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if t.revoke, err = tx.Revocation(t.version.ID); err != nil {
			return fault(err)
		}
		if t.here, err = c.isRevokedHere(tx, t.version, t.work.Op); err != nil || t.here {
			return fault(err)
		}
		t.ca, err = c.authorityByID(tx, t.version.Authority)
		return err
	})
}

// revokeAt has the CA revoke the version, put it on hold or take it off; there is nothing
// to be done where that is us, but to write it down. Again is harmless: what is revoked
// stays revoked, and the others may be asked for twice.
func (c *Core) revokeAt(ctx context.Context, t *task) (clm.Outcome, error) {
	if t.here {
		return clm.Outcome{}, nil
	}
	if !able[t.work.Op](t.ca.CA) {
		return clm.Outcome{}, clm.Permanent(errors.New("the certificate authority cannot " + string(t.work.Op)))
	}
	return clm.Outcome{}, atCA[t.work.Op](ctx, t)
}

// atCA asks the CA, which is able to do it.
var atCA = map[clm.Op]func(context.Context, *task) error{
	clm.Revoke: func(ctx context.Context, t *task) error {
		return t.ca.CA.(ca.Revoker).Revoke(ctx, t.version.Cert, t.revoke.Reason, t.revoke.Comments)
	},
	clm.Hold: func(ctx context.Context, t *task) error {
		return t.ca.CA.(ca.Holder).Hold(ctx, t.version.Cert, t.work.Reason)
	},
	clm.Release: func(ctx context.Context, t *task) error {
		return t.ca.CA.(ca.Holder).Release(ctx, t.version.Cert, t.work.Reason)
	},
}

// revoked writes down that the CA has revoked the version. What else was asked for waits
// with it where somebody had to be asked first.
func (c *Core) revoked(tx *store.Tx, t *task) error {
	if t.asked && t.revoke.Reason == clm.KeyCompromise && len(t.version.KeyHash) > 0 {
		if _, err := compromise(tx, clm.Actor{Name: t.work.Actor, Master: true}, t.version); err != nil {
			return err
		}
	}
	if t.work.Reason == revokeAndDisable && t.work.Action == "" { // not in the words of who has asked
		path, err := tx.PathByID(t.work.Subject)
		if err == nil {
			_, err = disable(tx, path)
		}
		if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
	}
	return accept(tx, t.version, t.revoke)
}

// AwaitRevocation waits until the revocation has come to its end, or until most has
// passed, and says how it stands then; of a revocation that has failed, why. That it
// is still to come is written down before it is told; Unwritten where it cannot be.
func (c *Core) AwaitRevocation(ctx context.Context, who clm.Actor, asked RevokeAccepted, most time.Duration) (Open, error) {
	open, err := c.Wait(ctx, asked.Work, most)
	if errors.Is(err, clm.NotFound) { // the place was deleted; what was asked for is done all the same
		open, err = Open{State: clm.Queued}, nil
	}
	switch {
	case err != nil, open.State == clm.Stopped:
		return open, err
	case open.State == clm.Finished && open.Stage == clm.End:
		return open, nil
	case open.State == clm.Finished:
		open.State, open.Failure = clm.Stopped, "the revocation was reset or asked for anew"
		return open, nil
	}
	err = c.db.Write(context.WithoutCancel(ctx), store.Entry{Actor: who, Action: "revoke/pending", Subject: string(asked.DN)}, func(tx *store.Tx) error {
		return unwritten("pending", tx.ToldPending(asked.Version))
	})
	return open, clm.About(string(asked.DN), err)
}
