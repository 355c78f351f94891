package embedded

import (
	"regexp"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/clm"
)

// OpenSSL reads a certificate as it was meant.
func TestWhatOpenSSLReads(t *testing.T) {
	names := serverNames
	names.OrganizationalUnit = []string{"Web", "Shop"}
	names.Email, names.IP = []string{"web@example.com"}, []string{"192.0.2.17", "2001:db8::17"}
	names.URI, names.UPN = []string{"spiffe://example.com/shop"}, []string{"web@corp.example.com"}
	cert, issued := issue(t, connect(t, issuerOf(t, rsa2048, ordered), with(urls, "profile", "both")), order(t, rsa2048, names))

	got := printed(t, cert.Raw)
	for _, want := range []string{
		"Version: 3 (0x2)",
		"Signature Algorithm: sha256WithRSAEncryption",
		"Issuer: C = BE, O = Certwright Tests, CN = Test CA RSA 2048",
		"Not Before: Jun 15 10:25:00 2026 GMT",
		"Not After : Sep 13 10:24:59 2026 GMT",
		"Subject: C = BE, ST = Oost-Vlaanderen, L = Gent, O = Certwright Tests, OU = Web, OU = Shop, CN = www.example.com",
		"Public-Key: (2048 bit)",
		"X509v3 Basic Constraints: critical CA:FALSE",
		"X509v3 Extended Key Usage: TLS Web Server Authentication, TLS Web Client Authentication",
		"X509v3 Key Usage: critical Digital Signature, Key Encipherment",
		"X509v3 Subject Alternative Name: DNS:www.example.com, DNS:shop.example.com, email:web@example.com, URI:spiffe://example.com/shop, " +
			"IP Address:192.0.2.17, IP Address:2001:DB8:0:0:0:0:0:17, othername: UPN:web@corp.example.com",
		"Authority Information Access: OCSP - URI:http://ocsp.example.com/ca CA Issuers - URI:http://pki.example.com/ca.cer",
		"X509v3 CRL Distribution Points: Full Name: URI:http://pki.example.com/ca.crl",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}

	got = printed(t, issued.Chain[0])
	for _, want := range []string{
		"X509v3 Basic Constraints: critical CA:TRUE, pathlen:0",
		"X509v3 Key Usage: critical Digital Signature, Certificate Sign, CRL Sign",
		"X509v3 Certificate Policies: Policy: X509v3 Any Policy",
		"Issuer: C = BE, O = Certwright Tests, CN = Test Root RSA 2048",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A certificate without a subject says so and is still verified.
func TestWhatOpenSSLReadsWithoutSubject(t *testing.T) {
	cert, issued := issue(t, connect(t, issuerOf(t, p256, ordered), nil), order(t, p256, clm.Names{DNS: []string{"www.example.com"}}))
	if got, want := printed(t, cert.Raw), "X509v3 Subject Alternative Name: critical DNS:www.example.com"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
	catest.VerifyWithOpenSSL(t, issued)
}

var blanks = regexp.MustCompile(`\s+`)

// printed is the certificate as OpenSSL prints it, with single blanks for all white
// space. Releases differ in the blanks around equals signs and colons.
func printed(t *testing.T, der []byte) string {
	t.Helper()
	text := catest.OpenSSL(t, der, "x509", "-inform", "DER", "-noout", "-text", "-nameopt", "oneline,utf8,-esc_msb")
	return strings.ReplaceAll(blanks.ReplaceAllString(text, " "), "UPN::", "UPN:")
}
