// Package fence holds the vendor's client library against what its users lost
// certificates to: a request, a reset that restarts and a CA that comes back, all at
// the same moment.
package fence

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/endpoint"
	vcert "github.com/Venafi/vcert/v5/pkg/venafi/tpp"

	"github.com/certwright/certwright/internal/api/tpp"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
)

func TestMain(m *testing.M) { os.Exit(coretest.Main(m)) }

const (
	clients  = 8                    // at a time, each with a certificate of its own
	runs     = 1_000                // on each database, unless CERTWRIGHT_FENCE_RUNS says otherwise: 10,000 take ten minutes
	bites    = 10_000               // in so many runs at most the naive store must lose a request
	jitter   = 4 * time.Millisecond // the most by which calls and answers are apart
	patience = 5 * time.Minute      // for one run
	outage   = "Cannot connect to the certificate authority (CA)."
)

func wanted(t *testing.T) int64 {
	if text := os.Getenv("CERTWRIGHT_FENCE_RUNS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return runs
}

// TestResetLosesNoRequest has the CA down and a renewal fail, a new signing request
// and a reset with restart that comes too soon or too late, and the CA back: however
// these fall, the certificate that comes out is that of the last request.
func TestResetLosesNoRequest(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		lost, did := race(t, d, coretest.Options{}, wanted(t), false)
		if lost > 0 {
			t.Errorf("in %d of %d runs the certificate was not that of the last request", lost, did)
		}
		t.Logf("%d runs", did)
	})
}

// TestTheRaceBites runs the same against a store without the fence: a worker saves
// its work whatever has become of it meanwhile. Requests must get lost, or else the
// test above shows nothing.
func TestTheRaceBites(t *testing.T) {
	const fence, none = "AND epoch = $13 AND done = FALSE", "AND $13 >= 0"
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		naive := coretest.Options{Rewrite: func(statement string) string { return strings.Replace(statement, fence, none, 1) }}
		lost, did := race(t, d, naive, bites, true)
		if lost == 0 {
			t.Errorf("in %d runs against a store without a fence no request was lost", did)
		}
		t.Logf("%d of %d lost", lost, did)
	})
}

// race has the clients run, most times in all or until the first loss, and says how
// often the certificate was not that of the last request.
func race(t *testing.T, d coretest.Database, o coretest.Options, most int64, untilFirst bool) (lost, did int64) {
	ca := &outside{down: map[string]bool{}}
	o.Connectors = ca.Connectors()
	rig := coretest.New(t, d, o)
	rig.AddFaulty(nil)
	ca.At(ca.answer)
	certificate, err := coretest.QuickCertificate()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(tpp.Handler(rig.Core, tpp.Options{}))
	server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{certificate}, CurvePreferences: []tls.CurveID{tls.X25519}}
	server.StartTLS()
	t.Cleanup(server.Close)
	app, err := rig.Application(context.Background(), "vcert-sdk")
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := rig.Grant(context.Background(), rig.Admin, app, "certificate:manage")
	if err != nil {
		t.Fatal(err)
	}
	var begun, ended, losses atomic.Int64
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			c, err := newClient(server, string(tokens.Access.Reveal()), fmt.Sprintf("client%d.example.com", n), ca)
			for err == nil && begun.Add(1) <= most && !t.Failed() && !(untilFirst && losses.Load() > 0) {
				var isLost bool
				if isLost, err = c.run(); isLost {
					losses.Add(1)
				}
				ended.Add(1)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return losses.Load(), ended.Load()
}

// outside is a CA that is down for some names, and takes its time.
type outside struct {
	coretest.Faulty
	mu   sync.Mutex
	down map[string]bool
}

func (o *outside) set(name string, down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down[name] = down
}

func (o *outside) answer(_ context.Context, c coretest.Call) error {
	pause()
	if c.Name != "submit" || c.After {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down[c.Order.Names.CommonName] {
		return clm.Permanent(errors.New(outage))
	}
	return nil
}

// pause lets a moment pass, mostly none: what happens at once is to fall in every
// possible order.
func pause() {
	if rand.IntN(2) == 0 {
		time.Sleep(rand.N(jitter))
	}
}

// client is a user of the vendor's library with one certificate.
type client struct {
	*vcert.Connector
	name string
	ca   *outside
}

func newClient(server *httptest.Server, token, name string, ca *outside) (*client, error) {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	c, err := vcert.NewConnector(server.URL+"/", strings.TrimPrefix(coretest.FaultyZone, `\VED\Policy\`), false, pool)
	if err == nil {
		err = c.Authenticate(&endpoint.Authentication{AccessToken: token})
	}
	return &client{c, name, ca}, err
}

// run is one round of the story. isLost: the certificate is there, and it is not that
// of the last request.
func (c *client) run() (isLost bool, err error) {
	c.ca.set(c.name, true)
	if _, _, err := c.request(); err != nil { // this one fails, be it now or later
		return false, err
	}
	pause()
	var all sync.WaitGroup
	var last *certificate.Request
	var key crypto.Signer
	var requestErr, resetErr error
	all.Go(func() { pause(); last, key, requestErr = c.request() })
	all.Go(func() { pause(); c.ca.set(c.name, false) })
	all.Go(func() { pause(); resetErr = c.reset() })
	all.Wait()
	if err := errors.Join(requestErr, resetErr); err != nil {
		return false, err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause() {
		got, err := c.RetrieveCertificate(last)
		switch {
		case err == nil:
			return !isFor(got.Certificate, key), nil
		case strings.Contains(err.Error(), "unmatched"):
			return true, nil // the library looks as well
		case errors.As(err, new(endpoint.ErrCertificatePending)):
		case strings.Contains(err.Error(), "has encountered an error"): // the reset came too soon: once more
			if err := c.reset(); err != nil {
				return false, err
			}
		default:
			return false, err
		}
	}
	return false, fmt.Errorf("%s: no certificate within %s", c.name, patience)
}

// request makes a key and a signing request and hands that in.
func (c *client) request() (*certificate.Request, crypto.Signer, error) {
	r := &certificate.Request{CsrOrigin: certificate.LocalGeneratedCSR, KeyType: certificate.KeyTypeECDSA, KeyCurve: certificate.EllipticCurveP256}
	r.Subject.CommonName = c.name
	if err := c.GenerateRequest(nil, r); err != nil {
		return nil, nil, err
	}
	_, err := c.RequestCertificate(r)
	return r, r.PrivateKey, err
}

func (c *client) reset() error {
	r := &certificate.Request{}
	r.Subject.CommonName = c.name
	return c.ResetCertificate(r, true)
}

func isFor(text string, key crypto.Signer) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return err == nil && ok && public.Equal(cert.PublicKey)
}
