package remote

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// guest is a user that only our own servers know, where they run as root.
const (
	guest         = "certwright-guest"
	guestNumber   = "64123"
	guestPassword = "it's a 'secret' $HOME"
	passphrase    = "of the key"
)

// An sshd answers each connection to its address with a real sshd. As root it has
// its own idea of the users of the system.
type sshd struct {
	user string // who can log in with the key; root or who runs the test
	dir  string
	addr string

	connections atomic.Int32
	sync.Mutex
	running []*exec.Cmd
}

// startSSHD starts a server with host keys of these kinds. It lives as long as the
// test.
func startSSHD(t *testing.T, hostKeys ...string) *sshd {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sshd{user: u.Username, dir: t.TempDir()}
	config := `
AuthorizedKeysFile DIR/users
StrictModes no
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
PidFile none
LogLevel VERBOSE
Subsystem sftp ` + tool(t, sftpServers...) + "\n"
	for _, kind := range hostKeys {
		private, _ := newKey(t, kind, "")
		write(t, filepath.Join(s.dir, kind), private)
		config += "HostKey DIR/" + kind + "\n"
	}
	write(t, filepath.Join(s.dir, "config"), []byte(strings.ReplaceAll(config, "DIR", s.dir)))
	write(t, filepath.Join(s.dir, "users"), nil)
	program := []string{tool(t, "sshd", "/usr/sbin/sshd"), "-i", "-e", "-f", filepath.Join(s.dir, "config")}
	if os.Getuid() == 0 {
		program = append(s.addGuest(t), program...)
	}
	s.addr = serve(t, func(conn *net.TCPConn) {
		socket, err := conn.File()
		if err != nil {
			return
		}
		defer socket.Close()
		cmd := exec.Command(program[0], program[1:]...)
		var log bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, &log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		s.connections.Add(1)
		s.Lock()
		err = cmd.Start()
		s.running = append(s.running, cmd)
		s.Unlock()
		if err == nil {
			_ = cmd.Wait()
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return s
}

// addGuest lets the server see files of users and passwords that are ours; nobody
// else does.
func (s *sshd) addGuest(t *testing.T) (start []string) {
	t.Helper()
	hash, err := exec.Command(tool(t, "openssl"), "passwd", "-6", guestPassword).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{
		"passwd": guest + ":x:" + guestNumber + ":" + guestNumber + "::/tmp:/bin/sh\n",
		"shadow": guest + ":" + strings.TrimSpace(string(hash)) + ":19000:0:99999:7:::\n",
		"group":  guest + ":x:" + guestNumber + ":\n",
	} {
		is, err := os.ReadFile("/etc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "passwd" { // without what the shell of this root does first
			is = regexp.MustCompile(`(?m)^(root:[^:]*:0:0:[^:]*:)[^:]*`).ReplaceAll(is, []byte("${1}"+s.dir))
		}
		path := filepath.Join(s.dir, name)
		write(t, path, append(is, line...))
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const script = `for f in passwd shadow group; do mount --bind "$0/$f" "/etc/$f"; done &&
		mount -t tmpfs none /run && mkdir -m 0755 /run/sshd && exec "$@"`
	start = []string{tool(t, "unshare"), "-m", "sh", "-c", script, s.dir}
	if said, err := exec.Command(start[0], append(start[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("users of our own are not possible here: %s", said)
	}
	return start
}

// access is how to log in with a new key.
func (s *sshd) access(t *testing.T) Access {
	t.Helper()
	private, public := newKey(t, "ED25519", "")
	s.allow(t, public)
	return Access{
		Address: "127.0.0.1", Port: portOf(t, s.addr), Trust: true, Timeout: patience,
		Login: Login{User: s.user, Key: secret.NewPlain(private)},
	}
}

func (s *sshd) allow(t *testing.T, public string) {
	t.Helper()
	path := filepath.Join(s.dir, "users")
	is, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append(is, public+"\n"...))
}

// fingerprint is what ssh-keygen says of a host key.
func (s *sshd) fingerprint(t *testing.T, kind string) string {
	t.Helper()
	said, err := exec.Command(tool(t, "ssh-keygen"), "-l", "-f", filepath.Join(s.dir, kind)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(said))[1]
}

// kill ends all servers at once, without a word to their clients.
func (s *sshd) kill() {
	s.Lock()
	defer s.Unlock()
	for _, cmd := range s.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	s.running = nil
}

// newPool makes a pool that lives as long as the test.
func newPool(t *testing.T) *Pool {
	p := NewPool()
	t.Cleanup(p.Close)
	return p
}

func newKey(t *testing.T, kind, passphrase string) (private []byte, public string) {
	t.Helper()
	key, err := pki.GenerateSSHKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	private, err = pki.EncodeSSHPrivateKey(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	public, err = pki.EncodeSSHPublicKey(key.Public(), "")
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tool finds the first of the programs that is there. Without any the test is
// skipped, unless nothing may be.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
		t.Fatalf("%v is not installed, and nothing may be skipped", names)
	}
	t.Skipf("%v is not installed", names)
	return ""
}

// serve answers connections to an address of this machine until the test ends.
func serve(t *testing.T, answer func(*net.TCPConn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				answer(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A wire passes connections on until it is cut: then nothing comes through, and
// nobody is told.
type wire struct {
	addr string
	cut  func()
}

func startWire(t *testing.T, to string) wire {
	t.Helper()
	isCut := make(chan struct{})
	pass := func(from, to net.Conn) {
		defer to.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			select {
			case <-isCut:
				_, _ = io.Copy(io.Discard, from) // until the other end gives up
				return
			default:
			}
			if n > 0 {
				_, _ = to.Write(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}
	addr := serve(t, func(near *net.TCPConn) {
		far, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		var all sync.WaitGroup
		all.Go(func() { pass(far, near) })
		pass(near, far)
		all.Wait()
	})
	return wire{addr, sync.OnceFunc(func() { close(isCut) })}
}

// A strangeServer speaks SSH but is no sshd: it does what its parts say.
type strangeServer struct {
	config  ssh.ServerConfig
	session func(ssh.Channel, <-chan *ssh.Request)
}

func (s *strangeServer) start(t *testing.T) (addr string) {
	t.Helper()
	key, err := pki.GenerateSSHKey("ED25519")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	s.config.AddHostKey(signer)
	return serve(t, func(tcp *net.TCPConn) {
		_ = tcp.SetDeadline(time.Now().Add(patience))
		conn, channels, requests, err := ssh.NewServerConn(tcp, &s.config)
		if err != nil {
			return
		}
		defer conn.Close()
		var all sync.WaitGroup
		all.Go(func() { ssh.DiscardRequests(requests) })
		for c := range channels {
			if s.session == nil {
				_ = c.Reject(ssh.Prohibited, "no sessions here")
				continue
			}
			channel, requests, err := c.Accept()
			if err == nil {
				all.Go(func() { s.session(channel, requests) })
			}
		}
		all.Wait()
	})
}
