package core

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of fetching what certificates point to.
const (
	connectTimeout = 5 * time.Second
	fetchTimeout   = 30 * time.Second // for all of a list or an answer
	maxRedirects   = 3
	firstSilence   = 15 * time.Second // a server that has not answered is left alone for so long; it doubles each time
	longestSilence = time.Hour
	maxSilent      = 10_000 // servers that are remembered for not having answered
)

// errUnasked says that a server was not asked, or was not waited for: it has not
// answered lately, or the round is over.
var errUnasked = errors.New("the server was not asked in this round")

// A fetcher fetches revocation lists and OCSP answers from addresses that stand in
// certificates, whoever may have made those. Servers that have not answered are left
// alone for a while, so that nobody waits for them all the time.
type fetcher struct {
	client  *http.Client
	silence *silence // shared with all others
	now     func() time.Time
}

func newFetcher(s *silence, now func() time.Time) *fetcher {
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext,
		// What is fetched is public and signed by the CA, and that is checked. Whom the
		// server's own certificate is from says nothing more, and may be this very CA.
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: askedAtOnce,
	}
	return &fetcher{silence: s, now: now, client: &http.Client{Transport: transport, Timeout: fetchTimeout, CheckRedirect: mayFollow}}
}

// close ends the connections that lie idle.
func (f *fetcher) close() { f.client.CloseIdleConnections() }

// mayFetch reports whether the address is one that is fetched from: others, of
// directories above all, are for those who can reach them.
func mayFetch(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func mayFollow(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !mayFetch(to.URL.String()) {
		return fmt.Errorf("redirected to %s, which is not followed", to.URL)
	}
	return nil
}

// list fetches a revocation list that is no longer than that.
func (f *fetcher) list(ctx context.Context, address string, most int) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return f.fetch(r, most)
}

// answer asks a responder (RFC 6960, appendix A.1) and wants an answer no longer
// than that.
func (f *fetcher) answer(ctx context.Context, address string, question []byte, most int) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	return f.fetch(r, most)
}

func (f *fetcher) fetch(r *http.Request, most int) ([]byte, error) {
	if !f.silence.mayAsk(r.URL.Host, f.now()) {
		return nil, errUnasked
	}
	body, err := f.exchange(r, most)
	switch {
	case err != nil && r.Context().Err() != nil:
		return nil, errUnasked
	case isSilence(err):
		f.silence.begin(r.URL.Host, f.now())
	default:
		f.silence.end(r.URL.Host)
	}
	return body, err
}

// exchange sends the request and reads an answer that is no longer than that.
func (f *fetcher) exchange(r *http.Request, most int) ([]byte, error) {
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > most:
		return nil, fmt.Errorf("the server answers with more than %d bytes", most)
	}
	return body, nil
}

// isSilence reports whether the error means that the server does not answer: nobody
// can be connected to, or time has run out. Whoever answers nonsense, or refers to
// where nobody goes, does answer.
func isSilence(err error) bool {
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "dial" {
		return true
	}
	failed, ok := errors.AsType[net.Error](err)
	return ok && failed.Timeout()
}

// A silence remembers which servers have not answered, from one round to the next.
// The zero value is ready, and may be used concurrently.
type silence struct {
	mu    sync.Mutex
	hosts map[string]quiet
}

// quiet is how long a server is left alone.
type quiet struct {
	until time.Time
	pause time.Duration // until then
	tried bool          // somebody is trying it again
}

// mayAsk reports whether the server may be asked. When the time has come to try one
// again that has not answered, it reports true to the first who asks only: others
// need not wait with it.
func (s *silence) mayAsk(host string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, isSilent := s.hosts[host]
	if isSilent && now.Before(q.until) {
		return false
	}
	if isSilent {
		s.hosts[host] = quiet{now.Add(q.pause), q.pause, true}
	}
	return true
}

// begin remembers that the server has not answered. Several who have waited at the
// same time count as one.
func (s *silence) begin(host string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil || len(s.hosts) >= maxSilent {
		s.hosts = map[string]quiet{}
	}
	q, wasSilent := s.hosts[host]
	switch {
	case !wasSilent:
		q.pause = firstSilence
	case q.tried:
		q.pause = min(2*q.pause, longestSilence)
	}
	s.hosts[host] = quiet{now.Add(q.pause), q.pause, false}
}

// end forgets that the server has ever been silent.
func (s *silence) end(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hosts, host)
}
