package embedded

import (
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// serverNames are what most certificates say.
var serverNames = clm.Names{
	CommonName: "www.example.com", Organization: "Certwright Tests", Locality: "Gent", Province: "Oost-Vlaanderen", Country: "BE",
	DNS: []string{"www.example.com", "shop.example.com"},
}

// A validity begins a little before the order, ends where order and template
// say, both ends included, and never leaves that of the issuer.
func TestValidity(t *testing.T) {
	const year = 365 * day
	begin := ordered.Truncate(time.Second).Add(-Skew)
	for _, test := range []struct {
		name     string
		issuedAt time.Time // the issuing CA, for ten years
		values   map[string]string
		days     int
		endDate  time.Time
		from, to time.Time
	}{
		{"90 days where nobody says anything", ordered.Add(-year), nil,
			0, time.Time{}, begin, begin.Add(90*day - time.Second)},
		{"the template's days", ordered.Add(-year), map[string]string{"validity-days": "30"},
			0, time.Time{}, begin, begin.Add(30*day - time.Second)},
		{"the order's days", ordered.Add(-year), map[string]string{"validity-days": "30"},
			398, time.Time{}, begin, begin.Add(398*day - time.Second)},
		{"the end date wins", ordered.Add(-year), nil,
			17, time.Date(2027, 1, 1, 0, 0, 0, 5e8, time.FixedZone("CET", 3600)), begin, time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)},
		{"no days beyond the template's longest", ordered.Add(-year), map[string]string{"max-validity-days": "100"},
			398, time.Time{}, begin, begin.Add(100*day - time.Second)},
		{"no end date beyond the template's longest", ordered.Add(-year), map[string]string{"max-validity-days": "100"},
			0, ordered.Add(year), begin, begin.Add(100*day - time.Second)},
		{"a longest validity below 90 days is the default too", ordered.Add(-year), map[string]string{"max-validity-days": "47"},
			0, time.Time{}, begin, begin.Add(47*day - time.Second)},
		{"not beyond the issuing CA's end", ordered.AddDate(-10, 0, 7), nil,
			0, time.Time{}, begin, begin.Add(7*day - time.Second)},
		{"no end date beyond the issuing CA's end", ordered.AddDate(-10, 0, 7), nil,
			0, ordered.AddDate(2, 0, 0), begin, begin.Add(7*day - time.Second)},
		{"not before the issuing CA's begin", ordered.Add(Skew - time.Minute), nil,
			1, time.Time{}, begin.Add(Skew - time.Minute), begin.Add(Skew - time.Minute + day - time.Second)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connect(t, issuerOf(t, p256, test.issuedAt), test.values)
			o := order(t, p256, serverNames)
			o.Days, o.EndDate = test.days, test.endDate
			cert, issued := issue(t, c, o)
			if !cert.NotBefore.Equal(test.from) || !cert.NotAfter.Equal(test.to) {
				t.Errorf("got %s to %s, want %s to %s", cert.NotBefore, cert.NotAfter, test.from, test.to)
			}
			catest.VerifyWithOpenSSL(t, issued)
		})
	}
}

// An order that cannot be filled fails when it is placed, and for good.
func TestRefusedOrders(t *testing.T) {
	c := connect(t, issuerOf(t, p256, ordered), nil)
	for _, test := range []struct {
		name   string
		change func(*ca.Order)
		want   string
	}{
		{"no CSR", func(o *ca.Order) { o.CSR = nil }, "parse CSR"},
		{"weak key", func(o *ca.Order) { o.CSR = order(t, pki.KeySpec{Algorithm: clm.RSA, Bits: 1024}, serverNames).CSR }, "1024 bits"},
		{"end date has passed", func(o *ca.Order) { o.EndDate = o.At }, "end date"},
		{"negative days", func(o *ca.Order) { o.Days = -1 }, "validity of -1 days"},
		{"endless days", func(o *ca.Order) { o.Days = 1 << 40 }, "validity of"},
		{"issuing CA has ended", func(o *ca.Order) { o.At = o.At.AddDate(11, 0, 0) }, "issuing CA ended"},
		{"issuing CA has not begun", func(o *ca.Order) { o.At = o.At.Add(-Skew - time.Second) }, "issuing CA begins"},
		{"no name", func(o *ca.Order) { o.Names = clm.Names{CommonName: " ", DNS: []string{""}} }, "no name"},
		{"long common name", func(o *ca.Order) { o.Names.CommonName = strings.Repeat("Jan ", 17) }, "common name"},
		{"long organization", func(o *ca.Order) { o.Names.Organization = strings.Repeat("x", 65) }, "organization"},
		{"long unit", func(o *ca.Order) { o.Names.OrganizationalUnit = []string{"ok", strings.Repeat("x", 65)} }, "organizational unit"},
		{"long locality", func(o *ca.Order) { o.Names.Locality = strings.Repeat("x", 129) }, "locality"},
		{"long province", func(o *ca.Order) { o.Names.Province = strings.Repeat("x", 129) }, "province"},
		{"country of three letters", func(o *ca.Order) { o.Names.Country = "BEL" }, "country"},
		{"country of digits", func(o *ca.Order) { o.Names.Country = "32" }, "country"},
		{"line end in the organization", func(o *ca.Order) { o.Names.Organization = "a\nb" }, "control character"},
		{"not UTF-8", func(o *ca.Order) { o.Names.Locality = "Li\xe8ge" }, "UTF-8"},
		{"DNS name in another script", func(o *ca.Order) { o.Names.DNS = []string{"grün.example.com"} }, `DNS name "grün.example.com" is not a host name`},
		{"DNS name with underscore", func(o *ca.Order) { o.Names.DNS = []string{"a_b.example.com"} }, "not a host name"},
		{"DNS name with final dot", func(o *ca.Order) { o.Names.DNS = []string{"example.com."} }, "not a host name"},
		{"DNS name with inner wildcard", func(o *ca.Order) { o.Names.DNS = []string{"a.*.example.com"} }, "not a host name"},
		{"DNS name with partial wildcard", func(o *ca.Order) { o.Names.DNS = []string{"w*.example.com"} }, "not a host name"},
		{"bare wildcard", func(o *ca.Order) { o.Names.DNS = []string{"*"} }, "not a host name"},
		{"wildcard of nothing", func(o *ca.Order) { o.Names.DNS = []string{"*."} }, "not a host name"},
		{"long label", func(o *ca.Order) { o.Names.DNS = []string{strings.Repeat("x", 64) + ".com"} }, "not a host name"},
		{"long DNS name", func(o *ca.Order) { o.Names.DNS = []string{strings.Repeat("x.", 126) + "com"} }, "255 characters"},
		{"address as DNS name", func(o *ca.Order) { o.Names.DNS = []string{"192.0.2.1"} }, "is an IP address"},
		{"number as last label", func(o *ca.Order) { o.Names.DNS = []string{"192.0.2"} }, "last part is a number"},
		{"IP with zone", func(o *ca.Order) { o.Names.IP = []string{"fe80::1%eth0"} }, "not an IP address"},
		{"network as IP", func(o *ca.Order) { o.Names.IP = []string{"192.0.2.0/24"} }, "not an IP address"},
		{"e-mail without host", func(o *ca.Order) { o.Names.Email = []string{"jan"} }, "name@host"},
		{"e-mail with display name", func(o *ca.Order) { o.Names.Email = []string{"Jan <jan@example.com>"} }, "name@host"},
		{"relative URI", func(o *ca.Order) { o.Names.URI = []string{"/shop"} }, "absolute URI"},
		{"URI without host", func(o *ca.Order) { o.Names.URI = []string{"spiffe:///shop"} }, "absolute URI"},
		{"URI in another script", func(o *ca.Order) { o.Names.URI = []string{"http://example.com/é"} }, "absolute URI"},
		{"URI with a strange host", func(o *ca.Order) { o.Names.URI = []string{"http://a_b/"} }, "not a host name"},
		{"UPN without domain", func(o *ca.Order) { o.Names.UPN = []string{"jan@"} }, "name@domain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := order(t, p256, serverNames)
			test.change(&o)
			_, submit := c.Submit(t.Context(), o)
			_, collect := c.Collect(t.Context(), o)
			for _, err := range []error{submit, collect} {
				work := clm.Begin(clm.Enroll, clm.Submit, ordered)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want … %s …", err, test.want)
				} else if clm.Advance(work, clm.Outcome{}, err, ordered).Failure == "" {
					t.Errorf("got an error that would be tried again: %v", err)
				}
			}
		})
	}
}
