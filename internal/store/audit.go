package store

import (
	"context"
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
}

// About says what the write turned out to be about.
func (tx *Tx) About(subject, detail string) {
	if tx.entry != nil {
		tx.entry.Subject, tx.entry.Detail = subject, detail
	}
}

func (tx *Tx) audit(outcome string) error {
	if tx.entry == nil {
		return nil
	}
	e := tx.entry
	name, subject, detail := short(e.Actor.Name), short(e.Subject), short(e.Detail)
	_, err := tx.c.exec("INSERT INTO audit (id, at, actor, action, subject, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		tx.db.ids.next(tx.Now), micros(tx.Now), name, e.Action, subject, outcome, detail)
	return err
}

// maxAuditText is how many bytes of each text an entry keeps: some of them come
// from people who have not logged in.
const maxAuditText = 1024

func short(text string) string {
	if len(text) <= maxAuditText {
		return text
	}
	return strings.ToValidUTF8(text[:maxAuditText], "") + "…"
}

// Audit lists the entries after the one named, oldest first, at most so many.
func (db *DB) Audit(ctx context.Context, after int64, most int) (found []AuditEntry, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		found, err = all(tx, scanAudit, "SELECT id, at, actor, action, subject, outcome, detail FROM audit WHERE id > $1 ORDER BY id LIMIT $2", after, most)
		return err
	})
	return found, err
}

func scanAudit(r row) (e AuditEntry, err error) {
	var at int64
	err = r.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &e.Outcome, &e.Detail)
	e.At = fromMicros(at)
	return e, err
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
