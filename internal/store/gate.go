package store

import (
	"time"

	"github.com/certwright/certwright/internal/clm"
)

const selectGate = "SELECT id, subject, work, stage, point, name, open, since, until FROM tickets "

func scanGate(r row) (g clm.Gate, err error) {
	var since, until int64
	err = r.Scan(&g.ID, &g.Subject, &g.Work, &g.Stage, &g.Point, &g.Name, &g.Open, &since, &until)
	g.Since, g.Until = fromMicros(since), fromMicros(until)
	return g, err
}

// SaveGate puts up a gate whose ticket is there, or writes a known one anew, and lets
// runners look again at its work.
func (tx *Tx) SaveGate(g clm.Gate) error {
	_, err := tx.c.exec(`INSERT INTO tickets (id, subject, work, stage, point, name, open, since, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET work = excluded.work, stage = excluded.stage, open = excluded.open, since = excluded.since, until = excluded.until`,
		string(g.ID), string(g.Subject), int64(g.Work), string(g.Stage), string(g.Point), g.Name, g.Open, micros(g.Since), micros(g.Until))
	if g.Work != 0 {
		tx.moved(clm.Work{ID: g.Work})
	}
	return err
}

// Gate finds the gate of a ticket. It fails with NotFound.
func (tx *Tx) Gate(id clm.ObjectID) (clm.Gate, error) {
	g, err := one(tx, scanGate, selectGate+"WHERE id = $1", string(id))
	return g, notFound(err)
}

// Gates lists the gates of a work, in the order of their IDs.
func (tx *Tx) Gates(id clm.WorkID) ([]clm.Gate, error) {
	return all(tx, scanGate, selectGate+"WHERE work = $1 ORDER BY id", int64(id))
}

// GatesOf lists the gates of an object's works and those that wait for one.
func (tx *Tx) GatesOf(subject clm.ObjectID) ([]clm.Gate, error) {
	return all(tx, scanGate, selectGate+"WHERE subject = $1 ORDER BY id", string(subject))
}

// IsAsked reports whether one of the principals is to say yes to something about the
// object.
func (tx *Tx) IsAsked(subject clm.ObjectID, who clm.Actor) (bool, error) {
	asked, err := all(tx, scanOne[string], "SELECT o.own FROM tickets t JOIN objects o ON o.id = t.id WHERE t.subject = $1", string(subject))
	for _, own := range asked {
		values, err := fromJSON[map[clm.Attr][]string](own)
		if err != nil {
			return false, err
		}
		for _, id := range values[clm.Approvers] {
			if who.Is(clm.PrincipalID(id)) {
				return true, nil
			}
		}
	}
	return false, err
}

// OpenGates lists the open gates after the one named, at most so many.
func (tx *Tx) OpenGates(after clm.ObjectID, most int) ([]clm.Gate, error) {
	return all(tx, scanGate, selectGate+"WHERE id > $1 AND open = TRUE ORDER BY id LIMIT $2", string(after), most)
}

// DropGates takes away the gates of a work with their tickets and returns how many
// were open.
func (tx *Tx) DropGates(id clm.WorkID) (open int, err error) {
	dropped, err := all(tx, scanGate, "DELETE FROM tickets WHERE work = $1 RETURNING id, subject, work, stage, point, name, open, since, until", int64(id))
	for _, g := range dropped {
		if g.Open {
			open++
		}
		if err == nil {
			err = tx.dropTicket(g.ID)
		}
	}
	return open, err
}

// DropGate takes away one gate with its ticket.
func (tx *Tx) DropGate(g clm.Gate) error {
	_, err := tx.c.exec("DELETE FROM tickets WHERE id = $1", string(g.ID))
	if err == nil {
		err = tx.dropTicket(g.ID)
	}
	if g.Work != 0 {
		tx.moved(clm.Work{ID: g.Work})
	}
	return err
}

// Answered takes the ticket of a gate away that was said yes to. The gate stays, so
// that its work is not asked again.
func (tx *Tx) Answered(g clm.Gate) error { return tx.dropTicket(g.ID) }

func (tx *Tx) dropTicket(id clm.ObjectID) error {
	_, err := tx.c.exec("DELETE FROM objects WHERE id = $1", string(id))
	return err
}

// PutOffWork lets the work rest until then, unless somebody has it.
func (tx *Tx) PutOffWork(id clm.WorkID, until time.Time) error {
	_, err := tx.c.exec("UPDATE work SET due = $1 WHERE id = $2 AND done = FALSE AND held = FALSE", micros(until), int64(id))
	return err
}

// StopWork stops the work with the failure, whatever a worker that holds it may
// bring later.
func (tx *Tx) StopWork(id clm.WorkID, failure string) error {
	_, err := tx.c.exec("UPDATE work SET failure = $1, held = FALSE, epoch = epoch + 1 WHERE id = $2 AND done = FALSE", failure, int64(id))
	tx.moved(clm.Work{ID: id, Failure: failure})
	return err
}
