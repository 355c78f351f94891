package embedded

import (
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
)

// Settings that make no sense are refused, with their names.
func TestRefusedSettings(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	for _, test := range []struct{ name, value, want string }{
		{"profile", "Server", "server, client or both"},
		{"validity-days", "0", "number of days"},
		{"validity-days", "-3", "number of days"},
		{"validity-days", "a year", "number of days"},
		{"validity-days", "99999999999", "number of days"},
		{"max-validity-days", "none", "number of days"},
		{"issue-after", "300", "duration"},
		{"issue-after", "-1s", "duration"},
		{"aia-url", "https://pki.example.com/ca.cer", "http://"},
		{"ocsp-url", "ocsp.example.com", "http://"},
		{"cdp-url", "http:///ca.crl", "http://"},
		{"cdp-url", "None", "http://"},
		{"cdp-url", "http://pki.example.com/é.crl", "http://"},
	} {
		_, err := Connector.New(ca.Settings{Values: map[string]string{test.name: test.value}, Issuer: &issuer})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%s %q: got %v, want … %s … %s …", test.name, test.value, err, test.name, test.want)
		}
	}
	values := map[string]string{"validity-days": "100", "max-validity-days": "99"}
	if _, err := Connector.New(ca.Settings{Values: values, Issuer: &issuer}); err == nil {
		t.Error("a default validity above the longest was accepted")
	}
}

// Every setting that a template reads is among the fields, by which forms, flags
// and attributes know it, and empty values are like none.
func TestFields(t *testing.T) {
	values := map[string]string{}
	for _, f := range Connector.Fields {
		values[f.Name] = ""
	}
	for _, name := range []clm.Attr{clm.Issuer, clm.Profile, clm.ValidityDays, MaxValidityDays, clm.IssueAfter, clm.AIAURL, clm.OCSPURL, clm.CDPURL} {
		if _, found := values[string(name)]; !found {
			t.Errorf("%s is no field", name)
		}
	}
	connect(t, issuerOf(t, p256, ordered), values)
}

// A slow template is counted from when the order was placed, by the clock that it
// was given.
func TestIssueAfter(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	now := ordered
	c, err := Connector.New(ca.Settings{
		Values: map[string]string{"issue-after": "300ms"}, Issuer: &issuer, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := order(t, p256, serverNames)
	ready := ordered.Add(300 * time.Millisecond)
	for _, test := range []struct {
		at   time.Time
		want time.Time
	}{
		{ordered, ready}, {ready.Add(-time.Nanosecond), ready}, {ready, time.Time{}}, {ready.Add(time.Hour), time.Time{}},
	} {
		now = test.at
		issued, err := c.Collect(t.Context(), o)
		if err != nil || !issued.Later.Equal(test.want) || (issued.Cert != nil) != test.want.IsZero() {
			t.Errorf("at %s: got %v, come back at %s; want %s", test.at, err, issued.Later, test.want)
		}
	}
}
