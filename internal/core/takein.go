package core

import (
	"bytes"
	"context"
	"errors"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// TakeIn brings a certificate that was issued elsewhere into a group.
type TakeIn struct {
	Group    string       // its name; empty: DefaultGroup
	File     secret.Plain // in any form that Import reads; PEM may have the key beside the certificate
	Password secret.Plain // of the key or file
	Managed  *bool        // whether it is renewed here; nil: if its private key is held here
	Origin   string       // where it comes from, in words
	Class    clm.Class    // of a certificate that does not say what it is for

	// Anew says of a certificate that is known already whether it is managed, if Managed
	// does; otherwise it is refused.
	Anew bool
}

// A TakenIn is a certificate that was brought.
type TakenIn struct {
	Record Record
	Known  bool // it was here already
}

// TakeInKinds are the ways in which TakeIn fails: those of Import and, of what is known
// already, those of SetManaged. NotFound is about the group; of Exists, Field is
// "certificate" where a record is this certificate.
var TakeInKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Violation, clm.Exists, clm.Busy}

// TakeIn takes the certificate in as a record of its own, at a new place of the group. Who
// may write there may do that; the right to write keys is needed if one comes along.
func (c *Core) TakeIn(ctx context.Context, who clm.Actor, t TakeIn) (in TakenIn, err error) {
	if t.Group == "" {
		t.Group = DefaultGroup
	}
	g, err := c.Group(ctx, who, t.Group)
	if err != nil {
		return in, err
	}
	r := Import{Folder: string(g.Path.Last().DN), Certificate: t.File, Password: t.Password, KeyIfAny: true, New: true, Class: t.Class}
	if bytes.Contains(t.File.Reveal(), []byte("PRIVATE KEY-----")) {
		r.Key = t.File
	}
	r.Managed = func(hasKey bool) bool { return t.Managed != nil && *t.Managed || t.Managed == nil && hasKey }
	if t.Origin != "" {
		r.Own = map[clm.Attr][]string{clm.Origin: {t.Origin}}
	}
	done, err := c.Import(ctx, who, r)
	if known := clm.AsError(err); t.Anew && errors.Is(err, clm.Exists) && known.Field == "certificate" {
		return c.takeAnew(ctx, who, t, known.Subject)
	}
	if err != nil {
		return in, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		v, err := tx.Version(done.Version)
		if err == nil {
			in.Record, err = recordOf(tx, who, v)
		}
		return err
	})
	return in, err
}

// takeAnew says of the record, which has been here before, whether it is managed.
func (c *Core) takeAnew(ctx context.Context, who clm.Actor, t TakeIn, id string) (in TakenIn, err error) {
	if t.Managed != nil {
		err = c.SetManaged(ctx, who, []RecordRef{{ID: id}}, *t.Managed)
	}
	if err == nil {
		in.Known = true
		in.Record, err = c.Record(ctx, who, RecordRef{ID: id})
	}
	return in, err
}
