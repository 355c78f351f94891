package bench

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/coretest"
)

const password = "Bench-password-1"

// server is the real program in a process of its own.
type server struct {
	name, address, database, dir string
	command                      *exec.Cmd
	roots                        *x509.CertPool
	token                        string
	limitDriver, limitAddress    string // a database of its own, to see what the machine can do
	args                         []string
}

var (
	servers = map[string]*server{}
	build   = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "certwright-bench")
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, "certwright")
		out, err := exec.Command("go", "build", "-o", path, "github.com/certwright/certwright/cmd/certwright").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return path, err
	})
)

// each runs the benchmark on a server of each database, which all share.
func each(b *testing.B, run func(*testing.B, *server)) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			s := servers[name]
			if s == nil {
				s = newServer(b, name)
				servers[name] = s
			}
			run(b, s)
		})
	}
}

func newServer(b *testing.B, name string, args ...string) *server {
	b.Helper()
	dir, err := os.MkdirTemp("", "certwright-bench")
	if err != nil {
		b.Fatal(err)
	}
	s := &server{name: name, dir: dir, limitDriver: "sqlite", args: args}
	s.limitAddress = "file:" + filepath.Join(dir, "limit.db") + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	if name == "postgres" {
		s.database = coretest.EmptyPostgres(b).Address
		s.limitDriver, s.limitAddress = "pgx", coretest.EmptyPostgres(b).Address
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s.address = listener.Addr().String()
	listener.Close()
	s.start(b)
	return s
}

func (s *server) commitRate() float64 { return commits(s.limitDriver, s.limitAddress) }

// start starts the program and waits until it answers.
func (s *server) start(b *testing.B) {
	b.Helper()
	program, err := build()
	if err != nil {
		b.Fatal(err)
	}
	s.command = exec.Command(program, append([]string{"serve", "--data", s.dir, "--listen", s.address, "--publish", "127.0.0.1:0", "--database", s.database}, s.args...)...)
	s.command.Env = append(os.Environ(), "CERTWRIGHT_ADMIN_PASSWORD="+password)
	s.command.Stderr = os.Stderr
	if err := s.command.Start(); err != nil {
		b.Fatal(err)
	}
	probe := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 5 * time.Second} // its CA may not be made yet
	defer probe.CloseIdleConnections()
	for deadline := time.Now().Add(time.Minute); ; {
		if r, err := probe.Get("https://" + s.address + "/readyz"); err == nil {
			r.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("the server does not answer")
		}
		time.Sleep(time.Millisecond)
	}
	bundle, err := os.ReadFile(filepath.Join(s.dir, "ca.pem"))
	if err != nil {
		b.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(bundle)
}

func (s *server) stop() {
	s.command.Process.Signal(syscall.SIGTERM)
	s.command.Wait()
}

func stopServers() {
	for _, s := range servers {
		s.stop()
		os.RemoveAll(s.dir)
	}
	if program, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(program))
	}
}

// memory is the most that the program has had in memory so far, in MiB.
func (s *server) memory(b *testing.B) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0 // not Linux
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// client is one connection. It is as plain as can be: what the client does is
// taken from the server, as they share the machine.
type client struct {
	conn   *tls.Conn
	in     *bufio.Reader
	server *server
	place  string
	body   []byte       // of a renewal
	answer bytes.Buffer // the last one
}

func (s *server) connect(b *testing.B) *client {
	conn, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.roots, ServerName: "127.0.0.1"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &client{conn: conn, in: bufio.NewReader(conn), server: s}
	if s.token == "" {
		answer := c.post(b, "/vedauth/authorize/oauth", map[string]any{
			"client_id": "vcert-sdk", "username": "admin", "password": password, "scope": "certificate:manage,revoke;configuration",
		})
		s.token = answer["access_token"].(string)
	}
	return c
}

var places int

// enroll makes a place with a first certificate and returns its DN.
func (s *server) enroll(b *testing.B, c *client, authority string) string {
	return s.enrollIn(b, c, `\VED\Policy\Default`, authority)
}

func (s *server) enrollIn(b *testing.B, c *client, folder, authority string) string {
	places++
	answer := c.post(b, "/vedsdk/Certificates/Request", map[string]any{
		"PolicyDN": folder, "Subject": fmt.Sprintf("host-%d.example.com", places), "KeyAlgorithm": "ECC", "EllipticCurve": "P256",
		"CADN": `\VED\Policy\CAs\` + authority, "WorkToDoTimeout": 60,
	})
	return answer["CertificateDN"].(string)
}

// issue issues certificates on so many connections at once and returns them.
func (s *server) issue(b *testing.B, authority string, n, connections int) []*x509.Certificate {
	certs := make([]*x509.Certificate, n)
	share(b, s, n, connections, func(c *client, i int) {
		answer := c.post(b, "/vedsdk/Certificates/Request", map[string]any{
			"PolicyDN": `\VED\Policy\Default`, "Subject": fmt.Sprintf("revoked-%d.example.com", int(issued.Add(1))), "KeyAlgorithm": "ECC", "EllipticCurve": "P256",
			"CADN": `\VED\Policy\CAs\` + authority, "WorkToDoTimeout": 60,
		})
		text, _ := answer["CertificateData"].(string)
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			b.Error(err)
			return
		}
		block, _ := pem.Decode(data)
		if block == nil {
			b.Errorf("no certificate in %v", answer)
			return
		}
		if certs[i], err = x509.ParseCertificate(block.Bytes); err != nil {
			b.Error(err)
		}
	})
	if b.Failed() {
		b.FailNow()
	}
	return certs
}

var issued atomic.Int64

// share does n things on so many connections.
func share(b *testing.B, s *server, n, connections int, do func(c *client, i int)) {
	clients := make([]*client, connections)
	for i := range clients {
		clients[i] = s.connect(b)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !b.Failed(); i = int(next.Add(1)) - 1 {
				do(c, i)
			}
		})
	}
	all.Wait()
}

// renewOnce looks for the certificate in the answer without decoding it.
func (c *client) renewOnce(b *testing.B) {
	if c.body == nil {
		c.body, _ = json.Marshal(map[string]any{"CertificateDN": c.place, "Format": "Base64", "IncludeChain": true, "WorkToDoTimeout": 60})
	}
	answer := c.send(b, "/vedsdk/Certificates/Renew", c.body)
	if !bytes.Contains(answer, []byte(`"CertificateData":"`)) || !bytes.Contains(answer, []byte(`"Success":true`)) {
		b.Errorf("no certificate in %s", answer)
	}
}

func (c *client) post(b *testing.B, path string, body any) (answer map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(c.send(b, path, text), &answer); err != nil {
		b.Error(err)
	}
	return answer
}

// send posts the text and returns the answer, which is good until the next call.
func (c *client) send(b *testing.B, path string, text []byte) []byte {
	c.answer.Reset()
	fmt.Fprintf(&c.answer, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		path, c.server.address, c.server.token, len(text), text)
	if _, err := c.conn.Write(c.answer.Bytes()); err != nil {
		b.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	c.answer.Reset()
	if _, err := c.answer.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Errorf("%s: %s %v %s", path, response.Status, err, c.answer.Bytes())
	}
	return c.answer.Bytes()
}
