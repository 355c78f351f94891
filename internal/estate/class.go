package estate

import (
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// aClass is a check that accepts the vendor's names of classes that fit, and
// returns our name.
func aClass(what string, fits func(clm.Class) bool) check {
	return func(v value) (string, error) {
		s, err := line(v)
		if err != nil {
			return "", err
		}
		class, kind := names.Class(s)
		if kind != "" || strings.HasPrefix(string(class), names.Unknown) || !fits(class) {
			return "", v.fail("%q is not %s", short(s), what)
		}
		return string(class), nil
	}
}

// abstract are the classes of which there are no objects.
var abstract = []clm.Class{clm.CertificateBase, clm.Application}

func concrete(base clm.Class) func(clm.Class) bool {
	return func(c clm.Class) bool { return c.Is(base) && !slices.Contains(abstract, c) }
}

var (
	anyClass         = aClass("a class such as X509 Certificate or Device", func(clm.Class) bool { return true })
	certificateClass = aClass("a class of certificates such as X509 Server Certificate", concrete(clm.CertificateBase))
	applicationClass = aClass("a class of applications such as Basic or Apache", concrete(clm.Application))
)
