package e2e

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
	"github.com/Venafi/vcert/v5/pkg/venafi/tpp"
)

// TestHundredClientsAtOnce has as many clients ask for the same name in as many
// folders, half of them with keys of the server's making. Each gets its own key and
// nobody another's.
func TestHundredClientsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := login(t, s, "alice").token
		certs := make([]*x509.Certificate, bulkFolders)
		problems := make([]error, bulkFolders)
		var wg sync.WaitGroup
		for i := range bulkFolders {
			c := connector(t, s, fmt.Sprintf(`Bulk\F%03d`, i))
			r := localRequest("same.example.org")
			if i%2 == 1 {
				r = serviceRequest("same.example.org")
			}
			wg.Go(func() { certs[i], problems[i] = obtain(c, token, r) })
		}
		wg.Wait()

		owner := map[string]int{}
		for i, cert := range certs {
			if problems[i] != nil {
				t.Errorf("client %d: %v", i, problems[i])
				continue
			}
			for _, own := range []string{"serial " + cert.SerialNumber.String(), "key " + string(cert.RawSubjectPublicKeyInfo)} {
				if other, taken := owner[own]; taken {
					t.Errorf("clients %d and %d share a %.6s", i, other, own)
				}
				owner[own] = i
			}
		}
	})
}

// obtain does what a client does from login to certificate. The library compares
// the certificate with the key where it has one.
func obtain(c *tpp.Connector, token string, r *certificate.Request) (*x509.Certificate, error) {
	if err := c.Authenticate(&endpoint.Authentication{AccessToken: token}); err != nil {
		return nil, err
	}
	if err := c.GenerateRequest(nil, r); err != nil {
		return nil, err
	}
	if _, err := c.RequestCertificate(r); err != nil {
		return nil, err
	}
	r.Timeout = 2 * time.Minute
	got, err := c.RetrieveCertificate(r)
	if err != nil {
		return nil, err
	}
	return parseCert(got.Certificate)
}

// TestOneRenewalAtATime sends the same renewal many times at once. One is accepted,
// the others hear that it is already being done.
func TestOneRenewalAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a, dn := login(t, s, "alice"), `\VED\Policy\Slow\race.example.org`
		mustRequest(t, a, `\VED\Policy\Slow`, "race.example.org")
		within(t, time.Minute, dn+" has a certificate", func() bool {
			cert, _, err := a.retrieve(dn)
			return err == nil && cert != nil
		})

		answers := make([]answer, 20)
		var wg sync.WaitGroup
		for i := range answers {
			_, csr, err := newRequest("race.example.org")
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				got, err := a.post("vedsdk/certificates/renew", object{"CertificateDN": dn, "PKCS10": csr})
				if err != nil {
					got.Phrase = err.Error()
				}
				answers[i] = got
			})
		}
		wg.Wait()
		accepted := 0
		for _, got := range answers {
			switch {
			case got.Status == http.StatusOK && got.get("Success") == "true":
				accepted++
			case got.Status == http.StatusBadRequest && got.get("Error") == "Certificate "+dn+" is already being processed.":
			default:
				t.Errorf("unexpected answer: %v", got)
			}
		}
		if accepted != 1 {
			t.Errorf("got %d renewals accepted, want 1", accepted)
		}
	})
}

// mustRequest orders a certificate for a key of ours.
func mustRequest(t *testing.T, a *api, folder, name string) {
	t.Helper()
	_, csr, err := newRequest(name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.post("vedsdk/certificates/request", object{"PolicyDN": folder, "PKCS10": csr})
	if err != nil || got.Status != http.StatusOK || got.get("CertificateDN") != folder+`\`+name {
		t.Fatalf("request %s: %v, %v", name, got, err)
	}
}
