package estate

import (
	"reflect"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// A certificate is a place that is to hold one.
type certificate struct {
	thing
	request   core.Request // what is ordered where there is none
	isAsked   bool         // the file says what is ordered
	outside   outside      // what it brings along instead
	record    string       // the ID that the record of what it brings along has elsewhere
	issue     *bool        // whether it is ordered
	class     string       // empty: what the authority makes
	authority *reference   // where it is ordered from
	off       *bool        // the setting that stops everything
	rehearsal *rehearsal
}

// certificateKeys are what holds for a place, whatever it holds.
var certificateKeys = []attrKey{
	{"description", clm.Description, text, oneValue},
	{"managementType", clm.ManagementType, managementType, oneValue},
	{"contacts", clm.Contact, line, manyValues},
	{"approvers", clm.Approver, line, manyValues},
	{"disableAutomaticRenewal", clm.NoAutoRenewal, flag, oneValue},
	{"renewalWindow", clm.RenewalWindow, number(1, clm.MaxWindowDays), oneValue},
	{"origin", clm.Origin, line, oneValue},
	{"allOrNothing", clm.AllOrNothing, flag, oneValue},
}

// ordered are the attributes that keys of an order say.
var ordered = []clm.Attr{
	clm.CommonName, clm.Organization, clm.OrganizationalUnit, clm.Locality, clm.Province, clm.Country, clm.SANDNS, clm.SANIP, clm.SANEmail,
	clm.SANURI, clm.SANUPN, clm.KeyAlgorithm, clm.KeySize, clm.Curve, clm.IssuedBy, clm.ValidityDays, clm.EndDate, clm.UserCSR,
}

func readCertificate(v value) (certificate, error) {
	c := certificate{thing: newThing(v), request: core.Request{Own: map[clm.Attr][]string{}}}
	if v.has("password") {
		v.secret = true
	}
	c.outside.password.place = c.place
	known := merged(c.keys(certificateKeys), keys{
		"dn":              to(&c.dn, dn),
		"class":           to(&c.class, certificateClass),
		"issue":           maybe(&c.issue, truth),
		"disabled":        c.readOff,
		"csr":             c.outside.csr.read(csrOrFile),
		"certificateFile": c.outside.certificate.read(line),
		"keyFile":         c.outside.key.read(line),
		"resourceId":      to(&c.record, matching(recordPattern, "24 hexadecimal digits")),
		"rehearsal":       maybe(&c.rehearsal, certificateTheatre.read),
	})
	for key, read := range c.orderKeys() {
		known[key] = func(v value) error {
			c.isAsked = true
			return read(v)
		}
	}
	if err := c.read(v, merged(known, c.outside.password.keys(c.place))); err != nil {
		return c, err
	}
	return c, c.complete()
}

// orderKeys are the keys that say what is ordered.
func (c *certificate) orderKeys() keys {
	r := &c.request
	n := &r.Names
	return keys{
		"commonName":         to(&n.CommonName, line),
		"organization":       to(&n.Organization, line),
		"organizationalUnit": to(&n.OrganizationalUnit, several(line)),
		"city":               to(&n.Locality, line),
		"state":              to(&n.Province, line),
		"country":            to(&n.Country, country),
		"dns":                to(&n.DNS, several(host)),
		"ip":                 to(&n.IP, several(ip)),
		"email":              to(&n.Email, several(email)),
		"uri":                to(&n.URI, several(uri)),
		"upn":                to(&n.UPN, several(upn)),
		"keyAlgorithm":       to(&r.KeyAlgorithm, keyAlgorithm),
		"keySize":            to(&r.KeySize, asInt(one(keySizes...))),
		"curve":              to(&r.Curve, curve),
		"authority":          maybeReference(&c.authority, dnText),
		"validityDays":       own(r.Own, clm.ValidityDays, number(1, MaxDays)),
		"endDate":            own(r.Own, clm.EndDate, date),
	}
}

// isBare reports whether the place is described by its attributes alone, and nothing
// is ordered: it is made as it stands, whatever policy says of orders.
func (c *certificate) isBare() bool {
	return c.issue != nil && !*c.issue && !c.isAsked && !c.outside.isThere()
}

func (c *certificate) readOff(v value) error {
	if err := maybe(&c.off, truth)(v); err != nil {
		return err
	}
	return c.attr(attrKey{"disabled", clm.Off, nil, onlyYes})(v)
}

// complete checks what can only be seen of the whole, and says where the
// certificate is to be.
func (c *certificate) complete() error {
	r := &c.request
	if c.dn == "" {
		return c.fail("has no dn")
	}
	for _, s := range c.attrs {
		if slices.Contains(ordered, s.attr) && !c.isBare() {
			return s.fail("is said by a key of its own, unless nothing is ordered")
		}
	}
	r.Folder, r.Name, r.Class = string(c.dn.Parent()), c.dn.Name(), clm.Class(c.class)
	if c.authority != nil {
		r.Authority = c.authority.name
	}
	if err := c.completeOutside(); err != nil || c.outside.isThere() || c.isBare() {
		return err
	}
	if _, err := pki.Subject(r.Names); err != nil {
		return c.fail("%w", err)
	}
	_, hasNames, err := pki.AlternativeNames(r.Names)
	switch {
	case err != nil:
		return c.fail("%w", err)
	case !hasNames && r.Names.CommonName == "":
		return c.fail("has neither a commonName nor another name")
	case r.Curve != "" && (r.KeySize != 0 || r.KeyAlgorithm == clm.RSA):
		return c.fail("an RSA key has a keySize, not a curve")
	case r.KeySize != 0 && r.KeyAlgorithm == clm.ECC:
		return c.fail("an ECC key has a curve, not a keySize")
	case len(r.Own[clm.ValidityDays]) > 0 && len(r.Own[clm.EndDate]) > 0:
		return c.fail("has both validityDays and endDate")
	}
	return c.completeRenewal()
}

// completeOutside checks that only one thing says what the certificate is like.
func (c *certificate) completeOutside() error {
	o, r := &c.outside, &c.request
	isImported := o.certificate.name != ""
	described := *r
	described.Own, described.Folder, described.Name, described.Class, described.Authority = nil, "", "", "", ""
	switch {
	case !isImported && (o.key.name != "" || o.password.isThere()):
		return c.fail("has a keyFile or password, and no certificateFile")
	case !isImported && c.record != "":
		return c.fail("has a resourceId, and no certificateFile")
	case isImported && o.csr.name != "":
		return c.fail("has both csr and certificateFile")
	case isImported && (c.issue != nil || c.class != ""):
		return c.fail("has a certificateFile, which leaves nothing to be said by class or issue")
	case o.isThere() && !reflect.ValueOf(described).IsZero():
		return c.fail("names and key are those of the %s", map[bool]string{true: "certificateFile", false: "csr"}[isImported])
	case c.rehearsal != nil && c.rehearsal.scene().isDefect && c.rests():
		return c.rehearsal.fail("%s needs a certificate, and none is issued", c.rehearsal.Scene)
	}
	return nil
}

// completeRenewal refuses certificates that would be renewed for ever.
func (c *certificate) completeRenewal() error {
	window, lifetime := days(c.own[clm.RenewalWindow]), days(c.request.Own[clm.ValidityDays])
	if window > 0 && lifetime > 0 && window >= lifetime {
		return c.fail("renewalWindow is not less than validityDays, %d", lifetime)
	}
	return nil
}

// rests reports whether the file says itself that nothing is to be ordered.
func (c *certificate) rests() bool {
	said := clm.Setting{Values: c.own[clm.ManagementType]}.First()
	isUnmanaged := said != "" && !clm.IsManaged(said)
	return c.outside.certificate.name == "" && (c.issue != nil && !*c.issue || c.off != nil && *c.off || isUnmanaged)
}
