// Package deploytest holds the tests that every driver must pass, and starts the
// real programs that they are held against: each as a process of the test's own, on
// free ports, with its files in a folder of the test's.
package deploytest

import (
	"crypto/x509"
	"encoding/pem"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/pki"
)

// Patience is how long a test waits for what should come at once, on a machine that
// has much else to do.
const Patience = 3 * time.Minute

// need fails the test, or skips it where that is allowed.
func need(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// Program finds the first of the programs that is installed, in the path or where
// daemons are. Where none is, the test is skipped, unless CERTWRIGHT_NO_SKIP is 1.
// A name may be a pattern of paths, like /usr/lib/postgresql/*/bin/postgres.
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, _ := filepath.Glob(name); filepath.IsAbs(name) && len(found) > 0 {
			return found[len(found)-1]
		}
		for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin", "/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	need(t, strings.Join(names, " or ")+" is not installed")
	return ""
}

// ports are those that were given away, lest two tests of a process get the same.
var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort finds a port on which nobody listens. It lies below those that systems
// give to clients, so that no connection takes it before the daemon does.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 1000 {
		port := 10_000 + mathrand.IntN(22_000)
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil || ports.given[port] {
			if err == nil {
				l.Close()
			}
			continue
		}
		l.Close()
		ports.given[port] = true
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// Dir is a folder of the test's that daemons can reach which are not root.
func Dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // what tests get is closed to others
		t.Fatal(err)
	}
	return dir
}

// An Account is a user of the machine.
type Account struct {
	Name, Group string
	UID, GID    int
}

// Unprivileged is the first of the users that there is, for daemons that refuse to
// be root or lay that down, or else nobody. It is the caller himself where he is not
// root: he cannot become another.
func Unprivileged(t testing.TB, names ...string) Account {
	t.Helper()
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		return account(t, u)
	}
	for _, name := range append(names, "nobody") {
		if u, err := user.Lookup(name); err == nil {
			return account(t, u)
		}
	}
	need(t, "none of the users "+strings.Join(names, ", ")+" is there")
	return Account{}
}

func account(t testing.TB, u *user.User) Account {
	t.Helper()
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return Account{Name: u.Username, Group: group.Name, UID: uid, GID: gid}
}

// Own gives files and folders, with all that is in them, to the account.
func (a Account) Own(t testing.TB, names ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for _, name := range names {
		err := filepath.WalkDir(name, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, a.UID, a.GID)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A Launch says how a daemon is started: in the foreground, so that it is ours.
type Launch struct {
	Args []string
	Dir  string         // where it runs; empty: a folder of its own
	Env  []string       // beside what the test has
	As   *Account       // nil: as the test
	Stop syscall.Signal // what asks it to end; zero: SIGTERM
}

// A Daemon is a process that belongs to a test and ends with it.
type Daemon struct {
	PID int

	name    string
	command *exec.Cmd
	output  string // the file with what it prints
	stop    syscall.Signal
	ended   chan struct{} // closed when it has ended
}

// Start starts a daemon. When the test ends it is stopped, with all that it has
// started itself; when the test has failed, what it has printed is shown.
func Start(t testing.TB, l Launch) *Daemon {
	t.Helper()
	d := &Daemon{name: filepath.Base(l.Args[0]), output: filepath.Join(t.TempDir(), "output"), stop: l.Stop, ended: make(chan struct{})}
	if d.stop == 0 {
		d.stop = syscall.SIGTERM
	}
	out, err := os.Create(d.output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	d.command = exec.Command(l.Args[0], l.Args[1:]...)
	d.command.Stdout, d.command.Stderr = out, out
	d.command.Env = append(os.Environ(), l.Env...)
	if d.command.Dir = l.Dir; l.Dir == "" {
		d.command.Dir = Dir(t)
	}
	d.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if l.As != nil && os.Getuid() == 0 {
		d.command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(l.As.UID), Gid: uint32(l.As.GID)}
	}
	if err := d.command.Start(); err != nil {
		t.Fatalf("%s: %v", d.name, err)
	}
	d.PID = d.command.Process.Pid
	go func() {
		defer close(d.ended)
		_ = d.command.Wait() // Cleanup waits for this
	}()
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", d.name, d.Output())
		}
	})
	return d
}

// Output is what the daemon has printed so far.
func (d *Daemon) Output() string {
	text, err := os.ReadFile(d.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Ended is closed when the daemon has ended.
func (d *Daemon) Ended() <-chan struct{} { return d.ended }

// Stop asks the daemon to end, waits until it has, and ends what it has left behind.
// A second time is harmless.
func (d *Daemon) Stop() {
	select {
	case <-d.ended:
	default:
		_ = d.command.Process.Signal(d.stop)
		select {
		case <-d.ended:
		case <-time.After(20 * time.Second):
		}
	}
	_ = syscall.Kill(-d.PID, syscall.SIGKILL) // the group is the daemon's own
	<-d.ended
}

// Await waits until there is what is expected of the daemon; the test fails when it
// ends before, or when it takes too long.
func (d *Daemon) Await(t testing.TB, what string, there func() bool) {
	t.Helper()
	deadline := time.After(Patience)
	for {
		if there() {
			return
		}
		select {
		case <-d.ended:
			t.Fatalf("%s has ended before %s:\n%s", d.name, what, d.Output())
		case <-deadline:
			t.Fatalf("%s: %s does not come:\n%s", d.name, what, d.Output())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// AwaitPorts waits until somebody listens on each of the ports of 127.0.0.1.
func (d *Daemon) AwaitPorts(t testing.TB, ports ...int) {
	t.Helper()
	for _, port := range ports {
		d.Await(t, "port "+strconv.Itoa(port), func() bool {
			c, err := net.DialTimeout("tcp", Local(port), time.Second)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	}
}

// AwaitFile waits until there is something in a file, like a process's number.
func (d *Daemon) AwaitFile(t testing.TB, name string) {
	t.Helper()
	d.Await(t, name, func() bool {
		text, err := os.ReadFile(name)
		return err == nil && len(text) > 0
	})
}

// Local is the port's address on this machine.
func Local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// SelfSigned is a certificate that nobody trusts, with its key.
func SelfSigned(t testing.TB, names ...string) pki.Bundle {
	t.Helper()
	key, of := NewKey(t, ECC), template(names[0], false)
	of.DNSNames = names
	cert, err := issue(of, nil, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.Bundle{Cert: cert.Raw, Key: key}
}

// FirstFiles writes a self-signed certificate and its key where a daemon finds them
// that would not start without: in two files, or in one where both are the same. It
// leaves alone what is there.
func FirstFiles(t testing.TB, name, certFile, keyFile string) {
	t.Helper()
	if _, err := os.Stat(certFile); err == nil {
		return
	}
	b := SelfSigned(t, name)
	key, err := x509.MarshalPKCS8PrivateKey(b.Key)
	if err != nil {
		t.Fatal(err)
	}
	text := map[string][]byte{}
	text[certFile] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Cert})
	text[keyFile] = append(text[keyFile], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	for file, data := range text {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
