package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
