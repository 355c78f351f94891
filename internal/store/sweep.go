package store

import (
	"database/sql"
	"errors"

	"github.com/certwright/certwright/internal/clm"
)

// A Sweep is the task to look at every certificate below a folder anew, in the
// order of their IDs. After is the last one that was looked at.
type Sweep struct {
	ID    int64
	Below clm.DN
	After clm.ObjectID
}

// AddSweep writes the task down, unless it is there and nobody has begun with it.
// One that has begun goes on too: it may have passed what has changed since.
func (tx *Tx) AddSweep(below clm.DN) error {
	_, err := tx.c.exec(`INSERT INTO sweeps (id, below, after) SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), ''
		WHERE NOT EXISTS (SELECT 1 FROM sweeps WHERE below = $2 AND after = '')`, tx.db.ids.next(tx.Now), string(below))
	return err
}

// NextSweep is the oldest task, if there is one.
func (tx *Tx) NextSweep() (s Sweep, any bool, err error) {
	s, err = one(tx, func(r row) (s Sweep, err error) { return s, r.Scan(&s.ID, &s.Below, &s.After) },
		"SELECT id, below, after FROM sweeps ORDER BY id LIMIT 1")
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	return s, err == nil, err
}

// SaveSweep writes down how far the task has come.
func (tx *Tx) SaveSweep(s Sweep, after clm.ObjectID) error {
	_, err := tx.c.exec("UPDATE sweeps SET after = $1 WHERE id = $2", string(after), s.ID)
	return err
}

// EndSweep forgets the task.
func (tx *Tx) EndSweep(s Sweep) error {
	_, err := tx.c.exec("DELETE FROM sweeps WHERE id = $1", s.ID)
	return err
}
