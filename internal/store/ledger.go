package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	Listed   bool       // the list that was asked about names it, for this reason
}

// Enlist writes the revocation down and wakes whoever publishes lists. What is
// revoked already stays as it is: the first date, reason and shard hold. But once its
// key is known to be compromised that is the reason, and the lists must say so; and
// what is on hold gets the reason for which it is revoked in the end, as of the day of
// the hold. Of what was only issued the shard is now known for certain.
func (tx *Tx) Enlist(e LedgerEntry) error {
	tx.enlists = true
	_, err := tx.c.exec(`INSERT INTO ledger (issuer, serial, shard, not_after, revoked, reason, listed, whole) VALUES ($1, $2, $3, $4, $5, $6, FALSE, FALSE)
		ON CONFLICT (issuer, serial) DO UPDATE SET reason = excluded.reason, listed = FALSE, whole = FALSE,
			shard = CASE WHEN ledger.revoked = 0 THEN excluded.shard ELSE ledger.shard END,
			revoked = CASE WHEN ledger.revoked = 0 THEN excluded.revoked ELSE ledger.revoked END
		WHERE ledger.revoked = 0 OR excluded.reason = $7 AND ledger.reason <> $7 OR ledger.reason = $8 AND excluded.reason <> $8`,
		hex.EncodeToString(e.Issuer), e.Serial, e.Shard, micros(e.NotAfter), micros(e.Revoked), int(e.Reason), int(clm.KeyCompromise), int(clm.CertificateHold))
	return err
}

// Delist takes what is on hold off it, and wakes whoever publishes lists: the next ones
// do not name it any more. What is revoked for good stays so.
func (tx *Tx) Delist(issuer []byte, serial string) error {
	tx.enlists = true
	_, err := tx.c.exec("UPDATE ledger SET revoked = 0, reason = 0, listed = FALSE, whole = FALSE WHERE issuer = $1 AND serial = $2 AND revoked > 0 AND reason = $3",
		hex.EncodeToString(issuer), serial, int(clm.CertificateHold))
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
		if _, err := tx.c.exec(`INSERT INTO ledger (issuer, serial, shard, not_after, revoked, reason, listed, whole) VALUES ($1, $2, $3, $4, 0, 0, TRUE, TRUE)
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

// A Part is a part of the revocation list of an issuer, or the whole of it.
type Part struct {
	Issuer []byte // the fingerprint of its certificate
	Shard  int64  // WholeList for all
}

// listed is the column that says whether the list of the part names an entry.
func (p Part) listed() string {
	if p.Shard == WholeList {
		return "whole"
	}
	return "listed"
}

// Revoked lists what is revoked in the part, in the order of the serial numbers, but
// for what its list has named and what had expired at the time.
func (tx *Tx) Revoked(p Part, expired time.Time) ([]LedgerEntry, error) {
	args := []any{hex.EncodeToString(p.Issuer), micros(expired)}
	columns, from := "SELECT serial, shard, not_after, revoked, reason, "+p.listed(), " FROM ledger WHERE issuer = $1"
	if p.Shard != WholeList {
		from, args = from+" AND shard = $3", append(args, p.Shard)
	}
	// Two halves, each by an index of its own: expired rows are many in the end.
	found, err := all(tx, func(r row) (LedgerEntry, error) {
		e, notAfter, revoked := LedgerEntry{Issuer: p.Issuer}, int64(0), int64(0)
		err := r.Scan(&e.Serial, &e.Shard, &notAfter, &revoked, &e.Reason, &e.Listed)
		e.NotAfter, e.Revoked = fromMicros(notAfter), fromMicros(revoked)
		return e, err
	}, columns+from+" AND revoked > 0 AND not_after > $2 UNION ALL "+columns+from+" AND "+p.listed()+" = FALSE AND revoked > 0 AND not_after <= $2", args...)
	slices.SortFunc(found, func(a, b LedgerEntry) int { return strings.Compare(a.Serial, b.Serial) })
	return found, err
}

// Delisted lists what the list of the part may still name although it is not on hold any
// more.
func (tx *Tx) Delisted(p Part) ([]LedgerEntry, error) {
	query, args := "SELECT serial, shard FROM ledger WHERE issuer = $1 AND revoked = 0 AND "+p.listed()+" = FALSE", []any{hex.EncodeToString(p.Issuer)}
	if p.Shard != WholeList {
		query, args = query+" AND shard = $2", append(args, p.Shard)
	}
	return all(tx, func(r row) (LedgerEntry, error) {
		e := LedgerEntry{Issuer: p.Issuer}
		err := r.Scan(&e.Serial, &e.Shard)
		return e, err
	}, query, args...) // in no order, which would have everything of the issuer looked at
}

// Lacks reports whether the list of the part lacks something that was revoked, or names
// what is not on hold any more.
func (tx *Tx) Lacks(p Part) (bool, error) {
	query, args := "SELECT 1 FROM ledger WHERE issuer = $1 AND "+p.listed()+" = FALSE", []any{hex.EncodeToString(p.Issuer)}
	if p.Shard != WholeList {
		query, args = query+" AND shard = $2", append(args, p.Shard)
	}
	found, err := all(tx, scanOne[int64], query+" LIMIT 1", args...)
	return len(found) > 0, err
}

// Unlisted lists parts whose lists lack something, see Lacks, those after the
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

// Listed writes down that the list of the part names the entries for their reasons, and
// those no more that are not revoked. One that has got another reason meanwhile is still
// to be listed, and so is one that was put on hold or taken off it since.
func (tx *Tx) Listed(p Part, entries []LedgerEntry) error {
	type state struct {
		reason  clm.Reason
		revoked int64 // of what may change; otherwise -1
	}
	serials := map[state][]string{}
	for _, e := range entries {
		s := state{e.Reason, -1}
		if e.Reason == clm.CertificateHold || e.Revoked.IsZero() {
			s.revoked = micros(e.Revoked)
		}
		if !e.Listed {
			serials[s] = append(serials[s], e.Serial)
		}
	}
	for s, named := range serials {
		list, err := json.Marshal(named)
		if err != nil {
			return err
		}
		query := "UPDATE ledger SET " + p.listed() + " = TRUE WHERE issuer = $1 AND reason = $3 AND serial " + fmt.Sprintf(tx.db.dialect.among, tx.db.dialect.texts("$2"))
		args := []any{hex.EncodeToString(p.Issuer), string(list), int(s.reason)}
		if s.revoked >= 0 {
			query, args = query+" AND revoked = $4", append(args, s.revoked)
		}
		if _, err := tx.c.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// Enlisted returns the channel on which a token lies whenever there may be something
// that no list names yet.
func (db *DB) Enlisted() <-chan struct{} { return db.enlisted }

// IssuerNamed is the name of the issuer whose key is held here and whose certificate
// has the fingerprint. It fails with NotFound.
func (tx *Tx) IssuerNamed(fingerprint []byte) (string, error) {
	name, err := one(tx, scanOne[string], "SELECT name FROM issuers WHERE fingerprint = $1 ORDER BY name LIMIT 1", fingerprint)
	return name, notFound(err)
}

// HoldsIssuer reports whether the key of the issuer is held here whose certificate
// has the fingerprint.
func (tx *Tx) HoldsIssuer(fingerprint []byte) (bool, error) {
	found, err := all(tx, scanOne[int64], "SELECT 1 FROM issuers WHERE fingerprint = $1 LIMIT 1", fingerprint)
	return len(found) > 0, err
}
