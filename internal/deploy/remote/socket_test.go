package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAskReadsToTheEnd asks the sockets of both kinds of host: one that answers, as much
// as is allowed and more; one that does not; and one that is not there.
func TestAskReadsToTheEnd(t *testing.T) {
	dir, err := os.MkdirTemp("", "cw") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server := startSSHD(t, "ed25519")
	for kind, h := range map[string]*Host{"local": Local(), "ssh": newPool(t).Host(server.access(t))} {
		t.Run(kind, func(t *testing.T) {
			size := MaxAnswer
			answers := listen(t, filepath.Join(dir, kind+"-answers"), func(c net.Conn) {
				question := make([]byte, 6)
				_, _ = c.Read(question)
				said := fmt.Sprintf("you said %q; ", question)
				fmt.Fprint(c, said, strings.Repeat("x", size-len(said)))
			})
			said, err := h.Ask(t.Context(), answers, []byte("hello\n"))
			if err != nil || !strings.HasPrefix(said, `you said "hello\n"; xxx`) || len(said) != size {
				t.Errorf("got %d bytes, %.30s, %v", len(said), said, err)
			}
			size++
			said, err = h.Ask(t.Context(), answers, []byte("hello\n"))
			if want := fmt.Sprintf("the answer has more than %d bytes", MaxAnswer); err == nil || !strings.HasSuffix(err.Error(), want) || said != "" {
				t.Errorf("a byte too many: got %d bytes, %v, want ...%s", len(said), err, want)
			}

			gone := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			silent := listen(t, filepath.Join(dir, kind+"-silent"), func(c net.Conn) {
				_, _ = c.Read(make([]byte, 100))
				cancel()
				for _, err := c.Read(make([]byte, 100)); err == nil; _, err = c.Read(make([]byte, 100)) {
					continue
				}
				close(gone)
			})
			if _, err := h.Ask(ctx, silent, []byte("hello\n")); !errors.Is(err, context.Canceled) {
				t.Errorf("nobody answers: got %v", err)
			}
			if kind == "local" {
				<-gone // the connection was closed
			}

			nowhere := filepath.Join(dir, "nowhere")
			_, err = h.Ask(t.Context(), nowhere, []byte("hello\n"))
			if err == nil || errors.Is(err, ErrUnreachable) || !strings.HasPrefix(err.Error(), "ask "+nowhere) {
				t.Errorf("nobody is there: got %v", err)
			}
			if kind == "local" && !errors.Is(err, syscall.ENOENT) {
				t.Errorf("nobody is there: got %v", err)
			}
		})
	}
}

// listen serves connections to a socket until the test ends.
func listen(t *testing.T, name string, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return name
}
