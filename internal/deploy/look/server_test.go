package look

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// An issued certificate with its key and what stands above it.
type issued struct {
	*x509.Certificate
	key   crypto.Signer
	chain [][]byte // DER, the root last
}

var (
	now    = time.Now()
	always = [2]time.Time{now.Add(-time.Hour), now.Add(365 * 24 * time.Hour)}
)

// newCA is a root, and an intermediate below it.
func newCA(t *testing.T) (root, intermediate issued) {
	t.Helper()
	root = issue(t, nil, "Root", always)
	return root, issue(t, &root, "Intermediate", always)
}

// issue makes a certificate: of a CA where the name begins with a capital letter.
// Without an issuer it is self-signed.
func issue(t *testing.T, by *issued, name string, valid [2]time.Time) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issueFor(t, by, name, valid, key)
}

func issueFor(t *testing.T, by *issued, name string, valid [2]time.Time, key crypto.Signer) issued {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: valid[0], NotAfter: valid[1],
		BasicConstraintsValid: true, IsCA: name[0] < 'a',
	}
	if !template.IsCA {
		template.DNSNames = []string{name}
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	one := issued{Certificate: cert, key: key}
	if by != nil {
		one.chain = append([][]byte{by.Raw}, by.chain...)
	}
	return one
}

// newLeaf is a certificate below an intermediate below a root.
func newLeaf(t *testing.T, name string) issued {
	t.Helper()
	_, intermediate := newCA(t)
	return issue(t, &intermediate, name, always)
}

// shown is what a service shows with the certificate: the chain without the root.
func (i issued) shown() [][]byte { return append([][]byte{i.Raw}, needed(i.chain)...) }

func (i issued) forTLS() tls.Certificate {
	return tls.Certificate{Certificate: i.shown(), PrivateKey: i.key}
}

// config is how a service that has the certificate speaks TLS.
func (i issued) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.forTLS()}, MinVersion: tls.VersionTLS10}
}

// files writes key and certificates in PEM.
func (i issued) files(t *testing.T) (cert, chain, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, blocks ...[]byte) string {
		var text bytes.Buffer
		for _, block := range blocks {
			if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: block}); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert", "CERTIFICATE", i.Raw), write("chain", "CERTIFICATE", needed(i.chain)...), write("key", "PRIVATE KEY", der)
}

// newRSA is a key for what cannot be done with another.
func newRSA(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// serve answers connections until the test ends.
func serve(t *testing.T, network, address string, handle func(net.Conn)) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			wait.Go(func() {
				defer stop()
				defer func() { _ = conn.Close() }()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		wait.Wait()
	})
	return listener.Addr().(*net.TCPAddr)
}

// here serves on a port of 127.0.0.1 and says where to look.
func here(t *testing.T, protocol string, handle func(net.Conn)) Spec {
	t.Helper()
	at := serve(t, "tcp4", "127.0.0.1:0", handle)
	return Spec{Protocol: protocol, Host: at.IP.String(), Port: at.Port}
}

// shaking speaks TLS, and then waits for the client to go.
func shaking(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		_ = server.Handshake()
		_, _ = server.Read(make([]byte, 1))
	}
}

// saying says a text and then waits for the client to go.
func saying(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Write([]byte(text))
		_, _ = bufio.NewReader(conn).WriteTo(discard{})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// openssl finds the program, or skips the test, or fails it where nothing may be
// skipped.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
		t.Fatal("openssl is not installed, and nothing may be skipped")
	}
	if err != nil {
		t.Skip("openssl is not installed")
	}
	return path
}

// startOpenSSL runs openssl s_server until the test ends, and says where to look.
func startOpenSSL(t *testing.T, leaf issued, args ...string) Spec {
	t.Helper()
	cert, chain, key := leaf.files(t)
	command := exec.Command(openssl(t), append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-cert_chain", chain, "-key", key}, args...)...)
	in, err := command.StdinPipe() // it ends when that ends
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	command.Stderr = &errs
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	listens, ended := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := regexp.MustCompile(`^ACCEPT .*:(\d+)$`).FindStringSubmatch(lines.Text()); m != nil {
				port, _ := strconv.Atoi(m[1])
				select {
				case listens <- port:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Process.Kill()
		<-ended
		var exit *exec.ExitError
		if err := command.Wait(); err != nil && !errors.As(err, &exit) {
			t.Error(err)
		}
	})
	select {
	case port := <-listens:
		return Spec{Host: "127.0.0.1", Port: port}
	case <-ended:
		t.Fatalf("openssl s_server ended: %s", &errs)
	case <-time.After(time.Minute):
		t.Fatal("openssl s_server does not start")
	}
	return Spec{}
}
