package embedded

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// always are the lints that never fit, each with the reason.
var always = map[string]string{
	"e_sub_cert_certificate_policies_missing": "the policies are those of public CAs, and a private CA must not claim to follow them",
	"e_sub_cert_cert_policy_empty":            "the same",
}

// A sample is an order's names with the lints that do not fit them and the reason.
type sample struct {
	name  string
	names clm.Names
	why   string
	lints []string
}

var samples = []sample{
	{name: "server", names: serverNames},
	{name: "wildcard", names: clm.Names{CommonName: "*.example.com", DNS: []string{"example.com"}}},
	{name: "no common name", names: clm.Names{DNS: []string{"www.example.com"}}},
	{name: "common name in another case", names: clm.Names{CommonName: "WWW.Example.com", DNS: []string{"www.example.com"}}},
	{name: "long organization", names: clm.Names{
		CommonName: "www.example.com", Organization: strings.Repeat("é", 64), Locality: strings.Repeat("L", 128), Country: "be",
	}},
	{name: "long host name", names: clm.Names{CommonName: strings.Repeat("host.", 12) + "example.com"}},
	{name: "addresses", names: clm.Names{CommonName: "8.8.4.4", IP: []string{"8.8.8.8", "2a00:1450:4001::200e"}}},
	{name: "private address", names: clm.Names{CommonName: "10.1.2.3"},
		why: "the BR are about the public network", lints: []string{"e_subject_contains_reserved_ip", "e_ext_san_contains_reserved_ip"}},
	{name: "internal host", names: clm.Names{CommonName: "server01", DNS: []string{"shop.svc.cluster.local"}},
		why: "the BR are about the public network", lints: []string{"e_dnsname_not_valid_tld"}},
	{name: "e-mail", names: clm.Names{CommonName: "www.example.com", Email: []string{"web@example.com"}},
		why: "private servers may have such a name", lints: []string{"e_ext_san_rfc822_name_present"}},
	{name: "URI", names: clm.Names{CommonName: "www.example.com", URI: []string{"spiffe://example.com/shop", "urn:uuid:4711"}},
		why: "so do those of SPIFFE", lints: []string{"e_ext_san_uniform_resource_identifier_present"}},
	{name: "UPN", names: clm.Names{CommonName: "www.example.com", UPN: []string{"wéb@example.com"}},
		why: "so do those of Windows", lints: []string{"e_ext_san_other_name_present"}},
	{name: "person", names: clm.Names{CommonName: "Zoë Peeters", Organization: "Certwright Tests", Locality: "Gent", Country: "BE"},
		why: "that is for the client profile; a server profile is not refused", lints: []string{
			"e_subject_common_name_not_exactly_from_san", "e_ext_san_missing",
			"e_dnsname_bad_character_in_label", "e_dnsname_not_valid_tld",
		}},
	{name: "units", names: changed(serverNames, func(n *clm.Names) { n.OrganizationalUnit = []string{"Web", "Shop & Store"} }),
		why: "companies order by units; the BR forbid them since 2022", lints: []string{"e_organizational_unit_name_prohibited"}},
}

func changed(n clm.Names, change func(*clm.Names)) clm.Names {
	change(&n)
	return n
}

// A reporter is a test of either kind, of package testing or of package rapid.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A linter lints certificates and remembers which exceptions it made.
type linter struct {
	sync.Mutex
	made map[string]bool
}

// check fails for every error that zlint finds in the certificate, but for
// the lints that do not fit.
func (l *linter) check(t reporter, der []byte, unfit ...string) {
	t.Helper()
	cert, err := zx509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("parse with zcrypto: %v", err)
	}
	l.Lock()
	defer l.Unlock()
	for name, result := range zlint.LintCertificate(cert).Results {
		switch {
		case result.Status < lint.Error:
		case always[name] != "" || slices.Contains(unfit, name):
			l.made[name] = true
		default:
			t.Errorf("%s: %s %s", name, result.Status, result.Details)
		}
	}
}

// Whatever the keys of issuer and certificate, the profile and the names, no
// linter finds an error. An exception that is not needed is one too many. All
// names are tried with the usual keys, the most usual names with every key.
func TestCertificatesPassLint(t *testing.T) {
	l := linter{made: map[string]bool{}}
	t.Run("all", func(t *testing.T) {
		for _, issuerSpec := range []pki.KeySpec{rsa2048, p256, p384} {
			issuer := issuerOf(t, issuerSpec, ordered)
			for profile := range profiles {
				t.Run(issuerSpec.String()+" "+profile, func(t *testing.T) {
					t.Parallel()
					c := connect(t, issuer, with(urls, "profile", profile))
					for _, leafSpec := range specs {
						tried := samples
						if leafSpec != rsa2048 && leafSpec != p256 {
							tried = samples[:1]
						}
						for _, s := range tried {
							t.Run(leafSpec.String()+" "+s.name, func(t *testing.T) {
								cert, issued := issue(t, c, order(t, leafSpec, s.names))
								l.check(t, cert.Raw, s.lints...)
								if leafSpec == p256 {
									catest.VerifyWithOpenSSL(t, issued)
								}
							})
						}
					}
				})
			}
		}
	})
	listed := slices.Collect(maps.Keys(always))
	for _, s := range samples {
		listed = append(listed, s.lints...)
	}
	for _, name := range listed {
		if !l.made[name] {
			t.Errorf("the exception for %s is not needed", name)
		}
	}
}

// Certificates that say no more than they must, or last longer than public ones
// may, break no other rules than those.
func TestPrivateCertificatesPassLint(t *testing.T) {
	l := linter{made: map[string]bool{}}
	issuer := issuerOf(t, rsa2048, ordered)
	o := order(t, rsa2048, serverNames)

	bare, _ := issue(t, connect(t, issuer, nil), o)
	l.check(t, bare.Raw, "e_sub_cert_aia_missing", "e_missing_crl_distrib_point")

	o.Days = 2920
	long, _ := issue(t, connect(t, issuer, urls), o)
	l.check(t, long.Raw, "e_server_cert_valid_time_longer_than_200_days", "e_tls_server_cert_valid_time_longer_than_398_days",
		"e_sub_cert_valid_time_longer_than_825_days", "e_sub_cert_valid_time_longer_than_39_months")
}

// CA certificates are what linters want of public ones.
func TestCertificatesOfCAsPassLint(t *testing.T) {
	l := linter{made: map[string]bool{}}
	for _, spec := range specs {
		var unfit []string
		if spec.Algorithm == clm.ECC {
			unfit = []string{"e_cabf_ecc_allowed_key_usages"} // zlint 3.7.1 reads BR 7.1.2.7.11, which is about other certificates, as if it were about CAs
		}
		for _, der := range issuerOf(t, spec, ordered).Chain {
			l.check(t, der, unfit...)
		}
	}
}
