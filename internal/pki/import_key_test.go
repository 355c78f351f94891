package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// keyFiles are the ways in which openssl writes a key, given as PKCS #8.
var keyFiles = map[string][]string{
	"PKCS #8":                        {"pkcs8", "-topk8", "-nocrypt"},
	"traditional":                    {"pkey", "-traditional"},
	"PBES2 AES-256":                  {"pkcs8", "-topk8", "-passout", "pass:" + password},
	"PBES2 AES-128, SHA-1":           {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1", "-passout", "pass:" + password},
	"PBES2 AES-192, SHA-512":         {"pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA512", "-passout", "pass:" + password},
	"PBES2 3DES":                     {"pkcs8", "-topk8", "-v2", "des3", "-passout", "pass:" + password},
	"PBES2 scrypt":                   {"pkcs8", "-topk8", "-scrypt", "-passout", "pass:" + password},
	"PBES1 MD5 DES":                  {"pkcs8", "-topk8", "-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default", "-passout", "pass:" + password},
	"PBES1 SHA-1 DES":                {"pkcs8", "-topk8", "-v1", "PBE-SHA1-DES", "-provider", "legacy", "-provider", "default", "-passout", "pass:" + password},
	"PBE of PKCS #12, 3DES":          {"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-passout", "pass:" + password},
	"traditional, encrypted AES-256": {"pkey", "-traditional", "-aes256", "-passout", "pass:" + password},
	"traditional, encrypted AES-128": {"pkey", "-traditional", "-aes128", "-passout", "pass:" + password},
	"traditional, encrypted 3DES":    {"pkey", "-traditional", "-des3", "-passout", "pass:" + password},
}

// Every form of key that openssl writes is read, whatever happened to it on its
// way; if it is encrypted, with its password only.
func TestEveryFormOfKeyIsTakenIn(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		plain := []byte(asPEM("PRIVATE KEY", mustKey(t, Bundle{Key: key})))
		for form, args := range keyFiles {
			isEncrypted := slices.Contains(args, "-passout")
			if isEncrypted && spec.Bits != 2048 {
				continue // the kind of key makes no difference
			}
			t.Run(spec.String()+" "+form, func(t *testing.T) {
				t.Parallel()
				text := openssl(t, plain, args...)
				unharmed := armors(text)
				for way, mangle := range onTheWay {
					if got := armorsWithin(mangle(text)); !slices.Equal(got, unharmed) {
						t.Errorf("%s: got %v from:\n%s", way, got, text)
					}
				}
				block, _ := pem.Decode([]byte(text))
				for _, file := range []string{onTheWay["no line ends at all"](text), b64(block.Bytes)} {
					if block.Headers["DEK-Info"] != "" && !strings.Contains(file, "DEK-Info") {
						continue // bytes that mean nothing without the headers
					}
					if got, err := readKey([]byte(file), []byte(password)); err != nil || !isSameKey(got, key) {
						t.Errorf("got %v, %v from:\n%s", got, err, file)
					}
				}
				for _, wrong := range []string{"", "wrong"} {
					if got, err := readKey([]byte(text), []byte(wrong)); isEncrypted && !errors.Is(err, ErrBadKey) || !isEncrypted && err != nil {
						t.Errorf("password %q: got %v, %v", wrong, got, err)
					}
				}
			})
		}
	}
}

// The parameters of a curve, which openssl writes above a key, and certificates
// beside it are no hindrance.
func TestKeyAmongOtherThings(t *testing.T) {
	b := threeCerts(t, eccKey())
	text := asPEM("EC PARAMETERS", []byte{6, 8, 42}) + asPEMs(b.Cert) + asPEM("PRIVATE KEY", mustKey(t, b))
	if got, err := readKey([]byte(text), nil); err != nil || !isSameKey(got, b.Key) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Keys that cannot be dealt with are refused as such.
func TestImportsOfUnsupportedKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"Ed25519": asPEM("PRIVATE KEY", mustKey(t, Bundle{Key: ed})),
		"X25519":  openssl(t, nil, "genpkey", "-algorithm", "x25519"),
		"RSA 512": openssl(t, nil, "genrsa", "512"),
		"P-224":   openssl(t, nil, "ecparam", "-name", "secp224r1", "-genkey", "-noout"),
		"K-256":   openssl(t, nil, "ecparam", "-name", "secp256k1", "-genkey", "-noout"),
	}
	for name, text := range texts {
		if got, err := readKey([]byte(text), nil); !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, ErrBadKey)
		}
	}
}

// An RSA key that would take minutes to read is refused unread, also where it is
// encrypted.
func TestHugeKeysAreRefused(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 2*maxKeyBits)
	der := marshal([]*big.Int{new(big.Int), huge, big.NewInt(65537)})
	long := marshal([][]byte{make([]byte, maxKeyDER)})
	for _, der := range [][]byte{der, long, newLock([]byte(password), AES256).shroud(der)} {
		if _, err := readKey([]byte(b64(der)), []byte(password)); !errors.Is(err, ErrBadKey) || !strings.Contains(err.Error(), "bits") {
			t.Errorf("got %v, want %v for its bits", err, ErrBadKey)
		}
	}
	key, err := GenerateKey(KeySpec{Algorithm: clm.RSA, Bits: 4096})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readKey([]byte(b64(mustKey(t, Bundle{Key: key}))), nil); err != nil || !isSameKey(got, key) {
		t.Errorf("RSA 4096: got %v", err)
	}
}

// No key makes us panic, errors are of the kinds that are promised, and what was
// read can be written.
func FuzzReadKey(f *testing.F) {
	for _, key := range []Bundle{{Key: eccKey()}, {Key: rsaKey()}} {
		der := mustKey(f, key)
		key.Password = []byte(password)
		key.Cert = newCert{names: fullNames, key: key.Key}.make(f).Raw
		f.Add([]byte(asPEM("PRIVATE KEY", der)), []byte{})
		for _, o := range []PEMOptions{{}, {PKCS8: true}} {
			text, err := EncodePEM(key, o)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, []byte(password))
			f.Add([]byte(strings.ReplaceAll(string(text), "\r\n", "")), []byte(password))
		}
	}
	f.Fuzz(func(t *testing.T, text, password []byte) {
		key, err := readKey(text, password)
		if err != nil {
			oneOf(t, err, ErrTooLarge, ErrBadKey)
			return
		}
		again, err := ParseKey(mustKey(t, Bundle{Key: key}))
		if err != nil || !isSameKey(again, key) {
			t.Fatalf("got %v, %v", again, err)
		}
	})
}

// No encrypted key makes us panic or compute for long.
func FuzzUnlock(f *testing.F) {
	for _, c := range allCiphers {
		a, data := newLock([]byte(password), c)([]byte("secret"))
		f.Add(marshal(encryptedKey{a, data}))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := parseAnyKey(der, newOpener([]byte(password))); err != nil {
			oneOf(t, err, ErrBadKey)
		}
	})
}
