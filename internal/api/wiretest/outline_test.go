package wiretest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/smallstep/pkcs7"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// TestOutline shows lines, blocks, their headers, and what is not laid out as it
// should be.
func TestOutline(t *testing.T) {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")})
	wide := "-----BEGIN X-----\r\n" + strings.Repeat("AAAA", 17) + "\r\n-----END X-----\r\n"
	file := "friendlyName: y\r\n\r\n" + strings.ReplaceAll(string(key), "\n", "\r\n") + "end\n" + string(key) + wide
	want := "friendlyName: y\n.\nRSA PRIVATE KEY\n  Proc-Type: 4,ENCRYPTED\nend (no CRLF)\n" +
		"RSA PRIVATE KEY (no CRLF)\n  Proc-Type: 4,?\nX (not 64 columns)"
	vars := map[string]string{"file": base64.StdEncoding.EncodeToString([]byte(file))}
	Talk(t, txtar.Parse([]byte("-- outline file --\n"+want+"\n")), &Host{Handler: echo, Vars: vars})
}

// pair is a key and a certificate for it.
type pair struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, cert}
}

// TestOutlineOfKeys has a row for each format: what is in it, whose the key is, and
// that neither opens with another password.
func TestOutlineOfKeys(t *testing.T) {
	leaf, root := newPair(t, "leaf"), newPair(t, "root")
	for _, c := range []struct {
		name string
		file []byte
		how  []string
		want []string
	}{
		{"PEM", pemOf(t, leaf, leaf), []string{"pem", "key"}, []string{"CERTIFICATE leaf (no CRLF)", "ENCRYPTED PRIVATE KEY of leaf (no CRLF)"}},
		{"PEM with another's key", pemOf(t, leaf, root), []string{"pem", "key"}, []string{"CERTIFICATE leaf (no CRLF)", "ENCRYPTED PRIVATE KEY of no certificate here (no CRLF)"}},
		{"DER", leaf.cert.Raw, []string{"der"}, []string{"CERTIFICATE leaf"}},
		{"PKCS #7", pkcs7Of(t, leaf, root), []string{"pkcs7"}, []string{"CERTIFICATE leaf", "CERTIFICATE root"}},
		{"PKCS #12", pkcs12Of(t, leaf, root), []string{"pkcs12", "key"}, []string{"CERTIFICATE leaf", "CERTIFICATE root", "PRIVATE KEY of leaf"}},
		{"JKS", jksOf(t, leaf, leaf), []string{"jks", "store!", "key"}, []string{"alias a", "PRIVATE KEY of leaf", "CERTIFICATE leaf", "trusted alias b", "CERTIFICATE leaf"}},
		{"JKS with another's key", jksOf(t, leaf, root), []string{"jks", "store!", "key"}, []string{"alias a", "PRIVATE KEY of no certificate here", "CERTIFICATE leaf", "trusted alias b", "CERTIFICATE leaf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Outline(c.file, c.how...)
			if err != nil || !cmp.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
			for i := 1; i < len(c.how); i++ {
				wrong := append([]string(nil), c.how...)
				wrong[i] = "another"
				if got, err := Outline(c.file, wrong...); err == nil {
					t.Errorf("password %d: got %q with another", i, got)
				}
			}
			if _, err := Outline(c.file[:len(c.file)/2], c.how...); err == nil && c.how[0] != "pem" {
				t.Error("half of it is taken for the whole")
			}
		})
	}
}

func pemOf(t *testing.T, certOf, keyOf pair) []byte {
	t.Helper()
	key, err := pkcs8.MarshalPrivateKey(keyOf.key, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certOf.cert.Raw})
	return append(cert, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: key})...)
}

func pkcs7Of(t *testing.T, leaf, root pair) []byte {
	t.Helper()
	file, err := pkcs7.DegenerateCertificate(append(bytes.Clone(leaf.cert.Raw), root.cert.Raw...))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func pkcs12Of(t *testing.T, leaf, root pair) []byte {
	t.Helper()
	file, err := pkcs12.Modern.Encode(leaf.key, leaf.cert, []*x509.Certificate{root.cert}, "key")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func jksOf(t *testing.T, certOf, keyOf pair) []byte {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(keyOf.key)
	if err != nil {
		t.Fatal(err)
	}
	cert := keystore.Certificate{Type: "X509", Content: certOf.cert.Raw}
	store := keystore.New()
	if err := store.SetPrivateKeyEntry("a", keystore.PrivateKeyEntry{PrivateKey: key, CertificateChain: []keystore.Certificate{cert}}, []byte("key")); err != nil {
		t.Fatal(err)
	}
	if err := store.SetTrustedCertificateEntry("b", keystore.TrustedCertificateEntry{Certificate: cert}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := store.Store(&file, []byte("store!")); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
