// Package names translates the attribute and class names of Venafi's object tree
// into ours and back. Both the dialect and the estate file speak them, so they
// stand here and not in either. Names that we have no word for are kept under
// the prefix "tpp:" and given back untouched; rules never read those.
//
// The vendor's names are those of its class reference, which all its clients
// spell with blanks ("Management Type"); a few of its pages leave the blanks out,
// so names are matched without regard to case and blanks. Its classes and attributes
// stand in the tables of schema_classes.go and schema_attrs.go.
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

// attributes pairs every attribute that has a meaning on both sides. "Approval
// Reason" is that of the root of tickets; of a ticket it is clm.ReasonOf.
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

	{"Credential", clm.CredentialOf},
	{"Connection Method", clm.ConnectBy},
	{"Concurrent Connection Limit", clm.HostLimit},
	{"Enforce Known Host", clm.KnownHost},
	{"Trusted Fingerprint", clm.TrustedKeys},
	{"Last Known Fingerprint", clm.SeenKey},
	{"Last Known Key Type", clm.SeenKeyKind},
	{"Global sudo", clm.Sudo},
	{"Timeout", clm.Timeout},

	{"Certificate File", clm.CertificateFile},
	{"Private Key File", clm.KeyFile},
	{"Certificate Chain File", clm.ChainFile},
	{"Overwrite Existing Chain", clm.ReplaceChain},
	{"Private Key Syntax", clm.KeySyntax},
	{"Private Key Password Credential", clm.KeyCredential},
	{"Key Store", clm.KeyStore},
	{"Key Store Credential", clm.StoreCredential},
	{"Certificate Label", clm.StoreAlias},
	{"Store Type", clm.StoreType},
	{"Friendly Name", clm.FriendlyName},
	{"Create Store", clm.CreateStore},
	{"Replace Store", clm.ReplaceStore},
	{"Bundle Certificate", clm.BundleChain},
	{"File Permissions Enabled", clm.OwnerRules},
	{"File Owner: User", clm.FileUser},
	{"File Owner: Group", clm.FileGroup},
	{"File Permissions: User", clm.FileUserMode},
	{"File Permissions: Group", clm.FileGroupMode},
	{"Restart Application", clm.Restart},
	{"Network Validation Disabled", clm.NoLook},
	{"File Validation Disabled", clm.NoFileLook},
	{"Validation Disabled", clm.NoValidate},
	{"Use Common Name", clm.LookAtCommonName},
	{"Use DNS SubjectAltName", clm.LookAtSANs},
	{"Detect All SSL TLS Protocols", clm.AllVersions},
	{"Last Pushed On", clm.PushedOn},
	{"Last Pushed By", clm.PushedBy},
	{"Certificate Installed", clm.InstalledAs},

	{"Username", clm.Username},
	{"Vault Id", clm.SecretNumber},

	{"Label Text", clm.Label},
	{"Associated Classes", clm.FieldClasses},
	{"Allowed Values", clm.FieldValues},
	{"Single", clm.FieldSingle},
	{"Regular Expression", clm.FieldPattern},
	{"Mandatory", clm.FieldRequired},
	{"Default Values", clm.FieldDefaults},
	{"Policyable", clm.FieldPolicyable},
	{"Date Only", clm.FieldDateOnly},
	{"Allowed Characters", clm.FieldCharacters},
	{"Minimum Length", clm.FieldShortest},
	{"Maximum Length", clm.FieldLongest},

	{"Workflow", clm.Workflows},
	{"Workflow Block", clm.WorkflowBlocks},
	{"Rule Vault Id", clm.RuleVault},
	{"Approval Reason", clm.Reasons},
	{"Approval Explanation", clm.Explanation},
	{"Owner Object", clm.OwnerOf},
	{"Status", clm.TicketState},
	{"User Data", clm.UserData},
	{"Updated By", clm.DecidedBy},
	{"Last Update", clm.Changed},
	{"Scheduled Start", clm.ScheduleFrom},
	{"Scheduled Stop", clm.ScheduleTo},

	{"Full Name", clm.FullName},
	{"Given Name", clm.GivenName},
	{"Surname", clm.Surname},
	{"Internet EMail Address", clm.Email},
	{"Owner", clm.Owners},
	{"Assets", clm.Assets},
	{"Products", clm.Products},

	{"Signing Key DN", clm.SSHSigner},
	{"Certificate Container", clm.SSHFolder},
	{"Certificate Type", clm.SSHType},
	{"Allowed Private Key Algorithm", clm.SSHKeys},
	{"Maximum Age", clm.SSHMaxValidity},
	{"Certificate Identifier", clm.SSHKeyID},
	{"Principal", clm.SSHPrincipals},
	{"Allowed Principal Pattern", clm.SSHPrincipalsIn},
	{"Extension", clm.SSHExtensions},
	{"Allowed Extension", clm.SSHExtensionsIn},
	{"Force Command", clm.SSHForceCommand},
	{"Allowed Forced Command Pattern", clm.SSHForceCommandsIn},
	{"Source Address", clm.SSHSourceAddresses},
	{"Allowed Source Address", clm.SSHSourceNetworksIn},
	{"Allow To Specify Certificate Identifier On Request", clm.SSHOwnKeyID},
	{"Allow To Specify Principals On Request", clm.SSHOwnPrincipals},
	{"Allow To Specify Extensions On Request", clm.SSHOwnExtensions},
	{"Allow To Specify Force Command On Request", clm.SSHOwnForceCommand},
	{"Allow To Specify Source Addresses On Request", clm.SSHOwnSourceAddresses},
	{"SSH CA Template DN", clm.SSHTemplateOf},
	{"Serial", clm.SSHSerial},
	{"Destination Address", clm.SSHDestinations},
	{"Requested By", clm.SSHRequestedBy},
	{"Originating IP", clm.SSHRequestedFrom},

	{"Certificate API ToDo Timeout", clm.WaitSetting},
}

// DefaultAuthorityKind is the kind of a template that says nothing.
const DefaultAuthorityKind = "Self Signed CA"

// endDateSuffix ends the attributes with which clients ask authorities of one
// kind for an end date: "Microsoft CA:Specific End Date".
const endDateSuffix = ":Specific End Date"

// The tables by our names, and the pairs of attributes by the vendor's folded ones.
var (
	attrByVendor, attrByOurs = index(attributes)
	classByOurs              = indexClasses()
)

func index[T ~string](table []pair[T]) (byVendor map[string]T, byOurs map[T]string) {
	byVendor, byOurs = map[string]T{}, map[T]string{}
	for _, p := range table {
		byVendor[fold(p.vendor)], byOurs[p.ours] = p.ours, p.vendor
	}
	return byVendor, byOurs
}

// indexClasses leaves out the kinds of authorities and custom fields, which are
// values of objects of one class.
func indexClasses() map[clm.Class]string {
	byOurs := map[clm.Class]string{}
	for _, d := range classDefs {
		if d.Kind == "" {
			byOurs[d.Class] = d.Name
		}
	}
	return byOurs
}

// fold is the form in which the vendor's names are compared.
func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

// Attr is our name of the vendor's attribute.
func Attr(vendor string) clm.Attr {
	if d, ok := attrDefByVendor[fold(vendor)]; ok {
		return d.Attr
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
	if d, ok := ClassNamed(vendor); ok {
		return d.Class, d.Kind
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
		return fieldType(o)
	}
	return ClassName(o.Class)
}

// fieldType is the vendor's class of a custom field: the last one of which it has
// all marks, and text if it says nothing.
func fieldType(o clm.Object) string {
	for _, d := range slices.Backward(classDefs) {
		if d.Class == clm.CustomField && d.Kind != "" && hasAll(o, d.Marks()) {
			return d.Name
		}
	}
	return "Metadata Text"
}

func hasAll(o clm.Object, marks map[clm.Attr][]string) bool {
	for a, values := range marks {
		if !slices.Equal(o.Own[a], values) {
			return false
		}
	}
	return true
}

// kindName is the vendor's spelling of a kind of authority, if he has it.
func kindName(kind string) string {
	if d, ok := ClassNamed(kind); ok && d.Class == clm.Authority && d.Kind != "" {
		return d.Kind
	}
	return kind
}
