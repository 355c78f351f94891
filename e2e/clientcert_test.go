package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestCertificateLoginRefuses has nobody log in without a certificate, nor with one
// that merely says who it is.
func TestCertificateLoginRefuses(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		body := object{"client_id": "vcert-sdk", "scope": "certificate:manage"}
		for name, own := range map[string][]tls.Certificate{
			"no certificate":                    nil,
			"one that alice signed herself":     {issue(t, "alice", nil)},
			"one for admin by a CA of our name": {issue(t, "admin", rootOf(t, s))},
		} {
			a := newAPI(t, s, own...)
			got, err := a.post("vedauth/authorize/certificate", body)
			if err != nil {
				continue // refused before HTTP began, which is as good
			}
			if got.Status != http.StatusBadRequest && got.Status != http.StatusUnauthorized || got.get("error") == "" {
				t.Errorf("%s: got %v, want 400 or 401 and an error", name, got)
			}
		}
	})
}

// TestIssuingIsNotVouching lets nobody become somebody else by ordering a certificate
// with that name: the CAs that certificates for machines come from do not say who
// may log in, unless an operator has decided that they do.
func TestIssuingIsNotVouching(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		for _, name := range []string{"admin", "bob"} {
			key, csr, err := newRequest(name)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.post("vedsdk/certificates/request", object{"PolicyDN": `\VED\Policy\People`, "PKCS10": csr})
			if err != nil || got.Status != http.StatusOK {
				t.Fatalf("request: %v, %v", got, err)
			}
			own := a.pickUp(t, `\VED\Policy\People\`+name, key)
			got, err = newAPI(t, s, own).post("vedauth/authorize/certificate", object{"client_id": "vcert-sdk", "scope": "certificate:manage"})
			if err == nil && (got.Status == http.StatusOK || got.get("access_token") != "") {
				t.Errorf("alice is now %s: %v", name, got)
			}
		}
	})
}

// TestCertificateLogin logs in with a certificate from an issuer that an operator
// has named for it: as the user whose name is in it, and as nobody else.
func TestCertificateLogin(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a := login(t, s, "admin")
		for name, isUser := range map[string]bool{"bob": true, "mallory": false} {
			key, csr, err := newRequest(name)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.post("vedsdk/certificates/request", object{"PolicyDN": `\VED\Policy\Logins`, "PKCS10": csr})
			if err != nil || got.Status != http.StatusOK {
				t.Fatalf("request: %v, %v", got, err)
			}
			own := a.pickUp(t, `\VED\Policy\Logins\`+name, key)
			got, err = newAPI(t, s, own).post("vedauth/authorize/certificate", object{"client_id": "vcert-sdk", "scope": "certificate:manage"})
			if err != nil || (got.Status == http.StatusOK && got.get("access_token") != "") != isUser {
				t.Errorf("%s: got %v, %v; want a token: %v", name, got, err, isUser)
			}
			if !isUser {
				continue
			}
			b := newAPI(t, s)
			b.token = got.get("access_token")
			if self, err := b.get("vedsdk/identity/self"); err != nil || !strings.Contains(self.String(), `"bob"`) {
				t.Errorf("got %v, %v; want bob", self, err)
			}
		}
	})
}

// pickUp waits for the certificate of the place and puts it together with its key.
func (a *api) pickUp(t *testing.T, dn string, key crypto.PrivateKey) tls.Certificate {
	t.Helper()
	var got answer
	within(t, time.Minute, dn+" has a certificate", func() bool {
		var err error
		got, err = a.post("vedsdk/certificates/retrieve", object{"CertificateDN": dn, "Format": "Base64", "IncludeChain": true})
		return err == nil && got.Status == http.StatusOK
	})
	text, err := base64.StdEncoding.DecodeString(got.get("CertificateData"))
	if err != nil {
		t.Fatal(err)
	}
	own := tls.Certificate{PrivateKey: key}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		own.Certificate = append(own.Certificate, block.Bytes)
	}
	return own
}

// issue makes a certificate that nobody vouches for: signed by itself, or by a CA of
// our own that calls itself like the one that is given.
func issue(t *testing.T, commonName string, like *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent, signer := leaf, key
	if like != nil {
		parent = &x509.Certificate{RawSubject: like.RawSubject, SubjectKeyId: like.SubjectKeyId}
		if signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func rootOf(t *testing.T, s *server) *x509.Certificate {
	t.Helper()
	root, err := parseCert(readFile(t, s.ca))
	if err != nil {
		t.Fatal(err)
	}
	return root
}
