package tpp

import (
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// Every kind in which a use case of the vault or of credentials fails has a code with
// a name; a fault of ours has none.
func TestSecretsHaveACodeForEveryFailure(t *testing.T) {
	for name, of := range map[string]struct {
		results *results
		kinds   []clm.Kind
		fields  map[clm.Kind][]string
	}{
		"vault": {secretResults, core.VaultKinds, map[clm.Kind][]string{
			clm.NotFound: {"", "vault-id", "fact", "dissociate", "certificate"}, clm.Unsupported: {"delete", "owner", "kind", "fact", "dissociate"},
			clm.Invalid: {"dn", "keyname", "kind", "vault-type", "size", "format", "vault-id"}, clm.Denied: {"", "vault-id"},
		}},
		"credentials": {credentialResults, core.CredentialKinds, map[clm.Kind][]string{
			clm.NotFound: {"", "parent", "vault-id"}, clm.Unsupported: {"class", "kind", "secret", "content", "object", "place", "below"},
			clm.Invalid: {"dn", "name", "length", "depth", "parent", "keyname", "size", "pattern"},
		}},
	} {
		for _, kind := range of.kinds {
			for _, field := range append([]string{""}, of.fields[kind]...) {
				if kind == clm.Unsupported && field == "" {
					continue
				}
				code, ok := of.results.code(clm.Fail(kind, field, ""))
				if ok == (kind == clm.Internal) || ok && of.results.names[code] == "" {
					t.Errorf("%s: %s %q has the code %d, %v", name, kind, field, code, ok)
				}
			}
		}
	}
}

// Base64 is read however clients write it, and nothing else is.
func TestFromBase64(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "aGVsbG8=": "hello", "aGVsbG8": "hello", "aGVs\r\nbG8=\n": "hello", " aGVs bG8 ": "hello", "_-8=": "\xff\xef", "/+8": "\xff\xef",
	} {
		if got, err := fromBase64([]byte(text)); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"not base64!", "aGVsbG8-!", "a", "aGVs=bG8="} {
		if got, err := fromBase64([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
