package clm

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Limits of automatic renewal.
const (
	// DefaultWindow is how long before its expiry a certificate is renewed where
	// nobody says anything; of short-lived ones it is a third of their lifetime.
	DefaultWindow = 30 * Day

	// MaxWindowDays is the longest renewal window, in days.
	MaxWindowDays = 3650

	// MinAgain is the least time between two tries to renew a certificate.
	MinAgain = time.Minute

	// jitterShare is the part of the window over which renewals are spread.
	jitterShare = 4

	// restShare is the part of its lifetime in which no certificate is renewed.
	restShare = 3

	// againShare is the part of the time left after which a renewal is tried again.
	againShare = 4
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
// request, when it ends on the day that was asked for, which no renewal changes.
//
// Certificates issued together would be renewed together: each waits for some
// part of the first quarter of its window, which depends on nothing but its number.
func (p Path) RenewalAt(v Version) time.Time {
	switch place := p.Last(); {
	case v.NotAfter.IsZero(), v.UserCSR, p.Value(UserCSR).IsOn(), p.Value(NoAutoRenewal).IsOn(),
		Certificate{Object: *place}.IsOff(), !IsManaged(p.Management()), p.endsAsAsked(v):
		return time.Time{}
	}
	window := p.window(v.NotAfter.Sub(v.NotBefore))
	h := fnv.New32a()
	_, _ = h.Write([]byte(strconv.FormatInt(int64(v.ID), 10))) // it never fails
	jitter := time.Duration(float64(window/jitterShare) * float64(h.Sum32()) / (1 << 32))
	return v.NotAfter.Add(jitter - window)
}

// PlanRenewal is RenewalAt of a version that comes into use now. It is no sooner
// than a renewal that came to nothing would be tried again: what cannot be
// prolonged, because its issuer ends, would be renewed ever faster.
func (p Path) PlanRenewal(v Version, now time.Time) time.Time {
	at := p.RenewalAt(v)
	if soonest := v.TryAgainAt(now); !at.IsZero() && at.Before(soonest) {
		return soonest
	}
	return at
}

// TryAgainAt is when the renewal of the version in use is tried again if it comes
// to nothing now: in a day, or sooner while a good part of the time that it has left
// would pass in a day.
func (v Version) TryAgainAt(now time.Time) time.Time {
	wait := Day
	if left := v.NotAfter.Sub(now); left > 0 {
		wait = max(MinAgain, min(Day, left/againShare))
	}
	return now.Add(wait)
}

// endsAsAsked reports whether the version lasts until the end date that holds for
// the place. For which kind of authority it was ordered is not known here: of the
// dates for one kind that one was heeded on which the version ends.
func (p Path) endsAsAsked(v Version) bool {
	if end, ok := ParseEndDate(p.Value(EndDate).First()); ok && !end.After(v.NotAfter) {
		return true
	}
	heeded := func(a Attr) bool {
		if !IsEndDate(a) {
			return false
		}
		end, ok := ParseEndDate(p.Value(a).First())
		return ok && end.Truncate(time.Second).Equal(v.NotAfter)
	}
	for a := range p.Last().Own {
		if heeded(a) {
			return true
		}
	}
	for _, folder := range p[:len(p)-1] {
		for key := range folder.Policy {
			if heeded(key.Attr) {
				return true
			}
		}
	}
	return false
}

// endDateLayouts are the forms in which clients write an end date. Those without
// an offset are in UTC.
var endDateLayouts = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02"}

// ParseEndDate reads an end date in any of its forms.
func ParseEndDate(text string) (end time.Time, ok bool) {
	for _, layout := range endDateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// IsEndDate reports whether the attribute is an end date, be it for authorities of
// one kind only.
func IsEndDate(a Attr) bool {
	return a == EndDate || strings.HasPrefix(string(a), string(EndDateFor("")))
}

// window is the renewal window of a certificate of that lifetime. One that came to
// be longer than the lifetime, whatever was checked when it was set, counts as none,
// and none reaches into the first part of the lifetime.
func (p Path) window(lifetime time.Duration) time.Duration {
	days, err := strconv.Atoi(p.Value(RenewalWindow).First())
	if window := time.Duration(days) * Day; err == nil && days > 0 && days <= MaxWindowDays && window < lifetime {
		return min(window, lifetime-lifetime/restShare)
	}
	return min(DefaultWindow, lifetime/3)
}

// Management is the management type that holds for the last object of the path.
func (p Path) Management() string { return orElse(p.Value(ManagementType).First(), Enrollment) }

// IsManaged reports whether certificates of the management type are ordered here.
func IsManaged(managementType string) bool {
	return managementType == Enrollment || managementType == Provisioning
}
