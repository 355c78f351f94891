package pki

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"

	"github.com/certwright/certwright/internal/clm"
)

const password = "newPassw0rd!"

// threeCerts makes a leaf for the key with an intermediate and a root above it.
func threeCerts(t testing.TB, key crypto.Signer) Bundle {
	t.Helper()
	root := newCert{names: clm.Names{CommonName: "Root", Country: "US"}, key: eccKey(), isCA: true}.make(t)
	middle := newCert{names: clm.Names{CommonName: "Issuing", Organization: "Venafi, Inc."}, key: eccKey(), isCA: true,
		issuer: root, by: eccKey()}.make(t)
	leaf := newCert{names: fullNames, key: key, issuer: middle, by: eccKey()}.make(t)
	return Bundle{Cert: leaf.Raw, Chain: [][]byte{middle.Raw, root.Raw}, Key: key, Password: []byte(password)}
}

// outline reduces PEM to one word for each thing in it: the header lines as they
// are, blocks by their label and, for certificates, common name, "" for empty lines.
func outline(t *testing.T, text []byte) []string {
	t.Helper()
	var out []string
	for len(text) > 0 {
		if bytes.HasPrefix(text, []byte("-----BEGIN ")) {
			block, rest := pem.Decode(text)
			if block == nil {
				t.Fatalf("no PEM block at:\n%s", text)
			}
			word := block.Type
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				word = cert.Subject.CommonName
			}
			out, text = append(out, word), rest
			continue
		}
		line, rest, found := bytes.Cut(text, []byte("\r\n"))
		if !found {
			t.Fatalf("a line is not ended: %q", line)
		}
		out, text = append(out, string(line)), rest
	}
	return out
}

// The order of the parts, the lines above them and the empty lines are what
// clients take apart.
func TestLayout(t *testing.T) {
	full := threeCerts(t, rsaKey())
	leafSubject := `subject=CN=www.example.com, OU=Quality Assurance, OU=Engineering, O="Venafi, Inc.", L=Zürich, S=Utah, C=US`
	leafIssuer := `issuer=CN=Issuing, O="Venafi, Inc."`
	middle := []string{`subject=CN=Issuing, O="Venafi, Inc."`, "issuer=CN=Root, C=US", "Issuing", ""}
	root := []string{"subject=CN=Root, C=US", "issuer=CN=Root, C=US", "Root", ""}
	leaf := []string{leafSubject, leafIssuer, "www.example.com", ""}
	without := func(edit func(*Bundle)) Bundle { b := full; edit(&b); return b }
	for name, c := range map[string]struct {
		bundle  Bundle
		options PEMOptions
		want    []string
	}{
		"the leaf alone": {
			without(func(b *Bundle) { b.Chain, b.Key = nil, nil }), PEMOptions{},
			[]string{"www.example.com"},
		},
		"root first means nothing for the leaf alone": {
			without(func(b *Bundle) { b.Chain, b.Key = nil, nil }), PEMOptions{RootFirst: true},
			[]string{"www.example.com"},
		},
		"leaf and key": {
			without(func(b *Bundle) { b.Chain = nil }), PEMOptions{},
			[]string{"www.example.com", "RSA PRIVATE KEY"},
		},
		"leaf and key, root first": {
			without(func(b *Bundle) { b.Chain = nil }), PEMOptions{RootFirst: true},
			[]string{"www.example.com", "RSA PRIVATE KEY"},
		},
		"chain": {
			without(func(b *Bundle) { b.Key = nil }), PEMOptions{},
			slices.Concat(leaf, middle, root),
		},
		"chain, root first": {
			without(func(b *Bundle) { b.Key = nil }), PEMOptions{RootFirst: true},
			slices.Concat(root, middle, leaf),
		},
		"everything": {
			full, PEMOptions{PKCS8: true},
			slices.Concat(leaf, []string{"ENCRYPTED PRIVATE KEY", ""}, middle, root),
		},
		"everything, root first": {
			full, PEMOptions{RootFirst: true},
			slices.Concat(root, middle, leaf, []string{"RSA PRIVATE KEY", ""}),
		},
		"a friendly name stands above leaf and key": {
			without(func(b *Bundle) { b.FriendlyName = "shop" }), PEMOptions{},
			slices.Concat([]string{"friendlyName: shop"}, leaf, []string{"friendlyName: shop", "RSA PRIVATE KEY", ""}, middle, root),
		},
		"a friendly name without a chain": {
			without(func(b *Bundle) { b.FriendlyName, b.Chain = "shop", nil }), PEMOptions{},
			[]string{"friendlyName: shop", "www.example.com", "friendlyName: shop", "RSA PRIVATE KEY"},
		},
		"a friendly name that would be a block of its own": {
			without(func(b *Bundle) { b.FriendlyName, b.Chain, b.Key = "a\r\n-----BEGIN CERTIFICATE-----", nil, nil }), PEMOptions{},
			[]string{"friendlyName: a  - - - - - BEGIN CERTIFICATE- - - - - ", "www.example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := EncodePEM(c.bundle, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := outline(t, text); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Every line ends in CRLF and none of the base64 is longer than 64 characters.
func TestLinesAreCRLFAnd64Wide(t *testing.T) {
	b := threeCerts(t, rsaKey())
	b.FriendlyName = "shop"
	for _, o := range []PEMOptions{{}, {PKCS8: true}, {RootFirst: true}} {
		text, err := EncodePEM(b, o)
		if err != nil {
			t.Fatal(err)
		}
		if bare := regexp.MustCompile(`[^\r]\n|\r[^\n]`).Find(text); bare != nil {
			t.Errorf("%+v: a line ends in less than CRLF: %q", o, bare)
		}
		for _, line := range strings.Split(string(text), "\r\n") {
			if isBase64 := !strings.ContainsAny(line, " :-"); isBase64 && len(line) > 64 {
				t.Errorf("%+v: %q has %d characters", o, line, len(line))
			}
		}
	}
}

// The bytes of the simplest file are those that a server of the vendor sends.
func TestPlainCertificateToTheByte(t *testing.T) {
	b := threeCerts(t, eccKey())
	text, err := EncodePEM(Bundle{Cert: b.Cert}, PEMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(asPEM("CERTIFICATE", b.Cert), "\n", "\r\n")
	if string(text) != want {
		t.Errorf("got  %q\nwant %q", text, want)
	}
}

// What is not a certificate cannot be handed out with a chain.
func TestChainMustBeCertificates(t *testing.T) {
	b := threeCerts(t, eccKey())
	if _, err := EncodePEM(Bundle{Cert: []byte("x"), Chain: b.Chain}, PEMOptions{}); err == nil {
		t.Error("a leaf that is no certificate was accepted")
	}
	if _, err := EncodePEM(Bundle{Cert: b.Cert, Chain: [][]byte{{1}}}, PEMOptions{}); err == nil {
		t.Error("a chain that is none was accepted")
	}
}

// No key leaves in the clear.
func TestKeyNeedsAPassword(t *testing.T) {
	b := threeCerts(t, eccKey())
	b.Password = nil
	for _, o := range []PEMOptions{{}, {PKCS8: true}} {
		if text, err := EncodePEM(b, o); !errors.Is(err, ErrNoPassword) || text != nil {
			t.Errorf("%+v: got %q, %v, want %v", o, text, err, ErrNoPassword)
		}
	}
}

// Keys that a format cannot hold are refused.
func TestKeyThatTheFormatCannotHold(t *testing.T) {
	b := threeCerts(t, eccKey())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b.Key = ed
	if _, err := EncodePEM(b, PEMOptions{}); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("traditional: got %v, want %v", err, ErrUnsupportedKey)
	}
	b.Key = struct{ crypto.Signer }{ed}
	if _, err := EncodePEM(b, PEMOptions{PKCS8: true}); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("PKCS #8: got %v, want %v", err, ErrUnsupportedKey)
	}
}

// openssl opens our keys with the password, not without it, and they are the
// keys of the certificates beside them.
func TestOpensslOpensOurKeys(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		for _, isPKCS8 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, PKCS #8 %v", spec, isPKCS8), func(t *testing.T) {
				text, err := EncodePEM(threeCerts(t, key), PEMOptions{PKCS8: isPKCS8})
				if err != nil {
					t.Fatal(err)
				}
				read := []string{map[string]string{clm.RSA: "rsa", clm.ECC: "ec"}[spec.Algorithm], "-pubout"}
				if isPKCS8 {
					plain := openssl(t, text, "pkcs8", "-passin", "pass:"+password)
					if got := openssl(t, []byte(plain), "pkey", "-pubout"); !isKeyOf(t, got, key) {
						t.Error("openssl pkcs8 finds another key")
					}
				}
				if got := openssl(t, text, append(read, "-passin", "pass:"+password)...); !isKeyOf(t, got, key) {
					t.Errorf("openssl %v finds another key", read)
				}
				if out, err := tryOpenssl(t, text, append(read, "-passin", "pass:wrong")...); err == nil {
					t.Errorf("a wrong password opens the key:\n%s", out)
				}
				if got := openssl(t, text, "x509", "-noout", "-pubkey"); !isKeyOf(t, got, key) {
					t.Error("openssl x509 finds another certificate first")
				}
			})
		}
	}
}

// isKeyOf reports whether output contains the public key of key.
func isKeyOf(t *testing.T, output string, key crypto.Signer) bool {
	t.Helper()
	block, _ := pem.Decode([]byte(output[max(strings.Index(output, "-----BEGIN"), 0):]))
	return block != nil && slices.Equal(hashOf(block.Bytes), PublicKeyHash(key.Public()))
}

// The encryption of each form is what was promised.
func TestHowKeysAreEncrypted(t *testing.T) {
	b := threeCerts(t, eccKey())
	b.Chain = nil
	text, err := EncodePEM(b, PEMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if head := regexp.MustCompile("-----BEGIN EC PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,[0-9a-fA-F]{32}\r\n\r\n[A-Za-z0-9+/]"); !head.Match(text) {
		t.Errorf("traditional key: got\n%s", text)
	}
	text, err = EncodePEM(b, PEMOptions{PKCS8: true})
	if err != nil {
		t.Fatal(err)
	}
	_, rest := pem.Decode(text)
	block, _ := pem.Decode(rest)
	out := openssl(t, block.Bytes, "asn1parse", "-inform", "DER")
	for _, want := range []string{":PBES2", ":PBKDF2", ":hmacWithSHA256", ":aes-256-cbc", fmt.Sprintf(":%06X", kdfRounds)} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing from:\n%s", want, out)
		}
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	if signer, ok := key.(crypto.Signer); !ok || !isKeyOf(t, asPEM("PUBLIC KEY", mustSPKI(t, signer)), eccKey()) {
		t.Error("another key came out")
	}
}

func mustSPKI(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// openssl finds the whole chain, in either order, and verifies it.
func TestOpensslVerifiesOurChain(t *testing.T) {
	b := threeCerts(t, rsaKey())
	b.Key = nil
	for _, rootFirst := range []bool{false, true} {
		text, err := EncodePEM(b, PEMOptions{RootFirst: rootFirst})
		if err != nil {
			t.Fatal(err)
		}
		leaf := inFile(t, []byte(asPEM("CERTIFICATE", b.Cert)))
		root := inFile(t, []byte(asPEM("CERTIFICATE", b.Chain[1])))
		out := openssl(t, nil, "verify", "-CAfile", root, "-untrusted", inFile(t, text), leaf)
		if !strings.Contains(out, ": OK") {
			t.Errorf("root first %v: %s", rootFirst, out)
		}
	}
}

// A bundle that is logged by mistake shows neither its key nor its password.
func TestBundleIsNotShown(t *testing.T) {
	b := threeCerts(t, rsaKey())
	wrapped := struct{ B Bundle }{b}
	asJSON, err := json.Marshal(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(b), fmt.Sprintf("%+v", wrapped), fmt.Sprintf("%#v %x %s %q %d", b, b, &b, b, b), string(asJSON)} {
		if strings.Contains(got, password) || strings.Contains(got, "112 97") || !strings.Contains(got, "[bundle]") {
			t.Errorf("got %s", got)
		}
	}
}
