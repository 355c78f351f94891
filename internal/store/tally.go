package store

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A tallyKind says what is counted by the keys of a tally.
type tallyKind string

// The kinds. The keys of all but the first are days since 1970, in UTC.
const (
	byCohort  tallyKind = "cohort"
	byStart   tallyKind = "start"   // of the certificate in use
	byEnd     tallyKind = "end"     //
	byCreated tallyKind = "created" // of the object
)

// tally is what is counted by one number.
type tally struct {
	kind tallyKind
	key  int64
}

// place is where a certificate counts. The times are in microseconds; zero counts nowhere.
type place struct{ cohort, created, notBefore, notAfter int64 }

// count adds n to every tally in which a certificate at the place counts.
func (tx *Tx) count(p place, n int64) {
	if tx.counted == nil {
		tx.counted = map[tally]int64{}
	}
	if p.cohort != 0 {
		tx.counted[tally{byCohort, p.cohort}] += n
	}
	for kind, at := range map[tallyKind]int64{byCreated: p.created, byStart: p.notBefore, byEnd: p.notAfter} {
		if at != 0 {
			tx.counted[tally{kind, dayOf(at)}] += n
		}
	}
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// dayOf is the day of a time in microseconds; days before 1970 are negative.
func dayOf(at int64) int64 {
	day := at / dayMicros
	if at%dayMicros < 0 {
		day--
	}
	return day
}

// The shards. A database of one node needs one only; there, zero is what a merger is known by.
const (
	merger   = 0
	onlyOne  = 1
	maxShard = 1 << 40
)

// newShard chooses where this process counts. That two processes choose the same
// would cost them time and nothing else.
func (db *DB) newShard() int64 {
	if !db.IsShared() {
		return onlyOne
	}
	return onlyOne + 1 + rand.Int64N(maxShard)
}

// maxTogether is how many tallies one statement writes.
const maxTogether = 64

// writeTallies writes what the jobs of the transaction under way have counted,
// once for all of them, so that a row that many change is written once.
func (db *DB) writeTallies(c *conn) error {
	maps.DeleteFunc(c.counted, func(_ tally, n int64) bool { return n == 0 })
	if len(c.counted) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(c.counted), func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
	})
	tx := &Tx{Now: db.Now(), db: db, c: c}
	revision := db.ids.next(tx.Now)
	if keys[0].kind == byCohort { // it sorts first
		var err error
		if revision, err = tx.moveShard(db.shard, revision); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(keys, maxTogether) {
		for len(part) > 0 {
			n := maxTogether // a power of two, so that there are few texts to prepare
			for n > len(part) {
				n /= 2
			}
			if err := db.addTallies(c, part[:n], revision); err != nil {
				return err
			}
			part = part[n:]
		}
	}
	return nil
}

func (db *DB) addTallies(c *conn, keys []tally, revision int64) error {
	args, rows := []any{db.shard, revision}, make([]string, len(keys))
	for i, k := range keys {
		rows[i] = fmt.Sprintf("($%d, $1, $%d, $%d, $2)", len(args)+1, len(args)+2, len(args)+3)
		args = append(args, string(k.kind), k.key, c.counted[k])
	}
	_, err := c.exec("INSERT INTO tallies (kind, shard, key, n, revision) VALUES "+strings.Join(rows, ", ")+
		" ON CONFLICT (kind, shard, key) DO UPDATE SET n = tallies.n + excluded.n, revision = excluded.revision", args...)
	return err
}

// moveShard gives the shard a new revision, which is higher than its last. Its
// row is locked until the end of the transaction, so that revisions appear in their order.
func (tx *Tx) moveShard(shard, revision int64) (int64, error) {
	return one(tx, scanOne[int64], `INSERT INTO shards (id, revision) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE
		SET revision = CASE WHEN shards.revision < excluded.revision THEN excluded.revision ELSE shards.revision + 1 END RETURNING revision`, shard, revision)
}

// maxShards is how many shards there may be before they are merged.
const maxShards = 32

// mergeShards moves what all shards have counted to this process's own when many
// processes have come and gone. One that still counts begins its shard anew.
func (tx *Tx) mergeShards() error {
	n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM shards")
	if err != nil || n <= maxShards {
		return err
	}
	revision, err := tx.moveShard(tx.db.shard, tx.db.ids.next(tx.Now))
	if err != nil {
		return err
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO tallies (kind, shard, key, n, revision) SELECT kind, $1, key, CAST(SUM(n) AS BIGINT), $2 FROM tallies WHERE shard <> $1 GROUP BY kind, key
			ON CONFLICT (kind, shard, key) DO UPDATE SET n = tallies.n + excluded.n, revision = excluded.revision`, []any{tx.db.shard, revision}},
		{"DELETE FROM tallies WHERE shard <> $1 OR n = 0", []any{tx.db.shard}},
		{"DELETE FROM shards WHERE id <> $1 AND id <> $2", []any{tx.db.shard, int64(merger)}},
	} {
		if _, err := tx.c.exec(step.query, step.args...); err != nil {
			return err
		}
	}
	_, err = tx.moveShard(merger, revision)
	return err
}

// forgetEmpty forgets cohorts whose last certificate has gone, and tallies that
// have come to nothing. It is for a database that only this process can have open:
// others may know of a cohort that it is there and not write it down again.
func (tx *Tx) forgetEmpty() error {
	for _, query := range []string{
		`DELETE FROM cohorts WHERE id IN (SELECT key FROM tallies WHERE kind = 'cohort' GROUP BY key HAVING MIN(n) = 0 AND MAX(n) = 0)
			AND NOT EXISTS (SELECT 1 FROM certificates c WHERE c.cohort = cohorts.id)`,
		"DELETE FROM tallies WHERE n = 0",
	} {
		if _, err := tx.c.exec(query); err != nil {
			return err
		}
	}
	return nil
}

// days is how many the tally has on the days from the first up to the last, which
// is not counted any more.
func (tx *Tx) days(kind tallyKind, first, last int64) (int64, error) {
	return one(tx, scanOne[int64], "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tallies WHERE kind = $1 AND key >= $2 AND key < $3", string(kind), first, last)
}
