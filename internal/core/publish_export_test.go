package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
)

// PublishAfter makes the issuer's list anew, as of now, but publishes it only after
// fn. saved: nobody has published another meanwhile. The present one must be due.
func (c *Core) PublishAfter(ctx context.Context, issuer string, shard int64, fn func()) (saved bool, err error) {
	d, _, err := c.draft(ctx, first(c.knownPublishers(), named(issuer)), shard)
	if err != nil {
		return false, err
	}
	fn()
	l, err := d.sign()
	if err != nil {
		return false, err
	}
	return c.publish(ctx, d, l)
}

// TakeTurns takes all turns of those who sign answers and parts of lists.
func (c *Core) TakeTurns() (giveBack func()) { return takeAll(c.signing) }

// TakeWholeTurn takes the turn of those who sign whole lists.
func (c *Core) TakeWholeTurn() (giveBack func()) { return takeAll(c.signingWhole) }

func takeAll(tokens chan struct{}) (giveBack func()) {
	for range cap(tokens) {
		tokens <- struct{}{}
	}
	return func() {
		for range cap(tokens) {
			<-tokens
		}
	}
}

// ShardOf is the part of the issuer's list to which the version's certificate points.
func ShardOf(v clm.Version, issuer string, urls []string) int64 { return shardOf(v, issuer, urls) }

// ListSkew, LookPause, MaxAsked, ResponderPause and ToldFor are limits.
const (
	ListSkew       = listSkew
	LookPause      = lookPause
	MaxAsked       = maxAsked
	ResponderPause = responderPause
	ToldFor        = toldFor
)
