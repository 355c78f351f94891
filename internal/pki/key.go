package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// A KeySpec says what a key is like: an algorithm and, for RSA, the bits of the
// modulus or, for ECC, the curve, in the words of package clm.
type KeySpec struct {
	Algorithm string
	Bits      int
	Curve     string
}

// The RSA moduli, in bits, that GenerateKey makes, and the bounds of those that
// may come from outside. Below 1024 Go refuses to sign and verify.
var rsaSizes = []int{1024, 2048, 3072, 4096, 8192}

const (
	minRSABits = 1024
	maxRSABits = 16384
)

// curves are the elliptic curves of ECC keys (FIPS 186-5).
var curves = map[string]elliptic.Curve{
	clm.P256: elliptic.P256(),
	clm.P384: elliptic.P384(),
	clm.P521: elliptic.P521(),
}

// String names the kind of key for people: "RSA 2048", "ECC P256".
func (s KeySpec) String() string {
	if s.Algorithm == clm.RSA {
		return fmt.Sprintf("%s %d", s.Algorithm, s.Bits)
	}
	return strings.TrimSpace(s.Algorithm + " " + s.Curve)
}

// RSASizeFor is the least size of an RSA key made here that is not below bits, or
// the largest there is.
func RSASizeFor(bits int) int {
	for _, size := range rsaSizes {
		if size >= bits {
			return size
		}
	}
	return rsaSizes[len(rsaSizes)-1]
}

// Size is the size of the key in bits; of one on a curve, that of the curve.
func (s KeySpec) Size() int {
	if s.Bits != 0 {
		return s.Bits
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s.Curve, "P"))
	if err != nil {
		return 0
	}
	return n
}

// Check fails with ErrUnsupportedKey when GenerateKey could not make such a key.
func (s KeySpec) Check() error {
	switch {
	case s.Algorithm == clm.RSA && slices.Contains(rsaSizes, s.Bits):
		return nil
	case s.Algorithm == clm.ECC && curves[s.Curve] != nil:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnsupportedKey, s)
}

// GenerateKey makes a key. It fails with ErrUnsupportedKey when spec is not of
// those that Check accepts.
func GenerateKey(spec KeySpec) (crypto.Signer, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if spec.Algorithm == clm.RSA {
		return rsa.GenerateKey(rand.Reader, spec.Bits)
	}
	return ecdsa.GenerateKey(curves[spec.Curve], rand.Reader)
}

// SpecOf says what a public key is like. It also describes keys that are not
// supported here; of a kind of key that is not known it says nothing.
func SpecOf(pub crypto.PublicKey) KeySpec {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return KeySpec{Algorithm: clm.RSA, Bits: k.N.BitLen()}
	case *ecdsa.PublicKey:
		return KeySpec{Algorithm: clm.ECC, Curve: strings.ReplaceAll(k.Curve.Params().Name, "-", "")}
	case ed25519.PublicKey:
		return KeySpec{Algorithm: "Ed25519"}
	}
	return KeySpec{}
}

// checkForeign fails with ErrUnsupportedKey when a key that was made elsewhere
// cannot be dealt with here. It is laxer than Check about the size of a modulus.
func (s KeySpec) checkForeign() error {
	if s.Algorithm == clm.RSA && s.Bits >= minRSABits && s.Bits <= maxRSABits {
		return nil
	}
	return s.Check()
}

// MarshalKey encodes a private key as PKCS #8, DER (RFC 5958), not encrypted.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, key)
	}
	return der, nil
}

// ParseKey decodes what MarshalKey encoded. Its errors do not repeat any of it.
func ParseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: not PKCS #8", ErrUnsupportedKey)
	}
	return supported(key)
}

// supported is the key if it is of a kind that can be dealt with here.
func supported(key any) (crypto.Signer, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %T cannot sign", ErrUnsupportedKey, key)
	}
	if err := SpecOf(signer.Public()).checkForeign(); err != nil {
		return nil, err
	}
	return signer, nil
}

// PublicKeyHash is the SHA-256 over the key's SubjectPublicKeyInfo (RFC 5280,
// section 4.1.2.7): the same for a key, its requests and its certificates. It is
// nil for a key that has no such form.
func PublicKeyHash(pub crypto.PublicKey) []byte {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil
	}
	return hashOf(spki)
}

// Matches reports whether the certificate is for this key.
func Matches(cert *x509.Certificate, key crypto.Signer) bool {
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(cert.PublicKey)
}

func hashOf(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:]
}
