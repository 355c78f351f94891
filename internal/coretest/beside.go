package coretest

import (
	"context"
	"database/sql"
	"strings"
	"sync"
)

// beside opens the database a second time, as another node would.
func (d Database) beside() (*sql.DB, error) {
	if strings.HasPrefix(d.Address, "postgres://") {
		return sql.Open("pgx", d.Address)
	}
	return sql.Open("sqlite", "file:"+d.Address+"?_pragma=busy_timeout(10000)")
}

// Lock has a transaction that does not end by itself hold the row of the object; of
// a database in a file it holds all. release ends it.
func (r *Rig) Lock(dn string) (release func(), err error) {
	ctx := context.Background()
	o, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return nil, err
	}
	begin, hold := "BEGIN", "SELECT id FROM objects WHERE id = $1 FOR UPDATE"
	if !r.DB.IsShared() {
		begin, hold = "BEGIN IMMEDIATE", "SELECT id FROM objects WHERE id = $1"
	}
	db, err := r.Database.beside()
	if err != nil {
		return nil, err
	}
	var held string
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, begin)
	}
	if err == nil {
		err = conn.QueryRowContext(ctx, hold, string(o.ID)).Scan(&held)
	}
	return sync.OnceFunc(func() {
		conn.ExecContext(ctx, "ROLLBACK")
		conn.Close()
		db.Close()
	}), err
}

// Gates is how many gates stand before works of the object, ended ones among them.
func (r *Rig) Gates(dn string) (n int, err error) {
	o, err := r.Object(context.Background(), r.Admin, dn)
	if err != nil {
		return 0, err
	}
	db, err := r.Database.beside()
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRow("SELECT COUNT(*) FROM tickets WHERE subject = $1", string(o.ID)).Scan(&n)
	return n, err
}

// Exec changes the database behind the back of everybody: to put it into a state that an
// older release would have left.
func (d Database) Exec(statement string) error {
	db, err := d.beside()
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(statement)
	return err
}
