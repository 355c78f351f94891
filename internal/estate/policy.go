package estate

import (
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// An attribute is what is known of a policy attribute's values. Attributes that
// are not in the table are taken as they are: the vendor has many.
type attribute struct {
	check
	several bool
}

// attributes are the policy attributes that mean something here.
var attributes = alike(map[clm.Attr]attribute{
	clm.Organization:       {check: line},
	clm.OrganizationalUnit: {line, true},
	clm.Locality:           {check: line},
	clm.Province:           {check: line},
	clm.Country:            {check: country},
	clm.KeyAlgorithm:       {check: keyAlgorithm},
	clm.KeySize:            {check: one(keySizes...)},
	clm.Curve:              {check: curve},
	clm.ManagementType:     {check: managementType},
	clm.IssuedBy:           {check: dnText},
	clm.UserCSR:            {check: flag},
	clm.KeyOnApplication:   {check: flag},
	clm.ReuseKeyAllowed:    {check: flag},
	clm.ReuseKeyWanted:     {check: flag},
	clm.UniqueSubject:      {check: flag},
	clm.DomainWhitelist:    {suffix, true},
	clm.ProhibitWildcard:   {check: flag},
	clm.ProhibitedSANs:     {sanType, true},
	clm.ValidityDays:       {check: number(1, MaxDays)},
	clm.EndDate:            {check: date},
	clm.AnyPassword:        {check: flag},
	clm.NoAutoRenewal:      {check: flag},
	clm.RenewalWindow:      {check: number(1, clm.MaxWindowDays)},
	clm.KeyCipher:          {check: cipher},
	clm.PKCS12Cipher:       {check: cipher},
	clm.Description:        {check: text},
	clm.Contact:            {line, true},
	clm.Approver:           {line, true},
	clm.AllOrNothing:       {check: flag},

	clm.Port:       {check: port},
	clm.ListenPort: {check: port},
	clm.ConnectBy:  {check: connectionMethod},
}, connectionKeys, storeKeys, serviceKeys, lookKeys)

// alike adds the attributes of keys, whose values are the same under the vendor's names.
func alike(known map[clm.Attr]attribute, tables ...[]attrKey) map[clm.Attr]attribute {
	for _, k := range slices.Concat(tables...) {
		if _, isKnown := known[k.attr]; !isKnown {
			known[k.attr] = attribute{k.check, k.form == manyValues}
		}
	}
	return known
}

// ownOnly are the attributes that an object has by itself or not at all.
var ownOnly = []clm.Attr{
	clm.CommonName, clm.SANDNS, clm.SANEmail, clm.SANIP, clm.SANURI, clm.SANUPN, clm.Off, clm.CreatedBy, clm.RenewedBy, clm.Origin,
	clm.LoginIssuers, clm.PublishURL, clm.OCSPNonce, clm.LateOrders, clm.ListSameKey, clm.KeyHolder,
}

// classes are the classes whose misspellings are refused; others are taken as they are.
var classes = []clm.Class{
	clm.CertificateBase, clm.AnyCertificate, clm.ServerCertificate, clm.DeviceCertificate, clm.UserCertificate,
	clm.CodeSigningCertificate, clm.Authority,
}

// policyFor reads what a folder says for objects of several classes.
func (t *thing) policyFor(v value) error {
	return v.mapping(func(vendor string, _ int, entry value) error {
		class, kind := names.Class(vendor)
		if kind != "" {
			return entry.fail("policy holds for templates of all kinds: say %q", names.ClassName(clm.Authority))
		}
		var known []string
		for _, c := range classes {
			known = append(known, names.ClassName(c))
		}
		if near := nearest(vendor, known); near != "" && names.ClassName(class) != near {
			return entry.fail("there is no class %q; did you mean %q?", short(vendor), near)
		}
		return t.policyOf(class)(entry)
	})
}

// policyOf reads what a folder says for objects of one class.
func (t *thing) policyOf(class clm.Class) reader {
	return func(v value) error {
		return v.mapping(func(vendor string, _ int, entry value) error {
			attr, err := t.policyAttr(vendor, entry)
			if err != nil {
				return err
			}
			key := clm.PolicyKey{Class: class, Attr: attr}
			if _, twice := t.policy[key]; twice {
				return entry.fail("there is such a rule already")
			}
			rule, err := t.readRule(entry, attr)
			t.policy[key] = rule
			return err
		})
	}
}

// policyAttr is our name of a policy attribute.
func (t *thing) policyAttr(vendor string, v value) (clm.Attr, error) {
	attr := names.Attr(strings.TrimSpace(vendor))
	if strings.TrimSpace(vendor) == "" {
		return "", v.fail("an attribute has no name")
	}
	if slices.Contains(ownOnly, attr) {
		return "", v.fail("cannot be said by a folder for what is in it")
	}
	_, means := attributes[attr]
	if _, known := names.AttrNamed(vendor); known || means {
		return attr, nil
	}
	var known []string
	for a := range attributes {
		known = append(known, names.AttrName(a))
	}
	slices.Sort(known)
	if near := nearest(vendor, known); near != "" {
		t.slips = append(t.slips, slip{reference{v.place(), strings.TrimSpace(vendor)}, near})
	}
	return attr, nil
}

// readRule reads a policy entry: a value, a list of values, or either of them
// with locked beside it. No values remove the entry.
func (t *thing) readRule(v value, attr clm.Attr) (rule clm.Rule, err error) {
	about, known := attributes[attr]
	switch {
	case !known && strings.HasPrefix(string(attr), string(clm.EndDateFor(""))):
		about = attribute{check: date}
	case !known:
		about = attribute{line, true}
	}
	said := false
	read := func(v value) (err error) {
		if said {
			return v.fail("there are both value and values")
		}
		said = true
		rule.Values, err = several(t.noting(attr, about.check))(v)
		if err == nil && len(rule.Values) > 1 && !about.several {
			err = v.fail("can have one value only")
		}
		return err
	}
	if v.node.Kind != yamlMapping {
		err = read(v)
		return rule, err
	}
	err = v.object(keys{"value": read, "values": read, "locked": to(&rule.Locked, truth)})
	switch {
	case err != nil:
	case !said:
		err = v.fail("has no value")
	case rule.Locked && len(rule.Values) == 0:
		err = v.fail("a rule without values cannot be locked")
	}
	return rule, err
}
