package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// The kinds of key that tests go through; larger moduli take too long to make.
var specs = []KeySpec{
	{Algorithm: clm.RSA, Bits: 1024},
	{Algorithm: clm.RSA, Bits: 2048},
	{Algorithm: clm.ECC, Curve: clm.P256},
	{Algorithm: clm.ECC, Curve: clm.P384},
	{Algorithm: clm.ECC, Curve: clm.P521},
}

// testKeys makes one key of each kind for the whole run.
var testKeys = sync.OnceValue(func() map[KeySpec]crypto.Signer {
	keys := map[KeySpec]crypto.Signer{}
	for _, spec := range specs {
		key, err := GenerateKey(spec)
		if err != nil {
			panic(err)
		}
		keys[spec] = key
	}
	return keys
})

func rsaKey() crypto.Signer { return testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 2048}] }
func eccKey() crypto.Signer { return testKeys()[KeySpec{Algorithm: clm.ECC, Curve: clm.P256}] }

// A newCert is what a certificate for a test is made from.
type newCert struct {
	names  clm.Names
	key    crypto.Signer
	serial *big.Int
	isCA   bool
	edit   func(*x509.Certificate)
	issuer *x509.Certificate // nil: itself
	by     crypto.Signer
}

func (n newCert) make(t testing.TB) *x509.Certificate {
	t.Helper()
	subject, err := Subject(n.names)
	if err != nil {
		t.Fatal(err)
	}
	ext, has, err := AlternativeNames(n.names)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		RawSubject:            subject,
		SerialNumber:          n.serial,
		NotBefore:             time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:                  n.isCA,
		BasicConstraintsValid: true,
	}
	if has {
		template.ExtraExtensions = append(template.ExtraExtensions, ext)
	}
	if n.serial == nil {
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
	}
	if n.edit != nil {
		n.edit(template)
	}
	issuer, by := n.issuer, n.by
	if issuer == nil {
		issuer, by = template, n.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, n.key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
