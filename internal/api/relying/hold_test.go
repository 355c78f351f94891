package relying

import (
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// OpenSSL finds a certificate that is on hold in the list, with that reason, and gets the
// same from the responder; once it is off hold the one does not name it, and the other
// calls it good.
func TestOpenSSLSeesHolds(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s, dir := newSite(t, d, core.ECDSACA), t.TempDir()
		for name, der := range map[string][]byte{"leaf": s.cert.Raw, "issuer": s.issuer.Raw, "root": s.place.Chain[1]} {
			if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		status := func() string {
			out, _ := openssl(t, dir, "ocsp", "-sha256", "-issuer", "issuer", "-cert", "leaf", "-url", s.cert.OCSPServer[0], "-CAfile", "root", "-no_nonce")
			return out
		}
		list := func() string {
			der := s.send("GET", s.cert.CRLDistributionPoints[0], nil).body
			if err := os.WriteFile(filepath.Join(dir, "list"), der, 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := openssl(t, dir, "crl", "-inform", "DER", "-in", "list", "-noout", "-text")
			return out
		}
		eventually := func(what string, is func(out string) bool) {
			t.Helper()
			for deadline := time.Now().Add(patience); ; {
				out := list()
				if is(out) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: %s", what, out)
				}
			}
		}
		isHeld := func(out string) bool {
			return strings.Contains(out, "Serial Number: "+s.place.Version.Serial) && strings.Contains(out, "Certificate Hold")
		}
		hold := core.Hold{Record: &core.RecordRef{ID: core.RecordID(s.place.Version)}, Reason: "lost laptop"}
		change := func(do func(context.Context, clm.Actor, core.Hold) (core.RevokeAccepted, error)) {
			t.Helper()
			if _, err := do(context.Background(), s.Admin, hold); err != nil {
				t.Fatal(err)
			}
		}

		if out := status(); !strings.Contains(out, "leaf: good") {
			t.Errorf("before: %s", out)
		}
		for range 2 {
			change(s.Suspend)
			if out := status(); !strings.Contains(out, "leaf: revoked") || !strings.Contains(out, "Reason: certificateHold") {
				t.Errorf("on hold: %s", out)
			}
			eventually("on hold", isHeld)
			change(s.Reinstate)
			if out := status(); !strings.Contains(out, "leaf: good") || !strings.Contains(out, "Response verify OK") {
				t.Errorf("off hold: %s", out)
			}
			eventually("off hold", func(out string) bool {
				return strings.Contains(out, "No Revoked Certificates") && !strings.Contains(out, "Certificate Hold")
			})
		}
		if out, ok := openssl(t, dir, "verify", "-crl_download", "-crl_check", "-CAfile", "root", "-untrusted", "issuer", "leaf"); !ok {
			t.Errorf("off hold: %s", out)
		}
		change(s.Suspend)
		s.revoke()
		eventually("revoked", func(out string) bool {
			return strings.Contains(out, "Superseded") && !strings.Contains(out, "Certificate Hold")
		})
	})
}
