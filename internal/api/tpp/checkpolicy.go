package tpp

import (
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type policyQuery struct {
	PolicyDN lenient.String
	PKCS10   lenient.String
	PKSC10   lenient.String // the vendor's own client spells it so
}

// checkPolicy serves POST Certificates/CheckPolicy: what a folder says, and how a
// signing request would fare. A request that policy forbids is no failure.
func (a *api) checkPolicy(c *call, in *policyQuery) answer {
	csr := in.PKCS10.Trimmed()
	if csr == "" {
		csr = in.PKSC10.Trimmed()
	}
	says, err := a.core.Policy(c.Context(), c.who(), in.PolicyDN.Value, csr)
	if err != nil {
		return a.refuse(c, checking, in.PolicyDN.Trimmed(), err)
	}
	body := map[string]any{"Error": nil, "Policy": policyReply(says.Policy)}
	if says.Demand != nil {
		body["CSR"] = csrReply(says)
	}
	return ok(body)
}

// lockable is a value of policy; locked it binds, else it is what is proposed.
type lockable struct {
	Locked bool
	Value  any
}

type lockableList struct {
	Locked bool
	Values []string
}

// policyReply shows a policy in the types that clients decode: a size is a
// number, and what is not set is null and never missing.
func policyReply(p clm.Policy) map[string]any {
	return map[string]any{
		"CertificateAuthority": orNull(p.Authority),
		"CsrGeneration":        choice(p.UserCSR, "ServiceGenerated", "UserProvided"),
		"KeyGeneration":        choice(p.KeyOnApp, "Central", "Application"),
		"KeyPair":              keyPair(p),
		"ManagementType":       orElse(p.Management, clm.Enrollment),
		"Subject": map[string]any{
			"City": orNull(p.Locality), "Country": orNull(p.Country), "Organization": orNull(p.Organization), "State": orNull(p.Province),
			"OrganizationalUnit": lockableList{p.Unit.Locked, list(p.Unit.Values)},
		},
		"PrivateKeyReuseAllowed":  p.KeyReuse,
		"SubjAltNameDnsAllowed":   !p.NoDNS,
		"SubjAltNameEmailAllowed": !p.NoEmail,
		"SubjAltNameIpAllowed":    !p.NoIP,
		"SubjAltNameUpnAllowed":   !p.NoUPN,
		"SubjAltNameUriAllowed":   !p.NoURI,
		"UniqueSubjectEnforced":   p.UniqueSubjects,
		"WhitelistedDomains":      list(p.Whitelist),
		"WildcardsAllowed":        !p.NoWildcards,
	}
}

// keyPair shows the kind of key. One client panics on a locked algorithm that it
// does not know, so such a one is shown unlocked; a curve is shown only where
// keys are on curves, because another compares whole replies.
func keyPair(p clm.Policy) map[string]any {
	algorithm := lockable{p.KeyAlgorithm.Locked, clm.Algorithm(p.KeyAlgorithm.First())}
	if algorithm.Value != clm.RSA && algorithm.Value != clm.ECC {
		algorithm = lockable{false, clm.RSA}
	}
	size := lockable{p.KeySize.Locked, clm.DefaultKeySize}
	if n, err := strconv.Atoi(p.KeySize.First()); err == nil {
		size.Value = n
	}
	curve := lockable{p.Curve.Locked, nil}
	if algorithm.Value == clm.ECC {
		curve.Value = clm.P256
		if name := clm.CurveName(p.Curve.First()); name != "" {
			curve.Value = name
		}
	}
	return map[string]any{"KeyAlgorithm": algorithm, "KeySize": size, "EllipticCurve": curve}
}

func orNull(s clm.Setting) lockable {
	if s.First() == "" {
		return lockable{s.Locked, nil}
	}
	return lockable{s.Locked, s.First()}
}

func orElse(s clm.Setting, otherwise string) lockable {
	if s.First() == "" {
		return lockable{s.Locked, otherwise}
	}
	return lockable{s.Locked, s.First()}
}

func choice(s clm.Setting, off, on string) lockable {
	if s.IsOn() {
		return lockable{s.Locked, on}
	}
	return lockable{s.Locked, off}
}

type compliance struct {
	Compliant bool
	Value     any
}

type compliances struct {
	Compliant bool
	Values    []string
}

// csrReply shows what a signing request asks for, and which of it complies.
func csrReply(says core.Compliance) map[string]any {
	d := says.Demand
	complies := func(rules ...clm.RuleName) bool {
		return !slices.ContainsFunc(says.Breaches, func(b clm.Breach) bool { return slices.Contains(rules, b.Rule) })
	}
	one := func(value any, rules ...clm.RuleName) compliance { return compliance{complies(rules...), value} }
	many := func(values []string, rules ...clm.RuleName) compliances {
		return compliances{complies(rules...), list(values)}
	}
	var size any
	if d.KeySize != 0 {
		size = d.KeySize
	}
	return map[string]any{
		"Enrollable": len(says.Breaches) == 0,
		"Details": map[string]any{
			"City":               one(d.Locality, clm.RuleLocality),
			"CommonName":         one(d.CommonName, clm.RuleWhitelistCN, clm.RuleWildcardCN, clm.RuleSubject),
			"Country":            one(d.Country, clm.RuleCountry),
			"KeyAlgorithm":       one(clm.Algorithm(d.KeyAlgorithm), clm.RuleKeyAlgorithm, clm.RuleCurve),
			"KeySize":            one(size, clm.RuleKeySize),
			"Organization":       one(d.Organization, clm.RuleOrganization),
			"OrganizationalUnit": many(d.OrganizationalUnit, clm.RuleUnitMissing, clm.RuleUnitForbidden),
			"PrivateKeyReused":   one(d.KeyReused, clm.RuleKeyReuse),
			"State":              one(d.Province, clm.RuleProvince),
			"SubjAltNameDns":     many(d.DNS, clm.RuleDNS, clm.RuleWildcardDNS, clm.RuleWhitelistDNS),
			"SubjAltNameEmail":   many(d.Email, clm.RuleEmail),
			"SubjAltNameIp":      many(d.IP, clm.RuleIP),
			"SubjAltNameUpn":     many(d.UPN, clm.RuleUPN),
			"SubjAltNameUri":     many(d.URI, clm.RuleURI),
		},
	}
}
