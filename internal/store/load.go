package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Load opens the database at the address, as Open takes it, for the rows of a
// Bulk: load writes some in one transaction, as fast as the database can, done ends
// it. Nobody else may have the database meanwhile.
func Load(ctx context.Context, address string) (load func([]Table) error, done func(), err error) {
	if strings.HasPrefix(address, "postgres") {
		return loadPostgres(ctx, address)
	}
	return loadSQLite(ctx, address)
}

func loadPostgres(ctx context.Context, address string) (func([]Table) error, func(), error) {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	load := func(tables []Table) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		for _, t := range tables {
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, strings.Split(t.Columns, ", "), pgx.CopyFromRows(t.Rows)); err != nil {
				return fmt.Errorf("load %s: %w", t.Name, err)
			}
		}
		return tx.Commit(ctx)
	}
	return load, func() {
		c.Exec(ctx, "VACUUM ANALYZE") // as it would have been long ago, had the estate grown by itself
		c.Close(ctx)
	}, nil
}

// loadSQLite does not wait for the disk: a load that breaks off is begun anew.
func loadSQLite(ctx context.Context, path string) (func([]Table) error, func(), error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-1048576)&_txlock=immediate"}).String())
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	load := func(tables []Table) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, t := range tables {
			n := strings.Count(t.Columns, ",") + 1
			stmt, err := tx.PrepareContext(ctx, "INSERT INTO "+t.Name+" ("+t.Columns+") VALUES (?"+strings.Repeat(", ?", n-1)+")")
			if err != nil {
				return err
			}
			for _, row := range t.Rows {
				if _, err := stmt.ExecContext(ctx, row...); err != nil {
					return fmt.Errorf("load %s: %w", t.Name, err)
				}
			}
			stmt.Close()
		}
		return tx.Commit()
	}
	return load, func() { db.Close() }, nil
}
