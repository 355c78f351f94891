package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/clm"
)

const (
	passphrase = "correct horse, battery: staple"
	sshLabel   = "OPENSSH PRIVATE KEY"
)

func mustSSHPrivate(t testing.TB, key crypto.Signer, comment, passphrase string) []byte {
	t.Helper()
	text, err := EncodeSSHPrivateKey(key, comment, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every name of an algorithm is known, whatever the spelling, and makes such a key.
func TestSSHKeysAreMadeByName(t *testing.T) {
	for name, want := range map[string]KeySpec{
		"RSA2048":   {Algorithm: clm.RSA, Bits: 2048},
		"rsa 3072":  {Algorithm: clm.RSA, Bits: 3072},
		"":          {Algorithm: clm.RSA, Bits: 4096},
		"Ed25519":   {Algorithm: "Ed25519"},
		"ecdsa-256": {Algorithm: clm.ECC, Curve: clm.P256},
		"p_256":     {Algorithm: clm.ECC, Curve: clm.P256},
		"ECDSA384":  {Algorithm: clm.ECC, Curve: clm.P384},
		"P384":      {Algorithm: clm.ECC, Curve: clm.P384},
		"ECDSA521":  {Algorithm: clm.ECC, Curve: clm.P521},
		"P521":      {Algorithm: clm.ECC, Curve: clm.P521},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := SSHKeySpec(name); got != want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
			if want.Bits > 2048 {
				return // they take too long to make
			}
			if key, err := GenerateSSHKey(name); err != nil || SpecOf(key.Public()) != want {
				t.Errorf("got %v, %v, want %v", key, err, want)
			}
		})
	}
	for _, name := range []string{"RSA", "RSA1024", "RSA16384", "DSA", "P224", "Ed448", strings.Repeat("x", 100)} {
		if key, err := GenerateSSHKey(name); key != nil || !errors.Is(err, ErrUnsupportedKey) {
			t.Errorf("%s: got %v, %v, want %v", name, key, err, ErrUnsupportedKey)
		}
	}
}

// A private key opens with its passphrase and no other, here and in ssh-keygen.
func TestSSHPrivateKeysAreOpenSSHs(t *testing.T) {
	for _, kind := range sshKinds {
		for _, c := range []struct{ name, passphrase, given, wrong string }{
			{"plain", "", "", ""},
			{"plain but opened with a passphrase", "", passphrase, ""},
			{"encrypted", passphrase, passphrase, "wrong"},
			{"encrypted with a passphrase beyond ASCII", "pä ß", "pä ß", ""},
		} {
			if isCurve := strings.HasPrefix(kind, "ECDSA"); isCurve && c.passphrase != "" {
				continue // encrypting is slow, and the same for all
			}
			t.Run(kind+" "+c.name, func(t *testing.T) {
				t.Parallel()
				key := sshUser(kind)
				text := mustSSHPrivate(t, key, "alice", c.passphrase)
				got, err := ParseSSHPrivateKey(text, []byte(c.given))
				if err != nil || !isSameKey(got, key) {
					t.Fatalf("got %v", err)
				}
				out := tool(t, "ssh-keygen", nil, "-y", "-P", c.passphrase, "-f", inFile(t, text))
				if want := mustSSHPublic(t, key, "alice"); strings.TrimSpace(out) != want {
					t.Errorf("got %s, want %s", out, want)
				}
				if c.passphrase == "" {
					return
				}
				if _, err := ParseSSHPrivateKey(text, []byte(c.wrong)); !errors.Is(err, ErrBadKey) {
					t.Errorf("with %q it fails with %v, want %v", c.wrong, err, ErrBadKey)
				}
				if out, err := tryTool(t, "ssh-keygen", nil, "-y", "-P", "wrong", "-f", inFile(t, text)); err == nil {
					t.Errorf("another passphrase opens it: %s", out)
				}
			})
		}
	}
}

// Keys that were made by ssh-keygen and OpenSSL are read, whatever their form.
func TestForeignSSHPrivateKeysAreRead(t *testing.T) {
	for name, args := range map[string][]string{
		"ed25519":           {"-t", "ed25519"},
		"ecdsa":             {"-t", "ecdsa", "-b", "521"},
		"many rounds":       {"-t", "ed25519", "-a", "40"},
		"cbc":               {"-t", "ed25519", "-Z", "aes256-cbc"},
		"traditional PEM":   {"-t", "rsa", "-b", "2048", "-m", "PEM"},
		"PKCS #8":           {"-t", "ecdsa", "-m", "PKCS8"},
		"a comment is left": {"-t", "ed25519", "-C", "a long comment " + strings.Repeat("x", 300)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			tool(t, "ssh-keygen", nil, append(args, "-q", "-N", passphrase, "-f", path)...)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			line, err := os.ReadFile(path + ".pub")
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
			key, err := ParseSSHPrivateKey(text, []byte(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			pub, _, err := ParseSSHPublicKey(string(line))
			if err != nil || SSHFingerprint(key.Public()) != SSHFingerprint(pub) {
				t.Errorf("got %s, %v, want %s", SSHFingerprint(key.Public()), err, SSHFingerprint(pub))
			}
		})
	}
}

// What is not a sound and strong private key is refused.
func TestBadSSHPrivateKeysAreRefused(t *testing.T) {
	whole := mustSSHPrivate(t, sshUser("ED25519"), "", "")
	block, _ := pem.Decode(whole)
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"nothing":                       {nil, ErrBadKey},
		"a public key":                  {[]byte(mustSSHPublic(t, sshUser("ED25519"), "")), ErrBadKey},
		"too long":                      {bytes.Repeat([]byte("A"), MaxKeySize+1), ErrTooLarge},
		"bad base64":                    {[]byte("-----BEGIN " + sshLabel + "-----\n!!\n-----END " + sshLabel + "-----\n"), ErrBadKey},
		"not of this form":              {asSSH([]byte("something else")), ErrBadKey},
		"half a key":                    {asSSH(block.Bytes[:len(block.Bytes)/2]), ErrBadKey},
		"a weak key":                    {foreignSSH(t, testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}]), ErrUnsupportedKey},
		"a weak key as PKCS #8":         {[]byte(asPEM("PRIVATE KEY", mustKey(t, Bundle{Key: testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}]}))), ErrUnsupportedKey},
		"halves of two keys":            {foreignSSH(t, mixedEd25519(t)), ErrBadKey},
		"a negative number":             {foreignSSH(t, negativeRSA()), ErrBadKey},
		"more rounds than are computed": {rounds(t, maxSSHRounds+1), ErrBadKey},
		"a huge key":                    {hugeSSH(), ErrBadKey},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ParseSSHPrivateKey(c.text, []byte(passphrase))
			if key != nil || !errors.Is(err, c.want) {
				t.Errorf("got %v, %v, want %v", key, err, c.want)
			}
			if c.want == ErrUnsupportedKey && !errors.Is(err, ErrBadKey) {
				t.Errorf("got %v, want it to be %v too", err, ErrBadKey)
			}
		})
	}
}

func asSSH(data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: sshLabel, Bytes: data})
}

// foreignSSH writes a key that EncodeSSHPrivateKey would refuse.
func foreignSSH(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func mixedEd25519(t *testing.T) crypto.Signer {
	t.Helper()
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seed := sshUser("ED25519").(ed25519.PrivateKey).Seed()
	return ed25519.PrivateKey(append(seed, other...))
}

// negativeRSA has both primes with the wrong sign, so that their product is right.
func negativeRSA() crypto.Signer {
	k := sshUser("RSA2048").(*rsa.PrivateKey)
	bad := &rsa.PrivateKey{PublicKey: k.PublicKey, D: k.D, Precomputed: k.Precomputed}
	for _, p := range k.Primes {
		bad.Primes = append(bad.Primes, new(big.Int).Neg(p))
	}
	return bad
}

// rounds is an encrypted key that claims to need so many rounds.
func rounds(t *testing.T, n uint32) []byte {
	t.Helper()
	block, _ := pem.Decode(mustSSHPrivate(t, sshUser("ED25519"), "", passphrase))
	var f sshKeyFile
	if err := ssh.Unmarshal(block.Bytes[len(sshKeyMagic):], &f); err != nil {
		t.Fatal(err)
	}
	f.KDFOptions = ssh.Marshal(struct {
		Salt   string
		Rounds uint32
	}{"salt of 16 bytes", n})
	return asSSH(append([]byte(sshKeyMagic), ssh.Marshal(f)...))
}

func hugeSSH() []byte {
	f := sshKeyFile{Cipher: "none", KDF: "none", Count: 1, Secret: make([]byte, maxSSHSecret+1)}
	return asSSH(append([]byte(sshKeyMagic), ssh.Marshal(f)...))
}

// A key that must not be used is not written either.
func TestBadSSHPrivateKeysAreNotWritten(t *testing.T) {
	k := sshUser("RSA2048").(*rsa.PrivateKey)
	threePrimes := &rsa.PrivateKey{PublicKey: k.PublicKey, D: k.D, Primes: append(k.Primes[:2:2], k.Primes[0])}
	for name, c := range map[string]struct {
		key     crypto.Signer
		comment string
		want    error
	}{
		"a weak key":           {testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}], "", ErrUnsupportedKey},
		"a key of many primes": {threePrimes, "", ErrUnsupportedKey},
		"a key kept elsewhere": {struct{ crypto.Signer }{k}, "", ErrUnsupportedKey},
		"a comment of 2 lines": {k, "a\nb", ErrNotSSHKey},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := EncodeSSHPrivateKey(c.key, c.comment, nil); text != nil || !errors.Is(err, c.want) {
				t.Errorf("got %d bytes, %v, want %v", len(text), err, c.want)
			}
		})
	}
}

// The largest key that is accepted elsewhere fits.
func TestLargeSSHPrivateKeysFit(t *testing.T) {
	const half = maxKeyBits / 16 // bytes of a prime
	secret := ssh.Marshal(struct {
		Check1, Check2            uint32
		Kind                      string
		N, E, D, Iqmp, P, Q, Note []byte
	}{
		Kind: ssh.KeyAlgoRSA, E: make([]byte, 3), Note: make([]byte, 255),
		N: make([]byte, 2*half+1), D: make([]byte, 2*half+1), Iqmp: make([]byte, half+1), P: make([]byte, half+1), Q: make([]byte, half+1),
	})
	if n := len(secret) + 16; n > maxSSHSecret {
		t.Errorf("it has %d bytes, more than %d", n, maxSSHSecret)
	}
}

// No key makes us panic, errors are of the kinds that are promised, and what was
// read can be written and signs.
func FuzzParseSSHPrivateKey(f *testing.F) {
	for _, kind := range []string{"RSA2048", "ED25519", "ECDSA256"} {
		f.Add(mustSSHPrivate(f, sshUser(kind), "alice", ""), []byte{})
	}
	f.Add(mustSSHPrivate(f, sshUser("ED25519"), "alice", "x"), []byte("x"))
	f.Add([]byte(base64.StdEncoding.EncodeToString(mustSSHPrivate(f, sshUser("ECDSA384"), "", ""))), []byte("x"))
	f.Fuzz(func(t *testing.T, text, passphrase []byte) {
		key, err := ParseSSHPrivateKey(text, passphrase)
		if err != nil {
			oneOf(t, err, ErrTooLarge, ErrBadKey)
			return
		}
		again, err := ParseSSHPrivateKey(mustSSHPrivate(t, key, "", ""), nil)
		if err != nil || !isSameKey(again, key) {
			t.Fatalf("got %v", err)
		}
		digest := make([]byte, crypto.SHA256.Size())
		if _, err := key.Sign(rand.Reader, digest, hashFor(key)); err != nil {
			t.Fatal(err)
		}
	})
}

// hashFor is the hash that a signature is asked for with: Ed25519 has its own.
func hashFor(key crypto.Signer) crypto.SignerOpts {
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
		return crypto.SHA256
	}
	return crypto.Hash(0)
}
