package embedded

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/pki"
)

// A responder's certificate says that it may answer for its issuer and nothing else,
// is what linters want, and is the same each time.
func TestResponder(t *testing.T) {
	for _, spec := range specs {
		issuer := issuerOf(t, spec, ordered)
		der, err := NewResponder(issuer, key(t, p256, "responder"), ordered)
		if err != nil {
			t.Fatal(err)
		}
		cert, above := parse(t, der), parse(t, issuer.Chain[0])
		begin := ordered.Truncate(time.Second).Add(-Skew)
		end := begin.AddDate(0, 0, ResponderDays).Add(-time.Second)
		switch {
		case cert.IsCA, cert.KeyUsage != x509.KeyUsageDigitalSignature, !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}), len(cert.UnknownExtKeyUsage) != 0:
			t.Errorf("%s: got CA %v, usage %b, %v", spec, cert.IsCA, cert.KeyUsage, cert.ExtKeyUsage)
		case !bytes.Equal(cert.AuthorityKeyId, above.SubjectKeyId), len(cert.SubjectKeyId) != 20, len(cert.Extensions) != 5:
			t.Errorf("%s: got the extensions %v", spec, cert.Extensions)
		case !cert.NotBefore.Equal(begin), !cert.NotAfter.Equal(end):
			t.Errorf("%s: got %s to %s, want %s to %s", spec, cert.NotBefore, cert.NotAfter, begin, end)
		case cert.Subject.CommonName != above.Subject.CommonName+" OCSP Responder", cert.Subject.Organization[0] != "Certwright Tests":
			t.Errorf("%s: got the subject %s", spec, cert.Subject)
		}
		if !slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool {
			return e.Id.Equal(oidNoCheck) && !e.Critical && bytes.Equal(e.Value, asn1.NullBytes)
		}) {
			t.Errorf("%s: does not say that it need not be checked", spec)
		}
		again, err := NewResponder(issuer, key(t, p256, "responder"), ordered)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("%s: got another certificate, or %v", spec, err)
		}
		(&linter{made: map[string]bool{}}).check(t, der)
		catest.VerifyWithOpenSSL(t, ca.Issued{Cert: der, Chain: issuer.Chain})
		if got := printed(t, der); !strings.Contains(got, "X509v3 Extended Key Usage: OCSP Signing") || !strings.Contains(got, "OCSP No Check") {
			t.Errorf("OpenSSL reads\n%s", got)
		}
	}
}

// A responder stays within the validity of its issuer and begins its name with the
// issuer's, as much of it as there is room for.
func TestResponderStaysBelowIssuer(t *testing.T) {
	name := caName(strings.Repeat("é", 64))
	root, err := NewRoot(Spec{Name: "root", Subject: name, Key: key(t, p256, "root"), At: ordered, Years: 1})
	if err != nil {
		t.Fatal(err)
	}
	above := parse(t, root.Chain[0])
	der, err := NewResponder(root, key(t, p256, "responder"), above.NotAfter.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, der)
	if !cert.NotAfter.Equal(above.NotAfter) {
		t.Errorf("got the end %s, want %s", cert.NotAfter, above.NotAfter)
	}
	if got, want := cert.Subject.CommonName, strings.Repeat("é", 64-15)+" OCSP Responder"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What makes no responder is refused.
func TestRefusedResponders(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	good := key(t, p256, "responder")
	if _, err := NewResponder(issuer, nil, ordered); err == nil || !strings.Contains(err.Error(), "key is missing") {
		t.Errorf("no key: got %v", err)
	}
	if _, err := NewResponder(issuer, ed25519.NewKeyFromSeed(make([]byte, 32)), ordered); err == nil || !strings.Contains(err.Error(), "neither RSA nor ECDSA") {
		t.Errorf("Ed25519: got %v", err)
	}
	for _, years := range []int{-1, IssuerYears + 1} {
		if _, err := NewResponder(issuer, good, ordered.AddDate(years, 0, 0)); err == nil || !strings.Contains(err.Error(), "not valid on") {
			t.Errorf("after %d years: got %v", years, err)
		}
	}
	if _, err := NewResponder(ca.Issuer{Chain: issuer.Chain, Key: good}, good, ordered); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("another's issuer: got %v", err)
	}
}

// A certificate of this CA is seen to be revoked in the list that it points to and
// in what its issuer's responder signs. OpenSSL accepts both.
func TestRevocationIsSeen(t *testing.T) {
	for _, spec := range []pki.KeySpec{rsa2048, p256} {
		at := time.Now().UTC().Truncate(time.Second)
		issuer := issuerOf(t, spec, at)
		above := parse(t, issuer.Chain[0])
		responder, err := NewResponder(issuer, key(t, p256, "responder"), at)
		if err != nil {
			t.Fatal(err)
		}
		o := order(t, p256, serverNames)
		o.At, o.Shard = at, 3
		cert, _ := issue(t, publish(t, issuer, nil), o)

		list, err := pki.SignList(pki.List{
			Number: at.UnixMicro(), ThisUpdate: at, NextUpdate: at.Add(time.Hour), URLs: cert.CRLDistributionPoints,
			Revoked: []pki.RevokedCert{{Serial: pki.Serial(cert), At: at}},
		}, issuer.Chain[0], issuer.Key)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := pki.FindInList(list, above, pki.Serial(cert)); err != nil || !found.Listed {
			t.Errorf("%s: got %v, listed %v", spec, err, found.Listed)
		}
		file := func(label string, ders ...[]byte) string {
			var text []byte
			for _, der := range ders {
				text = append(text, pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})...)
			}
			return write(t, text)
		}
		chain, leaf := file("CERTIFICATE", issuer.Chain...), file("CERTIFICATE", cert.Raw)
		o.Key += "/other"
		_, other := issue(t, publish(t, issuer, nil), o)
		catest.OpenSSL(t, nil, "verify", "-x509_strict", "-crl_check", "-CAfile", chain, "-CRLfile", file("X509 CRL", list), file("CERTIFICATE", other.Cert))

		request, err := pki.AskStatus(cert, above)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := pki.ReadStatusRequest(request)
		if err != nil || !asked.Questions[0].IsAbout(above) {
			t.Fatalf("%s: got %v, %+v", spec, err, asked)
		}
		answer, err := pki.SignStatus(pki.Answer{ProducedAt: at, Statuses: []pki.CertStatus{{
			Question: asked.Questions[0], Status: pki.StatusRevoked, RevokedAt: at, ThisUpdate: at,
		}}}, responder, key(t, p256, "responder"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := pki.ReadStatus(answer, cert, above, time.Now()); err != nil || got.Status != pki.StatusRevoked {
			t.Errorf("%s: got %v, %+v", spec, err, got)
		}
		got := catest.OpenSSL(t, nil, "ocsp", "-respin", write(t, answer), "-issuer", file("CERTIFICATE", above.Raw), "-cert", leaf, "-CAfile", chain, "-no_nonce")
		if !strings.Contains(got, "Response verify OK") || !strings.Contains(got, ": revoked") {
			t.Errorf("%s: OpenSSL says\n%s", spec, got)
		}
	}
}

// write writes a file that lives as long as the test.
func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
