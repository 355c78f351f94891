package embedded

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/catest"
)

const published = "http://pki.example.com/pub"

// publish returns a CA that publishes.
func publish(t testing.TB, issuer ca.Issuer, values map[string]string) ca.CA {
	t.Helper()
	c, err := Connector.New(ca.Settings{Values: values, Issuer: &issuer, Publish: published})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A certificate names the addresses at which this installation publishes, each
// unless its template names another one or none.
func TestCertificatesSayWhereToLook(t *testing.T) {
	const cert, ocsp, list = published + "/ca/issuer.cer", published + "/ocsp", published + "/crl/issuer/5.crl"
	issuer := issuerOf(t, p256, ordered)
	for _, test := range []struct {
		name             string
		c                ca.CA
		aia, ocsp, lists string
	}{
		{"nothing published", connect(t, issuer, nil), "", "", ""},
		{"nothing published, none wanted", connect(t, issuer, with(nil, "aia-url", "none", "ocsp-url", "none", "cdp-url", "none")), "", "", ""},
		{"nothing published, others named", connect(t, issuer, urls), urls["aia-url"], urls["ocsp-url"], urls["cdp-url"]},
		{"published", publish(t, issuer, nil), cert, ocsp, list},
		{"others named", publish(t, issuer, urls), urls["aia-url"], urls["ocsp-url"], urls["cdp-url"]},
		{"another certificate", publish(t, issuer, with(nil, "aia-url", "http://a/")), "http://a/", ocsp, list},
		{"another responder", publish(t, issuer, with(nil, "ocsp-url", "http://a/")), cert, "http://a/", list},
		{"another list", publish(t, issuer, with(nil, "cdp-url", "http://a/")), cert, ocsp, "http://a/"},
		{"no certificate", publish(t, issuer, with(nil, "aia-url", "none")), "", ocsp, list},
		{"no responder", publish(t, issuer, with(nil, "ocsp-url", "none")), cert, "", list},
		{"no list", publish(t, issuer, with(nil, "cdp-url", "none")), cert, ocsp, ""},
		{"no access", publish(t, issuer, with(nil, "aia-url", "none", "ocsp-url", "none")), "", "", list},
	} {
		o := order(t, p256, serverNames)
		o.Shard = 5
		got, issued := issue(t, test.c, o)
		for _, part := range []struct {
			name, want string
			got        []string
		}{
			{"issuer's certificate", test.aia, got.IssuingCertificateURL},
			{"responder", test.ocsp, got.OCSPServer},
			{"list", test.lists, got.CRLDistributionPoints},
		} {
			if strings.Join(part.got, " ") != part.want {
				t.Errorf("%s: %s: got %q, want %q", test.name, part.name, part.got, part.want)
			}
		}
		catest.VerifyWithOpenSSL(t, issued)
	}
}

// The order decides on the part of the list, and an order signed again brings the
// same certificate; another part is another certificate.
func TestPartOfTheListIsTheOrders(t *testing.T) {
	c := publish(t, issuerOf(t, p256, ordered), nil)
	o := order(t, p256, serverNames)
	seen := map[string]bool{}
	for _, shard := range []int64{0, 1, 1 << 40} {
		o.Shard = shard
		first, issued := issue(t, c, o)
		_, again := issue(t, c, o)
		if want := []string{ca.ListURL(published, "issuer", shard)}; !slices.Equal(first.CRLDistributionPoints, want) {
			t.Errorf("got %s, want %s", first.CRLDistributionPoints, want)
		}
		if !bytes.Equal(issued.Cert, again.Cert) {
			t.Error("got two certificates for one order")
		}
		seen[first.SerialNumber.String()] = true
	}
	if len(seen) != 3 {
		t.Errorf("got %d serial numbers for three certificates", len(seen))
	}
}

// Such certificates are what linters want, whatever the issuer is called.
func TestPublishedCertificatesPassLint(t *testing.T) {
	l := linter{made: map[string]bool{}}
	for _, name := range []string{"issuer", "Zoë's CA / 2"} {
		issuer := issuerOf(t, rsa2048, ordered)
		issuer.Name = name
		cert, _ := issue(t, publish(t, issuer, nil), order(t, rsa2048, serverNames))
		l.check(t, cert.Raw)
	}
}

// An address that clients could not use is refused at once.
func TestRefusedPlaces(t *testing.T) {
	issuer := issuerOf(t, p256, ordered)
	for _, address := range []string{"https://pki.example.com", "pki.example.com", "http://", "http://é", "ldap://pki"} {
		if _, err := Connector.New(ca.Settings{Issuer: &issuer, Publish: address}); err == nil || !strings.Contains(err.Error(), "publishes") {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

// An issuing CA below a root names where the root's own list is.
func TestIssuerPointsToListOfRoot(t *testing.T) {
	root := issuerOf(t, p256, ordered)
	root = ca.Issuer{Name: "the root", Chain: root.Chain[1:], Key: key(t, p256, "root")}
	issuer, err := NewIssuer(root, Spec{
		Name: "issuer", Subject: caName("CA"), Key: key(t, p256, "issuer"), At: ordered,
		AIAURL: ca.CertURL(published, root.Name), OCSPURL: ca.OCSPURL(published), CDPURL: ca.WholeListURL(published, root.Name),
	})
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, issuer.Chain[0])
	if want := []string{published + "/crl/the%20root.crl"}; !slices.Equal(cert.CRLDistributionPoints, want) {
		t.Errorf("got %s, want %s", cert.CRLDistributionPoints, want)
	}
	(&linter{made: map[string]bool{}}).check(t, cert.Raw, "e_cabf_ecc_allowed_key_usages") // see TestCertificatesOfCAsPassLint
	catest.VerifyWithOpenSSL(t, ca.Issued{Cert: issuer.Chain[0], Chain: issuer.Chain[1:]})
}
