package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
)

// TestLibraryUnderstandsRules compares the rules of a folder with what the library
// makes of them: what is locked binds, what is not is proposed.
func TestLibraryUnderstandsRules(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Rules")
		policy, err := c.ReadPolicyConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		names := []string{`^([\p{L}\p{N}-]+\.)*example\.com$`, `^([\p{L}\p{N}-]+\.)+example\.org$`}
		want := &endpoint.Policy{
			SubjectCNRegexes: names, DnsSanRegExs: names,
			SubjectORegexes: []string{".*"}, SubjectOURegexes: []string{"^Web$", "^Ops$"},
			SubjectLRegexes: []string{"^Ghent$"}, SubjectSTRegexes: []string{".*"}, SubjectCRegexes: []string{"^BE$"},
			EmailSanRegExs: []string{}, UpnSanRegExs: []string{}, IpSanRegExs: []string{".*"}, UriSanRegExs: []string{".*"},
			AllowedKeyConfigurations: []endpoint.AllowedKeyConfiguration{{KeyType: certificate.KeyTypeRSA, KeySizes: []int{3072, 4096, 8192}}},
		}
		equal(t, "rules", policy, want)

		zone, err := c.ReadZoneConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "proposals", []any{zone.Organization, zone.OrganizationalUnit, zone.Locality, zone.Province, zone.Country},
			[]any{"Acme", []string{"Web", "Ops"}, "Ghent", "East Flanders", "BE"})
		equal(t, "proposed key", zone.KeyConfiguration, &endpoint.AllowedKeyConfiguration{KeyType: certificate.KeyTypeRSA, KeySizes: []int{3072}})

		c.SetZone("Keep")
		if policy, err = c.ReadPolicyConfiguration(); err != nil || !policy.AllowKeyReuse || !policy.AllowWildcards {
			t.Errorf("Keep: got %+v, %v, want that keys may be used again, and wildcards", policy, err)
		}
	})
}

// equal compares as JSON, which says what differs.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// TestLibraryFollowsRules has a request that says nothing but a name made to fit by
// the library or by the server: the certificate says what the folder wants.
func TestLibraryFollowsRules(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Rules")
		zone, err := c.ReadZoneConfiguration()
		if err != nil {
			t.Fatal(err)
		}
		local := &certificate.Request{CsrOrigin: certificate.LocalGeneratedCSR, DNSNames: []string{"ruled.example.com"}}
		local.Subject.CommonName = "ruled.example.com"
		service := serviceRequest("ruled.example.org")
		service.DNSNames = []string{"www.ruled.example.org"}
		service.KeyType, service.KeyLength = certificate.KeyTypeRSA, 3072
		for name, r := range map[string]*certificate.Request{"local": local, "service": service} {
			if err := c.GenerateRequest(zone, r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := zone.ValidateCertificateRequest(r); err != nil {
				t.Errorf("%s: the library would not send its own request: %v", name, err)
			}
			if _, err := c.RequestCertificate(r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			cert, _ := retrieve(t, c, r)
			slices.Sort(cert.Subject.OrganizationalUnit)
			equal(t, name, []any{cert.Subject.Organization, cert.Subject.OrganizationalUnit, cert.Subject.Locality, cert.Subject.Province, cert.Subject.Country},
				[]any{[]string{"Acme"}, []string{"Ops", "Web"}, []string{"Ghent"}, []string{"East Flanders"}, []string{"BE"}})
		}
	})
}

// TestRulesBindEverybody sends what the library would not: each breach is named, and
// all of them at once.
func TestRulesBindEverybody(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Rules")
		r := localRequest("*.example.net")
		r.Subject.Country, r.Subject.Locality, r.Subject.OrganizationalUnit = []string{"NL"}, []string{"Delft"}, []string{"Sales"}
		r.EmailAddresses = []string{"shop@example.com"}
		if err := c.GenerateRequest(nil, r); err != nil {
			t.Fatal(err)
		}
		_, err := c.RequestCertificate(r)
		if err == nil {
			t.Fatal("the request was accepted")
		}
		for _, want := range []string{
			"City error. City value 'Delft' violates policy city settings.",
			"Common name error. Certificate common name '*.example.net' violates whitelist domain policy settings.",
			"Common name error. Certificate common name contains a wildcard symbol that violates policy settings.",
			"Country error. Country value 'NL' violates policy country settings.",
			"Email SAN error. Subject alternative name Email violates policy settings.",
			"Key algorithm error. Key algorithm violates policy settings.",
			"Organizational Unit value violates policy and cannot be used.",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	})
}
