package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// WholeList is the shard of the list that names everything an issuer has revoked.
const WholeList int64 = -1

// A List is a revocation list as it was published last.
type List struct {
	Part
	Number int64     // it grows with every list of the part
	Made   time.Time //
	Until  time.Time // when relying parties want another
	URLs   string    // the addresses that it says it is found at
	DER    []byte    // shared: nobody may change it
	Sum    [sha256.Size]byte
}

// List finds the list of the part that was published last. It fails with NotFound.
func (tx *Tx) List(p Part) (List, error) {
	l, err := one(tx, func(r row) (List, error) {
		l, made, until := List{Part: p}, int64(0), int64(0)
		err := r.Scan(&l.Number, &made, &until, &l.URLs, &l.DER)
		l.Made, l.Until, l.Sum = fromMicros(made), fromMicros(until), sha256.Sum256(l.DER)
		return l, err
	}, "SELECT number, made, until, urls, der FROM lists WHERE issuer = $1 AND shard = $2", hex.EncodeToString(p.Issuer), p.Shard)
	return l, notFound(err)
}

// ListNumber is the number of the list of the part that was published last. It
// fails with NotFound.
func (tx *Tx) ListNumber(p Part) (int64, error) {
	n, err := one(tx, scanOne[int64], "SELECT number FROM lists WHERE issuer = $1 AND shard = $2", hex.EncodeToString(p.Issuer), p.Shard)
	return n, notFound(err)
}

// HasParts reports whether a part of the issuer's list was ever published.
func (tx *Tx) HasParts(issuer []byte) (bool, error) {
	found, err := all(tx, scanOne[int64], "SELECT shard FROM lists WHERE issuer = $1 AND shard > $2 LIMIT 1", hex.EncodeToString(issuer), WholeList)
	return len(found) > 0, err
}

// SaveList publishes the list in place of the one with the number, or as the first
// where that is zero. saved: nobody has published another since.
func (tx *Tx) SaveList(l List, was int64) (saved bool, err error) {
	query := "INSERT INTO lists (issuer, shard, number, made, until, urls, der) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (issuer, shard) DO NOTHING"
	args := []any{hex.EncodeToString(l.Issuer), l.Shard, l.Number, micros(l.Made), micros(l.Until), l.URLs, l.DER}
	if was != 0 {
		query = "UPDATE lists SET number = $3, made = $4, until = $5, urls = $6, der = $7 WHERE issuer = $1 AND shard = $2 AND number = $8"
		args = append(args, was)
	}
	n, err := tx.c.exec(query, args...)
	return n > 0, err
}

// RenewList is SaveList of a list that names nothing new: there is nothing in it that
// somebody did, and no entry.
func (db *DB) RenewList(ctx context.Context, l List, was int64) (saved bool, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) (err error) {
		saved, err = tx.SaveList(l, was)
		return err
	})
	return saved, err
}

// listedAtOnce is how many entries NoteListed takes at a time: others want to write.
const listedAtOnce = 1000

// NoteListed is Listed of a list that was published: of a whole list, which names
// more than may be kept waiting for. What is not noted is listed once more.
func (db *DB) NoteListed(ctx context.Context, p Part, entries []LedgerEntry) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e LedgerEntry) bool { return e.Listed })
	for some := range slices.Chunk(entries, listedAtOnce) {
		if err := db.submit(ctx, nil, func(tx *Tx) error { return tx.Listed(p, some) }); err != nil {
			return err
		}
	}
	return nil
}

// LastShard is the highest shard in which there may be a version.
func (tx *Tx) LastShard() (int64, error) {
	n, err := one(tx, scanOne[int64], "SELECT value FROM counters WHERE name = 'version'")
	return clm.VersionID(n).Shard(), err
}

// LastEntered is the highest shard in which the issuer has revoked anything, be it for a
// while; below zero if there is none.
func (tx *Tx) LastEntered(issuer []byte) (int64, error) {
	last := int64(-1)
	for _, which := range []string{"revoked > 0", "listed = FALSE"} { // each by an index of its own
		found, err := all(tx, scanOne[int64], "SELECT shard FROM ledger WHERE issuer = $1 AND "+which+" ORDER BY shard DESC LIMIT 1", hex.EncodeToString(issuer))
		if err != nil {
			return 0, err
		}
		last = max(last, slices.Max(append(found, -1)))
	}
	return last, nil
}

// A Responder is a key with which OCSP answers are signed for an issuer.
type Responder struct {
	Issuer   []byte // the fingerprint of its certificate
	Made     time.Time
	NotAfter time.Time // of Cert
	Cert     []byte    // by which the issuer entitles the key
	Sealed   []byte
}

func scanResponder(r row) (p Responder, err error) {
	var issuer string
	var made, notAfter int64
	if err = r.Scan(&issuer, &made, &notAfter, &p.Cert, &p.Sealed); err != nil {
		return p, err
	}
	p.Made, p.NotAfter = fromMicros(made), fromMicros(notAfter)
	p.Issuer, err = hex.DecodeString(issuer)
	return p, err
}

const selectResponder = "SELECT issuer, made, not_after, cert, sealed FROM responders"

// Responder is the responder of the issuer that lasts longest, of those made by the
// time. It fails with NotFound.
func (tx *Tx) Responder(issuer []byte, by time.Time) (Responder, error) {
	p, err := one(tx, scanResponder, selectResponder+" WHERE issuer = $1 AND made <= $2 ORDER BY not_after DESC, made DESC LIMIT 1", hex.EncodeToString(issuer), micros(by))
	return p, notFound(err)
}

// Responders lists all responders.
func (tx *Tx) Responders() ([]Responder, error) {
	return all(tx, scanResponder, selectResponder+" ORDER BY issuer, made")
}

// AddResponder writes a new responder down.
func (tx *Tx) AddResponder(p Responder) error {
	_, err := tx.c.exec("INSERT INTO responders (issuer, made, not_after, cert, sealed) VALUES ($1, $2, $3, $4, $5)",
		hex.EncodeToString(p.Issuer), micros(p.Made), micros(p.NotAfter), p.Cert, p.Sealed)
	return err
}

// ResealResponder replaces the sealed key of a responder.
func (tx *Tx) ResealResponder(p Responder, sealed []byte) error {
	_, err := tx.c.exec("UPDATE responders SET sealed = $1 WHERE issuer = $2 AND made = $3", sealed, hex.EncodeToString(p.Issuer), micros(p.Made))
	return err
}
