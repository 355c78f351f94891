package store

import (
	"context"
	"errors"
)

// maxCostly is how many searches for records are carried out at a time that look at more
// than an index tells.
const maxCostly = 2

// errCostly says that a search is one of those of which there are few at a time.
var errCostly = errors.New("the search has to wait for its turn")

// Search is Read for searches for records. Those that look at very many records wait for
// one another, and hold up nobody else meanwhile.
func (db *DB) Search(ctx context.Context, fn func(*Tx) error) error {
	err := db.Read(ctx, func(tx *Tx) error {
		tx.thrifty = true
		return fn(tx)
	})
	if !errors.Is(err, errCostly) {
		return err
	}
	select {
	case db.costly <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
		return ErrClosed
	}
	defer func() { <-db.costly }()
	return db.Read(ctx, fn)
}
