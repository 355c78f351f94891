package core

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Import takes in a certificate that was issued elsewhere.
type Import struct {
	Folder      string                 // its DN
	Name        string                 // of the place; empty: one is made of the certificate's names
	Certificate secret.Plain           // in any form that pki.ParseImport reads; it may bring its key
	Key         secret.Plain           // the private key, if it comes by itself
	Password    secret.Plain           // of the key or file
	Own         map[clm.Attr][]string  // further values to be written on the object
	Class       clm.Class              // of a new place for a certificate that does not say what it is for; empty: as it looks
	KeyIfAny    bool                   // the right to write keys is asked for only where a key comes
	New         bool                   // it is refused where a record that the actor may read is this certificate; one whose record was taken out gets it back, and nothing else changes
	Managed     func(hasKey bool) bool // whether the certificate is renewed here from then on; nil: as it is said elsewhere
	Record      string                 // the ID of its record in the system that it comes from, which it keeps; empty: it had none

	// Reconcile keeps the certificate in use that is valid from the latest day, be
	// it the one that is there, and takes in none that stands at another place.
	// Otherwise the certificate that comes in is the one in use from then on.
	Reconcile bool
}

// Imported says where a certificate has come to.
type Imported struct {
	DN      clm.DN
	ID      clm.ObjectID
	Version clm.VersionID
	HasKey  bool // its private key is held here
}

// ImportKinds are the ways in which Import fails. NotFound and Denied are about
// the folder or a place in it; of Denied, Field is "key" where it is about the key that comes. Of Invalid, Field is "certificate", "private-key"
// (also for a wrong password), "key-mismatch", "key", "name" or the attribute of
// Own; of Exists it is "class" or, with the DN of the place as Value, "certificate".
// About the ID of a record, Field is "record": of Invalid, it is none; of Exists, it is
// another's, or the certificate is here and has another.
var ImportKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Violation, clm.Exists}

// importRights are the rights on a folder of whoever imports into it, and those on
// a place in it.
const (
	importRights = clm.View | clm.Read | clm.Write | clm.Create | clm.KeyWrite
	placeRights  = importRights &^ clm.Create
)

// needs are those of the rights that are needed for this one.
func (r Import) needs(rights clm.Rights) clm.Rights {
	if r.KeyIfAny {
		return rights &^ clm.KeyWrite
	}
	return rights
}

// Import writes the certificate down as a version of a place: of the one with the
// name that is given, which is made if it is not there, or else of a new one. What
// was in use there is kept as history, and work that would replace what comes into
// use is ended. Policy has its say as for any other certificate. To import the same
// certificate twice changes nothing, but that a key is added that was missing.
func (c *Core) Import(ctx context.Context, who clm.Actor, r Import) (done Imported, err error) {
	got, gotErr := c.readImport(ctx, who, r)
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "import", Subject: r.Folder, Detail: got.Thumbprint}, func(tx *store.Tx) error {
		folder, err := r.folder(tx, who)
		if err == nil {
			err = clm.About(r.Folder, gotErr)
		}
		if err == nil && got.Bundle.Key != nil && !folder.Rights(who).Has(clm.KeyWrite) {
			err = clm.About(r.Folder, clm.Fail(clm.Denied, "key", ""))
		}
		if err != nil {
			return err
		}
		holders, err := got.holders(tx)
		if err != nil {
			return err
		}
		place, fresh, err := r.place(tx, who, folder, got, holders)
		if err != nil {
			return err
		}
		tx.About(string(place.DN), got.Thumbprint)
		if err := r.record(tx, versionAt(place, holders)); err != nil {
			return clm.About(string(place.DN), err)
		}
		if r.Reconcile {
			err = elsewhere(tx, who, place, holders)
		}
		if err == nil && r.New {
			err = isNew(tx, who, holders)
		}
		if err == nil {
			err = judge(tx, folder.PolicyFor(place.Class), got.demand, nil, place.ID)
		}
		if err != nil {
			return clm.About(string(place.DN), err)
		}
		path := append(folder[:len(folder):len(folder)], place)
		if known := versionAt(place, holders); r.New && known.ID != 0 {
			done, err = c.bringBack(tx, got, path, known)
			return err
		}
		done, err = c.keep(tx, r, got, path, fresh, versionAt(place, holders))
		return err
	})
	return done, err
}

// incoming is a certificate that comes in, and what it says.
type incoming struct {
	pki.Bundle
	pki.Details
	cert   *x509.Certificate
	demand clm.Demand            // what it demands of policy
	own    map[clm.Attr][]string // the further values, as they are kept
}

// folder finds the folder and makes sure that the actor may import into it.
func (r Import) folder(tx *store.Tx, who clm.Actor) (clm.Path, error) {
	folder, rights, err := find(tx, who, r.Folder)
	switch {
	case err != nil:
		return nil, err
	case folder.Last().Class != clm.Folder:
		return nil, clm.About(r.Folder, clm.NotFound)
	case !rights.Has(r.needs(importRights)):
		return nil, clm.About(r.Folder, clm.Denied)
	}
	return folder, nil
}

// readImport reads what comes in, for an actor who may import, when its turn comes:
// to open a stranger's file takes time, as much as its password was to be safe.
func (c *Core) readImport(ctx context.Context, who clm.Actor, r Import) (in incoming, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		_, err := r.folder(tx, who)
		return err
	})
	if err != nil {
		return in, err
	}
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		return in, ctx.Err()
	}
	defer func() { <-c.opening }()
	return r.read()
}

func (r Import) read() (in incoming, err error) {
	invalid := func(field string, err error) error { return &clm.Error{Kind: clm.Invalid, Field: field, Err: err} }
	in.Bundle, err = pki.ParseImport(string(r.Certificate.Reveal()), r.Key.Reveal(), r.Password.Reveal())
	switch {
	case errors.Is(err, pki.ErrBadKey):
		return in, invalid("private-key", err)
	case errors.Is(err, pki.ErrKeyMismatch):
		return in, invalid("key-mismatch", err)
	case err != nil:
		return in, invalid("certificate", err)
	}
	if in.cert, err = x509.ParseCertificate(in.Cert); err != nil {
		return in, invalid("certificate", err)
	}
	in.Details = pki.Describe(in.cert)
	if err := canBeSaid(in.Names); err != nil {
		return in, invalid("certificate", err)
	}
	in.own = map[clm.Attr][]string{}
	for _, a := range sorted(r.Own) {
		if in.own[a], err = readValues(a, distinct(r.Own[a])); err != nil {
			return in, err
		}
	}
	kind := in.Details.Key
	in.demand = clm.Demand{Names: in.Names, KeyAlgorithm: kind.Algorithm, KeySize: kind.Bits, Curve: kind.Curve}
	return in, nil
}

// keep writes the place at the end of the path and the version down. known is the
// version if the place has had this certificate before.
func (c *Core) keep(tx *store.Tx, r Import, in incoming, path clm.Path, fresh bool, known clm.Version) (done Imported, err error) {
	place, v := path.Last(), known
	stays := false // what is in use there
	if r.Reconcile && place.Current != 0 && place.Current != known.ID {
		used, err := tx.Version(place.Current)
		if err != nil {
			return done, err
		}
		stays = !used.NotBefore.Before(in.NotBefore)
	}
	if r.Managed != nil {
		manage(path, r.Managed(in.Bundle.Key != nil || len(v.Sealed) > 0))
	}
	if !stays {
		in.write(place.Own)
		if err := c.keyAfter(tx, place, in, known); err != nil {
			return done, err
		}
	}
	// Nobody has asked for another one where nobody says so.
	if _, isSaid := in.own[clm.NoAutoRenewal]; fresh && !isSaid && in.NotAfter.Before(tx.Now) {
		set(place.Own, clm.NoAutoRenewal, "1")
	}
	if fresh {
		err = tx.AddObject(place, path[len(path)-2].ID)
	} else {
		err = tx.SaveObject(place)
	}
	if err != nil {
		return done, err
	}
	if v.ID == 0 {
		// Where the key is, there its requests come from.
		v = clm.Version{Certificate: place.ID, UserCSR: in.Bundle.Key == nil, Cert: in.Cert, KeyHash: in.KeyHash,
			Thumbprint: in.Thumbprint, Serial: in.Serial, NotBefore: in.NotBefore, NotAfter: in.NotAfter, Record: recordKey(r.Record)}
		if err := tx.AddVersion(&v); err == store.ErrDuplicate { // another has come to have it meanwhile
			return done, clm.About(string(place.DN), clm.Fail(clm.Exists, "record", r.Record))
		} else if err != nil {
			return done, err
		}
	}
	if len(v.Chain) == 0 {
		if v.Chain, err = in.saveChain(tx); err != nil {
			return done, err
		}
	}
	if len(v.Sealed) == 0 && in.Bundle.Key != nil {
		v.UserCSR = false
		if v.Sealed, err = c.sealKey(in.Bundle.Key, versionBind(v.ID)); err != nil {
			return done, err
		}
	}
	if err := tx.SaveVersion(v); err != nil {
		return done, err
	}
	if !v.Removed.IsZero() {
		if err := tx.ShowVersion(v.ID); err != nil {
			return done, err
		}
		v.Removed = time.Time{}
	}
	done = Imported{DN: place.DN, ID: place.ID, Version: v.ID, HasKey: len(v.Sealed) > 0}
	if stays {
		return done, errors.Join(tx.RecordIssued(v, factsOf(in.cert, in.Identity)), replan(tx, path))
	}
	if place.Current != v.ID {
		open, err := tx.OpenWork(place.ID, clm.EnrollLane)
		if err == nil && open != nil {
			err = endEnrolment(tx, *open)
		}
		if err != nil {
			return done, err
		}
	}
	return done, tx.Activate(v, factsOf(in.cert, in.Identity), renewalOf(path, &v))
}

// bringBack puts the record of the version, which the place at the end of the path has had
// all the time, into the inventory again. A private key that comes along and was missing is
// kept; nothing else changes about the place.
func (c *Core) bringBack(tx *store.Tx, in incoming, path clm.Path, v clm.Version) (done Imported, err error) {
	place := path.Last()
	if len(v.Sealed) == 0 && in.Bundle.Key != nil {
		v.UserCSR = false
		if v.Sealed, err = c.sealKey(in.Bundle.Key, versionBind(v.ID)); err != nil {
			return done, err
		}
		if err := tx.SaveVersion(v); err != nil {
			return done, err
		}
		if place.Current == v.ID {
			if err := setKeyHolder(tx, place, ""); err != nil {
				return done, err
			}
		}
	}
	if err := tx.ShowVersion(v.ID); err != nil {
		return done, err
	}
	if err := tx.RecordIssued(v, factsOf(in.cert, in.Identity)); err != nil {
		return done, err
	}
	done = Imported{DN: place.DN, ID: place.ID, Version: v.ID, HasKey: len(v.Sealed) > 0}
	if place.Current != v.ID {
		return done, nil
	}
	fresh, err := tx.PathByID(place.ID)
	if err != nil {
		return done, err
	}
	return done, replan(tx, fresh)
}

// keyAfter writes on the place whose private key it has from then on. A certificate
// that comes without its key changes nothing about the key that is there, be it that
// it does not match: where the certificate was made, nobody has asked for another.
func (c *Core) keyAfter(tx *store.Tx, place *clm.Object, in incoming, known clm.Version) error {
	switch {
	case in.Bundle.Key != nil || len(known.Sealed) > 0:
		delete(place.Own, clm.KeyHolder)
		return nil
	case place.Current == 0 || place.Current == known.ID:
		return nil
	}
	used, err := tx.Version(place.Current)
	if err != nil {
		return err
	}
	holder, _, err := keyHolder(tx, place, used)
	if err == nil && len(holder.Sealed) > 0 {
		set(place.Own, clm.KeyHolder, numberOf(holder.ID))
	}
	return err
}

// write writes on a place what the certificate says, so that the next one says the
// same, and further values. The usual size of a key is not worth saying.
func (in incoming) write(own map[clm.Attr][]string) {
	for a, values := range in.own {
		if a != clm.CreatedBy || len(own[a]) == 0 {
			set(own, a, values...)
		}
	}
	d := in.demand
	if d.KeyAlgorithm == clm.RSA {
		d.KeySize = pki.RSASizeFor(d.KeySize) // the next one is made here
	}
	if d.KeySize == clm.DefaultKeySize {
		d.KeySize = 0
	}
	origin := own[clm.UserCSR]
	writeDemand(own, d, false)
	if in.Bundle.Key == nil { // then nothing has changed about where requests come from
		set(own, clm.UserCSR, origin...)
	}
}
