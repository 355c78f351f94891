package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

const workColumns = "id, op, subject, lane, version, stage, attempt, since, due, begun, epoch, note, failure, overlaid, done, created, actor, reason, host, together, memo, action"

func scanWork(r row) (clm.Work, error) {
	w, since, due, created := clm.Work{}, int64(0), int64(0), int64(0)
	err := r.Scan(&w.ID, &w.Op, &w.Subject, &w.Lane, &w.Version, &w.Stage, &w.Attempt, &since, &due, &w.Begun, &w.Epoch,
		&w.Note, &w.Failure, &w.Overlaid, &w.Done, &created, &w.Actor, &w.Reason, &w.Host, &w.Together, &w.Memo, &w.Action)
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
	_, err := tx.c.exec("INSERT INTO work ("+workColumns+", held) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
		int64(w.ID), string(w.Op), string(w.Subject), string(w.Lane), int64(w.Version), string(w.Stage), w.Attempt, micros(w.Since), micros(due), w.Begun, w.Epoch,
		w.Note, w.Failure, w.Overlaid, w.Done, micros(w.Created), w.Actor, w.Reason, string(w.Host), int64(w.Together), w.Memo, w.Action, held)
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
	n, err := tx.c.exec(`UPDATE work SET version = $1, stage = $2, attempt = $3, since = $4, due = $5, note = $6, failure = $7, overlaid = $8, done = $9, held = $10, memo = $11
		WHERE id = $12 AND epoch = $13 AND done = FALSE`,
		int64(w.Version), string(w.Stage), w.Attempt, micros(w.Since), micros(due), w.Note, w.Failure, w.Overlaid, w.Done, held, w.Memo, int64(w.ID), w.Epoch)
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

// Orders lists all works about the version, open or not, the oldest first, but for what
// nobody has asked for: that something is put back.
func (tx *Tx) Orders(version clm.VersionID) ([]clm.Work, error) {
	return all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE version = $1 AND op <> 'undo' ORDER BY id", int64(version))
}

// WorksBefore lists the works with lower numbers, the newest first, at most
// so many. It passes over what Orders does.
func (tx *Tx) WorksBefore(id clm.WorkID, most int) ([]clm.Work, error) {
	return all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE id < $1 AND op <> 'undo' ORDER BY id DESC LIMIT $2", int64(id), most)
}

// AddDoneWork writes work down that was done as it was asked for, and gives it its ID.
func (tx *Tx) AddDoneWork(w *clm.Work) error {
	w.ID, w.Begun, w.Done, w.Stage = clm.WorkID(tx.db.ids.next(tx.Now)), true, true, clm.End
	return tx.addWork(*w, tx.Now, false)
}

// Installs lists the open works that install a version of the certificate somewhere, the
// oldest first.
func (tx *Tx) Installs(certificate clm.ObjectID) ([]clm.Work, error) {
	return all(tx, scanWork, "SELECT "+workColumns+` FROM work WHERE done = FALSE AND host <> '' AND op = 'install'
		AND version IN (SELECT id FROM versions WHERE certificate = $1) ORDER BY id`, string(certificate))
}

// ResumeWork clears the failure of a work that has stopped: it goes on at once from
// the stage at which it stands, unless it waits there for a signing request. An
// installation begins anew, with what is known of how it was before.
func (tx *Tx) ResumeWork(w clm.Work) error {
	w.Failure = ""
	due := tx.Now
	if w.State(false) == clm.AwaitsCSR {
		due = w.NotBefore
	}
	if w.Op == clm.Install { // what it had done was put back, or else it says what was there before
		w.Stage = clm.Plan(w.Op)[0]
	}
	n, err := tx.c.exec("UPDATE work SET failure = '', note = '', overlaid = FALSE, attempt = 0, stage = $1, since = $2, due = $3, held = FALSE, epoch = epoch + 1 WHERE id = $4 AND done = FALSE AND failure <> ''",
		string(w.Stage), micros(tx.Now), micros(due), int64(w.ID))
	if err == nil && n == 0 {
		return ErrStale
	}
	w.Stage = "" // it has moved; how it stands, the database knows
	tx.moved(w)
	return err
}

// ResumeAfter lets works of the operation go on, at most so many, that have stopped
// because nobody could be reached, were accepted after one time, and begun or let go on
// before the other. Of an installation that is noted, unless it succeeds together with
// others; other works are known by so many tries.
func (db *DB) ResumeAfter(ctx context.Context, op clm.Op, tries int, accepted, before time.Time, most int) (resumed int, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		stopped, err := all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE done = FALSE AND failure <> '' AND op = $1 AND (attempt >= $2 AND host = '' OR note = '"+clm.Unreached+"' AND together = 0) AND created >= $3 AND since <= $4 LIMIT $5 "+db.dialect.skipLocked,
			string(op), tries, micros(accepted), micros(before), most)
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

// Together lists the works that succeed together with the one that is named, or not
// at all: itself and the others.
func (tx *Tx) Together(first clm.WorkID) ([]clm.Work, error) {
	return all(tx, scanWork, "SELECT "+workColumns+" FROM work WHERE together = $1 AND together > 0 ORDER BY id", int64(first))
}

// A Standing is how some of the works stand that succeed together.
type Standing struct {
	One   clm.Work // one of them: no more than Op, Stage, Done and Failure
	Works int      // so many are at the same stage, and have ended, failed, or neither, like it
}

// Standings sums up how the works stand that Together lists, but for one of them. However
// many there are, it answers with a few rows.
func (tx *Tx) Standings(first, but clm.WorkID) ([]Standing, error) {
	return all(tx, func(r row) (s Standing, err error) {
		return s, r.Scan(&s.One.Op, &s.One.Stage, &s.One.Done, &s.One.Failure, &s.Works)
	}, `SELECT op, stage, done, MIN(failure), COUNT(*) FROM work WHERE together = $1 AND together > 0 AND id <> $2
		GROUP BY op, stage, done, failure <> ''`, int64(first), int64(but))
}

// EachForItself lets works that succeed together stand for themselves from then on: all
// have come so far that none is put back for another.
func (tx *Tx) EachForItself(first clm.WorkID) error {
	_, err := tx.c.exec("UPDATE work SET together = 0 WHERE together = $1 AND together > 0", int64(first))
	return err
}

// TogetherWith lets the work succeed together with the other or not at all.
func (tx *Tx) TogetherWith(id, first clm.WorkID) error {
	_, err := tx.c.exec("UPDATE work SET together = $1 WHERE id = $2", int64(first), int64(id))
	return err
}

// claimable is what work must be, once it is due, for somebody to claim it: it
// goes on, and stands before no open gate.
const claimable = `done = FALSE AND failure = ''
	AND NOT EXISTS (SELECT 1 FROM tickets WHERE tickets.work = work.id AND tickets.stage = work.stage AND tickets.open = TRUE)`

// Claim takes up to most works that are due and stand before no undecided gate,
// for so long as the lease lasts. A work whose lease has run out is due again.
// What is carried out at a host is not among them.
func (db *DB) Claim(ctx context.Context, most int, lease time.Duration) (claimed []clm.Work, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		claimed, err = tx.claim("host = ''", most, lease)
		return err
	})
	return claimed, err
}

// A DueHost is a host with works that wait for time alone, and when the first of
// them may be claimed.
type DueHost struct {
	ID clm.ObjectID
	At time.Time
}

// DueHosts lists hosts with works that have not ended, in the order of their
// IDs, at most so many after the one that is named. It costs as much as there are hosts
// in the list, however many wait at each.
func (db *DB) DueHosts(ctx context.Context, after clm.ObjectID, most int) (hosts []DueHost, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		hosts, err = all(tx, func(r row) (h DueHost, err error) {
			at := int64(0)
			err = r.Scan(&h.ID, &at)
			h.At = fromMicros(at)
			return h, err
		}, `WITH RECURSIVE hosts(host, n) AS (
				SELECT MIN(host), 1 FROM work WHERE host > $1 AND host <> '' AND done = FALSE AND failure = ''
				UNION ALL
				SELECT (SELECT MIN(w.host) FROM work w WHERE w.host > hosts.host AND w.host <> '' AND w.done = FALSE AND w.failure = ''), n + 1
					FROM hosts WHERE host IS NOT NULL AND n < $2)
			SELECT host, (SELECT MIN(w.due) FROM work w WHERE w.host = hosts.host AND w.host <> '' AND w.done = FALSE AND w.failure = '') FROM hosts WHERE host IS NOT NULL`,
			string(after), most)
		return err
	})
	return hosts, err
}

// ClaimInstallations is Claim for what is carried out at hosts: so many at each of them.
func (db *DB) ClaimInstallations(ctx context.Context, most map[clm.ObjectID]int, lease time.Duration) (claimed []clm.Work, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		claimed = nil
		for _, host := range slices.Sorted(maps.Keys(most)) {
			works, err := tx.claim("host = $4 AND host <> ''", most[host], lease, string(host))
			if err != nil {
				return err
			}
			claimed = append(claimed, works...)
		}
		return nil
	})
	return claimed, err
}

func (tx *Tx) claim(which string, most int, lease time.Duration, args ...any) ([]clm.Work, error) {
	return all(tx, scanWork, `UPDATE work SET epoch = epoch + 1, begun = TRUE, held = TRUE, due = $1 WHERE id IN (
		SELECT id FROM work WHERE due <= $2 AND `+which+` AND `+claimable+`
		ORDER BY due LIMIT $3 `+tx.db.dialect.skipLocked+`) RETURNING `+workColumns,
		append([]any{micros(tx.Now.Add(lease)), micros(tx.Now), most}, args...)...)
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

// Release gives claimed work back, for others to go on with after the pause.
func (db *DB) Release(ctx context.Context, w clm.Work, pause time.Duration) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		w.NotBefore = tx.Now.Add(pause)
		err := tx.SaveWork(w)
		if errors.Is(err, ErrStale) {
			return nil
		}
		return err
	})
}

// NextDue is when the earliest work that waits may be claimed, that at hosts left out;
// false when none waits for time alone.
func (db *DB) NextDue(ctx context.Context) (at time.Time, any bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		due, err := one(tx, scanOne[int64], "SELECT due FROM work WHERE host = '' AND "+claimable+" ORDER BY due LIMIT 1")
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
