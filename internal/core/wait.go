package core

import (
	"context"
	"strconv"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// How often waiting calls look into the database by themselves: they are told of
// what happens on this node, and nearly always of what happens on others.
const (
	waitPoll = 200 * time.Millisecond
	lonePoll = 5 * time.Second // where there are no others
)

// Wait waits until the work has finished, has stopped or stands before a gate,
// or until most has passed, and says how it stands then.
func (c *Core) Wait(ctx context.Context, id clm.WorkID, most time.Duration) (Open, error) {
	moved, end := c.db.Watch(id)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	poll := waitPoll
	if !c.db.IsShared() {
		poll = lonePoll
	}
	look := time.NewTicker(poll)
	defer look.Stop()
	for {
		select {
		case w := <-moved:
			if w.Done && w.Stage == clm.End || w.Failure != "" {
				return Open{Work: w, State: w.State(false)}, nil
			}
		case <-look.C:
		case <-ctx.Done():
			return c.standing(id)
		case <-c.hurry:
			return c.standing(id)
		}
		open, err := c.standing(id)
		if err != nil || open.State != clm.Queued && open.State != clm.Processing {
			return open, err
		}
	}
}

// EndWaits lets every call that waits, now or later, answer at once with how the
// work stands. It is for a server that is about to stop, and may be called once.
func (c *Core) EndWaits() { close(c.hurry) }

func (c *Core) standing(id clm.WorkID) (open Open, err error) {
	err = c.db.Read(context.Background(), func(tx *store.Tx) error {
		w, err := tx.Work(id)
		if err != nil {
			return err
		}
		stands, err := stand(tx, w)
		if err == nil {
			open = *stands
		}
		return err
	})
	return open, err
}

// DefaultWait is how long calls wait that say nothing: the setting of this engine, or
// else of the whole installation, or not at all.
func (c *Core) DefaultWait(ctx context.Context) (wait time.Duration, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		text, err := c.defaultWait(tx)
		seconds, _ := strconv.Atoi(text) // nonsense is no wait
		wait = time.Duration(seconds) * time.Second
		return err
	})
	return max(0, min(wait, MaxWait)), err
}
