package clm

import "time"

// A Reason is why a certificate is revoked (RFC 5280, section 5.3.1).
type Reason int

// The reasons, all but one of which are given for good. 7 is unused and 8 takes a
// certificate off a list.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6 // not for good: it may be taken off again, or turn into another
	PrivilegeWithdrawn   Reason = 9
	AACompromise         Reason = 10
)

// A Revocation is what is known of the revocation of one version. Of its times
// each is zero until it has come.
type Revocation struct {
	Version   VersionID
	Reason    Reason
	Comments  string // in the requester's words
	Actor     string // who asked for it
	Requested time.Time
	Accepted  time.Time // by the CA
	SeenCRL   time.Time // named in the list to which the certificate points
	SeenOCSP  time.Time // told by the responder to which the certificate points
	Cleared   time.Time // a reset has forgotten it; at the CA it stands

	// Held is since when the certificate is on hold, which is no revocation yet, and may be
	// all that there is. It is zero again once the certificate is revoked.
	Held time.Time
}

// IsKnown reports whether the revocation counts: it was asked for and no reset has
// cleared it since.
func (r Revocation) IsKnown() bool { return !r.Requested.IsZero() && r.Cleared.IsZero() }

// IsDone reports whether the certificate is known to be revoked.
func (r Revocation) IsDone() bool { return r.IsKnown() && !r.Accepted.IsZero() }

// IsHeld reports whether the certificate is on hold: whoever relies on it is told that it
// is revoked, but it may come back.
func (r Revocation) IsHeld() bool { return !r.Held.IsZero() && !r.IsDone() }

// Told is since when relying parties are to see that the certificate is revoked or on
// hold; zero where it is neither.
func (r Revocation) Told() time.Time {
	switch {
	case r.IsDone() && r.Requested.After(r.Accepted): // it counts from an earlier day, which nobody could see
		return r.Requested
	case r.IsDone():
		return r.Accepted
	}
	return r.Held
}
