package core_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A publisher is a CA that publishes a revocation list and has a responder.
type publisher struct {
	*httptest.Server
	t             testing.TB
	r             *coretest.Rig
	ca, responder *foreign
	cert          *x509.Certificate

	mu             sync.Mutex
	listed, told   []*x509.Certificate // what is revoked according to the list, and to the responder
	reason         clm.Reason          // why, according to both
	forger         *foreign            // signs instead of the CA and its responder
	broken         bool                // answers with an error
	lists, answers int                 // how often it was asked
}

func publish(t testing.TB, r *coretest.Rig) *publisher {
	t.Helper()
	p := &publisher{t: t, r: r, ca: listCA(t, "Publishing CA")}
	p.responder = issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Responder"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, NotAfter: time.Now().AddDate(5, 0, 0)}, p.ca)
	var err error
	p.cert, err = x509.ParseCertificate(p.ca.der)
	check(t, err)
	routes := http.NewServeMux()
	routes.HandleFunc("GET /list", func(w http.ResponseWriter, _ *http.Request) { p.answer(w, &p.lists, p.list) })
	routes.HandleFunc("POST /ocsp", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, &p.answers, func() ([]byte, error) { return p.status(r.Body) })
	})
	routes.Handle("GET /moved", http.RedirectHandler("/list", http.StatusFound))
	routes.Handle("GET /away", http.RedirectHandler("ftp://127.0.0.1/list", http.StatusFound))
	routes.Handle("GET /circle", http.RedirectHandler("/circle", http.StatusFound))
	p.Server = httptest.NewServer(routes)
	t.Cleanup(p.Close)
	return p
}

// listCA makes a CA that may sign lists.
func listCA(t testing.TB, cn string) *foreign {
	t.Helper()
	return issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotAfter: time.Now().AddDate(5, 0, 0)}, nil)
}

func (p *publisher) answer(w http.ResponseWriter, count *int, make func() ([]byte, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*count++
	body, err := make()
	if err != nil || p.broken {
		http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // whoever has gone away misses it
}

// list makes the revocation list.
func (p *publisher) list() ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(int64(p.lists)), ThisUpdate: p.r.Clock.Now(), NextUpdate: p.r.Clock.Now().Add(time.Hour)}
	for _, c := range p.listed {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: p.r.Clock.Now(), ReasonCode: int(p.reason)})
	}
	if p.forger != nil {
		cert, err := x509.ParseCertificate(p.forger.der)
		if err != nil {
			return nil, err
		}
		return x509.CreateRevocationList(rand.Reader, list, cert, p.forger.key)
	}
	return x509.CreateRevocationList(rand.Reader, list, p.cert, p.ca.key)
}

// status answers a question.
func (p *publisher) status(question io.Reader) ([]byte, error) {
	der, err := io.ReadAll(question)
	if err != nil {
		return nil, err
	}
	asked, err := pki.ReadStatusRequest(der)
	if err != nil {
		return nil, err
	}
	now := p.r.Clock.Now()
	s := pki.CertStatus{Question: asked.Questions[0], Status: pki.StatusGood, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for _, c := range p.told {
		if pki.Serial(c) == s.Question.Serial {
			s.Status, s.RevokedAt, s.Reason = pki.StatusRevoked, now, p.reason
		}
	}
	signer := p.responder
	if p.forger != nil {
		signer = p.forger
	}
	return pki.SignStatus(pki.Answer{Statuses: []pki.CertStatus{s}, ProducedAt: now}, signer.der, signer.key)
}

// set changes what is published.
func (p *publisher) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// revoked is a certificate of the publisher, whose revocation it has accepted or is to.
type revoked struct {
	core.Imported
	cert *x509.Certificate
}

// points are the addresses of lists and responders in a certificate.
type points struct{ lists, responders []string }

// both are the addresses of the publisher's list and responder.
func (p *publisher) both() points {
	return points{[]string{p.URL + "/list"}, []string{p.URL + "/ocsp"}}
}

// revoke takes in a certificate with these addresses, and writes down that the CA has
// accepted its revocation.
func (p *publisher) revoke(cn string, at points) revoked {
	p.t.Helper()
	got := p.take(cn, at)
	check(p.t, p.r.DB.Write(context.Background(), store.Entry{Actor: p.r.Admin, Action: "revoke", Subject: cn}, func(tx *store.Tx) error {
		if err := tx.SaveRevocation(clm.Revocation{Version: got.Version, Actor: "admin", Requested: tx.Now, Accepted: tx.Now}); err != nil {
			return err
		}
		return tx.AddCheck(got.Version)
	}))
	return got
}

// take takes in a certificate with these addresses.
func (p *publisher) take(cn string, at points) (got revoked) {
	p.t.Helper()
	leaf := issue(p.t, &x509.Certificate{Subject: pkix.Name{CommonName: cn}, DNSNames: []string{cn}, CRLDistributionPoints: at.lists, OCSPServer: at.responders}, p.ca)
	got.Imported = take(p.t, p.r, core.Import{Certificate: bundle(leaf, p.ca)})
	var err error
	got.cert, err = x509.ParseCertificate(leaf.der)
	check(p.t, err)
	return got
}

// looks has everything looked at that is due and wants it to be so many.
func looks(t testing.TB, r *coretest.Rig, want int) {
	t.Helper()
	got, err := r.CheckRevocations(context.Background())
	if err != nil || got != want {
		t.Fatalf("looked at %d, %v; want %d", got, err, want)
	}
}

// revocation is what is known of the revocation.
func revocation(t testing.TB, r *coretest.Rig, v clm.VersionID) (known clm.Revocation) {
	t.Helper()
	check(t, r.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		known, err = tx.Revocation(v)
		return err
	}))
	return known
}

// isSeen wants the revocation to be seen in these places at about the present time of
// the rig, or not at all.
func isSeen(t testing.TB, r *coretest.Rig, v clm.VersionID, crl, ocsp bool) {
	t.Helper()
	known := revocation(t, r, v)
	for _, c := range []struct {
		in   string
		at   time.Time
		want bool
	}{{"CRL", known.SeenCRL, crl}, {"OCSP", known.SeenOCSP, ocsp}} {
		if c.at.IsZero() == c.want || c.want && r.Clock.Now().Sub(c.at) > time.Minute {
			t.Errorf("seen in %s at %s, want it seen now: %v", c.in, c.at, c.want)
		}
	}
}

// unseen wants so many revocations to be still to be seen.
func unseen(t testing.TB, r *coretest.Rig, crl, ocsp int) {
	t.Helper()
	check(t, r.DB.Read(context.Background(), func(tx *store.Tx) error {
		inCRL, inOCSP, err := tx.Unseen()
		if inCRL.N != crl || inOCSP.N != ocsp {
			t.Errorf("got %d unseen in CRL and %d in OCSP, want %d and %d", inCRL.N, inOCSP.N, crl, ocsp)
		}
		return err
	}))
}

// nothingLeft wants no check to be left, ever.
func nothingLeft(t testing.TB, r *coretest.Rig) {
	t.Helper()
	unseen(t, r, 0, 0)
	r.Clock.Turn(2 * time.Hour)
	looks(t, r, 0)
}

// A revocation is seen once list and responder tell of it, each by itself, and with
// the time of the look; then nobody looks any more.
func TestRevocationIsSeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		r.Clock.Stop()
		p := publish(t, r)
		one := p.revoke("www.example.com", p.both())
		looks(t, r, 1)
		isSeen(t, r, one.Version, false, false)
		unseen(t, r, 1, 1)
		looks(t, r, 0) // not at once again
		r.Clock.Turn(time.Hour)
		p.set(func() { p.listed = append(p.listed, one.cert) })
		looks(t, r, 1)
		isSeen(t, r, one.Version, true, false)
		unseen(t, r, 0, 1)
		seen := revocation(t, r, one.Version).SeenCRL
		r.Clock.Turn(2 * time.Hour)
		p.set(func() { p.told = append(p.told, one.cert) })
		looks(t, r, 1)
		if got := revocation(t, r, one.Version); !got.SeenCRL.Equal(seen) || r.Clock.Now().Sub(got.SeenOCSP) > time.Minute {
			t.Errorf("seen in CRL at %s, want %s; in OCSP at %s, want now", got.SeenCRL, seen, got.SeenOCSP)
		}
		nothingLeft(t, r)
		if p.lists != 2 || p.answers != 3 {
			t.Errorf("the list was fetched %d times, want 2; the responder asked %d times, want 3", p.lists, p.answers)
		}
		if got := entries(t, r, "see revocation"); len(got) != 2 || got[0].Subject != string(one.DN) || !strings.HasSuffix(got[0].Detail, ": CRL") {
			t.Errorf("got entries %+v", got)
		}
		crl, ocsp := r.RevocationLags()
		if crl.N != 1 || ocsp.N != 1 || crl.Sum < time.Hour || ocsp.Sum < 3*time.Hour || crl.Within[5] != 0 || crl.Within[7] != 1 {
			t.Errorf("got lags %+v, %+v", crl, ocsp)
		}
	})
}

// What others have signed is not believed.
func TestForgedRevocationIsNotSeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		p := publish(t, r)
		one := p.revoke("www.example.com", p.both())
		p.set(func() {
			p.listed, p.told = []*x509.Certificate{one.cert}, []*x509.Certificate{one.cert}
			p.forger = listCA(t, "Publishing CA")
		})
		looks(t, r, 1)
		isSeen(t, r, one.Version, false, false)
		if p.lists != 1 || p.answers != 1 {
			t.Errorf("asked %d and %d times, want once each", p.lists, p.answers)
		}
		p.set(func() { p.forger = nil })
		r.Clock.Turn(time.Minute)
		looks(t, r, 1)
		isSeen(t, r, one.Version, true, true)
		if log := r.Log.String(); strings.Count(log, "cannot be looked for") != 2 || strings.Count(log, "can be looked for again") != 2 {
			t.Errorf("got the log\n%s", log)
		}
		nothingLeft(t, r)
	})
}

// A list is fetched once for all certificates that may stand in it.
func TestListIsFetchedOnce(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		p := publish(t, r)
		at := points{lists: p.both().lists}
		const many = 50
		var all []revoked
		for n := range many {
			one := p.revoke(fmt.Sprintf("www%d.example.com", n), at)
			all = append(all, one)
			if n%2 == 0 {
				p.listed = append(p.listed, one.cert)
			}
		}
		looks(t, r, many)
		unseen(t, r, many/2, 0)
		for n, one := range all {
			isSeen(t, r, one.Version, n%2 == 0, false)
		}
		r.Clock.Turn(time.Hour)
		p.set(func() {
			for _, one := range all {
				p.listed = append(p.listed, one.cert)
			}
		})
		looks(t, r, many/2)
		if p.lists != 2 {
			t.Errorf("the list was fetched %d times, want twice", p.lists)
		}
		nothingLeft(t, r)
	})
}

// Nobody looks, and nothing is written down, where there is nothing to be seen: the
// certificate has ended, names no address that can be asked, or is gone, or a reset
// has forgotten the revocation.
func TestNothingIsLeftToBeSeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		p := publish(t, r)
		ctx := context.Background()
		nowhere := p.revoke("nowhere.example.com", points{[]string{"ldap:///CN=list?certificateRevocationList"}, []string{"mailto:ocsp@example.com"}})
		cleared := p.revoke("cleared.example.com", p.both())
		gone := p.revoke("gone.example.com", p.both())
		check(t, r.Remove(ctx, r.Admin, gone.ID))
		check(t, r.DB.Write(ctx, store.Entry{Actor: r.Admin, Action: "reset"}, func(tx *store.Tx) error {
			known, err := tx.Revocation(cleared.Version)
			if err != nil {
				return err
			}
			known.Cleared = tx.Now
			return tx.SaveRevocation(known)
		}))
		p.set(func() { p.listed, p.told = []*x509.Certificate{cleared.cert}, []*x509.Certificate{cleared.cert} })
		if _, err := r.CheckRevocations(ctx); err != nil {
			t.Fatal(err)
		}
		isSeen(t, r, nowhere.Version, false, false)
		isSeen(t, r, cleared.Version, false, false)
		if p.lists+p.answers > 0 {
			t.Error("somebody has looked")
		}
		nothingLeft(t, r)
		late := p.revoke("late.example.com", p.both())
		r.Clock.Turn(2 * 365 * clm.Day)
		p.set(func() { p.listed = []*x509.Certificate{late.cert} })
		looks(t, r, 1)
		isSeen(t, r, late.Version, false, false)
		nothingLeft(t, r)
	})
}

// Where nobody answers it is tried again, ever more rarely and at least hourly; that
// is told once. A server that is silent is not asked twice in a round.
func TestUnreachableIsTriedAgain(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		r.Clock.Stop()
		p := publish(t, r)
		one := p.revoke("www.example.com", points{lists: p.both().lists})
		p.set(func() { p.broken = true })
		looks(t, r, 1)
		unseen(t, r, 1, 0)
		pause, tries := 2*time.Second, 1
		for ; pause < 2*time.Hour; pause *= 2 {
			r.Clock.Turn(min(pause, time.Hour) * 5 / 8) // looks come up to a quarter early
			looks(t, r, 0)
			r.Clock.Turn(min(pause, time.Hour) * 3 / 8)
			looks(t, r, 1)
			tries++
		}
		if p.lists != tries {
			t.Errorf("the list was fetched %d times, want %d", p.lists, tries)
		}
		if got := strings.Count(r.Log.String(), "cannot be looked for"); got != 1 {
			t.Errorf("it was told %d times, want once", got)
		}
		p.set(func() { p.broken, p.listed = false, []*x509.Certificate{one.cert} })
		r.Clock.Turn(time.Hour)
		looks(t, r, 1)
		isSeen(t, r, one.Version, true, false)
		nothingLeft(t, r)
	})
}

// A server that has not answered is not asked in the next round either, so that nobody
// has to wait for it each time; it is asked again later.
func TestSilenceOutlastsARound(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	p := publish(t, r)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := listener.Addr().String()
	check(t, listener.Close())
	one := p.revoke("www.example.com", points{lists: []string{"http://" + address + "/list"}})
	p.set(func() { p.listed = []*x509.Certificate{one.cert} })
	looks(t, r, 1)
	listener, err = net.Listen("tcp", address)
	check(t, err)
	late := &http.Server{Handler: p.Config.Handler}
	go late.Serve(listener)
	defer late.Close()
	r.Clock.Turn(3 * time.Second)
	looks(t, r, 1)
	if p.lists != 0 {
		t.Error("the server was asked in the next round")
	}
	r.Clock.Turn(time.Minute)
	looks(t, r, 1)
	isSeen(t, r, one.Version, true, false)
	nothingLeft(t, r)
}

// Of several addresses one that tells of the revocation is enough; a few redirects
// are followed, to web servers only.
func TestAddresses(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	p := publish(t, r)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	for n, c := range []struct {
		name      string
		at        points
		crl, ocsp bool
	}{
		{"several", points{[]string{"ldap://127.0.0.1/list", dead.URL + "/list", p.URL + "/list"}, []string{dead.URL, p.URL + "/ocsp"}}, true, true},
		{"not the right one", points{[]string{p.URL + "/nothing"}, []string{p.URL + "/list"}}, false, false},
		{"moved", points{lists: []string{p.URL + "/moved"}}, true, false},
		{"moved away", points{lists: []string{p.URL + "/away"}}, false, false},
		{"moved in circles", points{lists: []string{p.URL + "/circle"}}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := p.revoke(fmt.Sprintf("www%d.example.com", n), c.at)
			p.set(func() { p.listed, p.told = append(p.listed, one.cert), append(p.told, one.cert) })
			if _, err := r.CheckRevocations(context.Background()); err != nil {
				t.Fatal(err)
			}
			isSeen(t, r, one.Version, c.crl, c.ocsp)
		})
	}
}

// A running server looks by itself.
func TestLooksByItself(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	p := publish(t, r)
	one := p.revoke("www.example.com", p.both())
	p.set(func() { p.listed, p.told = []*x509.Certificate{one.cert}, []*x509.Certificate{one.cert} })
	eventually(t, "it was seen", func() bool {
		known := revocation(t, r, one.Version)
		return !known.SeenCRL.IsZero() && !known.SeenOCSP.IsZero()
	})
}
