package ca

import (
	"net/url"
	"strings"
	"testing"
)

// Addresses stand in certificates for years: they are these and no others.
func TestPublishedAddresses(t *testing.T) {
	const base = "http://pki.example.com/x"
	for _, test := range []struct{ got, want string }{
		{CertURL(base, "issuer"), base + "/ca/issuer.cer"},
		{ListURL(base, "issuer", 0), base + "/crl/issuer/0.crl"},
		{ListURL(base, "issuer", 12), base + "/crl/issuer/12.crl"},
		{WholeListURL(base, "issuer"), base + "/crl/issuer.crl"},
		{OCSPURL(base), base + "/ocsp"},
		{OCSPURL("http://pki.example.com"), "http://pki.example.com/ocsp"},
		{OCSPURL(base + "/"), base + "/ocsp"},
		{OCSPURL("http://[2001:db8::1]:8080"), "http://[2001:db8::1]:8080/ocsp"},
		{OCSPURL("http://a b/%"), ""},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// Whatever an issuer is called, its address is ASCII and the name is found in it as
// one part of the path.
func TestNamesInAddresses(t *testing.T) {
	for _, name := range []string{"RSA Issuing CA", "Zoë", "a/b", "50%", "a%2Fb", "?", "#", "a+b", `"`} {
		for _, got := range []string{CertURL("http://h", name), WholeListURL("http://h", name), ListURL("http://h", name, 7)} {
			u, err := url.Parse(got)
			if err != nil || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
				t.Errorf("%q: got %q, %v", name, got, err)
				continue
			}
			part := strings.Split(u.EscapedPath(), "/")[2]
			part = strings.TrimSuffix(strings.TrimSuffix(part, ".cer"), ".crl")
			if back, err := url.PathUnescape(part); err != nil || back != name {
				t.Errorf("%q: got %q in %s", name, back, got)
			}
		}
	}
}
