package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Import takes in a certificate that was issued elsewhere.
type Import struct {
	Folder      string                // its DN
	Name        string                // of the place; empty: one is made of the certificate's names
	Certificate secret.Plain          // in any form that pki.ParseImport reads; it may bring its key
	Key         secret.Plain          // the private key, if it comes by itself
	Password    secret.Plain          // of the key or file
	Own         map[clm.Attr][]string // further values to be written on the object

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
// the folder or a place in it. Of Invalid, Field is "certificate", "private-key"
// (also for a wrong password), "key-mismatch", "key", "name" or the attribute of
// Own; of Exists it is "class" or, with the DN of the place as Value, "certificate".
var ImportKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Violation, clm.Exists}

// importRights are the rights on a folder of whoever imports into it, and those on
// a place in it.
const (
	importRights = clm.View | clm.Read | clm.Write | clm.Create | clm.KeyWrite
	placeRights  = importRights &^ clm.Create
)

// Import writes the certificate down as a version of a place: of the one with the
// name that is given, which is made if it is not there, or else of a new one. What
// was in use there is kept as history. Policy has its say as for any other
// certificate. To import the same certificate twice changes nothing, but that a
// key is added that was missing.
func (c *Core) Import(ctx context.Context, who clm.Actor, r Import) (done Imported, err error) {
	got, gotErr := r.read()
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "import", Subject: r.Folder, Detail: got.Thumbprint}, func(tx *store.Tx) error {
		folder, rights, err := find(tx, who, r.Folder)
		switch {
		case err != nil:
			return err
		case folder.Last().Class != clm.Folder:
			return clm.About(r.Folder, clm.NotFound)
		case !rights.Has(importRights):
			return clm.About(r.Folder, clm.Denied)
		case gotErr != nil:
			return clm.About(r.Folder, gotErr)
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
		if r.Reconcile {
			err = elsewhere(tx, who, place, holders)
		}
		if err == nil {
			err = judge(tx, folder.PolicyFor(place.Class), got.demand, nil, place.ID)
		}
		if err != nil {
			return clm.About(string(place.DN), err)
		}
		path := append(folder[:len(folder):len(folder)], place)
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
	demand clm.Demand // what it demands of policy
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
	for _, a := range sorted(r.Own) {
		if _, err := readValues(a, distinct(r.Own[a])); err != nil {
			return in, err
		}
	}
	kind := in.Details.Key
	in.demand = clm.Demand{Names: in.Names, KeyAlgorithm: kind.Algorithm, KeySize: kind.Bits, Curve: kind.Curve}
	return in, nil
}

// holders are the versions that are this very certificate.
func (in incoming) holders(tx *store.Tx) ([]clm.Version, error) {
	alike, err := tx.Holders(in.Thumbprint)
	return slices.DeleteFunc(alike, func(v clm.Version) bool { return !bytes.Equal(v.Cert, in.Cert) }), err
}

// versionAt is the version of the place among the holders, the one in use before
// any other; the zero Version where there is none.
func versionAt(place *clm.Object, holders []clm.Version) (found clm.Version) {
	for _, v := range holders {
		if v.Certificate == place.ID && (found.ID == 0 || v.ID == place.Current) {
			found = v
		}
	}
	return found
}

// elsewhere fails with Exists when another place that the actor may see holds the
// certificate.
func elsewhere(tx *store.Tx, who clm.Actor, place *clm.Object, holders []clm.Version) error {
	for _, v := range holders {
		if v.Certificate == place.ID {
			continue
		}
		other, _, err := findByID(tx, who, v.Certificate)
		if err == nil {
			return clm.Fail(clm.Exists, "certificate", string(other.Last().DN))
		}
		if !errors.Is(err, clm.NotFound) {
			return err
		}
	}
	return nil
}

// place finds the place for the certificate in the folder, or makes up a new one.
// A name that is given is that of the place. One that is made up and taken gets a
// number, unless it is taken by this very certificate.
func (r Import) place(tx *store.Tx, who clm.Actor, folder clm.Path, in incoming, holders []clm.Version) (place *clm.Object, fresh bool, err error) {
	name := r.Name
	if name == "" {
		name = in.name()
	}
	for n := 0; ; n++ {
		numbered := name
		if n > 0 {
			numbered = fmt.Sprintf("%s - %d", name, n)
		}
		dn, err := childDN(folder.Last(), numbered)
		if err != nil {
			return nil, false, err
		}
		path, err := tx.Path(dn)
		switch {
		case errors.Is(err, clm.NotFound):
			return &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: pki.ClassOf(in.cert), Own: map[clm.Attr][]string{}}, true, nil
		case err != nil:
			return nil, false, err
		}
		mayWrite := path.Rights(who).Has(placeRights)
		switch {
		case r.Name == "" && !(mayWrite && isCertificate(path) && versionAt(path.Last(), holders).ID != 0):
			continue
		case !mayWrite:
			return nil, false, clm.About(string(dn), clm.Denied)
		case !isCertificate(path):
			return nil, false, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
		}
		return cloned(path.Last()), false, nil
	}
}

// name is what the place of the certificate is called: by its common name or else
// its first DNS name or else its serial number.
func (in incoming) name() string {
	for _, name := range append([]string{in.Names.CommonName}, in.Names.DNS...) {
		if clm.CheckName(name) == nil {
			return name
		}
	}
	return in.Serial
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
	if !stays {
		in.write(place.Own, r.Own)
	}
	if fresh && in.NotAfter.Before(tx.Now) { // nobody has asked for another one
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
			Thumbprint: in.Thumbprint, Serial: in.Serial, NotBefore: in.NotBefore, NotAfter: in.NotAfter}
		if err := tx.AddVersion(&v); err != nil {
			return done, err
		}
	}
	if len(v.Chain) == 0 {
		if v.Chain, err = in.saveChain(tx); err != nil {
			return done, err
		}
	}
	if len(v.Sealed) == 0 && in.Bundle.Key != nil {
		if v.Sealed, err = c.sealKey(in.Bundle.Key, versionBind(v.ID)); err != nil {
			return done, err
		}
	}
	if err := tx.SaveVersion(v); err != nil {
		return done, err
	}
	done = Imported{DN: place.DN, ID: place.ID, Version: v.ID, HasKey: len(v.Sealed) > 0}
	if stays {
		return done, replan(tx, path)
	}
	return done, tx.Activate(v, factsOf(in.cert, in.Identity), path.RenewalAt(v))
}

// write writes on a place what the certificate says, so that the next one says the
// same, and further values. The usual size of a key is not worth saying.
func (in incoming) write(own map[clm.Attr][]string, further map[clm.Attr][]string) {
	for a, values := range further {
		if a != clm.CreatedBy || len(own[a]) == 0 {
			set(own, a, values...)
		}
	}
	d := in.demand
	if d.KeySize == clm.DefaultKeySize {
		d.KeySize = 0
	}
	origin := own[clm.UserCSR]
	writeDemand(own, d, false)
	if in.Bundle.Key == nil { // then nothing has changed about where requests come from
		set(own, clm.UserCSR, origin...)
	}
}

// saveChain keeps the chain above the certificate, as far as each has really
// signed the one before. What stands above a CA certificate is the same for all
// below it, so nobody who imports can change it: from one that is known already
// the chain goes on as it is known.
func (in incoming) saveChain(tx *store.Tx) ([]byte, error) {
	var chain [][]byte
	for below, rest := in.cert, in.Chain; len(rest) > 0; rest = rest[1:] {
		cert, err := x509.ParseCertificate(rest[0])
		if err != nil || cert.CheckSignature(below.SignatureAlgorithm, below.RawTBSCertificate, below.Signature) != nil {
			break
		}
		print := sha256.Sum256(cert.Raw)
		known, err := tx.Chain(print[:])
		if err == nil {
			chain = append(chain, known...)
			break
		}
		if !errors.Is(err, clm.NotFound) {
			return nil, err
		}
		chain, below = append(chain, cert.Raw), cert
	}
	return tx.SaveChain(chain)
}
