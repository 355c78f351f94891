package embedded

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/clm"
)

// A root may have CAs below it, an issuing CA none; both only sign, and the chain
// is what OpenSSL accepts.
func TestChainOfCAs(t *testing.T) {
	for _, spec := range specs {
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			issuer := issuerOf(t, spec, ordered)
			below, above := parse(t, issuer.Chain[0]), parse(t, issuer.Chain[1])
			begin := ordered.Truncate(time.Second).Add(-Skew)
			for _, test := range []struct {
				name   string
				cert   *x509.Certificate
				levels int
				usage  x509.KeyUsage
				years  int
			}{
				{"root", above, -1, x509.KeyUsageCertSign | x509.KeyUsageCRLSign, RootYears},
				{"issuer", below, 0, x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature, IssuerYears},
			} {
				c := test.cert
				if !c.IsCA || c.MaxPathLen != test.levels || c.KeyUsage != test.usage || len(c.ExtKeyUsage) != 0 {
					t.Errorf("%s: got CA %v, path %d, usage %b", test.name, c.IsCA, c.MaxPathLen, c.KeyUsage)
				}
				if end := begin.AddDate(test.years, 0, 0).Add(-time.Second); !c.NotBefore.Equal(begin) || !c.NotAfter.Equal(end) {
					t.Errorf("%s: got %s to %s, want %s to %s", test.name, c.NotBefore, c.NotAfter, begin, end)
				}
				if !bytes.Equal(c.AuthorityKeyId, above.SubjectKeyId) {
					t.Errorf("%s: does not name the root's key", test.name)
				}
			}
			catest.VerifyWithOpenSSL(t, ca.Issued{Cert: issuer.Chain[0], Chain: issuer.Chain[1:]})
		})
	}
}

// A CA made again from the same is the same.
func TestSameSpecSameCA(t *testing.T) {
	first, second := issuerOf(t, rsa2048, ordered), issuerOf(t, rsa2048, ordered)
	if !slices.EqualFunc(first.Chain, second.Chain, bytes.Equal) {
		t.Errorf("got\n%x and\n%x", first.Chain, second.Chain)
	}
}

// An issuing CA stays within the validity of the one above.
func TestIssuerDoesNotOutliveRoot(t *testing.T) {
	root, err := NewRoot(Spec{Subject: caName("Root"), Key: key(t, p256, "root"), At: ordered, Years: 12})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := NewIssuer(root, Spec{Subject: caName("CA"), Key: key(t, p256, "issuer"), At: ordered.AddDate(5, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parse(t, issuer.Chain[0]).NotAfter, parse(t, root.Chain[0]).NotAfter; !got.Equal(want) {
		t.Errorf("got the end %s, want that of the root, %s", got, want)
	}
}

// An RSA issuing CA may stand below an ECDSA root and the other way round.
func TestMixedChain(t *testing.T) {
	root := issuerOf(t, p384, ordered)
	root = ca.Issuer{Name: "root", Chain: root.Chain[1:], Key: key(t, p384, "root")}
	issuer, err := NewIssuer(root, Spec{Subject: caName("CA"), Key: key(t, rsa2048, "issuer"), At: ordered})
	if err != nil {
		t.Fatal(err)
	}
	_, issued := issue(t, connect(t, issuer, nil), order(t, p256, serverNames))
	catest.VerifyWithOpenSSL(t, issued)
}

// What makes no CA is refused.
func TestRefusedCAs(t *testing.T) {
	issuing := issuerOf(t, p256, ordered)
	root := ca.Issuer{Name: "root", Chain: issuing.Chain[1:], Key: key(t, p256, "root")}
	for _, test := range []struct {
		name   string
		above  ca.Issuer
		change func(*Spec)
		want   string
	}{
		{"no key", root, func(s *Spec) { s.Key = nil }, "key is missing"},
		{"no name", root, func(s *Spec) { s.Subject.CommonName = " " }, "common name is missing"},
		{"long name", root, func(s *Spec) { s.Subject.CommonName = strings.Repeat("x", 65) }, "at most 64"},
		{"no years", root, func(s *Spec) { s.Years = -1 }, "last -1 years"},
		{"a century", root, func(s *Spec) { s.Years = 100 }, "last 100 years"},
		{"Ed25519", root, func(s *Spec) { s.Key = ed25519.NewKeyFromSeed(make([]byte, 32)) }, "neither RSA nor ECDSA"},
		{"below an issuing CA", issuing, func(*Spec) {}, "no CA below it"},
		{"after the root", root, func(s *Spec) { s.At = ordered.AddDate(21, 0, 0) }, "not valid on"},
		{"before the root", root, func(s *Spec) { s.At = ordered.AddDate(-1, 0, 0) }, "not valid on"},
		{"another's root", ca.Issuer{Chain: root.Chain, Key: key(t, p384, "root")}, func(*Spec) {}, "does not belong"},
	} {
		s := Spec{Subject: caName("CA"), Key: key(t, p256, "other"), At: ordered}
		test.change(&s)
		if _, err := NewIssuer(test.above, s); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want … %s …", test.name, err, test.want)
		}
	}
	if _, err := NewRoot(Spec{Subject: clm.Names{CommonName: "Root", Country: "Belgium"}, Key: key(t, p256, "root"), At: ordered}); err == nil {
		t.Error("a root of a country with seven letters was made")
	}
}

// Weak keys get no certificate, and keys that few understand neither.
func TestRefusedKeys(t *testing.T) {
	for _, test := range []struct {
		name   string
		public crypto.PublicKey
		want   string
	}{
		{"RSA 1024", weakRSA(1024, 65537), "1024 bits"},
		{"RSA 2047", weakRSA(2047, 65537), "2047 bits"},
		{"RSA 2052", weakRSA(2052, 65537), "2052 bits"},
		{"RSA 16384", weakRSA(16384, 65537), "16384 bits"},
		{"exponent 3", weakRSA(2048, 3), "exponent is 3"},
		{"even exponent", weakRSA(2048, 65538), "exponent is 65538"},
		{"P-224", p224(), "P-224"},
		{"Ed25519", ed25519.NewKeyFromSeed(make([]byte, 32)).Public(), "neither RSA nor ECDSA"},
	} {
		if err := checkKey(test.public); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want … %s …", test.name, err, test.want)
		}
	}
	for _, spec := range specs {
		if err := checkKey(key(t, spec, "leaf").Public()); err != nil {
			t.Error(fmt.Errorf("%s: %w", spec, err))
		}
	}
}
