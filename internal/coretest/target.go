package coretest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
)

// TargetClass is the class of applications that use listeners.
var TargetClass = clm.ApplicationClass("listener")

// Listeners are services that speak TLS, of which tests say what goes wrong with
// them. They do what a good driver does, in memory.
type Listeners struct {
	t       testing.TB
	mu      sync.Mutex
	byPlace map[string]*Listener
}

// NewListeners makes a driver for applications of TargetClass, whose attribute look-at
// names one of the listeners.
func NewListeners(t testing.TB) *Listeners { return &Listeners{t: t, byPlace: map[string]*Listener{}} }

// Drivers is a registry with the driver.
func (s *Listeners) Drivers() deploy.Registry {
	return deploy.Registry{"listener": {
		Fields: []deploy.Field{{Attr: clm.LookAt, Label: "Look At", Required: true}}, WantsKey: true, Protocol: "tls",
		New: func(settings deploy.Settings) (deploy.Target, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			l := s.byPlace[settings.Value(clm.LookAt, "")]
			if l == nil {
				return deploy.Target{}, errors.New("there is no such listener")
			}
			return deploy.Target{Store: l, Service: l}, nil
		},
	}}
}

// A Listener is a service with the store of its certificate.
type Listener struct {
	At      string // host:port
	Service string // what it is called; those of the same name are one service
	Deaf    bool   // it says that it has reloaded, and goes on as before

	// Before is called before each of the methods of the store and the service, with
	// its name in lower case; an error fails it before it has done anything. After is
	// called when it has done it.
	Before, After func(what string) error

	mu                            sync.Mutex
	next, current, former, loaded *pki.Bundle
	back                          bool // there is something to go back to
	calls                         []string
}

// New starts a listener that serves the bundle; nil: a certificate of nobody.
func (s *Listeners) New(b *pki.Bundle) *Listener {
	s.t.Helper()
	l := &Listener{current: b, loaded: b}
	config := &tls.Config{GetCertificate: l.certificate}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		s.t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				_ = conn.(*tls.Conn).Handshake()
			})
		}
	})
	s.t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	l.At = listener.Addr().(*net.TCPAddr).String()
	l.Service = l.At
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byPlace[l.At] = l
	return l
}

func (l *Listener) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded == nil {
		return nil, errors.New("there is no certificate")
	}
	return &tls.Certificate{Certificate: slices.Concat([][]byte{l.loaded.Cert}, l.loaded.Chain), PrivateKey: l.loaded.Key}, nil
}

// Serves is the certificate that it shows, DER.
func (l *Listener) Serves() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded == nil {
		return nil
	}
	return l.loaded.Cert
}

// Finds is the certificate that it would show after a reload, DER.
func (l *Listener) Finds() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return nil
	}
	return l.current.Cert
}

// Calls lists what was done, in order.
func (l *Listener) Calls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

func (l *Listener) do(what string, fn func()) error {
	if l.Before != nil {
		if err := l.Before(what); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.calls = append(l.calls, what)
	fn()
	l.mu.Unlock()
	if l.After != nil {
		return l.After(what)
	}
	return nil
}

func is(b *pki.Bundle, other pki.Bundle) bool { return b != nil && bytes.Equal(b.Cert, other.Cert) }

// Place is that of deploy.Store.
func (l *Listener) Place(_ context.Context, b pki.Bundle) error {
	return l.do("place", func() { l.next = &b })
}

// Inspect is that of deploy.Store.
func (l *Listener) Inspect(context.Context) (f deploy.Found, err error) {
	err = l.do("inspect", func() {
		if l.current != nil {
			f = deploy.Found{Cert: l.current.Cert, Chain: l.current.Chain}
		}
	})
	return f, err
}

// Switch is that of deploy.Store.
func (l *Listener) Switch(_ context.Context, b pki.Bundle) (err error) {
	failed := l.do("switch", func() {
		switch {
		case !is(l.next, b) && is(l.current, b):
		case !is(l.next, b):
			err = deploy.ErrNotPlaced
		default:
			if !l.back {
				l.former, l.back = l.current, true
			}
			l.current, l.next = l.next, nil
		}
	})
	return errors.Join(failed, err)
}

// Back is that of deploy.Store.
func (l *Listener) Back(context.Context) error {
	return l.do("back", func() {
		if l.back {
			l.current, l.former, l.back = l.former, nil, false
		}
	})
}

// Keep is that of deploy.Store.
func (l *Listener) Keep(context.Context) error {
	return l.do("keep", func() { l.former, l.back = nil, false })
}

// Name is that of deploy.Service.
func (l *Listener) Name() string { return l.Service }

// Check is that of deploy.Service.
func (l *Listener) Check(context.Context) (string, error) {
	return "configuration is fine", l.do("check", func() {})
}

// Reload is that of deploy.Service.
func (l *Listener) Reload(context.Context) (string, error) {
	return "reloaded", l.do("reload", func() {
		if !l.Deaf {
			l.loaded = l.current
		}
	})
}
