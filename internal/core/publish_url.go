package core

import (
	"context"

	"github.com/certwright/certwright/internal/store"
)

// PublishURLs are the addresses below which relying parties reach what is published
// here: the one that new certificates name, then former ones. Where nothing was said
// there are none.
func (c *Core) PublishURLs(ctx context.Context) (all []string, err error) {
	err = c.db.Glance(ctx, func(tx *store.Tx) error {
		all, err = addresses(tx)
		return err
	})
	return all, err
}
