package e2e

import (
	"crypto/tls"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestStartsAgain has everything be there after a stop and a start: the CA that
// clients trust, their tokens, their certificates.
func TestStartsAgain(t *testing.T) {
	t.Parallel()
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, kind)
			a, bundle, dn := login(t, s, "alice"), readFile(t, s.ca), `\VED\Policy\Open\again.example.org`
			mustRequest(t, a, `\VED\Policy\Open`, "again.example.org")
			within(t, time.Minute, dn+" has a certificate", func() bool {
				cert, _, err := a.retrieve(dn)
				return err == nil && cert != nil
			})
			before, _, err := a.retrieve(dn)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if err := s.start(); err != nil {
				t.Fatal(err)
			}
			if readFile(t, s.ca) != bundle {
				t.Error("the CA bundle has changed")
			}
			after, got, err := a.retrieve(dn)
			if err != nil || after == nil || !after.Equal(before) {
				t.Errorf("got %v, %v, want the same certificate for the same token", got, err)
			}
		})
	}
}

// TestSecondServerIsRefused keeps two processes from writing to one SQLite file.
func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, "sqlite")
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	second := exec.Command(certwright, "serve", "--data", s.dir, "--listen", addr, "--publish", "127.0.0.1:0")
	ended := make(chan error, 1)
	out := &strings.Builder{}
	second.Stdout, second.Stderr = out, out
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- second.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Errorf("the second server ended without an error: %s", out)
		}
	case <-time.After(readyWithin):
		second.Process.Kill()
		<-ended
		t.Errorf("the second server is running: %s", out)
	}
	if !s.isReady() {
		t.Error("the first server is no longer ready")
	}
}

// TestLooksAfterItself asks what an operator's tools ask, without a login.
func TestLooksAfterItself(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a := newAPI(t, s)
		for _, path := range []string{"healthz", "readyz", "metrics"} {
			if got, err := a.get(path); err != nil || got.Status != http.StatusOK {
				t.Errorf("%s: got %v, %v, want 200", path, got, err)
			}
		}
	})
}

// TestStatusLines compares the words after the status code, from which clients read
// what went wrong.
func TestStatusLines(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		retrieve := func(dn string) (answer, error) {
			return a.post("vedsdk/certificates/retrieve", object{"CertificateDN": dn, "Format": "base64"})
		}
		mustRequest(t, a, `\VED\Policy\Slow`, "line.example.org")
		for dn, want := range map[string]string{
			`\VED\Policy\Shop\missing`:          "Certificate does not exist.",
			`\VED\Policy\Slow\line.example.org`: `Certificate \VED\Policy\Slow\line.example.org being processed, Status: `,
		} {
			if got, err := retrieve(dn); err != nil || !strings.HasPrefix(got.Phrase, want) {
				t.Errorf("%s: got %v, %v, want the phrase %q", dn, got, err, want)
			}
		}
		unknown := &api{base: a.base, client: a.client, token: "bm8gc3VjaCB0b2tlbg=="}
		if got, err := unknown.get("vedauth/authorize/verify"); err != nil || got.Status != http.StatusUnauthorized || got.Phrase != "Unauthorized" {
			t.Errorf("unknown token: got %v, %v, want 401 Unauthorized", got, err)
		}
	})
}

// TestStatusLineCannotBeSplit sends names that try to begin a header of their own
// where they are repeated.
func TestStatusLineCannotBeSplit(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		evil := `\VED\Policy\Open\x` + "\r\nX-Evil: 1\r\n\r\n<html>"
		for path, body := range map[string]object{
			"vedsdk/certificates/renew":       {"CertificateDN": evil},
			"vedsdk/certificates/retrieve":    {"CertificateDN": evil},
			"vedsdk/certificates/checkpolicy": {"PolicyDN": evil},
			"vedsdk/certificates/request":     {"PolicyDN": evil, "Subject": "x.example.org"},
		} {
			got, err := a.post(path, body)
			if err != nil || got.Status != http.StatusBadRequest || got.Header.Get("X-Evil") != "" || got.get("Error") == "" {
				t.Errorf("%s: got %v with %v, %v, want a plain 400", path, got, got.Header, err)
			}
		}
	})
}

// TestNoHTTP2 keeps the protocol that has status lines.
func TestNoHTTP2(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		pool, err := s.pool()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("got %q, want http/1.1", got)
		}
	})
}
