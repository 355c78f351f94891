package core

import (
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

// Limits of installations.
const (
	maxInstallations = 512              // under way at a time
	hostPage         = 64               // hosts looked at in one go
	defaultHostLimit = 16               // under way at one host, unless its device says otherwise
	maxHostLimit     = 64               //
	takenPause       = time.Second      // before it is seen again whether an application is free
	downTime         = 15 * time.Second // so long a host that could not be reached is not tried again
)

// hosts knows which hosts are busy. A host has so many installations at a time, and
// the others wait in the queue, where they cost nothing: hosts that are slow or dead
// take no workers from the rest.
type hosts struct {
	pool  *remote.Pool
	freed chan struct{} // has a token when a host has become free

	mu   sync.Mutex
	all  map[clm.ObjectID]*hostState
	apps map[clm.ObjectID]bool // applications at which somebody is
}

type hostState struct {
	busy  int
	limit int       // zero: not known yet
	until time.Time // it is down until then
	why   error
}

func newHosts() *hosts {
	return &hosts{pool: remote.NewPool(), freed: make(chan struct{}, 1), all: map[clm.ObjectID]*hostState{}, apps: map[clm.ObjectID]bool{}}
}

// room is how many more installations the host takes, and how many all may take. Of a
// host of which nothing is known yet it takes one, which finds out.
func (h *hosts) room(id clm.ObjectID) (here, all int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[id].room(), maxInstallations - len(h.apps)
}

func (s *hostState) room() int {
	if s == nil {
		return 1
	}
	return max(s.limit, 1) - s.busy
}

// enter takes a place at the host of the work, and the application, at which there is
// one worker at a time: what a reset has taken from another is waited for. pause is
// how long to leave the work alone where there is no place; ok: there is one.
func (h *hosts) enter(w clm.Work) (pause time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[w.Host]
	if s == nil {
		s = &hostState{}
		h.all[w.Host] = s
	}
	switch {
	case s.room() <= 0:
		return 0, false // it is not claimed before there is one
	case h.apps[w.Subject]:
		return takenPause, false
	}
	s.busy++
	h.apps[w.Subject] = true
	return 0, true
}

// leave gives the place back. Hosts of which there is nothing to remember are forgotten.
func (h *hosts) leave(w clm.Work, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[w.Host].busy--
	delete(h.apps, w.Subject)
	maps.DeleteFunc(h.all, func(_ clm.ObjectID, s *hostState) bool { return s.busy == 0 && !s.isDown(now) })
	select {
	case h.freed <- struct{}{}:
	default:
	}
}

// limitTo says how many installations the host takes at a time.
func (h *hosts) limitTo(id clm.ObjectID, limit int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.all[id]; s != nil {
		s.limit = min(limit, maxHostLimit)
	}
}

// isDown is why the host could not be reached a moment ago; nil where it may be tried.
func (h *hosts) isDown(id clm.ObjectID, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.all[id]; s != nil && s.isDown(now) {
		return s.why
	}
	return nil
}

// isDown reports whether the host is not to be tried yet. Nothing lasts longer than
// downTime: where there is more to go, the clock was set back.
func (s *hostState) isDown(now time.Time) bool {
	return now.Before(s.until) && !s.until.After(now.Add(downTime))
}

// tell takes note of how an attempt to reach the host has ended.
func (h *hosts) tell(id clm.ObjectID, err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.all[id]
	switch {
	case s == nil:
	case errors.Is(err, remote.ErrUnreachable):
		s.until, s.why = now.Add(downTime), err
	case err == nil:
		s.until, s.why = time.Time{}, nil
	}
}

// runInstallations claims installations and carries them out until ctx ends.
func (c *Core) runInstallations(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	woken := c.db.Woken()
	for ctx.Err() == nil {
		begun := time.Now()
		claimed, pause, err := c.installRound(ctx, &workers)
		if err != nil && ctx.Err() == nil {
			c.log.Error("claim installations", slog.Any("error", err))
			pause = pollInterval
		}
		c.rest(ctx, nil, time.Since(begun)) // where there are many hosts, others want to read too
		if claimed == 0 {
			c.restInstalling(ctx, woken, pause)
		}
	}
}

// installRound looks once at every host at which something waits, and claims what there
// is room for. pause is how long there will be nothing to claim unless somebody writes
// an installation down or a host becomes free.
func (c *Core) installRound(ctx context.Context, workers *sync.WaitGroup) (claimed int, pause time.Duration, err error) {
	pause = pollInterval
	for page := []store.DueHost{{}}; ; {
		if page, err = c.db.DueHosts(ctx, page[len(page)-1].ID, hostPage); err != nil {
			return claimed, pause, err
		}
		want := map[clm.ObjectID]int{}
		for _, h := range page {
			here, all := c.hosts.room(h.ID)
			switch wait := h.At.Sub(c.db.Now()); {
			case here <= 0 || all <= len(want):
			case wait > 0:
				pause = min(pause, wait)
			default:
				want[h.ID], pause = min(here, all-len(want)), busyPause // another node may be at it
			}
		}
		n, err := c.claimAt(ctx, want, workers)
		if claimed += n; err != nil || len(page) < hostPage {
			return claimed, pause, err
		}
	}
}

// claimAt claims so many installations at each of the hosts, and sets workers to them.
func (c *Core) claimAt(ctx context.Context, want map[clm.ObjectID]int, workers *sync.WaitGroup) (claimed int, err error) {
	if len(want) == 0 {
		return 0, nil
	}
	works, err := c.db.ClaimInstallations(ctx, want, lease)
	for _, w := range works {
		if pause, ok := c.hosts.enter(w); !ok {
			c.releaseFor(w, pause)
			continue
		}
		claimed++
		workers.Go(func() {
			defer func() { c.hosts.leave(w, c.db.Now()) }()
			c.carryInstallation(ctx, w)
		})
	}
	return claimed, err
}

func (c *Core) carryInstallation(ctx context.Context, w clm.Work) {
	t, err := c.load(ctx, w)
	switch {
	case err == nil:
		c.carry(ctx, t)
	case ctx.Err() != nil:
		c.release(w)
	default: // the lease runs out, and somebody looks again
		c.log.Error("load work", slog.Int64("work", int64(w.ID)), slog.Any("error", err))
	}
}

// restInstalling waits so long, or until there may be something to claim.
func (c *Core) restInstalling(ctx context.Context, woken <-chan struct{}, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-woken:
	case <-c.hosts.freed:
	}
}

// atHost does the effect of the stage of an installation, unless nothing was changed yet
// and the host could not be reached a moment ago: others are not made to wait for it.
func (c *Core) atHost(ctx context.Context, t *task) (out clm.Outcome, err error) {
	asDevice := firstOf(t.path.Last(), clm.Host) == "" // what is reached otherwise says nothing of the device
	if err := c.hosts.isDown(t.work.Host, c.db.Now()); err != nil && asDevice && t.work.IsBefore(clm.Configure) {
		return out, err
	}
	if out, err = effects[t.work.Stage](c, ctx, t); asDevice {
		c.hosts.tell(t.work.Host, err, c.db.Now())
	}
	return out, err
}
