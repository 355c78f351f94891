// Package store holds all SQL: one schema text and one set of statements for
// SQLite and PostgreSQL, both serializable. Nothing is written without an audit
// entry that says who did it, and nothing is half written.
package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// ErrStale says that a work has moved on since it was claimed: the fence held.
var ErrStale = errors.New("work has moved on")

// ErrClosed says that the database has been closed.
var ErrClosed = errors.New("the database is closed")

// ErrLocked says that another transaction has what was to be written.
var ErrLocked = errors.New("another transaction has it")

// LockWait is how long it is waited for what another transaction has.
const LockWait = 10 * time.Second

// ErrDuplicate says that a unique index refused a row.
var ErrDuplicate = errors.New("there is one already")

// A DB is an open database. All of its methods may be used concurrently.
type DB struct {
	dialect dialect
	clock   func() time.Time
	write   *sql.DB
	read    *sql.DB
	hold    io.Closer

	lockWait time.Duration

	jobs    chan *job
	readers chan *conn
	closing sync.Once
	closed  chan struct{} // nothing more may be asked
	gone    chan struct{} // the writer has ended

	ids      ids
	numbers  numbers
	tree     treeCache
	revision atomic.Int64 // of the tree, as committed; zero where other nodes may change it
	chains   chainCache
	census   census
	pages    pages
	counts   recordCounts
	costly   chan struct{} // holds a token for each search that looks at very many records
	shard    int64         // where this process counts
	hub      hub
	enlisted chan struct{} // holds a token when there may be something to list
}

// readers is how many reads are under way at a time. There is one writer: several
// would only lose races against one another, and one shares every commit.
const readers = 8

// Options are what a DB may be told beside its address. The zero value is right
// for a server.
type Options struct {
	Clock    func() time.Time // nil: the real one
	LockWait time.Duration    // zero: the constant of that name

	// Fault is for tests of what happens when the database fails: it sees each
	// statement of a write, reading ones too, before it is carried out, and what it
	// returns is what the statement comes to. nil: no such thing.
	Fault func(statement string) error

	// Rewrite is for tests that want to know whether they would notice: what it makes
	// of a statement of a write is carried out in its place. nil: no such thing.
	Rewrite func(statement string) string
}

// Open opens the database at the address, which is a postgres:// URL, a
// sqlite: URL or a file's path, and brings its schema up to date. It fails when
// another process serves the same file, and with ErrNewer when the schema is of
// a newer release.
func Open(ctx context.Context, address string, o Options) (*DB, error) {
	d, place := sqliteDialect, strings.TrimPrefix(strings.TrimPrefix(address, "sqlite://"), "sqlite:")
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		d, place = postgresDialect, address
	}
	if place == "" || d.name == sqliteDialect.name && strings.Contains(place, "://") {
		return nil, errors.New("a database address is a postgres:// URL or the path of a file")
	}
	if o.LockWait == 0 {
		o.LockWait = LockWait
	}
	write, read, hold, err := d.open(place, o.LockWait)
	if err != nil {
		return nil, err
	}
	db := &DB{
		dialect: d, clock: o.Clock, write: write, read: read, hold: hold, lockWait: o.LockWait,
		jobs: make(chan *job, 1024), closed: make(chan struct{}), gone: make(chan struct{}), enlisted: make(chan struct{}, 1), readers: make(chan *conn, readers), costly: make(chan struct{}, maxCostly),
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	if err := migrate(ctx, write, d); err != nil {
		db.closeHandles()
		return nil, err
	}
	for range readers {
		db.readers <- newConn(d, read)
	}
	writer := newConn(d, write)
	writer.fault, writer.rewrite = o.Fault, o.Rewrite
	db.shard = db.newShard()
	go func() {
		db.writeJobs(writer)
		close(db.gone)
	}()
	db.listen(address)
	if db.IsShared() {
		// Not worth failing for: another node may be at it, and the next start tries again.
		_ = db.submit(ctx, nil, (*Tx).mergeShards)
		return db, nil
	}
	if err := db.takeOver(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// LockWait is how long to wait for what another transaction has.
func (db *DB) LockWait() time.Duration { return db.lockWait }

// IsShared reports whether other nodes may work on the same database.
func (db *DB) IsShared() bool { return db.dialect.name == postgresDialect.name }

// Close ends what is under way and gives the database up. Whatever is asked of it
// afterwards fails with ErrClosed.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.hub.close()
		close(db.closed)
		<-db.gone
		for range readers {
			(<-db.readers).drop()
		}
		db.closeHandles()
	})
	return nil
}

func (db *DB) closeHandles() {
	db.read.Close()
	if db.write != db.read {
		db.write.Close()
	}
	if db.hold != nil {
		db.hold.Close()
	}
}

// Now is the time as transactions see it: UTC, in microseconds.
func (db *DB) Now() time.Time { return db.clock().UTC().Truncate(time.Microsecond) }

// Ready reports whether the database answers.
func (db *DB) Ready(ctx context.Context) error {
	return db.Read(ctx, func(tx *Tx) error {
		_, err := one(tx, scanOne[int64], "SELECT value FROM counters WHERE name = 'tree'")
		return err
	})
}

// A Tx is a transaction. Its methods are what can be read and written; they stand
// in the files beside this one, by subject.
type Tx struct {
	Now time.Time
	db  *DB
	c   *conn

	entry   *Entry
	refused error           // what the entry says although something is written
	tree    int64           // the revision of the tree that it sees, plus one; zero until asked
	newTree bool            // it has given the tree that revision
	writes  bool            // it is a write's, so that no other changes the tree of a database of one node
	thrifty bool            // it gives up before a search that would cost much
	glances bool            // its statements do not share a snapshot
	counted map[tally]int64 // what it adds to the tallies
	touched []clm.Work      // works that moved, as they stand now
	wake    bool            // there may be something to claim
	enlists bool            // there may be something to list
}

// Read runs fn on a consistent snapshot.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	c, err := db.borrow(ctx)
	if err != nil {
		return err
	}
	defer func() { db.readers <- c }()
	if err := c.begin(db.dialect.beginRead); err != nil {
		// The connection may have gone while it lay idle.
		c.drop()
		if err := c.begin(db.dialect.beginRead); err != nil {
			c.drop()
			return err
		}
	}
	defer c.rollback()
	return fn(&Tx{Now: db.Now(), db: db, c: c})
}

// borrow waits for a connection to read with; it is put back into db.readers.
func (db *DB) borrow(ctx context.Context) (*conn, error) {
	select {
	case c := <-db.readers:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-db.closed:
		return nil, ErrClosed
	}
}

// Glance runs fn without a transaction: each of its statements sees what is
// committed at that moment. It is for reads of one thing, which need no snapshot.
func (db *DB) Glance(ctx context.Context, fn func(*Tx) error) error {
	c, err := db.borrow(ctx)
	if err != nil {
		return err
	}
	defer func() { db.readers <- c }()
	for range 2 { // the connection may have gone while it lay idle
		c.lost = nil
		if err = fn(&Tx{Now: db.Now(), db: db, c: c, glances: true}); c.lost == nil || !db.dialect.broken(c.lost) {
			return err
		}
		c.drop()
	}
	return err
}

// takeOver makes this process the one that has the database: whoever held work is
// gone, and nobody else changes the tree.
func (db *DB) takeOver(ctx context.Context) error {
	if err := db.freeHeld(ctx); err != nil {
		return err
	}
	if err := db.submit(ctx, nil, (*Tx).forgetEmpty); err != nil {
		return err
	}
	return db.Read(ctx, func(tx *Tx) error {
		revision, err := tx.treeRevision()
		db.revision.Store(revision)
		return err
	})
}

// micros is how times are stored; the zero time is zero.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
