package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// manage writes on the certificate at the end of the path whether it is renewed here or
// only looked at, unless policy says the same or is locked.
func manage(path clm.Path, managed bool) {
	place := path.Last()
	delete(place.Own, clm.ManagementType)
	switch holds := clm.IsManaged(path.Management()); {
	case !managed && holds:
		set(place.Own, clm.ManagementType, clm.Monitoring)
	case managed && !holds:
		set(place.Own, clm.ManagementType, clm.Enrollment)
	}
}

// SetManagedKinds are the ways in which SetManaged fails. NotFound and Invalid are those of
// Record. Of Denied, Field is "locked" where policy is; of Busy, Value is the number of the
// work that is in the way.
var SetManagedKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy}

// SetManaged says whether the certificates of the records are renewed here or only looked
// at: of all of them or, where one cannot be, of none. What is so already stays as it is.
func (c *Core) SetManaged(ctx context.Context, who clm.Actor, refs []RecordRef, managed bool) error {
	action := "monitor"
	if managed {
		action = "manage"
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: action, Subject: recordsText(refs)}, func(tx *store.Tx) error {
		var said telling
		for _, ref := range refs {
			rec, err := findRecord(tx, who, ref)
			if err != nil {
				return err
			}
			if err := setManaged(tx, rec, managed); err != nil {
				return clm.About(string(rec.Path.Last().DN), err)
			}
			said.of(rec.Path.Last(), rec.ID)
		}
		tx.About(said.subject(), said.detail())
		return nil
	})
}

// telling is what an entry tells that is about several certificates.
type telling struct {
	places  []clm.DN // each once
	details []string
}

// maxTold is how many bytes of what is told stand in an entry, which keeps little more.
const maxTold = 960

// of adds what is told of the certificate.
func (t *telling) of(place *clm.Object, detail string) {
	if !slices.Contains(t.places, place.DN) {
		t.places = append(t.places, place.DN)
	}
	t.details = append(t.details, detail)
}

// subject is what the entry is about: the certificate or, where there are several, how many.
func (t *telling) subject() string {
	if len(t.places) == 1 {
		return string(t.places[0])
	}
	return fmt.Sprintf("%d certificates", len(t.places))
}

// detail is all that is told.
func (t *telling) detail() string { return joined(t.details) }

// joined are the texts for an entry, as many as there is room for, and then how many more.
func joined(texts []string) string {
	var all strings.Builder
	for n, text := range texts {
		if n > 0 && all.Len()+len(text) > maxTold {
			fmt.Fprintf(&all, " and %d more", len(texts)-n)
			break
		}
		if n > 0 {
			all.WriteString(", ")
		}
		all.WriteString(text)
	}
	return all.String()
}

// recordsText is how entries call records.
func recordsText(refs []RecordRef) string { return RemoveRecords{Records: refs}.subject() }

// setManaged is SetManaged for a record that was found.
func setManaged(tx *store.Tx, rec Record, managed bool) error {
	if !rec.Rights.Has(clm.Write) {
		return clm.Fail(clm.Denied, "read-only", "")
	}
	if clm.IsManaged(rec.Path.Management()) == managed {
		return nil
	}
	if err := isAtRest(tx, rec.Path.Last().ID); err != nil {
		return err
	}
	before, place := rec.Path.Last(), cloned(rec.Path.Last())
	path := append(rec.Path[:len(rec.Path)-1:len(rec.Path)-1], place)
	manage(path, managed)
	if clm.IsManaged(path.Management()) != managed {
		return clm.Fail(clm.Denied, "locked", "")
	}
	if err := tx.SaveObject(place); err != nil {
		return err
	}
	return replanFrom(tx, path, before.Own)
}
