package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/store"
)

// What an installation has switched is seen to be served, or put back. Where the work is
// ended between the two, putting it back is work of its own: a worker that is at it may
// die, and the host may be down.

// undoAgain is when it is seen again whether an installation that is under way has made it
// needless to put something back.
const undoAgain = time.Minute

// endInstall ends the installation, whatever a worker that is at it may bring later, and
// has put back what it has switched.
func endInstall(tx *store.Tx, w clm.Work) error {
	if err := undoLater(tx, w); err != nil {
		return err
	}
	return tx.EndWork(w.ID)
}

// endInstallAt ends what is under way to install a certificate in the application.
func endInstallAt(tx *store.Tx, id clm.ObjectID) error {
	w, err := tx.OpenWork(id, clm.InstallLane)
	if err != nil || w == nil {
		return err
	}
	return endInstall(tx, *w)
}

// undoLater opens the work that puts back what the installation has switched, if that may
// be so. It begins when nobody is at the installation any more: a worker that lives puts
// it back by itself. Where such work is open already it knows better what was there
// before; if it has stopped, it goes on.
func undoLater(tx *store.Tx, w clm.Work) error {
	if w.Op != clm.Install || w.Memo == "" {
		return nil
	}
	open, err := tx.OpenWork(w.Subject, clm.UndoLane)
	switch {
	case err != nil:
		return err
	case open != nil && open.Failure != "":
		return tx.ResumeWork(*open)
	case open != nil:
		return nil
	}
	undo := clm.Begin(clm.Undo, clm.Restore, tx.Now)
	undo.Lane, undo.Subject, undo.Version, undo.Host, undo.Memo = clm.UndoLane, w.Subject, w.Version, w.Host, w.Memo
	undo.Actor, undo.Reason = w.Actor, "the installation was ended"
	held, err := tx.IsHeld(w.ID)
	if err != nil {
		return err
	}
	if held {
		undo.NotBefore = w.NotBefore // the end of the lease
	}
	return tx.AddWork(&undo)
}

// nothingToUndo ends the work that is to put something back at the application.
func nothingToUndo(tx *store.Tx, app clm.ObjectID) error {
	undo, err := tx.OpenWork(app, clm.UndoLane)
	if err != nil || undo == nil {
		return err
	}
	return tx.EndWork(undo.ID)
}

// undo puts back what a worker has changed at an application for work that was ended
// meanwhile. What it cannot put back is left to work of its own.
func (c *Core) undo(ctx context.Context, t *task) error {
	if t.work.Memo == "" || t.work.Done {
		return nil
	}
	if t.work.Failure == "" && t.at != nil && t.at.Store != nil {
		err := c.putBack(ctx, t, errors.New("the installation was ended"))
		c.log.Warn("put back", slog.String("application", t.subject()), slog.Any("error", err))
		if t.work.Memo == "" {
			return nil
		}
	}
	entry := store.Entry{Actor: clm.Actor{Name: t.work.Actor}, Action: "undo", Subject: t.subject()}
	return c.db.Write(ctx, entry, func(tx *store.Tx) error {
		w, err := tx.Work(t.work.ID)
		isEnded := err == nil && w.Stage != clm.End && (w.Done || w.Failure != "")
		if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
		if !isEnded { // somebody goes on with it, or the application is gone
			tx.Refused(clm.Unnecessary)
			return nil
		}
		w.Memo = t.work.Memo
		return undoLater(tx, w)
	})
}

// restore lets the service use again what it used before an installation that was ended.
// Again is harmless: there is nothing left to go back to.
func (c *Core) restore(ctx context.Context, t *task) (out clm.Outcome, err error) {
	_, err = c.back(ctx, t, func(ctx context.Context) error { return c.isLeft(ctx, t) })
	_, isUnknown := errors.AsType[unknown](err)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return out, ctx.Err()
	case errors.Is(err, errTaken):
		return clm.Outcome{Later: c.db.Now().Add(undoAgain)}, nil
	case isUnknown:
		return out, err
	}
	if !errors.Is(err, remote.ErrUnreachable) {
		asking, cancel := withTime(ctx, storeTime)
		defer cancel()
		if found, e := t.at.Store.Inspect(asking); e == nil && len(t.version.Cert) > 0 && bytes.Equal(found.Cert, t.version.Cert) {
			return out, nil // there was nothing to go back to: it had been made final
		}
	}
	return out, t.at.final(fmt.Errorf("it could not be put back: %w", err))
}

// isLeft fails with errTaken where an installation is under way at the application, which
// brings it to its end or puts back what is there. One that has stopped does neither, and
// one that waits for an answer before it has changed anything does so for a long time.
func (c *Core) isLeft(ctx context.Context, t *task) error {
	isLeft := false
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		w, err := tx.Work(t.work.ID)
		if err != nil || w.Done || w.Epoch != t.work.Epoch {
			return err
		}
		open, err := tx.OpenWork(t.work.Subject, clm.InstallLane)
		if err != nil || open == nil {
			isLeft = err == nil
			return err
		}
		how, err := stand(tx, *open)
		isLeft = err == nil && (how.State == clm.Stopped || how.State == clm.Gated && open.Memo == "")
		return err
	})
	return takenUnless(isLeft, err)
}

// undone notes at an installation that has stopped that what it has switched is put back.
func (c *Core) undone(tx *store.Tx, t *task) error {
	open, err := tx.OpenWork(t.work.Subject, clm.InstallLane)
	if err != nil || open == nil || open.Failure == "" || open.Memo == "" {
		return err
	}
	open.Memo = ""
	return tx.SaveWork(*open)
}

// leftSwitched says at which of the applications, which are about to go, nobody puts back
// any more what was switched; empty: at none.
func leftSwitched(tx *store.Tx, doomed []clm.Path) (detail string, err error) {
	var left []string
	for _, p := range doomed {
		app := p.Last()
		if !app.Class.Is(clm.Application) {
			continue
		}
		works, err := tx.OpenWorks(app.ID)
		if err != nil {
			return "", err
		}
		for _, w := range works {
			if w.Op.IsAtHost() && w.Memo != "" {
				left = append(left, string(app.DN))
				break
			}
		}
	}
	if len(left) == 0 {
		return "", nil
	}
	return "what was put there stays: " + strings.Join(left, ", "), nil
}
