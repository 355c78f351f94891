package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
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

// fullNames uses everything that Names has.
var fullNames = clm.Names{
	CommonName:         "www.example.com",
	Organization:       "Venafi, Inc.",
	OrganizationalUnit: []string{"Engineering", "Quality Assurance"},
	Locality:           "Zürich",
	Province:           "Utah",
	Country:            "US",
	DNS:                []string{"www.example.com", "*.example.com"},
	Email:              []string{"web@example.com"},
	IP:                 []string{"192.0.2.1", "2001:db8::1"},
	URI:                []string{"https://example.com/a?b=c", "spiffe://example.com/x"},
	UPN:                []string{"jürgen@example.com"},
}

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

// The caller can tell what was wrong, because clients are told different things.
func TestBadRequestsAreToldApart(t *testing.T) {
	good := mustCSR(t)
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	cert := newCert{names: fullNames, key: eccKey()}.make(t)
	key, err := MarshalKey(eccKey())
	if err != nil {
		t.Fatal(err)
	}
	urlSafe := base64.URLEncoding.EncodeToString(append([]byte{0xfb, 0xff}, good...))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                          {"", ErrNotBase64},
		"blanks":                           {" \n", ErrNotBase64},
		"prose":                            {"please, a certificate!", ErrNotBase64},
		"header without a body":            {"-----BEGIN CERTIFICATE REQUEST----------END CERTIFICATE REQUEST-----", ErrNotBase64},
		"garbage in the body":              {"-----BEGIN CERTIFICATE REQUEST-----\n%%%\n-----END CERTIFICATE REQUEST-----", ErrNotBase64},
		"base64 for URLs":                  {urlSafe, ErrNotBase64},
		"base64 of something else":         {"aGVsbG8gd29ybGQ=", ErrNotCSR},
		"a certificate":                    {asPEM("CERTIFICATE", cert.Raw), ErrNotCSR},
		"a private key":                    {asPEM("PRIVATE KEY", key), ErrNotCSR},
		"a certificate that says it is it": {asPEM("CERTIFICATE REQUEST", cert.Raw), ErrNotCSR},
		"cut off":                          {asPEM("CERTIFICATE REQUEST", good[:len(good)-9]), ErrNotCSR},
		"something appended":               {asPEM("CERTIFICATE REQUEST", append(slices.Clone(good), 0)), ErrNotCSR},
		"signature changed":                {asPEM("CERTIFICATE REQUEST", forged), ErrBadSignature},
		"too large":                        {strings.Repeat("A", MaxCSRSize+1), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			csr, err := ParseCSR(c.text)
			if !errors.Is(err, c.want) || csr != nil {
				t.Errorf("got %v, %v, want %v", csr, err, c.want)
			}
		})
	}
}

// A request whose names were changed after it was signed is refused.
func TestChangedNamesBreakTheSignature(t *testing.T) {
	der := mustCSR(t)
	evil := []byte(strings.ReplaceAll(string(der), "www.example.com", "www.examp1e.com"))
	if slices.Equal(der, evil) {
		t.Fatal("nothing was changed")
	}
	if _, err := ParseCSRDER(evil); !errors.Is(err, ErrBadSignature) {
		t.Errorf("got %v, want %v", err, ErrBadSignature)
	}
}

// A name with a control character in it can look like another, so a request for
// it is refused although its encoding and its signature are right.
func TestRequestsForDeceptiveNames(t *testing.T) {
	for name, template := range map[string]*x509.CertificateRequest{
		"common name": {Subject: pkix.Name{CommonName: "good.example\x00.evil.example"}},
		"DNS name":    {DNSNames: []string{"good.example\x00.evil.example"}},
		"empty name":  {DNSNames: []string{""}},
		"unit":        {Subject: pkix.Name{OrganizationalUnit: []string{"a\nb"}}},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := x509.CreateCertificateRequest(rand.Reader, template, eccKey())
			if err != nil {
				t.Fatal(err)
			}
			if csr, err := ParseCSRDER(der); !errors.Is(err, ErrNotCSR) {
				t.Errorf("got %+v, %v, want %v", csr, err, ErrNotCSR)
			}
		})
	}
}

// Keys that no certificate can be managed for are refused as such.
func TestRequestsWithUnsupportedKeys(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for name, key := range map[string]any{"P224": p224, "Ed25519": ed} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = asPEM("CERTIFICATE REQUEST", der)
	}
	for name, args := range map[string][]string{
		"secp256k1":       {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"},
		"brainpoolP256r1": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
		"Ed448":           {"-newkey", "ed448"},
		"RSA 512":         {"-newkey", "rsa:512"},
	} {
		texts[name] = openssl(t, nil, append([]string{"req", "-new", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"}, args...)...)
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseCSR(text); !errors.Is(err, ErrUnsupportedKey) {
				t.Errorf("got %v, want %v", err, ErrUnsupportedKey)
			}
		})
	}
}

// openssl finds in our requests the names that we put there, and the signature true.
func TestOpensslReadsOurRequests(t *testing.T) {
	for spec, key := range testKeys() {
		t.Run(spec.String(), func(t *testing.T) {
			der, err := CreateCSR(fullNames, key)
			if err != nil {
				t.Fatal(err)
			}
			out := openssl(t, []byte(asPEM("CERTIFICATE REQUEST", der)), "req", "-verify", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus")
			for _, want := range []string{
				"verify OK",
				"Subject: C=US,ST=Utah,L=Zürich,O=Venafi, Inc.,OU=Engineering,OU=Quality Assurance,CN=www.example.com",
				"DNS:www.example.com, DNS:*.example.com, email:web@example.com, URI:https://example.com/a?b=c",
				"IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1",
				"othername: UPN::j",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing from:\n%s", want, out)
				}
			}
		})
	}
}

// We find in openssl's requests the names that were put there.
func TestWeReadOpensslsRequests(t *testing.T) {
	config := inFile(t, []byte(`
[req]
distinguished_name = name
req_extensions = ext
prompt = no
utf8 = yes
[name]
C = US
ST = Utah
L = Zürich
O = Venafi, Inc.
1.OU = Engineering
2.OU = Quality Assurance
emailAddress = ignored@example.com
CN = www.example.com
[ext]
keyUsage = digitalSignature
subjectAltName = @san
[san]
DNS.1 = www.example.com
DNS.2 = *.example.com
email = web@example.com
IP.1 = 192.0.2.1
IP.2 = 2001:db8::1
URI.1 = https://example.com/a?b=c
URI.2 = spiffe://example.com/x
RID = 1.2.3.4
dirName = name
otherName.1 = 1.3.6.1.4.1.311.20.2.3;FORMAT:UTF8,UTF8:jürgen@example.com
otherName.2 = 1.2.3.4;UTF8:ignored
`))
	for _, kind := range []string{"rsa:2048", "ec:" + inFile(t, []byte(openssl(t, nil, "ecparam", "-name", "prime256v1")))} {
		text := openssl(t, nil, "req", "-new", "-newkey", kind, "-nodes", "-keyout", "/dev/null", "-config", config, "-utf8")
		csr, err := ParseCSR(text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, text)
		}
		if diff := cmp.Diff(fullNames, csr.Names); diff != "" {
			t.Errorf("%s: names (-want +got):\n%s", kind, diff)
		}
	}
}

func mustCSR(t testing.TB) []byte {
	t.Helper()
	der, err := CreateCSR(fullNames, eccKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
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
