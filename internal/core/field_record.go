package core

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// SayOf says something of the certificates of records.
type SayOf struct {
	Records []RecordRef
	UUIDs   []string                   // further records, by their other names
	Values  []FieldValues              // of custom fields; without values, they are cleared
	NoteAs  func(name string) clm.Attr // where that is kept for which there is no custom field
	Managed *bool                      // whether they are renewed here; nil: as it is
}

// MaxSaid is how many records something is said of at a time.
const MaxSaid = 1_000

// SayOfKinds are the ways in which Say fails: NotFound and Invalid are those of Record; of
// Invalid, Field is "number" where there are no records or more than MaxSaid. Values fail
// as in SetFields, and Managed as in SetManaged. Of Denied, Field is "read-only" where the
// actor may only read.
var SayOfKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy}

// Say says it of all of them or, where one thing cannot be said of one, nothing of any.
// What holds for a certificate holds for all records of its place.
func (c *Core) Say(ctx context.Context, who clm.Actor, all []SayOf) error {
	var named RemoveRecords
	for _, s := range all {
		named.Records, named.UUIDs = append(named.Records, s.Records...), append(named.UUIDs, s.UUIDs...)
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "set fields", Subject: named.subject()}, func(tx *store.Tx) error {
		if n := len(named.Records) + len(named.UUIDs); n == 0 || n > MaxSaid {
			return clm.Fail(clm.Invalid, "number", strconv.Itoa(n))
		}
		var said telling
		var changes []string
		for _, s := range all {
			found, err := RemoveRecords{Records: s.Records, UUIDs: s.UUIDs}.find(tx, who)
			if err != nil {
				return err
			}
			for _, rec := range found {
				changed, err := s.sayOf(tx, rec)
				if err != nil {
					return clm.About(rec.ID, err)
				}
				said.of(rec.Path.Last(), rec.ID)
				if changed != "" && !slices.Contains(changes, changed) {
					changes = append(changes, changed)
				}
			}
		}
		said.details = append(said.details, changes...)
		tx.About(said.subject(), said.detail())
		return nil
	})
}

// sayOf is Say of a record that was found. It returns what has changed, in words.
func (s SayOf) sayOf(tx *store.Tx, rec Record) (changed string, err error) {
	if !rec.Rights.Has(clm.Write) {
		return "", clm.Fail(clm.Denied, "read-only", "")
	}
	if s.Managed != nil {
		if err := setManaged(tx, rec, *s.Managed); err != nil {
			return "", err
		}
	}
	path, err := tx.PathByID(rec.Path.Last().ID) // which may be changed already
	if err != nil {
		return "", err
	}
	fields, err := fieldsFor(tx, path.Last().Class)
	if err != nil {
		return "", err
	}
	place, values := cloned(path.Last()), []FieldValues{}
	for _, v := range s.Values {
		if slices.ContainsFunc(fields, v.isOf) {
			values = append(values, v)
		} else {
			set(place.Own, s.NoteAs(v.Name), distinct(v.Values)...)
		}
	}
	if err := setFields(tx, path[:len(path)-1], place, values); err != nil {
		return "", err
	}
	if err := forgedSince(path.Last().Own, place.Own); err != nil {
		return "", err
	}
	wanted := maps.Clone(place.Own)
	for a := range path.Last().Own {
		if _, stays := wanted[a]; !stays {
			wanted[a] = nil
		}
	}
	changes := Put{Own: wanted}.diffOwn(cloned(path.Last()))
	if len(changes) == 0 {
		return "", nil
	}
	return describe(changes), tx.SaveObject(place)
}
