package core

import (
	"bytes"
	"context"
	"crypto"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Retrieve asks for the certificate of a place.
type Retrieve struct {
	DN       string
	Version  clm.VersionID // rather than DN: this version, whatever its place does
	WithKey  bool          // the private key too
	KeyIfAny bool          // the private key if it is held, and no complaint if not
	InUse    bool          // the version in use, even while a new one is on its way

	// Check is what the edge has to say once the place is found; nil has nothing to say.
	Check func(clm.Path) error
}

// RetrieveKinds are the ways in which Retrieve fails. Denied is about reading the
// key; a key that is not that of the certificate is NoKey with the Field "mismatch":
// the two are never handed out together.
var RetrieveKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.NotIssued, clm.NoKey, clm.Denied}

// Issued is a certificate as handed out. While work that leads to a new one is
// open, nothing but Place, Path and Open is given: the old certificate is never
// handed out for the new.
type Issued struct {
	Place   clm.Certificate
	Path    clm.Path
	Open    *Open // the open work, or nil
	Version clm.Version
	Chain   [][]byte      // what stands above the certificate, the issuer first, the root last; DER
	Key     crypto.Signer // nil unless asked for
}

// Open is work that has not ended, and how it stands.
type Open struct {
	clm.Work
	State clm.State
	Gates []clm.Gate // those that it stands before
}

// Retrieve hands out the certificate in use, or says what is being done about
// the next one.
func (c *Core) Retrieve(ctx context.Context, who clm.Actor, r Retrieve) (got Issued, err error) {
	var holder clm.Version
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		path, rights, err := r.find(tx, who)
		if err != nil {
			return err
		}
		if !isCertificate(path) || !rights.Has(clm.Read) {
			return clm.About(r.DN, clm.NotFound)
		}
		dn := string(path.Last().DN)
		if r.Check != nil {
			if err := r.Check(path); err != nil {
				return clm.About(dn, err)
			}
		}
		if got, err = c.asked(tx, path, r); err != nil || got.Open != nil && !r.InUse {
			return clm.About(dn, err)
		}
		if len(got.Version.Cert) == 0 {
			return clm.About(dn, clm.NotIssued)
		}
		holder, err = r.key(tx, path.Last(), got.Version, rights)
		return clm.About(dn, err)
	})
	if err != nil || len(holder.Sealed) == 0 {
		return got, err
	}
	if got.Key, err = c.openKey(holder.Sealed, versionBind(holder.ID)); err != nil {
		return got, err
	}
	if !bytes.Equal(pki.PublicKeyHash(got.Key.Public()), got.Version.KeyHash) {
		return Issued{}, clm.About(string(got.Place.DN), clm.Fail(clm.NoKey, "mismatch", ""))
	}
	if err := c.keyIsRead(ctx, who, got.Place.DN, "serial number "+got.Version.Serial); err != nil {
		return Issued{}, err
	}
	return got, nil
}

// keyIsRead keeps in the audit log that the actor is given the private key of the object.
// A key that cannot be accounted for is not given.
func (c *Core) keyIsRead(ctx context.Context, who clm.Actor, dn clm.DN, detail string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "read private key", Subject: string(dn), Detail: detail}, func(*store.Tx) error { return nil })
}

// find finds the place: the one of the version, or else the one with the DN.
func (r Retrieve) find(tx *store.Tx, who clm.Actor) (clm.Path, clm.Rights, error) {
	if r.Version == 0 {
		return find(tx, who, r.DN)
	}
	v, err := tx.Version(r.Version)
	if err != nil {
		return nil, 0, err
	}
	return findByID(tx, who, v.Certificate)
}

// asked reads what is asked for of the place at the end of the path. Of one
// version there is no open work to tell of: it is what it is.
func (c *Core) asked(tx *store.Tx, path clm.Path, r Retrieve) (got Issued, err error) {
	if r.Version != 0 {
		got = Issued{Place: clm.Certificate{Object: *path.Last()}, Path: path}
		if err = got.read(tx, r.Version); got.Version.Thumbprint == "" {
			got.Version.Cert = nil // it was never in use, and may be for another key
		}
		return got, err
	}
	if got, err = c.inUse(tx, path); err == nil && r.InUse && got.Open != nil && got.Place.Current != 0 {
		err = got.read(tx, got.Place.Current)
	}
	return got, err
}

// key is the version whose private key is to be handed out with v; the zero Version
// where none is.
func (r Retrieve) key(tx *store.Tx, place *clm.Object, v clm.Version, rights clm.Rights) (clm.Version, error) {
	if !r.WithKey && !r.KeyIfAny {
		return clm.Version{}, nil
	}
	holder, state, err := v, keyOf(v, v, false), error(nil)
	if r.Version == 0 { // otherwise it is about that version, whatever the place has come to
		holder, state, err = keyHolder(tx, place, v)
	}
	switch {
	case err != nil:
		return holder, err
	case state == KeyNone && r.KeyIfAny:
		return clm.Version{}, nil
	case state == KeyNone, state == KeyLost:
		return holder, clm.NoKey
	case !rights.Has(clm.KeyRead):
		return holder, clm.Fail(clm.Denied, "key", "")
	case state.IsWrong():
		return holder, clm.Fail(clm.NoKey, "mismatch", "")
	}
	return holder, nil
}

// inUse reads the place's open work or, where there is none, its version in use.
func (c *Core) inUse(tx *store.Tx, path clm.Path) (got Issued, err error) {
	got = Issued{Place: clm.Certificate{Object: *path.Last()}, Path: path}
	if got.Open, err = openWork(tx, got.Place.ID); err != nil || got.Open != nil || got.Place.Current == 0 {
		return got, err
	}
	return got, got.read(tx, got.Place.Current)
}

// read reads the version with its chain.
func (i *Issued) read(tx *store.Tx, id clm.VersionID) (err error) {
	if i.Version, err = tx.Version(id); err != nil {
		return err
	}
	i.Chain, err = tx.Chain(i.Version.Chain)
	return err
}
