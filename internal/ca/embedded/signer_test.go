package embedded

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// An order signed a second time yields the same octets, also by another process,
// at another time, with a key read back from where it was kept.
func TestSameOrderSameOctets(t *testing.T) {
	for _, spec := range specs {
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			issuer := issuerOf(t, spec, ordered)
			o := order(t, rsa2048, serverNames)
			_, first := issue(t, connect(t, issuer, urls), o)

			kept, err := pki.MarshalKey(issuer.Key)
			if err != nil {
				t.Fatal(err)
			}
			if issuer.Key, err = pki.ParseKey(kept); err != nil {
				t.Fatal(err)
			}
			later := func() time.Time { return ordered.AddDate(3, 0, 0) }
			c, err := Connector.New(ca.Settings{Values: urls, Issuer: &issuer, Now: later})
			if err != nil {
				t.Fatal(err)
			}
			_, second := issue(t, c, o)
			if !bytes.Equal(first.Cert, second.Cert) {
				t.Errorf("got\n%x and\n%x", first.Cert, second.Cert)
			}
		})
	}
}

// Orders that differ in anything, and the same order at another CA, yield
// certificates with different serial numbers: that is what a serial number is for
// (RFC 5280, section 4.1.2.2).
func TestSerialNumbersDiffer(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	seen := map[string]string{}
	try := func(name string, c ca.CA, o ca.Order) {
		t.Helper()
		cert, _ := issue(t, c, o)
		serial := cert.SerialNumber.Text(16)
		if other, found := seen[serial]; found {
			t.Errorf("%s and %s share the serial number %s", name, other, serial)
		}
		seen[serial] = name
		if len(cert.SerialNumber.Bytes()) != serialOctets || cert.SerialNumber.Sign() != 1 || cert.SerialNumber.Bit(8*serialOctets-1) != 0 {
			t.Errorf("%s: serial number %s is not positive with %d octets", name, serial, serialOctets)
		}
	}
	c := connect(t, issuer, nil)
	try("the order", c, order(t, p256, serverNames))
	for name, change := range map[string]func(*ca.Order){
		"another key of the order": func(o *ca.Order) { o.Key += "2" },
		"no key of the order":      func(o *ca.Order) { o.Key = "" },
		"another time":             func(o *ca.Order) { o.At = o.At.Add(time.Second) },
		"another end":              func(o *ca.Order) { o.Days = 3 },
		"another CSR":              func(o *ca.Order) { o.CSR = order(t, p384, serverNames).CSR },
		"another subject":          func(o *ca.Order) { o.Names.Locality = "Brugge" },
		"another DNS name":         func(o *ca.Order) { o.Names.DNS = []string{"a.example.com"} },
	} {
		o := order(t, p256, serverNames)
		change(&o)
		try(name, c, o)
	}
	try("another profile", connect(t, issuer, map[string]string{"profile": "both"}), order(t, p256, serverNames))
	try("another issuer", connect(t, issuerOf(t, p384, ordered), nil), order(t, p256, serverNames))
}

// Nobody without the CA's key can foresee a serial number, and no two lists of
// parts count as one.
func TestSerialNumberDependsOn(t *testing.T) {
	one, err := serialSecret(key(t, p256, "issuer"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := serialSecret(key(t, p256, "root"))
	if err != nil {
		t.Fatal(err)
	}
	first := (&signer{secret: one}).serial(draft{orderKey: "ab", subject: []byte("c")})
	for name, second := range map[string]*big.Int{
		"the key":                      (&signer{secret: other}).serial(draft{orderKey: "ab", subject: []byte("c")}),
		"where one part ends":          (&signer{secret: one}).serial(draft{orderKey: "a", subject: []byte("bc")}),
		"which part it is, when alone": (&signer{secret: one}).serial(draft{orderKey: "abc"}),
		"the begin":                    (&signer{secret: one}).serial(draft{orderKey: "ab", subject: []byte("c"), notBefore: ordered}),
		"the end":                      (&signer{secret: one}).serial(draft{orderKey: "ab", subject: []byte("c"), notAfter: ordered}),
		"an extension":                 (&signer{secret: one}).serial(draft{orderKey: "ab", subject: []byte("c"), extensions: []pkix.Extension{anyPolicy()}}),
	} {
		if first.Cmp(second) == 0 {
			t.Errorf("it does not depend on %s", name)
		}
	}
}

// The name of an order is the serial number of its certificate as whole octets,
// in the form in which versions keep it.
func TestSubmitNamesTheSerialNumber(t *testing.T) {
	c := connect(t, issuerOf(t, p256, ordered), nil)
	o := order(t, p256, serverNames)
	ref, err := c.Submit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := issue(t, c, o)
	if want := strings.ToUpper(cert.SerialNumber.Text(16)); ref != want || len(ref) != 2*serialOctets {
		t.Errorf("got %s, want %s", ref, want)
	}
}

// A CA may serve many at once.
func TestManyAtOnce(t *testing.T) {
	c := connect(t, issuerOf(t, p256, ordered), urls)
	o := order(t, p256, serverNames)
	_, want := issue(t, c, o)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 20 {
				got, err := c.Collect(t.Context(), o)
				if err != nil || !bytes.Equal(got.Cert, want.Cert) {
					t.Errorf("got another certificate, or %v", err)
				}
			}
		})
	}
	wait.Wait()
}

// careless signs with fresh randomness, as a hardware module may.
type careless struct{ crypto.Signer }

func (c careless) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return c.Signer.Sign(rand.Reader, digest, o)
}

// broken cannot sign.
type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, io.ErrUnexpectedEOF
}

// An issuer that could not issue, or not twice the same, is refused when the CA is
// made and not when the first order comes.
func TestUnfitIssuers(t *testing.T) {
	good := issuerOf(t, p256, ordered)
	other := issuerOf(t, p384, ordered)
	leaf, _ := issue(t, connect(t, good, nil), order(t, p256, serverNames))
	for _, test := range []struct {
		name   string
		issuer *ca.Issuer
		want   string
	}{
		{"none", nil, "names no issuing CA"},
		{"no certificate", &ca.Issuer{Key: good.Key}, "certificate is missing"},
		{"no key", &ca.Issuer{Chain: good.Chain}, "key is missing"},
		{"no DER", &ca.Issuer{Chain: [][]byte{{1}}, Key: good.Key}, "certificate 1 of its chain"},
		{"key of another", &ca.Issuer{Chain: good.Chain, Key: other.Key}, "does not belong"},
		{"chain without root", &ca.Issuer{Chain: good.Chain[:1], Key: good.Key}, "not signed by the next"},
		{"chain upside down", &ca.Issuer{Chain: [][]byte{good.Chain[1], good.Chain[0]}, Key: key(t, p256, "root")}, "not signed by the next"},
		{"chain of another", &ca.Issuer{Chain: [][]byte{good.Chain[0], other.Chain[1]}, Key: good.Key}, "not signed by the next"},
		{"no CA", &ca.Issuer{Chain: append([][]byte{leaf.Raw}, good.Chain...), Key: key(t, p256, "leaf")}, "not that of a CA"},
		{"key that signs with randomness", &ca.Issuer{Chain: good.Chain, Key: careless{good.Key}}, "deterministically"},
		{"key that cannot sign", &ca.Issuer{Chain: good.Chain, Key: broken{good.Key}}, "sign with its key"},
	} {
		_, err := Connector.New(ca.Settings{Issuer: test.issuer})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want … %s …", test.name, err, test.want)
		}
	}
}

// A fault of the signer is no fault of the order: it will be tried again.
func TestSignerFailsForNow(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	c := connect(t, issuer, nil)
	c.(*authority).key = broken{issuer.Key}
	_, err := c.Collect(t.Context(), order(t, p256, serverNames))
	work := clm.Advance(clm.Begin(clm.Enroll, clm.Collect, ordered), clm.Outcome{}, err, ordered)
	if err == nil || work.Failure != "" {
		t.Errorf("got %v, want an error that is tried again", err)
	}
}

// The text behind the serial numbers could never be taken for something that a CA
// signs: none of that begins like text.
func TestSerialPurposeIsNoDER(t *testing.T) {
	if _, err := x509.ParseCertificate([]byte(serialPurpose)); err == nil || serialPurpose[0] == 0x30 {
		t.Errorf("%q could be DER", serialPurpose)
	}
}
