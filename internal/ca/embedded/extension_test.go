package embedded

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// Extensions have one order. The alternative names are never the last, and they
// are critical where there is no subject (RFC 5280, section 4.2.1.6).
func TestExtensions(t *testing.T) {
	const (
		basic, usage, extended, san = "2.5.29.19!", "2.5.29.15!", "2.5.29.37", "2.5.29.17"
		subjectKey, authorityKey    = "2.5.29.14", "2.5.29.35"
		info, points                = "1.3.6.1.5.5.7.1.1", "2.5.29.31"
	)
	issuer := issuerOf(t, p256, ordered)
	for _, test := range []struct {
		name   string
		values map[string]string
		names  clm.Names
		want   []string // with ! where critical
	}{
		{"all", urls, serverNames, []string{basic, extended, usage, san, subjectKey, info, points, authorityKey}},
		{"no URLs", nil, serverNames, []string{basic, extended, usage, san, subjectKey, authorityKey}},
		{"no subject", nil, clm.Names{IP: []string{"192.0.2.1"}}, []string{basic, extended, usage, san + "!", subjectKey, authorityKey}},
		{"no alternative names", nil, clm.Names{CommonName: "Zoë Peeters"}, []string{basic, extended, usage, subjectKey, authorityKey}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cert, _ := issue(t, connect(t, issuer, test.values), order(t, p256, test.names))
			var got []string
			for _, e := range cert.Extensions {
				got = append(got, e.Id.String()+map[bool]string{true: "!"}[e.Critical])
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// The profile decides what the key is for; an ECDSA key is never for encryption.
func TestUsages(t *testing.T) {
	const sign, encipher = x509.KeyUsageDigitalSignature, x509.KeyUsageKeyEncipherment
	const server, client = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	issuer := issuerOf(t, p256, ordered)
	for _, test := range []struct {
		profile  string
		spec     pki.KeySpec
		usage    x509.KeyUsage
		extended []x509.ExtKeyUsage
	}{
		{"", rsa2048, sign | encipher, []x509.ExtKeyUsage{server}},
		{"server", rsa2048, sign | encipher, []x509.ExtKeyUsage{server}},
		{"server", p256, sign, []x509.ExtKeyUsage{server}},
		{"client", rsa2048, sign, []x509.ExtKeyUsage{client}},
		{"both", rsa2048, sign | encipher, []x509.ExtKeyUsage{server, client}},
		{"both", p256, sign, []x509.ExtKeyUsage{server, client}},
	} {
		cert, _ := issue(t, connect(t, issuer, with(nil, "profile", test.profile)), order(t, test.spec, serverNames))
		if cert.KeyUsage != test.usage || !slices.Equal(cert.ExtKeyUsage, test.extended) {
			t.Errorf("%q %s: got %b %v, want %b %v", test.profile, test.spec, cert.KeyUsage, cert.ExtKeyUsage, test.usage, test.extended)
		}
		if cert.IsCA || !cert.BasicConstraintsValid {
			t.Errorf("%q %s: CA %v, want an explicit false", test.profile, test.spec, cert.IsCA)
		}
	}
}
