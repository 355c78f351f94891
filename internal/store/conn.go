package store

import (
	"context"
	"database/sql"
)

// conn is one connection with the statements prepared on it. It is used by one
// goroutine at a time. Statements run to their end: a client that goes away must
// not leave a transaction half said.
type conn struct {
	dialect dialect
	pool    *sql.DB
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	lost    error              // why the transaction under way cannot be saved
	tree    int64              // the revision that the transaction under way has given the tree; zero for none
	counted map[tally]int64    // what the transaction under way adds to the tallies
	fault   func(string) error // see Options
	rewrite func(string) string
}

func newConn(d dialect, pool *sql.DB) *conn {
	return &conn{dialect: d, pool: pool, stmts: map[string]*sql.Stmt{}}
}

var background = context.Background()

func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if c.fault != nil {
		if err := c.fault(query); err != nil {
			return nil, err
		}
	}
	if stmt, ok := c.stmts[query]; ok {
		return stmt, nil
	}
	if c.conn == nil {
		fresh, err := c.pool.Conn(background)
		if err != nil {
			return nil, err
		}
		c.conn = fresh
	}
	if len(c.stmts) >= maxStatements {
		c.forget()
	}
	text := query
	if c.rewrite != nil {
		text = c.rewrite(query)
	}
	stmt, err := c.conn.PrepareContext(background, text)
	if err == nil {
		c.stmts[query] = stmt
	}
	return stmt, err
}

// maxStatements is how many prepared statements a connection keeps. There are a
// hundred or so; only searches, whose text depends on what is searched for, make more.
const maxStatements = 300

func (c *conn) forget() {
	for _, stmt := range c.stmts {
		stmt.Close()
	}
	clear(c.stmts)
}

func (c *conn) exec(query string, args ...any) (int64, error) {
	stmt, err := c.prepare(query)
	if err != nil {
		return 0, c.note(err)
	}
	result, err := stmt.ExecContext(background, stored(args)...)
	if err != nil {
		return 0, c.note(err)
	}
	return result.RowsAffected()
}

// note remembers an error after which the whole transaction is lost, and returns it.
func (c *conn) note(err error) error {
	if err != nil && (c.dialect.again(err) || c.dialect.broken(err)) {
		c.lost = err
	}
	return err
}

// begin starts a transaction with the words that the dialect has for it.
func (c *conn) begin(words string) error {
	c.lost, c.tree, c.counted = nil, 0, map[tally]int64{}
	_, err := c.exec(words)
	return err
}

// rollback gives the transaction up, and the connection with it when that has gone.
func (c *conn) rollback() {
	if _, err := c.exec("ROLLBACK"); err != nil || c.lost != nil && c.dialect.broken(c.lost) {
		c.drop()
	}
}

// drop gives the connection up; the next use opens a fresh one.
func (c *conn) drop() {
	c.forget()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// all runs the query and scans every row.
func all[T any](tx *Tx, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	stmt, err := tx.c.prepare(query)
	if err != nil {
		return nil, tx.c.note(err)
	}
	rows, err := stmt.QueryContext(background, stored(args)...)
	if err != nil {
		return nil, tx.c.note(err)
	}
	defer rows.Close()
	var found []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, tx.c.note(rows.Err())
}

// one is all for a query that finds one row or none; none is sql.ErrNoRows.
func one[T any](tx *Tx, scan func(row) (T, error), query string, args ...any) (T, error) {
	var none T
	stmt, err := tx.c.prepare(query)
	if err != nil {
		return none, tx.c.note(err)
	}
	v, err := scan(stmt.QueryRowContext(background, stored(args)...))
	return v, tx.c.note(err)
}

// row is what sql.Row and sql.Rows have in common.
type row interface{ Scan(...any) error }

func scanOne[T any](r row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}
