package pki

import (
	"bytes"
	"cmp"
	"fmt"
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
)

// An sshServer answers connections to its address with a real sshd each, which
// trusts a CA of ours for users and shows a host certificate of another.
type sshServer struct {
	addr string
	user string // the only one who can log in
	dir  string
	as   *syscall.SysProcAttr

	logs chan string // of each connection that has ended
}

// startSSHD starts a server that lives as long as the test. Like the user who runs
// the test, it need not be root; root runs it as the user sshd, because sshd wants
// folders of the system when it is root itself.
func startSSHD(t *testing.T, userCA, hostCA string) *sshServer {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	tryTool(t, "sshd", nil, "-?") // skips the test where there is none
	dir, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &sshServer{dir: dir, logs: make(chan string, 1)}
	s.write(t, "host", mustSSHPrivate(t, sshUser("ED25519"), "", ""))
	s.write(t, "host-cert.pub", []byte(mustSignSSH(t, SSHOrder{
		KeyID: "host", Host: true, Principals: []string{"127.0.0.1"}, Key: sshUser("ED25519").Public(),
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}, hostCA)))
	s.write(t, "users", []byte(mustSSHPublic(t, sshCA(userCA), "")))
	s.write(t, "config", []byte(strings.ReplaceAll(`
HostKey DIR/host
HostCertificate DIR/host-cert.pub
TrustedUserCAKeys DIR/users
AuthorizedKeysFile none
AuthorizedPrincipalsFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
LogLevel VERBOSE
`, "DIR", dir)))
	s.runAs(t)
	s.listen(t)
	return s
}

func (s *sshServer) write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *sshServer) runAs(t *testing.T) {
	t.Helper()
	u, err := user.Current()
	if err == nil && u.Uid == "0" {
		u, err = user.Lookup("sshd")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.user = u.Username
	if os.Getuid() != 0 {
		return
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	for _, name := range []string{"", "host", "host-cert.pub", "users", "config"} {
		if err := os.Chown(filepath.Join(s.dir, name), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// listen serves until the test ends, and then waits until all is over.
func (s *sshServer) listen(t *testing.T) {
	t.Helper()
	program, err := exec.LookPath("sshd") // it insists on an absolute path
	if err != nil {
		t.Fatal(err)
	}
	s.addr = serve(t, func(conn *net.TCPConn) {
		socket, err := conn.File()
		if err != nil {
			return
		}
		defer socket.Close()
		cmd := exec.CommandContext(t.Context(), program, "-i", "-e", "-f", filepath.Join(s.dir, "config"))
		var log bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = socket, socket, &log, s.as
		err = cmd.Run()
		s.logs <- fmt.Sprintf("%s%v", log.String(), err)
	})
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

// login logs in with the real ssh and has the server forward to another address. It
// returns what all three say, and whether the client is content.
func (s *sshServer) login(t *testing.T, kind, cert, hostCA, to string) (said string, ok bool) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	certFile := inFile(t, []byte(cert+"\n"))
	known := inFile(t, []byte(fmt.Sprintf("@cert-authority [%s]:%s %s\n", host, port, mustSSHPublic(t, sshCA(hostCA), ""))))
	said, err = tryTool(t, "ssh", nil, "-F", "none", "-p", port, "-l", s.user, "-W", to,
		"-i", inFile(t, mustSSHPrivate(t, sshUser(kind), "", "")),
		"-o", "CertificateFile="+certFile, "-o", "UserKnownHostsFile="+known,
		"-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "PreferredAuthentications=publickey",
		host)
	select {
	case log := <-s.logs:
		return said + log, err == nil
	case <-time.After(30 * time.Second):
		t.Fatalf("no connection, or one that does not end: %s", said)
		return "", false
	}
}

// A real server lets in who has a certificate for the user's name, at this time, from
// this address and from the CA that it trusts, and nobody else; a real client knows
// the server by its own certificate.
func TestSSHDObeysCertificates(t *testing.T) {
	const userCA, hostCA, words = "RSA2048", "ED25519", "forwarded words"
	s := startSSHD(t, userCA, hostCA)
	to := serve(t, func(conn *net.TCPConn) { conn.Write([]byte(words)) })
	now := time.Now()
	for _, c := range []struct {
		name   string
		kind   string
		userCA string
		hostCA string
		edit   func(*SSHOrder)
		isIn   bool
		says   string // by server or client
	}{
		{name: "a user's", isIn: true},
		{name: "one with an RSA key", kind: "RSA2048", isIn: true},
		{name: "one with an ECDSA key", kind: "ECDSA521", isIn: true},
		{name: "one of two users'", edit: func(o *SSHOrder) { o.Principals = []string{"root", s.user} }, isIn: true},
		{name: "one for this address", edit: func(o *SSHOrder) { o.SourceAddresses = []string{"192.0.2.1", "127.0.0.1"} }, isIn: true},
		{name: "one for this network, as written by a host in it", edit: func(o *SSHOrder) { o.SourceAddresses = []string{"127.1.2.3/8"} }, isIn: true},
		{name: "one for this address, mapped", edit: func(o *SSHOrder) { o.SourceAddresses = []string{"::ffff:127.0.0.1"} }, isIn: true},
		{name: "one for another address", edit: func(o *SSHOrder) { o.SourceAddresses = []string{"192.0.2.1"} }, says: "source"},
		{name: "another user's", edit: func(o *SSHOrder) { o.Principals = []string{s.user + "2"} }, says: "principal"},
		{name: "an expired one", edit: func(o *SSHOrder) { o.NotBefore, o.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour) }, says: "expired"},
		{name: "one for later", edit: func(o *SSHOrder) { o.NotBefore, o.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) }, says: "not yet valid"},
		{name: "a host's", edit: func(o *SSHOrder) { o.Host = true }, says: "Failed publickey"},
		{name: "one of another CA", userCA: "ED25519", says: "Permission denied"},
		{name: "one without forwarding", edit: func(o *SSHOrder) { o.Extensions = map[string]string{"permit-pty": ""} }, says: "administratively prohibited"},
		{name: "a user's to a host of another CA", hostCA: "ECDSA256", says: "Host key verification failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			order := SSHOrder{
				KeyID: c.name, Principals: []string{s.user}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
				Key: sshUser(cmp.Or(c.kind, "ED25519")).Public(), Extensions: map[string]string{"permit-port-forwarding": "", "x@example.com": "y"},
			}
			if c.edit != nil {
				c.edit(&order)
			}
			said, ok := s.login(t, cmp.Or(c.kind, "ED25519"), mustSignSSH(t, order, cmp.Or(c.userCA, userCA)), cmp.Or(c.hostCA, hostCA), to)
			if isIn := ok && strings.Contains(said, words); isIn != c.isIn || !strings.Contains(said, c.says) {
				t.Errorf("got in: %v, want %v, %q\n%s", isIn, c.isIn, c.says, said)
			}
		})
	}
}
