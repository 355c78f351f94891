package embedded

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// maxCommonName is ub-common-name.
const maxCommonName = 64

// parts are the values of a subject with the greatest length that each may have,
// in characters (RFC 5280, appendix A.1).
var parts = []struct {
	name   string
	length int
	of     func(*clm.Names) *string
}{
	{"common name", maxCommonName, func(n *clm.Names) *string { return &n.CommonName }},
	{"organization", 64, func(n *clm.Names) *string { return &n.Organization }},
	{"locality", 128, func(n *clm.Names) *string { return &n.Locality }},
	{"state or province", 128, func(n *clm.Names) *string { return &n.Province }},
}

// maxUnit is ub-organizational-unit-name.
const maxUnit = 64

// alternatives are the kinds of alternative names, each with what a name must
// look like and with the form in which names that mean the same are equal.
var alternatives = []struct {
	name  string
	of    func(*clm.Names) *[]string
	check func(string) error
	fold  func(string) string
}{
	{"DNS name", func(n *clm.Names) *[]string { return &n.DNS }, checkDNS, strings.ToLower},
	{"e-mail address", func(n *clm.Names) *[]string { return &n.Email }, checkEmail, strings.ToLower},
	{"IP address", func(n *clm.Names) *[]string { return &n.IP }, checkIP, foldIP},
	{"URI", func(n *clm.Names) *[]string { return &n.URI }, checkURI, func(s string) string { return s }},
	{"user principal name", func(n *clm.Names) *[]string { return &n.UPN }, checkUPN, strings.ToLower},
}

// encodeNames writes the subject and the extension of alternative names; the
// latter is the zero Extension where there are none.
func encodeNames(n clm.Names) (subject []byte, san pkix.Extension, err error) {
	if n, err = tidy(n); err != nil {
		return nil, san, err
	}
	if subject, err = pki.Subject(n); err != nil {
		return nil, san, err
	}
	ext, has, err := pki.AlternativeNames(n)
	switch {
	case err != nil:
		return nil, san, err
	case has:
		return subject, ext, nil
	case len(subject) == len(emptySubject):
		return nil, san, errors.New("no name is given")
	}
	return subject, san, nil
}

// emptySubject is the DER of a subject without any part.
var emptySubject = []byte{0x30, 0}

// withCommonName returns the names with the common name among the alternative
// names where it is a host name or an address: that is where TLS clients look.
// It comes first, so that it is there letter for letter (BR 7.1.4.3). A host name
// too long for a common name stays among the alternative names only. In a
// certificate for clients a name without a dot is rather a person's.
func withCommonName(n clm.Names, p profile) clm.Names {
	cn := strings.TrimSpace(n.CommonName)
	switch {
	case isAddress(cn):
		n.IP = append([]string{cn}, n.IP...)
	case checkDNS(cn) == nil && (p.serves || strings.Contains(cn, ".")):
		n.DNS = append([]string{cn}, n.DNS...)
		if len(cn) > maxCommonName {
			n.CommonName = ""
		}
	}
	return n
}

// tidy returns the names as a certificate can hold them, or what it cannot hold.
// Blanks around a value do not count, and a value without anything else is left
// out. Names keep their order and their case; of alternative names that mean the
// same the first one stays. The country is written in capitals.
func tidy(n clm.Names) (clm.Names, error) {
	for _, p := range parts {
		value := p.of(&n)
		*value = strings.TrimSpace(*value)
		if err := checkText(*value, p.length); err != nil {
			return n, fmt.Errorf("%s %q %w", p.name, *value, err)
		}
	}
	n.Country = strings.ToUpper(strings.TrimSpace(n.Country))
	if n.Country != "" && !isCountry(n.Country) {
		return n, fmt.Errorf("country %q is not a code of two letters", n.Country)
	}
	n.OrganizationalUnit = distinct(n.OrganizationalUnit, func(s string) string { return s })
	for _, unit := range n.OrganizationalUnit {
		if err := checkText(unit, maxUnit); err != nil {
			return n, fmt.Errorf("organizational unit %q %w", unit, err)
		}
	}
	for _, a := range alternatives {
		values := a.of(&n)
		*values = distinct(*values, a.fold)
		for _, value := range *values {
			if err := a.check(value); err != nil {
				return n, fmt.Errorf("%s %q %w", a.name, value, err)
			}
		}
	}
	return n, nil
}

// distinct returns the values without the blanks around them, without empty ones
// and, of those that fold to the same, the first only.
func distinct(values []string, fold func(string) string) []string {
	var kept []string
	seen := map[string]bool{"": true}
	for _, v := range values {
		v = strings.TrimSpace(v)
		if key := fold(v); !seen[key] {
			seen[key] = true
			kept = append(kept, v)
		}
	}
	return kept
}

// checkText refuses what the text of a name cannot be.
func checkText(s string, length int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	case n > length:
		return fmt.Errorf("has %d characters; at most %d are allowed", n, length)
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("has a control character in it")
	}
	return nil
}

// isCountry reports whether s has the form of a country code of ISO 3166-1.
func isCountry(s string) bool { return len(s) == 2 && isLetter(s[0]) && isLetter(s[1]) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isAddress reports whether s is an IP address that can stand in a certificate.
func isAddress(s string) bool { return checkIP(s) == nil }

// foldIP makes equal what is the same address in another notation.
func foldIP(s string) string {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return ip.Unmap().String()
}
