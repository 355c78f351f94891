package e2e

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/venafi/tpp"
)

// opensslReasons are the client's names of reasons with those that openssl prints.
var opensslReasons = map[string]string{
	"none": "", "key-compromise": "Key Compromise", "ca-compromise": "CA Compromise", "affiliation-changed": "Affiliation Changed",
	"superseded": "Superseded", "cessation-of-operation": "Cessation Of Operation",
}

// TestCommandRevokes revokes for every reason, by name and by thumbprint, and twice;
// openssl looks at the list and asks the responder that the certificate names.
func TestCommandRevokes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		for reason, listed := range opensslReasons {
			t.Run(reason, func(t *testing.T) {
				t.Parallel()
				name := "revoked-" + reason + ".example.org"
				f, dn := filesIn(t.TempDir()), `\VED\Policy\Open\`+name
				mustVcert(t, s, "enroll", args([]string{"-t", token, "-z", "Open", "--cn", name, "--key-type", "ecdsa"}, f.flags(), nil)...)
				if got := ocspStatus(t, f); got != "good" {
					t.Errorf("before: the responder says %s", got)
				}
				by := []string{"--id", dn, "--no-retire"}
				if reason == "superseded" {
					by = []string{"--thumbprint", "file:" + f.cert}
				}
				for range 2 {
					mustVcert(t, s, "revoke", args([]string{"-p", "tpp", "-t", token, "--reason", reason, "--comments", "on purpose"}, by, nil)...)
				}
				if got := ocspStatus(t, f); got != "revoked" {
					t.Errorf("after: the responder says %s", got)
				}
				number := strings.TrimPrefix(serial(t, f.cert), "serial=")
				within(t, readyWithin, "the list names the certificate", func() bool { return strings.Contains(crl(t, f), "Serial Number: "+number) })
				_, entry, _ := strings.Cut(crl(t, f), "Serial Number: "+number)
				entry, _, _ = strings.Cut(entry, "Serial Number: ")
				if has := strings.Contains(entry, "Reason Code"); has != (listed != "") || !strings.Contains(entry, listed) {
					t.Errorf("got the entry %s, want reason %q", entry, listed)
				}
				verify := exec.Command("openssl", "verify", "-crl_check", "-CAfile", s.ca, "-untrusted", f.chain, "-CRLfile", crlFile(t, f), f.cert)
				if said, err := verify.CombinedOutput(); err == nil || !strings.Contains(string(said), "certificate revoked") {
					t.Errorf("openssl verify: got %v, %s, want that the certificate is revoked", err, said)
				}
			})
		}
	})
}

// TestCommandRevokesAndRetires does what the command does unless told otherwise: the
// object gets no other certificate.
func TestCommandRevokesAndRetires(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token, a := commandToken(t, s), login(t, s, "alice")
		const name = "revoked-retired.example.org"
		f, dn := filesIn(t.TempDir()), `\VED\Policy\Open\`+name
		mustVcert(t, s, "enroll", args([]string{"-t", token, "-z", "Open", "--cn", name, "--key-type", "ecdsa"}, f.flags(), nil)...)
		mustVcert(t, s, "revoke", "-p", "tpp", "-t", token, "--id", dn)
		if !a.details(t, dn).Disabled {
			t.Error("the certificate is not disabled")
		}
		refuses(t, s, "Unexpected status code on TPP Certificate Revocation. Status: 400 Certificate does not exist.", "revoke", "-p", "tpp", "-t", token, "--id", dn+"x")
	})
}

// TestLibraryResets calls what cert-manager calls before each of its requests.
func TestLibraryResets(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c := connect(t, s, "alice", "Open")
		r := serviceRequest("reset-lib.example.org")
		if err := c.ResetCertificate(r, false); !errors.As(err, new(*tpp.ErrCertNotFound)) {
			t.Errorf("before the first request: got %v, want that there is none", err)
		}
		request(t, c, r)
		first, _ := retrieve(t, c, r)
		for _, restart := range []bool{false, true} {
			if err := c.ResetCertificate(r, restart); err != nil {
				t.Errorf("with nothing to reset, restart %t: %v", restart, err)
			}
		}
		if now, _ := retrieve(t, c, r); !now.Equal(first) {
			t.Error("a reset of what needs none has changed the certificate")
		}
		if _, err := c.RevokeCertificate(&certificate.RevocationRequest{Thumbprint: thumbprint(first), Reason: "superseded"}); err != nil {
			t.Fatal(err)
		}
		if err := c.ResetCertificate(r, true); err != nil {
			t.Fatal(err)
		}
		within(t, readyWithin, "the restarted work brings another certificate", func() bool {
			got, err := c.RetrieveCertificate(r)
			if err != nil {
				return false
			}
			now, err := parseCert(got.Certificate)
			return err == nil && !now.Equal(first)
		})
	})
}

// ocspStatus is what the responder says that the certificate names.
func ocspStatus(t *testing.T, f files) string {
	t.Helper()
	url := strings.TrimSpace(openssl(t, "x509", "-in", f.cert, "-noout", "-ocsp_uri"))
	issuer := filepath.Join(t.TempDir(), "issuer.pem")
	first, _, _ := strings.Cut(readFile(t, f.chain), "-----END CERTIFICATE-----")
	if err := os.WriteFile(issuer, []byte(first+"-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := openssl(t, "ocsp", "-issuer", issuer, "-cert", f.cert, "-url", url, "-CAfile", f.chain, "-partial_chain", "-no_nonce")
	if !strings.Contains(said, "Response verify OK") {
		t.Errorf("the responder's answer is not accepted: %s", said)
	}
	_, status, _ := strings.Cut(said, f.cert+": ")
	status, _, _ = strings.Cut(status, "\n")
	return status
}

var crlURL = regexp.MustCompile(`URI:(http://\S+\.crl)`)

// crlFile fetches the revocation list that the certificate names.
func crlFile(t *testing.T, f files) string {
	t.Helper()
	found := crlURL.FindStringSubmatch(openssl(t, "x509", "-in", f.cert, "-noout", "-ext", "crlDistributionPoints"))
	if found == nil {
		t.Fatal("the certificate names no revocation list")
	}
	response, err := http.Get(found[1])
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	list, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "list.crl")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// crl is the list as openssl prints it.
func crl(t *testing.T, f files) string {
	t.Helper()
	return openssl(t, "crl", "-inform", "DER", "-in", crlFile(t, f), "-noout", "-text")
}
