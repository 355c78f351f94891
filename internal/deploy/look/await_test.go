package look

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

const often = time.Millisecond

// soon ends long after all is done that should be.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// inTurn shows one certificate per handshake, the last of them from then on.
// It counts the handshakes.
func inTurn(count *atomic.Int32, shown ...issued) *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		n := min(int(count.Add(1)), len(shown))
		cert := shown[n-1].forTLS()
		return &cert, nil
	}}
}

// TestAwaitOutlivesOldWorkers waits until nobody shows the former certificate any
// more: two handshakes in a row are not enough.
func TestAwaitOutlivesOldWorkers(t *testing.T) {
	t.Parallel()
	old, fresh := newLeaf(t, "www.example"), newLeaf(t, "www.example")
	var count atomic.Int32
	s := here(t, TLS, shaking(inTurn(&count, old, fresh, fresh, old, fresh)))
	seen, err := Await(soon(t), []Spec{s}, fresh.Raw, fresh.chain, often)
	if err != nil {
		t.Fatal(err)
	}
	sameChain(t, seen[0].Chain, fresh.shown())
	if got := count.Load(); got != 7 {
		t.Errorf("%d looks, want 7", got)
	}
}

// TestAwaitLooksAtEveryAddress is content with a name of two addresses when both show
// the certificate, and says which of them does not.
func TestAwaitLooksAtEveryAddress(t *testing.T) {
	t.Parallel()
	old, fresh := newLeaf(t, "www.example"), newLeaf(t, "www.example")
	var count atomic.Int32
	first := serve(t, "tcp4", "127.0.0.1:0", shaking(fresh.config()))
	serve(t, "tcp4", fmt.Sprintf("127.0.0.2:%d", first.Port), shaking(inTurn(&count, old, old, fresh)))
	find := func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}, nil
	}
	s := Spec{Host: "www.example", Port: first.Port}
	if _, err := s.await(soon(t), find, fresh.Raw, fresh.chain[:1], often); err != nil {
		t.Error(err)
	}
	if got := count.Load(); got != 2+EnoughLooks {
		t.Errorf("%d looks, want %d", got, 2+EnoughLooks)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen, err := s.await(ctx, find, old.Raw, old.chain[:1], often)
	if want := fmt.Sprintf("127.0.0.1:%d shows ", first.Port); !errors.Is(err, ErrNotShown) || !strings.Contains(err.Error(), want) || !bytes.Equal(seen.Chain[0], fresh.Raw) {
		t.Errorf("got %v, want ...%s...", err, want)
	}
}

// TestAwaitWaitsForEach looks at services of several protocols, of which one starts
// late.
func TestAwaitWaitsForEach(t *testing.T) {
	t.Parallel()
	fresh := newLeaf(t, "www.example")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	_ = listener.Close()
	var count atomic.Int32
	mail := here(t, SMTP, func(conn net.Conn) {
		if count.Add(1) == EnoughLooks {
			serve(t, "tcp4", at.String(), shaking(fresh.config()))
		}
		offering(SMTP, fresh.config())(conn)
	})
	seen, err := Await(soon(t), []Spec{{Host: "127.0.0.1", Port: at.Port}, mail}, fresh.Raw, fresh.chain, often)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[0].Address != at.String() {
		t.Errorf("seen %v", seen)
	}
}

// TestAwaitSaysWhatWasSeen tells of each address that does not show the
// certificate, and of no other.
func TestAwaitSaysWhatWasSeen(t *testing.T) {
	t.Parallel()
	old, fresh := newLeaf(t, "old.example"), newLeaf(t, "www.example")
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var left atomic.Int32
	left.Store(3) // services
	until := func(looks int32, handle func(net.Conn)) func(net.Conn) {
		var count atomic.Int32
		return func(conn net.Conn) {
			handle(conn)
			if count.Add(1) == looks && left.Add(-1) == 0 {
				cancel()
			}
		}
	}
	good := here(t, TLS, until(EnoughLooks, shaking(fresh.config())))
	bad := here(t, TLS, until(2, shaking(old.config())))
	mute := here(t, SMTP, until(2, saying("220 a\r\n250 b\r\n500 c\r\n")))
	seen, err := Await(ctx, []Spec{good, bad, mute}, fresh.Raw, fresh.chain, often)
	want := strings.Join([]string{
		fmt.Sprintf(`the certificate is not shown: 127.0.0.1:%d shows "old.example", serial number %s, thumbprint %s instead`,
			bad.Port, pki.Serial(old.Certificate), pki.Thumbprint(old.Raw)),
		fmt.Sprintf(`the certificate is not shown: 127.0.0.1:%d does not offer STARTTLS: it says "500 c"`, mute.Port),
	}, "\n")
	if !errors.Is(err, ErrNotShown) || errors.Is(err, ErrIncomplete) || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if !bytes.Equal(seen[0].Chain[0], fresh.Raw) || !bytes.Equal(seen[1].Chain[0], old.Raw) || seen[2].Chain != nil {
		t.Errorf("seen %v", seen)
	}
}

// TestAwaitEnds says so where there is no time for enough looks, whatever the few
// have shown.
func TestAwaitEnds(t *testing.T) {
	t.Parallel()
	fresh := newLeaf(t, "www.example")
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var count atomic.Int32
	s := here(t, TLS, func(conn net.Conn) {
		if count.Add(1) == EnoughLooks {
			cancel()
			return
		}
		shaking(fresh.config())(conn)
	})
	seen, err := Await(ctx, []Spec{s}, fresh.Raw, fresh.chain, often)
	if want := fmt.Sprintf("the certificate is not shown by %s for long enough", s); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	sameChain(t, seen[0].Chain, fresh.shown())

	silent := here(t, TLS, saying(""))
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Await(ctx, []Spec{silent}, fresh.Raw, fresh.chain, often)
	if want := fmt.Sprintf("the certificate is not shown: %s does not answer in time", silent); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestAwaitWantsTheChain does not wait for a chain that is not shown, and is
// content with more than it wants.
func TestAwaitWantsTheChain(t *testing.T) {
	t.Parallel()
	fresh := newLeaf(t, "www.example")
	bare := fresh
	bare.chain = nil
	var count atomic.Int32
	s := here(t, TLS, shaking(inTurn(&count, bare)))
	_, err := Await(soon(t), []Spec{s}, fresh.Raw, fresh.chain, often)
	want := fmt.Sprintf("the chain is not shown: %s does not show %s", s, describe(fresh.chain[0]))
	if !errors.Is(err, ErrIncomplete) || errors.Is(err, ErrNotShown) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := count.Load(); got != EnoughLooks {
		t.Errorf("%d looks", got)
	}
	if _, err := Await(soon(t), []Spec{s}, fresh.Raw, fresh.chain[1:], often); err != nil {
		t.Errorf("below the root: %v", err)
	}
	whole := fresh.config()
	whole.Certificates[0].Certificate = append(fresh.shown(), fresh.chain[1], newLeaf(t, "other.example").Raw)
	if _, err := Await(soon(t), []Spec{here(t, TLS, shaking(whole))}, fresh.Raw, fresh.chain, often); err != nil {
		t.Errorf("with more than the chain: %v", err)
	}
}
