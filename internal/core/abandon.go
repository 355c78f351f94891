package core

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// abandonAgain is how long nobody asks for what an outside CA makes of an order
// that nobody wants any more, when it could not be had.
const abandonAgain = 10 * time.Minute

// abandoner is the actor of what is done about such orders.
var abandoner = clm.Actor{Name: "orders that nobody wants any more", Master: true}

// endEnrolment ends work that leads to a new version: what a worker brings for it
// later is dropped. An order that a CA outside has taken is followed up: what
// comes of it must not be lost sight of.
func endEnrolment(tx *store.Tx, w clm.Work) error {
	if err := tx.EndWork(w.ID); err != nil {
		return err
	}
	v, err := tx.Version(w.Version)
	if err != nil {
		return err
	}
	return abandon(tx, v)
}

// abandon follows the order of the version up if a CA outside has taken it.
func abandon(tx *store.Tx, v clm.Version) error {
	if v.Ref == "" || !v.Orphaned.IsZero() {
		return nil
	}
	lane := clm.AbandonLane(v.ID)
	open, err := tx.OpenWork(v.Certificate, lane)
	if err != nil || open != nil {
		return err
	}
	w := clm.Begin(clm.Abandon, clm.Collect, tx.Now)
	w.Lane, w.Subject, w.Version, w.Actor, w.Reason = lane, v.Certificate, v.ID, abandoner.Name, "abandoned"
	return tx.AddWork(&w)
}

// tooLate is what a worker does whose work was ended while it was at the CA: if the CA
// has taken the order, it is followed up; that it has revoked a certificate is at least
// told. Work that somebody else goes on with, because the lease ran out, is none of its
// business any more.
func (c *Core) tooLate(t *task) error {
	if t.work.Op == clm.Revoke && t.work.Done {
		c.log.Warn("the CA has revoked a certificate whose revocation was reset meanwhile", slog.String("certificate", t.subject()), slog.String("serial", t.version.Serial))
	}
	if (t.work.Op == clm.Hold || t.work.Op == clm.Release) && t.work.Done {
		c.log.Warn("the CA has put a certificate on hold, or taken it off, although that was ended meanwhile", slog.String("work", string(t.work.Op)), slog.String("certificate", t.subject()), slog.String("serial", t.version.Serial))
	}
	if t.work.Op == clm.Install {
		return c.undo(context.Background(), t)
	}
	if t.work.Op != clm.Enroll || t.version.Ref == "" {
		return nil
	}
	entry := store.Entry{Actor: abandoner, Action: "abandon", Subject: string(t.path.Last().DN)}
	return c.db.Write(context.Background(), entry, func(tx *store.Tx) error {
		w, err := tx.Work(t.work.ID)
		if err == nil && (!w.Done || w.Stage == clm.End) {
			tx.Refused(clm.Unnecessary)
			return nil
		}
		if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
		known, err := tx.Version(t.version.ID)
		switch {
		case errors.Is(err, clm.NotFound): // its place was deleted
			known, err = t.version, tx.RestoreVersion(t.version)
		case err == nil && known.Ref == "":
			known, err = t.version, keepVersion(tx, t)
		}
		if err != nil {
			return err
		}
		return abandon(tx, known) // which may have come to its end already
	})
}

// bePatient has the work ask again about an order that nobody wants: nobody is waiting,
// and what fails today, be it that the CA cannot be reached or that its template makes
// no sense, is no failure for good.
func (c *Core) bePatient(t *task, err error) clm.Outcome {
	c.log.Warn("an unwanted order cannot be followed up", slog.String("certificate", t.subject()), slog.Any("error", err))
	return clm.Outcome{Later: c.db.Now().Add(abandonAgain)}
}

// disown looks at what has come of the order, if anything. Again is harmless: it
// only looks.
func (c *Core) disown(_ context.Context, t *task) (clm.Outcome, error) {
	if len(t.version.Cert) == 0 {
		return clm.Outcome{}, nil
	}
	cert, err := x509.ParseCertificate(t.version.Cert)
	if err != nil {
		return clm.Outcome{}, clm.Permanent(fmt.Errorf("the certificate cannot be read: %w", err))
	}
	t.identify(pki.Identify(cert))
	t.version.Orphaned = c.db.Now()
	return clm.Outcome{}, nil
}

// orphan has the CA revoke what has come although nobody wants it, unless the
// installation wants to keep it. It never becomes the version in use. What somebody has
// brought here meanwhile, by an import, is no orphan.
func (c *Core) orphan(tx *store.Tx, t *task) error {
	v := t.version
	if len(v.Cert) == 0 {
		return nil
	}
	holders, err := tx.Holders(v.Thumbprint)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(holders, func(h clm.Version) bool { return h.ID != v.ID && h.Orphaned.IsZero() }) {
		v.Cert, v.Thumbprint, v.Serial, v.Orphaned = nil, "", "", time.Time{}
		return tx.SaveVersion(v)
	}
	tx.About(t.subject(), "orphaned: "+v.Thumbprint)
	if t.path[:1].Value(clm.LateOrders).First() == clm.KeepLate {
		return nil
	}
	return c.revokeUnwanted(tx, v, clm.Superseded)
}

// revokeUnwanted has the CA outside revoke the version, which nobody wants, unless it is
// being asked already.
func (c *Core) revokeUnwanted(tx *store.Tx, v clm.Version, reason clm.Reason) error {
	open, err := tx.OpenWork(v.Certificate, clm.RevokeLane(v.ID))
	if err != nil || open != nil {
		return err
	}
	known, err := tx.Revocation(v.ID)
	if err != nil || known.IsDone() {
		return err
	}
	return c.submitRevocation(tx, &clm.Work{}, clm.Revocation{
		Version: v.ID, Reason: reason, Comments: "nobody wants it", Actor: abandoner.Name,
	}, v, false, false)
}
