// Package names translates the attribute and class names of Venafi's object tree
// into ours and back. Both the dialect and the estate file speak them, so they
// stand here and not in either. Names that we have no word for are kept under
// the prefix "tpp:" and given back untouched; rules never read those.
//
// The vendor's names are those of its class reference, which all its clients
// spell with blanks ("Management Type"); a few of its pages leave the blanks out,
// so names are matched without regard to case and blanks.
package names

import (
	"regexp"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// Unknown marks the names that only the vendor knows.
const Unknown = "tpp:"

// A pair is a name of the vendor's and ours for the same thing.
type pair[T ~string] struct {
	vendor string
	ours   T
}

// ownPrefix marks the names that only we have, such as the settings of our
// connectors: "Certwright:issue-after".
const ownPrefix = "Certwright:"

// attributes pairs every attribute that has a meaning on both sides.
var attributes = []pair[clm.Attr]{
	{"X509 Subject", clm.CommonName},
	{"Organization", clm.Organization},
	{"Organizational Unit", clm.OrganizationalUnit},
	{"City", clm.Locality},
	{"State", clm.Province},
	{"Country", clm.Country},
	{"X509 SubjectAltName DNS", clm.SANDNS},
	{"X509 SubjectAltName RFC822", clm.SANEmail},
	{"X509 SubjectAltName IPAddress", clm.SANIP},
	{"X509 SubjectAltName URI", clm.SANURI},
	{"X509 SubjectAltName OtherName UPN", clm.SANUPN},

	{"Key Algorithm", clm.KeyAlgorithm},
	{"Key Bit Strength", clm.KeySize},
	{"Elliptic Curve", clm.Curve},

	{"Management Type", clm.ManagementType},
	{"Certificate Authority", clm.IssuedBy},
	{"Manual Csr", clm.UserCSR},
	{"Generate Keypair On Application", clm.KeyOnApplication},
	{"Allow Private Key Reuse", clm.ReuseKeyAllowed},
	{"Want Renewal", clm.ReuseKeyWanted},
	{"Enforce Unique Subject", clm.UniqueSubject},
	{"Domain Suffix Whitelist", clm.DomainWhitelist},
	{"Prohibit Wildcard", clm.ProhibitWildcard},
	{"Prohibited SAN Types", clm.ProhibitedSANs},
	{"Validity Period", clm.ValidityDays},
	{"Specific End Date", clm.EndDate},
	{"Disable Password Complexity", clm.AnyPassword},
	{"Certificate Download: PBES2 Algorithm", clm.KeyCipher},
	{"Certificate Download: Pkcs12 Algorithm", clm.PKCS12Cipher},
	{"Disable Automatic Renewal", clm.NoAutoRenewal},
	{"Renewal Window", clm.RenewalWindow},

	{"Disabled", clm.Off},
	{"Description", clm.Description},
	{"Contact", clm.Contact},
	{"Approver", clm.Approver},
	{"Origin", clm.Origin},
	{"Created By", clm.CreatedBy},
	{"Last Renewed By", clm.RenewedBy},
	{"Consumers", clm.Consumers},

	{"Host", clm.Host},
	{"Port", clm.Port},
	{"Certificate", clm.Bound},
	{"Driver Name", clm.Program},
	{"SSL Listen Host", clm.ListenHost},
	{"SSL Listen Port", clm.ListenPort},

	{"Certificate API ToDo Timeout", clm.WaitSetting},
}

// classes pairs the classes that have rules with the vendor's names for them. A
// template is one class here, and many there; see authorityKinds.
var classes = append([]pair[clm.Class]{
	{"Tree Root", clm.Root},
	{"Policy", clm.Folder},
	{"X509 Certificate Base", clm.CertificateBase},
	{"X509 Certificate", clm.AnyCertificate},
	{"X509 Server Certificate", clm.ServerCertificate},
	{"X509 Device Certificate", clm.DeviceCertificate},
	{"X509 User Certificate", clm.UserCertificate},
	{"X509 Code Signing Certificate", clm.CodeSigningCertificate},
	{"Certificate Authority Base", clm.Authority},
	{"Device", clm.Device},
	{"Application Base", clm.Application},
	{"Metadata Root", clm.FieldRoot},
}, driverClasses()...)

// drivers are the vendor's classes of applications, one for each driver.
var drivers = []string{
	"Basic", "Apache", "PEM", "PKCS#12", "JKS", "CAPI", "GSK", "PKCS11", "iPlanet", "IIS5", "IIS6", "F5", "F5 LTM Advanced", "NetScaler",
	"A10 AX Traffic Manager", "BlueCoat SSLVA", "Brocade", "CiscoACE", "CiscoCSM", "CiscoCSS", "ConnectDirect", "DataPower", "Imperva MX",
	"Juniper SAS", "Layer 7 SSG", "Palo Alto Network FW", "Riverbed SteelHead", "Tealeaf PCA", "TealeafSunimp", "VAM nShield", "VamCavium",
	"VamSCA6000", "VamSunimp", "Adaptable App", "Amazon App", "Azure Key Vault", "Google Cloud App", "HashiCorp Vault PKI",
}

// fieldKinds are the vendor's classes of custom fields. Here the kind of a field's
// values is a value of the field (clm.FieldKind).
var fieldKinds = []pair[string]{
	{"Metadata Text", clm.TextField}, {"Metadata List", clm.ListField}, {"Metadata DateTime", clm.DateField}, {"Metadata Identity", clm.IdentityField},
	{"Metadata Choice", clm.ListField},
}

// authorityKinds are the vendor's classes of certificate authority templates.
// Here the kind is a value of the template (clm.AuthorityKind).
var authorityKinds = []string{
	"Microsoft CA", "Microsoft CA Pool", DefaultAuthorityKind, "OpenSSL CA", "RSA Keon CA", "Entrust Security Manager CA",
	"Out Of Band CA", "UniCERT CA", "Xolphin CA", "Comodo CCM", "GeotrustTrueFlex CA", "Adaptable CA", "Amazon CA", "Comodo CA",
	"DigiCert CA", "EntrustNET CA", "Entrust PKI Gateway", "GlobalSign MSSL CA", "Google Cloud CA", "HydrantId CA", "HydrantIdv2 CA",
	"Geotrust CA", "Geotrust Enterprise CA", "Keynectis Sequoia CA", "OpenTrust PKI CA", "QuoVadis CA", "Redhat CA",
	"Symantec LHK CA", "Thawte SPKI CA", "Trustwave CA", "VeriSign CA", "Verizon CA", "zOS CA",
}

// DefaultAuthorityKind is the kind of a template that says nothing.
const DefaultAuthorityKind = "Self Signed CA"

// endDateSuffix ends the attributes with which clients ask authorities of one
// kind for an end date: "Microsoft CA:Specific End Date".
const endDateSuffix = ":Specific End Date"

// The tables by either side; the vendor's names are folded.
var (
	attrByVendor, attrByOurs   = index(attributes)
	classByVendor, classByOurs = index(classes)
	kindByVendor               = indexKinds()
)

func index[T ~string](table []pair[T]) (byVendor map[string]T, byOurs map[T]string) {
	byVendor, byOurs = map[string]T{}, map[T]string{}
	for _, p := range table {
		byVendor[fold(p.vendor)], byOurs[p.ours] = p.ours, p.vendor
	}
	return byVendor, byOurs
}

func driverClasses() (all []pair[clm.Class]) {
	for _, d := range drivers {
		all = append(all, pair[clm.Class]{d, clm.ApplicationClass(fold(d))})
	}
	return all
}

func indexKinds() map[string]string {
	kinds := map[string]string{}
	for _, k := range authorityKinds {
		kinds[fold(k)] = k
	}
	return kinds
}

// fold is the form in which the vendor's names are compared.
func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

// Attr is our name of the vendor's attribute.
func Attr(vendor string) clm.Attr {
	if a, ok := attrByVendor[fold(vendor)]; ok {
		return a
	}
	if at := len(vendor) - len(endDateSuffix); at > 0 && strings.EqualFold(vendor[at:], endDateSuffix) {
		return clm.EndDateFor(kindName(vendor[:at]))
	}
	if name, ok := strings.CutPrefix(vendor, ownPrefix); ok && isOwn(name) {
		return clm.Attr(name)
	}
	if id := strings.Trim(strings.ToLower(vendor), "{}"); isGUID.MatchString(id) {
		return clm.FieldAttr(clm.ObjectID(id))
	}
	return clm.Attr(Unknown + vendor)
}

// AttrName is the vendor's name of our attribute, and the name that it came with
// if the vendor alone knows it.
func AttrName(a clm.Attr) string {
	if name, ok := attrByOurs[a]; ok {
		return name
	}
	if kind, ok := strings.CutPrefix(string(a), string(clm.EndDateFor(""))); ok {
		return kind + endDateSuffix
	}
	if id, ok := clm.FieldOf(a); ok {
		return "{" + string(id) + "}"
	}
	if isOwn(string(a)) {
		return ownPrefix + string(a)
	}
	return strings.TrimPrefix(string(a), Unknown)
}

// isGUID matches the names of attributes that hold the values of a custom field:
// its GUID, here without braces.
var isGUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// isOwn reports whether a name is spelled as ours are: in lower-case words with
// hyphens.
func isOwn(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// Class is our name of the vendor's class. For templates and custom fields kind is
// which of the vendor's many classes of them it is, in the words of
// clm.AuthorityKind and clm.FieldKind; for all others it is empty.
func Class(vendor string) (class clm.Class, kind string) {
	if c, ok := classByVendor[fold(vendor)]; ok {
		return c, ""
	}
	if k, ok := kindByVendor[fold(vendor)]; ok {
		return clm.Authority, k
	}
	for _, k := range fieldKinds {
		if fold(k.vendor) == fold(vendor) {
			return clm.CustomField, k.ours
		}
	}
	return clm.Class(Unknown + vendor), ""
}

// ClassName is the vendor's name of our class, and the name that it came with if
// the vendor alone knows it.
func ClassName(c clm.Class) string {
	if name, ok := classByOurs[c]; ok {
		return name
	}
	return strings.TrimPrefix(string(c), Unknown)
}

// TypeName is the vendor's name of an object's class: that of its class, and of
// a template or custom field that of its kind.
func TypeName(o clm.Object) string {
	switch o.Class {
	case clm.Authority:
		if kind := o.Own[clm.AuthorityKind]; len(kind) > 0 {
			return kindName(kind[0])
		}
		return DefaultAuthorityKind
	case clm.CustomField:
		for _, k := range fieldKinds {
			if slices.Contains(o.Own[clm.FieldKind], k.ours) {
				return k.vendor
			}
		}
		return fieldKinds[0].vendor
	}
	return ClassName(o.Class)
}

// kindName is the vendor's spelling of a kind of authority, if he has it.
func kindName(kind string) string {
	if k, ok := kindByVendor[fold(kind)]; ok {
		return k
	}
	return kind
}
