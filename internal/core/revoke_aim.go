package core

import (
	"bytes"
	"errors"
	"strconv"
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
	if r.Record != nil {
		return c.aimAtRecord(tx, who, *r.Record, clm.Revoke)
	}
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
	if at.here, err = c.isRevokedHere(tx, at.version, clm.Revoke); err == nil && at.here {
		err = mayRevokeHere(tx, who, at.version)
	}
	return at, clm.About(string(place.DN), err)
}

// aimAtRecord is aimOf of the record that the reference names, for an operation that is
// to be an order by itself.
func (c *Core) aimAtRecord(tx *store.Tx, who clm.Actor, ref RecordRef, op clm.Op) (at aim, err error) {
	of, err := findRecord(tx, who, ref)
	if err != nil {
		return at, err
	}
	place := of.Path.Last()
	at = aim{path: of.Path, version: of.Version}
	return at, clm.About(string(place.DN), func() error {
		if !of.Rights.Has(clm.Write) {
			return clm.Denied
		}
		if m := of.Path.Management(); !clm.IsManaged(m) {
			return clm.Fail(clm.Unmanaged, "", m)
		}
		open, err := openWork(tx, place.ID)
		if err == nil && open != nil && open.State != clm.Stopped {
			err = clm.Fail(clm.Busy, busyField[open.State], strconv.FormatInt(int64(open.ID), 10))
		}
		if err == nil {
			err = noneToRevoke(tx, place.ID)
		}
		if err != nil {
			return err
		}
		if of.State != RecordIssued || len(of.Version.Cert) == 0 || !suitsRevocation(op, of.Revocation) {
			return clm.Fail(clm.Unsupported, "record", string(op))
		}
		if isRevoked, err := isRevokedForGood(tx, of.Version); err != nil || isRevoked && op == clm.Hold {
			return orElse(err, clm.Fail(clm.Unsupported, "record", string(op)))
		}
		if at.here, err = c.isDoneBy(tx, of.Version, op); err == nil && at.here && mayRevokeHere(tx, who, of.Version) != nil {
			err = clm.Fail(clm.Denied, "copy", "")
		}
		return err
	}())
}

// isRevokedForGood reports whether the version stands in the books of an issuer of ours as
// revoked, whatever a reset has forgotten, and not only as being on hold.
func isRevokedForGood(tx *store.Tx, v clm.Version) (bool, error) {
	at, why, err := tx.Standing(v.Chain, v.Serial)
	if errors.Is(err, clm.NotFound) {
		err = nil
	}
	return !at.IsZero() && why != clm.CertificateHold, err
}

// suitsRevocation reports whether the operation has anything to do about what is known of
// the version's revocation.
func suitsRevocation(op clm.Op, known clm.Revocation) bool {
	switch op {
	case clm.Hold:
		return !known.IsDone() && !known.IsHeld()
	case clm.Release:
		return known.IsHeld()
	}
	return !known.IsDone()
}

// needed is what the template of an authority must say that it is capable of.
var needed = map[clm.Op]Action{clm.Revoke: ActionRevoke, clm.Hold: ActionSuspend, clm.Release: ActionSuspend}

// isDoneBy is isRevokedHere that asks the template, too, of what its authority is capable.
func (c *Core) isDoneBy(tx *store.Tx, v clm.Version, op clm.Op) (here bool, err error) {
	unable := clm.Fail(clm.Unsupported, "authority", string(needed[op]))
	here, err = c.isRevokedHere(tx, v, op)
	if errors.Is(err, clm.Unsupported) {
		return false, unable
	}
	if err != nil || v.Authority == "" {
		return here, err
	}
	template, err := tx.PathByID(v.Authority)
	if errors.Is(err, clm.NotFound) { // who holds its key can do without
		return here, unless(here, unable)
	}
	if err == nil && !IsCapable(template.Last(), needed[op]) {
		err = unable
	}
	return here, err
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

// able says what a CA outside must be able to do for the operation.
var able = map[clm.Op]func(ca.CA) bool{
	clm.Revoke:  isCA[ca.Revoker],
	clm.Hold:    isCA[ca.Holder],
	clm.Release: isCA[ca.Holder],
}

func isCA[T any](by ca.CA) bool {
	_, is := by.(T)
	return is
}

// isRevokedHere reports whether the version is revoked, or put on hold, by whoever holds
// its issuer's key, which is us: one that was signed here, whatever has become of its
// template, or whose origin is not known any more. Any other CA must be known and able to
// do it; one that cannot be made now is asked all the same, and the failure told.
func (c *Core) isRevokedHere(tx *store.Tx, v clm.Version, op clm.Op) (bool, error) {
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
	return false, unless(able[op](by.CA), clm.Unsupported)
}

// unless is nil where ok, and otherwise the error.
func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}
