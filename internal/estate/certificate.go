package estate

import (
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// A certificate is a place that is to hold one.
type certificate struct {
	place
	dn        clm.DN
	request   core.Request
	authority *reference
	off       *bool
}

func readCertificate(v value) (certificate, error) {
	own := map[clm.Attr][]string{}
	c := certificate{place: v.place(), request: core.Request{Own: own}}
	r := &c.request
	n := &r.Names
	set := func(a clm.Attr, read check) reader {
		return func(v value) error {
			s, err := read(v)
			own[a] = []string{s}
			return err
		}
	}
	err := v.object(keys{
		"dn":                 to(&c.dn, dn),
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
		"validityDays":       set(clm.ValidityDays, number(1, MaxDays)),
		"endDate":            set(clm.EndDate, date),
		"disabled":           maybe(&c.off, truth),
	})
	if err != nil {
		return c, err
	}
	return c, c.complete()
}

// complete checks what can only be seen of the whole, and says where the
// certificate is to be.
func (c *certificate) complete() error {
	r := &c.request
	if c.dn == "" {
		return c.fail("has no dn")
	}
	r.Folder, r.Name = string(c.dn.Parent()), c.dn.Name()
	if c.authority != nil {
		r.Authority = c.authority.name
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
	return nil
}
