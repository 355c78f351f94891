package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// openssl judges what the server issued; it shares no code with us.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// files are the names of what a client wrote.
type files struct {
	cert, key, chain, id string
}

func filesIn(dir string) files {
	return files{dir + "/cert.pem", dir + "/key.pem", dir + "/chain.pem", dir + "/id.txt"}
}

// checkCert wants a certificate that leads to the server's root and has its names.
func checkCert(t *testing.T, s *server, f files, commonName string, dns ...string) {
	t.Helper()
	openssl(t, "verify", "-CAfile", s.ca, "-untrusted", f.chain, f.cert)
	subject := openssl(t, "x509", "-in", f.cert, "-noout", "-subject", "-nameopt", "multiline,-esc_msb")
	if got := line(subject, "commonName"); got != commonName {
		t.Errorf("common name: got %q, want %q", got, commonName)
	}
	names := openssl(t, "x509", "-in", f.cert, "-noout", "-ext", "subjectAltName")
	for _, name := range dns {
		if !strings.Contains(names, "DNS:"+name) {
			t.Errorf("SAN: got %s, want DNS:%s", names, name)
		}
	}
}

// checkKey wants the private key to be the certificate's.
func checkKey(t *testing.T, f files, password string) {
	t.Helper()
	args := []string{"pkey", "-in", f.key, "-pubout"}
	if password != "" {
		args = append(args, "-passin", "pass:"+password)
	}
	if got, want := openssl(t, args...), publicKey(t, f.cert); got != want {
		t.Errorf("public key of the private key: got %s, want the certificate's %s", got, want)
	}
}

// checkAlgorithm wants the kind of key that openssl calls so.
func checkAlgorithm(t *testing.T, f files, want string) {
	t.Helper()
	if text := openssl(t, "x509", "-in", f.cert, "-noout", "-text"); !strings.Contains(text, want) {
		t.Errorf("certificate has no key of kind %q:\n%s", want, text)
	}
}

func publicKey(t *testing.T, cert string) string {
	t.Helper()
	return openssl(t, "x509", "-in", cert, "-noout", "-pubkey")
}

func serial(t *testing.T, cert string) string {
	t.Helper()
	return strings.TrimSpace(openssl(t, "x509", "-in", cert, "-noout", "-serial"))
}

// line finds "name = value" in openssl's output.
func line(text, name string) string {
	for l := range strings.Lines(text) {
		if before, after, ok := strings.Cut(l, "="); ok && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}
