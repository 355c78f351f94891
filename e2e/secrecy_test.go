package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// How an unsealed private key begins in a file: version and algorithm as PKCS #8
// writes them, and the labels of PEM.
var keyMarks = map[string][]byte{
	"an elliptic curve key": []byte("\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08"),
	"an RSA key":            []byte("\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82"),
	"a PEM key":             []byte("PRIVATE KEY-----"),
}

// TestNothingLiesInTheClear searches all that a server leaves on disk for the keys
// it made or took in, the passwords and tokens it was shown, and its log for the
// same.
func TestNothingLiesInTheClear(t *testing.T) {
	t.Parallel()
	s := startServer(t, "sqlite")
	a := login(t, s, "alice")
	marks := map[string][]byte{
		"an access token": []byte(a.token), "the password of a key": []byte(keyPassword), "that of an imported key": []byte(importPassword),
		"an imported key": importKey(t, a),
	}
	for name, mark := range keyMarks {
		marks[name] = mark
	}
	for user, password := range passwords {
		marks["the password of "+user] = []byte(password)
	}
	for name, algorithm := range map[string]string{"rsa.example.org": "RSA", "ecc.example.org": "ECC"} {
		dn := `\VED\Policy\Open\` + name
		got, err := a.post("vedsdk/certificates/request", object{"PolicyDN": `\VED\Policy\Open`, "Subject": name, "KeyAlgorithm": algorithm})
		if err != nil || got.Status != 200 {
			t.Fatalf("request %s: %v, %v", dn, got, err)
		}
		within(t, time.Minute, dn+" has its key", func() bool {
			got, err := a.post("vedsdk/certificates/retrieve", object{
				"CertificateDN": dn, "Format": "Base64 (PKCS #8)", "IncludePrivateKey": true, "Password": keyPassword,
			})
			return err == nil && got.Status == 200
		})
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := s.leaks(); err != nil {
		t.Error(err)
	}
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for what, mark := range marks {
			if bytes.Contains(content, mark) {
				t.Errorf("%s holds %s", name, what)
			}
		}
		if info, err := d.Info(); err == nil && name != s.ca && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// importKey has the server take in a key under a password, and answers the secret
// number that the key is.
func importKey(t *testing.T, a *api) []byte {
	t.Helper()
	f, p12 := selfSigned(t, "foreign.example.org", time.Hour), filepath.Join(t.TempDir(), "foreign.p12")
	openssl(t, "pkcs12", "-export", "-in", f.cert, "-inkey", f.key, "-passout", "pass:"+importPassword, "-out", p12)
	a.must(t, "vedsdk/certificates/import", object{
		"PolicyDN": `\VED\Policy\Workshop`, "CertificateData": base64Of(t, p12), "Password": importPassword,
	})
	block, _ := pem.Decode([]byte(readFile(t, f.key)))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	number, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return number
}
