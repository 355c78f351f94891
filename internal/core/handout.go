package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// HandOut asks for the certificate of a record.
type HandOut struct {
	Record  RecordRef
	UUID    string // rather than Record: the record that is called so
	WithKey bool   // the private key too

	// Check is what the edge has to say about the record, be there a certificate or not; nil
	// has nothing to say.
	Check func(Record) error
}

// HandOutKinds are the ways in which HandOut fails. NotFound and Invalid are those of
// Record. Of Denied, which is about reading the key, Value is the name of the group.
var HandOutKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.NotIssued, clm.NoKey, clm.Denied}

// HandOut hands out the certificate of a record, whether it is in use or not, with its
// chain. Who may not read its key is told so whether it is held or not.
func (c *Core) HandOut(ctx context.Context, who clm.Actor, h HandOut) (got Issued, rec Record, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		rec, err = h.find(tx, who)
		if err != nil {
			return err
		}
		if h.Check != nil {
			if err := h.Check(rec); err != nil {
				return clm.About(rec.ID, err)
			}
		}
		if rec.State != RecordIssued {
			return clm.About(rec.ID, clm.NotIssued)
		}
		if !h.WithKey || rec.Rights.Has(clm.KeyRead) {
			return nil
		}
		names, err := groupNames(tx)
		return clm.About(rec.ID, orElse(err, clm.Fail(clm.Denied, "key", names.Of(rec.Path))))
	})
	if err != nil {
		return got, rec, err
	}
	got, err = c.Retrieve(ctx, who, Retrieve{Version: rec.Version.ID, WithKey: h.WithKey})
	return got, rec, clm.About(rec.ID, err)
}

// find finds the record as far as the actor may read it.
func (h HandOut) find(tx *store.Tx, who clm.Actor) (Record, error) {
	if h.UUID == "" {
		return findRecord(tx, who, h.Record)
	}
	v, err := versionOfUUID(tx, h.UUID)
	if err != nil {
		return Record{}, clm.About(h.UUID, err)
	}
	rec, err := recordOf(tx, who, v)
	return rec, clm.About(h.UUID, err)
}
