package core

import (
	"bytes"
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// aim is what a request for revocation is about.
type aim struct {
	path    clm.Path
	version clm.Version
	here    bool // it is revoked by whoever holds the issuer's key, which is us
}

// aimOf finds what the request is about and applies the rules, in the order in which
// their failures are reported.
func (c *Core) aimOf(tx *store.Tx, who clm.Actor, r Revoke) (at aim, err error) {
	if r.DN != "" {
		if at.path, _, err = find(tx, who, r.DN); err == nil && !isCertificate(at.path) {
			err = clm.About(r.DN, clm.NotFound)
		}
		if err != nil {
			return at, err
		}
	}
	if r.Thumbprint != "" {
		if at, err = aimAt(tx, who, r.Thumbprint, at.path); err != nil {
			return at, clm.About(r.Thumbprint, err)
		}
	}
	place := at.path.Last()
	if !at.path.Rights(who).Has(clm.Write) {
		return at, clm.About(string(place.DN), clm.Denied)
	}
	if r.Thumbprint == "" {
		open, err := openWork(tx, place.ID)
		if err != nil {
			return at, err
		}
		if place.Current == 0 || open != nil && (open.State == clm.Stopped || open.State == clm.Gated) {
			return at, clm.About(string(place.DN), clm.NotIssued)
		}
		if at.version, err = tx.Version(place.Current); err != nil {
			return at, err
		}
	}
	if len(at.version.Cert) == 0 {
		return at, clm.About(string(place.DN), clm.Fail(clm.NotIssued, "data", ""))
	}
	if at.here, err = c.isRevokedHere(tx, at.version); err == nil && at.here {
		err = mayRevokeHere(tx, who, at.version)
	}
	return at, clm.About(string(place.DN), err)
}

// mayRevokeHere refuses to revoke a certificate of ours for who has only brought a copy
// of it here: anybody can who has seen it. Whoever has brought the private key as well
// may, and whoever may write the place to which it was issued.
func mayRevokeHere(tx *store.Tx, who clm.Actor, v clm.Version) error {
	if v.Authority != "" || len(v.Sealed) > 0 || who.Master {
		return nil
	}
	holders, err := tx.Holders(v.Thumbprint)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if h.Authority == "" || !bytes.Equal(h.Cert, v.Cert) {
			continue
		}
		if path, err := tx.PathByID(h.Certificate); err == nil && path.Rights(who).Has(clm.Write) {
			return nil
		}
	}
	return clm.Denied
}

// aimAt finds the version with the thumbprint, of the place if one is named.
func aimAt(tx *store.Tx, who clm.Actor, thumbprint string, named clm.Path) (at aim, err error) {
	holders, err := tx.Holders(hexOf(thumbprint))
	if err != nil {
		return at, err
	}
	field := "thumbprint"
	for _, v := range holders {
		path, _, err := findByID(tx, who, v.Certificate)
		switch {
		case errors.Is(err, clm.NotFound):
			if _, err := tx.PathByID(v.Certificate); errors.Is(err, clm.NotFound) {
				field = "owner"
			}
		case err != nil:
			return at, err
		case named != nil && path.Last().ID != named.Last().ID:
			field = "owner"
		case at.path == nil || path.Rights(who).Has(clm.Write) && !at.path.Rights(who).Has(clm.Write):
			at = aim{path: path, version: v}
		}
	}
	if at.path == nil {
		return at, clm.Fail(clm.NotFound, field, "")
	}
	return at, nil
}

// hexOf is the hex digits of what a client sent, in upper case.
func hexOf(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789ABCDEF", r) {
			return r
		}
		return -1
	}, strings.ToUpper(text))
}

// isRevokedHere reports whether the version is revoked by whoever holds its issuer's
// key, which is us: one that was signed here, whatever has become of its template, or
// whose origin is not known any more. Any other CA must be known and able to revoke;
// one that cannot be made now is asked all the same, and the failure told.
func (c *Core) isRevokedHere(tx *store.Tx, v clm.Version) (bool, error) {
	held, err := holdsIssuer(tx, v)
	switch {
	case err != nil:
		return false, err
	case held && v.Ref == "": // no CA outside has taken an order for it
		return true, nil
	case v.Authority == "":
		return held, unless(held, clm.Unsupported)
	}
	by, err := c.authorityByID(tx, v.Authority)
	if err != nil {
		_, there := tx.PathByID(v.Authority)
		return held && errors.Is(there, clm.NotFound), nil
	}
	if held && by.isLocal() { // an older release kept what we call such orders
		return true, nil
	}
	_, can := by.CA.(ca.Revoker)
	return false, unless(can, clm.Unsupported)
}

// unless is nil where ok, and otherwise the error.
func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}
