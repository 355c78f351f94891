package clm

import (
	"slices"
	"strconv"
	"strings"
)

// A RuleName names a rule of policy that a request may break.
type RuleName string

// The rules. Each is a field of what is judged and what is wrong with it.
const (
	RuleLocality      RuleName = "locality"
	RuleWhitelistCN   RuleName = "common-name/whitelist"
	RuleWildcardCN    RuleName = "common-name/wildcard"
	RuleCountry       RuleName = "country"
	RuleWildcardDNS   RuleName = "san-dns/wildcard"
	RuleDNS           RuleName = "san-dns"
	RuleCurve         RuleName = "curve"
	RuleEmail         RuleName = "san-email"
	RuleIP            RuleName = "san-ip"
	RuleUPN           RuleName = "san-upn"
	RuleURI           RuleName = "san-uri"
	RuleKeyAlgorithm  RuleName = "key-algorithm"
	RuleKeySize       RuleName = "key-size"
	RuleOrganization  RuleName = "organization"
	RuleUnitMissing   RuleName = "organizational-unit/missing"
	RuleUnitForbidden RuleName = "organizational-unit/forbidden"
	RuleProvince      RuleName = "province"
	RuleWhitelistDNS  RuleName = "san-dns/whitelist"
	RuleSubject       RuleName = "subject/unique"
	RuleKeyReuse      RuleName = "key-reuse"
)

// DefaultKeySize is the size of an RSA key where nobody says anything.
const DefaultKeySize = 2048

// Policy is what a folder says about the certificates directly in it: locked
// values bind, others are defaults. (Page POST Certificates/CheckPolicy.)
type Policy struct {
	Folder DN

	Authority      Setting
	UserCSR        Setting
	KeyOnApp       Setting
	Management     Setting
	KeyAlgorithm   Setting
	KeySize        Setting
	Curve          Setting
	Organization   Setting
	Unit           Setting
	Locality       Setting
	Province       Setting
	Country        Setting
	Whitelist      []string // domain suffixes; empty allows all
	NoWildcards    bool
	NoDNS          bool
	NoEmail        bool
	NoIP           bool
	NoUPN          bool
	NoURI          bool
	KeyReuse       bool
	UniqueSubjects bool
}

// PolicyFor says what holds for certificates of the class placed directly in the
// last object of the path, a folder.
func (p Path) PolicyFor(class Class) Policy {
	at := func(a Attr) Setting { return p.ValueFor(class, a) }
	prohibited := at(ProhibitedSANs).Values
	prohibits := func(names ...string) bool {
		return slices.ContainsFunc(prohibited, func(v string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(v, n) })
		})
	}
	return Policy{
		Folder:         p.Last().DN,
		Authority:      at(IssuedBy),
		UserCSR:        at(UserCSR),
		KeyOnApp:       at(KeyOnApplication),
		Management:     at(ManagementType),
		KeyAlgorithm:   at(KeyAlgorithm),
		KeySize:        at(KeySize),
		Curve:          at(Curve),
		Organization:   at(Organization),
		Unit:           at(OrganizationalUnit),
		Locality:       at(Locality),
		Province:       at(Province),
		Country:        at(Country),
		Whitelist:      at(DomainWhitelist).Values,
		NoWildcards:    at(ProhibitWildcard).IsOn(),
		NoDNS:          prohibits("DNS"),
		NoEmail:        prohibits("Email", "RFC822"),
		NoIP:           prohibits("IP", "IP Address", "IPAddress"),
		NoUPN:          prohibits("UPN"),
		NoURI:          prohibits("URI"),
		KeyReuse:       at(ReuseKeyAllowed).IsOn(),
		UniqueSubjects: at(UniqueSubject).IsOn(),
	}
}

// A Demand is what a certificate is to say and to hold, as far as policy judges it.
type Demand struct {
	Names
	KeyAlgorithm string // RSA or ECC
	KeySize      int    // of an RSA key
	Curve        string // of an EC key
	KeyReused    bool   // the key has served another version
	SubjectTaken bool   // another certificate has the subject
}

// Fill completes the demand of a certificate whose key is made here: what it
// leaves out is taken from policy.
func (p Policy) Fill(d *Demand) {
	for _, part := range []struct {
		asked *string
		says  Setting
	}{
		{&d.Organization, p.Organization}, {&d.Locality, p.Locality}, {&d.Province, p.Province}, {&d.Country, p.Country},
		{&d.KeyAlgorithm, p.KeyAlgorithm},
	} {
		if *part.asked == "" {
			*part.asked = part.says.First()
		}
	}
	if len(d.OrganizationalUnit) == 0 {
		d.OrganizationalUnit = slices.Clone(p.Unit.Values)
	}
	if d.KeyAlgorithm = Algorithm(d.KeyAlgorithm); d.KeyAlgorithm == RSA {
		d.KeySize = orElse(d.KeySize, sizeOf(p.KeySize), DefaultKeySize)
	} else {
		d.Curve = orElse(d.Curve, p.Curve.First(), P256)
	}
}

// orElse returns the first of the values that says anything.
func orElse[T comparable](values ...T) T {
	var none T
	for _, v := range values {
		if v != none {
			return v
		}
	}
	return none
}

// Algorithm is the canonical name of a key algorithm as clients spell it; RSA
// where they say nothing, and an unknown one as it is.
func Algorithm(s string) string {
	switch strings.ToUpper(s) {
	case "", "RSA":
		return RSA
	case "ECC", "EC", "ECDSA":
		return ECC
	}
	return s
}

// CurveName is the canonical name of a curve as clients spell it: p-256 is P256.
func CurveName(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "-", "")) }

func sizeOf(s Setting) int {
	n, err := strconv.Atoi(s.First())
	if err != nil {
		return 0
	}
	return n
}

// Judge returns every rule of policy that the demand breaks, in the order in
// which they are reported. (Page POST Certificates/Renew.)
func (p Policy) Judge(d Demand) []Breach {
	var found []Breach
	breach := func(broken bool, rule RuleName, value string) {
		if broken {
			found = append(found, Breach{rule, value})
		}
	}
	differs := func(s Setting, v string) bool { return s.Locked && s.First() != v }
	wild := func(name string) bool { return p.NoWildcards && strings.Contains(name, "*") }

	breach(differs(p.Locality, d.Locality), RuleLocality, d.Locality)
	breach(d.CommonName != "" && !p.allowsDomain(d.CommonName), RuleWhitelistCN, d.CommonName)
	breach(wild(d.CommonName), RuleWildcardCN, d.CommonName)
	breach(differs(p.Country, d.Country), RuleCountry, d.Country)
	for _, name := range d.DNS {
		breach(wild(name), RuleWildcardDNS, name)
	}
	breach(p.NoDNS && len(d.DNS) > 0, RuleDNS, "")
	isEC := Algorithm(d.KeyAlgorithm) == ECC
	breach(isEC && p.Curve.Locked && CurveName(p.Curve.First()) != CurveName(d.Curve), RuleCurve, d.Curve)
	breach(p.NoEmail && len(d.Email) > 0, RuleEmail, "")
	breach(p.NoIP && len(d.IP) > 0, RuleIP, "")
	breach(p.NoUPN && len(d.UPN) > 0, RuleUPN, "")
	breach(p.NoURI && len(d.URI) > 0, RuleURI, "")
	breach(p.KeyAlgorithm.Locked && Algorithm(p.KeyAlgorithm.First()) != Algorithm(d.KeyAlgorithm), RuleKeyAlgorithm, d.KeyAlgorithm)
	breach(!isEC && p.KeySize.Locked && d.KeySize < sizeOf(p.KeySize), RuleKeySize, strconv.Itoa(d.KeySize))
	breach(differs(p.Organization, d.Organization), RuleOrganization, d.Organization)
	if p.Unit.Locked {
		for _, unit := range p.Unit.Values {
			breach(!slices.Contains(d.OrganizationalUnit, unit), RuleUnitMissing, unit)
		}
		for _, unit := range d.OrganizationalUnit {
			breach(!slices.Contains(p.Unit.Values, unit), RuleUnitForbidden, unit)
		}
	}
	breach(differs(p.Province, d.Province), RuleProvince, d.Province)
	outside := slices.DeleteFunc(slices.Clone(d.DNS), p.allowsDomain)
	breach(len(outside) > 0, RuleWhitelistDNS, strings.Join(outside, ", "))
	breach(d.SubjectTaken && p.UniqueSubjects, RuleSubject, d.CommonName)
	breach(d.KeyReused && !p.KeyReuse, RuleKeyReuse, "")
	return found
}

// allowsDomain reports whether the whitelist has the name: an entry stands for
// itself and what is below it; one with a leading dot only for what is below it.
func (p Policy) allowsDomain(name string) bool {
	if len(p.Whitelist) == 0 {
		return true
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(p.Whitelist, func(entry string) bool {
		entry = strings.ToLower(entry)
		bare := strings.TrimPrefix(entry, ".")
		return strings.HasSuffix(name, "."+bare) || name == entry
	})
}
