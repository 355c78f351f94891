package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

const (
	sshTemplate = "E2E Users"
	sshFolder   = `\VED\Policy\SSH`
)

// sshServer runs a server that has a template for SSH certificates, which alice may use.
func sshServer(t *testing.T, kind string) *server {
	t.Helper()
	if kind == "postgres" {
		need(t, coretest.StartPostgres())
	}
	s, err := newServer(t.TempDir(), kind)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := coretest.Database{Address: filepath.Join(s.dir, "certwright.db"), Dir: s.dir}
	if kind == "postgres" {
		d.Address = s.args[len(s.args)-1]
	}
	prepareSSH(t, coretest.New(t, d, coretest.Options{Idle: true}))
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.running {
			s.kill()
		}
		s.showLog(t)
	})
	return s
}

// prepareSSH makes the key pair, the template and the folder.
func prepareSSH(t *testing.T, r *coretest.Rig) {
	t.Helper()
	defer r.Stop()
	ctx, pair := context.Background(), core.SSHKeyPairsDN+`\E2E`
	if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "alice", Password: secret.NewString(passwords["alice"])}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutSSHKeyPair(ctx, r.Admin, core.PutSSHKeyPair{DN: pair, Algorithm: "ED25519"}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []core.Put{
		{DN: sshFolder, Class: clm.Folder, Rights: map[string]clm.Rights{"alice": clm.Read | clm.Write | clm.Create | clm.KeyRead}},
		{
			DN: core.SSHTemplatesDN + `\` + sshTemplate, Class: clm.SSHTemplate, Rights: map[string]clm.Rights{"alice": clm.Read | clm.Create},
			Own: map[clm.Attr][]string{
				clm.SSHSigner: {pair}, clm.SSHFolder: {sshFolder}, clm.SSHMaxValidity: {"8h"}, clm.SSHPrincipals: {"ops", "deploy"}, clm.SSHOwnPrincipals: {"1"}, clm.KeyAlgorithm: {"ED25519"},
			},
		},
	} {
		if _, err := r.Put(ctx, r.Admin, p); err != nil {
			t.Fatal(err)
		}
	}
}

// sshVcert runs the vendor's command in a folder of its own, in which it writes its
// files. sshgetconfig has no --no-prompt.
func sshVcert(t *testing.T, s *server, dir, action string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if action != "sshgetconfig" {
		args = append(args, "--no-prompt")
	}
	cmd := exec.CommandContext(ctx, vcertCommand, append([]string{action, "-u", s.url, "--trust-bundle", s.ca}, args...)...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("vcert %s: %v\n%s", action, err, out)
	}
	return string(out)
}

func sshKeygen(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ssh-keygen", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// says wants ssh-keygen to find all this in a certificate.
func says(t *testing.T, cert string, wanted ...string) {
	t.Helper()
	out := sshKeygen(t, "-L", "-f", cert)
	for _, want := range wanted {
		if !strings.Contains(out, want) {
			t.Errorf("ssh-keygen does not say %q:\n%s", want, out)
		}
	}
}

// fits wants the private key to be that of the public key.
func fits(t *testing.T, private, passphrase, public string) {
	t.Helper()
	got := strings.Fields(sshKeygen(t, "-y", "-P", passphrase, "-f", private))
	want := strings.Fields(readFile(t, public))
	if len(got) < 2 || len(want) < 2 || got[1] != want[1] {
		t.Errorf("the private key is that of %v, want %v", got, want)
	}
}

// TestCommandSSH has vcert get SSH certificates in every way it knows, and ssh-keygen
// look at them.
func TestCommandSSH(t *testing.T) {
	_, err := exec.LookPath("ssh-keygen")
	need(t, err)
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := sshServer(t, kind)
			token := getcred(t, s, "--username", "alice", "--password", passwords["alice"], "--scope", "ssh:manage").AccessToken
			ca := filepath.Join(t.TempDir(), "ca.pub")
			config := sshVcert(t, s, filepath.Dir(ca), "sshgetconfig", "-t", token, "--template", sshTemplate, "--file", ca)
			for _, want := range []string{"ssh-ed25519 ", "Principals:\nops\ndeploy\n"} {
				if !strings.Contains(config, want) {
					t.Errorf("got %s, want %q in it", config, want)
				}
			}
			// The command cannot do without a token, servers that are to trust the CA can.
			query := "?DN=" + url.QueryEscape(core.SSHTemplatesDN+`\`+sshTemplate)
			got, err := newAPI(t, s).get("vedsdk/SSHCertificates/Template/Retrieve/PublicKeyData" + query)
			if err != nil || string(got.Body) != readFile(t, ca) {
				t.Errorf("without a token: got %v, %v, want %s", got, err, readFile(t, ca))
			}
			fingerprint := strings.Fields(sshKeygen(t, "-l", "-f", ca))[1]

			t.Run("local", func(t *testing.T) {
				dir := t.TempDir()
				sshVcert(t, s, dir, "sshenroll", "-t", token, "--template", sshTemplate, "--id", "local1", "--principal", "alice", "--principal", "bob", "--valid-hours", "4",
					"--public-key", "local", "--extension", "permit-pty", "--extension", "login@github.com:alice", "--source-address", "192.168.1.0/24", "--force-command", "/bin/true", "--destination-address", "db1")
				says(t, dir+"/local1-cert.pub", "ssh-rsa-cert-v01@openssh.com user certificate", `Key ID: "local1"`, fingerprint, "alice\n", "bob\n", "permit-pty\n", "login@github.com", "source-address 192.168.1.0/24", "force-command /bin/true")
				fits(t, dir+"/local1", "", dir+"/local1.pub")
			})
			t.Run("own", func(t *testing.T) {
				dir := t.TempDir()
				sshKeygen(t, "-q", "-t", "ecdsa", "-N", "", "-C", "alice@laptop", "-f", dir+"/id")
				sshVcert(t, s, dir, "sshenroll", "-t", token, "--template", sshTemplate, "--id", "own1", "--public-key", "file:"+dir+"/id.pub")
				says(t, dir+"/own1-cert.pub", "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ops\n", "deploy\n", fingerprint)
			})
			t.Run("without an id", func(t *testing.T) {
				dir := t.TempDir()
				sshVcert(t, s, dir, "sshenroll", "-t", token, "--template", sshTemplate, "--public-key", "local", "--file", "here")
				says(t, dir+"/here-cert.pub", `Key ID: "ssh-`)
			})
			t.Run("service", func(t *testing.T) {
				dir, later := t.TempDir(), t.TempDir()
				sshVcert(t, s, dir, "sshenroll", "-t", token, "--template", sshTemplate, "--id", "service1", "--public-key", "service", "--key-passphrase", keyPassword, "--folder", sshFolder)
				says(t, dir+"/service1-cert.pub", "ssh-ed25519-cert-v01@openssh.com", fingerprint)
				fits(t, dir+"/service1", keyPassword, dir+"/service1.pub")
				if err := exec.Command("ssh-keygen", "-y", "-P", "", "-f", dir+"/service1").Run(); err == nil {
					t.Error("the private key is not encrypted")
				}
				sshVcert(t, s, later, "sshpickup", "-t", token, "--pickup-id", sshFolder+`\service1`, "--key-passphrase", keyPassword)
				if readFile(t, later+"/service1-cert.pub") != readFile(t, dir+"/service1-cert.pub") {
					t.Error("another certificate was picked up")
				}
				fits(t, later+"/service1", keyPassword, dir+"/service1.pub")
			})
			t.Run("refused", func(t *testing.T) {
				_, err := vcert(t, s, "sshenroll", "-t", token, "--template", sshTemplate, "--id", "no", "--public-key", "local", "--source-address", "test.com")
				if err == nil || !strings.Contains(err.Error(), "Source address 'test.com' is not an IP address or network") {
					t.Errorf("got %v, want that the address is none", err)
				}
				_, err = vcert(t, s, "sshenroll", "-t", token, "--template", "Nothing", "--id", "no", "--public-key", "local")
				if err == nil || !strings.Contains(err.Error(), "Template was not found") {
					t.Errorf("got %v, want that there is no such template", err)
				}
			})
			if got, err := newAPI(t, s).get("vedsdk/sshcertificates/template/available"); err != nil || got.Status != http.StatusUnauthorized {
				t.Errorf("without a token: got %v, %v", got, err)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			if err := s.leaks(); err != nil {
				t.Error(err)
			}
		})
	}
}
