package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

const workColumns = "id, op, subject, lane, version, stage, attempt, since, due, begun, epoch, note, failure, overlaid, done, created, actor, reason"

func scanWork(r row) (clm.Work, error) {
	w, since, due, created := clm.Work{}, int64(0), int64(0), int64(0)
	err := r.Scan(&w.ID, &w.Op, &w.Subject, &w.Lane, &w.Version, &w.Stage, &w.Attempt, &since, &due, &w.Begun, &w.Epoch,
		&w.Note, &w.Failure, &w.Overlaid, &w.Done, &created, &w.Actor, &w.Reason)
	w.Since, w.NotBefore, w.Created = fromMicros(since), fromMicros(due), fromMicros(created)
	return w, err
}

// AddWork writes new work down, gives it its ID, and wakes a runner. It fails
// with ErrDuplicate when the lane of the subject has open work.
func (tx *Tx) AddWork(w *clm.Work) error {
	w.ID = clm.WorkID(tx.db.ids.next(tx.Now))
	return tx.addWork(*w, w.NotBefore, false)
}

// AddHeldWork is AddWork of a work that the caller claims in the same breath, for
// so long as the lease lasts.
func (tx *Tx) AddHeldWork(w *clm.Work, lease time.Duration) error {
	w.ID, w.Begun, w.Epoch = clm.WorkID(tx.db.ids.next(tx.Now)), true, 1
	return tx.addWork(*w, tx.Now.Add(lease), true)
}

func (tx *Tx) addWork(w clm.Work, due time.Time, held bool) error {
	_, err := tx.c.exec("INSERT INTO work ("+workColumns+", held) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		int64(w.ID), string(w.Op), string(w.Subject), string(w.Lane), int64(w.Version), string(w.Stage), w.Attempt, micros(w.Since), micros(due), w.Begun, w.Epoch,
		w.Note, w.Failure, w.Overlaid, w.Done, micros(w.Created), w.Actor, w.Reason, held)
	if !held {
		tx.moved(w)
	}
	return tx.duplicate(err)
}

// SaveWork writes w and ends its lease, provided nobody has claimed or reset it
// since: w.Epoch is the fence. Otherwise it returns ErrStale and the caller's
// whole transaction must be given up.
func (tx *Tx) SaveWork(w clm.Work) error { return tx.saveWork(w, w.NotBefore, false) }

// HoldWork is SaveWork that keeps the lease: the caller goes on with the work.
func (tx *Tx) HoldWork(w clm.Work, until time.Time) error { return tx.saveWork(w, until, true) }

func (tx *Tx) saveWork(w clm.Work, due time.Time, held bool) error {
	n, err := tx.c.exec(`UPDATE work SET version = $1, stage = $2, attempt = $3, since = $4, due = $5, note = $6, failure = $7, overlaid = $8, done = $9, held = $10
		WHERE id = $11 AND epoch = $12 AND done = FALSE`,
		int64(w.Version), string(w.Stage), w.Attempt, micros(w.Since), micros(due), w.Note, w.Failure, w.Overlaid, w.Done, held, int64(w.ID), w.Epoch)
	if err == nil && n == 0 {
		return ErrStale
	}
	tx.moved(w)
	return err
}

// EndWork closes the work, whatever a worker that holds it may bring later, and takes
// its gates away.
func (tx *Tx) EndWork(id clm.WorkID) error {
	_, err := tx.c.exec("UPDATE work SET done = TRUE, epoch = epoch + 1 WHERE id = $1 AND done = FALSE", int64(id))
	tx.moved(clm.Work{ID: id})
	if err == nil {
		_, err = tx.DropGates(id)
	}
	return err
}

func (tx *Tx) moved(w clm.Work) {
	tx.touched = append(tx.touched, w)
	tx.wake = tx.wake || !w.Done && w.Failure == ""
}

// Work finds a work. It fails with NotFound.
func (tx *Tx) Work(id clm.WorkID) (clm.Work, error) {
	w, err := one(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE id = $1", int64(id))
	return w, notFound(err)
}

// OpenWork finds the open work in the lane of the subject; nil where there is none.
func (tx *Tx) OpenWork(subject clm.ObjectID, lane clm.Lane) (*clm.Work, error) {
	w, err := one(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE subject = $1 AND lane = $2 AND done = FALSE", string(subject), string(lane))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &w, err
}

// OpenWorks lists the open works of the subject in all lanes, the oldest first.
func (tx *Tx) OpenWorks(subject clm.ObjectID) ([]clm.Work, error) {
	return all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE subject = $1 AND done = FALSE ORDER BY id", string(subject))
}

// ResumeWork clears the failure of a work that has stopped: it goes on at once from
// the stage at which it stands, unless it waits there for a signing request.
func (tx *Tx) ResumeWork(w clm.Work) error {
	w.Failure = ""
	due := tx.Now
	if w.State(false) == clm.AwaitsCSR {
		due = w.NotBefore
	}
	n, err := tx.c.exec("UPDATE work SET failure = '', note = '', overlaid = FALSE, attempt = 0, since = $1, due = $2, held = FALSE, epoch = epoch + 1 WHERE id = $3 AND done = FALSE AND failure <> ''",
		micros(tx.Now), micros(due), int64(w.ID))
	if err == nil && n == 0 {
		return ErrStale
	}
	w.Stage = "" // it has moved; how it stands, the database knows
	tx.moved(w)
	return err
}

// ResumeRevocations lets revocations go on, at most so many, that have stopped after
// so many tries and were begun or let go on before then: nothing was wrong with them but
// that the CA could not be asked.
func (db *DB) ResumeRevocations(ctx context.Context, tries int, before time.Time, most int) (resumed int, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		stopped, err := all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE done = FALSE AND failure <> '' AND op = 'revoke' AND attempt >= $1 AND since <= $2 LIMIT $3 "+db.dialect.skipLocked,
			tries, micros(before), most)
		for _, w := range stopped {
			if err == nil {
				err = tx.ResumeWork(w)
			}
		}
		resumed = len(stopped)
		return err
	})
	return resumed, err
}

// claimable is what work must be, once it is due, for somebody to claim it: it
// goes on, and stands before no open gate.
const claimable = `done = FALSE AND failure = ''
	AND NOT EXISTS (SELECT 1 FROM tickets WHERE tickets.work = work.id AND tickets.stage = work.stage AND tickets.open = TRUE)`

// Claim takes up to most works that are due and stand before no undecided gate,
// for so long as the lease lasts. A work whose lease has run out is due again.
func (db *DB) Claim(ctx context.Context, most int, lease time.Duration) (claimed []clm.Work, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		claimed, err = all(tx, scanWork, `UPDATE work SET epoch = epoch + 1, begun = TRUE, held = TRUE, due = $1 WHERE id IN (
			SELECT id FROM work WHERE due <= $2 AND `+claimable+`
			ORDER BY due LIMIT $3 `+db.dialect.skipLocked+`) RETURNING `+workColumns,
			micros(tx.Now.Add(lease)), micros(tx.Now), most)
		return err
	})
	return claimed, err
}

// freeHeld lets everything be claimed that somebody held. It is for a database
// that only this process can have open: whoever held it is gone.
func (db *DB) freeHeld(ctx context.Context) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		_, err := tx.c.exec("UPDATE work SET held = FALSE, epoch = epoch + 1, due = $1 WHERE held = TRUE AND done = FALSE", micros(tx.Now))
		return err
	})
}

// Prolong lets the works, named with the epochs at which they are held, be held
// until the lease has passed from now. What is held no longer is left alone.
func (db *DB) Prolong(ctx context.Context, held map[clm.WorkID]int64, lease time.Duration) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		for id, epoch := range held {
			if _, err := tx.c.exec("UPDATE work SET due = $1 WHERE id = $2 AND epoch = $3 AND held = TRUE AND done = FALSE",
				micros(tx.Now.Add(lease)), int64(id), epoch); err != nil {
				return err
			}
		}
		return nil
	})
}

// Release gives claimed work back at once, for others to go on with.
func (db *DB) Release(ctx context.Context, w clm.Work) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		w.NotBefore = tx.Now
		err := tx.SaveWork(w)
		if errors.Is(err, ErrStale) {
			return nil
		}
		return err
	})
}

// NextDue is when the earliest work that waits may be claimed; false when none
// waits for time alone.
func (db *DB) NextDue(ctx context.Context) (at time.Time, any bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		due, err := one(tx, scanOne[int64], "SELECT due FROM work WHERE "+claimable+" ORDER BY due LIMIT 1")
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		at, any = fromMicros(due), err == nil
		return err
	})
	return at, any, err
}

// QueueLength counts open works by how they stand, for metrics.
func (db *DB) QueueLength(ctx context.Context) (waiting, stopped int, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		if waiting, err = one(tx, scanOne[int], "SELECT COUNT(*) FROM work WHERE done = FALSE AND failure = ''"); err != nil {
			return err
		}
		stopped, err = one(tx, scanOne[int], "SELECT COUNT(*) FROM work WHERE done = FALSE AND failure <> ''")
		return err
	})
	return waiting, stopped, err
}
