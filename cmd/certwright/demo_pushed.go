package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

// pushed is the service to which the demonstration pushes, seen from outside.
type pushed struct {
	program   string // this one
	cert, key string // files
	first     *x509.Certificate
	cmd       *exec.Cmd
	in        io.WriteCloser
	says      chan string // what it has said; closed when it has ended
	stderr    bytes.Buffer
	address   string
}

// start starts the process.
func (s *pushed) start() error {
	s.cmd = exec.Command(s.program, "demo-service", "serve", "--certificate", s.cert, "--key", s.key)
	s.cmd.Env, s.cmd.Stderr = []string{}, &s.stderr // ours has passwords
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.in, s.says = in, make(chan string, 100)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.says)
		for line := range linesOf(out) {
			select {
			case s.says <- line:
			default: // nobody listens any more
			}
		}
	}()
	return nil
}

// String says what an onlooker has to know.
func (s *pushed) String() string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("https://%s   (shows what %s is renewed with)", s.address, pushHost)
}

// makeFirst writes a self-signed certificate and its key.
func (s *pushed) makeFirst() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: pushHost}, DNSNames: []string{pushHost},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(0, 0, 1),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if s.first, err = x509.ParseCertificate(cert); err != nil {
		return err
	}
	der, err := pki.MarshalKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
}

// errSilent says that the service has ended, or says nothing.
var errSilent = errors.New("the service says nothing")

// next is the next line that the service says.
func (s *pushed) next(ctx context.Context) (string, error) {
	select {
	case line, ok := <-s.says:
		if ok {
			return line, nil
		}
	case <-time.After(demoTimeout):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return "", errSilent
}

// hears makes sure that the service says so next.
func (s *pushed) hears(ctx context.Context, want string) error {
	got, err := s.next(ctx)
	if err == nil && got != want {
		err = fmt.Errorf("the service says %q and not %q", got, want)
	}
	return err
}

// tell says a word to the service, and waits until it has taken it in.
func (s *pushed) tell(ctx context.Context, word string) error {
	if _, err := fmt.Fprintln(s.in, word); err != nil {
		return err
	}
	return s.hears(ctx, word)
}

// end ends the service and waits for that.
func (s *pushed) end() error {
	if s == nil {
		return nil
	}
	s.in.Close()
	late := time.AfterFunc(serviceEnding, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	for range s.says { // to its end
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the service: %w: %s", err, s.stderr.String())
	}
	return nil
}
