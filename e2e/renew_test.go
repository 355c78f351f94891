package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"maps"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/util"
)

// enrol orders a certificate whose key is made there, with its common name as DNS
// name too, and waits for it.
func enrol(t *testing.T, a *api, body object) files {
	t.Helper()
	if body["SubjectAltNames"] == nil {
		body["SubjectAltNames"] = []object{{"TypeName": 2, "Name": body["Subject"]}}
	}
	maps.Copy(body, object{"WorkToDoTimeout": 60, "IncludeChain": true, "IncludePrivateKey": true, "Password": keyPassword})
	return unpackPEM(t, string(a.must(t, "vedsdk/certificates/request", body).file(t)))
}

// renewed waits for the next certificate of the place, with its key.
func renewed(t *testing.T, a *api, dn string) files {
	t.Helper()
	return unpackPEM(t, string(a.must(t, "vedsdk/certificates/renew", object{
		"CertificateDN": dn, "Format": "Base64 (PKCS #8)", "WorkToDoTimeout": 60, "IncludeChain": true, "Password": keyPassword,
	}).file(t)))
}

// TestLibraryGetsServiceKeyOnCurve opens a private key on a curve, which the library
// asks for in its traditional form and shows as it came.
func TestLibraryGetsServiceKeyOnCurve(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Open")
		r := serviceRequest("curve-key.example.org")
		request(t, c, r)
		cert, all := retrieve(t, c, r)
		block, _ := pem.Decode([]byte(all.PrivateKey))
		if block == nil || block.Type != "EC PRIVATE KEY" {
			t.Fatalf("got %s", all.PrivateKey)
		}
		der, err := util.X509DecryptPEMBlock(block, []byte(keyPassword))
		if err != nil {
			t.Fatal(err)
		}
		if key, err := x509.ParseECPrivateKey(der); err != nil || !isFor(cert, key.Public()) {
			t.Errorf("the private key is not the certificate's: %v", err)
		}
	})
}

// TestLibraryRenewsServiceKey renews by name and by thumbprint without a request: the
// server makes the key, or keeps it where the folder wants that.
func TestLibraryRenewsServiceKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for zone, keeps := range map[string]bool{"Open": false, "Keep": true} {
			c := connect(t, s, "alice", zone)
			r := serviceRequest("service-renew.example.org")
			id := request(t, c, r)
			old, _ := retrieve(t, c, r)
			for name, renewal := range map[string]*certificate.RenewalRequest{
				"by name":       {CertificateDN: id},
				"by thumbprint": {Thumbprint: "of the last one"},
			} {
				if renewal.Thumbprint != "" {
					renewal.Thumbprint = thumbprint(old)
				}
				got, err := c.RenewCertificate(renewal)
				if err != nil || got != id {
					t.Fatalf("%s: got %q, %v, want %q", name, got, err, id)
				}
				r := &certificate.Request{PickupID: id, FetchPrivateKey: true, KeyPassword: keyPassword}
				cert, all := retrieve(t, c, r)
				if cert.Equal(old) || isFor(cert, old.PublicKey) != keeps {
					t.Errorf("%s in %s: got the certificate again: %v, its key: %v, want the key: %v", name, zone, cert.Equal(old), isFor(cert, old.PublicKey), keeps)
				}
				if _, err := util.DecryptPkcs8PrivateKey(all.PrivateKey, keyPassword); err != nil {
					t.Errorf("%s in %s: %v", name, zone, err)
				}
				old = cert
			}
		}
	})
}
