package core

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// place finds the place for the certificate in the folder, or makes up a new one.
// A name that is given is that of the place. One that is made up and taken gets a
// number, unless it is taken by this very certificate.
func (r Import) place(tx *store.Tx, who clm.Actor, folder clm.Path, in incoming, holders []clm.Version) (place *clm.Object, fresh bool, err error) {
	name := r.Name
	if name == "" {
		if place, err = in.heldAt(tx, who, folder.Last(), holders, r.needs(placeRights)); place != nil || err != nil {
			return place, false, err
		}
		if name, err = freeName(tx, folder.Last(), in.name()); err != nil {
			return nil, false, err
		}
	}
	dn, err := childDN(folder.Last(), name)
	if err != nil {
		return nil, false, err
	}
	path, err := tx.Path(dn)
	switch {
	case errors.Is(err, clm.NotFound):
		return &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: r.classOf(in.cert), Own: map[clm.Attr][]string{}}, true, nil
	case err != nil:
		return nil, false, err
	case !path.Rights(who).Has(r.needs(placeRights)):
		return nil, false, clm.About(string(dn), clm.Denied)
	case !isCertificate(path):
		return nil, false, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
	}
	return cloned(path.Last()), false, nil
}

// classOf is the class of a place for the certificate: what it says that it is for, or else
// what is said of it.
func (r Import) classOf(cert *x509.Certificate) clm.Class {
	if r.Class != "" && len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return r.Class
	}
	return pki.ClassOf(cert)
}

// heldAt is the place in the folder that holds this very certificate under a name
// that was made up, of several that with the lowest number; nil where there is none
// where the actor has the rights that are needed.
func (in incoming) heldAt(tx *store.Tx, who clm.Actor, folder *clm.Object, holders []clm.Version, needed clm.Rights) (place *clm.Object, err error) {
	least := 0
	for _, v := range holders {
		path, _, err := findByID(tx, who, v.Certificate)
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, isNumbered := numberIn(path.Last().DN.Name(), in.name())
		isHere := len(path) > 1 && path[len(path)-2].ID == folder.ID
		if isHere && isNumbered && path.Rights(who).Has(needed) && (place == nil || n < least) {
			place, least = cloned(path.Last()), n
		}
	}
	return place, nil
}

// numbered is a name that was made up, with a number where it was taken.
func numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s - %d", name, n)
}

// numberIn is the number that a name has got that was made up as base.
func numberIn(name, base string) (n int, ok bool) {
	if strings.EqualFold(name, base) {
		return 0, true
	}
	n, _ = strconv.Atoi(name[strings.LastIndexByte(name, ' ')+1:]) // what is none is zero
	return n, n > 0 && strings.EqualFold(name, numbered(base, n))
}

// freeName is the name with a number that is free in the folder while the one
// before it is taken: mostly the first.
func freeName(tx *store.Tx, folder *clm.Object, name string) (string, error) {
	n, err := freeNumber(tx, 0, func(n int) (clm.DN, error) { return childDN(folder, numbered(name, n)) })
	return numbered(name, n), err
}

// freeNumber is a number, from the first on, whose DN is not taken while that of the one
// before it is. However many are taken, few are looked at.
func freeNumber(tx *store.Tx, first int, numbered func(n int) (clm.DN, error)) (int, error) {
	isFree := func(n int) (bool, error) {
		dn, err := numbered(n)
		if err != nil {
			return false, err
		}
		_, err = tx.Path(dn)
		if errors.Is(err, clm.NotFound) {
			return true, nil
		}
		return false, err
	}
	taken, free := first-1, first
	for {
		ok, err := isFree(free)
		if err != nil {
			return 0, err
		}
		if ok {
			break
		}
		taken, free = free, max(2*free, 1)
	}
	for free-taken > 1 {
		middle := (taken + free) / 2
		ok, err := isFree(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			free = middle
		} else {
			taken = middle
		}
	}
	return free, nil
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

// holders are the versions that are this very certificate. One that came when nobody wanted
// it any more is none: it is to be revoked, and never in use.
func (in incoming) holders(tx *store.Tx) ([]clm.Version, error) {
	alike, err := tx.Holders(in.Thumbprint)
	return slices.DeleteFunc(alike, func(v clm.Version) bool { return !bytes.Equal(v.Cert, in.Cert) || !v.Orphaned.IsZero() }), err
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

// isNew fails with Exists, about its ID, when a record that the actor may read is this
// certificate.
func isNew(tx *store.Tx, who clm.Actor, holders []clm.Version) error {
	for _, v := range holders {
		rec, err := recordOf(tx, who, v)
		if err == nil && rec.State == RecordIssued {
			return clm.About(rec.ID, clm.Fail(clm.Exists, "certificate", string(rec.Path.Last().DN)))
		}
		if err != nil && !errors.Is(err, clm.NotFound) {
			return err
		}
	}
	return nil
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
