package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// vcert runs the vendor's command against the server and answers what it printed
// on standard output. Its error holds what it printed otherwise.
func vcert(t *testing.T, s *server, action string, args ...string) (string, error) {
	t.Helper()
	out, _, err := vcertTalking(t, s, action, args...)
	return out, err
}

// vcertTalking is vcert that also answers what it had to say meanwhile.
func vcertTalking(t *testing.T, s *server, action string, args ...string) (out, said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, vcertCommand, append([]string{
		action, "-u", s.url, "--trust-bundle", s.ca, "--no-prompt"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	var printed, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &talk
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("vcert %s: %w\n%s%s", action, err, talk.Bytes(), printed.Bytes())
	}
	return printed.String(), talk.String(), err
}

func mustVcert(t *testing.T, s *server, action string, args ...string) string {
	t.Helper()
	out, err := vcert(t, s, action, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// credentials is what vcert getcred prints.
type credentials struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Expires      int64  `json:"expires"`
	Scope        string `json:"scope"`
}

func getcred(t *testing.T, s *server, args ...string) credentials {
	t.Helper()
	out := mustVcert(t, s, "getcred", append([]string{"--format", "json"}, args...)...)
	var c credentials
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("vcert getcred: %v in %s", err, out)
	}
	tokens.add(c.AccessToken, c.RefreshToken)
	return c
}

// commandToken logs alice in.
func commandToken(t *testing.T, s *server) string {
	t.Helper()
	return getcred(t, s, "--username", "alice", "--password", passwords["alice"]).AccessToken
}

// TestCommandCredentials follows a token from login to its end.
func TestCommandCredentials(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		first := getcred(t, s, "--username", "alice", "--password", passwords["alice"])
		if left := time.Until(time.Unix(first.Expires, 0)); left < time.Hour {
			t.Errorf("expires: got %v from now, want hours", left)
		}
		if want := "certificate:manage,revoke"; first.Scope != want {
			t.Errorf("scope: got %q, want %q", first.Scope, want)
		}
		about := mustVcert(t, s, "checkcred", "-t", first.AccessToken, "--format", "json")
		for _, want := range []string{`"vcert-cli"`, `"certificate:manage,revoke"`} {
			if !strings.Contains(about, want) {
				t.Errorf("checkcred: got %s, want %s in it", about, want)
			}
		}

		second := getcred(t, s, "-t", first.RefreshToken)
		refuses(t, s, "the access token that was refreshed", "checkcred", "-t", first.AccessToken)
		refuses(t, s, "a refresh token used twice", "getcred", "-t", first.RefreshToken)
		mustVcert(t, s, "checkcred", "-t", second.AccessToken)

		mustVcert(t, s, "voidcred", "-t", second.AccessToken)
		refuses(t, s, "a token that was voided", "checkcred", "-t", second.AccessToken)
		refuses(t, s, "the refresh token of a voided grant", "getcred", "-t", second.RefreshToken)
	})
}

// TestCommandRefusesLogin has wrong credentials turned away.
func TestCommandRefusesLogin(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		for name, args := range map[string][]string{
			"wrong password":      {"--username", "alice", "--password", "Wrong-of-the-tests-1"},
			"unknown user":        {"--username", "mallory", "--password", passwords["alice"]},
			"unknown application": {"--username", "alice", "--password", passwords["alice"], "--client-id", "nobody"},
			"too wide a scope":    {"--username", "alice", "--password", passwords["alice"], "--client-id", "reader", "--scope", "certificate:manage"},
		} {
			refuses(t, s, name, "getcred", args...)
		}
	})
}

var refusal = regexp.MustCompile(`(Status|Message): 40[0-3] `)

// refuses wants vcert to fail, and to fail because of the server's answer.
func refuses(t *testing.T, s *server, what, action string, args ...string) {
	t.Helper()
	out, err := vcert(t, s, action, args...)
	if err == nil {
		t.Errorf("%s: got %s, want it refused", what, out)
	} else if !refusal.MatchString(err.Error()) {
		t.Errorf("%s: got %v, want a status of 400 to 403", what, err)
	}
}

// TestCommandEnrolls has vcert get certificates in every way it knows, and openssl
// look at them.
func TestCommandEnrolls(t *testing.T) {
	cases := []struct {
		name      string
		zone      string
		password  string // of the private key
		args      []string
		algorithm string // as openssl prints it
	}{
		{"local RSA", "Shop", "", []string{"--key-type", "rsa", "--key-size", "3072"}, "(3072 bit)"},
		{"local P256", "Shop", "", []string{"--key-type", "ecdsa", "--key-curve", "p256"}, "NIST CURVE: P-256"},
		{"local P521", "Shop", "", []string{"--key-type", "ecdsa", "--key-curve", "p521"}, "NIST CURVE: P-521"},
		{"local under a locked curve", "Curves", "", []string{"--key-type", "ecdsa", "--key-curve", "p384"}, "NIST CURVE: P-384"},
		{"service RSA", "Shop", keyPassword, []string{"--csr", "service", "--key-type", "rsa", "--key-size", "2048"}, "(2048 bit)"},
		{"service RSA without a password", "Shop", "", []string{"--csr", "service", "--key-type", "rsa"}, "(2048 bit)"},
		{"service P384", "Shop", keyPassword, []string{"--csr", "service", "--key-type", "ecdsa", "--key-curve", "p384"}, "NIST CURVE: P-384"},
		{"service under a locked curve", "Curves", keyPassword, []string{"--csr", "service", "--key-type", "ecdsa", "--key-curve", "p384"}, "NIST CURVE: P-384"},
		{"root first", "Shop", "", []string{"--chain", "root-first", "--key-type", "ecdsa", "--key-curve", "p256"}, "NIST CURVE: P-256"},
	}
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				f, name := filesIn(t.TempDir()), fmt.Sprintf("enrol-%d.example.com", i)
				args := append([]string{"-t", token, "-z", c.zone, "--cn", name,
					"--san-dns", name, "--san-dns", "alt-" + name,
					"--cert-file", f.cert, "--key-file", f.key, "--chain-file", f.chain, "--pickup-id-file", f.id}, c.args...)
				if c.password != "" {
					args = append(args, "--key-password", c.password)
				}
				mustVcert(t, s, "enroll", args...)
				checkCert(t, s, f, name, name, "alt-"+name)
				checkKey(t, f, c.password)
				checkAlgorithm(t, f, c.algorithm)
				if want := `\VED\Policy\` + c.zone + `\` + name; readFile(t, f.id) != want {
					t.Errorf("pickup id: got %q, want %q", readFile(t, f.id), want)
				}
			})
		}
	})
}

// TestCommandEnrollsUsersRequest hands in a request made by openssl. Its key is not
// the kind that vcert says it is, which must not matter.
func TestCommandEnrollsUsersRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token, dir := commandToken(t, s), t.TempDir()
		f, csr := filesIn(dir), filepath.Join(dir, "csr.pem")
		openssl(t, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f.key, "-out", csr,
			"-subj", "/C=BE/L=Ghent/O=Acme/CN=own.example.com", "-addext", "subjectAltName=DNS:own.example.com")
		mustVcert(t, s, "enroll", "-t", token, "-z", "Shop", "--csr", "file:"+csr, "--cert-file", f.cert, "--chain-file", f.chain, "--pickup-id-file", f.id)
		checkCert(t, s, f, "own.example.com", "own.example.com")
		checkKey(t, f, "")
		if want := `\VED\Policy\Shop\own.example.com`; readFile(t, f.id) != want {
			t.Errorf("pickup id: got %q, want %q", readFile(t, f.id), want)
		}
	})
}

// TestCommandNamesObject gives the object a name of its own, and keeps the folder's
// values in the subject of a key the server made.
func TestCommandNamesObject(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		f := filesIn(t.TempDir())
		mustVcert(t, s, "enroll", "-t", commandToken(t, s), "-z", "Shop", "--nickname", "Till 7", "--cn", "till.example.com",
			"--csr", "service", "--key-password", keyPassword,
			"--cert-file", f.cert, "--key-file", f.key, "--chain-file", f.chain, "--pickup-id-file", f.id)
		checkCert(t, s, f, "till.example.com")
		if want := `\VED\Policy\Shop\Till 7`; readFile(t, f.id) != want {
			t.Errorf("pickup id: got %q, want %q", readFile(t, f.id), want)
		}
		subject := openssl(t, "x509", "-in", f.cert, "-noout", "-subject", "-nameopt", "multiline")
		for name, want := range map[string]string{"organizationName": "Acme", "localityName": "Ghent", "countryName": "BE"} {
			if got := line(subject, name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	})
}

// TestCommandPicksUp asks first and fetches later, by the id and by the file it is
// in. A key that the client kept is not asked of the server twice.
func TestCommandPicksUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		t.Run("service key by file", func(t *testing.T) {
			t.Parallel()
			f := filesIn(t.TempDir())
			mustVcert(t, s, "enroll", "-t", token, "-z", "Open", "--cn", "later.example.org", "--csr", "service", "--no-pickup", "--pickup-id-file", f.id)
			mustVcert(t, s, "pickup", "-t", token, "--pickup-id-file", f.id, "--timeout", "60",
				"--key-password", keyPassword, "--cert-file", f.cert, "--key-file", f.key, "--chain-file", f.chain)
			checkCert(t, s, f, "later.example.org")
			checkKey(t, f, keyPassword)
		})
		t.Run("local key by id", func(t *testing.T) {
			t.Parallel()
			f := filesIn(t.TempDir())
			mustVcert(t, s, "enroll", "-t", token, "-z", "Open", "--cn", "mine.example.org", "--no-pickup", "--pickup-id-file", f.id, "--key-file", f.key)
			mustVcert(t, s, "pickup", "-p", "tpp", "-t", token, "--pickup-id", readFile(t, f.id), "--timeout", "60", "--cert-file", f.cert, "--chain-file", f.chain)
			checkCert(t, s, f, "mine.example.org")
			checkKey(t, f, "")
		})
	})
}

// TestCommandWaits has the command wait for an authority that takes its time.
func TestCommandWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		f := filesIn(t.TempDir())
		mustVcert(t, s, "enroll", "-t", commandToken(t, s), "-z", "Slow", "--cn", "patience.example.org", "--timeout", "60",
			"--cert-file", f.cert, "--key-file", f.key, "--chain-file", f.chain, "--pickup-id-file", f.id)
		checkCert(t, s, f, "patience.example.org")
		checkKey(t, f, "")
	})
}

// TestCommandSaysWhatIsMissing reads the error a user would see; vcert takes it from
// the status line alone.
func TestCommandSaysWhatIsMissing(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		_, err := vcert(t, s, "pickup", "-p", "tpp", "-t", commandToken(t, s), "--pickup-id", `\VED\Policy\Shop\missing`)
		if err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("got %v, want that it does not exist", err)
		}
		_, err = vcert(t, s, "enroll", "-t", commandToken(t, s), "-z", "Nowhere", "--cn", "a.example.com")
		if err == nil || !strings.Contains(err.Error(), "zone not found") {
			t.Errorf("got %v, want that the zone is not found", err)
		}
	})
}

// TestCommandRenews renews by name and by thumbprint, with the key made here and
// with the key made there. Each time there is a new key.
func TestCommandRenews(t *testing.T) {
	cases := []struct {
		name, password string
		byThumbprint   bool
		enroll, renew  []string
	}{
		{"local by id", "", false, []string{"--key-type", "rsa"}, nil},
		{"local by thumbprint", "", true, []string{"--key-type", "ecdsa", "--key-curve", "p256"}, nil},
		{"service by id", keyPassword, false, []string{"--csr", "service"}, []string{"--csr", "service"}},
		{"service by thumbprint", keyPassword, true, []string{"--csr", "service"}, []string{"--csr", "service"}},
	}
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				old, now := filesIn(t.TempDir()), filesIn(t.TempDir())
				name := fmt.Sprintf("renew-%d.example.org", i)
				common := []string{"-t", token}
				if c.password != "" {
					common = append(common, "--key-password", c.password)
				}
				mustVcert(t, s, "enroll", args(common, c.enroll, old.flags(), "-z", "Open", "--cn", name, "--san-dns", name)...)
				checkCert(t, s, old, name, name)

				which := []string{"--id", readFile(t, old.id)}
				if c.byThumbprint {
					which = []string{"--thumbprint", "file:" + old.cert}
				}
				mustVcert(t, s, "renew", args(common, c.renew, now.flags(), which...)...)
				checkCert(t, s, now, name, name)
				checkKey(t, now, c.password)
				if serial(t, old.cert) == serial(t, now.cert) {
					t.Error("renewal gave the same serial number")
				}
				if publicKey(t, old.cert) == publicKey(t, now.cert) {
					t.Error("renewal gave the same key")
				}
				if got, want := readFile(t, now.id), readFile(t, old.id); got != want {
					t.Errorf("pickup id: got %q, want %q as before", got, want)
				}
			})
		}
	})
}

func (f files) flags() []string {
	return []string{"--cert-file", f.cert, "--key-file", f.key, "--chain-file", f.chain, "--pickup-id-file", f.id}
}

func args(a, b, c []string, more ...string) []string {
	return append(append(append(append([]string(nil), a...), b...), c...), more...)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
