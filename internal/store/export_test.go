package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/certwright/certwright/internal/clm"
)

// Waiting is how many writes wait for a writer.
func (db *DB) Waiting() int { return len(db.jobs) }

// MaxCostly is how many costly searches are carried out at a time.
const MaxCostly = maxCostly

// MaxShards is how many shards there may be before they are merged.
const MaxShards = maxShards

// CountedAnew counts in the tables what the tallies should say, and lists where
// they say something else, as kind, key, tally and count.
func (tx *Tx) CountedAnew() ([][4]any, error) {
	return all(tx, func(r row) (d [4]any, err error) { return d, r.Scan(&d[0], &d[1], &d[2], &d[3]) }, `
		SELECT kind, key, CAST(SUM(n) AS BIGINT), CAST(SUM(m) AS BIGINT) FROM (
			SELECT kind, key, n, 0 AS m FROM tallies
			UNION ALL SELECT 'cohort', cohort, 0, 1 FROM certificates WHERE cohort <> 0
			UNION ALL SELECT 'start', not_before / 86400000000, 0, 1 FROM certificates WHERE not_before <> 0
			UNION ALL SELECT 'end', not_after / 86400000000, 0, 1 FROM certificates WHERE not_after <> 0
			UNION ALL SELECT 'created', o.created / 86400000000, 0, 1 FROM certificates c JOIN objects o ON o.id = c.id
		) t GROUP BY kind, key HAVING SUM(n) <> SUM(m)`)
}

// Met is how many cohorts and certificates the census knows of.
func (db *DB) Met() (cohorts int, certificates int64) {
	db.census.mu.RLock()
	defer db.census.mu.RUnlock()
	return len(db.census.at), db.census.total
}

// Rows is how many rows the table has.
func (tx *Tx) Rows(table string) (int, error) {
	return one(tx, scanOne[int], "SELECT COUNT(*) FROM "+table)
}

// DueRenewals is what ClaimRenewals looks for.
func (tx *Tx) DueRenewals(now time.Time, most int) ([]clm.ObjectID, error) {
	return all(tx, scanOne[clm.ObjectID], dueRenewals, micros(now), most)
}

// Explain runs the search and returns how the database carries out each of the
// statements that it makes, whatever their arguments.
func (tx *Tx) Explain(search func(*Tx) error) (map[string]string, error) {
	tx.c.forget()
	if err := search(tx); err != nil {
		return nil, err
	}
	plans := map[string]string{}
	for n, query := range slices.Sorted(maps.Keys(tx.c.stmts)) {
		explain, args := "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "$"))
		if tx.db.IsShared() {
			// A plan for any arguments, as those that a server keeps.
			nulls := strings.Repeat(", NULL", len(slices.Compact(slices.Sorted(slices.Values(parameter.FindAllString(query, -1))))))
			if nulls != "" {
				nulls = "(" + nulls[2:] + ")"
			}
			for _, step := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", fmt.Sprintf("PREPARE explained%d AS %s", n, query)} {
				if _, err := tx.c.conn.ExecContext(background, step); err != nil {
					return nil, fmt.Errorf("%s: %w", step, err)
				}
			}
			explain, args = fmt.Sprintf("EXPLAIN EXECUTE explained%d%s", n, nulls), nil
			defer tx.c.conn.ExecContext(background, fmt.Sprintf("DEALLOCATE explained%d", n))
		}
		lines, err := all(tx, func(r row) (line string, err error) {
			if tx.db.IsShared() {
				return line, r.Scan(&line)
			}
			var ignored any
			return line, r.Scan(&ignored, &ignored, &ignored, &line)
		}, explain, args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", explain, err)
		}
		plans[query] = strings.Join(lines, "\n")
	}
	return plans, nil
}

var parameter = regexp.MustCompile(`\$[0-9]+`)

// MigrateTo makes a database as an older release would.
func MigrateTo(ctx context.Context, address string, version int64) (*sql.DB, error) {
	d := sqliteDialect
	if strings.HasPrefix(address, "postgres") {
		d = postgresDialect
	}
	write, read, hold, err := d.open(address, LockWait)
	if err != nil {
		return nil, err
	}
	if read != write {
		read.Close()
		hold.Close()
	}
	steps, err := adapted(d)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(d.name, write, steps)
	if err != nil {
		return nil, err
	}
	_, err = provider.UpTo(ctx, version)
	return write, err
}
