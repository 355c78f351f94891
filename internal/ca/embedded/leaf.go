package embedded

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/certwright/certwright/internal/ca"
)

const (
	// Skew is how far certificates reach back before they were ordered, so that
	// whoever's clock is a little late accepts them all the same.
	Skew = 5 * time.Minute

	// maxDays keeps dates within what can be computed and written.
	maxDays = 36500

	day = 24 * time.Hour
)

// draft writes down all that the certificate of the order will say, or why there
// can be none. It reads nothing but the order and what the authority is made of.
// Of the CSR only the key counts.
func (a *authority) draft(o ca.Order) (draft, error) {
	csr, err := x509.ParseCertificateRequest(o.CSR)
	if err != nil {
		return draft{}, fmt.Errorf("parse CSR: %w", err)
	}
	d, err := draftFor(csr.PublicKey)
	if err != nil {
		return draft{}, err
	}
	d.orderKey = o.Key
	subject, san, err := encodeNames(withCommonName(o.Names, a.profile))
	if err != nil {
		return draft{}, err
	}
	d.subject = subject
	d.extensions = a.leafExtensions(d, san, choose(a.cdp, a.place.list(o.Shard)))
	d.notBefore, d.notAfter, err = a.validity(o)
	return d, err
}

// validity is from when until when the certificate is valid; both ends are part
// of it (RFC 5280, section 4.1.2.5), so that a day ends one second early. It
// begins a little before the order and ends on the order's end date or after its
// days or the template's, counted from its beginning.
//
// It never leaves the issuer's validity nor becomes longer than the template
// allows: what was asked beyond is cut off, not refused. The last year of an
// issuing CA would otherwise be one of failing renewals; how long a certificate
// really lasts is there to be read in it.
func (a *authority) validity(o ca.Order) (from, to time.Time, err error) {
	switch {
	case o.At.After(a.cert.NotAfter):
		return from, to, fmt.Errorf("the issuing CA ended on %s", a.cert.NotAfter.Format(time.RFC3339))
	case o.At.Before(a.cert.NotBefore):
		return from, to, fmt.Errorf("the issuing CA begins only on %s", a.cert.NotBefore.Format(time.RFC3339))
	case !o.EndDate.IsZero() && !o.EndDate.After(o.At):
		return from, to, fmt.Errorf("the end date %s has passed", o.EndDate.UTC().Format(time.RFC3339))
	case o.Days < 0 || o.Days > maxDays:
		return from, to, fmt.Errorf("a validity of %d days is not between 1 and %d", o.Days, maxDays)
	}
	from = latest(o.At.Add(-Skew), a.cert.NotBefore).UTC().Truncate(time.Second)
	to = endOf(from, a.days)
	if o.Days > 0 {
		to = endOf(from, o.Days)
	}
	if !o.EndDate.IsZero() {
		to = o.EndDate.UTC().Truncate(time.Second)
	}
	if a.maxDays > 0 {
		to = earliest(to, endOf(from, a.maxDays))
	}
	return from, earliest(to, a.cert.NotAfter), nil
}

// endOf is the last second of so many days.
func endOf(from time.Time, days int) time.Time {
	return from.Add(time.Duration(days)*day - time.Second)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
