package e2e

import (
	"strings"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
)

// TestCommandRetires takes a certificate out of use, by name and by thumbprint. It
// can still be fetched but not renewed, until it is enrolled again.
func TestCommandRetires(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token, a := commandToken(t, s), login(t, s, "alice")
		for name, key := range map[string][]string{
			"retired.example.org": {"--key-type", "ecdsa"},
			"retired.example.net": {"--csr", "service", "--key-password", keyPassword},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				old, now, dn := filesIn(t.TempDir()), filesIn(t.TempDir()), `\VED\Policy\Open\`+name
				enrol := args([]string{"-t", token, "-z", "Open", "--cn", name}, key, nil)
				mustVcert(t, s, "enroll", args(enrol, old.flags(), nil)...)
				which := []string{"--id", dn}
				if strings.HasSuffix(name, ".net") {
					which = []string{"--thumbprint", "file:" + old.cert}
				}

				mustVcert(t, s, "retire", args([]string{"-t", token}, which, nil)...)
				mustVcert(t, s, "retire", args([]string{"-t", token}, which, nil)...) // again changes nothing
				if !a.details(t, dn).Disabled {
					t.Error("the certificate is not disabled")
				}
				mustVcert(t, s, "pickup", "-p", "tpp", "-t", token, "--pickup-id", dn)
				_, err := vcert(t, s, "renew", args([]string{"-t", token}, key, which)...)
				if want := "Certificate renew error. Certificate is disabled."; err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("renewal: got %v, want %q", err, want)
				}

				mustVcert(t, s, "enroll", args(enrol, now.flags(), nil)...)
				if d := a.details(t, dn); d.Disabled {
					t.Error("the certificate is still disabled after it was enrolled again")
				}
				if serial(t, old.cert) == serial(t, now.cert) {
					t.Error("got the old certificate")
				}
				mustVcert(t, s, "renew", args([]string{"-t", token, "--id", dn}, key, nil)...)
			})
		}
	})
}

// TestRetiringNeedsRights has nobody retire what they may not change, nor what is
// not there.
func TestRetiringNeedsRights(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a, dn := login(t, s, "alice"), `\VED\Policy\Workshop\kept.example.org`
		mustRequest(t, a, `\VED\Policy\Workshop`, "kept.example.org")
		for user, dn := range map[string]string{"bob": dn, "carol": dn, "alice": `\VED\Policy\Workshop\missing`} {
			err := connect(t, s, user, "Workshop").RetireCertificate(&certificate.RetireRequest{CertificateDN: dn})
			if want := "unexpected status code: 40"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", user, err, want)
			}
		}
		if a.details(t, dn).Disabled {
			t.Error("the certificate is disabled")
		}
	})
}

// TestLibraryRetires goes the same way through the library, which finds the place by
// its thumbprint.
func TestLibraryRetires(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c, a := connect(t, s, "alice", "Open"), login(t, s, "alice")
		r := serviceRequest("retired-lib.example.org")
		id := request(t, c, r)
		cert, _ := retrieve(t, c, r)
		if err := c.RetireCertificate(&certificate.RetireRequest{Thumbprint: thumbprint(cert)}); err != nil {
			t.Fatal(err)
		}
		if !a.details(t, id).Disabled {
			t.Error("the certificate is not disabled")
		}
		_, err := c.RenewCertificate(&certificate.RenewalRequest{CertificateDN: id})
		if want := "Certificate Renewal error: Certificate renew error. Certificate is disabled."; err == nil || err.Error() != want {
			t.Errorf("renewal: got %v, want %q", err, want)
		}
		again := serviceRequest("retired-lib.example.org")
		request(t, c, again)
		if now, _ := retrieve(t, c, again); now.Equal(cert) {
			t.Error("got the old certificate")
		}
		if a.details(t, id).Disabled {
			t.Error("the certificate is still disabled after it was requested again")
		}
	})
}
