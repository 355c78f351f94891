package deploytest

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// The kinds of keys that drivers are tested with.
var (
	RSA = pki.KeySpec{Algorithm: clm.RSA, Bits: 2048}
	ECC = pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}
)

// An authority is a root and what it has issued, which issues certificates in turn.
type authority struct {
	root, issuer *x509.Certificate
	key          crypto.Signer
}

// theAuthority is the same for all tests of a process.
var theAuthority = sync.OnceValues(func() (authority, error) {
	rootKey, err := pki.GenerateKey(ECC)
	if err != nil {
		return authority{}, err
	}
	key, err := pki.GenerateKey(ECC)
	if err != nil {
		return authority{}, err
	}
	root, err := issue(template("Test Root", true), nil, rootKey.Public(), rootKey)
	if err != nil {
		return authority{}, err
	}
	issuer, err := issue(template("Test Issuer", true), root, key.Public(), rootKey)
	return authority{root, issuer, key}, err
})

// NewKey makes a key.
func NewKey(t testing.TB, spec pki.KeySpec) crypto.Signer {
	t.Helper()
	key, err := pki.GenerateKey(spec)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewBundle makes a certificate for the key, with the one that has issued it and the
// root above. It holds for localhost, for 127.0.0.1 and for the name.
func NewBundle(t testing.TB, name string, key crypto.Signer) pki.Bundle {
	t.Helper()
	a, err := theAuthority()
	if err != nil {
		t.Fatal(err)
	}
	of := template(name, false)
	of.DNSNames, of.IPAddresses = []string{name, "localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	cert, err := issue(of, a.issuer, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.Bundle{Cert: cert.Raw, Chain: [][]byte{a.issuer.Raw, a.root.Raw}, Key: key, FriendlyName: name}
}

func template(name string, isCA bool) *x509.Certificate {
	of := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  isCA,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
	if isCA {
		of.KeyUsage = x509.KeyUsageCertSign
	} else {
		of.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return of
}

// issue signs a certificate. Without an issuer it stands for itself.
func issue(of, issuer *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	if issuer == nil {
		issuer = of
	}
	der, err := x509.CreateCertificate(rand.Reader, of, issuer, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
