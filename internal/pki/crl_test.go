package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
)

// issuerWith makes the certificate of a CA that may sign lists.
func issuerWith(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	return newCert{names: clm.Names{CommonName: "Issuer", Organization: "Grüne Gärten"}, key: key, isCA: true,
		edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign }}.make(t)
}

// leafOf makes a certificate below the issuer.
func leafOf(t testing.TB, issuer *x509.Certificate, by crypto.Signer, edit func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	return newCert{names: fullNames, key: eccKey(), issuer: issuer, by: by, edit: edit}.make(t)
}

// now is without fractions of a second, which neither lists nor answers have.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

var reasons = []clm.Reason{
	clm.Unspecified, clm.KeyCompromise, clm.CACompromise, clm.AffiliationChanged, clm.Superseded,
	clm.CessationOfOperation, clm.PrivilegeWithdrawn, clm.AACompromise,
}

// listOf makes a list of n certificates, with all reasons in turn and serial numbers
// of all lengths, among them such as DER writes with a zero octet in front.
func listOf(n int) List {
	l := List{Number: 1<<53 + 1, ThisUpdate: now(), NextUpdate: now().Add(24 * time.Hour)}
	for i := range n {
		serial := new(big.Int).Lsh(big.NewInt(int64(i+1)), uint(i*8%136))
		l.Revoked = append(l.Revoked, RevokedCert{
			Serial: formatSerial(serial.Or(serial, big.NewInt(int64(i+1)))), At: now().Add(-time.Duration(i) * time.Minute), Reason: reasons[i%len(reasons)],
		})
	}
	return l
}

func mustSignList(t testing.TB, l List, issuer *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	der, err := SignList(l, issuer.Raw, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func crlPEM(der []byte) []byte {
	return []byte(asPEM("X509 CRL", der))
}

// What goes into a list is found in it, by us and by others, however long it is.
func TestListsSayWhatTheyShould(t *testing.T) {
	for spec, key := range testKeys() {
		if spec.Bits == 1024 {
			continue // OpenSSL calls it too weak
		}
		for _, n := range []int{0, 1, 1024} {
			t.Run(fmt.Sprint(spec, " ", n), func(t *testing.T) {
				t.Parallel()
				issuer := issuerWith(t, key)
				l := listOf(n)
				der := mustSignList(t, l, issuer, key)
				for _, r := range l.Revoked {
					if n == 1024 && r.Serial[0] != '3' {
						continue // it takes long to try them all
					}
					got, err := FindInList(der, issuer, r.Serial)
					if err != nil || !got.Listed || got.Entry != r {
						t.Fatalf("got %v %+v, want %+v", err, got, r)
					}
				}
				got, err := FindInList(crlPEM(der), issuer, "00")
				want := Finding{Number: big.NewInt(l.Number), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
				if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); err != nil || diff != "" {
					t.Errorf("got %v, want (-), got (+):\n%s", err, diff)
				}

				ca := inFile(t, []byte(asPEMs(issuer.Raw)))
				text := openssl(t, der, "crl", "-inform", "DER", "-noout", "-text", "-verify", "-CAfile", ca)
				if !strings.Contains(text, "verify OK") || strings.Count(text, "Serial Number:") != n || !strings.Contains(text, "Authority Key Identifier") {
					t.Errorf("OpenSSL says\n%.2000s", text)
				}
				if n == 0 && !strings.Contains(text, "No Revoked Certificates") {
					t.Errorf("the list is not empty:\n%s", text)
				}
				if out := tool(t, "certtool", crlPEM(der), "--verify-crl", "--load-ca-certificate", ca); !strings.Contains(out, "Verification output: Verified") {
					t.Errorf("GnuTLS says\n%s", out)
				}
			})
		}
	}
}

// The reason zero is not written, all others are.
func TestReasonsInLists(t *testing.T) {
	issuer := issuerWith(t, eccKey())
	list, err := x509.ParseRevocationList(mustSignList(t, listOf(len(reasons)), issuer, eccKey()))
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range list.RevokedCertificateEntries {
		if e.ReasonCode != int(reasons[i]) || (len(e.Extensions) == 0) != (reasons[i] == clm.Unspecified) {
			t.Errorf("%d: got %d with %d extensions", reasons[i], e.ReasonCode, len(e.Extensions))
		}
	}
}

// A list is a function of what it is made from.
func TestSameListTwice(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), eccKey()} {
		issuer := issuerWith(t, key)
		l := listOf(3)
		if a, b := mustSignList(t, l, issuer, key), mustSignList(t, l, issuer, key); string(a) != string(b) {
			t.Errorf("got\n%x and\n%x", a, b)
		}
	}
}

// A partial list counts for certificates that point to any of its addresses, and
// for no others: those cannot be checked with it.
func TestPartialLists(t *testing.T) {
	const moved, first = "http://pki.example.com/crl/issuer/0.crl", "http://old.example.com/crl/issuer/0.crl"
	issuer := issuerWith(t, rsaKey())
	ca := inFile(t, []byte(asPEMs(issuer.Raw)))
	points := func(url string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			if url != "" {
				c.CRLDistributionPoints = []string{url}
			}
		}
	}
	revoked := leafOf(t, issuer, rsaKey(), points(first))
	partial := listOf(10)
	partial.URLs = []string{moved, first}
	partial.Revoked = append(partial.Revoked, RevokedCert{Serial: Serial(revoked), At: now()})
	whole := partial
	whole.URLs = nil
	for _, test := range []struct {
		name string
		list List
		leaf *x509.Certificate
		want string
	}{
		{"points to the first address", partial, leafOf(t, issuer, rsaKey(), points(moved)), "OK"},
		{"points to the second address", partial, leafOf(t, issuer, rsaKey(), points(first)), "OK"},
		{"is revoked", partial, revoked, "certificate revoked"},
		{"points elsewhere", partial, leafOf(t, issuer, rsaKey(), points(moved+"x")), "different CRL scope"},
		{"points nowhere", partial, leafOf(t, issuer, rsaKey(), points("")), "different CRL scope"},
		{"whole list, points to it", whole, leafOf(t, issuer, rsaKey(), points(moved)), "OK"},
		{"whole list, points nowhere", whole, leafOf(t, issuer, rsaKey(), points("")), "OK"},
		{"whole list, is revoked", whole, revoked, "certificate revoked"},
	} {
		list := inFile(t, crlPEM(mustSignList(t, test.list, issuer, rsaKey())))
		got, err := tryOpenssl(t, nil, "verify", "-x509_strict", "-crl_check", "-CAfile", ca, "-CRLfile", list, inFile(t, []byte(asPEMs(test.leaf.Raw))))
		if !strings.Contains(got, test.want) || (err == nil) != (test.want == "OK") {
			t.Errorf("%s: got %v, %s, want %s", test.name, err, got, test.want)
		}
	}
	text := openssl(t, mustSignList(t, partial, issuer, rsaKey()), "crl", "-inform", "DER", "-noout", "-text")
	for _, want := range []string{"Issuing Distribution Point: critical", "URI:" + moved, "URI:" + first} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// What would make no list is refused.
func TestRefusedLists(t *testing.T) {
	issuer := issuerWith(t, eccKey())
	noSigner := newCert{names: clm.Names{CommonName: "Issuer"}, key: eccKey(), isCA: true,
		edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }}.make(t)
	for _, test := range []struct {
		name   string
		issuer []byte
		key    crypto.Signer
		change func(*List)
		want   string
	}{
		{"no certificate", []byte("x"), eccKey(), func(*List) {}, ErrNotCertificate.Error()},
		{"key of another", issuer.Raw, rsaKey(), func(*List) {}, ErrKeyMismatch.Error()},
		{"issuer may not sign lists", noSigner.Raw, eccKey(), func(*List) {}, "crlSign"},
		{"number below zero", issuer.Raw, eccKey(), func(l *List) { l.Number = -1 }, "number is -1"},
		{"ends before it begins", issuer.Raw, eccKey(), func(l *List) { l.NextUpdate = l.ThisUpdate.Add(-time.Hour) }, "ThisUpdate is after"},
		{"URL is not ASCII", issuer.Raw, eccKey(), func(l *List) { l.URLs = []string{"http://ä/"} }, "not ASCII"},
		{"serial number is no hex", issuer.Raw, eccKey(), func(l *List) { l.Revoked[0].Serial = "0x1" }, "not a serial number"},
		{"serial number is empty", issuer.Raw, eccKey(), func(l *List) { l.Revoked[0].Serial = "" }, "not a serial number"},
		{"serial number is negative", issuer.Raw, eccKey(), func(l *List) { l.Revoked[0].Serial = "-01" }, "not a serial number"},
		{"serial number is too long", issuer.Raw, eccKey(), func(l *List) { l.Revoked[0].Serial = strings.Repeat("11", 21) }, "not a serial number"},
		{"no time of revocation", issuer.Raw, eccKey(), func(l *List) { l.Revoked[0].At = time.Time{} }, "RevocationTime"},
	} {
		l := listOf(1)
		test.change(&l)
		if _, err := SignList(l, test.issuer, test.key); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want … %s …", test.name, err, test.want)
		}
	}
}

// Only the issuer's own list counts.
func TestListsThatDoNotCount(t *testing.T) {
	issuer := issuerWith(t, eccKey())
	namesake := issuerWith(t, rsaKey())
	other := newCert{names: clm.Names{CommonName: "Other"}, key: eccKey(), isCA: true,
		edit: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign }}.make(t)
	good := mustSignList(t, listOf(1), issuer, eccKey())
	spoilt := append([]byte{}, good...)
	spoilt[len(spoilt)-1] ^= 1
	for name, test := range map[string]struct {
		text []byte
		want error
	}{
		"another of that name": {mustSignList(t, listOf(1), namesake, rsaKey()), ErrForeignSigner},
		"same key, other name": {mustSignList(t, listOf(1), other, eccKey()), ErrForeignSigner},
		"spoilt":               {spoilt, ErrForeignSigner},
		"cut off":              {good[:len(good)-1], ErrNotList},
		"certificate":          {issuer.Raw, ErrNotList},
		"nothing":              {nil, ErrNotList},
		"text":                 {[]byte("<html>Not found</html>"), ErrNotList},
		"too large":            {make([]byte, MaxListSize+1), ErrTooLarge},
		"indirect":             {foreignList(t, issuer, x509.RevocationList{ExtraExtensions: indirect}), ErrNotList},
	} {
		if got, err := FindInList(test.text, issuer, "01"); !errors.Is(err, test.want) || got.Listed {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	if _, err := FindInList(good, issuer, "no serial number"); err == nil {
		t.Error("something that is not a serial number was looked up")
	}
}

// Several are looked up at once as each would be by itself, in the order in which they
// are asked for.
func TestFindAllInList(t *testing.T) {
	issuer := issuerWith(t, eccKey())
	l := listOf(20)
	der := mustSignList(t, l, issuer, eccKey())
	serials := []string{l.Revoked[7].Serial, "00", l.Revoked[2].Serial, l.Revoked[7].Serial}
	got, err := FindAllInList(der, issuer, serials)
	if err != nil || len(got) != len(serials) {
		t.Fatalf("got %d, %v", len(got), err)
	}
	for n, serial := range serials {
		alone, err := FindInList(der, issuer, serial)
		if diff := cmp.Diff(alone, got[n], cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); err != nil || diff != "" || got[n].Listed == (serial == "00") {
			t.Errorf("%s: %v, alone (-), among others (+):\n%s", serial, err, diff)
		}
	}
	if _, err := FindAllInList(der, issuer, []string{"01", "no serial number"}); err == nil {
		t.Error("something that is not a serial number was looked up")
	}
}

// Lists that others make say more than ours: a hold counts, a removal does not.
func TestForeignReasons(t *testing.T) {
	issuer := issuerWith(t, eccKey())
	for reason, listed := range map[int]bool{6: true, removedFromList: false} {
		got, err := FindInList(foreignList(t, issuer, x509.RevocationList{}, reason), issuer, "01")
		if err != nil || got.Listed != listed {
			t.Errorf("%d: got %v, listed %v, want %v", reason, err, got.Listed, listed)
		}
	}
}

// indirect says that a list is also about the certificates of others.
var indirect = []pkix.Extension{{Id: oidIssuingPoint, Critical: true, Value: []byte{0x30, 3, 0x84, 1, 0xff}}}

// foreignList is a list with entries for the serial number 1.
func foreignList(t *testing.T, issuer *x509.Certificate, l x509.RevocationList, reasons ...int) []byte {
	t.Helper()
	l.Number, l.ThisUpdate, l.NextUpdate = big.NewInt(1), now(), now()
	for _, reason := range reasons {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(1), RevocationTime: now(), ReasonCode: reason})
	}
	der, err := x509.CreateRevocationList(nil, &l, issuer, eccKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// No list makes us panic, and none that the issuer has not signed counts.
func FuzzFindInList(f *testing.F) {
	issuer := issuerWith(f, eccKey())
	l := listOf(4)
	l.URLs = []string{"http://pki.example.com/0.crl"}
	der := mustSignList(f, l, issuer, eccKey())
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(crlPEM(der))
	for cut := range der {
		f.Add(der[:cut])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := FindInList(text, issuer, l.Revoked[2].Serial); err != nil {
			oneOf(t, err, ErrNotList, ErrForeignSigner)
			return
		}
		if block, _ := pem.Decode(text); block != nil {
			text = block.Bytes
		}
		if !bytes.Contains(text, list.RawTBSRevocationList) {
			t.Errorf("took for a list of the issuer: %x", text)
		}
	})
}

func BenchmarkSignList(b *testing.B) {
	for _, n := range []int{1, 1024, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			issuer := issuerWith(b, eccKey())
			l := listOf(n)
			for b.Loop() {
				mustSignList(b, l, issuer, eccKey())
			}
		})
	}
}

func BenchmarkFindInList(b *testing.B) {
	for _, n := range []int{1, 1024, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			issuer := issuerWith(b, eccKey())
			der := mustSignList(b, listOf(n), issuer, eccKey())
			b.ReportMetric(float64(len(der)), "octets")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := FindInList(der, issuer, "00"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What it takes to look up five hundred, beside what one takes in the same list.
func BenchmarkFindAllInList(b *testing.B) {
	issuer := issuerWith(b, eccKey())
	l := listOf(100_000)
	der := mustSignList(b, l, issuer, eccKey())
	for _, n := range []int{1, 512} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var serials []string
			for _, r := range l.Revoked[:n] {
				serials = append(serials, r.Serial)
			}
			for b.Loop() {
				if _, err := FindAllInList(der, issuer, serials); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
