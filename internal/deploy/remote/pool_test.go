package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/secret"
)

// Twenty who use a host at once, for files and programs, share a connection, and
// have no more sessions than a server allows.
func TestManyShareAConnection(t *testing.T) {
	s := startSSHD(t, "ED25519")
	access := s.access(t)
	pool := newPool(t)
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			h := pool.Host(access)
			name := fmt.Sprintf("%s/%d", dir, i)
			err := h.WriteFile(t.Context(), name, []byte(name), Owner{})
			said, runErr := h.Run(t.Context(), Command{Args: []string{"sh", "-c", `sleep 0.1; cat "$0"`, name}})
			if err != nil || runErr != nil || said != name {
				t.Errorf("got %q, %v, %v", said, err, runErr)
			}
		})
	}
	all.Wait()
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

// Those who reach a host by another password, key, user, or under other host keys,
// do not get the connection of others.
func TestAccessesShareNothing(t *testing.T) {
	base := Access{Address: "a", Port: 1, Login: Login{User: "u"}}
	edits := map[string]func(*Access){
		"base":        func(*Access) {},
		"address":     func(a *Access) { a.Address = "b" },
		"port":        func(a *Access) { a.Port = 2 },
		"user":        func(a *Access) { a.User = "v" },
		"password":    func(a *Access) { a.Password = secret.NewString("x") },
		"key":         func(a *Access) { a.Key = secret.NewString("x") },
		"passphrase":  func(a *Access) { a.Passphrase = secret.NewString("x") },
		"a host key":  func(a *Access) { a.HostKeys = []string{"x y"} },
		"host keys":   func(a *Access) { a.HostKeys = []string{"x", "y"} },
		"trust":       func(a *Access) { a.Trust = true },
		"sudo":        func(a *Access) { a.Sudo = true },
		"its borders": func(a *Access) { a.User = `u" "x` },
	}
	seen := map[string]string{}
	for name, edit := range edits {
		a := base
		edit(&a)
		digest := a.digest([]byte("key"))
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s share a connection", name, other)
		}
		seen[digest] = name
	}
	a, b := base, base
	a.Learned = func(string, string) {}
	a.Password, b.Password = secret.NewString("x"), secret.NewString("x")
	if a.digest([]byte("key")) != b.digest([]byte("key")) {
		t.Error("the same access does not share a connection")
	}
}

// A connection that nobody needs is closed, and made again when it is needed.
func TestIdleConnectionsAreClosed(t *testing.T) {
	s := startSSHD(t, "ED25519")
	pool := newPool(t)
	pool.idle = 50 * time.Millisecond
	h := pool.Host(s.access(t))
	for want := range int32(3) {
		if _, err := h.Run(t.Context(), Command{Args: []string{"sleep", "0.2"}}); err != nil {
			t.Fatal(err)
		}
		if n := s.connections.Load(); n != want+1 {
			t.Errorf("%d connections were made, want %d", n, want+1)
		}
		until(t, "it is closed", func() bool { return pool.isEmpty() })
	}
}

func (p *Pool) isEmpty() bool {
	p.Lock()
	defer p.Unlock()
	return len(p.links) == 0
}

// When the server dies what is under way may be tried again, and then there is
// another connection.
func TestServerDies(t *testing.T) {
	s := startSSHD(t, "ED25519")
	h := newPool(t).Host(s.access(t))
	dir := t.TempDir()
	for name, use := range map[string]func() error{
		"run": func() error {
			_, err := h.Run(t.Context(), Command{Args: []string{"sh", "-c", `echo > "$0/begun"; exec cat "$0/fifo"`, dir}})
			return err
		},
		"read": func() error {
			if err := h.WriteFile(t.Context(), dir+"/begun", []byte("x"), Owner{}); err != nil {
				return err
			}
			for {
				if _, err := h.ReadFile(t.Context(), dir+"/begun"); err != nil {
					return err
				}
			}
		},
	} {
		if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- use() }()
		until(t, "it has begun", func() bool { return isWritten(dir + "/begun") })
		s.kill()
		if err := <-ended; !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: got %v", name, err)
		}
		until(t, "another try goes well", func() bool { return h.RemoveAll(t.Context(), dir+"/begun") == nil })
		if err := h.RemoveAll(t.Context(), dir+"/fifo"); err != nil {
			t.Error(err)
		}
	}
}

// When only the server's program for files dies, another is started.
func TestSFTPDies(t *testing.T) {
	s := startSSHD(t, "ED25519")
	h := newPool(t).Host(s.access(t))
	for range 3 {
		if _, err := h.ReadDir(t.Context(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
		killSFTP(t, h)
		until(t, "another try goes well", func() bool {
			_, err := h.ReadDir(t.Context(), t.TempDir())
			if err != nil && !errors.Is(err, ErrUnreachable) {
				t.Error(err)
			}
			return err == nil
		})
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

// Something about files that hangs does not keep others from files for longer than its
// own context and a moment; and what hangs again and again costs the connection.
func TestSFTPHangs(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "ED25519")
	h := newPool(t).Host(s.access(t))
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // lets go all that hangs
		if f, err := os.OpenFile(fifo, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
	if _, err := h.ReadDir(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for range maxDropped + 1 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		err := h.use(ctx, func(d disk) error {
			time.AfterFunc(50*time.Millisecond, cancel)
			_, err := d.Open(fifo)
			ended <- err
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		until(t, "another finds files", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			names, err := h.ReadDir(ctx, dir)
			return err == nil && len(names) == 1
		})
		if err := <-ended; !errors.Is(err, ErrUnreachable) {
			t.Errorf("what hung ended with %v", err)
		}
	}
	if n := s.connections.Load(); n != 2 {
		t.Errorf("%d connections were made, want 2", n)
	}
}

// Who ends waiting for a directory does not learn that the host is gone.
func TestEndedContextIsNoLostHost(t *testing.T) {
	s := startSSHD(t, "ED25519")
	h := newPool(t).Host(s.access(t))
	err := h.use(t.Context(), func(d disk) error {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		of := d.(sftpDisk)
		of.ctx = gone
		_, err := of.ReadDir(t.TempDir())
		return err
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// killSFTP ends the program for files of the server that runs our programs.
func killSFTP(t *testing.T, h *Host) {
	t.Helper()
	server, err := h.Run(t.Context(), Command{Args: []string{"sh", "-c", "echo $PPID"}})
	if err != nil {
		t.Fatal(err)
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, _ := os.ReadFile(name)
		if fields := strings.Fields(string(stat)); len(fields) > 3 && fields[1] == "(sftp-server)" && fields[3] == strings.TrimSpace(server) {
			pid, _ := strconv.Atoi(fields[0])
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Skip("the program is not seen here")
}

// A host of which nothing is heard any more is noticed, without anybody's asking and
// by those who wait; and who does not want to wait need not.
func TestSilence(t *testing.T) {
	s := startSSHD(t, "ED25519")
	for name, use := range map[string]func(context.Context, *Host) error{
		"run": func(ctx context.Context, h *Host) error {
			_, err := h.Run(ctx, Command{Args: []string{"true"}})
			return err
		},
		"write": func(ctx context.Context, h *Host) error {
			return h.WriteFile(ctx, "/tmp/never-written", make([]byte, MaxFile), Owner{})
		},
	} {
		access := s.access(t)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startWire(t, s.addr)
			access.Port = portOf(t, w.addr)
			pool := newPool(t)
			pool.keepalive = 10 * time.Second
			h := pool.Host(access)
			if _, err := h.ReadDir(t.Context(), t.TempDir()); err != nil {
				t.Fatal(err)
			}
			w.cut()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			began := time.Now()
			if err := use(ctx, h); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > pool.keepalive/2 {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
			cancel()
			if err := use(t.Context(), h); !errors.Is(err, ErrUnreachable) {
				t.Errorf("got %v", err)
			}
			until(t, "it is noticed", pool.isEmpty)
		})
	}
}

// A host that does not answer in time, or not at all, may be tried again.
func TestNoAnswer(t *testing.T) {
	silent := serve(t, func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1<<20)); _, _ = conn.Read(make([]byte, 1)) })
	rude := serve(t, func(conn *net.TCPConn) { _, _ = conn.Write([]byte("SSH-2.0-rude\r\n")) })
	other := serve(t, func(conn *net.TCPConn) { _, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for name, addr := range map[string]string{"silent": silent, "rude": rude, "another protocol": other, "nobody": l.Addr().String()} {
		access := Access{
			Address: "127.0.0.1", Port: portOf(t, addr), Trust: true, Timeout: 300 * time.Millisecond,
			Login: Login{User: "u", Password: secret.NewString("p")},
		}
		began := time.Now()
		if err := reach(t, access); !errors.Is(err, ErrUnreachable) || time.Since(began) > patience/2 {
			t.Errorf("%s: got %v after %v", name, err, time.Since(began))
		}
	}

	pool := newPool(t)
	access := Access{Address: "127.0.0.1", Port: portOf(t, silent), Trust: true, Login: Login{User: "u", Password: secret.NewString("p")}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := pool.Host(access).ReadFile(ctx, "/f"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > ConnectTimeout/2 {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
}

// A pool that is closed ends what is under way, and does nothing any more.
func TestClose(t *testing.T) {
	s := startSSHD(t, "ED25519")
	pool := newPool(t)
	h := pool.Host(s.access(t))
	ended := make(chan error, 2)
	begun := t.TempDir() + "/begun"
	if err := h.WriteFile(t.Context(), t.TempDir()+"/f", nil, Owner{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := h.Run(t.Context(), Command{Args: []string{"sh", "-c", `echo > "$0"; sleep 60`, begun}})
		ended <- err
	}()
	until(t, "it has begun", func() bool { return isWritten(begun) })
	pool.Close()
	if err := <-ended; err == nil {
		t.Error("it was not ended")
	}
	if _, err := h.ReadDir(t.Context(), "/"); !errors.Is(err, errPoolClosed) {
		t.Errorf("got %v", err)
	}
	pool.Close()
	s.kill()
}

// A server that has no files to give, or not in the way that is needed, is told in a
// way that is final.
func TestServersWithoutSFTP(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(ssh.Channel, *ssh.Request)
		says string
	}{
		{"refused", func(_ ssh.Channel, r *ssh.Request) { _ = r.Reply(false, nil) }, "refuses"},
		{"a program that fails", func(c ssh.Channel, r *ssh.Request) {
			_ = r.Reply(true, nil)
			_, _ = c.Stderr().Write([]byte("sudo: a password is required\x1b\n"))
			_, _ = c.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{1}))
			_ = c.Close()
		}, "exit status 1: sudo: a password is required"},
		{"a shell that speaks first", func(c ssh.Channel, r *ssh.Request) {
			_ = r.Reply(true, nil)
			_, _ = c.Write([]byte("Welcome to this host!\n"))
		}, "SFTP"},
		{"no extensions", func(c ssh.Channel, r *ssh.Request) {
			_ = r.Reply(true, nil)
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Write([]byte{0, 0, 0, 5, 2, 0, 0, 0, 3})
		}, "posix-rename"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := strangeServer{config: ssh.ServerConfig{NoClientAuth: true}}
			s.session = func(channel ssh.Channel, requests <-chan *ssh.Request) {
				for r := range requests {
					c.does(channel, r)
				}
				_ = channel.Close()
			}
			port := portOf(t, s.start(t))
			h := newPool(t).Host(Access{Address: "127.0.0.1", Port: port, Trust: true, Login: Login{User: "u", Password: secret.NewString("p")}})
			_, err := h.ReadDir(t.Context(), "/")
			if err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v, want an error that is final and says %q", err, c.says)
			}
		})
	}
}
