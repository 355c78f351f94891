package tpp

import (
	"strings"
	"testing"
)

// TestCovers has a row for each rule of what is in what.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		name, has, wants string
		covers           bool
	}{
		{"the same", "certificate:manage", "certificate:manage", true},
		{"another order and case", "configuration:delete,manage;certificate:revoke,manage", "Certificate:Manage,Revoke;Configuration:Manage", true},
		{"blanks", " certificate : manage , revoke ; ssh ", "certificate:revoke", true},
		{"trailing semicolon", "certificate:manage;", "certificate:manage", true},
		{"an area alone is in each of its restrictions", "certificate:manage", "certificate", true},
		{"a restriction is not in the area alone", "certificate", "certificate:manage", false},
		{"manage does not bring revoke", "certificate:manage", "certificate:revoke", false},
		{"one of two is missing", "certificate:manage", "certificate:manage,revoke", false},
		{"another area", "certificate:manage", "configuration", false},
		{"an area twice", "certificate:manage;certificate:revoke", "certificate:manage,revoke", true},
		{"an area that nobody documents", "certificate", "kitchen", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			has, err := parseScopes(c.has)
			if err != nil {
				t.Fatal(err)
			}
			wants, err := parseScopes(c.wants)
			if err != nil {
				t.Fatal(err)
			}
			if got := has.covers(wants); got != c.covers {
				t.Errorf("got %v, want %v", got, c.covers)
			}
		})
	}
}

// TestMalformedScopes are told from those that are merely not granted.
func TestMalformedScopes(t *testing.T) {
	for _, s := range []string{"", " ", ";", ":manage", "certificate:", "certificate:manage,", "certificate:manage,,revoke", "certificate;;ssh", "certificate manage", "certificate:a:b", "zertifikät"} {
		if got, err := parseScopes(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

// TestAllows names the scope that is missing.
func TestAllows(t *testing.T) {
	has, _ := parseScopes("certificate:manage")
	for _, c := range []struct {
		name    string
		to      access
		missing string
		allowed bool
	}{
		{"any token will do", anyToken, "", true},
		{"has it", needs("certificate:manage"), "", true},
		{"has one of them", needs("certificate:discover", "certificate:manage"), "", true},
		{"has none of them", needs("certificate:delete", "admin"), "certificate:delete", false},
	} {
		if missing, allowed := has.allows(c.to); missing != c.missing || allowed != c.allowed {
			t.Errorf("%s: got %q %v", c.name, missing, allowed)
		}
	}
}

// FuzzScopes reads any scope without a panic; what it reads covers itself, also
// in another case, and with anything added it covers no less.
func FuzzScopes(f *testing.F) {
	f.Add("certificate:manage,revoke;configuration", "ssh:manage")
	f.Add(" ; ", ":")
	f.Fuzz(func(t *testing.T, a, b string) {
		s, err := parseScopes(a)
		if err != nil {
			return
		}
		upper, err := parseScopes(strings.ToUpper(a))
		if err != nil || !s.covers(upper) || !upper.covers(s) {
			t.Errorf("%q depends on its case", a)
		}
		if more, err := parseScopes(a + ";" + b); err == nil && !more.covers(s) {
			t.Errorf("%q with %q covers less", a, b)
		}
	})
}
