package core

import "context"

// PublishAfter makes the issuer's list anew, as of now, but publishes it only after
// fn. saved: nobody has published another meanwhile.
func (c *Core) PublishAfter(ctx context.Context, issuer string, shard int64, fn func()) (saved bool, err error) {
	if _, err := c.List(ctx, issuer, shard); err != nil {
		return false, err
	}
	d, _, err := c.draft(ctx, first(c.knownPublishers(), named(issuer)), shard)
	if err != nil {
		return false, err
	}
	fn()
	l, err := c.sign(ctx, d)
	if err != nil {
		return false, err
	}
	return c.publish(ctx, d, l)
}
