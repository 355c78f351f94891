package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// one makes an RDN of one attribute.
func one(oid asn1.ObjectIdentifier, value any) pkix.RelativeDistinguishedNameSET {
	return pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}}
}

// Names are printed as Windows administrators know them.
func TestNamesArePrintedAsDotNETDoes(t *testing.T) {
	dc := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	mail := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	ia5 := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(s)} }
	for want, rdns := range map[string]pkix.RDNSequence{
		``:                         {},
		`CN=a, O=b`:                {one(oidOrganization, "b"), one(oidCommonName, "a")},
		`S=Utah, C=US`:             {one(oidCountry, "US"), one(oidProvince, "Utah")},
		`CN=CA, DC=venafi, DC=com`: {one(dc, ia5("com")), one(dc, ia5("venafi")), one(oidCommonName, "CA")},
		`E=web@example.com, CN=a`:  {one(oidCommonName, "a"), one(mail, ia5("web@example.com"))},
		`CN=a + OU=b, O=c`:         {one(oidOrganization, "c"), {{Type: oidCommonName, Value: "a"}, {Type: oidOrganizationalUnit, Value: "b"}}},
		`OID.1.2.3=x`:              {one(unknown, "x")},
		`OID.1.2.3=#020107`:        {one(unknown, 7)},
		`CN=ä世`:                    {one(oidCommonName, "ä世")},
		`O="Venafi, Inc."`:         {one(oidOrganization, "Venafi, Inc.")},
		`O="say ""hi"""`:           {one(oidOrganization, `say "hi"`)},
		`O="a+b"`:                  {one(oidOrganization, "a+b")},
		`O="a=b"`:                  {one(oidOrganization, "a=b")},
		`O="a;b"`:                  {one(oidOrganization, "a;b")},
		`O="<a>"`:                  {one(oidOrganization, "<a>")},
		`O="a#b"`:                  {one(oidOrganization, "a#b")},
		`O=" a"`:                   {one(oidOrganization, " a")},
		`O="a "`:                   {one(oidOrganization, "a ")},
		`O=""`:                     {one(oidOrganization, "")},
		"O=\"a\nb\"":               {one(oidOrganization, "a\nb")},
		`O=a\b`:                    {one(oidOrganization, `a\b`)},
		`O=a/b's: (c) @ d`:         {one(oidOrganization, "a/b's: (c) @ d")},
	} {
		t.Run(want, func(t *testing.T) {
			der, err := asn1.Marshal(rdns)
			if err != nil {
				t.Fatal(err)
			}
			if got := FormatName(der); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// The subject that was recorded from a real server prints as it did there.
func TestRecordedSubject(t *testing.T) {
	der, err := Subject(clm.Names{
		CommonName: "certafi-bonjo.venafi.com", OrganizationalUnit: []string{"Engineering", "Quality Assurance"},
		Organization: "Venafi, Inc.", Locality: "SLC", Province: "Utah", Country: "US",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `CN=certafi-bonjo.venafi.com, OU=Quality Assurance, OU=Engineering, O="Venafi, Inc.", L=SLC, S=Utah, C=US`
	if got := FormatName(der); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Printing a name never fails, whatever the bytes.
func FuzzFormatName(f *testing.F) {
	der, err := Subject(fullNames)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		got := FormatName(der)
		if _, err := parseRDNs(der); (err != nil) != strings.HasPrefix(got, "#") {
			t.Errorf("got %q for %x, which is a name or not: %v", got, der, err)
		}
	})
}
