package pki

import (
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"
)

// openssl, certtool, keytool and another library find the certificates in PKCS #7,
// in the order that was asked for, and nothing else.
func TestPKCS7(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, rsaKey())
	leaf := b
	leaf.Chain = nil
	for name, c := range map[string]struct {
		bundle    Bundle
		rootFirst bool
		want      []string
	}{
		"leaf":             {leaf, false, []string{"www.example.com"}},
		"leaf, root first": {leaf, true, []string{"www.example.com"}},
		"chain":            {b, false, []string{"www.example.com", "Issuing", "Root"}},
		"root first":       {b, true, []string{"Root", "Issuing", "www.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := EncodePKCS7(c.bundle, c.rootFirst)
			if err != nil {
				t.Fatal(err)
			}
			subjects := regexp.MustCompile(`(?m)^subject=.*CN = (.*)$`)
			var got []string
			for _, m := range subjects.FindAllStringSubmatch(openssl(t, der, "pkcs7", "-inform", "DER", "-print_certs", "-noout"), -1) {
				got = append(got, m[1])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("openssl: got %q, want %q", got, c.want)
			}
			if out := tool(t, "certtool", der, "--p7-info", "--inder"); !strings.Contains(out, "Number of certificates: "+string(rune('0'+len(c.want)))) {
				t.Errorf("certtool: %s", out)
			}
			if out := tool(t, "keytool", der, "-printcert"); strings.Count(out, "Owner:") != len(c.want) {
				t.Errorf("keytool: %s", out)
			}
			p, err := pkcs7.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, cert := range p.Certificates {
				got = append(got, cert.Subject.CommonName)
			}
			if !slices.Equal(got, c.want) || len(p.CRLs)+len(p.Signers)+len(p.Content) > 0 {
				t.Errorf("got %q, %d CRLs, %d signers, want %q", got, len(p.CRLs), len(p.Signers), c.want)
			}
		})
	}
}

// The bundle keeps its order when its certificates are written in reverse.
func TestRootFirstLeavesTheBundleAlone(t *testing.T) {
	b := threeCerts(t, eccKey())
	if _, err := EncodePKCS7(b, true); err != nil {
		t.Fatal(err)
	}
	if cert, err := x509.ParseCertificate(b.Chain[1]); err != nil || cert.Subject.CommonName != "Root" {
		t.Errorf("got %v, %v", cert, err)
	}
}
