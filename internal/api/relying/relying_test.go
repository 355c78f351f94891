package relying

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func TestMain(m *testing.M) { os.Exit(coretest.Main(m)) }

// site is a server for relying parties, with a certificate that names it.
type site struct {
	*coretest.Rig
	t      testing.TB
	url    string
	place  core.Issued
	cert   *x509.Certificate
	issuer *x509.Certificate
	told   told
}

// told counts what is told by OCSP.
type told struct {
	mu    sync.Mutex
	times map[string]int
}

func (c *told) count(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == nil {
		c.times = map[string]int{}
	}
	c.times[status]++
}

// newSite makes a site whose certificate is from the template.
func newSite(t testing.TB, d coretest.Database, template string) *site {
	t.Helper()
	s := &site{Rig: coretest.New(t, d, coretest.Options{}), t: t}
	server := httptest.NewServer(Handler(s.Core, Options{Count: s.told.count, Log: slog.New(slog.NewTextHandler(s.Log, nil))}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/pki"
	if err := s.SetPublishURL(context.Background(), s.url); err != nil {
		t.Fatal(err)
	}
	folder := s.Folder(`\VED\Policy\Site`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{template}}})
	done, err := s.Request(context.Background(), s.Admin, core.Request{Folder: folder, Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(context.Background(), done.Work, patience); err != nil {
		t.Fatal(err)
	}
	if s.place, err = s.Retrieve(context.Background(), s.Admin, core.Retrieve{DN: string(done.DN)}); err != nil {
		t.Fatal(err)
	}
	if s.cert, err = x509.ParseCertificate(s.place.Version.Cert); err != nil {
		t.Fatal(err)
	}
	if s.issuer, err = x509.ParseCertificate(s.place.Chain[0]); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) revoke() {
	s.t.Helper()
	if _, err := s.Revoke(context.Background(), s.Admin, core.Revoke{DN: string(s.place.Place.DN), Reason: clm.Superseded}); err != nil {
		s.t.Fatal(err)
	}
}

// question is the OCSP request about the site's certificate.
func (s *site) question() []byte {
	s.t.Helper()
	request, err := pki.AskStatus(s.cert, s.issuer)
	if err != nil {
		s.t.Fatal(err)
	}
	return request
}

// reply is what came back.
type reply struct {
	*http.Response
	body []byte
}

func (s *site) send(method, url string, body []byte, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{response, text}
}

// Everything that the certificate points to is there, for anybody.
func TestCertificatePointsToWhatIsThere(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newSite(t, d, core.ECDSACA)
		if got := s.send("GET", s.cert.IssuingCertificateURL[0], nil); !bytes.Equal(got.body, s.issuer.Raw) || got.Header.Get("Content-Type") != "application/pkix-cert" {
			t.Errorf("got %s, %d bytes, want the issuer's certificate", got.Status, len(got.body))
		}
		got := s.send("GET", s.cert.CRLDistributionPoints[0], nil)
		list, err := x509.ParseRevocationList(got.body)
		if err != nil || got.Header.Get("Content-Type") != "application/pkix-crl" {
			t.Fatalf("got %s, %v, want a list", got.Status, err)
		}
		if err := list.CheckSignatureFrom(s.issuer); err != nil {
			t.Error(err)
		}
		s.revoke()
		for method, url := range map[string]string{"POST": s.cert.OCSPServer[0], "GET": s.cert.OCSPServer[0] + "/" + url.QueryEscape(base64.StdEncoding.EncodeToString(s.question()))} {
			body := map[string][]byte{"POST": s.question()}[method]
			got := s.send(method, url, body, "Content-Type", "application/ocsp-request")
			status, err := pki.ReadStatus(got.body, s.cert, s.issuer, time.Now())
			if err != nil || status.Status != pki.StatusRevoked || status.Reason != clm.Superseded || got.Header.Get("Content-Type") != "application/ocsp-response" {
				t.Errorf("%s: got %s, %+v, %v; want it revoked", method, got.Status, status, err)
			}
		}
	})
}

// Caches are told what they need to know, and whoever has the present one is told so.
func TestCachesAreTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, coretest.SQLite(t), core.ECDSACA)
	status := s.cert.OCSPServer[0] + "/" + url.QueryEscape(base64.StdEncoding.EncodeToString(s.question()))
	for what, url := range map[string]string{"list": s.cert.CRLDistributionPoints[0], "whole list": s.url + "/crl/ecdsa.crl", "status": status} {
		first := s.send("GET", url, nil)
		header := first.Header
		made, err := http.ParseTime(header.Get("Last-Modified"))
		if isStatus := what == "status"; (err == nil) != isStatus || made.After(time.Now()) {
			t.Errorf("%s: got Last-Modified %q, want one: %v", what, header.Get("Last-Modified"), isStatus)
		}
		if later := s.send("GET", url, nil, "If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); later.StatusCode != http.StatusOK {
			t.Errorf("%s: got %s for who knows a time only, want it whole: there may be two of one second", what, later.Status)
		}
		until, err := http.ParseTime(header.Get("Expires"))
		if err != nil || until.Before(time.Now().Add(time.Hour)) {
			t.Errorf("%s: got Expires %q", what, header.Get("Expires"))
		}
		if got, want := header.Get("Cache-Control"), "max-age=600, public, no-transform, must-revalidate"; got != want {
			t.Errorf("%s: got Cache-Control %q, want %q", what, got, want)
		}
		if header.Get("Date") == "" || header.Get("Content-Length") != fmt.Sprint(len(first.body)) {
			t.Errorf("%s: got %v", what, header)
		}
		if again := s.send("GET", url, nil, "If-None-Match", header.Get("ETag")); again.StatusCode != http.StatusNotModified || len(again.body) > 0 {
			t.Errorf("%s: got %s with %d bytes for who has it, want 304", what, again.Status, len(again.body))
		}
		if head := s.send("HEAD", url, nil); head.StatusCode != http.StatusOK || len(head.body) > 0 || head.ContentLength != int64(len(first.body)) {
			t.Errorf("%s: got %s, length %d for HEAD", what, head.Status, head.ContentLength)
		}
	}
	tag := s.send("GET", status, nil).Header.Get("ETag")
	s.revoke()
	if after := s.send("GET", status, nil, "If-None-Match", tag); after.StatusCode != http.StatusOK {
		t.Errorf("got %s after it was revoked, want another answer", after.Status)
	}
}

// What is not there, or asked for in no proper way, is refused in the way of each.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t, coretest.SQLite(t), core.ECDSACA)
	long := bytes.Repeat([]byte{0x30}, pki.MaxRequestSize+1)
	for _, c := range []struct {
		method, path string
		body         []byte
		status       int
		refusal      pki.Refusal // zero: it is not one of OCSP
	}{
		{"GET", "/", nil, 404, 0},
		{"GET", "/elsewhere", nil, 404, 0},
		{"GET", "/ca/nobody.cer", nil, 404, 0},
		{"GET", "/ca/ecdsa", nil, 404, 0},
		{"GET", "/ca/", nil, 404, 0},
		{"GET", "/crl/nobody.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/-1.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/+1.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/00.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/0/0.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/123456.crl", nil, 404, 0},
		{"GET", "/crl/ecdsa/99999999999999999999.crl", nil, 404, 0},
		{"GET", "/crl/nobody/0.crl", nil, 404, 0},
		{"POST", "/crl/ecdsa/0.crl", nil, 405, 0},
		{"DELETE", "/ocsp", nil, 405, 0},
		{"POST", "/ocsp", long, 413, 0},
		{"GET", "/ocsp", nil, 200, pki.MalformedRequest},
		{"GET", "/ocsp/nonsense", nil, 200, pki.MalformedRequest},
		{"POST", "/ocsp", []byte("nonsense"), 200, pki.MalformedRequest},
		{"POST", "/ocsp", nil, 200, pki.MalformedRequest},
	} {
		got := s.send(c.method, s.url+c.path, c.body)
		if got.StatusCode != c.status {
			t.Errorf("%s %s: got %s, want %d", c.method, c.path, got.Status, c.status)
		}
		if c.refusal != 0 && (!bytes.Equal(got.body, c.refusal.DER()) || got.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s %s: got %x, want refusal %d that nobody keeps", c.method, c.path, got.body, c.refusal)
		}
	}
	if got := s.send("PUT", s.url+"/ocsp", nil).Header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("got Allow %q", got)
	}
}

// What certificates name is found below their addresses, former ones as well, whether
// or not a proxy has stripped the path of the address, and whatever that path is.
func TestPathsOfAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t, coretest.SQLite(t), core.ECDSACA)
	host := strings.TrimSuffix(s.url, "/pki")
	below := []string{"/pki", ""}
	for _, path := range []string{"/other/way", "/a%20b", "/ca", "/crl", "/ocsp"} {
		if err := s.SetPublishURL(context.Background(), host+path); err != nil {
			t.Fatal(err)
		}
		below = append(below, path)
	}
	asked := "/ocsp/" + url.QueryEscape(base64.StdEncoding.EncodeToString(s.question()))
	for _, path := range below {
		for page, kind := range map[string]string{
			"/ca/ecdsa.cer": "application/pkix-cert", "/crl/ecdsa/0.crl": "application/pkix-crl", "/crl/ecdsa.crl": "application/pkix-crl", asked: statusType,
		} {
			got := s.send("GET", host+path+page, nil)
			if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != kind || len(got.body) < 100 {
				t.Errorf("%s%s: got %s, %s, %d bytes", path, page, got.Status, got.Header.Get("Content-Type"), len(got.body))
			}
		}
		got := s.send("POST", host+path+"/ocsp", s.question())
		if _, err := pki.ReadStatus(got.body, s.cert, s.issuer, time.Now()); err != nil {
			t.Errorf("%s/ocsp: %v", path, err)
		}
	}
	if got := s.send("GET", host+"/pki2/ca/ecdsa.cer", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("got %s below an address that nobody has named, want 404", got.Status)
	}
}

// Nothing may be kept for longer than it is good.
func TestNothingIsKeptBeyondItsEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for until, want := range map[time.Time]int{{}: 600, now.Add(time.Hour): 600, now.Add(90 * time.Second): 90, now.Add(-time.Second): 0} {
		if got := maxAge(until, now); got != want {
			t.Errorf("until %v: got %d s, want %d", until.Sub(now), got, want)
		}
	}
}

// Whoever comes when too many are being served is turned away; whole lists have a
// limit of their own and keep nobody from the rest.
func TestTooManyAreTurnedAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, coretest.SQLite(t), core.ECDSACA)
	h := Handler(s.Core, Options{Count: s.told.count, Log: slog.New(slog.DiscardHandler)}).(handler)
	for _, c := range []struct {
		name   string
		full   chan struct{}
		path   string
		status int
	}{
		{"a part while there are too many", h.requests, "/crl/ecdsa/0.crl", 503},
		{"OCSP while there are too many", h.requests, "/ocsp/x", 503},
		{"the whole list while there are too many of its kind", h.whole, "/crl/ecdsa.crl", 503},
		{"a part while there are too many whole lists", h.whole, "/crl/ecdsa/0.crl", 200},
	} {
		for range cap(c.full) {
			c.full <- struct{}{}
		}
		got := httptest.NewRecorder()
		h.ServeHTTP(got, httptest.NewRequest("GET", c.path, nil))
		if got.Code != c.status || (got.Header().Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s: got %d, Retry-After %q, want %d", c.name, got.Code, got.Header().Get("Retry-After"), c.status)
		}
		for range cap(c.full) {
			<-c.full
		}
		got = httptest.NewRecorder()
		h.ServeHTTP(got, httptest.NewRequest("GET", c.path, nil))
		if got.Code != 200 || len(h.requests)+len(h.whole) > 0 {
			t.Errorf("%s: got %d afterwards, %d and %d still under way", c.name, got.Code, len(h.requests), len(h.whole))
		}
	}
	if got := s.told.times[tryLater]; got != 1 {
		t.Errorf("%d OCSP clients were counted as turned away, want 1", got)
	}
}

// What is told by OCSP is counted, by name.
func TestStatusesAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, coretest.SQLite(t), core.ECDSACA)
	ask := func(times int) {
		for range times {
			s.send("POST", s.url+"/ocsp", s.question())
		}
	}
	poor := core.New(core.Config{DB: s.DB, Box: s.Box, Log: slog.New(slog.DiscardHandler)}) // it has no responder
	broken := httptest.NewServer(Handler(poor, Options{Count: s.told.count, Log: slog.New(slog.DiscardHandler)}))
	defer broken.Close()
	if got := s.send("POST", broken.URL+"/ocsp", s.question()); !bytes.Equal(got.body, pki.TryLater.DER()) {
		t.Errorf("got %x, want to be told to try later", got.body)
	}
	ask(2)
	s.revoke()
	ask(3)
	s.send("POST", s.url+"/ocsp", []byte("nonsense"))
	stranger, err := pki.AskStatus(s.cert, s.cert)
	if err != nil {
		t.Fatal(err)
	}
	s.send("POST", s.url+"/ocsp", stranger)
	for status, want := range map[string]int{"good": 2, "revoked": 3, "malformed": 1, "unauthorized": 1, "internal": 1} {
		if got := s.told.times[status]; got != want {
			t.Errorf("got %d times %s, want %d", got, status, want)
		}
	}
}

// A request in a path is read in whatever way clients and proxies spell it.
func TestSpellingsOfRequests(t *testing.T) {
	t.Parallel()
	request := []byte{0x30, 0x0f, 0xbf, 0xf8}
	standard := base64.StdEncoding.EncodeToString(request)
	if !strings.Contains(standard, "/") || !strings.Contains(standard, "+") || !strings.Contains(standard, "=") {
		t.Fatalf("%s has nothing that could be spelt in several ways", standard)
	}
	for what, path := range map[string]string{
		"as it should be":         url.QueryEscape(standard),
		"escaped as a path":       url.PathEscape(standard),
		"not escaped":             standard,
		"escaped twice":           url.QueryEscape(url.QueryEscape(standard)),
		"for URLs":                base64.URLEncoding.EncodeToString(request),
		"without padding":         base64.RawStdEncoding.EncodeToString(request),
		"after a slash":           "/" + standard,
		"with a space for a plus": url.PathEscape(strings.ReplaceAll(standard, "+", " ")),
	} {
		if got := requestIn(path); !bytes.Equal(got, request) {
			t.Errorf("%s: got %x, want %x", what, got, request)
		}
	}
	for _, path := range []string{"", "/", "%", "!", "M"} {
		if got := requestIn(path); len(got) > 0 {
			t.Errorf("%q: got %x, want nothing", path, got)
		}
	}
}

// openssl runs the real program in the folder and returns what it says and whether
// it is content. Where it is not installed the test is skipped.
func openssl(t testing.TB, dir string, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CERTWRIGHT_NO_SKIP") != "" {
		t.Fatal("openssl is not installed, and nothing may be skipped")
	}
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// OpenSSL fetches lists and answers, believes them, and knows from either that a
// certificate was revoked.
func TestOpenSSLBelieves(t *testing.T) {
	t.Parallel()
	for _, template := range []string{core.DefaultCA, core.ECDSACA} {
		t.Run(filepath.Base(strings.ReplaceAll(template, `\`, "/")), func(t *testing.T) {
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				s, dir := newSite(t, d, template), t.TempDir()
				for name, der := range map[string][]byte{"leaf": s.cert.Raw, "issuer": s.issuer.Raw, "root": s.place.Chain[1]} {
					if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				status := func(more ...string) (string, bool) {
					return openssl(t, dir, append([]string{"ocsp", "-sha256", "-issuer", "issuer", "-cert", "leaf", "-url", s.cert.OCSPServer[0], "-CAfile", "root"}, more...)...)
				}
				verify := func() (string, bool) {
					return openssl(t, dir, "verify", "-crl_download", "-crl_check", "-CAfile", "root", "-untrusted", "issuer", "leaf")
				}
				if out, ok := verify(); !ok {
					t.Errorf("before: %s", out)
				}
				if out, ok := status("-no_nonce"); !ok || !strings.Contains(out, "Response verify OK") || !strings.Contains(out, "leaf: good") {
					t.Errorf("before: %s", out)
				}
				if _, err := s.Put(context.Background(), s.Admin, core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: map[clm.Attr][]string{clm.OCSPNonce: {"1"}}}); err != nil {
					t.Fatal(err)
				}
				if out, ok := status(); !ok || !strings.Contains(out, "leaf: good") || strings.Contains(out, "nonce") {
					t.Errorf("with a nonce: %s", out)
				}
				s.revoke()
				if out, _ := status(); !strings.Contains(out, "leaf: revoked") || !strings.Contains(out, "Reason: superseded") {
					t.Errorf("after: %s", out)
				}
				for deadline := time.Now().Add(patience); ; {
					out, ok := verify()
					if !ok && strings.Contains(out, "certificate revoked") {
						break
					}
					if time.Now().After(deadline) {
						t.Fatalf("after: %s", out)
					}
				}
				whole := s.send("GET", strings.TrimSuffix(s.cert.CRLDistributionPoints[0], fmt.Sprintf("/%d.crl", s.place.Version.ID.Shard()))+".crl", nil)
				if err := os.WriteFile(filepath.Join(dir, "whole"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: whole.body}), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, ok := openssl(t, dir, "verify", "-crl_check", "-CRLfile", "whole", "-CAfile", "root", "-untrusted", "issuer", "leaf"); ok || !strings.Contains(out, "certificate revoked") {
					t.Errorf("by the whole list: %s", out)
				}
			})
		})
	}
}
