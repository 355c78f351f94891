package core

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/store"
)

// Limits of carrying work out.
const (
	lease          = 2 * time.Minute       // so long after its last sign of life nobody touches a worker's work
	effectTimeout  = 90 * time.Second      // an effect that waits for others gives up then
	installTimeout = 4 * time.Minute       // the same at an application: turns, looks, and putting back
	pollInterval   = 2 * time.Second       // the longest that due work lies unseen if nobody wakes the runner
	busyPause      = 20 * time.Millisecond // before looking again at due work that another node is about to claim
	maxClaim       = 32                    // works claimed at once; the other workers stay free for what is claimed as it is written
)

// Run claims work and carries it out until ctx ends; then it gives back what it
// holds and returns. Any number of nodes may run on one database. A Core runs once.
//
// Between claim and save the process may die; then the lease runs out and somebody
// goes on from the last save: what was made since is made again, and nobody
// outside has seen it.
func (c *Core) Run(ctx context.Context) {
	woken := c.db.Woken()
	var workers sync.WaitGroup
	for range c.workers {
		c.free <- struct{}{}
	}
	go func() {
		for t := range c.handed {
			workers.Go(func() {
				defer func() { c.free <- struct{}{} }()
				c.carry(ctx, t)
			})
		}
	}()
	beat := c.keepLeases()
	defer beat()
	var installing sync.WaitGroup
	defer c.hosts.pool.Close()
	defer installing.Wait()
	installing.Go(func() { c.runInstallations(ctx) })
	var renewing sync.WaitGroup
	defer renewing.Wait()
	renewing.Go(func() { c.renewAutomatically(ctx) })
	renewing.Go(func() { c.checkRevocations(ctx) })
	renewing.Go(func() { c.checkKeys(ctx) })
	renewing.Go(func() { c.publishLists(ctx) })
	renewing.Go(func() { c.validateCertificates(ctx) })
	renewing.Go(func() { c.describeRecords(ctx) })
	for ctx.Err() == nil {
		switch more, err := c.claim(ctx, &workers); {
		case err != nil && ctx.Err() == nil:
			c.log.Error("claim work", slog.Any("error", err))
			c.rest(ctx, nil, pollInterval)
		case !more:
			c.rest(ctx, woken, c.untilDue(ctx))
		}
	}
	// Whoever has all tokens knows that nothing is under way or about to be.
	for range c.workers {
		<-c.free
	}
	close(c.handed)
	workers.Wait()
}

// describeRecords sees to it that what an older release has written is found among the
// records, beside all other work: there may be very much of it.
func (c *Core) describeRecords(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.db.DescribeRecords(ctx, readFacts)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			c.log.Error("take the records of an older release into the inventory", slog.Any("error", err))
			c.rest(ctx, nil, pollInterval)
		}
	}
}

// keepLeases prolongs the leases of what is being carried out, however long that
// takes: a lease says that its holder lives. The function that it returns ends that.
func (c *Core) keepLeases() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(lease / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			c.mu.Lock()
			held := maps.Clone(c.held)
			c.mu.Unlock()
			if err := c.db.Prolong(ctx, held, lease); err != nil && ctx.Err() == nil {
				c.log.Error("prolong leases", slog.Any("error", err))
			}
		}
	})
	return func() {
		cancel()
		beating.Wait()
	}
}

func (c *Core) hold(w clm.Work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[w.ID] = w.Epoch
}

func (c *Core) letGo(w clm.Work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, w.ID)
}

// claim claims as much as there are free workers for, up to maxClaim, and sets
// them to it. It reports whether there may be more.
func (c *Core) claim(ctx context.Context, workers *sync.WaitGroup) (more bool, err error) {
	select {
	case <-c.free:
	case <-ctx.Done():
		return false, nil
	}
	most := 1 + take(c.free, maxClaim-1)
	works, err := c.db.Claim(ctx, most, lease)
	for range most - len(works) {
		c.free <- struct{}{}
	}
	for _, w := range works {
		workers.Go(func() {
			defer func() { c.free <- struct{}{} }()
			t, err := c.load(ctx, w)
			if err != nil {
				if ctx.Err() != nil {
					c.release(w)
				} else {
					c.log.Error("load work", slog.Int64("work", int64(w.ID)), slog.Any("error", err))
				}
				return // the lease runs out, and somebody looks again
			}
			c.carry(ctx, t)
		})
	}
	return len(works) == most, err
}

// take takes tokens that are there, up to most, and returns how many it got.
func take(tokens chan struct{}, most int) (n int) {
	for ; n < most; n++ {
		select {
		case <-tokens:
		default:
			return n
		}
	}
	return n
}

// reserve takes a free worker for work that is about to be written down, if there
// is one; the work is then claimed as it is written. Work finds its way into the
// queue when nobody is free.
func (c *Core) reserve() bool {
	select {
	case <-c.free:
		return true
	default:
		return false
	}
}

// hand sets the reserved worker to the task, or frees it when there is none.
func (c *Core) hand(reserved bool, t *task, err error) {
	switch {
	case !reserved:
	case err == nil && t != nil && t.work.Epoch > 0:
		c.handed <- t
	default:
		c.free <- struct{}{}
	}
}

// untilDue is how long there will be nothing to claim unless somebody writes work down.
func (c *Core) untilDue(ctx context.Context) time.Duration {
	at, waits, err := c.db.NextDue(ctx)
	if err != nil || !waits {
		return pollInterval
	}
	return min(pollInterval, max(at.Sub(c.db.Now()), busyPause))
}

// rest waits so long, or until it is woken or ctx ends.
func (c *Core) rest(ctx context.Context, woken <-chan struct{}, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-woken:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// carry takes a work through its stages until it ends, stops or has to wait.
func (c *Core) carry(ctx context.Context, t *task) {
	c.hold(t.work)
	defer c.letGo(t.work)
	err := trades[t.work.Op].equip(c, ctx, t)
	if err != nil && t.work.Op == clm.Install {
		err = c.unequipped(ctx, t, err)
	}
	for saved := t.work; ; {
		if ctx.Err() != nil {
			c.giveBack(t, saved)
			return
		}
		if err == nil {
			var stopped bool
			if stopped, err = c.stopAtGates(ctx, t); stopped {
				c.toldSaving(t, err)
				return
			}
		}
		var out clm.Outcome
		stage := t.work.Stage
		if err == nil {
			out, err = c.do(ctx, t)
		}
		if err != nil && t.work.Op == clm.Abandon {
			out, err = c.bePatient(t, err), nil
		}
		if ctx.Err() != nil && err != nil {
			continue
		}
		t.learn(out)
		t.work = clm.Advance(t.work, out, shown(err), c.db.Now())
		t.work.Begun = true
		if t.work.Op.IsAtHost() && rested(out, err) {
			c.releaseFor(t.work, out.Later.Sub(c.db.Now())) // it is asked often, and there is nothing to tell
			return
		}
		if t.work.Failure != "" && errors.Is(err, remote.ErrUnreachable) {
			t.work.Note = clm.Unreached
		}
		rests := err != nil || !out.Later.IsZero() || t.work.Done
		if err != nil {
			c.log.Warn("stage failed", slog.String("stage", string(stage)), slog.Int64("work", int64(t.work.ID)), slog.Any("error", err))
			err = nil // it has been told
		}
		if !rests && (t.ca.isLocal() || !seenOutside[t.work.Stage]) {
			continue
		}
		if err = c.save(t, rests); err != nil {
			c.toldSaving(t, err)
			return
		}
		if saved = t.work; rests {
			return
		}
	}
}

// rested reports whether an effect has found that it is too early.
func rested(out clm.Outcome, err error) bool { return err == nil && !out.Later.IsZero() }

// toldSaving takes what saving the task has come to, if it failed.
func (c *Core) toldSaving(t *task, err error) {
	if errors.Is(err, store.ErrStale) {
		err = c.tooLate(t)
	}
	if err != nil {
		c.log.Error("save work", slog.Int64("work", int64(t.work.ID)), slog.Any("error", err))
	}
}

// shown is what may be seen of the error of a stage: what the CA said, or what is
// wrong with the request. A fault of ours is for the log.
func shown(err error) error {
	if e, ok := errors.AsType[*clm.Error](err); ok && e.Kind == clm.Internal {
		return clm.Internal
	}
	return err
}

// do does the effect of the stage at which the task stands.
func (c *Core) do(ctx context.Context, t *task) (clm.Outcome, error) {
	t.said = ""
	limit := effectTimeout
	if t.work.Op.IsAtHost() {
		limit = installTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if t.work.Op.IsAtHost() {
		return c.atHost(ctx, t)
	}
	return effects[t.work.Stage](c, ctx, t)
}

// save writes what the task has learnt and where its work stands, and lets the
// lease go if it rests. What follows from the end of the work is written in the
// same transaction.
func (c *Core) save(t *task, rests bool) error {
	entry := store.Entry{Actor: clm.Actor{Name: t.work.Actor}, Action: string(t.work.Op) + "/" + string(t.work.Stage), Subject: t.subject(), Detail: cmp.Or(t.work.Failure, t.said)} // a failure, or what begins with Printed
	trade := trades[t.work.Op]
	return c.db.Write(context.Background(), entry, func(tx *store.Tx) error {
		w, barred, err := t.bar(tx)
		if err != nil {
			return err
		}
		if rests {
			err = tx.SaveWork(w)
		} else {
			err = tx.HoldWork(w, tx.Now.Add(lease))
		}
		if err == nil && barred {
			return c.keepBarred(tx, t)
		}
		if err == nil && trade.keep != nil {
			err = trade.keep(tx, t)
		}
		if err == nil && w.Done && trade.finish != nil {
			err = trade.finish(c, tx, t)
		}
		if err == nil && w.Done && (t.asked || len(t.path.Workflows()) > 0) {
			_, err = tx.DropGates(w.ID)
		}
		return err
	})
}

// giveBack lets others go on where this worker was interrupted. What was made
// but not saved is made again: then saved is the work as it stands in the database.
func (c *Core) giveBack(t *task, saved clm.Work) {
	if t.work != saved && c.save(t, true) == nil {
		return
	}
	c.release(saved)
}

func (c *Core) release(w clm.Work) { c.releaseFor(w, 0) }

func (c *Core) releaseFor(w clm.Work, pause time.Duration) {
	if err := c.db.Release(context.Background(), w, pause); err != nil {
		c.log.Error("give work back", slog.Int64("work", int64(w.ID)), slog.Any("error", err))
	}
}

// Work that has stopped because nobody could be reached is begun anew, at most so many
// in one go, when so long has passed. What is to be done at a host is given up when it is
// older.
const (
	resumePause  = 10 * time.Minute
	resumeBatch  = 100
	givenUpAfter = 24 * time.Hour
)

// resumeStopped lets revocations and installations go on, and what puts these back, that
// have stopped because the CA or the host could not be reached: what was accepted from a
// client is not given up.
func (c *Core) resumeStopped(ctx context.Context) error {
	atHost := c.db.Now().Add(-givenUpAfter)
	for _, r := range []struct {
		op       clm.Op
		accepted time.Time
	}{{clm.Revoke, time.Time{}}, {clm.Install, atHost}, {clm.Undo, atHost}} {
		for again := true; again; {
			n, err := c.db.ResumeAfter(ctx, r.op, clm.MaxAttempts, r.accepted, c.db.Now().Add(-resumePause), resumeBatch)
			if err != nil {
				return err
			}
			again = n == resumeBatch
		}
	}
	return nil
}
