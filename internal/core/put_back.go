package core

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/store"
)

// putBack lets the service use again what it used before, looks whether it does, and
// says so. A host that cannot be reached, it lets be tried again first; where it cannot
// be in the end, the work is begun anew by itself.
func (c *Core) putBack(ctx context.Context, t *task, cause error) error {
	isLast := t.work.Attempt+1 >= clm.MaxAttempts
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err() // this process ends, and another goes on from here
	case errors.Is(cause, remote.ErrUnreachable) && !isLast:
		return t.at.final(cause)
	}
	seen, err := c.back(ctx, t, func(ctx context.Context) error { return c.isOurs(ctx, t) })
	_, isUnknown := errors.AsType[unknown](err)
	why := remote.Redact(cause.Error(), t.at.secrets...)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, errTaken):
		return clm.Permanent(errors.New(why))
	case isUnknown && !isLast:
		return err // it is tried again
	case err != nil:
		why = sentences(why, "It could not be put back: "+remote.Redact(err.Error(), t.at.secrets...))
	case seen > 0:
		why = sentences(why, "What was served before is served again.")
	default:
		why = sentences(why, "What was there before is there again.")
	}
	if err == nil {
		t.work.Memo = ""
	}
	if isUnknown || errors.Is(cause, remote.ErrUnreachable) || errors.Is(err, remote.ErrUnreachable) {
		return clm.Permanent(unreached{errors.New(why)})
	}
	return clm.Permanent(errors.New(why))
}

// back lets the service use again what it used before, if that is still to be done, and
// looks at how many places it is seen to. Whatever came before, there is time for that;
// it ends with ctx only where that is called off.
func (c *Core) back(ctx context.Context, t *task, still func(context.Context) error) (seen int, err error) {
	err = c.turnIf(t, toBack, still)
	deaf, isDeaf := errors.AsType[notRead](err)
	if err != nil && !isDeaf {
		return 0, err
	}
	looking, cancel := withTime(ctx, t.at.lookTime)
	defer cancel()
	if seen, err = servedBefore(looking, t.work.Memo); seen == 0 && isDeaf {
		err = deaf // nothing says that it serves what was there before
	}
	return seen, err
}

// withTime is ctx with so much time, however little that has left. It is called off with
// ctx.
func withTime(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return fresh, func() {
		stop()
		cancel()
	}
}

func sentences(first, second string) string { return strings.TrimSuffix(first, ".") + ". " + second }

// unequipped is why an installation cannot go on for which something could not be found
// out: where an earlier stage has switched something that is put back, as far as it is
// known where.
func (c *Core) unequipped(ctx context.Context, t *task, err error) error {
	stops := clm.IsPermanent(err) || t.work.Attempt+1 >= clm.MaxAttempts
	switch {
	case !stops || t.work.Memo == "" || ctx.Err() != nil:
		return err
	case t.at == nil || t.at.Store == nil:
		return clm.Permanent(errors.New(sentences(shown(err).Error(), "What was put there is still there.")))
	}
	return c.putBack(ctx, t, shown(err))
}

// errTaken is why something is not put back: somebody else sees to what is there.
var errTaken = errors.New("somebody else is at it")

// unknown is why it could not be found out whether something is to be put back.
type unknown struct{ error }

func (e unknown) Unwrap() error { return e.error }

// isOurs fails with errTaken where the application is not this worker's business any
// more: somebody has taken the work over, or it was ended and another has come.
func (c *Core) isOurs(ctx context.Context, t *task) error {
	ours := false
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		w, err := tx.Work(t.work.ID)
		switch {
		case errors.Is(err, clm.NotFound): // the application is gone
			w.Done = true
		case err != nil || !w.Done:
			ours = err == nil && w.Epoch == t.work.Epoch
			return err
		}
		open, err := tx.OpenWork(t.work.Subject, clm.InstallLane)
		ours = w.Stage != clm.End && open == nil
		return err
	})
	return takenUnless(ours, err)
}

// takenUnless is errTaken unless it is ours, as far as that is known.
func takenUnless(ours bool, err error) error {
	switch {
	case err != nil:
		return unknown{fault(err)}
	case !ours:
		return errTaken
	}
	return nil
}

// servedBefore looks whether what was served before is served again, and says at how
// many places it was.
func servedBefore(ctx context.Context, memo string) (seen int, err error) {
	var before []*formerly
	if memo == "" {
		return 0, nil
	}
	if err := json.Unmarshal([]byte(memo), &before); err != nil {
		return 0, err
	}
	before = slices.DeleteFunc(before, func(s *formerly) bool { return len(s.Leaf) == 0 })
	each(before, len(before), func(s *formerly) { _, s.err = look.Await(ctx, []look.Spec{s.At}, s.Leaf, nil, lookEvery) })
	for _, s := range before {
		err = errors.Join(err, s.err)
	}
	return len(before), err
}
