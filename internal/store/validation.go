package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A Validation is what was seen at one of the places where a certificate should be in use.
type Validation struct {
	Number       int            // which of the certificate's places it is
	File         bool           // it lies there; otherwise a service shows it
	Applications []clm.ObjectID // whose place it is
	Names        []string       // of the certificate, whose place it is
	Host         string         // of the service
	Address      string         // that the host has
	Port         int
	Said         string   // in words
	Chain, Leaf  uint32   // sets
	Versions     []uint16 // of TLS, as crypto/tls has them
	At           time.Time
}

// A ValidationRound is what is known of looking for a certificate from time to time.
type ValidationRound struct {
	Certificate clm.ObjectID
	Last        time.Time // when somebody has looked; zero: nobody has
	State       int       // what came of that; zero: nothing
	Since       time.Time // when it became that

	until time.Time // nobody else looks before
}

// ValidateBy has somebody look for the certificate at that time, or before if somebody
// would have anyway.
func (tx *Tx) ValidateBy(certificate clm.ObjectID, at time.Time) error {
	tx.wake = tx.wake || !at.After(tx.Now)
	due, err := all(tx, scanOne[int64], "SELECT due FROM validation_rounds WHERE certificate = $1", string(certificate))
	if err != nil || len(due) > 0 && due[0] <= micros(at) {
		return err // mostly so where many write of one certificate: they are not in each other's way
	}
	_, err = tx.c.exec(`INSERT INTO validation_rounds (certificate, due) VALUES ($1, $2)
		ON CONFLICT (certificate) DO UPDATE SET due = excluded.due`,
		string(certificate), micros(at))
	return err
}

// ClaimValidations takes certificates that are to be looked for now, at most so many,
// those first that have waited for longest. Nobody else gets them for so long as is said.
func (db *DB) ClaimValidations(ctx context.Context, most int, hold time.Duration) (claimed []ValidationRound, err error) {
	isDue := false // mostly nothing is, and then there is nothing to write
	if err := db.Glance(ctx, func(tx *Tx) error {
		due, err := all(tx, scanOne[int], "SELECT 1 FROM validation_rounds WHERE due <= $1 LIMIT 1", micros(tx.Now))
		isDue = len(due) > 0
		return err
	}); err != nil || !isDue {
		return nil, err
	}
	err = db.submit(ctx, nil, func(tx *Tx) (err error) {
		until := tx.Now.Add(hold)
		claimed, err = all(tx, scanRound, `UPDATE validation_rounds SET due = $3 WHERE certificate IN (
			`+dueValidations+db.dialect.skipLocked+`) RETURNING `+roundColumns,
			micros(tx.Now), most, micros(until))
		for n := range claimed {
			claimed[n].until = until
		}
		return err
	})
	return claimed, err
}

const dueValidations = "SELECT certificate FROM validation_rounds WHERE due <= $1 ORDER BY due LIMIT $2 "

const roundColumns = "certificate, last, state, since"

func scanRound(r row) (v ValidationRound, err error) {
	var last, since int64
	err = r.Scan(&v.Certificate, &last, &v.State, &since)
	v.Last, v.Since = fromMicros(last), fromMicros(since)
	return v, err
}

// SaveValidation writes down what was seen in place of what was seen before, and when to
// look again; if somebody has asked for that meanwhile, it stays with that. State and Last
// are those of the round. It does nothing where nobody looks for the certificate any more.
func (tx *Tx) SaveValidation(v ValidationRound, seen []Validation, next time.Time) error {
	n, err := tx.c.exec(`UPDATE validation_rounds SET due = CASE WHEN due = $1 THEN $2 ELSE due END, last = $3, state = $4,
		since = CASE WHEN state = $4 THEN since ELSE $3 END WHERE certificate = $5`,
		micros(v.until), micros(next), micros(v.Last), v.State, string(v.Certificate))
	if err != nil || n == 0 {
		return err
	}
	if _, err := tx.c.exec("DELETE FROM validations WHERE certificate = $1", string(v.Certificate)); err != nil {
		return err
	}
	for _, s := range seen {
		kind := map[bool]string{true: "file", false: "tls"}[s.File]
		sources := toJSON(sourcesOf{s.Applications, s.Names}, 1)
		if _, err := tx.c.exec("INSERT INTO validations (certificate, "+validationColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
			string(v.Certificate), s.Number, kind, sources, s.Host, s.Address, s.Port, s.Said, int64(s.Chain), int64(s.Leaf), toJSON(s.Versions, len(s.Versions)), micros(s.At)); err != nil {
			return err
		}
	}
	return nil
}

// KeepValidation is SaveValidation where nothing has changed: there is nothing in it that
// somebody did, and no entry.
func (db *DB) KeepValidation(ctx context.Context, v ValidationRound, seen []Validation, next time.Time) error {
	return db.submit(ctx, nil, func(tx *Tx) error { return tx.SaveValidation(v, seen, next) })
}

// PutValidationOff leaves what was seen as it is, and has somebody look at that time.
func (db *DB) PutValidationOff(ctx context.Context, v ValidationRound, next time.Time) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		_, err := tx.c.exec("UPDATE validation_rounds SET due = $1 WHERE certificate = $2 AND due = $3", micros(next), string(v.Certificate), micros(v.until))
		return err
	})
}

// EndValidation forgets what was seen; nobody looks for the certificate any more, unless
// somebody has asked for that meanwhile.
func (db *DB) EndValidation(ctx context.Context, v ValidationRound) error {
	return db.submit(ctx, nil, func(tx *Tx) error {
		_, err := tx.c.exec("DELETE FROM validation_rounds WHERE certificate = $1 AND due = $2", string(v.Certificate), micros(v.until))
		if err == nil {
			_, err = tx.c.exec("UPDATE validation_rounds SET last = 0, state = 0, since = 0 WHERE certificate = $1", string(v.Certificate))
		}
		if err == nil {
			_, err = tx.c.exec("DELETE FROM validations WHERE certificate = $1", string(v.Certificate))
		}
		return err
	})
}

// ValidationRound is what is known of looking for the certificate; the zero one where
// nobody does.
func (tx *Tx) ValidationRound(certificate clm.ObjectID) (ValidationRound, error) {
	v, err := one(tx, scanRound, "SELECT "+roundColumns+" FROM validation_rounds WHERE certificate = $1", string(certificate))
	if errors.Is(err, sql.ErrNoRows) {
		return ValidationRound{}, nil
	}
	return v, err
}

const validationColumns = "number, kind, sources, host, address, port, said, chain, leaf, versions, at"

// sourcesOf is the JSON of whose place it is.
type sourcesOf struct {
	Applications []clm.ObjectID `json:"applications,omitempty"`
	Names        []string       `json:"names,omitempty"`
}

// Validations lists what was seen of the certificate, by number.
func (tx *Tx) Validations(certificate clm.ObjectID) ([]Validation, error) {
	return all(tx, func(r row) (v Validation, err error) {
		var kind, sources, versions string
		var chain, leaf, at int64
		if err := r.Scan(&v.Number, &kind, &sources, &v.Host, &v.Address, &v.Port, &v.Said, &chain, &leaf, &versions, &at); err != nil {
			return v, err
		}
		v.File, v.Chain, v.Leaf, v.At = kind == "file", uint32(chain), uint32(leaf), fromMicros(at)
		var from sourcesOf
		err = json.Unmarshal([]byte(sources), &from)
		v.Applications, v.Names = from.Applications, from.Names
		if err == nil && versions != "" {
			err = json.Unmarshal([]byte(versions), &v.Versions)
		}
		return v, err
	}, "SELECT "+validationColumns+" FROM validations WHERE certificate = $1 ORDER BY number", string(certificate))
}
