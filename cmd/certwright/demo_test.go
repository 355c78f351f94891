package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/deploy/remote"
)

const demoPatience = time.Minute

// aDemo is the demonstration as a process of its own.
type aDemo struct {
	*exec.Cmd
	dir     string // where it makes its directory
	lines   *bufio.Scanner
	address string // of its service
}

// startDemo starts it, and waits until it has printed all of the texts, one after another.
func startDemo(t *testing.T, texts ...string) *aDemo {
	t.Helper()
	d := &aDemo{Cmd: exec.Command("certwright", "demo"), dir: t.TempDir()}
	d.Env = append(os.Environ(), "TMPDIR="+d.dir)
	d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell does it
	out, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Process.Kill() })
	d.lines = bufio.NewScanner(out)
	address := regexp.MustCompile(`it serves TLS on ([0-9.:]+),`)
	for len(texts) > 0 && d.lines.Scan() {
		if found := address.FindStringSubmatch(d.lines.Text()); found != nil {
			d.address = found[1]
		}
		if strings.Contains(d.lines.Text(), texts[0]) {
			texts = texts[1:]
		}
	}
	if len(texts) > 0 || d.address == "" {
		t.Fatalf("the demonstration has ended without %q", texts)
	}
	return d
}

// isGone waits until nobody listens where the service did.
func (d *aDemo) isGone(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(demoPatience); ; {
		conn, err := net.Dial("tcp", d.address)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("the service has outlived the demonstration")
		}
	}
}

// Whenever it is interrupted, it ends its service and removes its directory.
func TestDemoLeavesNothingBehindWhenInterrupted(t *testing.T) {
	for name, texts := range map[string][]string{
		"in the middle of a push that fails": {"is deaf to its reload", "/vedsdk/Config/ReadAll"},
		"after its steps":                    {"The server stays up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDemo(t, texts...)
			if err := syscall.Kill(-d.Process.Pid, syscall.SIGINT); err != nil { // as a terminal does it
				t.Fatal(err)
			}
			for d.lines.Scan() { // to the end of its output, which its service does not hold
			}
			err := d.Wait()
			if isOver := len(texts) == 1; isOver != (err == nil) {
				t.Errorf("it has ended with %v", err)
			}
			d.isGone(t)
			if left, err := os.ReadDir(d.dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A demonstration that is killed can end nothing: its service ends by itself.
func TestServiceEndsWithDemo(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "it serves TLS on")
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	d.isGone(t)
}

// aService is the service within this process.
type aService struct {
	*pushed
	in    *io.PipeWriter
	ended chan error
}

func startService(t *testing.T) *aService {
	t.Helper()
	dir := t.TempDir()
	s := &aService{&pushed{cert: filepath.Join(dir, "crt"), key: filepath.Join(dir, "key"), says: make(chan string)}, nil, make(chan error, 1)}
	if err := s.makeFirst(); err != nil {
		t.Fatal(err)
	}
	in, told := io.Pipe()
	said, out := io.Pipe()
	s.in, s.pushed.in = told, told
	t.Cleanup(func() { told.Close() })
	go func() {
		p := demoService{listen: "127.0.0.1:0", cert: s.cert, key: s.key}
		s.ended <- p.run(context.Background(), in, out)
		out.Close()
	}()
	go func() {
		for line := range linesOf(said) {
			s.says <- line
		}
	}()
	var err error
	if s.address, err = s.next(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// The service reads its files when it is told, unless it is deaf or they are no good, and
// ends with its input.
func TestServiceReadsOnHangUp(t *testing.T) {
	ctx := t.Context()
	s := startService(t)
	old := s.first
	shows := func(want *x509.Certificate) {
		t.Helper()
		roots := x509.NewCertPool()
		roots.AddCert(want)
		p := &prober{address: s.address, trust: trusting(roots)}
		if _, err := p.tell(ctx, want); err != nil {
			t.Error(err)
		}
	}
	hangUpSelf := func() {
		t.Helper()
		if err := hangUp(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	says := func(want string) {
		t.Helper()
		if err := s.hears(ctx, want); err != nil {
			t.Error(err)
		}
	}
	shows(old)
	if err := s.makeFirst(); err != nil {
		t.Fatal(err)
	}
	shows(old)
	if err := s.tell(ctx, beDeaf); err != nil {
		t.Fatal(err)
	}
	hangUpSelf()
	shows(old)
	if err := s.tell(ctx, hear); err != nil {
		t.Fatal(err)
	}
	hangUpSelf()
	says("read 1")
	shows(s.first)
	if err := os.WriteFile(s.key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUpSelf()
	if line, err := s.next(ctx); err != nil || strings.HasPrefix(line, "read") {
		t.Errorf("of a key that is none it says %q, %v", line, err)
	}
	shows(s.first)
	s.in.Close()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", s.address); err == nil {
		conn.Close()
		t.Error("it serves without an input")
	}
}

// Ctrl-C is for the demonstration, which needs its service until its server has ended.
func TestServiceIgnoresInterrupts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &pushed{program: "certwright", cert: dir + "/crt", key: dir + "/key"}
	if err := s.makeFirst(); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := s.tell(t.Context(), hear); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// What is checked are the two files together.
func TestServiceFindsFilesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	a, b := pushed{cert: dir + "/a.crt", key: dir + "/a.key"}, pushed{cert: dir + "/b.crt", key: dir + "/b.key"}
	for _, p := range []*pushed{&a, &b} {
		if err := p.makeFirst(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, cert, key string
		isFine          bool
	}{
		{"those that belong together", a.cert, a.key, true},
		{"another's key", a.cert, b.key, false},
		{"no key", a.cert, dir + "/none", false},
		{"no certificate", dir + "/none", a.key, false},
	} {
		root := newRoot()
		root.SetArgs([]string{"demo-service", "check", "--certificate", c.cert, "--key", c.key})
		if err := root.Execute(); c.isFine != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Numbers that stand for several processes, or for the first of the machine, are refused.
func TestOnlyOneServiceIsReloaded(t *testing.T) {
	for _, pid := range []int{-int(syscall.SIGHUP), -1, 0, 1} {
		if hangUp(pid) == nil {
			t.Errorf("%d was sent a signal", pid)
		}
	}
}

// The client tells of what went wrong while nobody looked.
func TestProberFindsFault(t *testing.T) {
	s := startService(t)
	other := &pushed{cert: t.TempDir() + "/crt", key: t.TempDir() + "/key"}
	if err := other.makeFirst(); err != nil {
		t.Fatal(err)
	}
	trusted, strange := x509.NewCertPool(), x509.NewCertPool()
	trusted.AddCert(s.first)
	strange.AddCert(other.first)
	two := &x509.Certificate{SerialNumber: big.NewInt(2)}
	for _, c := range []struct {
		name   string
		roots  *x509.CertPool
		before []sighting
		want   []*x509.Certificate
		fault  string
	}{
		{"what is wanted is seen", trusted, nil, []*x509.Certificate{s.first}, ""},
		{"one that should have gone", trusted, nil, []*x509.Certificate{two}, "has shown"},
		{"one that comes back", trusted, []sighting{{serial: "1"}, {serial: "2"}}, []*x509.Certificate{s.first}, "has shown"},
		{"one that does not come", trusted, nil, []*x509.Certificate{s.first, two}, "has shown"},
		{"one that nobody trusts", strange, nil, []*x509.Certificate{s.first}, "a handshake failed at"},
	} {
		p := &prober{address: s.address, trust: trusting(c.roots), seen: c.before}
		_, err := p.tell(t.Context(), c.want...)
		if got := errorText(err); c.fault == "" && err != nil || !strings.Contains(got, c.fault) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.fault)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The driver for commands reads what is written for it, wherever the program lies.
func TestCommandLineIsRead(t *testing.T) {
	args := []string{"/tmp/it's here/certwright", "demo-service", "--key", "", "$HOME|;\"\\"}
	got, err := remote.Words(commandLine(slices.Clone(args)...))
	if err != nil || !slices.Equal(got, args) {
		t.Errorf("got %q, %v; want %q", got, err, args)
	}
}
