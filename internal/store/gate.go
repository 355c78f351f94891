package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

const gateColumns = "id, subject, work, stage, point, name, open, since, until"

const selectGate = "SELECT " + gateColumns + " FROM tickets "

func scanGate(r row) (g clm.Gate, err error) {
	var since, until int64
	err = r.Scan(&g.ID, &g.Subject, &g.Work, &g.Stage, &g.Point, &g.Name, &g.Open, &since, &until)
	g.Since, g.Until = fromMicros(since), fromMicros(until)
	return g, err
}

// AddGate puts up a gate whose ticket is there, for the principals that are asked. The
// caller sees to it that its work rests, see clm.Never.
func (tx *Tx) AddGate(g clm.Gate, asked []string) error {
	_, err := tx.c.exec("INSERT INTO tickets ("+gateColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		string(g.ID), string(g.Subject), int64(g.Work), string(g.Stage), string(g.Point), g.Name, g.Open, micros(g.Since), micros(g.Until))
	for _, approver := range asked {
		if err == nil {
			_, err = tx.c.exec("INSERT INTO ticket_approvers (approver, ticket) VALUES ($1, $2)", approver, string(g.ID))
		}
	}
	return err
}

// SaveGate writes a gate anew, and lets its work go on where that means that it may.
func (tx *Tx) SaveGate(g clm.Gate) error {
	_, err := tx.c.exec("UPDATE tickets SET work = $1, stage = $2, open = $3, since = $4, until = $5 WHERE id = $6",
		int64(g.Work), string(g.Stage), g.Open, micros(g.Since), micros(g.Until), string(g.ID))
	if err != nil {
		return err
	}
	return tx.Settle(g.Work)
}

// Settle lets the work be due when all gates before its stage let it pass, if nobody has
// it and none of them is open.
func (tx *Tx) Settle(id clm.WorkID) error {
	if id == 0 {
		return nil
	}
	w, err := tx.Work(id)
	if errors.Is(err, clm.NotFound) || err == nil && (w.Done || w.Failure != "") {
		return nil
	}
	if err != nil {
		return err
	}
	gates, err := tx.Gates(id)
	if err != nil {
		return err
	}
	due := tx.Now
	for _, g := range gates {
		if g.Stage != w.Stage {
			continue
		}
		if g.Open {
			due = clm.Never
		}
		if g.Since.After(due) {
			due = g.Since
		}
	}
	_, err = tx.c.exec("UPDATE work SET due = $1 WHERE id = $2 AND done = FALSE AND held = FALSE", micros(due), int64(id))
	tx.moved(clm.Work{ID: id})
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

// GatesAskedOf lists the gates of which one of the principals is asked, at most so many.
func (tx *Tx) GatesAskedOf(who clm.Actor, most int) ([]clm.Gate, error) {
	return all(tx, scanGate, selectGate+"WHERE id IN (SELECT ticket FROM ticket_approvers WHERE approver "+tx.amongTexts("$1")+") ORDER BY id LIMIT $2", idsOf(who), most)
}

// IsAsked reports whether the actor is to say yes to something about the object, or is
// asked by it, where it is a ticket.
func (tx *Tx) IsAsked(id clm.ObjectID, who clm.Actor) (bool, error) {
	found, err := all(tx, scanOne[int], "SELECT 1 FROM tickets t JOIN ticket_approvers a ON a.ticket = t.id WHERE (t.subject = $1 OR t.id = $1) AND a.approver "+tx.amongTexts("$2")+" LIMIT 1",
		string(id), idsOf(who))
	return len(found) > 0, err
}

// amongTexts is that something is among the texts of a JSON list.
func (tx *Tx) amongTexts(list string) string {
	return fmt.Sprintf(tx.db.dialect.among, tx.db.dialect.texts(list))
}

// idsOf are the IDs of the actor and its groups, as a JSON list.
func idsOf(who clm.Actor) string {
	ids := append([]clm.PrincipalID{who.ID}, who.Groups...)
	return toJSON(ids, len(ids))
}

// OpenGates lists the open gates after the one named, at most so many.
func (tx *Tx) OpenGates(after clm.ObjectID, most int) ([]clm.Gate, error) {
	return all(tx, scanGate, selectGate+"WHERE id > $1 AND open = TRUE ORDER BY id LIMIT $2", string(after), most)
}

// DropGates takes away the gates of a work with their tickets and returns how many
// were open. It leaves the work as it is.
func (tx *Tx) DropGates(id clm.WorkID) (open int, err error) {
	dropped, err := all(tx, scanGate, "DELETE FROM tickets WHERE work = $1 RETURNING "+gateColumns, int64(id))
	for _, g := range dropped {
		if g.Open {
			open++
		}
		if err == nil {
			err = tx.Answered(g)
		}
	}
	return open, err
}

// DropGate takes away one gate with its ticket, and lets its work go on where that means
// that it may.
func (tx *Tx) DropGate(g clm.Gate) error {
	if _, err := tx.c.exec("DELETE FROM tickets WHERE id = $1", string(g.ID)); err != nil {
		return err
	}
	if err := tx.Answered(g); err != nil {
		return err
	}
	return tx.Settle(g.Work)
}

// Answered takes the ticket of a gate away. The gate stays, so that its work is not asked
// again.
func (tx *Tx) Answered(g clm.Gate) error {
	if _, err := tx.c.exec("DELETE FROM ticket_approvers WHERE ticket = $1", string(g.ID)); err != nil {
		return err
	}
	_, err := tx.c.exec("DELETE FROM objects WHERE id = $1", string(g.ID))
	return err
}

// A Decision is what was said at a gate of a work.
type Decision struct {
	Work  clm.WorkID
	At    time.Time
	Gate  string    // its name
	Stage clm.Stage // before which it stood
	Actor string
	Yes   bool
	Said  string // in the words of who has decided
}

// AddDecision writes down what was said.
func (tx *Tx) AddDecision(d Decision) error {
	_, err := tx.c.exec("INSERT INTO decisions (work, at, gate, stage, actor, yes, said) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		int64(d.Work), micros(tx.Now), d.Gate, string(d.Stage), d.Actor, d.Yes, d.Said)
	return err
}

// Decisions lists what was said at the gates of a work, the oldest first.
func (tx *Tx) Decisions(id clm.WorkID) ([]Decision, error) {
	return all(tx, func(r row) (d Decision, err error) {
		var at int64
		err = r.Scan(&d.Work, &at, &d.Gate, &d.Stage, &d.Actor, &d.Yes, &d.Said)
		d.At = fromMicros(at)
		return d, err
	}, "SELECT work, at, gate, stage, actor, yes, said FROM decisions WHERE work = $1 ORDER BY at, yes DESC, gate", int64(id))
}

// IsHeld reports whether somebody is carrying the work out.
func (tx *Tx) IsHeld(id clm.WorkID) (bool, error) {
	return one(tx, scanOne[bool], "SELECT held FROM work WHERE id = $1", int64(id))
}

// StopWork stops the work with the failure, whatever a worker that holds it may
// bring later.
func (tx *Tx) StopWork(id clm.WorkID, failure string) error {
	_, err := tx.c.exec("UPDATE work SET failure = $1, held = FALSE, due = $2, epoch = epoch + 1 WHERE id = $3 AND done = FALSE", failure, micros(tx.Now), int64(id))
	tx.moved(clm.Work{ID: id, Failure: failure})
	return err
}
