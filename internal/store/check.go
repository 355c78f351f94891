package store

import (
	"context"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A Check is the task to look whether relying parties see a revocation, with what
// is needed for that. Of a version that has been deleted since, there is only its
// number.
type Check struct {
	Version     clm.VersionID
	Certificate clm.ObjectID
	Cert        []byte // X.509, DER
	Chain       []byte // which chain stands above Cert
	NotAfter    time.Time
	Revocation  clm.Revocation
	Tries       int // how often somebody has looked, this time included

	until time.Time // nobody else looks before
}

// A Look is what has come of a check.
type Look struct {
	Check
	SeenCRL, SeenOCSP   time.Time // when it was seen there; zero where it was not, or not for the first time
	AwaitCRL, AwaitOCSP bool      // it is still to be seen there; neither: nobody need look again
	Next                time.Time // when to look again
}

// ClaimChecks takes checks that are due, at most so many, those first that have
// been due for longest. Nobody else gets them for so long as is said.
func (db *DB) ClaimChecks(ctx context.Context, most int, hold time.Duration) (claimed []Check, err error) {
	isDue := false // mostly nothing is, and then there is nothing to write
	if err := db.Glance(ctx, func(tx *Tx) error {
		due, err := all(tx, scanOne[int], "SELECT 1 FROM checks WHERE due <= $1 LIMIT 1", micros(tx.Now))
		isDue = len(due) > 0
		return err
	}); err != nil || !isDue {
		return nil, err
	}
	var tries map[clm.VersionID]int
	var until time.Time
	err = db.submit(ctx, nil, func(tx *Tx) error {
		tries, until = map[clm.VersionID]int{}, tx.Now.Add(hold)
		_, err := all(tx, func(r row) (none struct{}, err error) {
			var id clm.VersionID
			var n int
			err = r.Scan(&id, &n)
			tries[id] = n
			return none, err
		}, "UPDATE checks SET due = $3, tries = tries + 1 WHERE version IN (SELECT version FROM checks WHERE due <= $1 ORDER BY due LIMIT $2 "+db.dialect.skipLocked+") RETURNING version, tries",
			micros(tx.Now), most, micros(until))
		return err
	})
	if err != nil || len(tries) == 0 {
		return nil, err
	}
	err = db.Read(ctx, func(tx *Tx) error {
		for id, n := range tries {
			k, err := tx.check(id)
			if err != nil {
				return err
			}
			k.Tries, k.until = n, until
			claimed = append(claimed, k)
		}
		return nil
	})
	return claimed, err
}

// check is what a look at the version needs.
func (tx *Tx) check(id clm.VersionID) (Check, error) {
	k := Check{Version: id}
	v, err := tx.Version(id)
	switch {
	case errors.Is(err, clm.NotFound):
		return k, nil
	case err != nil:
		return k, err
	}
	k.Certificate, k.Cert, k.Chain, k.NotAfter = v.Certificate, v.Cert, v.Chain, v.NotAfter
	k.Revocation, err = tx.Revocation(id)
	return k, err
}

// SaveLook writes down where the revocation was seen, and when to look again, if
// ever. It reports false when there was nothing to write it to: a reset has
// forgotten the revocation, what was on hold is to be revoked now or is not any more, or the look took longer than the claim and somebody
// else has begun with another.
func (tx *Tx) SaveLook(l Look) (saved bool, err error) {
	n, until := int64(0), micros(l.until)
	if l.AwaitCRL || l.AwaitOCSP {
		since := map[bool]int64{true: micros(l.Revocation.Told())}
		n, err = tx.c.exec("UPDATE checks SET due = $1, since_crl = $2, since_ocsp = $3 WHERE version = $4 AND due = $5",
			micros(l.Next), since[l.AwaitCRL], since[l.AwaitOCSP], int64(l.Version), until)
	} else {
		n, err = tx.c.exec("DELETE FROM checks WHERE version = $1 AND due = $2", int64(l.Version), until)
	}
	if err != nil || n == 0 || l.SeenCRL.IsZero() && l.SeenOCSP.IsZero() {
		return n > 0, err
	}
	n, err = tx.c.exec(`UPDATE revocations SET seen_crl = CASE WHEN seen_crl = 0 THEN $1 ELSE seen_crl END, seen_ocsp = CASE WHEN seen_ocsp = 0 THEN $2 ELSE seen_ocsp END
		WHERE version = $3 AND (accepted > 0 AND cleared = 0 OR held > 0 AND (requested = 0 OR cleared > 0))`, micros(l.SeenCRL), micros(l.SeenOCSP), int64(l.Version))
	if err != nil || n > 0 {
		return n > 0, err
	}
	return false, tx.EndCheck(l.Version)
}

// PutOff is SaveLook of looks at which nothing was seen: there is nothing in them
// that somebody did, and no entry.
func (db *DB) PutOff(ctx context.Context, looks []Look) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		for _, l := range looks {
			l.SeenCRL, l.SeenOCSP = time.Time{}, time.Time{}
			if _, err := tx.SaveLook(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unseen are revocations that their CAs have accepted and that are still to be seen
// in one of the places where relying parties look.
type Unseen struct {
	N      int
	Oldest time.Time // when the CA accepted the one that has waited for longest; zero if there is none
}

// Unseen counts the revocations that are still to be seen in a list, and those that
// are still to be told by a responder.
func (tx *Tx) Unseen() (crl, ocsp Unseen, err error) {
	scan := func(r row) (u Unseen, err error) {
		var oldest int64
		err = r.Scan(&u.N, &oldest)
		u.Oldest = fromMicros(oldest)
		return u, err
	}
	if crl, err = one(tx, scan, "SELECT COUNT(*), COALESCE(MIN(since_crl), 0) FROM checks WHERE since_crl > 0"); err == nil {
		ocsp, err = one(tx, scan, "SELECT COUNT(*), COALESCE(MIN(since_ocsp), 0) FROM checks WHERE since_ocsp > 0")
	}
	return crl, ocsp, err
}

// PendingRevocations counts the revocations that no CA has accepted yet.
func (tx *Tx) PendingRevocations() (int, error) {
	return one(tx, scanOne[int], "SELECT COUNT(*) FROM work WHERE stage = $1 AND done = FALSE", string(clm.RevokeAt))
}

// UnlistedRevocations counts what issuers of ours have revoked and no list names yet.
func (tx *Tx) UnlistedRevocations() (int, error) {
	return one(tx, scanOne[int], "SELECT COUNT(*) FROM ledger WHERE listed = FALSE")
}
