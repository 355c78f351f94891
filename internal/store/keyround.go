package store

import (
	"context"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A KeyRound is how far the round over all certificates has come that looks whether
// their private keys match.
type KeyRound struct {
	Began time.Time
	After clm.ObjectID // the last certificate that was looked at; empty at the beginning
	Found int          // keys that do not match

	until time.Time // nobody else goes on with it before
}

// ClaimKeyRound takes the round, for so long as is said, if it is due, or begins the
// next; mine tells.
func (db *DB) ClaimKeyRound(ctx context.Context, hold time.Duration) (r KeyRound, mine bool, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		claimed, err := all(tx, func(r row) (k KeyRound, err error) {
			var began, until int64
			err = r.Scan(&began, &k.After, &k.Found, &until)
			k.Began, k.until = fromMicros(began), fromMicros(until)
			return k, err
		}, "UPDATE key_rounds SET due = $1, began = CASE WHEN after = '' THEN $2 ELSE began END WHERE id = 1 AND due <= $2 RETURNING began, after, found, due",
			micros(tx.Now.Add(hold)), micros(tx.Now))
		if mine = len(claimed) > 0; mine {
			r = claimed[0]
		}
		return err
	})
	return r, mine, err
}

// SaveKeyRound writes down how far the round has come, and until when nobody else
// goes on with it. It fails with ErrStale when somebody does already.
func (db *DB) SaveKeyRound(ctx context.Context, r *KeyRound, until time.Time) error {
	err := db.submit(ctx, nil, func(tx *Tx) error {
		return fenced(tx.c.exec("UPDATE key_rounds SET after = $1, found = $2, due = $3 WHERE id = 1 AND due = $4",
			string(r.After), r.Found, micros(until), micros(r.until)))
	})
	if err == nil {
		r.until = until
	}
	return err
}

// EndKeyRound writes down that the round has come to its end, and when the next is
// due. It fails with ErrStale as SaveKeyRound does.
func (db *DB) EndKeyRound(ctx context.Context, r KeyRound, next time.Time) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		return fenced(tx.c.exec("UPDATE key_rounds SET after = '', found = 0, before = $1, due = $2 WHERE id = 1 AND due = $3",
			r.Found, micros(next), micros(r.until)))
	})
}

func fenced(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrStale
	}
	return err
}

// KeyMismatches is how many private keys did not match in the last whole round, or
// in the one under way if it has found more already.
func (db *DB) KeyMismatches(ctx context.Context) (n int, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		n, err = one(tx, scanOne[int], "SELECT CASE WHEN found > before THEN found ELSE before END FROM key_rounds WHERE id = 1")
		return err
	})
	return n, err
}

// InUse lists certificates that have a version in use, in the order of their IDs,
// after the one named.
func (tx *Tx) InUse(after clm.ObjectID, most int) ([]clm.ObjectID, error) {
	return all(tx, scanOne[clm.ObjectID], "SELECT id FROM certificates WHERE id > $1 AND current <> 0 ORDER BY id LIMIT $2", string(after), most)
}
