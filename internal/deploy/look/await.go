package look

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

// EnoughLooks is how many handshakes in a row must show a certificate: after a
// reload, old workers of a service may still answer for a moment.
const EnoughLooks = 3

// Why Await fails; to be told apart with errors.Is.
var (
	// ErrNotShown says that a service does not show the certificate.
	ErrNotShown = errors.New("the certificate is not shown")

	// ErrIncomplete says that a service shows the certificate, but not all of what
	// stands between it and the root, without which clients do not trust it.
	ErrIncomplete = errors.New("the chain is not shown")
)

// Await looks at each of the services, one look every so often at every address that
// its host has, until each has shown the certificate, DER, in EnoughLooks handshakes in
// a row, together with the chain. The root need not be shown, and more than the chain
// may be. An address at which nobody can be connected to does not count while another
// one of the same host shows something.
//
// It waits for as long as ctx allows. Then the error, which wraps ErrNotShown, says
// what each of the other services has shown instead. Only a chain that is wanting in
// as many handshakes in a row is not waited for: the error wraps ErrIncomplete.
//
// What was seen last is returned in the order of the services: of a host with several
// addresses, what was wrong at one, if anything was; the zero Seen for one that has
// shown nothing.
func Await(ctx context.Context, specs []Spec, want []byte, chain [][]byte, every time.Duration) ([]Seen, error) {
	seen, errs := make([]Seen, len(specs)), make([]error, len(specs))
	var wait sync.WaitGroup
	for i, s := range specs {
		wait.Go(func() { seen[i], errs[i] = s.await(ctx, net.DefaultResolver.LookupNetIP, want, needed(chain), every) })
	}
	wait.Wait()
	return seen, errors.Join(errs...)
}

// needed are those of a chain that a service must show: all but the root.
func needed(chain [][]byte) [][]byte {
	return slices.DeleteFunc(slices.Clone(chain), func(der []byte) bool {
		cert, err := x509.ParseCertificate(der)
		return err == nil && isRoot(cert)
	})
}

// isRoot reports whether nothing stands above the certificate.
func isRoot(cert *x509.Certificate) bool { return bytes.Equal(cert.RawSubject, cert.RawIssuer) }

func (s Spec) await(ctx context.Context, find lookup, want []byte, chain [][]byte, every time.Duration) (Seen, error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last Seen
	var why error
	for shown, incomplete, looks := 0, 0, 0; ; looks++ {
		seen, errs := s.all(ctx, find)
		if errors.Join(errs...) != nil && looks > 0 && isOver(ctx) {
			return last, s.late(why) // all that this look says is that there was no time for it
		}
		last, why = s.worst(seen, errs, want, chain)
		switch {
		case why == nil:
			shown, incomplete = shown+1, 0
		case errors.Is(why, ErrIncomplete):
			shown, incomplete = 0, incomplete+1
		default:
			shown, incomplete = 0, 0
		}
		if shown == EnoughLooks || incomplete == EnoughLooks {
			return last, why
		}
		select {
		case <-ctx.Done():
			return last, s.late(why)
		case <-ticker.C:
		}
	}
}

// worst is what was seen where something is wrong, and what that is; where a leaf is
// not shown rather than where only the chain is wanting. It is the first where nothing is.
func (s Spec) worst(seen []Seen, errs []error, want []byte, chain [][]byte) (at Seen, why error) {
	at = seen[0]
	for i := range seen {
		wrong := s.compare(seen[i], errs[i], want, chain)
		if wrong != nil && (why == nil || errors.Is(why, ErrIncomplete) && !errors.Is(wrong, ErrIncomplete)) {
			at, why = seen[i], wrong
		}
	}
	return at, why
}

// late is why it was waited in vain: the last look, or that there were too few.
func (s Spec) late(why error) error {
	if why == nil {
		return fmt.Errorf("%w by %s for long enough", ErrNotShown, s)
	}
	return why
}

// compare says what is wrong with what a look has shown.
func (s Spec) compare(seen Seen, err error, want []byte, chain [][]byte) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotShown, err)
	case !bytes.Equal(seen.Chain[0], want):
		return fmt.Errorf("%w: %s shows %s instead", ErrNotShown, seen.Address, describe(seen.Chain[0]))
	}
	for _, cert := range chain {
		if !has(seen.Chain[1:], cert) {
			return fmt.Errorf("%w: %s does not show %s", ErrIncomplete, seen.Address, describe(cert))
		}
	}
	return nil
}

// describe names a certificate in a text for administrators.
func describe(der []byte) string {
	serial := "unknown"
	if cert, err := x509.ParseCertificate(der); err == nil {
		serial = pki.Serial(cert)
	}
	return fmt.Sprintf("%q, serial number %s, thumbprint %s", pki.CommonName(der), serial, pki.Thumbprint(der))
}
