package pki

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
)

// attributeNames are the short names of attributes as .NET prints them; S is the
// state. Others are printed as OID.1.2.3.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S",
	"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.13": "Description",
	"2.5.4.17": "PostalCode", "2.5.4.18": "POBox", "2.5.4.20": "Phone", "2.5.4.42": "G", "2.5.4.43": "I",
	"2.5.4.46": "dnQualifier", "1.2.840.113549.1.9.1": "E", "0.9.2342.19200300.100.1.25": "DC",
}

// quoted are the characters for which .NET puts a value in quotes.
const quoted = ",+=\"\n<>#;"

// attribute is an AttributeTypeAndValue (RFC 5280, section 4.1.2.4).
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// rdnSET is a RelativeDistinguishedName. Its name tells encoding/asn1 that it is a SET.
type rdnSET []attribute

func parseRDNs(der []byte) ([]rdnSET, error) {
	var rdns []rdnSET
	rest, err := asn1.Unmarshal(der, &rdns)
	if err == nil && len(rest) > 0 {
		err = errors.New("trailing bytes")
	}
	return rdns, err
}

// FormatName prints a name, DER, as .NET does: the last RDN first, the parts of
// an RDN joined by " + ", quotes where they are needed. What is no name is printed
// as # and its bytes in hex.
func FormatName(der []byte) string {
	rdns, err := parseRDNs(der)
	if err != nil {
		return asHex(der)
	}
	parts := make([]string, len(rdns))
	for i, rdn := range rdns {
		texts := make([]string, len(rdn))
		for j, a := range rdn {
			texts[j] = a.name() + "=" + a.quoted()
		}
		parts[len(rdns)-1-i] = strings.Join(texts, " + ")
	}
	return strings.Join(parts, ", ")
}

func (a attribute) name() string {
	if name, ok := attributeNames[a.Type.String()]; ok {
		return name
	}
	return "OID." + a.Type.String()
}

// text is the value as text; a value that is none is # and its bytes in hex.
func (a attribute) text() string {
	if text, ok := a.asText(); ok {
		return text
	}
	return asHex(a.Value.FullBytes)
}

// quoted is the value as it is printed. A # without quotes begins a value that
// is not text.
func (a attribute) quoted() string {
	if text, ok := a.asText(); ok {
		return quote(text)
	}
	return asHex(a.Value.FullBytes)
}

func (a attribute) asText() (text string, ok bool) {
	var value any
	if _, err := asn1.Unmarshal(a.Value.FullBytes, &value); err != nil {
		return "", false
	}
	text, ok = value.(string)
	return text, ok
}

func asHex(b []byte) string { return "#" + strings.ToUpper(hex.EncodeToString(b)) }

// quote puts value in quotes if it needs them, doubling those inside.
func quote(value string) string {
	if value != "" && value == strings.Trim(value, " \t\r\n\v\f") && !strings.ContainsAny(value, quoted) {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}
