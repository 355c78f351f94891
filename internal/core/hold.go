package core

import (
	"context"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Hold asks for a certificate to be put on hold, or to be taken off it.
type Hold struct {
	Record   *RecordRef
	Reason   string // why, in the asker's words
	Approval bool   // it waits until somebody has approved and somebody has implemented it
}

// Suspend puts a certificate on hold: whoever relies on it is told that it is revoked, for
// a reason that may be taken back. Whoever has to be asked before a certificate is revoked
// is asked before this, too. It fails as a revocation by record does, see
// RevokeRecordKinds; what comes of it is always an order.
func (c *Core) Suspend(ctx context.Context, who clm.Actor, h Hold) (RevokeAccepted, error) {
	return c.changeHold(ctx, who, h, clm.Hold, ActionSuspend)
}

// Reinstate takes a certificate off hold, as Suspend has put it there.
func (c *Core) Reinstate(ctx context.Context, who clm.Actor, h Hold) (RevokeAccepted, error) {
	return c.changeHold(ctx, who, h, clm.Release, ActionReinstate)
}

func (c *Core) changeHold(ctx context.Context, who clm.Actor, h Hold, op clm.Op, action Action) (done RevokeAccepted, err error) {
	if h.Record == nil {
		return done, clm.Fail(clm.Invalid, "record", "")
	}
	claim := !h.Approval && c.reserve()
	var t *task
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: string(action), Subject: h.Record.String(), Detail: h.Reason}, func(tx *store.Tx) error {
		t = nil
		at, err := c.aimAtRecord(tx, who, *h.Record, op)
		if err != nil {
			return err
		}
		place := at.path.Last()
		tx.About(string(place.DN), at.version.Thumbprint+", serial "+at.version.Serial+": "+h.Reason)
		done = RevokeAccepted{DN: place.DN, Version: at.version.ID, Record: RecordID(at.version)}
		said := clm.Work{Reason: h.Reason, Action: string(action)}
		t = &task{path: at.path, version: at.version, work: revocationWork(op, at.version, said, who.Name, tx.Now)}
		err = c.orderHold(tx, t, at, h.Approval, claim)
		done.Work = t.work.ID
		return clm.About(string(place.DN), err)
	})
	c.hand(claim, t, err)
	return done, err
}

// orderHold has the work of the task done: here and at once, unless somebody has to be
// asked, or by the CA.
func (c *Core) orderHold(tx *store.Tx, t *task, at aim, approval, claim bool) error {
	if err := endStopped(tx, t.work); err != nil {
		return unwritten("state", err)
	}
	asking, err := c.asksToRevoke(tx, at.path, at.version)
	if err != nil {
		return err
	}
	if at.here && len(asking) == 0 && !approval {
		if err := trades[t.work.Op].finish(c, tx, t); err != nil {
			return err
		}
		return unwritten("revocation", tx.AddDoneWork(&t.work))
	}
	t.asked = approval || len(asking) > 0
	if err := addToLane(tx, &t.work, claim); err != nil {
		return err
	}
	return c.askToRevoke(tx, t, approval, asking)
}

// endStopped ends the work that has stopped in the lane of the new one, if there is one. A
// revocation that has come to nothing is not waited for any more.
func endStopped(tx *store.Tx, w clm.Work) error {
	stopped, err := tx.OpenWork(w.Subject, w.Lane)
	if err != nil || stopped == nil {
		return err
	}
	if err := tx.EndWork(stopped.ID); err != nil {
		return err
	}
	known, err := tx.Revocation(w.Version)
	if err != nil || stopped.Op != clm.Revoke || !known.IsKnown() {
		return err
	}
	known.Cleared = tx.Now
	return tx.SaveRevocation(known)
}

// equipHold is equipRevocation of work about a hold, which fails for good where the
// certificate was revoked before it came to that.
func (c *Core) equipHold(ctx context.Context, t *task) error {
	err := c.db.Glance(ctx, func(tx *store.Tx) error { return notRevoked(tx, t) })
	if errors.Is(err, clm.Unsupported) {
		return clm.Permanent(errors.New("the certificate has been revoked meanwhile"))
	}
	if err != nil {
		return fault(err)
	}
	return c.equipRevocation(ctx, t)
}

// notRevoked fails with Unsupported where the certificate of the task is revoked for good:
// there is no hold of it any more.
func notRevoked(tx *store.Tx, t *task) error {
	known, err := tx.Revocation(t.version.ID)
	if err != nil {
		return err
	}
	isRevoked, err := isRevokedForGood(tx, t.version)
	if err == nil && (isRevoked || known.IsDone()) {
		err = clm.Fail(clm.Unsupported, "record", string(t.work.Op))
	}
	return err
}

// suspended writes down that the version is on hold, for those who publish that and for those
// who look whether it is seen; other copies of the certificate are with it. What was
// revoked in this moment stays so, and the work is left to be looked at again.
func (c *Core) suspended(tx *store.Tx, t *task) error {
	v := t.version
	if err := notRevoked(tx, t); err != nil {
		return err
	}
	if err := enlist(tx, v, clm.Revocation{Accepted: tx.Now, Reason: clm.CertificateHold}); err != nil {
		return unwritten("revocation", err)
	}
	copies, err := copiesOf(tx, v)
	for _, copy := range copies {
		if err == nil {
			err = unwritten("revocation", tx.SaveHold(copy.ID, tx.Now))
		}
	}
	if err != nil {
		return err
	}
	return unwritten("check", tx.AddCheck(v.ID))
}

// reinstated writes down that the version is not on hold any more. Nobody looks for it
// then: that it is not told can only be seen of what is not there. What was revoked in this
// moment stays so, see suspended.
func (c *Core) reinstated(tx *store.Tx, t *task) error {
	v := t.version
	if err := notRevoked(tx, t); err != nil {
		return err
	}
	if len(v.Chain) > 0 {
		if err := tx.Delist(v.Chain, v.Serial); err != nil {
			return unwritten("revocation", err)
		}
	}
	copies, err := copiesOf(tx, v)
	for _, copy := range copies {
		known, e := tx.Revocation(copy.ID)
		if err != nil || e != nil || !known.IsHeld() {
			err = errors.Join(err, e)
			continue
		}
		if err = tx.SaveHold(copy.ID, time.Time{}); err == nil {
			err = tx.EndCheck(copy.ID)
		}
	}
	return unwritten("revocation", err)
}
