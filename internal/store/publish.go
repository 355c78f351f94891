package store

import (
	"encoding/hex"
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
	DER    []byte
}

// List finds the list of the part that was published last. It fails with NotFound.
func (tx *Tx) List(p Part) (List, error) {
	l, err := one(tx, func(r row) (List, error) {
		l, made, until := List{Part: p}, int64(0), int64(0)
		err := r.Scan(&l.Number, &made, &until, &l.URLs, &l.DER)
		l.Made, l.Until = fromMicros(made), fromMicros(until)
		return l, err
	}, "SELECT number, made, until, urls, der FROM lists WHERE issuer = $1 AND shard = $2", hex.EncodeToString(p.Issuer), p.Shard)
	return l, notFound(err)
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

// LastShard is the highest shard in which there may be a version.
func (tx *Tx) LastShard() (int64, error) {
	n, err := one(tx, scanOne[int64], "SELECT value FROM counters WHERE name = 'version'")
	return clm.VersionID(n).Shard(), err
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

// Responder is the responder of the issuer that lasts longest. It fails with NotFound.
func (tx *Tx) Responder(issuer []byte) (Responder, error) {
	p, err := one(tx, scanResponder, selectResponder+" WHERE issuer = $1 ORDER BY not_after DESC, made DESC LIMIT 1", hex.EncodeToString(issuer))
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
