package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certwright/certwright/internal/clm"
)

// The attributes of a subject that Names knows (RFC 5280, appendix A.1).
var (
	oidCommonName         = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidCountry            = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidLocality           = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidProvince           = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidOrganization       = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOrganizationalUnit = asn1.ObjectIdentifier{2, 5, 4, 11}
)

// The extension for alternative names (RFC 5280, section 4.2.1.6), and the user
// principal name, which is an otherName of Microsoft's.
var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidUPN            = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// The choices of GeneralName that Names knows (RFC 5280, section 4.2.1.6).
var (
	tagOther = tag.Tag(0).ContextSpecific().Constructed()
	tagEmail = tag.Tag(1).ContextSpecific()
	tagDNS   = tag.Tag(2).ContextSpecific()
	tagURI   = tag.Tag(6).ContextSpecific()
	tagIP    = tag.Tag(7).ContextSpecific()
)

// Subject encodes the subject, DER: country, province, locality, organization,
// the organizational units in their order, common name, each an RDN of its own;
// read backwards, as people do, the common name comes first. What is empty is
// left out. It fails with ErrBadName.
func Subject(n clm.Names) ([]byte, error) {
	var rdns pkix.RDNSequence
	var bad error
	add := func(oid asn1.ObjectIdentifier, values ...string) {
		for _, v := range values {
			if v == "" {
				continue
			}
			bad = errors.Join(bad, checkText(v))
			rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: v}})
		}
	}
	add(oidCountry, n.Country)
	add(oidProvince, n.Province)
	add(oidLocality, n.Locality)
	add(oidOrganization, n.Organization)
	add(oidOrganizationalUnit, n.OrganizationalUnit...)
	add(oidCommonName, n.CommonName)
	if bad != nil {
		return nil, bad
	}
	return asn1.Marshal(rdns)
}

// AlternativeNames encodes the extension with the alternative names. It is
// critical where there is no subject, as RFC 5280 demands in section 4.2.1.6; and
// there is none, and has is false, where there are no such names. It fails with
// ErrBadName.
func AlternativeNames(n clm.Names) (ext pkix.Extension, has bool, err error) {
	ips, err := parseIPs(n.IP)
	if err != nil {
		return pkix.Extension{}, false, err
	}
	ascii := []struct {
		tag    tag.Tag
		values []string
	}{{tagDNS, n.DNS}, {tagEmail, n.Email}, {tagURI, n.URI}}

	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, kind := range ascii {
			for _, v := range kind.values {
				err = errors.Join(err, checkASCII(v))
				b.AddASN1(kind.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(v)) })
			}
		}
		for _, ip := range ips {
			b.AddASN1(tagIP, func(b *cryptobyte.Builder) { b.AddBytes(ip.AsSlice()) })
		}
		for _, v := range n.UPN {
			err = errors.Join(err, checkText(v))
			b.AddASN1(tagOther, func(b *cryptobyte.Builder) { addUPN(b, v) })
		}
	})
	value, built := b.Bytes()
	if err = errors.Join(err, built); err != nil {
		return pkix.Extension{}, false, err
	}
	has = len(n.DNS)+len(n.Email)+len(n.URI)+len(n.IP)+len(n.UPN) > 0
	return pkix.Extension{Id: oidSubjectAltName, Critical: !hasSubject(n), Value: value}, has, nil
}

// ReadNames reads a subject, DER, and the alternative names among extensions.
// Of attributes that Names holds once, the last one counts, which stands nearest
// to the common name; what Names has no place for is passed over.
func ReadNames(subject []byte, extensions []pkix.Extension) (clm.Names, error) {
	var n clm.Names
	rdns, err := parseRDNs(subject)
	if err != nil {
		return n, err
	}
	once := map[string]*string{
		oidCommonName.String(): &n.CommonName, oidCountry.String(): &n.Country, oidLocality.String(): &n.Locality,
		oidProvince.String(): &n.Province, oidOrganization.String(): &n.Organization,
	}
	for _, rdn := range rdns {
		for _, a := range rdn {
			if a.Type.Equal(oidOrganizationalUnit) {
				n.OrganizationalUnit = append(n.OrganizationalUnit, a.text())
			} else if field := once[a.Type.String()]; field != nil {
				*field = a.text()
			}
		}
	}
	for _, ext := range extensions {
		if ext.Id.Equal(oidSubjectAltName) {
			if err := readAlternativeNames(&n, ext.Value); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func readAlternativeNames(n *clm.Names, der []byte) error {
	malformed := fmt.Errorf("%w: alternative names are malformed", ErrBadName)
	in := cryptobyte.String(der)
	var all cryptobyte.String
	if !in.ReadASN1(&all, tag.SEQUENCE) || !in.Empty() {
		return malformed
	}
	for !all.Empty() {
		var value cryptobyte.String
		var kind tag.Tag
		if !all.ReadAnyASN1(&value, &kind) {
			return malformed
		}
		switch kind {
		case tagDNS:
			n.DNS = append(n.DNS, string(value))
		case tagEmail:
			n.Email = append(n.Email, string(value))
		case tagURI:
			n.URI = append(n.URI, string(value))
		case tagIP:
			ip, ok := netip.AddrFromSlice(value)
			if !ok {
				return malformed
			}
			n.IP = append(n.IP, ip.String())
		case tagOther:
			if upn, ok := readUPN(value); ok {
				n.UPN = append(n.UPN, upn)
			}
		}
	}
	return nil
}

// addUPN adds the content of an otherName: the kind of name and, in a wrapping
// of its own, the name.
func addUPN(b *cryptobyte.Builder, upn string) {
	b.AddASN1ObjectIdentifier(oidUPN)
	b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(tag.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(upn)) })
	})
}

func readUPN(other cryptobyte.String) (upn string, ok bool) {
	var oid asn1.ObjectIdentifier
	var wrapped, value cryptobyte.String
	var kind tag.Tag
	ok = other.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidUPN) &&
		other.ReadASN1(&wrapped, tag.Tag(0).ContextSpecific().Constructed()) &&
		wrapped.ReadAnyASN1(&value, &kind) &&
		(kind == tag.UTF8String || kind == tag.IA5String || kind == tag.PrintableString) && utf8.Valid(value)
	return string(value), ok
}

func parseIPs(texts []string) ([]netip.Addr, error) {
	ips := make([]netip.Addr, 0, len(texts))
	for _, text := range texts {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return nil, fmt.Errorf("%w: %q is not an IP address", ErrBadName, text)
		}
		ips = append(ips, ip.Unmap())
	}
	return ips, nil
}

func hasSubject(n clm.Names) bool {
	return n.CommonName+n.Organization+n.Locality+n.Province+n.Country+strings.Join(n.OrganizationalUnit, "") != ""
}

// checkAll applies the checks of encoding to names that were read.
func checkAll(n clm.Names) error {
	if _, err := Subject(n); err != nil {
		return err
	}
	_, _, err := AlternativeNames(n)
	return err
}

// checkText refuses what is no text, and control characters: they have no place
// in a name and can make one look like another.
func checkText(s string) error {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%w: %q", ErrBadName, s)
	}
	return nil
}

// checkASCII does so for names that must be of ASCII characters. International
// domain names must be given in their ASCII form.
func checkASCII(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return fmt.Errorf("%w: %q is not ASCII", ErrBadName, s)
	}
	return checkText(s)
}
