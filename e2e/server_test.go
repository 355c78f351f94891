package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/coretest"
)

const (
	readyWithin = 2 * time.Minute
	stopWithin  = 45 * time.Second
)

// A server is one running certwright with its own data. Its address stays the same
// when it is started again.
type server struct {
	kind string // sqlite or postgres
	url  string // https://127.0.0.1:port
	dir  string // the data directory
	ca   string // the CA bundle, a file
	args []string
	log  string // where its output goes, a file

	cmd     *exec.Cmd
	exited  chan error
	running bool
}

// databases are the kinds a server can run on. Each makes a fresh database and
// answers what --database must say, nothing for the default.
var databases = map[string]func() (string, error){
	"sqlite":   func() (string, error) { return "", nil },
	"postgres": coretest.PostgresAddress,
}

// newServer makes a server ready to be started, on a database of the kind.
func newServer(dir, kind string) (*server, error) {
	url, err := databases[kind]()
	if err != nil {
		return nil, err
	}
	estate := filepath.Join(dir, "estate.yaml")
	if err := os.WriteFile(estate, []byte(estateFile()), 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	public, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	s := &server{
		kind: kind,
		url:  "https://" + addr,
		dir:  data,
		ca:   filepath.Join(data, "ca.pem"),
		log:  filepath.Join(dir, "server.log"),
		args: []string{"serve", "--data", data, "--listen", addr, "--publish", public, "--estate", estate},
	}
	if url != "" {
		s.args = append(s.args, "--database", url)
	}
	return s, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start runs the server and waits until it says that it is ready.
func (s *server) start() error {
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the process keeps its own
	cmd := exec.Command(certwright, s.args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "CERTWRIGHT_ADMIN_PASSWORD="+passwords["admin"])
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.exited, s.running = cmd, make(chan error, 1), true
	go func() { s.exited <- cmd.Wait() }()
	if err := s.waitReady(); err != nil {
		s.kill()
		return fmt.Errorf("%w\n%s", err, s.tail())
	}
	return nil
}

func (s *server) waitReady() error {
	deadline := time.After(readyWithin)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-s.exited:
			s.exited <- err
			return fmt.Errorf("certwright ended before it was ready: %v", err)
		case <-deadline:
			return errors.New("certwright is not ready in time")
		case <-poll.C:
			if s.isReady() {
				return nil
			}
		}
	}
}

func (s *server) isReady() bool {
	client, err := s.client()
	if err != nil {
		return false // the CA bundle is not there yet
	}
	res, err := client.Get(s.url + "/readyz")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// client speaks to the server and to nobody else: it trusts the server's own CA. A
// certificate of its own it shows whether or not the server would like it.
func (s *server) client(own ...tls.Certificate) (*http.Client, error) {
	pool, err := s.pool()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: pool}
	if len(own) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own[0], nil }
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}, nil
}

func (s *server) pool() (*x509.CertPool, error) {
	bundle, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("%s holds no certificate", s.ca)
	}
	return pool, nil
}

// stop asks the server to end and wants it to do so in good order.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.exited:
		s.running = false
		if err != nil {
			return fmt.Errorf("certwright did not end well: %w\n%s", err, s.tail())
		}
		return nil
	case <-time.After(stopWithin):
		s.kill()
		return fmt.Errorf("certwright did not end in time\n%s", s.tail())
	}
}

// kill ends the server without giving it a moment to tidy up.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.exited
	s.running = false
}

func (s *server) tail() string {
	all, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(all), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// leaks tells which secrets the tests used can be read in the server's log.
func (s *server) leaks() error {
	all, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	secrets := append([]string{keyPassword, storePassword, importPassword, "PRIVATE KEY"}, tokens.all()...)
	for _, p := range passwords {
		secrets = append(secrets, p)
	}
	for _, secret := range secrets {
		if bytes.Contains(all, []byte(secret)) {
			return fmt.Errorf("the log shows %q", secret)
		}
	}
	return nil
}

// startServer runs a server of the test's own.
func startServer(t *testing.T, kind string) *server {
	t.Helper()
	if kind == "postgres" {
		need(t, coretest.StartPostgres())
	}
	s, err := newServer(t.TempDir(), kind)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.running {
			s.kill()
		}
		s.showLog(t)
	})
	return s
}

func (s *server) showLog(t *testing.T) {
	if t.Failed() {
		t.Logf("the end of the server's log:\n%s", s.tail())
	}
}

// A sharedServer serves all tests that leave each other alone: each works with
// objects of its own.
type sharedServer struct {
	server
	once sync.Once
	err  error
}

var sharedServers = map[string]*sharedServer{"sqlite": {}, "postgres": {}}

func (s *sharedServer) get(kind string) (*server, error) {
	s.once.Do(func() {
		s.kind = kind
		var dir string
		if dir, s.err = os.MkdirTemp("", "certwright-e2e-"); s.err != nil {
			return
		}
		var made *server
		if made, s.err = newServer(dir, kind); s.err != nil {
			return
		}
		s.server = *made
		s.err = s.start()
	})
	return &s.server, s.err
}

// finish ends a shared server, if it was ever started, and looks into its log.
func (s *sharedServer) finish() error {
	if s.cmd == nil || s.err != nil {
		return nil
	}
	defer os.RemoveAll(filepath.Dir(s.dir))
	return errors.Join(s.stop(), s.leaks())
}

// onBoth runs a test against the shared server of each database.
func onBoth(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { on(t, kind, test) })
	}
}

// onSQLite runs a test for which the database makes no difference.
func onSQLite(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	t.Parallel()
	on(t, "sqlite", test)
}

func on(t *testing.T, kind string, test func(t *testing.T, s *server)) {
	t.Helper()
	if kind == "postgres" {
		need(t, coretest.StartPostgres())
	}
	s, err := sharedServers[kind].get(kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.showLog(t) })
	test(t, s)
}

// within polls until what is true, and fails the test when that takes too long.
func within(t *testing.T, limit time.Duration, what string, isTrue func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for !isTrue() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in %v: %s", limit, what)
		case <-poll.C:
		}
	}
}
