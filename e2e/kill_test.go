package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/util"
)

const (
	killClients = 8
	kills       = 5
	// unstuckWithin is longer than a lease: work that a killed process had claimed on
	// PostgreSQL is taken up by the next one when the lease has run out.
	unstuckWithin = 4 * time.Minute
)

// TestKill kills the server at random moments while clients order and renew. What
// was accepted ends in exactly one certificate for the very key it was asked for,
// and nothing is stuck.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			testKill(t, startServer(t, kind))
		})
	}
}

func testKill(t *testing.T, s *server) {
	load, stopLoad := context.WithCancel(t.Context())
	defer stopLoad()
	clients := make([]*survivor, killClients)
	var wg sync.WaitGroup
	for i := range clients {
		c := &survivor{api: login(t, s, "alice"), name: fmt.Sprintf("c%d", i), certs: map[string]string{}}
		clients[i] = c
		wg.Go(func() { c.err = c.work(load) })
	}
	for i := range kills {
		moment := 100 + rand.IntN(1500)
		t.Logf("kill %d after %d ms", i+1, moment)
		time.Sleep(time.Duration(moment) * time.Millisecond) // the moment is the point
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
	accepted := func() int { return sum(clients, func(c *survivor) int { return int(c.accepted.Load()) }) }
	within(t, unstuckWithin, "there is some load", func() bool { return accepted() >= kills*killClients })
	stopLoad()
	wg.Wait()

	for _, c := range clients {
		if c.err != nil {
			t.Errorf("client %s: %v", c.name, c.err)
		}
	}
	t.Logf("%d requests accepted, %d left open by a kill and accepted, %d lost before they were", accepted(), sum(clients, func(c *survivor) int { return c.found }), sum(clients, func(c *survivor) int { return c.lost }))
	checkSurvivors(t, s, clients)
}

func sum(clients []*survivor, of func(*survivor) int) (n int) {
	for _, c := range clients {
		n += of(c)
	}
	return n
}

// checkSurvivors compares what the clients hold with what the server lists, once
// more from a fresh start.
func checkSurvivors(t *testing.T, s *server, clients []*survivor) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	a := login(t, s, "alice")
	want := map[string]string{} // thumbprint by DN
	for _, c := range clients {
		for dn, cert := range c.certs {
			want[dn] = cert
		}
	}
	got, err := a.get("vedsdk/certificates/?limit=100000&ParentDNRecursive=%5CVED%5CPolicy%5CKilled")
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("list: %v, %v", got, err)
	}
	var list struct {
		Certificates []struct {
			DN   string
			X509 struct{ Thumbprint string }
		}
		TotalCount int
	}
	if err := json.Unmarshal(got.Body, &list); err != nil {
		t.Fatal(err)
	}
	if list.TotalCount != len(want) || len(list.Certificates) != len(want) {
		t.Errorf("got %d certificates listed and %d counted, want %d", len(list.Certificates), list.TotalCount, len(want))
	}
	for _, listed := range list.Certificates {
		if want[listed.DN] != listed.X509.Thumbprint {
			t.Errorf("%s: listed is %s, the client was given %s", listed.DN, listed.X509.Thumbprint, want[listed.DN])
		}
		cert, ans, err := a.retrieve(listed.DN)
		if err != nil || cert == nil || thumbprint(cert) != want[listed.DN] {
			t.Errorf("%s: retrieved %v, %v", listed.DN, ans, err)
		}
	}
}

// A survivor is a client that goes on when the server is gone for a while.
type survivor struct {
	api   *api
	name  string
	err   error
	certs map[string]string // DN to the thumbprint of the last certificate

	accepted atomic.Int32 // requests that were answered with 200
	found    int          // requests whose answer was lost, and which had been accepted
	lost     int          // requests whose answer was lost, and which had not
}

// work orders one certificate after another and renews each twice, until it is told
// to stop; then it still finishes what it has begun.
func (c *survivor) work(ctx context.Context) error {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("%s-%d.example.org", c.name, i)
		if i%3 == 2 {
			if err := c.serviceKey(name); err != nil {
				return err
			}
			continue
		}
		if err := c.ownKey(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

const killedFolder = `\VED\Policy\Killed`

// ownKey orders a certificate and renews it twice, each time for a new key.
func (c *survivor) ownKey(ctx context.Context, name string) error {
	dn := killedFolder + `\` + name
	var held crypto.PublicKey // of the certificate that is there now
	for step := 0; step < 3 && ctx.Err() == nil; step++ {
		key, csr, err := newRequest(name)
		if err != nil {
			return err
		}
		path, body := "vedsdk/certificates/renew", object{"CertificateDN": dn, "PKCS10": csr}
		if held == nil {
			path, body = "vedsdk/certificates/request", object{"PolicyDN": killedFolder, "PKCS10": csr}
		}
		answered, err := c.send(path, body)
		if err != nil {
			return err
		}
		cert, err := c.settle(dn, key.Public(), held, answered)
		if err != nil {
			return err
		}
		if cert != nil {
			held = cert.PublicKey
		}
	}
	return nil
}

// send reports whether the request was accepted; false is that nobody knows.
func (c *survivor) send(path string, body object) (bool, error) {
	got, err := c.api.post(path, body)
	if err != nil {
		return false, nil
	}
	if got.Status != http.StatusOK {
		return false, fmt.Errorf("%s: %v", path, got)
	}
	c.accepted.Add(1)
	return true, nil
}

// settle waits until the object is at rest, and wants the certificate to be for the
// key asked for. Only where the answer was lost may it be as it was before.
func (c *survivor) settle(dn string, asked, before crypto.PublicKey, answered bool) (*x509.Certificate, error) {
	deadline := time.Now().Add(unstuckWithin)
	for {
		cert, got, err := c.api.retrieve(dn)
		switch {
		case err == nil && cert != nil && isFor(cert, asked):
			if !answered {
				c.found++
			}
			return cert, c.keep(dn, cert)
		case err == nil && cert != nil && !answered && before != nil && isFor(cert, before):
			c.lost++
			return cert, c.keep(dn, cert)
		case err == nil && cert != nil:
			return nil, fmt.Errorf("%s: the certificate is for another key than was asked for", dn)
		case err == nil && got.Status == http.StatusBadRequest && !answered && before == nil && strings.Contains(got.Phrase, "does not exist"):
			c.lost++
			return nil, nil
		case err == nil && got.Status != http.StatusAccepted:
			return nil, fmt.Errorf("%s: %v", dn, got)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is stuck: %v, %v", dn, got, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// keep remembers the certificate and looks a second time: it must not change when
// nobody asks for it.
func (c *survivor) keep(dn string, cert *x509.Certificate) error {
	c.certs[dn] = thumbprint(cert)
	again, _, err := c.api.retrieve(dn)
	if err == nil && again != nil && !again.Equal(cert) {
		return fmt.Errorf("%s: two certificates for one request: %v and %v", dn, cert.SerialNumber, again.SerialNumber)
	}
	return nil
}

// serviceKey orders a certificate for a key of the server's making, and wants that
// key.
func (c *survivor) serviceKey(name string) error {
	dn := killedFolder + `\` + name
	answered, err := c.send("vedsdk/certificates/request", object{
		"PolicyDN": killedFolder, "Subject": name, "KeyAlgorithm": "ECC", "EllipticCurve": "P256",
	})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(unstuckWithin)
	for {
		got, err := c.api.post("vedsdk/certificates/retrieve", object{
			"CertificateDN": dn, "Format": "Base64 (PKCS #8)", "IncludePrivateKey": true, "Password": keyPassword,
		})
		switch {
		case err == nil && got.Status == http.StatusOK:
			if !answered {
				c.found++
			}
			cert, err := checkBundle(got.get("CertificateData"))
			if err != nil {
				return fmt.Errorf("%s: %w", dn, err)
			}
			return c.keep(dn, cert)
		case err == nil && got.Status == http.StatusBadRequest && !answered && strings.Contains(got.Phrase, "does not exist"):
			c.lost++
			return nil
		case err == nil && got.Status != http.StatusAccepted:
			return fmt.Errorf("%s: %v", dn, got)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is stuck: %v, %v", dn, got, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// checkBundle wants a certificate and the private key that belongs to it.
func checkBundle(data string) (*x509.Certificate, error) {
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM in the answer")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	opened, err := util.DecryptPkcs8PrivateKey(string(rest), keyPassword)
	if err != nil {
		return nil, err
	}
	plain, _ := pem.Decode([]byte(opened))
	key, err := x509.ParsePKCS8PrivateKey(plain.Bytes)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(*ecdsa.PrivateKey); !ok || !isFor(cert, k.Public()) {
		return nil, errors.New("the private key is not the certificate's")
	}
	return cert, nil
}
