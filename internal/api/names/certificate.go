package names

import (
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// certificateAttrs are the attributes of a certificate that clients may change,
// by the vendor's classes that they come from.
var certificateAttrs = []string{
	// Top and Driver Base
	"Contact", "Escalation Contact", "Description", "Disabled", "Managed By", "Metadata", "Reference",
	"Driver Name", "Driver Arguments", "Rank",

	// Monitoring Base
	"Expiration Notice Start", "Expiration Notice Interval", "Escalation Notice Start", "Escalation Notice Interval",
	"Notification Disabled", "Notes", "Validity Period",

	// Validation Base and X509 Certificate Validation
	"Validation Disabled", "SSL Listen Host", "SSL Listen Port", "Use Specified Host", "Network Validation Disabled",
	"Use Common Name", "Use DNS SubjectAltName", "Detect All SSL TLS Protocols", "Validate Chain Returned By Host",

	// X509 Certificate Base and X509 Certificate: the names
	"X509 Subject", "Organization", "Organizational Unit", "City", "State", "Country", "Address", "Postal Code", "Telephone", "Given Name",
	"Surname", "Internet EMail Address", "X509 E", "X509 DC", "X509 UID", "X509 SN", "X509 GN", "X509 T", "X509 I",
	"X509 SubjectAltName", "X509 SubjectAltName DNS", "X509 SubjectAltName IPAddress", "X509 SubjectAltName RFC822",
	"X509 SubjectAltName URI", "X509 SubjectAltName OtherName UPN", "X509 SubjectAltName OtherName Custom", "X509 Extension Fields",
	"Signing Request Subject", "Prohibited Subject Attributes", "Reverse DC Order",

	// the key and the order
	"Management Type", "Manual Csr", "Generate Keypair On Application", "Key Algorithm", "Key Bit Strength", "Elliptic Curve",
	"PKIX Parameter Set", "PKIX Parameter Set Policy", "PKIX Parameter Set Policy Default", "PKCS10 Hash Algorithm",
	"Certificate Authority", "Approved Issuer", "Specific End Date", "Allow Private Key Reuse", "Want Renewal",
	"Disable Automatic Renewal", "Renewal Window", "Domain Suffix Whitelist", "Prohibit Wildcard", "Prohibited SAN Types",
	"Enforce Unique Subject", "Certificate Download: PBES2 Algorithm",
	"Certificate Download: Pkcs12 Algorithm", "Approver",

	// the rest
	"Origin", "Issued To", "Application Group DN", "Grouping Id", "Server Type",
	"Manual Approval", "Revocation Check Disabled", "Revoke After",
	"Revoke Prevention Period", "Options", "Fields", "Owner",
}

// certificateState are the attributes of a certificate that show how it stands, or
// that others than its owner have a say in. No client changes them.
var certificateState = []string{
	"GUID", "Recycle Automatic", "Recycle Deleted By", "Recycle Deleted On", "Recycle Origin", "Creation Date", "Last Notification",
	"Notified On", "Last Validation", "Last Validation Result", "Validation Results", "Validation Errors", "File Validation Result",
	"File Validation Error", "Validation State", "Last Validation State Update", "Stage", "Status", "In Error", "In Process",
	"Work To Do", "Provisioning Work To Do", "Certificate Vault Id", "Private Key Vault Id", "Public Key Vault Id", "CSR Vault Id",
	"Pending Certificate Vault Id", "Pending Private Key Vault Id", "Pending Public Key Vault Id", "CSR Thumbprint", "Consumers",
	"Ticket DN", "Revocation Request", "Revocation Original Request", "Revocation Check Status", "Revocation Check In Error",
	"Revocation Check Last Checked", "Revocation Check Now", "Last Renewed On", "Last Renewed By", "Last Evaluated On",
	"Adaptable Workflow Approvers", "Adaptable Workflow Reference ID", "Adaptable Workflow Stage", "EST ReEnrollment In Progress", "Work DN",

	// what the organisation decides, and what the server learns and counts
	"Created By", "Disable Password Complexity", "Workflow", "Workflow Block", "Trusted Status", "License Count", "Portal Download Count",
	"Discovered On", "Discovered By DN", "ACME Account DN", "Protection Key", "Encryption Driver", "Key Storage Location", "Transaction Id",
	"Scep Transaction Id",
}

// certificateNames are both lists: the vendor's spelling by the folded name, and
// whether clients may change it.
var certificateNames = func() map[string]certificateName {
	all := map[string]certificateName{}
	for _, name := range certificateAttrs {
		all[fold(name)] = certificateName{name, true}
	}
	for _, name := range certificateState {
		all[fold(name)] = certificateName{name, false}
	}
	return all
}()

type certificateName struct {
	spelling string
	mayWrite bool
}

// CertificateAttr is our name of the vendor's attribute of a certificate. known:
// certificates have it; mayWrite: clients may change it. What only some authority
// understands ("DigiCert CA:Request Id") and what holds the values of a custom
// field is always both; settings of ours are neither.
func CertificateAttr(vendor string) (a clm.Attr, known, mayWrite bool) {
	if n, ok := certificateNames[fold(vendor)]; ok {
		return Attr(n.spelling), true, n.mayWrite
	}
	a = Attr(vendor)
	if _, ok := clm.FieldOf(a); ok {
		return a, true, true
	}
	kind, rest, _ := strings.Cut(vendor, ":")
	if ours := kind+":" == ownPrefix; ours || strings.TrimSpace(kind) == "" || strings.TrimSpace(rest) == "" {
		return a, false, false
	}
	return a, true, true
}
