package store

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
)

// recordsAtOnce is how many versions of an older release get their rows in one
// transaction: a server is at work meanwhile.
const recordsAtOnce = 64

// allUsed, as the counter of records: every version has its row.
const allUsed = -1

// DescribeRecords gives the versions that an older release has written the rows by which
// they are searched: facts reads what a certificate says. Until it has ended, searches for
// records do not find those that are left. It goes on where it was interrupted, costs
// nothing when there are none, and may run on several nodes, while others write.
func (db *DB) DescribeRecords(ctx context.Context, facts func(cert []byte) (clm.Facts, error)) error {
	for {
		var after int64
		var some []clm.Version
		if err := db.Read(ctx, func(tx *Tx) (err error) {
			if after, err = tx.recordsUntil(); err == nil && after != allUsed {
				some, err = tx.recordless(after)
			}
			return err
		}); err != nil || after == allUsed {
			return err
		}
		read := recordFacts{}
		for _, v := range some {
			if err := ctx.Err(); err != nil {
				return err
			}
			read.of(v, facts)
		}
		if err := db.submit(ctx, nil, func(tx *Tx) error { return tx.describeSome(after, read, facts) }); err != nil {
			return err
		}
	}
}

// recordFacts is what certificates say, by their thumbprints.
type recordFacts map[string]clm.Facts

// of is what the certificate of the version says. One that cannot be read is known by its
// dates and numbers alone.
func (r recordFacts) of(v clm.Version, facts func([]byte) (clm.Facts, error)) clm.Facts {
	if v.Thumbprint == "" {
		return clm.Facts{}
	}
	if f, known := r[v.Thumbprint]; known {
		return f
	}
	f, err := facts(v.Cert)
	if err != nil {
		f = clm.Facts{}
	}
	r[v.Thumbprint] = f
	return f
}

// recordsUntil is the last version that has got its row.
func (tx *Tx) recordsUntil() (int64, error) {
	return one(tx, scanOne[int64], "SELECT value FROM counters WHERE name = 'records'")
}

// recordless lists the versions that are next to get their rows.
func (tx *Tx) recordless(after int64) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.id > $1 ORDER BY v.id LIMIT $2", after, recordsAtOnce)
}

// describeSome gives the versions that follow their rows, as they stand now, unless
// another node has done so. What their certificates say was read before.
func (tx *Tx) describeSome(after int64, read recordFacts, facts func([]byte) (clm.Facts, error)) error {
	if at, err := tx.recordsUntil(); err != nil || at != after {
		return err
	}
	versions, err := tx.recordless(after)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := tx.describeRecord(v, read.of(v, facts)); err != nil {
			return err
		}
		after = int64(v.ID)
	}
	if len(versions) < recordsAtOnce {
		after = allUsed
	}
	_, err = tx.c.exec("UPDATE counters SET value = $1 WHERE name = 'records'", after)
	return err
}

// describeRecord gives the version its row. One that has it already, because something has
// happened to it meanwhile, gets it anew: the facts that it shares with older ones may not
// be there yet.
func (tx *Tx) describeRecord(v clm.Version, f clm.Facts) error {
	if !v.Removed.IsZero() {
		return nil
	}
	if err := tx.addRecord(v, nil); err != nil || v.Thumbprint == "" || !v.Orphaned.IsZero() {
		return err
	}
	if n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM records WHERE id = $1", int64(v.ID)); err != nil || n == 0 {
		return err
	}
	return tx.RecordIssued(v, f)
}
