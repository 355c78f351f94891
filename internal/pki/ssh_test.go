package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/clm"
)

// sshKinds are the algorithms that tests go through; RSA of 2048 bits, because
// larger moduli take too long to make.
var sshKinds = []string{"RSA2048", "ED25519", "ECDSA256", "ECDSA384", "ECDSA521"}

// sshKeys makes two keys of each kind for the whole run: one to be certified and
// one of a CA.
var sshKeys = sync.OnceValue(func() map[string][2]crypto.Signer {
	keys := map[string][2]crypto.Signer{}
	for _, kind := range sshKinds {
		var pair [2]crypto.Signer
		for i := range pair {
			key, err := GenerateSSHKey(kind)
			if err != nil {
				panic(err)
			}
			pair[i] = key
		}
		keys[kind] = pair
	}
	return keys
})

func sshUser(kind string) crypto.Signer { return sshKeys()[kind][0] }
func sshCA(kind string) crypto.Signer   { return sshKeys()[kind][1] }

func mustSSHPublic(t testing.TB, key crypto.Signer, comment string) string {
	t.Helper()
	line, err := EncodeSSHPublicKey(key.Public(), comment)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// A public key that was written reads as itself, with its comment, and OpenSSH
// prints the same fingerprint of it.
func TestSSHPublicKeysAreOpenSSHs(t *testing.T) {
	for _, kind := range sshKinds {
		for _, comment := range []string{"", "alice", "alice@host  of the Bücher"} {
			t.Run(kind+" "+comment, func(t *testing.T) {
				key := sshUser(kind)
				line := mustSSHPublic(t, key, comment)
				pub, got, err := ParseSSHPublicKey(line + "\r\n")
				if err != nil || got != comment || !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
					t.Fatalf("got %v, %q, %v", pub, got, err)
				}
				out := tool(t, "ssh-keygen", nil, "-l", "-f", inFile(t, []byte(line+"\n")))
				if want := " SHA256:" + SSHFingerprint(key.Public()) + " "; !strings.Contains(out, want) {
					t.Errorf("got %s, want %s", out, want)
				}
			})
		}
	}
}

// What is not a plain, strong key on one line is refused.
func TestBadSSHPublicKeysAreRefused(t *testing.T) {
	good := mustSSHPublic(t, sshUser("ED25519"), "alice")
	kind, rest, _ := strings.Cut(good, " ")
	encoded, _, _ := strings.Cut(rest, " ")
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                      {"", ErrNotSSHKey},
		"a type only":                  {kind, ErrNotSSHKey},
		"a key without a type":         {encoded, ErrNotSSHKey},
		"another type":                 {"ssh-rsa " + rest, ErrNotSSHKey},
		"an option":                    {"restrict " + good, ErrNotSSHKey},
		"an option with a value":       {`command="x" ` + good, ErrNotSSHKey},
		"a CA's marker":                {"@cert-authority * " + good, ErrNotSSHKey},
		"two lines":                    {good + "\n" + good, ErrNotSSHKey},
		"two lines without a comment":  {kind + " " + encoded + "\n" + good, ErrNotSSHKey},
		"a line before":                {"# a key\n" + good, ErrNotSSHKey},
		"a line end in the key":        {kind + " " + encoded[:8] + "\n" + encoded[8:], ErrNotSSHKey},
		"a zero byte in the comment":   {good + "\x00", ErrNotSSHKey},
		"a comment that is not UTF-8":  {good + "\xff", ErrNotSSHKey},
		"a long comment":               {good + strings.Repeat("x", maxSSHComment), ErrNotSSHKey},
		"a long line":                  {good + strings.Repeat(" ", maxSSHLine), ErrTooLarge},
		"bad base64":                   {kind + " " + encoded + "!", ErrNotSSHKey},
		"half a key":                   {kind + " " + base64.StdEncoding.EncodeToString(blob[:len(blob)-1]), ErrNotSSHKey},
		"more than a key":              {kind + " " + base64.StdEncoding.EncodeToString(append(blob, 0)), ErrNotSSHKey},
		"a certificate":                {mustSignSSH(t, sshOrder("ED25519"), "ED25519"), ErrNotSSHKey},
		"a private key":                {string(mustSSHPrivate(t, sshUser("ED25519"), "", "")), ErrNotSSHKey},
		"RSA of 1024 bits":             {sshLine(mustSSH(t, testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}].Public()), ""), ErrUnsupportedKey},
		"DSA":                          {dsaKey(), ErrUnsupportedKey},
		"a key of a hardware token":    {tokenKey(), ErrUnsupportedKey},
		"a modulus with leading zeros": {paddedRSA(t), ErrNotSSHKey},
	} {
		t.Run(name, func(t *testing.T) {
			if pub, _, err := ParseSSHPublicKey(c.text); pub != nil || !errors.Is(err, c.want) {
				t.Errorf("got %v, %v, want %v", pub, err, c.want)
			}
		})
	}
}

func mustSSH(t testing.TB, pub crypto.PublicKey) ssh.PublicKey {
	t.Helper()
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// dsaKey is the line of a DSA key, which nothing here can make.
func dsaKey() string {
	const kind = "ssh-dss"
	p, q := append([]byte{0, 0x80}, make([]byte, 127)...), append([]byte{0, 0x80}, make([]byte, 19)...)
	blob := ssh.Marshal(struct {
		Kind       string
		P, Q, G, Y []byte
	}{kind, p, q, []byte{2}, []byte{4}})
	return kind + " " + base64.StdEncoding.EncodeToString(blob)
}

// tokenKey is the line of an Ed25519 key that is kept in a hardware token.
func tokenKey() string {
	blob := ssh.Marshal(struct {
		Kind, Key, Application string
	}{ssh.KeyAlgoSKED25519, strings.Repeat("k", 32), "ssh:"})
	return ssh.KeyAlgoSKED25519 + " " + base64.StdEncoding.EncodeToString(blob)
}

// paddedRSA is the line of an RSA key whose modulus is not written as short as can be.
func paddedRSA(t testing.TB) string {
	t.Helper()
	n := sshUser("RSA2048").Public()
	var plain struct {
		Kind string
		E, N []byte
	}
	if err := ssh.Unmarshal(mustSSH(t, n).Marshal(), &plain); err != nil {
		t.Fatal(err)
	}
	plain.N = append([]byte{0}, plain.N...)
	return ssh.KeyAlgoRSA + " " + base64.StdEncoding.EncodeToString(ssh.Marshal(plain))
}

// What cannot be read is not written either.
func TestBadSSHPublicKeysAreNotWritten(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := sshUser("ED25519").Public()
	for name, c := range map[string]struct {
		key     crypto.PublicKey
		comment string
		want    error
	}{
		"a weak key":                  {testKeys()[KeySpec{Algorithm: clm.RSA, Bits: 1024}].Public(), "", ErrUnsupportedKey},
		"a curve that SSH lacks":      {p224.Public(), "", ErrUnsupportedKey},
		"no key":                      {nil, "", ErrUnsupportedKey},
		"a comment with a second key": {good, "alice\nssh-rsa AAAA", ErrNotSSHKey},
		"a long comment":              {good, strings.Repeat("x", maxSSHComment+1), ErrNotSSHKey},
	} {
		t.Run(name, func(t *testing.T) {
			if line, err := EncodeSSHPublicKey(c.key, c.comment); line != "" || !errors.Is(err, c.want) {
				t.Errorf("got %q, %v, want %v", line, err, c.want)
			}
		})
	}
	if got := SSHFingerprint(p224.Public()); got != "" {
		t.Errorf("a key that SSH lacks has the fingerprint %q", got)
	}
}

// No line makes us panic, and a key that was read can be written and reads the same.
func FuzzParseSSHPublicKey(f *testing.F) {
	for _, kind := range sshKinds {
		f.Add(mustSSHPublic(f, sshUser(kind), "alice"))
	}
	f.Add(tokenKey())
	f.Add(mustSignSSH(f, sshOrder("ED25519"), "ED25519"))
	f.Fuzz(func(t *testing.T, text string) {
		pub, comment, err := ParseSSHPublicKey(text)
		if err != nil {
			oneOf(t, err, ErrNotSSHKey, ErrUnsupportedKey)
			return
		}
		line, err := EncodeSSHPublicKey(pub, comment)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := ParseSSHPublicKey(line)
		if err != nil || SSHFingerprint(again) != SSHFingerprint(pub) {
			t.Fatalf("got %v, %v", again, err)
		}
	})
}
