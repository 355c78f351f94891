package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// publishLists publishes what is revoked until ctx ends.
func (c *Core) publishLists(ctx context.Context) {
	enlisted := c.db.Enlisted()
	for ctx.Err() == nil {
		n, err := c.publishUnlisted(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			c.log.Error("publish revocation lists", slog.Any("error", err))
			c.rest(ctx, nil, failedPause)
		case n > 0:
			c.rest(ctx, nil, publishRest)
		}
		c.rest(ctx, enlisted, publishPause)
	}
}

// PublishLists publishes every list that lacks something that was revoked. What a
// revocation costs depends on its own part of the list alone. Any number of nodes
// may do this at a time.
func (c *Core) PublishLists(ctx context.Context) error {
	_, err := c.publishUnlisted(ctx)
	return err
}

// publishUnlisted is PublishLists; n is how many parts it has found.
func (c *Core) publishUnlisted(ctx context.Context) (n int, err error) {
	for after := (store.Part{}); ctx.Err() == nil; {
		var parts []store.Part
		if e := c.db.Glance(ctx, func(tx *store.Tx) error {
			urls, err := addresses(tx)
			if err != nil || len(urls) == 0 {
				return err
			}
			parts, err = tx.Unlisted(after, partsAtATime)
			return err
		}); e != nil || len(parts) == 0 {
			return n, errors.Join(err, e)
		}
		for _, part := range parts {
			err = errors.Join(err, c.publishPart(ctx, part)) // one that fails keeps nobody from the rest
		}
		n, after = n+len(parts), parts[len(parts)-1]
	}
	return n, errors.Join(err, ctx.Err())
}

func (c *Core) publishPart(ctx context.Context, part store.Part) error {
	p := first(c.knownPublishers(), printed(part.Issuer))
	if p == nil {
		if err := c.db.Glance(ctx, c.lookForPublishers); err != nil {
			return err
		}
		if p = first(c.knownPublishers(), printed(part.Issuer)); p == nil {
			return fmt.Errorf("issuer %x: %w", part.Issuer, clm.NotFound)
		}
	}
	_, err := c.renewList(ctx, p, part.Shard)
	return err
}

// told is what was logged lately, and when.
type told struct {
	mu sync.Mutex
	at map[string]time.Time
}

// tell logs what has failed, unless it has told the same lately: whoever relies on
// us asks often, and all would fail in the same way. What it is about is one of the
// lists or issuers that there are, and not what somebody has made up.
func (c *Core) tell(what, about string, err error) {
	now := c.db.Now()
	c.told.mu.Lock()
	last, known := c.told.at[what+about]
	lately := known && !now.Before(last) && now.Sub(last) < toldFor
	if !lately {
		c.told.at[what+about] = now
	}
	c.told.mu.Unlock()
	if !lately {
		c.log.Error(what, slog.String("about", about), slog.Any("error", err))
	}
}
