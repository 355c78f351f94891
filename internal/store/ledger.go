package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A LedgerEntry is a certificate in the books of an issuer whose key is held here:
// one that was revoked, or one whose place was deleted. Rows are added and never
// counted together, so that nodes that revoke at a time do not get in each other's way.
type LedgerEntry struct {
	Issuer   []byte     // the fingerprint of the issuer's certificate
	Serial   string     // upper-case hex, whole octets
	Shard    int64      // the part of the issuer's list in which it is named
	NotAfter time.Time  // of the certificate
	Revoked  time.Time  // zero: it is not
	Reason   clm.Reason //
	Listed   bool       // the list of the shard names it
}

// Enlist writes the revocation down and wakes whoever publishes lists. What is
// revoked already stays as it is: the first date and reason hold. Of what was only
// issued the shard is now known for certain.
func (tx *Tx) Enlist(e LedgerEntry) error {
	tx.enlists = true
	_, err := tx.c.exec(`INSERT INTO ledger (issuer, serial, shard, not_after, revoked, reason, listed) VALUES ($1, $2, $3, $4, $5, $6, FALSE)
		ON CONFLICT (issuer, serial) DO UPDATE SET shard = excluded.shard, revoked = excluded.revoked, reason = excluded.reason, listed = FALSE WHERE ledger.revoked = 0`,
		hex.EncodeToString(e.Issuer), e.Serial, e.Shard, micros(e.NotAfter), micros(e.Revoked), int(e.Reason))
	return err
}

// enterIssued writes down which certificates of the place issuers of ours have
// issued that are still valid: once the place is deleted nothing else tells.
func (tx *Tx) enterIssued(certificate clm.ObjectID) error {
	valid, err := all(tx, func(r row) (e LedgerEntry, err error) {
		var id clm.VersionID
		var issuer string
		var notAfter int64
		err = r.Scan(&id, &issuer, &e.Serial, &notAfter)
		e.Shard, e.NotAfter = id.Shard(), fromMicros(notAfter)
		if err == nil {
			e.Issuer, err = hex.DecodeString(issuer)
		}
		return e, err
	}, "SELECT id, chain, serial, not_after FROM versions WHERE certificate = $1 AND cert IS NOT NULL AND not_after > $2", string(certificate), micros(tx.Now))
	if err != nil {
		return err
	}
	for _, e := range valid {
		held, err := tx.HoldsIssuer(e.Issuer)
		if err != nil {
			return err
		}
		if !held {
			continue
		}
		if _, err := tx.c.exec(`INSERT INTO ledger (issuer, serial, shard, not_after, revoked, reason, listed) VALUES ($1, $2, $3, $4, 0, 0, TRUE)
			ON CONFLICT (issuer, serial) DO NOTHING`, hex.EncodeToString(e.Issuer), e.Serial, e.Shard, micros(e.NotAfter)); err != nil {
			return err
		}
	}
	return nil
}

// Standing is how the certificate stands to which the issuer has given the serial
// number: when it was revoked, zero if it was not, and why. It fails with NotFound
// when the issuer has issued none.
func (tx *Tx) Standing(issuer []byte, serial string) (revoked time.Time, reason clm.Reason, err error) {
	// One statement, so that a certificate is seen although it moves from one table
	// to the other.
	e, err := one(tx, func(r row) (e LedgerEntry, err error) {
		var at int64
		err = r.Scan(&at, &e.Reason)
		e.Revoked = fromMicros(at)
		return e, err
	}, `SELECT revoked, reason FROM ledger WHERE issuer = $1 AND serial = $2
		UNION ALL SELECT 0, 0 FROM versions WHERE serial = $2 AND serial <> '' AND chain = $1 AND cert IS NOT NULL
		ORDER BY revoked DESC LIMIT 1`, hex.EncodeToString(issuer), serial)
	return e.Revoked, e.Reason, notFound(err)
}

// Revoked lists what the issuer has revoked in the shard, WholeList for all, but
// for what a list has named and what had expired at the time.
func (tx *Tx) Revoked(issuer []byte, shard int64, expired time.Time) ([]LedgerEntry, error) {
	query, args := "SELECT serial, shard, not_after, revoked, reason, listed FROM ledger WHERE issuer = $1 AND revoked > 0 AND (not_after > $2 OR listed = FALSE)",
		[]any{hex.EncodeToString(issuer), micros(expired)}
	if shard != WholeList {
		query, args = query+" AND shard = $3", append(args, shard)
	}
	return all(tx, func(r row) (LedgerEntry, error) {
		e, notAfter, revoked := LedgerEntry{Issuer: issuer}, int64(0), int64(0)
		err := r.Scan(&e.Serial, &e.Shard, &notAfter, &revoked, &e.Reason, &e.Listed)
		e.NotAfter, e.Revoked = fromMicros(notAfter), fromMicros(revoked)
		return e, err
	}, query+" ORDER BY serial", args...)
}

// HasRevokedSince reports whether the issuer has revoked anything after the time.
func (tx *Tx) HasRevokedSince(issuer []byte, at time.Time) (bool, error) {
	found, err := all(tx, scanOne[int64], "SELECT 1 FROM ledger WHERE issuer = $1 AND revoked > 0 AND revoked > $2 LIMIT 1", hex.EncodeToString(issuer), max(0, micros(at)))
	return len(found) > 0, err
}

// A Part is a part of the revocation list of an issuer.
type Part struct {
	Issuer []byte // the fingerprint of its certificate
	Shard  int64
}

// Unlisted lists parts whose lists lack something that was revoked, those after the
// one given, at most so many.
func (tx *Tx) Unlisted(after Part, most int) ([]Part, error) {
	return all(tx, func(r row) (p Part, err error) {
		var issuer string
		if err = r.Scan(&issuer, &p.Shard); err == nil {
			p.Issuer, err = hex.DecodeString(issuer)
		}
		return p, err
	}, "SELECT DISTINCT issuer, shard FROM ledger WHERE listed = FALSE AND (issuer, shard) > ($1, $2) ORDER BY issuer, shard LIMIT $3",
		hex.EncodeToString(after.Issuer), after.Shard, most)
}

// Listed writes down that the list of the part names the entries.
func (tx *Tx) Listed(p Part, entries []LedgerEntry) error {
	var serials []string
	for _, e := range entries {
		if !e.Listed {
			serials = append(serials, e.Serial)
		}
	}
	if len(serials) == 0 {
		return nil
	}
	list, err := json.Marshal(serials)
	if err != nil {
		return err
	}
	_, err = tx.c.exec("UPDATE ledger SET listed = TRUE WHERE issuer = $1 AND serial "+fmt.Sprintf(tx.db.dialect.among, tx.db.dialect.texts("$2")),
		hex.EncodeToString(p.Issuer), string(list))
	return err
}

// Enlisted returns the channel on which a token lies whenever there may be something
// that no list names yet.
func (db *DB) Enlisted() <-chan struct{} { return db.enlisted }

// HoldsIssuer reports whether the key of the issuer is held here whose certificate
// has the fingerprint.
func (tx *Tx) HoldsIssuer(fingerprint []byte) (bool, error) {
	found, err := all(tx, scanOne[int64], "SELECT 1 FROM issuers WHERE fingerprint = $1 LIMIT 1", fingerprint)
	return len(found) > 0, err
}
