package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A playbook with a certificate in three places. Its access token is dead, so that
// vcert has to get another one, and writes that into the file.
const playbookText = `
config:
  connection:
    platform: tpp
    url: %s
    trustBundle: %s
    credentials: {accessToken: "bm8gc3VjaCB0b2tlbg==", refreshToken: "%s", clientId: vcert-cli}
certificateTasks:
  - name: till
    renewBefore: 10d
    request:
      csr: %s
      subject: {commonName: %[5]s}
      dnsNames: [%[5]s]
      zone: Open
    installations:
      - {format: PEM, file: %[6]s/cert.pem, chainFile: %[6]s/chain.pem, keyFile: %[6]s/key.pem, keyPassword: %[7]s}
      - {format: PKCS12, file: %[6]s/all.p12, p12Password: %[7]s}
      - {format: JKS, file: %[6]s/all.jks, jksAlias: till, jksPassword: %[7]s}
`

var playbookTokens = regexp.MustCompile(`(?:access|refresh)Token: "?([^"\s,}]+)`)

// TestCommandRunsPlaybook lets vcert look after a certificate on its own: it renews
// its token, enrols, installs, leaves alone what is young, and enrols again when it
// is told to.
func TestCommandRunsPlaybook(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		for _, origin := range []string{"local", "service"} {
			t.Run(origin, func(t *testing.T) {
				t.Parallel()
				dir, name := t.TempDir(), "playbook-"+origin+".example.org"
				grant := getcred(t, s, "--username", "alice", "--password", passwords["alice"])
				playbook := writeFile(t, filepath.Join(dir, "playbook.yaml"),
					fmt.Appendf(nil, playbookText, s.url, s.ca, grant.RefreshToken, origin, name, dir, keyPassword))
				run := func(more ...string) files {
					t.Helper()
					cmd := exec.CommandContext(t.Context(), vcertCommand, append([]string{"run", "-f", playbook}, more...)...)
					cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("vcert run: %v\n%s", err, out)
					}
					for _, token := range playbookTokens.FindAllStringSubmatch(readFile(t, playbook), -1) {
						tokens.add(token[1])
					}
					return filesIn(dir)
				}
				f := run()
				if strings.Contains(readFile(t, playbook), grant.RefreshToken) {
					t.Error("the playbook still has the old refresh token")
				}
				checkCert(t, s, f, name, name)
				checkKey(t, f, keyPassword)
				first := serial(t, f.cert)
				for kind, unpacked := range map[string]files{
					"PKCS 12": unpackPKCS12(t, filepath.Join(dir, "all.p12"), keyPassword),
					"JKS":     javaStore{filepath.Join(dir, "all.jks"), "till", keyPassword, keyPassword}.unpack(t),
				} {
					checkKey(t, unpacked, "")
					checkChain(t, unpacked)
					if got := serial(t, unpacked.cert); got != first {
						t.Errorf("%s: got the certificate %s, want %s", kind, got, first)
					}
				}
				if got := serial(t, run().cert); got != first {
					t.Errorf("got %s, want the young certificate %s left alone", got, first)
				}
				if got := serial(t, run("--force-renew").cert); got == first {
					t.Errorf("got %s again, want another", got)
				}
				checkKey(t, f, keyPassword)
			})
		}
	})
}
