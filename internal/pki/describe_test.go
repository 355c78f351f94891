package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
)

// Everything that a certificate says is found, in the forms that clients compare.
func TestCertificateFacts(t *testing.T) {
	root := newCert{names: clm.Names{CommonName: "Root", Organization: "Venafi, Inc."}, key: eccKey(), isCA: true,
		edit: func(c *x509.Certificate) { c.SubjectKeyId = []byte{0x0a, 0xbc} }}.make(t)
	key := rsaKey()
	cert := newCert{names: fullNames, key: key, issuer: root, by: eccKey(), serial: big.NewInt(0x0f00ff),
		edit: func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3, 4}}
			c.IssuingCertificateURL = []string{"http://ca/root.crt", "ldap:///cn=root"}
			c.CRLDistributionPoints = []string{"http://ca/root.crl", "ldap:///cn=crl"}
			c.SubjectKeyId = []byte{1, 2, 0xff}
		}}.make(t)
	want := Details{
		Subject: `CN=www.example.com, OU=Quality Assurance, OU=Engineering, O="Venafi, Inc.", L=Zürich, S=Utah, C=US`,
		Issuer:  `CN=Root, O="Venafi, Inc."`,
		Identity: Identity{
			Names: fullNames, Serial: "0F00FF", Thumbprint: Thumbprint(cert.Raw),
			NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, KeyHash: PublicKeyHash(key.Public()),
		},
		Key:                   KeySpec{Algorithm: clm.RSA, Bits: 2048},
		SignatureAlgorithm:    "sha256ECDSA",
		SignatureAlgorithmOID: "1.2.840.10045.4.3.2",
		KeyUsage:              "KeyEncipherment, DigitalSignature",
		EnhancedKeyUsage:      []string{"Client Authentication(1.3.6.1.5.5.7.3.2)", "Server Authentication(1.3.6.1.5.5.7.3.1)", "(1.2.3.4)"},
		AIAIssuers:            []string{"0:http://ca/root.crt", "1:ldap:///cn=root"},
		CRLs:                  []string{"0::False:http://ca/root.crl", "1::False:ldap:///cn=crl"},
		SubjectKeyID:          "0102FF",
		AuthorityKeyID:        "0ABC",
	}
	if diff := cmp.Diff(want, Describe(cert)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A certificate without extensions has empty facts, not made-up ones.
func TestFactsOfABareCertificate(t *testing.T) {
	got := Describe(newCert{names: clm.Names{CommonName: "x"}, key: eccKey(), edit: func(c *x509.Certificate) { c.BasicConstraintsValid = false }}.make(t))
	if got.KeyUsage != "" || got.EnhancedKeyUsage != nil || got.AIAIssuers != nil || got.CRLs != nil || got.AuthorityKeyID != "" {
		t.Errorf("got %+v", got)
	}
}

// Serials are whole octets: the zero octet that DER puts before a high bit is no
// part of the number, a leading zero nibble is.
func TestSerials(t *testing.T) {
	for want, n := range map[string]*big.Int{
		"01":                 big.NewInt(1),
		"0A":                 big.NewInt(10),
		"80":                 big.NewInt(0x80),
		"FF01":               big.NewInt(0xff01),
		"0100":               big.NewInt(0x100),
		"F00000000000000001": new(big.Int).Add(new(big.Int).Lsh(big.NewInt(0xf0), 64), big.NewInt(1)),
	} {
		t.Run(want, func(t *testing.T) {
			if got := Serial(newCert{names: clm.Names{CommonName: "x"}, key: eccKey(), serial: n}.make(t)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if got := Serial(&x509.Certificate{SerialNumber: new(big.Int)}); got != "00" {
		t.Errorf("got %q, want 00", got)
	}
}

// The order of usages is that of their values in .NET.
func TestKeyUsageOrder(t *testing.T) {
	all := x509.KeyUsageDecipherOnly<<1 - 1
	want := "EncipherOnly, CrlSign, KeyCertSign, KeyAgreement, DataEncipherment, KeyEncipherment, NonRepudiation, DigitalSignature, DecipherOnly"
	if got := formatKeyUsage(all); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Signature algorithms have the names by which Windows knows them. (SHA-1, with
// which Go signs no more, is among what openssl signs below.)
func TestSignatureAlgorithmNames(t *testing.T) {
	for want, c := range map[string]struct {
		key KeySpec
		alg x509.SignatureAlgorithm
	}{
		"sha256RSA":   {specs[1], x509.SHA256WithRSA},
		"sha384RSA":   {specs[1], x509.SHA384WithRSA},
		"sha512RSA":   {specs[1], x509.SHA512WithRSA},
		"RSASSA-PSS":  {specs[1], x509.SHA256WithRSAPSS},
		"sha256ECDSA": {specs[2], x509.ECDSAWithSHA256},
		"sha384ECDSA": {specs[3], x509.ECDSAWithSHA384},
		"sha512ECDSA": {specs[4], x509.ECDSAWithSHA512},
	} {
		t.Run(want, func(t *testing.T) {
			cert := newCert{names: clm.Names{CommonName: "x"}, key: testKeys()[c.key],
				edit: func(tmpl *x509.Certificate) { tmpl.SignatureAlgorithm = c.alg }}.make(t)
			if got := Describe(cert).SignatureAlgorithm; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	if got := nameOr(signatureNames, "1.2.3"); got != "1.2.3" {
		t.Errorf("unknown algorithm: got %q, want its OID", got)
	}
	if got := signatureOID([]byte("no certificate")); got != "" {
		t.Errorf("no certificate: got %q, want nothing", got)
	}
}

// Of a certificate that openssl made, we say what openssl says.
func TestFactsAgreeWithOpenssl(t *testing.T) {
	t.Parallel()
	der, err := MarshalKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	key := inFile(t, []byte(asPEM("PRIVATE KEY", der)))
	for digest, want := range map[string]string{"-sha1": "sha1RSA", "-sha256": "sha256RSA", "-sha512": "sha512RSA"} {
		text := openssl(t, nil, "req", "-x509", "-key", key, digest,
			"-set_serial", "0x00f1e2d3c4b5a69788", "-utf8",
			"-subj", "/DC=com/DC=venafi/O=Venafi, Inc./OU=a+CN=b \"c\"/emailAddress=web@example.com/serialNumber=7")
		block, _ := pem.Decode([]byte(text))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		got := Describe(cert)
		if want := `SERIALNUMBER=7, E=web@example.com, OU=a + CN="b ""c""", O="Venafi, Inc.", DC=venafi, DC=com`; got.Subject != want {
			t.Errorf("subject:\ngot  %s\nwant %s", got.Subject, want)
		}
		if got.SignatureAlgorithm != want {
			t.Errorf("signature: got %s, want %s", got.SignatureAlgorithm, want)
		}
		out := openssl(t, []byte(text), "x509", "-noout", "-serial", "-fingerprint", "-sha1", "-ext", "subjectKeyIdentifier")
		said := strings.FieldsFunc(strings.ReplaceAll(out, ":", ""), func(r rune) bool { return strings.ContainsRune("= \n", r) })
		for what, value := range map[string]string{"serial": got.Serial, "thumbprint": got.Thumbprint, "key id": got.SubjectKeyID} {
			if !slices.Contains(said, value) {
				t.Errorf("%s %s is not what openssl says:\n%s", what, value, out)
			}
		}
	}
}

// The names of a certificate without a usable subject are those that can be read.
func TestNamesThatCannotBeReadStayEmpty(t *testing.T) {
	cert := &x509.Certificate{
		RawSubject: []byte{1}, RawIssuer: []byte{2}, SerialNumber: big.NewInt(1),
		Extensions: []pkix.Extension{{Id: oidExtKeyUsage, Value: []byte{9}}},
	}
	got := Describe(cert)
	if got.Subject != "#01" || got.Issuer != "#02" || got.EnhancedKeyUsage != nil || got.Names.CommonName != "" {
		t.Errorf("got %+v", got)
	}
}
