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
)

// errUnasked says that a server was not asked, or was not waited for: it has not
// answered before in this round, or the round is over.
var errUnasked = errors.New("the server was not asked in this round")

// A fetcher fetches revocation lists and OCSP answers from addresses that stand in
// certificates, whoever may have made those. It serves one round: a server that does
// not answer is not asked a second time, so that nobody waits for it again.
type fetcher struct {
	client *http.Client

	mu     sync.Mutex
	silent map[string]bool // by host
}

func newFetcher() *fetcher {
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext,
		// What is fetched is public and signed by the CA, and that is checked. Whom the
		// server's own certificate is from says nothing more, and may be this very CA.
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: askedAtOnce,
	}
	return &fetcher{silent: map[string]bool{}, client: &http.Client{Transport: transport, Timeout: fetchTimeout, CheckRedirect: mayFollow}}
}

// close ends the connections that lie idle.
func (f *fetcher) close() { f.client.CloseIdleConnections() }

// mayFetch reports whether the address is one that is fetched from: others, of
// directories above all, are for those who can reach them.
func mayFetch(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
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
	if f.isSilent(r.URL.Host) {
		return nil, errUnasked
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, f.silence(r, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, f.silence(r, err)
	case len(body) > most:
		return nil, fmt.Errorf("the server answers with more than %d bytes", most)
	}
	return body, nil
}

func (f *fetcher) isSilent(host string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.silent[host]
}

// silence remembers that the server has not answered, and returns what is to be said
// of that.
func (f *fetcher) silence(r *http.Request, err error) error {
	if r.Context().Err() != nil {
		return errUnasked
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent[r.URL.Host] = true
	return err
}
