package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// Limits of writing.
const (
	maxBatch   = 64 // writes that share one commit
	maxRetries = 20 // runs of one write that keeps losing races
)

// An Entry is what the audit log says about a write. What is only learnt in the
// course of the write is filled in by it, through Tx.About.
type Entry struct {
	Actor   clm.Actor
	Action  string
	Subject string
	Detail  string
}

// job is one write waiting for its turn.
type job struct {
	entry *Entry // nil: no entry, for the queue's own bookkeeping
	fn    func(*Tx) error
	err   error
	tx    *Tx
	done  chan struct{}
}

// Write runs fn in a transaction together with its audit entry: there is no
// other way to write, so nothing is written without saying who did it. When fn
// fails, nothing of it is kept, and the entry says that and why it was refused.
//
// fn may be run again; it must touch nothing but tx and what it returns through
// its own variables, and it must never wait for anything else. Writes that
// arrive together share one commit, each still all or nothing by itself.
func (db *DB) Write(ctx context.Context, e Entry, fn func(*Tx) error) error {
	return db.submit(ctx, &e, fn)
}

func (db *DB) submit(ctx context.Context, e *Entry, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{entry: e, fn: fn, done: make(chan struct{})}
	select {
	case db.jobs <- j:
	case <-db.closed:
		return ErrClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-db.gone:
	}
	select {
	case <-j.done: // it was the last to be done
		return j.err
	default:
		return ErrClosed
	}
}

// writeJobs is one writer: it takes what is there, commits it at once, and while
// the disk works the next batch gathers.
func (db *DB) writeJobs(c *conn) {
	defer c.drop()
	for first := db.nextJob(); first != nil; first = db.nextJob() {
		batch, err := db.commit(c, db.gather([]*job{first}, maxBatch), maxBatch)
		if err != nil {
			// The batch as a whole has failed; each by itself may still succeed.
			for _, j := range batch {
				if db.dialect.locked(err) { // nothing of it has been begun
					j.tx, j.err = nil, ErrLocked
					continue
				}
				db.alone(c, j)
			}
		}
		for _, j := range batch {
			db.announce(j)
			close(j.done)
		}
	}
}

// nextJob waits for a job. Once the database is being closed it takes what is
// there, and then there is none.
func (db *DB) nextJob() *job {
	select {
	case j := <-db.jobs:
		return j
	case <-db.closed:
	}
	select {
	case j := <-db.jobs:
		return j
	default:
		return nil
	}
}

// alone runs one job in a transaction of its own until it loses no race against
// another node.
func (db *DB) alone(c *conn, j *job) {
	for try := range maxRetries {
		_, err := db.commit(c, []*job{j}, 1)
		if err == nil {
			return
		}
		if full := clm.AsError(j.err); c.lost != nil || full == nil || full.Kind != clm.Unwritten {
			j.err = fmt.Errorf("write: %w", err)
		} // otherwise what could not be written says more than that the entry could not be either
		j.tx = nil
		if c.lost == nil {
			return
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
}

// commit runs the batch, and where it can be what arrives meanwhile, up to most,
// in one transaction. It returns all that it ran, and an error only when nothing at all
// was kept.
func (db *DB) commit(c *conn, batch []*job, most int) ([]*job, error) {
	if err := db.numbers.take(db, c); err != nil {
		return batch, err
	}
	err := c.begin(db.dialect.beginWrite)
	for i := 0; err == nil && i < len(batch); i++ {
		if err = db.run(c, batch[i]); i == len(batch)-1 && db.dialect.latecomers {
			batch = db.gather(batch, most)
		}
	}
	if err == nil {
		err = db.writeTallies(c)
	}
	if err == nil {
		_, err = c.exec("COMMIT")
	}
	if err != nil {
		c.rollback()
	}
	return batch, err
}

// gather adds to the batch what waits already.
func (db *DB) gather(batch []*job, most int) []*job {
	for len(batch) < most {
		select {
		case j := <-db.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// guarded turns a panic, which would take the one writer with it, into an error.
func guarded(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(tx)
}

// run runs one job inside the transaction of its batch. A job's own failure is
// its own affair; an error is returned when the whole transaction is lost.
func (db *DB) run(c *conn, j *job) error {
	if _, err := c.exec("SAVEPOINT job"); err != nil {
		return err
	}
	tx, tree := &Tx{Now: db.Now(), db: db, c: c, writes: true}, c.tree
	if j.entry != nil {
		entry := *j.entry
		tx.entry = &entry
	}
	j.tx, j.err = tx, guarded(j.fn, tx)
	outcome := "ok"
	if j.err != nil {
		if c.lost != nil {
			return c.lost
		}
		if _, err := c.exec("ROLLBACK TO SAVEPOINT job"); err != nil {
			return err
		}
		j.tx, c.tree, outcome = nil, tree, clm.AsError(j.err).Kind.Error()
	} else {
		for what, n := range tx.counted {
			c.counted[what] += n
		}
		if tx.refused != nil {
			outcome = clm.AsError(tx.refused).Kind.Error()
		}
	}
	if err := tx.audit(outcome); err != nil {
		return err
	}
	_, err := c.exec("RELEASE SAVEPOINT job")
	return err
}
