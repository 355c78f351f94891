package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"regexp"
	"runtime"
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

// A file that is nothing but nested indefinite lengths, which some decoders copy
// once for each, is refused at once.
func TestNestedLengthsCostNothing(t *testing.T) {
	outside := b64(nested([]byte{0x30, 0x80}, MaxImportSize*3/4/4))
	inside := marshal(pkcs7Of(t, nested([]byte{0xa0, 0x80}, 50_000)))
	for name, text := range map[string]string{"from outside": outside, "inside": b64(inside)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := ParseImport(text, nil, nil); !errors.Is(err, ErrNotCertificate) {
			t.Errorf("%s: got %v, want %v", name, err, ErrNotCertificate)
		}
		runtime.ReadMemStats(&after)
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(100*MaxImportSize); took > most {
			t.Errorf("%s: it took %d bytes of memory, want at most %d", name, took, most)
		}
	}
}

// nested is what begins a value of indefinite length n times, and ends each.
func nested(begin []byte, n int) []byte {
	return append(bytes.Repeat(begin, n), make([]byte, 2*n)...)
}

// pkcs7Of is a SignedData with the certificates, which may be anything.
func pkcs7Of(t *testing.T, certs []byte) contentInfo {
	t.Helper()
	signed := marshal(struct {
		Version    int
		Algorithms []int `asn1:"set"`
		Content    struct{ Type asn1.ObjectIdentifier }
		Certs      asn1.RawValue
	}{Version: 1, Content: struct{ Type asn1.ObjectIdentifier }{oidData}, Certs: explicit(certs)})
	return contentInfo{oidSignedData, explicit(signed)}
}

// The certificates are found whatever else the file has: a signature, content,
// several digests. What is cut off or goes on has none.
func TestPKCS7OfOthers(t *testing.T) {
	b := threeCerts(t, rsaKey())
	leaf, _ := x509.ParseCertificate(b.Cert)
	above, _ := x509.ParseCertificate(b.Chain[0])
	signed, err := pkcs7.NewSignedData([]byte("something"))
	if err != nil {
		t.Fatal(err)
	}
	signed.AddCertificate(above)
	if err := signed.AddSigner(leaf, b.Key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	der, err := signed.Finish()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseImport(b64(der), nil, nil)
	if err != nil || !bytes.Equal(got.Cert, b.Cert) || len(got.Chain) != 1 || !bytes.Equal(got.Chain[0], b.Chain[0]) {
		t.Errorf("got %d above, %v", len(got.Chain), err)
	}
	for name, der := range map[string][]byte{"cut off": der[:len(der)-1], "going on": append(bytes.Clone(der), 0), "without any": marshal(pkcs7Of(t, nil))} {
		if _, err := ParseImport(b64(der), nil, nil); !errors.Is(err, ErrNotCertificate) {
			t.Errorf("%s: got %v, want %v", name, err, ErrNotCertificate)
		}
	}
	many := marshal(pkcs7Of(t, bytes.Repeat(b.Cert, MaxImportCerts+1)))
	if _, err := ParseImport(b64(many), nil, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many: got %v, want %v", err, ErrTooLarge)
	}
}
