package embedded

import (
	"bytes"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// What the certificate says are the names of the order, each once, with the common
// name where clients look for it.
func TestNamesInCertificate(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	long := strings.Repeat("host.", 12) + "example.com"
	for _, test := range []struct {
		name, profile string
		ask, want     clm.Names
	}{
		{"host name", "server", clm.Names{CommonName: "a.example.com"},
			clm.Names{CommonName: "a.example.com", DNS: []string{"a.example.com"}}},
		{"host name that is there already", "server", clm.Names{CommonName: "A.example.com", DNS: []string{"b.example.com", "a.example.com", "B.example.com"}},
			clm.Names{CommonName: "A.example.com", DNS: []string{"A.example.com", "b.example.com"}}},
		{"wildcard", "server", clm.Names{CommonName: "*.example.com"},
			clm.Names{CommonName: "*.example.com", DNS: []string{"*.example.com"}}},
		{"bare host name of a server", "both", clm.Names{CommonName: "server01"},
			clm.Names{CommonName: "server01", DNS: []string{"server01"}}},
		{"bare name of a client", "client", clm.Names{CommonName: "jan"},
			clm.Names{CommonName: "jan"}},
		{"host name of a client", "client", clm.Names{CommonName: "a.example.com"},
			clm.Names{CommonName: "a.example.com", DNS: []string{"a.example.com"}}},
		{"person", "server", clm.Names{CommonName: "Zoë Peeters"},
			clm.Names{CommonName: "Zoë Peeters"}},
		{"host name too long for a common name", "server", clm.Names{CommonName: long},
			clm.Names{DNS: []string{long}}},
		{"address", "server", clm.Names{CommonName: "192.0.2.1", IP: []string{"::ffff:192.0.2.1", "2001:DB8:0::1", "2001:db8::1"}},
			clm.Names{CommonName: "192.0.2.1", IP: []string{"192.0.2.1", "2001:db8::1"}}},
		{"blanks and doubles", "server", clm.Names{
			Organization: " X ", Country: "be", OrganizationalUnit: []string{"b ", " ", "a", "b"},
			Email: []string{"A@example.com", "a@EXAMPLE.com"}, URI: []string{"urn:a", "urn:A", "urn:a"}, UPN: []string{"J@x", "j@X"}},
			clm.Names{Organization: "X", Country: "BE", OrganizationalUnit: []string{"b", "a"},
				Email: []string{"A@example.com"}, URI: []string{"urn:a", "urn:A"}, UPN: []string{"J@x"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cert, _ := issue(t, connect(t, issuer, with(nil, "profile", test.profile)), order(t, p256, test.ask))
			got, err := pki.ReadNames(cert.RawSubject, cert.Extensions)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// The subject's parts stand in the order that the BR demand, as text that the
// oldest clients can read where there is such.
func TestSubjectEncoding(t *testing.T) {
	names := serverNames
	names.Organization, names.OrganizationalUnit = "Gärten", []string{"Web", "Shop"}
	cert, _ := issue(t, connect(t, issuerOf(t, p256, ordered), nil), order(t, p256, names))
	if got, want := pki.FormatName(cert.RawSubject), "CN=www.example.com, OU=Shop, OU=Web, O=Gärten, L=Gent, S=Oost-Vlaanderen, C=BE"; !equalName(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	for tag, text := range map[byte]string{asn1.TagUTF8String: "Gärten", asn1.TagPrintableString: "Gent"} {
		if want := append([]byte{tag, byte(len(text))}, text...); !bytes.Contains(cert.RawSubject, want) {
			t.Errorf("%q is not of type %d", text, tag)
		}
	}
}

func equalName(got, want string) bool {
	return strings.NewReplacer(" ", "", "ST=", "S=").Replace(got) == strings.ReplaceAll(want, " ", "")
}
