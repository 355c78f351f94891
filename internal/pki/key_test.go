package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// A key is of the kind that was asked for, and survives being written down.
func TestKeysAreAsAskedFor(t *testing.T) {
	for spec, key := range testKeys() {
		t.Run(spec.String(), func(t *testing.T) {
			if got := SpecOf(key.Public()); got != spec {
				t.Errorf("got %v, want %v", got, spec)
			}
			der, err := MarshalKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseKey(der)
			if err != nil {
				t.Fatal(err)
			}
			if !again.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
				t.Error("the key that was read is not the key that was written")
			}
		})
	}
}

// What cannot be made is refused before anything is tried.
func TestUnsupportedKeysAreRefused(t *testing.T) {
	for name, spec := range map[string]KeySpec{
		"nothing":              {},
		"modulus too small":    {Algorithm: clm.RSA, Bits: 512},
		"modulus not listed":   {Algorithm: clm.RSA, Bits: 2047},
		"modulus too large":    {Algorithm: clm.RSA, Bits: 16384},
		"RSA without bits":     {Algorithm: clm.RSA, Curve: clm.P256},
		"ECC without a curve":  {Algorithm: clm.ECC, Bits: 256},
		"curve not supported":  {Algorithm: clm.ECC, Curve: "P224"},
		"algorithm not known":  {Algorithm: "DSA", Bits: 2048},
		"lower case is not it": {Algorithm: "rsa", Bits: 2048},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := GenerateKey(spec); !errors.Is(err, ErrUnsupportedKey) {
				t.Errorf("got %v, want %v", err, ErrUnsupportedKey)
			}
		})
	}
}

// Every size that is offered is one that policy can name.
func TestOfferedSizes(t *testing.T) {
	for _, bits := range []int{1024, 2048, 3072, 4096, 8192} {
		if err := (KeySpec{Algorithm: clm.RSA, Bits: bits}).Check(); err != nil {
			t.Errorf("RSA %d: %v", bits, err)
		}
	}
}

// Keys of other kinds are described, so that foreign certificates can be shown.
func TestForeignKeysAreDescribed(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]KeySpec{"ECC P224": SpecOf(p224.Public()), "Ed25519": SpecOf(ed), "": SpecOf("no key")} {
		if got.String() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What is no key is refused, and the error repeats none of it.
func TestParseKeyErrorsKeepQuiet(t *testing.T) {
	der, err := MarshalKey(eccKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"empty": nil, "cut off": der[:len(der)-20], "text": []byte("hunter2hunter2")} {
		_, err := ParseKey(bad)
		if !errors.Is(err, ErrUnsupportedKey) {
			t.Errorf("%s: got %v, want %v", name, err, ErrUnsupportedKey)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key, its request and its certificate have the same hash, which is what
// openssl says it is; a certificate matches its key and no other.
func TestKeyRequestAndCertificateShareTheHash(t *testing.T) {
	other, err := GenerateKey(KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if err != nil {
		t.Fatal(err)
	}
	for spec, key := range testKeys() {
		t.Run(spec.String(), func(t *testing.T) {
			names := clm.Names{CommonName: "www.example.com"}
			der, err := CreateCSR(names, key)
			if err != nil {
				t.Fatal(err)
			}
			csr, err := ParseCSRDER(der)
			if err != nil {
				t.Fatal(err)
			}
			cert := newCert{names: names, key: key}.make(t)
			want := PublicKeyHash(key.Public())
			for from, got := range map[string][]byte{"request": csr.KeyHash, "certificate": Describe(cert).KeyHash} {
				if !slices.Equal(got, want) {
					t.Errorf("hash from the %s: got %x, want %x", from, got, want)
				}
			}
			if !Matches(cert, key) {
				t.Error("the certificate does not match its own key")
			}
			if Matches(cert, other) {
				t.Error("the certificate matches another key")
			}
			pub := openssl(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), "req", "-pubkey", "-noout")
			block, _ := pem.Decode([]byte(pub))
			if sum := sha256.Sum256(block.Bytes); hex.EncodeToString(sum[:]) != hex.EncodeToString(want) {
				t.Errorf("openssl: got %x, want %x", sum, want)
			}
		})
	}
	if PublicKeyHash("no key") != nil {
		t.Error("what is no key has a hash")
	}
}

// A key on a curve that is not supported is refused when it is read, not later.
func TestParseKeyRefusesWhatCannotBeUsed(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p224)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseKey(der); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("got %v, want %v", err, ErrUnsupportedKey)
	}
}
