package e2e

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
	"github.com/Venafi/vcert/v5/pkg/util"
	"github.com/Venafi/vcert/v5/pkg/venafi/tpp"
)

// localRequest asks for a certificate for a key the library makes.
func localRequest(name string) *certificate.Request {
	r := &certificate.Request{
		CsrOrigin: certificate.LocalGeneratedCSR,
		KeyType:   certificate.KeyTypeECDSA,
		KeyCurve:  certificate.EllipticCurveP256,
		DNSNames:  []string{name},
	}
	r.Subject.CommonName = name
	return r
}

// serviceRequest asks for a certificate for a key the server makes.
func serviceRequest(name string) *certificate.Request {
	r := localRequest(name)
	r.CsrOrigin = certificate.ServiceGeneratedCSR
	r.KeyPassword = keyPassword
	return r
}

// request has the certificate ordered and answers its name.
func request(t *testing.T, c *tpp.Connector, r *certificate.Request) string {
	t.Helper()
	if err := c.GenerateRequest(nil, r); err != nil {
		t.Fatalf("generate request: %v", err)
	}
	id, err := c.RequestCertificate(r)
	if err != nil {
		t.Fatalf("request certificate: %v", err)
	}
	return id
}

// retrieve waits for the certificate that was ordered.
func retrieve(t *testing.T, c *tpp.Connector, r *certificate.Request) (*x509.Certificate, *certificate.PEMCollection) {
	t.Helper()
	r.Timeout = time.Minute
	got, err := c.RetrieveCertificate(r)
	if err != nil {
		t.Fatalf("retrieve certificate: %v", err)
	}
	cert, err := parseCert(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return cert, got
}

// TestLibraryEnrolls gets certificates with a key from either side and every kind
// of name.
func TestLibraryEnrolls(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Open")
		for name, r := range map[string]*certificate.Request{
			"local-lib.example.org":   localRequest("local-lib.example.org"),
			"service-lib.example.org": serviceRequest("service-lib.example.org"),
		} {
			r.EmailAddresses = []string{"shop@example.org"}
			r.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 7)}
			if id := request(t, c, r); id != `\VED\Policy\Open\`+name {
				t.Errorf("pickup id: got %q, want the object's name", id)
			}
			cert, all := retrieve(t, c, r)
			if cert.Subject.CommonName != name || !slices.Equal(cert.DNSNames, r.DNSNames) ||
				!slices.Equal(cert.EmailAddresses, r.EmailAddresses) || len(cert.IPAddresses) != 1 || !cert.IPAddresses[0].Equal(r.IPAddresses[0]) {
				t.Errorf("%s: unexpected names: %v %v %v %v", name, cert.Subject, cert.DNSNames, cert.EmailAddresses, cert.IPAddresses)
			}
			if len(all.Chain) < 2 {
				t.Errorf("%s: got a chain of %d, want the issuing CA and the root", name, len(all.Chain))
			}
		}
	})
}

// TestLibraryGetsServiceKey opens the private key that the server made. The library
// asks for RSA keys as PKCS 8.
func TestLibraryGetsServiceKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Open")
		r := serviceRequest("key.example.org")
		r.KeyType, r.KeyLength = certificate.KeyTypeRSA, 2048
		request(t, c, r)
		cert, all := retrieve(t, c, r)
		text, err := util.DecryptPkcs8PrivateKey(all.PrivateKey, keyPassword)
		if err != nil {
			t.Fatalf("decrypt private key: %v\n%s", err, all.PrivateKey)
		}
		block, _ := pem.Decode([]byte(text))
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if signer, ok := key.(crypto.Signer); !ok || !isFor(cert, signer.Public()) {
			t.Error("the private key is not the certificate's")
		}
	})
}

// TestLibraryWaitsWithinRequest sends WorkToDoTimeout: the certificate is there when
// the request is answered.
func TestLibraryWaitsWithinRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Open")
		r := localRequest("wait.example.org")
		r.Timeout = 10 * time.Second
		request(t, c, r)
		r.Timeout = 0 // ask once
		if _, err := c.RetrieveCertificate(r); err != nil {
			t.Errorf("retrieve right after the request: %v", err)
		}
	})
}

// TestLibraryGivesUpWaiting has the library treat a 202 as the failure it takes it
// for. The request stands all the same.
func TestLibraryGivesUpWaiting(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Slow")
		r := localRequest("toolate.example.org")
		if err := c.GenerateRequest(nil, r); err != nil {
			t.Fatal(err)
		}
		r.Timeout = time.Second
		if _, err := c.RequestCertificate(r); err == nil || !strings.Contains(err.Error(), "Status:\n 202") {
			t.Errorf("request: got %v, want 202", err)
		}
		r.PickupID = `\VED\Policy\Slow\toolate.example.org`
		retrieve(t, c, r)
	})
}

// TestLibrarySeesPending asks for a certificate that is still being made, and again
// when it is done.
func TestLibrarySeesPending(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Slow")
		r := localRequest("pending.example.org")
		id := request(t, c, r)
		_, err := c.RetrieveCertificate(r)
		var pending endpoint.ErrCertificatePending
		if !errors.As(err, &pending) || pending.CertificateID != id || pending.Status == "" {
			t.Errorf("got %v, want pending with the object's status", err)
		}
		if cert, _ := retrieve(t, c, r); cert.Subject.CommonName != "pending.example.org" {
			t.Errorf("got a certificate of %v", cert.Subject)
		}
	})
}

// TestLibraryRenews renews by name and by thumbprint. The old certificate is never
// handed out for the new request.
func TestLibraryRenews(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for _, zone := range []string{"Open", "Slow"} {
			c := connect(t, s, "alice", zone)
			r := localRequest("again.example.org")
			id := request(t, c, r)
			old, _ := retrieve(t, c, r)
			for name, renewal := range map[string]*certificate.RenewalRequest{
				"by name":       {CertificateDN: id},
				"by thumbprint": {},
			} {
				if renewal.CertificateDN == "" {
					renewal.Thumbprint = thumbprint(old)
				}
				now := certificate.NewRequest(old)
				if err := c.GenerateRequest(&endpoint.ZoneConfiguration{}, now); err != nil {
					t.Fatal(err)
				}
				renewal.CertificateRequest = now
				got, err := c.RenewCertificate(renewal)
				if err != nil || got != id {
					t.Fatalf("%s: got %q, %v, want %q", name, got, err, id)
				}
				now.PickupID = got
				cert, _ := retrieve(t, c, now) // compares the key with the request
				if cert.SerialNumber.Cmp(old.SerialNumber) == 0 || !slices.Equal(cert.DNSNames, old.DNSNames) {
					t.Errorf("%s: got serial %v and names %v after %v and %v", name, cert.SerialNumber, cert.DNSNames, old.SerialNumber, old.DNSNames)
				}
				old = cert
			}
		}
	})
}

// TestLibraryRefusesRenewal reads the words that people search for.
func TestLibraryRefusesRenewal(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Slow")
		r := localRequest("busy.example.org")
		id := request(t, c, r)
		for dn, want := range map[string]string{
			id:                          `Certificate ` + id + ` is already being processed.`,
			`\VED\Policy\Slow\missing`:  `Certificate \VED\Policy\Slow\missing does not exist.`,
			`\VED\Policy\Nowhere\thing`: `Certificate \VED\Policy\Nowhere\thing does not exist.`,
		} {
			_, err := c.RenewCertificate(&certificate.RenewalRequest{CertificateDN: dn})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("renewal of %s: got %v, want %q", dn, err, want)
			}
		}
		retrieve(t, c, r)
		_, err := c.RenewCertificate(&certificate.RenewalRequest{CertificateDN: id})
		if want := `which originated from a User Provided CSR, requires a PKSC#10.`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("renewal without a request: got %v, want %q", err, want)
		}
	})
}

// TestLibraryRefusesViolation has a request turned away that the folder's policy
// forbids.
func TestLibraryRefusesViolation(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Shop")
		organization := localRequest("violation.example.com")
		organization.Subject.Organization = []string{"Umbrella"}
		for want, r := range map[string]*certificate.Request{
			"Organization value 'Umbrella' violates policy organization settings.":                 organization,
			"common name 'www.example.net' violates whitelist domain policy settings.":             localRequest("www.example.net"),
			"common name 'www.example.com.evil.net' violates whitelist domain policy settings.":    localRequest("www.example.com.evil.net"),
			"common name 'www.notexample.com' violates whitelist domain policy settings.":          localRequest("www.notexample.com"),
			"common name 'service-made.example.net' violates whitelist domain policy settings.":    serviceRequest("service-made.example.net"),
			"Status:\n 400 Bad Request, check Error in response for details.. \n Body:\n {\"Error": localRequest("www.example.edu"),
		} {
			if err := c.GenerateRequest(nil, r); err != nil {
				t.Fatal(err)
			}
			_, err := c.RequestCertificate(r)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		if _, got, err := login(t, s, "alice").retrieve(`\VED\Policy\Shop\violation.example.com`); err != nil || got.Status != 400 {
			t.Errorf("object of a refused request: got %v, %v, want that it does not exist", got, err)
		}
	})
}

// TestLibraryRefusesStrangers lets nobody order, renew or read a key without the
// right to.
func TestLibraryRefusesStrangers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		owner := connect(t, s, "alice", "Shop")
		r := serviceRequest("private.example.com")
		id := request(t, owner, r)
		retrieve(t, owner, r)

		bob := connect(t, s, "bob", "Shop") // may look
		if _, err := bob.RetrieveCertificate(&certificate.Request{PickupID: id}); err != nil {
			t.Errorf("reader: got %v, want the certificate", err)
		}
		_, err := bob.RetrieveCertificate(&certificate.Request{PickupID: id, FetchPrivateKey: true, KeyPassword: keyPassword})
		if want := "Failed to lookup private key"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reader asks for the key: got %v, want %q", err, want)
		}
		if _, err = bob.RenewCertificate(&certificate.RenewalRequest{CertificateDN: id}); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("reader renews: got %v, want that it does not exist", err)
		}
		ordered := localRequest("bob.example.com")
		if err := bob.GenerateRequest(&endpoint.ZoneConfiguration{}, ordered); err != nil {
			t.Fatal(err)
		}
		if _, err = bob.RequestCertificate(ordered); err == nil || !strings.Contains(err.Error(), "sufficient rights") {
			t.Errorf("reader orders: got %v, want that he has no right to", err)
		}

		carol := connect(t, s, "carol", "Shop") // may nothing
		if _, err := carol.RetrieveCertificate(&certificate.Request{PickupID: id}); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("stranger: got %v, want that it does not exist", err)
		}
	})
}

// TestLibrarySearches finds certificates by thumbprint, by folder and by name.
func TestLibrarySearches(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Search")
		var certs []*x509.Certificate
		for i := range 3 {
			r := localRequest(fmt.Sprintf("find-%d.example.org", i))
			request(t, c, r)
			cert, _ := retrieve(t, c, r)
			certs = append(certs, cert)
		}
		found, err := c.SearchCertificates(&certificate.SearchRequest{"Thumbprint=" + thumbprint(certs[1])})
		if err != nil || found.Count != 1 || len(found.Certificates) != 1 {
			t.Fatalf("by thumbprint: got %+v, %v, want one", found, err)
		}
		if got, want := found.Certificates[0].CertificateRequestId, `\VED\Policy\Search\find-1.example.org`; got != want {
			t.Errorf("by thumbprint: got %q, want %q", got, want)
		}
		list, err := c.ListCertificates(endpoint.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, info := range list {
			names = append(names, info.CN)
			if info.ValidTo.Before(time.Now()) || info.Serial == "" || len(info.Thumbprint) != 40 {
				t.Errorf("unexpected certificate in the list: %+v", info)
			}
		}
		slices.Sort(names)
		if want := []string{"find-0.example.org", "find-1.example.org", "find-2.example.org"}; !slices.Equal(names, want) {
			t.Errorf("list: got %q, want %q", names, want)
		}
		one, err := c.SearchCertificate("Search", "find-2.example.org", &certificate.Sans{DNS: []string{"find-2.example.org"}}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if one.Thumbprint != thumbprint(certs[2]) {
			t.Errorf("by name: got %q, want %q", one.Thumbprint, thumbprint(certs[2]))
		}
	})
}

// TestLibraryFindsWhatTheEstateAsksFor looks for the certificate that the estate
// file lists: it is there without anybody asking.
func TestLibraryFindsWhatTheEstateAsksFor(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Shop")
		cert, _ := retrieve(t, c, &certificate.Request{PickupID: `\VED\Policy\Shop\www`})
		if want := []string{"www.example.com", "example.com"}; cert.Subject.CommonName != want[0] || !slices.Equal(cert.DNSNames, want) {
			t.Errorf("got %v with %v, want %v", cert.Subject, cert.DNSNames, want)
		}
		if days := time.Until(cert.NotAfter).Hours() / 24; days < 29 || days > 31 {
			t.Errorf("got %.0f days of validity, want 30", days)
		}
	})
}
