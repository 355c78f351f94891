package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
)

// What cannot stand in a certificate is refused before a CA sees it.
func TestImpossibleNamesAreRefused(t *testing.T) {
	for name, names := range map[string]clm.Names{
		"NUL in the common name":          {CommonName: "good.example.com\x00.evil.com"},
		"line end in the organization":    {Organization: "a\nb"},
		"not UTF-8":                       {Locality: "Z\xfcrich"},
		"NUL in a DNS name":               {DNS: []string{"good.example.com\x00.evil.com"}},
		"empty DNS name":                  {DNS: []string{""}},
		"DNS name not ASCII":              {DNS: []string{"zürich.example"}},
		"mail address not ASCII":          {Email: []string{"jürgen@example.com"}},
		"URI that none can parse":         {URI: []string{"https://[::1"}},
		"URI not ASCII":                   {URI: []string{"https://zürich.example"}},
		"IP address that is none":         {IP: []string{"192.0.2.256"}},
		"IP network":                      {IP: []string{"192.0.2.0/24"}},
		"IP address with a zone":          {IP: []string{"fe80::1%eth0"}},
		"UPN not UTF-8":                   {UPN: []string{"j\xfcrgen"}},
		"one bad name among many":         {DNS: []string{"a.example", "b.example", "c\t.example"}},
		"control character of UTF-8 (C1)": {CommonName: "a\u0085b"},
	} {
		t.Run(name, func(t *testing.T) {
			if der, err := CreateCSR(names, eccKey()); !errors.Is(err, ErrBadName) {
				t.Errorf("got %x, %v, want %v", der, err, ErrBadName)
			}
		})
	}
}

// Names with nothing in them make a request without a subject and without the
// extension.
func TestNoNames(t *testing.T) {
	der, err := CreateCSR(clm.Names{OrganizationalUnit: []string{""}}, eccKey())
	if err != nil {
		t.Fatal(err)
	}
	csr, err := ParseCSRDER(der)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clm.Names{}, csr.Names); diff != "" {
		t.Error(diff)
	}
	if _, has, err := AlternativeNames(clm.Names{CommonName: "x"}); has || err != nil {
		t.Errorf("got %v, %v, want no extension", has, err)
	}
}

// The extension is critical exactly where the subject is empty.
func TestAlternativeNamesAreCriticalWithoutSubject(t *testing.T) {
	dns := []string{"a.example"}
	for name, c := range map[string]struct {
		names clm.Names
		want  bool
	}{
		"no subject":    {clm.Names{DNS: dns}, true},
		"an empty unit": {clm.Names{DNS: dns, OrganizationalUnit: []string{""}}, true},
		"common name":   {clm.Names{DNS: dns, CommonName: "a"}, false},
		"a unit":        {clm.Names{DNS: dns, OrganizationalUnit: []string{"a"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ext, has, err := AlternativeNames(c.names)
			if err != nil || !has || ext.Critical != c.want {
				t.Errorf("got critical %v, has %v, %v, want critical %v", ext.Critical, has, err, c.want)
			}
		})
	}
}

// A string is of the narrowest type that holds it: some old software reads no
// UTF8String, and RFC 5280 wants the country as PrintableString.
func TestSubjectStringTypes(t *testing.T) {
	der, err := Subject(clm.Names{Country: "CH", Locality: "Zürich", CommonName: "*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	rdns, err := parseRDNs(der)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, rdn := range rdns {
		got = append(got, rdn[0].Value.Tag)
	}
	if want := []int{asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagUTF8String}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// An address that is IPv4 in IPv6 clothes is written as IPv4.
func TestMappedAddressIsIPv4(t *testing.T) {
	ext, _, err := AlternativeNames(clm.Names{IP: []string{"::ffff:192.0.2.1", "2001:DB8:0::1"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := ReadNames([]byte{0x30, 0}, []pkix.Extension{ext})
	if want := []string{"192.0.2.1", "2001:db8::1"}; err != nil || !slices.Equal(n.IP, want) {
		t.Errorf("got %v, %v, want %v", n.IP, err, want)
	}
}

// Alternative names that are no such thing are refused, never half read as right.
func TestMalformedAlternativeNames(t *testing.T) {
	for name, value := range map[string][]byte{
		"nothing":             {},
		"no sequence":         {0x04, 0},
		"trailing bytes":      {0x30, 0, 0},
		"cut off":             {0x30, 5, 0x82, 9, 'a'},
		"address of 5 octets": {0x30, 7, 0x87, 5, 1, 2, 3, 4, 5},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadNames([]byte{0x30, 0}, []pkix.Extension{{Id: oidSubjectAltName, Value: value}})
			if !errors.Is(err, ErrBadName) {
				t.Errorf("got %v, want %v", err, ErrBadName)
			}
		})
	}
}

// Where a subject has an attribute several times, the one next to the end counts.
func TestLastOfRepeatedAttributesCounts(t *testing.T) {
	der, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: oidOrganization, Value: "outer"}}, {{Type: oidOrganizationalUnit, Value: "one"}, {Type: oidOrganizationalUnit, Value: "two"}},
		{{Type: oidOrganization, Value: "inner"}}, {{Type: oidOrganizationalUnit, Value: "three"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadNames(der, nil)
	want := clm.Names{Organization: "inner", OrganizationalUnit: []string{"one", "two", "three"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
