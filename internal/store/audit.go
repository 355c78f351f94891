package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// AuditEntry is one line of the audit log.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string
	Action  string
	Subject string
	Outcome string // ok, or the kind of failure
	Detail  string
	Via     string // the way by which the actor has asked
	Event   string // what a client has told of, as it was handed to Report; empty for what was done here
}

// About says what the write turned out to be about.
func (tx *Tx) About(subject, detail string) {
	if tx.entry != nil {
		tx.entry.Subject, tx.entry.Detail = subject, detail
	}
}

// Spelled says how the DN is spelled of the object that was found by another spelling, in
// case it is what the write is about: also when that is refused, entries about one object
// are about one text.
func (tx *Tx) Spelled(asked string, dn clm.DN) {
	if tx.entry != nil && strings.EqualFold(tx.entry.Subject, asked) {
		tx.entry.Subject = string(dn)
	}
}

func (tx *Tx) audit(outcome string) error {
	if tx.entry == nil {
		return nil
	}
	return tx.enter(outcome, "")
}

// Report writes the entry of this write, now, with what a client tells of. It is the
// last that a write does.
func (tx *Tx) Report(event string) error {
	err := tx.enter("ok", event)
	if err == nil {
		tx.entry = nil
	}
	return err
}

func (tx *Tx) enter(outcome, event string) error {
	e := tx.entry
	name, subject, detail := short(e.Actor.Name), short(e.Subject), short(e.Detail)
	_, err := tx.c.exec("INSERT INTO audit (id, at, actor, action, subject, outcome, detail, event, via) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		tx.db.ids.next(tx.Now), micros(tx.Now), name, e.Action, subject, outcome, detail, event, short(e.Actor.Via))
	return err
}

// maxAuditText is how many bytes of each text an entry keeps: some of them come
// from people who have not logged in.
const maxAuditText = 1024

// short is what is kept of a text.
func short(text string) string {
	text = storable(text)
	if len(text) <= maxAuditText {
		return text
	}
	return strings.ToValidUTF8(text[:maxAuditText], "") + "…"
}

const selectAudit = "SELECT id, at, actor, action, subject, outcome, detail, event, via FROM audit"

// Audit lists the entries after the one named, oldest first, at most so many.
func (db *DB) Audit(ctx context.Context, after int64, most int) (found []AuditEntry, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		found, err = all(tx, scanAudit, selectAudit+" WHERE id > $1 ORDER BY id LIMIT $2", after, most)
		return err
	})
	return found, err
}

func scanAudit(r row) (e AuditEntry, err error) {
	var at int64
	err = r.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &e.Outcome, &e.Detail, &e.Event, &e.Via)
	e.At = fromMicros(at)
	return e, err
}

// AuditRange is a part of the audit log.
type AuditRange struct {
	From, Until time.Time // both included, to the millisecond; zero: no limit
	Subjects    []string  // entries about one of them, as they are spelled; none: about anything
	Oldest      bool      // the oldest first
}

// Entries lists entries of the range in the order of time, at most so many beyond the
// one named; zero begins. It goes along an index, as their numbers grow with time: by
// the number or, where there are Subjects, within those.
func (tx *Tx) Entries(r AuditRange, past int64, most int) ([]AuditEntry, error) {
	var c condition
	if !r.From.IsZero() {
		c.and("id >= ?", firstID(r.From))
	}
	if !r.Until.IsZero() {
		c.and("id < ?", firstID(r.Until.Add(time.Millisecond)))
	}
	order := " DESC"
	if r.Oldest {
		order = ""
	}
	if past != 0 {
		c.and(map[bool]string{false: "id < ?", true: "id > ?"}[r.Oldest], past)
	}
	c.in(tx.db.dialect, "subject %s", r.Subjects)
	c.args = append(c.args, most)
	return all(tx, scanAudit, selectAudit+c.where()+" ORDER BY id"+order+" LIMIT $"+strconv.Itoa(len(c.args)), c.args...)
}

// firstID is the lowest number that is given in the millisecond, or the next one that can
// have numbers.
func firstID(at time.Time) int64 {
	return min(max(at.Sub(idEpoch).Milliseconds(), 0), 1<<41-1) << 22
}

// Refused says in the entry that what was to be done was not, and why, although
// something is written: when to try again, for one.
func (tx *Tx) Refused(why error) { tx.refused = why }

// By says who turned out to be doing this.
func (tx *Tx) By(who clm.Actor) {
	if tx.entry != nil {
		tx.entry.Actor = who
	}
}
