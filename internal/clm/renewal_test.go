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

// No renewal changes when a certificate ends that ends as was asked for.
func TestEndDatesAreNotRenewedTowards(t *testing.T) {
	issued := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := issued.Add(90 * Day)
	v := Version{ID: 4, NotBefore: issued, NotAfter: end}
	special := EndDateFor("special")
	for _, c := range []struct {
		name   string
		own    map[Attr][]string
		folder map[Attr]Rule
		never  bool
	}{
		{"it ends then", map[Attr][]string{EndDate: {"2027-04-01 00:00:00"}}, nil, true},
		{"it ends later", map[Attr][]string{EndDate: {"2027-03-01"}}, nil, true},
		{"its CA has cut it", map[Attr][]string{EndDate: {"2027-04-02"}}, nil, false},
		{"no date", map[Attr][]string{EndDate: {"soon"}}, nil, false},
		{"the folder says so", nil, map[Attr]Rule{EndDate: {Values: []string{"2027-04-01T00:00:00Z"}}}, true},
		{"the folder overrules it", map[Attr][]string{EndDate: {"2027-04-01"}}, map[Attr]Rule{EndDate: {Values: []string{"2028-01-01"}, Locked: true}}, false},
		{"the date for some authority was heeded", map[Attr][]string{special: {"2027-04-01"}}, nil, true},
		{"the date for some authority was not", map[Attr][]string{special: {"2027-03-01"}}, nil, false},
		{"a folder's date for some authority was heeded", nil, map[Attr]Rule{special: {Values: []string{"2027-04-01"}}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := &Object{DN: PolicyDN, Class: Folder, Policy: map[PolicyKey]Rule{}}
			for a, rule := range c.folder {
				folder.Policy[PolicyKey{AnyCertificate, a}] = rule
			}
			path := Path{folder, {DN: PolicyDN.Child("www"), Class: ServerCertificate, Own: c.own}}
			if at := path.RenewalAt(v); at.IsZero() != c.never {
				t.Errorf("got %s", at)
			}
		})
	}
}

// Whatever window is set and however short the lifetime has come to be, the first
// third of it passes without a renewal.
func TestFirstThirdIsLeftAlone(t *testing.T) {
	issued := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for days := 1; days < 400; days++ {
		path := Path{{DN: PolicyDN, Class: Folder}, {DN: PolicyDN.Child("www"), Class: ServerCertificate, Own: map[Attr][]string{RenewalWindow: {"60"}}}}
		lifetime := time.Duration(days) * Day
		v := Version{ID: VersionID(days), NotBefore: issued, NotAfter: issued.Add(lifetime)}
		if at := path.RenewalAt(v); at.Before(issued.Add(lifetime/3)) || !at.Before(v.NotAfter) {
			t.Errorf("of %d days: renewed after %s", days, at.Sub(issued))
		}
	}
}

// A renewal that comes to nothing is tried again before the certificate ends, in a
// day at the latest; what has ended is not in a hurry any more.
func TestTryAgainAt(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	path := Path{{DN: PolicyDN, Class: Folder}, {DN: PolicyDN.Child("www"), Class: ServerCertificate}}
	for _, c := range []struct{ left, want time.Duration }{
		{30 * Day, Day}, {4 * Day, Day}, {Day, 6 * time.Hour}, {time.Hour, 15 * time.Minute}, {2 * time.Minute, time.Minute},
		{time.Second, time.Minute}, {0, Day}, {-365 * Day, Day},
	} {
		v := Version{ID: 4, NotBefore: now.Add(-30 * Day), NotAfter: now.Add(c.left)}
		if got := v.TryAgainAt(now).Sub(now); got != c.want {
			t.Errorf("with %s left: got %s, want %s", c.left, got, c.want)
		}
		if plan, at := path.PlanRenewal(v, now), path.RenewalAt(v); plan.Before(now.Add(c.want)) || plan.After(now.Add(c.want)) && !plan.Equal(at) {
			t.Errorf("with %s left: planned for %s, which is due at %s", c.left, plan, at)
		}
	}
	if plan := path.PlanRenewal(Version{UserCSR: true, NotAfter: now.Add(Day)}, now); !plan.IsZero() {
		t.Errorf("what is never renewed is planned for %s", plan)
	}
}
