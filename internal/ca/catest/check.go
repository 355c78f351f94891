package catest

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// checkIssued makes sure that the certificate is what was ordered and that its
// chain leads to its root, and returns it.
func checkIssued(t *testing.T, o ca.Order, issued ca.Issued) *x509.Certificate {
	t.Helper()
	cert := parse(t, issued.Cert)
	csr, err := x509.ParseCertificateRequest(o.CSR)
	if err != nil {
		t.Fatalf("parse CSR: %v", err)
	}
	if !bytes.Equal(pki.PublicKeyHash(csr.PublicKey), pki.PublicKeyHash(cert.PublicKey)) {
		t.Error("the certificate's key is not the CSR's")
	}
	if cert.IsCA {
		t.Error("the certificate is a CA's")
	}
	if cert.NotBefore.After(o.At) {
		t.Errorf("valid from %s, after it was ordered at %s", cert.NotBefore, o.At)
	}
	checkNames(t, o.Names, cert)
	checkChain(t, cert, issued.Chain)
	VerifyWithOpenSSL(t, issued)
	return cert
}

// checkNames makes sure that the certificate says what was ordered, neither more
// nor less, but for a common name that is among the alternative names as well.
func checkNames(t *testing.T, want clm.Names, cert *x509.Certificate) {
	t.Helper()
	got, err := pki.ReadNames(cert.RawSubject, cert.Extensions)
	if err != nil {
		t.Fatalf("read names: %v", err)
	}
	for _, part := range []struct{ name, got, want string }{
		{"common name", got.CommonName, want.CommonName},
		{"organization", got.Organization, want.Organization},
		{"organizational units", strings.Join(got.OrganizationalUnit, "|"), strings.Join(want.OrganizationalUnit, "|")},
		{"locality", got.Locality, want.Locality},
		{"province", got.Province, want.Province},
		{"country", got.Country, want.Country},
		{"DNS names", sorted(got.DNS), sorted(want.DNS)},
		{"e-mail addresses", sorted(got.Email), sorted(want.Email)},
		{"IP addresses", sorted(got.IP), sorted(want.IP)},
		{"URIs", sorted(got.URI), sorted(want.URI)},
		{"user principal names", sorted(got.UPN), sorted(want.UPN)},
	} {
		if part.got != part.want {
			t.Errorf("%s: got %q, want %q", part.name, part.got, part.want)
		}
	}
}

func sorted(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), " ")
}

// checkChain makes sure that the chain begins with the issuer, ends with the root,
// and that a client that knows nothing but the root accepts the certificate.
func checkChain(t *testing.T, cert *x509.Certificate, chain [][]byte) {
	t.Helper()
	if len(chain) == 0 {
		t.Fatal("got no chain")
	}
	below, between := cert, x509.NewCertPool()
	for n, der := range chain {
		above := parse(t, der)
		if err := below.CheckSignatureFrom(above); err != nil {
			t.Fatalf("certificate %d of the chain did not sign the one before: %v", n+1, err)
		}
		between.AddCert(above)
		below = above
	}
	if !bytes.Equal(below.RawIssuer, below.RawSubject) {
		t.Errorf("the chain ends with %s, which is no root", below.Subject)
	}
	root := x509.NewCertPool()
	root.AddCert(below)
	options := x509.VerifyOptions{Roots: root, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, host := range cert.DNSNames {
		options.DNSName = strings.Replace(host, "*", "any", 1)
		if _, err := cert.Verify(options); err != nil {
			t.Errorf("verify for %s: %v", host, err)
		}
	}
	for _, ip := range cert.IPAddresses {
		if err := cert.VerifyHostname(net.IP(ip).String()); err != nil {
			t.Errorf("verify for %s: %v", ip, err)
		}
	}
}

// checkRefused makes sure that the order fails in a way that stops the work at
// once, in Submit or, with CAs that look at orders later, in Collect.
func checkRefused(t *testing.T, c ca.CA, o ca.Order) {
	t.Helper()
	ref, err := c.Submit(t.Context(), o)
	if err == nil {
		o.Ref = ref
		_, err = c.Collect(t.Context(), o)
	}
	work := clm.Begin(clm.Enroll, clm.Submit, o.At)
	switch {
	case err == nil:
		t.Error("the order was accepted")
	case clm.Advance(work, clm.Outcome{}, err, o.At).Failure == "":
		t.Errorf("got an error that would be tried again: %v", err)
	}
}

// VerifyWithOpenSSL makes sure that OpenSSL at its strictest accepts the
// certificate on the day it begins, knowing nothing but the root.
func VerifyWithOpenSSL(t *testing.T, issued ca.Issued) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, certs ...[]byte) string {
		var text []byte
		for _, der := range certs {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	root := issued.Chain[len(issued.Chain)-1]
	begin := parse(t, issued.Cert).NotBefore.Add(time.Second)
	OpenSSL(t, nil, "verify", "-x509_strict", "-check_ss_sig", "-attime", strconv.FormatInt(begin.Unix(), 10),
		"-CAfile", write("root", root), "-untrusted", write("chain", issued.Chain...), write("leaf", issued.Cert))
}

// OpenSSL runs the command of that name with the input and returns what it
// prints; the test fails if it fails. Where there is no such command, the test is
// skipped, unless CERTWRIGHT_NO_SKIP is 1.
func OpenSSL(t *testing.T, input []byte, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdin = bytes.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
