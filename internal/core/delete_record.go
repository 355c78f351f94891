package core

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// RemoveRecords asks for records to be taken out of the inventory.
type RemoveRecords struct {
	Records []RecordRef
	UUIDs   []string // further records, by their other names

	// Check is what the edge has to say about each record; nil has nothing to say.
	Check func(Record) error
}

// MaxRemoved is how many records are taken out at a time.
const MaxRemoved = 1_000

// RemoveRecordsKinds are the ways in which RemoveRecords fails. NotFound and Invalid are
// those of Record; of Invalid, Field is "number" where there are none or more than
// MaxRemoved. Of Denied, Field is "read-only/number" and Value how many of them the actor
// may not delete; of Busy, Value is the number of the work that is in the way.
var RemoveRecordsKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy}

// RemoveRecords takes records out of the inventory, all of them or none. Nothing is
// revoked. The certificate stays in the history of its place, its key with it, and in the
// books of its issuer; once a place has no record left it is deleted as Remove does.
func (c *Core) RemoveRecords(ctx context.Context, who clm.Actor, r RemoveRecords) error {
	entry := store.Entry{Actor: who, Action: "remove record", Subject: r.subject()}
	return c.db.Write(ctx, entry, func(tx *store.Tx) error {
		if n := len(r.Records) + len(r.UUIDs); n == 0 || n > MaxRemoved {
			return clm.Fail(clm.Invalid, "number", strconv.Itoa(n))
		}
		doomed, err := r.find(tx, who)
		if err != nil {
			return err
		}
		readOnly := 0
		for _, rec := range doomed {
			if r.Check != nil {
				if err := r.Check(rec); err != nil {
					return clm.About(rec.ID, err)
				}
			}
			if !rec.Rights.Has(clm.Write | clm.Delete) {
				readOnly++
			}
		}
		if readOnly > 0 {
			return clm.About(r.subject(), clm.Fail(clm.Denied, "read-only/number", strconv.Itoa(readOnly)))
		}
		var ids []string
		for _, rec := range doomed {
			if err := isAtRest(tx, rec.Path.Last().ID); err != nil {
				return clm.About(rec.ID, err)
			}
			ids = append(ids, rec.ID)
		}
		subject := r.subject()
		if len(doomed) == 1 {
			subject = string(doomed[0].Path.Last().DN)
		}
		tx.About(subject, strings.Join(ids, " "))
		for _, rec := range doomed {
			if err := takeOut(tx, who, rec); err != nil {
				return clm.About(rec.ID, err)
			}
		}
		return nil
	})
}

func (r RemoveRecords) subject() string {
	if len(r.Records) == 1 && len(r.UUIDs) == 0 {
		return r.Records[0].String()
	}
	if len(r.Records) == 0 && len(r.UUIDs) == 1 {
		return r.UUIDs[0]
	}
	return strconv.Itoa(len(r.Records)+len(r.UUIDs)) + " records"
}

// find finds the records, each once.
func (r RemoveRecords) find(tx *store.Tx, who clm.Actor) (found []Record, err error) {
	seen := map[clm.VersionID]bool{}
	add := func(rec Record, err error) error {
		if err == nil && !seen[rec.Version.ID] {
			seen[rec.Version.ID] = true
			found = append(found, rec)
		}
		return err
	}
	for _, ref := range r.Records {
		if err := add(findRecord(tx, who, ref)); err != nil {
			return nil, err
		}
	}
	for _, id := range r.UUIDs {
		if err := add(HandOut{UUID: id}.find(tx, who)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// isAtRest fails with Busy while something is under way for the place: a certificate that
// is on its way, or a revocation.
func isAtRest(tx *store.Tx, place clm.ObjectID) error {
	open, err := openWork(tx, place)
	if err == nil && open != nil && open.State != clm.Stopped {
		err = clm.Fail(clm.Busy, busyField[open.State], strconv.FormatInt(int64(open.ID), 10))
	}
	return orElse(err, noneToRevoke(tx, place))
}

// takeOut takes the record out, and its place with the last one. What stays in use without
// a record is not renewed by itself any more.
func takeOut(tx *store.Tx, who clm.Actor, rec Record) error {
	if err := tx.HideVersion(rec.Version.ID); err != nil {
		return err
	}
	left, err := tx.HasRecords(rec.Version.Certificate)
	if err != nil || left && !rec.IsCurrent() {
		return err
	}
	path, err := tx.PathByID(rec.Version.Certificate)
	if err != nil {
		return err
	}
	if left {
		return replan(tx, path)
	}
	err = removePlace(tx, who, path)
	if errors.Is(err, clm.Denied) { // an application that would go along
		return clm.Fail(clm.Denied, "read-only/number", "1")
	}
	return err
}
