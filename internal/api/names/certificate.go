package names

import "github.com/certwright/certwright/internal/clm"

// CertificateAttr is our name of the vendor's attribute of a certificate. known:
// certificates have it; mayWrite: clients may change it. What only some authority
// understands ("DigiCert CA:Request Id") and what holds the values of a custom
// field is always both; settings of ours are neither.
func CertificateAttr(vendor string) (a clm.Attr, known, mayWrite bool) {
	d, ok := AttrNamed(vendor)
	if !ok || !anyCertificate.Has(vendor) {
		return Attr(vendor), false, false
	}
	return d.Attr, true, !d.Computed && !d.Trigger && !d.Guarded
}

// anyCertificate is the class whose certificates have all attributes that those of
// other classes have, and some more.
var anyCertificate = defByVendor[fold("X509 Code Signing Certificate")]
