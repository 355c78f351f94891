package store

import (
	"context"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// describedAtOnce is how many certificates of an older release are looked at in
// one transaction.
const describedAtOnce = 500

// Describe takes the certificates that an older release has written into the
// inventory: facts reads what a certificate says. It goes on where it was
// interrupted, costs nothing when there are none, and until it has ended searches
// do not find those that are left. When they are to be renewed is for others to
// say: with the last of them it writes the task down to look at all.
func (db *DB) Describe(ctx context.Context, facts func(cert []byte) (clm.Facts, error)) error {
	for {
		var some int
		if err := db.Read(ctx, func(tx *Tx) error {
			ids, err := tx.undescribed(1)
			some = len(ids)
			return err
		}); err != nil {
			return err
		}
		if some == 0 {
			return nil
		}
		if err := db.submit(ctx, nil, func(tx *Tx) error {
			ids, err := tx.undescribed(describedAtOnce)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := tx.describe(id, facts); err != nil {
					return err
				}
			}
			if left, err := tx.undescribed(1); err != nil || len(ids) == 0 || len(left) > 0 {
				return err
			}
			return tx.AddSweep(clm.RootDN)
		}); err != nil {
			return err
		}
	}
}

func (tx *Tx) undescribed(most int) ([]clm.ObjectID, error) {
	return all(tx, scanOne[clm.ObjectID], "SELECT id FROM certificates WHERE cohort = 0 ORDER BY id LIMIT $1", most)
}

func (tx *Tx) describe(id clm.ObjectID, facts func([]byte) (clm.Facts, error)) error {
	o, err := one(tx, scanObject, selectObject+" WHERE o.id = $1", string(id))
	if err != nil {
		return err
	}
	parent, err := one(tx, scanOne[clm.ObjectID], "SELECT parent FROM objects WHERE id = $1", string(id))
	if err != nil {
		return err
	}
	k, at, f, print := NewCohort(o, parent), place{created: o.Created}, clm.Facts{}, ""
	if o.Current != 0 {
		v, err := tx.Version(o.Current)
		if err != nil {
			return err
		}
		if f, err = facts(v.Cert); err == nil { // otherwise it is known by its dates and numbers alone
			k, print = k.Holding(f), printOf(f)
		}
		at.notBefore, at.notAfter = micros(v.NotBefore), micros(v.NotAfter)
	}
	if at.cohort, err = tx.saveCohort(k); err != nil {
		return err
	}
	tx.count(at, +1)
	if _, err = tx.c.exec("UPDATE certificates SET cohort = $1, name_key = $2, cn_key = $3, names = $4, not_before = $5, not_after = $6, disabled = $7 WHERE id = $8",
		at.cohort, nameKey(o), strings.ToLower(f.CommonName), print, at.notBefore, at.notAfter, k.Disabled, string(id)); err != nil {
		return err
	}
	return tx.saveSANs(id, f.Names)
}
