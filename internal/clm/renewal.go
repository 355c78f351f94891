package clm

import (
	"hash/fnv"
	"strconv"
	"time"
)

// Limits of automatic renewal.
const (
	// DefaultWindow is how long before its expiry a certificate is renewed where
	// nobody says anything; of short-lived ones it is a third of their lifetime.
	DefaultWindow = 30 * Day

	// MaxWindowDays is the longest renewal window, in days.
	MaxWindowDays = 3650

	// jitterShare is the part of the window over which renewals are spread.
	jitterShare = 4
)

// Day is a day of 24 hours.
const Day = 24 * time.Hour

// CheckWindow makes sure that a renewal window, in days, is shorter than the
// lifetime of the certificates it is for; a lifetime of zero is not known. A
// certificate with a longer window would be renewed for ever. It fails with Invalid.
func CheckWindow(days, lifetime int) error {
	if days < 1 || days > MaxWindowDays || lifetime > 0 && days >= lifetime {
		return Fail(Invalid, string(RenewalWindow), strconv.Itoa(days))
	}
	return nil
}

// RenewalAt is when the version in use of the certificate at the end of the path
// is to be renewed by itself, or zero where it never is: when that is switched
// off, when orders are not placed for it, when nobody is here to make the signing
// request.
//
// Certificates issued together would be renewed together: each waits for some
// part of the first quarter of its window, which depends on nothing but its number.
func (p Path) RenewalAt(v Version) time.Time {
	switch place := p.Last(); {
	case v.NotAfter.IsZero(), v.UserCSR, p.Value(UserCSR).IsOn(), p.Value(NoAutoRenewal).IsOn(),
		Certificate{Object: *place}.IsOff(), !IsManaged(p.Management()):
		return time.Time{}
	}
	window := p.window(v.NotAfter.Sub(v.NotBefore))
	h := fnv.New32a()
	_, _ = h.Write([]byte(strconv.FormatInt(int64(v.ID), 10))) // it never fails
	jitter := time.Duration(float64(window/jitterShare) * float64(h.Sum32()) / (1 << 32))
	return v.NotAfter.Add(jitter - window)
}

// window is the renewal window of a certificate of that lifetime. One that came to
// be longer than the lifetime, whatever was checked when it was set, is cut.
func (p Path) window(lifetime time.Duration) time.Duration {
	days, err := strconv.Atoi(p.Value(RenewalWindow).First())
	if window := time.Duration(days) * Day; err == nil && days > 0 && days <= MaxWindowDays && window < lifetime {
		return window
	}
	return min(DefaultWindow, lifetime/3)
}

// Management is the management type that holds for the last object of the path.
func (p Path) Management() string { return orElse(p.Value(ManagementType).First(), Enrollment) }

// IsManaged reports whether certificates of the management type are ordered here.
func IsManaged(managementType string) bool {
	return managementType == Enrollment || managementType == Provisioning
}
