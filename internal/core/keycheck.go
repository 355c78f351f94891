package core

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Limits of looking whether private keys match.
const (
	keyInterval = time.Hour      // between looks whether a round is due
	keyRound    = 24 * time.Hour // from the beginning of a round to that of the next
	keyBatch    = 100            // certificates looked at in one go
	keyRest     = time.Second    // after each batch, so that a round costs others little
	keyHold     = 5 * time.Minute
)

// checkKeys takes the rounds over all certificates until ctx ends.
func (c *Core) checkKeys(ctx context.Context) {
	look := time.NewTicker(keyInterval)
	defer look.Stop()
	for ctx.Err() == nil {
		if _, _, err := c.takeKeyRound(ctx, keyRest); err != nil && ctx.Err() == nil {
			c.log.Error("look whether private keys match", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// CheckKeys looks, once a day, at all certificates with a version in use whether the
// private keys that are taken for theirs are, and logs which are not. It says at how
// many it has looked, and how many it has found. It goes on where the round was
// interrupted, and does nothing while another node is at it.
func (c *Core) CheckKeys(ctx context.Context) (looked, found int, err error) {
	return c.takeKeyRound(ctx, 0)
}

// takeKeyRound is CheckKeys that rests after each batch.
func (c *Core) takeKeyRound(ctx context.Context, rest time.Duration) (looked, found int, err error) {
	r, mine, err := c.db.ClaimKeyRound(ctx, keyHold)
	if err != nil || !mine {
		return 0, 0, err
	}
	for ctx.Err() == nil {
		n, wrong, err := c.checkKeyBatch(ctx, &r)
		looked, found = looked+n, found+wrong
		switch {
		case err != nil:
			return looked, found, err // the claim runs out, and somebody goes on
		case n < keyBatch:
			return looked, found, held(c.db.EndKeyRound(ctx, r, r.Began.Add(keyRound)))
		}
		if err := c.db.SaveKeyRound(ctx, &r, c.db.Now().Add(keyHold)); err != nil {
			return looked, found, held(err)
		}
		c.rest(ctx, nil, rest)
	}
	// Somebody else may go on at once.
	return looked, found, held(c.db.SaveKeyRound(context.WithoutCancel(ctx), &r, c.db.Now()))
}

// held is the error, unless it only says that somebody else has gone on with the round.
func held(err error) error {
	if errors.Is(err, store.ErrStale) {
		return nil
	}
	return err
}

// checkKeyBatch takes the round one batch farther.
func (c *Core) checkKeyBatch(ctx context.Context, r *store.KeyRound) (looked, wrong int, err error) {
	var found []clm.ObjectID
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		ids, err := tx.InUse(r.After, keyBatch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			isWrong, err := c.checkKey(tx, id)
			if err != nil { // which keeps nobody from looking at the rest
				c.log.Error("look whether a private key matches", slog.String("certificate", string(id)), slog.Any("error", err))
			}
			if looked, r.After = looked+1, id; isWrong {
				r.Found++
				found = append(found, id)
			}
		}
		return nil
	})
	for _, id := range found {
		err = errors.Join(err, c.flagKey(ctx, id))
	}
	return looked, len(found), err
}

// keyChecker is the actor of what is found about private keys.
var keyChecker = clm.Actor{Name: "private key check", Master: true}

// flagKey names on the place the version whose key is not the certificate's, so that
// whoever asks for its details is told: a key that nobody suspects is not opened for
// that.
func (c *Core) flagKey(ctx context.Context, id clm.ObjectID) error {
	return c.db.Write(ctx, store.Entry{Actor: keyChecker, Action: "private key mismatch", Subject: string(id)}, func(tx *store.Tx) error {
		path, err := tx.PathByID(id)
		if errors.Is(err, clm.NotFound) {
			tx.Refused(clm.Unnecessary)
			return nil
		}
		if err != nil {
			return err
		}
		place := path.Last()
		tx.About(string(place.DN), "")
		if len(place.Own[clm.KeyHolder]) > 0 || place.Current == 0 {
			return nil
		}
		v, err := tx.Version(place.Current)
		if err != nil {
			return err
		}
		if state, err := c.keyState(tx, place, v); err != nil || !state.IsWrong() { // another has come into use
			tx.Refused(clm.Unnecessary)
			return err
		}
		return setKeyHolder(tx, place, numberOf(place.Current))
	})
}

// checkKey reports whether the private key of the place does not match the version in
// use, and says so in the log.
func (c *Core) checkKey(tx *store.Tx, id clm.ObjectID) (wrong bool, err error) {
	path, err := tx.PathByID(id)
	if err != nil {
		return false, err
	}
	place := path.Last()
	v, err := c.current(tx, place)
	if err != nil || v == nil {
		return false, err
	}
	state, err := c.keyState(tx, place, *v)
	if err != nil || !state.IsWrong() {
		return false, err
	}
	c.log.Warn("a private key does not match its certificate", slog.String("certificate", string(place.DN)),
		slog.Int64("version", int64(v.ID)), slog.String("key", string(state)))
	return true, nil
}
