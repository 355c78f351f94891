package pki

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/certwright/certwright/internal/clm"
)

// mangled are the forms in which clients send a request.
var mangled = map[string]func(der []byte) string{
	"PEM":                        func(der []byte) string { return asPEM("CERTIFICATE REQUEST", der) },
	"PEM with NEW in the header": func(der []byte) string { return asPEM("NEW CERTIFICATE REQUEST", der) },
	"CRLF":                       func(der []byte) string { return replaced(der, "\n", "\r\n") },
	"CR only":                    func(der []byte) string { return replaced(der, "\n", "\r") },
	`\n spelled out`:             func(der []byte) string { return replaced(der, "\n", `\n`) },
	`\r\n spelled out`:           func(der []byte) string { return replaced(der, "\n", `\r\n`) },
	`\n spelled out and real`:    func(der []byte) string { return replaced(der, "\n", "\\n\n") },
	"no line ends at all":        func(der []byte) string { return replaced(der, "\n", "") },
	"blanks for line ends":       func(der []byte) string { return replaced(der, "\n", " ") },
	"doubled line ends":          func(der []byte) string { return replaced(der, "\n", "\n\n") },
	"indented":                   func(der []byte) string { return "  " + replaced(der, "\n", "\n\t  ") },
	"no padding":                 func(der []byte) string { return replaced(der, "=", "") },
	"footer lost": func(der []byte) string {
		text, _, _ := strings.Cut(asPEM("CERTIFICATE REQUEST", der), "-----END")
		return text
	},
	"text around it": func(der []byte) string {
		return "Certificate Request:\n    Data:\n" + asPEM("CERTIFICATE REQUEST", der) + "\nregards\n"
	},
	"another block before it": func(der []byte) string {
		return asPEM("EC PARAMETERS", []byte{6, 8, 42}) + asPEM("CERTIFICATE REQUEST", der)
	},
	"byte order mark":      func(der []byte) string { return "\ufeff" + base64.StdEncoding.EncodeToString(der) },
	"bare base64":          base64.StdEncoding.EncodeToString,
	"bare base64, no pad":  base64.RawStdEncoding.EncodeToString,
	"bare base64 in lines": func(der []byte) string { return inLines(base64.StdEncoding.EncodeToString(der)) },
}

func asPEM(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func replaced(der []byte, old, with string) string {
	return strings.ReplaceAll(asPEM("CERTIFICATE REQUEST", der), old, with)
}

func inLines(s string) string {
	var b strings.Builder
	for line := range slices.Chunk([]byte(s), 76) {
		fmt.Fprintf(&b, "%s\r\n", line)
	}
	return b.String()
}

// Every form that clients send brings the same bytes.
func TestEveryFormIsRead(t *testing.T) {
	for spec, key := range testKeys() {
		der, err := CreateCSR(fullNames, key)
		if err != nil {
			t.Fatal(err)
		}
		for form, mangle := range mangled {
			t.Run(spec.String()+", "+form, func(t *testing.T) {
				csr, err := ParseCSR(mangle(der))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(csr.DER, der) {
					t.Error("other bytes came out")
				}
			})
		}
	}
}

// Whatever names are put into a request, and whatever a client does to its text,
// the same request with the same names comes out.
func TestAnyRequestInAnyFormIsRead(t *testing.T) {
	forms := slices.Sorted(maps.Keys(mangled))
	rapid.Check(t, func(t *rapid.T) {
		names := anyNames.Draw(t, "names")
		key := testKeys()[rapid.SampledFrom(specs).Draw(t, "key")]
		form := rapid.SampledFrom(forms).Draw(t, "form")
		der, err := CreateCSR(names, key)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := ParseCSR(mangled[form](der))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(csr.DER, der) {
			t.Fatal("other bytes came out")
		}
		if diff := cmp.Diff(names, csr.Names, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("names (-want +got):\n%s", diff)
		}
		if csr.Key != SpecOf(key.Public()) {
			t.Fatalf("key: got %v, want %v", csr.Key, SpecOf(key.Public()))
		}
	})
}

// anyNames draws names that can be encoded.
var anyNames = rapid.Custom(func(t *rapid.T) clm.Names {
	text := rapid.StringMatching(`[A-Za-z0-9äß世 .,+="#;<>*&'\\/@_-]{0,30}`)
	list := func(name, pattern string) []string {
		return rapid.SliceOfN(rapid.StringMatching(pattern), 0, 3).Draw(t, name)
	}
	return clm.Names{
		CommonName:         text.Draw(t, "CN"),
		Organization:       text.Draw(t, "O"),
		OrganizationalUnit: list("OU", `[A-Za-z, é]{1,20}`),
		Locality:           text.Draw(t, "L"),
		Province:           text.Draw(t, "S"),
		Country:            rapid.StringMatching(`([A-Z][A-Z])?`).Draw(t, "C"),
		DNS:                list("DNS", `(\*\.)?[a-z0-9-]{1,20}\.(com|example)`),
		Email:              list("Email", `[a-z.]{1,10}@[a-z]{1,10}\.org`),
		IP:                 list("IP", `10\.[1-9]\.[1-9][0-9]\.7|2001:db8::[1-9a-f]`),
		URI:                list("URI", `https://[a-z]{1,9}/[a-z]{0,5}|urn:[a-z]{3}:x`),
		UPN:                list("UPN", `[a-zé]{1,10}@[a-z]{1,10}`),
	}
})

// JSON from a client that escapes twice still brings a request.
func TestRequestEscapedTwiceInJSON(t *testing.T) {
	der := mustCSR(t)
	once, err := json.Marshal(asPEM("CERTIFICATE REQUEST", der))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseCSR(strings.Trim(string(once), `"`)); err != nil {
		t.Error(err)
	}
}

// No text makes ParseCSR panic, and what it accepts it accepts again from its own DER.
func FuzzParseCSR(f *testing.F) {
	der := mustCSR(f)
	for _, mangle := range mangled {
		f.Add(mangle(der))
	}
	f.Add(asPEM("CERTIFICATE REQUEST", der[:40]))
	f.Add("-----BEGIN")
	f.Fuzz(func(t *testing.T, text string) {
		csr, err := ParseCSR(text)
		if err != nil {
			for _, kind := range []error{ErrTooLarge, ErrNotBase64, ErrNotCSR, ErrUnsupportedKey, ErrBadSignature} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		again, err := ParseCSR(base64.StdEncoding.EncodeToString(csr.DER))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(csr.Names, again.Names); diff != "" {
			t.Fatal(diff)
		}
	})
}
