package embedded

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// Generators of names that certificates can hold.
var (
	host = rapid.Custom(func(t *rapid.T) string {
		label := rapid.StringMatching(`[a-z0-9]([a-z0-9]{0,20}[a-z0-9])?`)
		return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".") + rapid.SampledFrom([]string{".com", ".be", ".example.org"}).Draw(t, "domain")
	})
	text = rapid.StringMatching(`[A-Za-zÀ-ÿ&0-9][A-Za-zÀ-ÿ&',./ -]{0,40}[A-Za-zÀ-ÿ0-9]`)

	names = rapid.Custom(func(t *rapid.T) clm.Names {
		return clm.Names{
			CommonName: host.Draw(t, "common name"), Organization: text.Draw(t, "organization"), Locality: text.Draw(t, "locality"),
			Province: text.Draw(t, "province"), Country: rapid.SampledFrom([]string{"BE", "DE", "US"}).Draw(t, "country"),
			OrganizationalUnit: rapid.SliceOfNDistinct(text, 0, 3, rapid.ID).Draw(t, "units"),
			DNS:                rapid.SliceOfNDistinct(host, 0, 5, rapid.ID).Draw(t, "DNS"),
			IP:                 rapid.SliceOfNDistinct(rapid.StringMatching(`8\.[1-9]\.[1-9]\.1[0-9]`), 0, 3, rapid.ID).Draw(t, "IP"),
		}
	})

	// anything is what a careless or hostile client may send.
	anything = rapid.Custom(func(t *rapid.T) clm.Names {
		some := rapid.OneOf(rapid.String(), host, text, rapid.StringMatching(`[ -~]{0,70}`), rapid.Just(""))
		list := rapid.SliceOfN(some, 0, 2)
		return clm.Names{
			CommonName: some.Draw(t, "common name"), Organization: some.Draw(t, "organization"), Locality: some.Draw(t, "locality"),
			Country: rapid.StringN(0, 2, 4).Draw(t, "country"), OrganizationalUnit: list.Draw(t, "units"),
			DNS: list.Draw(t, "DNS"), Email: list.Draw(t, "e-mail"), IP: list.Draw(t, "IP"), URI: list.Draw(t, "URI"), UPN: list.Draw(t, "UPN"),
		}
	})
)

// The certificate says the names that were ordered, and linters find no error.
func TestNamesAreKept(t *testing.T) {
	c := connect(t, issuerOf(t, p256, ordered), urls)
	l := linter{made: map[string]bool{}}
	o := order(t, p256, clm.Names{})
	rapid.Check(t, func(r *rapid.T) {
		o.Names = names.Draw(r, "names")
		issued, err := c.Collect(t.Context(), o)
		if err != nil {
			r.Fatal(err)
		}
		cert := parse(t, issued.Cert)
		got, err := pki.ReadNames(cert.RawSubject, cert.Extensions)
		if err != nil {
			r.Fatal(err)
		}
		want := o.Names
		if !slices.Contains(want.DNS, want.CommonName) {
			want.DNS = append([]string{want.CommonName}, want.DNS...)
		}
		if len(want.CommonName) > maxCommonName {
			want.CommonName = ""
		}
		if !sameNames(got, want) {
			r.Fatalf("got %+v, want %+v", got, want)
		}
		l.check(r, cert.Raw, "e_organizational_unit_name_prohibited")
	})
}

func sameNames(a, b clm.Names) bool {
	return a.CommonName == b.CommonName && a.Organization == b.Organization && a.Locality == b.Locality && a.Province == b.Province &&
		a.Country == b.Country && slices.Equal(a.OrganizationalUnit, b.OrganizationalUnit) &&
		sameSet(a.DNS, b.DNS) && sameSet(a.IP, b.IP)
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Whatever is asked, it is refused, for good, or there is a certificate that can be
// read again, names somebody, and is the same the second time.
func TestAnythingIsRefusedOrSound(t *testing.T) {
	c := connect(t, issuerOf(t, p256, ordered), urls)
	o := order(t, p256, clm.Names{})
	rapid.Check(t, func(r *rapid.T) {
		o.Names = anything.Draw(r, "names")
		first, err := c.Collect(t.Context(), o)
		if err != nil {
			if clm.Advance(clm.Begin(clm.Enroll, clm.Collect, ordered), clm.Outcome{}, err, ordered).Failure == "" {
				r.Fatalf("got an error that would be tried again: %v", err)
			}
			return
		}
		cert, err := x509.ParseCertificate(first.Cert)
		if err != nil {
			r.Fatal(err)
		}
		if bytes.Equal(cert.RawSubject, emptySubject) && len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses)+len(cert.URIs) == 0 {
			if got, _ := pki.ReadNames(cert.RawSubject, cert.Extensions); len(got.UPN) == 0 {
				r.Fatal("names nobody")
			}
		}
		second, err := c.Collect(t.Context(), o)
		if err != nil || !bytes.Equal(first.Cert, second.Cert) {
			r.Fatalf("got another certificate, or %v", err)
		}
	})
}
