package avx

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// csrParameters say what a signing request that is made here is to say. What is empty is
// left to policy.
type csrParameters struct {
	CommonName              lenient.String
	Organization            lenient.String
	OrganizationUnit        lenient.StringList
	Locality                lenient.String
	State                   lenient.String
	Country                 lenient.String
	HashFunction            lenient.String
	KeyType                 lenient.String
	BitLength               lenient.String
	CertificateCategories   lenient.StringList
	SubjectAlternativeNames lenient.StringList
	EnhancedSANTypes        alternatives
}

// alternatives are alternative names by their kinds.
type alternatives struct {
	DNSNames                   lenient.StringList
	IPAddresses                lenient.StringList
	RFC822Names                lenient.StringList
	UniformResourceIdentifiers lenient.StringList
	OtherNames                 lenient.StringList
	DirectoryNames             lenient.StringList
	RegisteredIDs              lenient.StringList
}

// hashes are the hash functions that may be asked for. Which one a certificate is signed
// with is the business of its CA.
var hashes = []string{"", "SHA160", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3224", "SHA3256"}

// keyTypes are the kinds of keys that are made here; DSA is not among them.
var keyTypes = map[string]string{"": "", "RSA": clm.RSA, "EC": clm.ECC, "ECC": clm.ECC, "ECDSA": clm.ECC}

// curves are the curves by their size.
var curves = map[string]string{"": "", "256": clm.P256, "384": clm.P384, "521": clm.P521}

// write writes what is asked for, or says which member makes no sense.
func (p *csrParameters) write(want *core.Request) *failure {
	want.Names = clm.Names{
		CommonName: p.CommonName.Trimmed(), Organization: p.Organization.Trimmed(), OrganizationalUnit: trimmed(p.OrganizationUnit),
		Locality: p.Locality.Trimmed(), Province: p.State.Trimmed(), Country: p.Country.Trimmed(),
	}
	if want.Names.CommonName == "" || !isLine(want.Names.CommonName) {
		return new(mandatory("commonName"))
	}
	if !slices.Contains(hashes, strings.ReplaceAll(strings.ToUpper(p.HashFunction.Trimmed()), "-", "")) {
		return new(mandatory("hashFunction"))
	}
	if f := p.writeKey(want); f != nil {
		return f
	}
	for _, name := range trimmed(p.SubjectAlternativeNames) {
		add(listOf(&want.Names, name), name)
	}
	return p.EnhancedSANTypes.write(&want.Names)
}

// writeKey reads the kind and the size of the key.
func (p *csrParameters) writeKey(want *core.Request) *failure {
	algorithm, known := keyTypes[strings.ToUpper(p.KeyType.Trimmed())]
	if !known {
		return new(mandatory("keyType"))
	}
	want.KeyAlgorithm = algorithm
	size := p.BitLength.Trimmed()
	if algorithm == clm.ECC {
		if want.Curve, known = curves[size]; !known {
			return new(mandatory("bitLength"))
		}
		return nil
	}
	bits, err := strconv.Atoi(size)
	if size != "" && (err != nil || bits < 0) {
		return new(mandatory("bitLength"))
	}
	want.KeySize = bits
	return nil
}

// write adds the alternative names. Those of kinds that certificates do not get here are
// refused.
func (s alternatives) write(n *clm.Names) *failure {
	for _, list := range []struct {
		names lenient.StringList
		into  *[]string
	}{
		{s.DNSNames, &n.DNS}, {s.IPAddresses, &n.IP}, {s.RFC822Names, &n.Email}, {s.UniformResourceIdentifiers, &n.URI},
	} {
		for _, name := range trimmed(list.names) {
			add(list.into, name)
		}
	}
	for _, name := range trimmed(s.OtherNames) {
		upn, ok := principalName(name)
		if !ok {
			return new(mandatory("otherNames"))
		}
		add(&n.UPN, upn)
	}
	for _, refused := range []struct {
		field string
		names lenient.StringList
	}{{"directoryNames", s.DirectoryNames}, {"registeredIDs", s.RegisteredIDs}} {
		if len(trimmed(refused.names)) > 0 {
			return new(mandatory(refused.field))
		}
	}
	return nil
}

// listOf is the list that a name belongs to whose kind was not said.
func listOf(n *clm.Names, name string) *[]string {
	switch {
	case net.ParseIP(name) != nil:
		return &n.IP
	case strings.Contains(name, "://"):
		return &n.URI
	case strings.Contains(name, "@"):
		return &n.Email
	}
	return &n.DNS
}

// upnOID is the type of other names that are principals' names.
const upnOID = "1.3.6.1.4.1.311.20.2.3"

// principalName is the principal's name that an other name is: the name by itself, or
// behind its type and that of its value. ok: it is one.
func principalName(name string) (upn string, ok bool) {
	if rest, typed := strings.CutPrefix(name, upnOID); typed {
		rest = strings.TrimLeft(rest, ":;= ")
		if at := strings.LastIndexAny(rest, ":;= "); at >= 0 {
			rest = rest[at+1:]
		}
		name = rest
	}
	return name, strings.Contains(name, "@") && !strings.ContainsAny(name, ":;= ")
}

// add adds a name to a list that does not have it.
func add(list *[]string, name string) {
	if !slices.ContainsFunc(*list, func(known string) bool { return strings.EqualFold(known, name) }) {
		*list = append(*list, name)
	}
}

// trimmed are the values of the list without blanks around them, but for empty ones.
func trimmed(list lenient.StringList) (values []string) {
	for _, v := range list.NonEmpty() {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	return values
}
