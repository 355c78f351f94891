package estate

import (
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// An issuer is a CA whose key is held by the installation.
type issuer struct {
	place
	core.NewIssuer
	makesRoot bool
}

func readIssuer(v value) (issuer, error) {
	i := issuer{place: v.place()}
	err := v.object(keys{
		"name":         to(&i.Name, name),
		"commonName":   to(&i.Subject.CommonName, line),
		"organization": to(&i.Subject.Organization, line),
		"country":      to(&i.Subject.Country, country),
		"key":          to(&i.Key.Algorithm, keyAlgorithm),
		"size":         to(&i.Key.Bits, asInt(one(keySizes[1:]...))),
		"curve":        to(&i.Key.Curve, curve),
		"root":         to(&i.Above, name),
		"makeRoot":     to(&i.makesRoot, truth),
		"years":        to(&i.Years, asInt(number(1, MaxYears))),
	})
	switch {
	case err != nil:
		return i, err
	case i.Name == "" || i.Subject.CommonName == "":
		return i, i.fail("has no %s", missing("name", i.Name, "commonName"))
	case i.Above != "" && i.makesRoot:
		return i, i.fail("has both root and makeRoot")
	}
	return i, i.readKey()
}

// readKey completes the key of an issuer.
func (i *issuer) readKey() error {
	k := &i.Key
	switch k.Algorithm = clm.Algorithm(k.Algorithm); {
	case k.Algorithm == clm.RSA && k.Curve != "":
		return i.fail("an RSA key has a size, not a curve")
	case k.Algorithm == clm.ECC && k.Bits != 0:
		return i.fail("an ECC key has a curve, not a size")
	case k.Algorithm == clm.RSA && k.Bits == 0:
		k.Bits = clm.DefaultKeySize
	case k.Algorithm == clm.ECC && k.Curve == "":
		k.Curve = clm.P256
	}
	return nil
}

// missing is which of two keys is not there.
func missing(first, value, second string) string {
	if value == "" {
		return first
	}
	return second
}
