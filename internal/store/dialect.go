package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is all in which the two databases differ.
type dialect struct {
	name       goose.Dialect
	beginWrite string
	beginRead  string
	skipLocked string                   // lets several nodes claim at once
	lockNow    string                   // locks the rows that a query finds, or fails
	numbers    func(list string) string // a query for the numbers in a JSON list
	texts      func(list string) string // the same for texts
	among      string                   // that something is among what a query finds, looked up one by one
	joined     func(a, b string) string // two columns of bytes, one after the other
	adapt      *strings.Replacer        // of the schema
	again      func(error) bool         // the transaction lost a race: run it again
	duplicate  func(error) bool         // a unique index other than a primary key refused it
	broken     func(error) bool         // the connection is of no use any more
	locked     func(error) bool         // another transaction has it for too long
	latecomers bool                     // a write may join a transaction under way: no other node has committed what its snapshot lacks
	open       func(address string, lockWait time.Duration) (write, read *sql.DB, hold io.Closer, err error)
}

var sqliteDialect = dialect{
	name:       goose.DialectSQLite3,
	beginWrite: "BEGIN IMMEDIATE",
	beginRead:  "BEGIN",
	// An INTEGER PRIMARY KEY is the table's own b-tree; a BIGINT one would be a second.
	adapt: strings.NewReplacer("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY"),
	again: func(err error) bool {
		return sqliteCode(err, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
	},
	duplicate:  func(err error) bool { return sqliteCode(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) },
	broken:     func(error) bool { return false },
	locked:     func(err error) bool { return sqliteCode(err, sqlite3.SQLITE_BUSY) },
	latecomers: true,
	numbers:    func(list string) string { return "SELECT value FROM json_each(" + list + ")" },
	texts:      func(list string) string { return "SELECT value FROM json_each(" + list + ")" },
	joined:     func(a, b string) string { return "CAST(" + a + " || " + b + " AS BLOB)" },
	among:      "IN (%s)",
	open:       openSQLite,
}

var postgresDialect = dialect{
	name:       goose.DialectPostgres,
	beginWrite: "BEGIN ISOLATION LEVEL SERIALIZABLE",
	beginRead:  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	skipLocked: "FOR UPDATE SKIP LOCKED",
	lockNow:    "FOR UPDATE NOWAIT",
	adapt:      strings.NewReplacer(),
	again: func(err error) bool {
		code, constraint := postgresCode(err)
		return code == "40001" || code == "40P01" || code == "23505" && strings.HasSuffix(constraint, "_pkey")
	},
	duplicate: func(err error) bool { code, _ := postgresCode(err); return code == "23505" },
	broken:    isPostgresGone,
	locked:    func(err error) bool { code, _ := postgresCode(err); return code == "55P03" },
	numbers: func(list string) string {
		return "SELECT value::bigint FROM json_array_elements_text(CAST(" + list + " AS json))"
	},
	texts: func(list string) string {
		return "SELECT value FROM json_array_elements_text(CAST(" + list + " AS json))"
	},
	joined: func(a, b string) string { return "CAST(" + a + " AS BYTEA) || " + b },
	among:  "= ANY (ARRAY(%s))", // for IN it would rather read the whole table
	open:   openPostgres,
}

func sqliteCode(err error, codes ...int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.Code() == code {
			return true
		}
	}
	return false
}

func postgresCode(err error) (code, constraint string) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code, e.ConstraintName
	}
	return "", ""
}

// isPostgresGone reports whether err means that the connection is of no use any
// more: it broke, or the server is shutting down (classes 08 and 57P).
func isPostgresGone(err error) bool {
	if code, _ := postgresCode(err); code != "" {
		return strings.HasPrefix(code, "57P") || strings.HasPrefix(code, "08")
	}
	_, isNet := errors.AsType[net.Error](err)
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	return isNet || isConnect || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// openSQLite opens the file with one handle to write and one to read. It fails
// when another process has the file open to serve it.
func openSQLite(path string, lockWait time.Duration) (write, read *sql.DB, hold io.Closer, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, nil, err
	}
	if hold, err = lockFile(path + ".lock"); err != nil {
		return nil, nil, nil, fmt.Errorf("database %s is in use by another process: %w", path, err)
	}
	// SQLite gives the files that it makes beside this one the same mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		hold.Close()
		return nil, nil, nil, err
	}
	file.Close()
	dsn := func(more string) string {
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: fmt.Sprintf("_pragma=busy_timeout(%d)", lockWait.Milliseconds()) + "&_pragma=journal_mode(WAL)" +
			"&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(4000)" + more}).String()
	}
	if write, err = sql.Open("sqlite", dsn("&_txlock=immediate")); err != nil {
		hold.Close()
		return nil, nil, nil, err
	}
	if read, err = sql.Open("sqlite", dsn("&_pragma=query_only(ON)")); err != nil {
		write.Close()
		hold.Close()
		return nil, nil, nil, err
	}
	return write, read, hold, nil
}

func openPostgres(address string, _ time.Duration) (write, read *sql.DB, hold io.Closer, err error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, nil, nil, errors.New("the database address cannot be read") // it may hold a password
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxIdleConns(readers + 2)
	return db, db, nil, nil
}
