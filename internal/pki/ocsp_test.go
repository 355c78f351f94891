package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ocsp"

	"github.com/certwright/certwright/internal/clm"
)

// A pair is an issuer with its delegated responder.
type pair struct {
	issuer, responder       *x509.Certificate
	issuerKey, responderKey crypto.Signer
}

// newPair makes an issuer with one key and its responder with another.
func newPair(t testing.TB, issuerKey, responderKey crypto.Signer) pair {
	t.Helper()
	issuer := issuerWith(t, issuerKey)
	return pair{issuer, responderOf(t, issuer, issuerKey, responderKey, func(*x509.Certificate) {}), issuerKey, responderKey}
}

func responderOf(t testing.TB, issuer *x509.Certificate, by, key crypto.Signer, edit func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	return newCert{names: clm.Names{CommonName: "Responder"}, key: key, issuer: issuer, by: by, edit: func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: asn1.NullBytes}}
		edit(c)
	}}.make(t)
}

// leaf makes a certificate below the issuer.
func (p pair) leaf(t testing.TB) *x509.Certificate { return leafOf(t, p.issuer, p.issuerKey, nil) }

// sign answers each question with the status, as of now.
func (p pair) sign(t testing.TB, r StatusRequest, s CertStatus) []byte {
	t.Helper()
	a := Answer{Nonce: r.Nonce, ProducedAt: now()}
	for _, q := range r.Questions {
		s.Question = q
		a.Statuses = append(a.Statuses, s)
	}
	der, err := SignStatus(a, p.responder.Raw, p.responderKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// good, revoked and unknown are answers that hold for a day.
func good() CertStatus {
	return CertStatus{Status: StatusGood, ThisUpdate: now(), NextUpdate: now().Add(24 * time.Hour)}
}

func revoked(reason clm.Reason) CertStatus {
	s := good()
	s.Status, s.Reason, s.RevokedAt = StatusRevoked, reason, now().Add(-48*time.Hour)
	return s
}

func unknown() CertStatus { return CertStatus{ThisUpdate: now()} }

func mustAsk(t testing.TB, cert, issuer *x509.Certificate) StatusRequest {
	t.Helper()
	der, err := AskStatus(cert, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return mustReadRequest(t, der)
}

func mustReadRequest(t testing.TB, der []byte) StatusRequest {
	t.Helper()
	r, err := ReadStatusRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is answered is read as it was meant, with every kind of key.
func TestStatusIsRead(t *testing.T) {
	for spec, key := range testKeys() {
		p := newPair(t, eccKey(), key)
		cert := p.leaf(t)
		answers := []CertStatus{good(), unknown()}
		for _, reason := range reasons {
			answers = append(answers, revoked(reason))
		}
		for _, want := range answers {
			r := mustAsk(t, cert, p.issuer)
			got, err := ReadStatus(p.sign(t, r, want), cert, p.issuer, time.Now())
			want.Question = r.Questions[0]
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: got %v, want (-), got (+):\n%s", spec, err, diff)
			}
		}
	}
}

// The answer names its responder by its key (RFC 6960, section 4.2.1) and holds
// the times and the reason as x/crypto reads them.
func TestWhatOthersReadInAnswers(t *testing.T) {
	p := newPair(t, rsaKey(), eccKey())
	cert := p.leaf(t)
	der := p.sign(t, mustAsk(t, cert, p.issuer), revoked(clm.Unspecified))
	got, err := ocsp.ParseResponse(der, p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case got.Status != ocsp.Revoked, got.RevocationReason != 0, bytes.Contains(der, []byte{0xa0, 3, 0x0a, 1, 0}):
		t.Errorf("got status %d, reason %d, in %x", got.Status, got.RevocationReason, der)
	case !bytes.Equal(got.ResponderKeyHash, p.responder.SubjectKeyId) && len(p.responder.SubjectKeyId) == 20:
		t.Errorf("got the responder %x, want %x", got.ResponderKeyHash, p.responder.SubjectKeyId)
	case got.SerialNumber.Cmp(cert.SerialNumber) != 0, got.IssuerHash != crypto.SHA1, !got.Certificate.Equal(p.responder):
		t.Errorf("got %+v", got)
	}
	if now().Sub(got.ProducedAt) > time.Minute {
		t.Errorf("got produced at %s", got.ProducedAt)
	}
}

// The issuer is found whichever hash names it, and no other is.
func TestQuestionsAreAboutOneIssuer(t *testing.T) {
	issuer, namesake := issuerWith(t, eccKey()), issuerWith(t, rsaKey())
	twin := newCert{names: clm.Names{CommonName: "Other"}, key: eccKey(), isCA: true}.make(t)
	cert := leafOf(t, issuer, eccKey(), nil)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		der, err := ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: hash})
		if err != nil {
			t.Fatal(err)
		}
		q := mustReadRequest(t, der).Questions[0]
		if q.Hash != hash || q.Serial != Serial(cert) || !bytes.Contains(der, q.Raw) || !q.IsAbout(issuer) {
			t.Errorf("%s: got %+v", hash, q)
		}
		if q.IsAbout(namesake) || q.IsAbout(twin) {
			t.Errorf("%s: is about another issuer", hash)
		}
	}
	if (Question{}).IsAbout(issuer) {
		t.Error("a question with an unknown hash is about the issuer")
	}
}

// Answers that do not hold are refused, and why is said.
func TestAnswersThatDoNotCount(t *testing.T) {
	p := newPair(t, eccKey(), rsaKey())
	cert := p.leaf(t)
	ask := mustAsk(t, cert, p.issuer)
	by := func(responder *x509.Certificate, key crypto.Signer) []byte {
		return pair{p.issuer, responder, p.issuerKey, key}.sign(t, ask, good())
	}
	edited := func(edit func(*x509.Certificate)) []byte {
		return by(responderOf(t, p.issuer, p.issuerKey, rsaKey(), edit), rsaKey())
	}
	held := func(from, to time.Duration) []byte {
		s := good()
		s.ThisUpdate, s.NextUpdate = now().Add(from), now().Add(to)
		return p.sign(t, ask, s)
	}
	spoilt := p.sign(t, ask, good())
	spoilt[bytes.Index(spoilt, ask.Questions[0].Raw)+30] ^= 1
	foreign := issuerWith(t, rsaKey())
	twin := newCert{names: clm.Names{CommonName: "Other"}, key: eccKey(), isCA: true}.make(t)
	for name, test := range map[string]struct {
		der  []byte
		want error
	}{
		"responder for other things":    {edited(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ErrForeignSigner},
		"responder for anything":        {edited(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), ErrForeignSigner},
		"leaf as responder":             {by(leafOf(t, p.issuer, p.issuerKey, nil), eccKey()), ErrForeignSigner},
		"responder has expired":         {edited(func(c *x509.Certificate) { c.NotAfter = now().Add(-time.Minute) }), ErrNotNow},
		"responder is not yet valid":    {edited(func(c *x509.Certificate) { c.NotBefore = now().Add(time.Hour) }), ErrNotNow},
		"responder of a namesake":       {by(responderOf(t, foreign, rsaKey(), rsaKey(), func(*x509.Certificate) {}), rsaKey()), ErrForeignSigner},
		"responder of the key's twin":   {by(responderOf(t, twin, eccKey(), rsaKey(), func(*x509.Certificate) {}), rsaKey()), ErrForeignSigner},
		"answer is stale":               {held(-48*time.Hour, -time.Hour), ErrNotNow},
		"answer is of the future":       {held(time.Hour, 48*time.Hour), ErrNotNow},
		"another certificate":           {p.sign(t, mustAsk(t, p.leaf(t), p.issuer), good()), ErrNotStatus},
		"another issuer's of the name":  {p.sign(t, mustAsk(t, cert, foreign), good()), ErrNotStatus},
		"spoilt":                        {spoilt, ErrNotStatus},
		"refusal":                       {Unauthorized.DER(), ErrNotStatus},
		"text":                          {[]byte("<html>"), ErrNotStatus},
		"too large":                     {make([]byte, MaxStatusSize+1), ErrTooLarge},
		"answers nothing":               {p.sign(t, StatusRequest{}, good()), ErrNotStatus},
		"something behind":              {append(p.sign(t, ask, good()), 0), ErrNotStatus},
		"signed by nobody that is sent": {withoutCert(t, p.sign(t, ask, good())), ErrForeignSigner},
	} {
		if got, err := ReadStatus(test.der, cert, p.issuer, time.Now()); !errors.Is(err, test.want) || got.Status != StatusUnknown {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	for _, slow := range []time.Duration{-statusSkew / 2, 24*time.Hour + statusSkew/2} {
		if _, err := ReadStatus(p.sign(t, ask, good()), cert, p.issuer, time.Now().Add(slow)); err != nil {
			t.Errorf("a clock that is %s off: %v", slow, err)
		}
	}
}

// withoutCert takes the responder's certificate out of an answer.
func withoutCert(t *testing.T, der []byte) []byte {
	t.Helper()
	var outer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type  asn1.ObjectIdentifier
			Basic []byte
		} `asn1:"explicit,tag:0"`
	}
	var basic struct {
		Data      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if !parse(der, &outer) || !parse(outer.Bytes.Basic, &basic) {
		t.Fatalf("not an answer: %x", der)
	}
	outer.Bytes.Basic = marshal(basic)
	return marshal(outer)
}

// Others' answers may be signed by the issuer itself, with its certificate in them
// or without.
func TestIssuerMayAnswerItself(t *testing.T) {
	root := issuerWith(t, rsaKey())
	issuer := newCert{names: clm.Names{CommonName: "Below"}, key: eccKey(), isCA: true, issuer: root, by: rsaKey()}.make(t)
	p := pair{issuer, issuer, eccKey(), eccKey()}
	cert := p.leaf(t)
	der := p.sign(t, mustAsk(t, cert, issuer), good())
	for _, der := range [][]byte{der, withoutCert(t, der)} {
		if got, err := ReadStatus(der, cert, issuer, time.Now()); err != nil || got.Status != StatusGood {
			t.Errorf("got %v, %+v", err, got)
		}
	}
}

// An answer is signed only with the key that fits.
func TestAnswersThatCannotBeSigned(t *testing.T) {
	p := newPair(t, eccKey(), rsaKey())
	if _, err := SignStatus(Answer{}, p.responder.Raw, eccKey()); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("key of another: got %v", err)
	}
	if _, err := SignStatus(Answer{}, nil, eccKey()); !errors.Is(err, ErrNotCertificate) {
		t.Errorf("no certificate: got %v", err)
	}
}

// Refusals are what x/crypto knows them as.
func TestRefusals(t *testing.T) {
	for refusal, want := range map[Refusal][]byte{
		MalformedRequest: ocsp.MalformedRequestErrorResponse, InternalError: ocsp.InternalErrorErrorResponse,
		TryLater: ocsp.TryLaterErrorResponse, Unauthorized: ocsp.UnauthorizedErrorResponse,
	} {
		if got := refusal.DER(); !bytes.Equal(got, want) {
			t.Errorf("%d: got %x, want %x", refusal, got, want)
		}
	}
}

// OpenSSL and GnuTLS ask, in every way they can, and accept what we answer.
func TestOthersAsk(t *testing.T) {
	for spec, key := range testKeys() {
		if spec.Bits == 1024 {
			continue // OpenSSL calls it too weak
		}
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, key, key)
			first, second := p.leaf(t), p.leaf(t)
			ca := inFile(t, []byte(asPEMs(p.issuer.Raw)))
			a, b := inFile(t, []byte(asPEMs(first.Raw))), inFile(t, []byte(asPEMs(second.Raw)))
			for _, test := range []struct {
				name  string
				args  []string
				nonce bool
				asked []*x509.Certificate
			}{
				{"one", []string{"-issuer", ca, "-cert", a, "-no_nonce"}, false, []*x509.Certificate{first}},
				{"one with a nonce", []string{"-issuer", ca, "-cert", a}, true, []*x509.Certificate{first}},
				{"two with a nonce", []string{"-issuer", ca, "-cert", a, "-cert", b}, true, []*x509.Certificate{first, second}},
				{"hashes of two kinds", []string{"-issuer", ca, "-sha256", "-cert", a, "-sha512", "-cert", b}, true, []*x509.Certificate{first, second}},
			} {
				asking, answer := filepath.Join(t.TempDir(), "request"), filepath.Join(t.TempDir(), "answer")
				openssl(t, nil, append([]string{"ocsp", "-reqout", asking}, test.args...)...)
				der, err := os.ReadFile(asking)
				if err != nil {
					t.Fatal(err)
				}
				r := mustReadRequest(t, der)
				if (r.Nonce != nil) != test.nonce || len(r.Questions) != len(test.asked) {
					t.Fatalf("%s: got %+v", test.name, r)
				}
				for i, q := range r.Questions {
					if !q.IsAbout(p.issuer) || q.Serial != Serial(test.asked[i]) {
						t.Errorf("%s: got %+v", test.name, q)
					}
				}
				for _, s := range []struct {
					status CertStatus
					want   string
				}{{good(), ": good"}, {revoked(clm.Superseded), "Reason: superseded"}, {unknown(), ": unknown"}} {
					if err := os.WriteFile(answer, p.sign(t, r, s.status), 0o600); err != nil {
						t.Fatal(err)
					}
					text := openssl(t, nil, append([]string{"ocsp", "-respin", answer, "-reqin", asking, "-no_nonce", "-CAfile", ca}, test.args...)...) // it would make a nonce of its own
					if !strings.Contains(text, "Response verify OK") || strings.Contains(text, "WARNING") || strings.Count(text, s.want) != len(test.asked) {
						t.Errorf("%s: OpenSSL says\n%s", test.name, text)
					}
				}
				text := openssl(t, nil, "ocsp", "-respin", answer, "-resp_text", "-noverify")
				if strings.Contains(text, "OCSP Nonce:") != test.nonce || !strings.Contains(text, upperHex(r.Nonce)) {
					t.Errorf("%s: the nonce %X is not as it should be in\n%s", test.name, r.Nonce, text)
				}
			}
			r := mustReadRequest(t, []byte(tool(t, "ocsptool", nil, "--generate-request", "--load-issuer", ca, "--load-cert", a, "--outder")))
			answer := inFile(t, p.sign(t, r, good()))
			if text := tool(t, "ocsptool", nil, "--verify-response", "--load-issuer", ca, "--load-trust", ca, "--load-response", answer); !strings.Contains(text, "Success") {
				t.Errorf("GnuTLS says\n%s", text)
			}
		})
	}
}

// Who signed a request does not matter.
func TestSignedRequestIsRead(t *testing.T) {
	p := newPair(t, eccKey(), rsaKey())
	cert := p.leaf(t)
	der := openssl(t, nil, "ocsp", "-issuer", inFile(t, []byte(asPEMs(p.issuer.Raw))), "-cert", inFile(t, []byte(asPEMs(cert.Raw))),
		"-signer", inFile(t, []byte(asPEMs(p.responder.Raw))), "-signkey", inFile(t, []byte(asPEM("PRIVATE KEY", mustKey(t, Bundle{Key: rsaKey()})))),
		"-reqout", "/dev/stdout")
	if q := mustReadRequest(t, []byte(der)).Questions[0]; q.Serial != Serial(cert) || !q.IsAbout(p.issuer) {
		t.Errorf("got %+v", q)
	}
}

func BenchmarkStatus(b *testing.B) {
	for _, key := range []crypto.Signer{rsaKey(), eccKey()} {
		p := newPair(b, eccKey(), key)
		der, err := AskStatus(p.leaf(b), p.issuer)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("answer ", SpecOf(key.Public())), func(b *testing.B) {
			for b.Loop() {
				p.sign(b, mustReadRequest(b, der), good())
			}
		})
	}
}
