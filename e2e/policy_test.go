package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// specification is what vcert calls a policy specification, as JSON that can be
// compared.
type specification = map[string]any

// specifications are set and read back. What of one vcert does not tell again, or tells
// otherwise, stands in told.
var specifications = []struct {
	name string
	file string // what it is called: vcert goes by the ending
	set  string
	told string
}{
	{"RSA", "rsa.json", `{
		"policy": {
			"domains": ["example.com", "example.org"], "wildcardAllowed": false, "autoInstalled": false,
			"keyPair": {"keyTypes": ["RSA"], "rsaKeySizes": [3072], "serviceGenerated": false, "reuseAllowed": false}
		},
		"defaults": {"subject": {"org": "Acme", "orgUnits": ["Web", "Ops"], "locality": "Ghent", "state": "East Flanders", "country": "BE"}}
	}`, `{
		"policy": {
			"domains": ["example.com", "example.org"], "wildcardAllowed": false, "autoInstalled": false,
			"certificateAuthority": "\\VED\\Policy\\CAs\\Default",
			"keyPair": {"keyTypes": ["RSA"], "rsaKeySizes": [3072], "serviceGenerated": false, "reuseAllowed": false},
			"subjectAltNames": {"dnsAllowed": true, "emailAllowed": true, "ipAllowed": true, "upnAllowed": true, "uriAllowed": true}
		},
		"defaults": {"subject": {"org": "Acme", "orgUnits": ["Web", "Ops"], "locality": "Ghent", "state": "East Flanders", "country": "BE"}}
	}`},
	{"ECDSA", "ecdsa.yaml", `
policy:
  domains: [example.com]
  wildcardAllowed: true
  autoInstalled: false
  keyPair:
    keyTypes: [ECDSA]
    ellipticCurves: [P384]
    generationType: true
    reuseAllowed: false
`, `{
		"policy": {
			"domains": ["example.com"], "wildcardAllowed": true, "autoInstalled": false,
			"certificateAuthority": "\\VED\\Policy\\CAs\\Default",
			"keyPair": {"keyTypes": ["ECC"], "ellipticCurves": ["P384"], "serviceGenerated": true, "reuseAllowed": false},
			"subjectAltNames": {"dnsAllowed": true, "emailAllowed": true, "ipAllowed": true, "upnAllowed": true, "uriAllowed": true}
		}
	}`},
	{"everything", "everything.json", `{
		"users": ["bob"], "approvers": ["alice"],
		"policy": {
			"wildcardAllowed": true, "autoInstalled": true, "domains": ["example.com"], "certificateAuthority": "\\VED\\Policy\\CAs\\Curves",
			"subject": {"orgs": ["Acme"], "orgUnits": ["DevOps", "QA"], "localities": ["Ghent"], "states": ["East Flanders"], "countries": ["BE"]},
			"keyPair": {"keyTypes": ["RSA"], "rsaKeySizes": [4096], "ellipticCurves": ["P521"], "serviceGenerated": true, "reuseAllowed": true},
			"subjectAltNames": {"dnsAllowed": false, "ipAllowed": false, "emailAllowed": false, "uriAllowed": false, "upnAllowed": false}
		},
		"defaults": {
			"autoInstalled": true, "domain": "example.com",
			"subject": {"org": "Acme", "orgUnits": ["DevOps", "QA"], "locality": "Ghent", "state": "East Flanders", "country": "BE"},
			"keyPair": {"keyType": "RSA", "rsaKeySize": 4096}
		}
	}`, `{
		"users": ["bob"],
		"policy": {
			"wildcardAllowed": true, "autoInstalled": true, "domains": ["example.com"], "certificateAuthority": "\\VED\\Policy\\CAs\\Curves",
			"subject": {"orgs": ["Acme"], "orgUnits": ["DevOps", "QA"], "localities": ["Ghent"], "states": ["East Flanders"], "countries": ["BE"]},
			"keyPair": {"keyTypes": ["RSA"], "rsaKeySizes": [4096], "serviceGenerated": true, "reuseAllowed": true},
			"subjectAltNames": {"dnsAllowed": false, "ipAllowed": false, "emailAllowed": false, "uriAllowed": false, "upnAllowed": false}
		}
	}`},
}

// TestCommandSetsPolicy has vcert write policy specifications to folders that are not
// there, write them again, and read them.
func TestCommandSetsPolicy(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := getcred(t, s, "--username", "admin", "--password", passwords["admin"], "--scope", "certificate:manage;configuration:manage").AccessToken
		for _, c := range specifications {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				spec, told := filepath.Join(dir, c.file), filepath.Join(dir, "told.json")
				if err := os.WriteFile(spec, []byte(c.set), 0o600); err != nil {
					t.Fatal(err)
				}
				zone := `Specified ` + c.name
				for range 2 {
					vcertPolicy(t, s, "setpolicy", "-t", token, "-z", zone, "--file", spec)
					vcertPolicy(t, s, "getpolicy", "-t", token, "-z", zone, "--file", told)
					var got, want specification
					for text, into := range map[string]*specification{readFile(t, told): &got, c.told: &want} {
						if err := json.Unmarshal([]byte(text), into); err != nil {
							t.Fatal(err)
						}
					}
					equal(t, "the specification", got, want)
				}
			})
		}
	})
}

// vcertPolicy is mustVcert for the actions that never prompt.
func vcertPolicy(t *testing.T, s *server, action string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, vcertCommand, append([]string{action, "-u", s.url, "--trust-bundle", s.ca}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vcert %s: %v\n%s", action, err, said)
	}
}
