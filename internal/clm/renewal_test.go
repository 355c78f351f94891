package clm

import (
	"testing"
	"time"
)

// TestRenewalAt has a row for all on which the time of an automatic renewal
// depends, but for the part of the window that is waited besides.
func TestRenewalAt(t *testing.T) {
	issued := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		own    map[Attr][]string
		rules  map[Attr]Rule
		days   int
		user   bool
		window time.Duration // zero: never
	}{
		{"nobody says anything", nil, nil, 365, false, 30 * Day},
		{"a short lifetime", nil, nil, 45, false, 15 * Day},
		{"its own window", map[Attr][]string{RenewalWindow: {"10"}}, nil, 90, false, 10 * Day},
		{"the folder's window", nil, map[Attr]Rule{RenewalWindow: {Values: []string{"60"}}}, 90, false, 60 * Day},
		{"a locked window", map[Attr][]string{RenewalWindow: {"10"}}, map[Attr]Rule{RenewalWindow: {Values: []string{"60"}, Locked: true}}, 90, false, 60 * Day},
		{"a window as long as the lifetime", map[Attr][]string{RenewalWindow: {"90"}}, nil, 90, false, 30 * Day},
		{"a window that is no number", map[Attr][]string{RenewalWindow: {"soon"}}, nil, 90, false, 30 * Day},
		{"switched off", map[Attr][]string{NoAutoRenewal: {"1"}}, nil, 365, false, 0},
		{"switched off by the folder", nil, map[Attr]Rule{NoAutoRenewal: {Values: []string{"1"}}}, 365, false, 0},
		{"switched on against the folder", map[Attr][]string{NoAutoRenewal: {"0"}}, map[Attr]Rule{NoAutoRenewal: {Values: []string{"1"}}}, 365, false, 30 * Day},
		{"disabled", map[Attr][]string{Off: {"1"}}, nil, 365, false, 0},
		{"monitored", map[Attr][]string{ManagementType: {Monitoring}}, nil, 365, false, 0},
		{"provisioned", map[Attr][]string{ManagementType: {Provisioning}}, nil, 365, false, 30 * Day},
		{"the request came from outside", nil, nil, 365, true, 0},
		{"requests are to come from outside", nil, map[Attr]Rule{UserCSR: {Values: []string{"1"}}}, 365, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := &Object{DN: PolicyDN, Class: Folder, Policy: map[PolicyKey]Rule{}}
			for a, rule := range c.rules {
				folder.Policy[PolicyKey{AnyCertificate, a}] = rule
			}
			path := Path{folder, {DN: PolicyDN.Child("www"), Class: ServerCertificate, Own: c.own}}
			expiry := issued.Add(time.Duration(c.days) * Day)
			earliest, latest := time.Time{}, time.Time{}
			for id := range VersionID(200) {
				at := path.RenewalAt(Version{ID: id, UserCSR: c.user, NotBefore: issued, NotAfter: expiry})
				if again := path.RenewalAt(Version{ID: id, UserCSR: c.user, NotBefore: issued, NotAfter: expiry}); !again.Equal(at) {
					t.Fatalf("got %s and %s for the same", at, again)
				}
				if earliest.IsZero() || at.Before(earliest) {
					earliest = at
				}
				if at.After(latest) {
					latest = at
				}
			}
			if c.window == 0 {
				if !latest.IsZero() {
					t.Errorf("got %s, want never", latest)
				}
				return
			}
			from, to := expiry.Add(-c.window), expiry.Add(-c.window*3/4)
			if earliest.Before(from) || latest.After(to) {
				t.Errorf("got %s to %s, want within %s to %s", earliest, latest, from, to)
			}
			if spread := latest.Sub(earliest); spread < c.window/5 {
				t.Errorf("all within %s of a window of %s", spread, c.window)
			}
		})
	}
}
