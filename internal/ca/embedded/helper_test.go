package embedded

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// ordered is when the orders of these tests are placed.
var ordered = time.Date(2026, 6, 15, 10, 30, 0, 123456789, time.UTC)

// The kinds of key that certificates are for.
var specs = []pki.KeySpec{
	{Algorithm: clm.RSA, Bits: 2048}, {Algorithm: clm.RSA, Bits: 3072}, {Algorithm: clm.RSA, Bits: 4096},
	{Algorithm: clm.ECC, Curve: clm.P256}, {Algorithm: clm.ECC, Curve: clm.P384}, {Algorithm: clm.ECC, Curve: clm.P521},
}

var (
	rsa2048 = specs[0]
	p256    = specs[3]
	p384    = specs[4]
)

// keys remembers the keys of these tests by their use, since RSA keys take long.
var keys sync.Map

// key returns a key of the kind for the use, the same one each time.
func key(t testing.TB, spec pki.KeySpec, use string) crypto.Signer {
	t.Helper()
	once, _ := keys.LoadOrStore(fmt.Sprint(spec, use), sync.OnceValues(func() (crypto.Signer, error) { return pki.GenerateKey(spec) }))
	k, err := once.(func() (crypto.Signer, error))()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// weakRSA is a public key of that form; nobody knows its private key.
func weakRSA(bits, exponent int) crypto.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: exponent}
}

func p224() crypto.PublicKey {
	k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k.Public()
}

// caName is the subject of a CA as public ones are called.
func caName(cn string) clm.Names {
	return clm.Names{CommonName: cn, Organization: "Certwright Tests", Country: "BE"}
}

// issuerOf makes an issuing CA below a root, both with keys of the kind.
func issuerOf(t testing.TB, spec pki.KeySpec, at time.Time) ca.Issuer {
	t.Helper()
	root, err := NewRoot(Spec{Name: "root", Subject: caName("Test Root " + spec.String()), Key: key(t, spec, "root"), At: at})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := NewIssuer(root, Spec{
		Name: "issuer", Subject: caName("Test CA " + spec.String()), Key: key(t, spec, "issuer"), At: at,
		AIAURL: "http://pki.example.com/root.cer", OCSPURL: "http://ocsp.example.com/root", CDPURL: "http://pki.example.com/root.crl",
	})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// urls are settings with which a certificate tells all that public ones do.
var urls = map[string]string{
	"aia-url": "http://pki.example.com/ca.cer", "ocsp-url": "http://ocsp.example.com/ca", "cdp-url": "http://pki.example.com/ca.crl",
}

// with returns the settings with some more, given as name, value, name, value.
func with(values map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, values)
	for n := 0; n < len(more); n += 2 {
		all[more[n]] = more[n+1]
	}
	return all
}

// connect returns a CA with the settings. Its clock stands at the time of the orders.
func connect(t testing.TB, issuer ca.Issuer, values map[string]string) ca.CA {
	t.Helper()
	c, err := Connector.New(ca.Settings{Values: values, Issuer: &issuer, Now: func() time.Time { return ordered }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// order makes an order for the names and a key of the kind.
func order(t testing.TB, spec pki.KeySpec, names clm.Names) ca.Order {
	t.Helper()
	csr, err := pki.CreateCSR(clm.Names{CommonName: "what the CSR says does not count"}, key(t, spec, "leaf"))
	if err != nil {
		t.Fatal(err)
	}
	return ca.Order{Key: "4711/enroll", At: ordered, CSR: csr, Names: names}
}

// issue submits and collects.
func issue(t testing.TB, c ca.CA, o ca.Order) (*x509.Certificate, ca.Issued) {
	t.Helper()
	ref, err := c.Submit(t.Context(), o)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	o.Ref = ref
	issued, err := c.Collect(t.Context(), o)
	if err != nil || !issued.Later.IsZero() {
		t.Fatalf("collect: got %v, come back at %v", err, issued.Later)
	}
	return parse(t, issued.Cert), issued
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("parse certificate: %v", err)
	}
	return cert
}
