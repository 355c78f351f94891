package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	probeEvery   = 50 * time.Millisecond
	probeTimeout = 15 * time.Second
	probeClock   = "15:04:05.000"
)

// prober is a client of a service that connects to it every so often, trusts none but
// some CAs, and remembers what it was shown.
type prober struct {
	address string
	trust   *tls.Config

	mu    sync.Mutex // held from the beginning of a handshake to its end: they come one after another
	count int
	seen  []sighting // one for each change
	err   error      // of the first handshake that failed
	stop  func()
}

// sighting is when a certificate was first seen.
type sighting struct {
	serial string
	at     time.Time
}

// probe begins to connect to the service until stop is called or ctx ends.
func probe(ctx context.Context, address string, roots *x509.CertPool) *prober {
	p := &prober{address: address, trust: trusting(roots)}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(probeEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			p.look(ctx)
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	})
	p.stop = func() {
		cancel()
		running.Wait()
	}
	return p
}

// trusting is a client's configuration that takes nothing but pushHost, from the CAs.
func trusting(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, ServerName: pushHost, MinVersion: tls.VersionTLS12}
}

// look makes one handshake.
func (p *prober) look(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	looking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: p.trust}
	conn, err := dialer.DialContext(looking, "tcp", p.address)
	now := time.Now()
	switch {
	case ctx.Err() != nil:
		return // nobody wants to know any more
	case err != nil && p.err == nil:
		p.err = fmt.Errorf("a handshake failed at %s: %w", now.Format(probeClock), err)
		return
	case err != nil:
		return
	}
	defer conn.Close()
	p.count++
	serial := serialOf(conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	if n := len(p.seen); n == 0 || p.seen[n-1].serial != serial {
		p.seen = append(p.seen, sighting{serial, now})
	}
}

// tell looks once more, says what was seen since it was told last, and begins anew. It
// fails when a handshake has, or when other certificates were seen than these, one after
// another.
func (p *prober) tell(ctx context.Context, certs ...*x509.Certificate) (string, error) {
	p.look(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	var want, serials []string
	for _, c := range certs {
		want = append(want, serialOf(c))
	}
	text := fmt.Sprintf("%d handshakes, none failed: ", p.count)
	for i, s := range p.seen {
		if i > 0 {
			text += fmt.Sprintf(" until %s, ", s.at.Format(probeClock))
		}
		text += "serial " + brief(s.serial)
		serials = append(serials, s.serial)
	}
	if len(serials) > 1 {
		text += " from then on"
	} else {
		text += " all the time"
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case p.err != nil:
		return "", p.err
	case !slices.Equal(serials, want):
		return "", fmt.Errorf("the service has shown the serial numbers %s, and should have %s", serials, want)
	}
	p.count, p.seen = 0, p.seen[len(p.seen)-1:]
	return text, nil
}

func serialOf(c *x509.Certificate) string { return fmt.Sprintf("%X", c.SerialNumber) }

// brief is so much of a serial number as tells it from others.
func brief(serial string) string {
	const enough = 8
	if len(serial) <= enough {
		return serial
	}
	return serial[:enough] + "…"
}
