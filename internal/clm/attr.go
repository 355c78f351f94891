package clm

import "strings"

// The attributes that rules read. The values of yes-or-no attributes are "1" and
// "0"; the values of the others stand with the constants below.
const (
	CommonName         Attr = "common-name"
	Organization       Attr = "organization"
	OrganizationalUnit Attr = "organizational-unit" // several
	Locality           Attr = "locality"
	Province           Attr = "province"
	Country            Attr = "country"
	SANDNS             Attr = "san-dns"   // several, as are the other names
	SANEmail           Attr = "san-email" //
	SANIP              Attr = "san-ip"    //
	SANURI             Attr = "san-uri"   //
	SANUPN             Attr = "san-upn"   //

	KeyAlgorithm Attr = "key-algorithm" // RSA or ECC
	KeySize      Attr = "key-size"      // bits of an RSA modulus
	Curve        Attr = "curve"         // P256, P384, P521

	ManagementType   Attr = "management-type" // one of the management types
	IssuedBy         Attr = "authority"       // a reference: the authority to order from
	UserCSR          Attr = "user-csr"        // 1: signing requests come from outside; 0: they are made here
	KeyOnApplication Attr = "key-on-application"
	ReuseKeyAllowed  Attr = "reuse-key-allowed"
	ReuseKeyWanted   Attr = "reuse-key-wanted"
	UniqueSubject    Attr = "unique-subject"
	DomainWhitelist  Attr = "domain-whitelist" // several
	ProhibitWildcard Attr = "prohibit-wildcard"
	ProhibitedSANs   Attr = "prohibited-sans" // several of DNS, Email, IP, UPN, URI
	ValidityDays     Attr = "validity-days"
	EndDate          Attr = "end-date" // RFC 3339, or YYYY-MM-DD HH:MM:SS in UTC; EndDateFor has more
	AnyPassword      Attr = "any-password"
	KeyCipher        Attr = "key-cipher"    // the OID of the encryption of a private key that is handed out as PKCS #8
	PKCS12Cipher     Attr = "pkcs12-cipher" // the same for PKCS #12
	NoAutoRenewal    Attr = "no-automatic-renewal"
	RenewalWindow    Attr = "renewal-window" // days before expiry

	Off         Attr = "disabled"
	Description Attr = "description"
	Contact     Attr = "contact"  // several principals
	Approver    Attr = "approver" // several principals
	Origin      Attr = "origin"
	CreatedBy   Attr = "created-by"
	RenewedBy   Attr = "renewed-by"
	KeyHolder   Attr = "key-holder" // the version whose private key is taken for that of the certificate in use; NoKeyHolder for none; where it is not said, the version in use
	HeldCSR     Attr = "held-csr"   // the version with a signing request that was handed in but not acted upon
	Retreats    Attr = "retreats"   // several; the rollbacks that the place remembers: from which version to which, and when
	Consumers   Attr = "consumers"  // several; the applications that use the certificate, by ID, in the order in which they came

	Host       Attr = "host"        // of a device or application: its address
	Port       Attr = "port"        //
	Bound      Attr = "certificate" // of an application: the certificate that it uses, by ID
	Program    Attr = "program"     // of an application: which driver looks after it
	ListenHost Attr = "listen-host" // of an application: where it shows its certificate
	ListenPort Attr = "listen-port" //

	// of a device, and of an application that is reached in another way than its device
	CredentialOf Attr = "credential"        // a reference: as whom it is used
	ConnectBy    Attr = "connection-method" // ByLocal: it is the machine on which this program runs; anything else: SSH
	HostLimit    Attr = "connection-limit"  // how many works are at it at a time
	KnownHost    Attr = "known-host"        // 1: it must show one of TrustedKeys; otherwise the key that it shows first is as good
	TrustedKeys  Attr = "trusted-keys"      // several: SHA256 fingerprints of its host keys
	SeenKey      Attr = "seen-key"          // the fingerprint of the key that it has shown first
	SeenKeyKind  Attr = "seen-key-kind"     //
	Sudo         Attr = "sudo"              // 1: its files and programs are used as root
	Timeout      Attr = "timeout"           // for connecting, in seconds

	// of an application: where its certificate lies
	CertificateFile Attr = "certificate-file"
	KeyFile         Attr = "key-file"
	ChainFile       Attr = "chain-file"
	ReplaceChain    Attr = "overwrite-chain"      // 0: a file for the chain that is there stays as it is
	KeySyntax       Attr = "key-syntax"           // PKCS#1 or PKCS#8
	KeyCredential   Attr = "key-credential"       // a reference: what protects the private key
	KeyStore        Attr = "key-store"            // a JKS file
	StoreCredential Attr = "key-store-credential" // a reference: what protects the store
	StoreAlias      Attr = "certificate-label"
	StoreType       Attr = "store-type"
	FriendlyName    Attr = "friendly-name"
	CreateStore     Attr = "create-store"  // 0: the store must be there
	ReplaceStore    Attr = "replace-store" // 1: what else is in it goes
	BundleChain     Attr = "bundle-chain"  // 0: the chain does not go into the file with the certificate
	OwnerRules      Attr = "file-permissions-enabled"
	FileUser        Attr = "file-user"
	FileGroup       Attr = "file-group"
	FileUserMode    Attr = "file-user-mode"  // octal, of a file with a key
	FileGroupMode   Attr = "file-group-mode" //
	Restart         Attr = "restart"         // 0: the service is not told

	// of an application: what uses it
	ServiceProgram Attr = "service-program"    // the path of its program
	ServiceConfig  Attr = "service-config"     // the path of its configuration
	ServiceSocket  Attr = "service-socket"     // where it takes orders
	ServiceUnit    Attr = "service-unit"       // what systemd knows it by
	ServiceUser    Attr = "service-credential" // a reference: as whom its manager is spoken to
	ServicePIDFile Attr = "service-pid-file"   // where the number of its process stands
	APICA          Attr = "api-ca"             // the CA certificates, PEM, by which its API is known
	CheckCommand   Attr = "check-command"
	ReloadCommand  Attr = "reload-command"
	Namespace      Attr = "namespace"
	SecretName     Attr = "secret-name"

	// of an application: where it shows its certificate
	LookAt      Attr = "look-at"   // several: [protocol://]host:port[/server name]
	LookTime    Attr = "look-time" // how long it may take until it shows a new one, in seconds
	NoLook      Attr = "no-network-validation"
	NoFileLook  Attr = "no-file-validation"
	NoValidate  Attr = "no-validation"
	PushedOn    Attr = "pushed-on"
	PushedBy    Attr = "pushed-by"
	InstalledAs Attr = "certificate-installed" // the thumbprint of what was seen there last

	// of a certificate: where it is looked for besides at its applications
	LookAtCommonName Attr = "look-at-common-name" // 1: at the host of that name, port 443
	LookAtSANs       Attr = "look-at-sans"        // 1: at the hosts of its DNS names, port 443
	AllVersions      Attr = "all-versions"        // 1: it is tried out which versions of TLS a service speaks

	AllOrNothing Attr = "all-or-nothing" // of a certificate, 1: a push to several applications fails at all when it fails at one

	Username     Attr = "username" // of a credential
	SecretNumber Attr = "secret"   // of a credential: the number of the secret with its values

	Workflows      Attr = "workflows"       // of a folder, several references: the workflows that hold for what is below it; of a ticket: the one that asks
	WorkflowBlocks Attr = "workflow-blocks" // of a folder, several references: workflows from above that do not hold here and below

	PointOf   Attr = "stage"       // of a workflow or ticket: the point at which it stops work
	ForClass  Attr = "for-class"   // of a workflow: only for applications of this class, and for certificates that one of them uses
	Approvers Attr = "approvers"   // several; of a workflow or ticket: the principals that have to say yes, or macros; none: whom the object names
	ReasonOf  Attr = "reason"      // of a workflow: the code of the reason; of a ticket: the reason in words
	RuleVault Attr = "rule-secret" // of a workflow: the secret with its definition, as a client has written it
	Command   Attr = "command"     // of a workflow: what is to be run on the device
	Reasons   Attr = "reasons"     // of the root of tickets, several: code,name,description

	OwnerOf      Attr = "owner-object"    // of a ticket, a reference: what waits for the yes
	TicketState  Attr = "status"          // of a ticket: Pending, Approved, Rejected and so on
	Approvals    Attr = "approvals"       // of a ticket, several: those of the principals that have said yes
	Explanation  Attr = "explanation"     // of a ticket: what was said with the answer
	Requester    Attr = "requester"       // of a ticket: the name of who has asked for the work
	UserData     Attr = "user-data"       // of a ticket: what a client has put down there
	DecidedBy    Attr = "decided-by"      // of a ticket: the name of who has answered last
	Changed      Attr = "last-update"     // of a ticket: when somebody has, as RFC 3339 has it
	ScheduleFrom Attr = "scheduled-start" // of a ticket: not before then, as RFC 3339 has it
	ScheduleTo   Attr = "scheduled-stop"  // of a ticket: not after then

	FullName  Attr = "full-name" // of a user or group
	GivenName Attr = "given-name"
	Surname   Attr = "surname"
	Email     Attr = "email"
	Owners    Attr = "owners"   // of a group, several principals: who may change it
	Assets    Attr = "assets"   // of a group that is a team, several references: the folders that are its business
	Products  Attr = "products" // of a group, several

	TeamFolder Attr = "team-folder" // of a group that is a team, a reference: the folder that was made with it

	Label         Attr = "label"          // of a custom field: what people call it
	FieldKind     Attr = "field-kind"     // of a custom field: one of the kinds of values
	FieldClasses  Attr = "field-classes"  // several; of a custom field: which objects have it
	FieldValues   Attr = "field-values"   // several; of a custom field: the values that may be chosen
	FieldSingle   Attr = "field-single"   // of a custom field: one value at most
	FieldPattern  Attr = "field-pattern"  // of a custom field: a regular expression that values match
	FieldRequired Attr = "field-required" // of a custom field: forms insist on a value

	FieldDefaults   Attr = "field-defaults"   // several; of a custom field: what forms begin with
	FieldCharacters Attr = "field-characters" // several; of a custom field: the characters that values are made of
	FieldShortest   Attr = "field-min-length" // of a custom field: how many characters a value has at least
	FieldLongest    Attr = "field-max-length" // of a custom field: and at most
	FieldDateOnly   Attr = "field-date-only"  // of a custom field: values are days, without the time of day
	FieldTimeOnly   Attr = "field-time-only"  // of a custom field: values are times of day, without the day
	FieldPolicyable Attr = "field-policyable" // of a custom field: 0: folders say nothing about it

	Engines Attr = "engines" // of a folder, several: the engines that carry out work below it, by ID

	Driver        Attr = "driver" // of an authority: which connector
	AuthorityKind Attr = "kind"   // of an authority: the class name that clients know it by

	// Of an authority, for those who know it by these rather than by its place.
	AuthorityVendor  Attr = "vendor"      // several; whose certificates it issues, by all names; empty: AppViewX
	AuthoritySetting Attr = "setting"     // the name of the account at the vendor; empty: its own name
	AuthorityActions Attr = "actions"     // several; what it is capable of; empty: everything
	Issuer           Attr = "issuer"      // of an authority of ours: which issuing CA signs
	Profile          Attr = "profile"     // of an authority of ours: server, client or both
	IssueAfter       Attr = "issue-after" // of an authority of ours: how long it lets one wait
	AIAURL           Attr = "aia-url"     // of an authority of ours: where the issuer's certificate is found
	OCSPURL          Attr = "ocsp-url"    //
	CDPURL           Attr = "cdp-url"     //
)

// The management types. Where nothing is said, a certificate is of Enrollment.
const (
	Unassigned   = "Unassigned"
	Monitoring   = "Monitoring"
	Enrollment   = "Enrollment"
	Provisioning = "Provisioning"
)

// ByLocal is the connection method of the machine on which this program runs.
const ByLocal = "Local"

// The kinds of values of a custom field.
const (
	TextField     = "text"
	ListField     = "list"
	DateField     = "date"
	IdentityField = "identity"
)

// ReadManagementType is the management type as it is written here; ok: there is one
// of the name, in any case.
func ReadManagementType(s string) (known string, ok bool) {
	for _, t := range []string{Unassigned, Monitoring, Enrollment, Provisioning} {
		if strings.EqualFold(t, strings.TrimSpace(s)) {
			return t, true
		}
	}
	return "", false
}

// The key algorithms and curves.
const (
	RSA  = "RSA"
	ECC  = "ECC"
	P256 = "P256"
	P384 = "P384"
	P521 = "P521"
)

// neverInherited lists the attributes that no folder can set for what is below it.
var neverInherited = map[Attr]bool{Off: true}

// FieldAttr is the attribute with the values of a custom field.
func FieldAttr(id ObjectID) Attr { return fieldPrefix + Attr(id) }

const fieldPrefix Attr = "field/"

// FieldOf is the custom field whose values the attribute holds, if it does.
func FieldOf(a Attr) (id ObjectID, ok bool) {
	rest, ok := strings.CutPrefix(string(a), string(fieldPrefix))
	return ObjectID(rest), ok
}

// EndDateFor is the attribute with the wanted end date for authorities of one kind only.
func EndDateFor(kind string) Attr { return EndDate + "/" + Attr(kind) }

// Ref is the value with which an attribute names an object, whatever its DN comes to be.
func Ref(id ObjectID) string { return refPrefix + string(id) }

// RefID is the object that a value names; ok: it names one.
func RefID(value string) (id ObjectID, ok bool) {
	rest, ok := strings.CutPrefix(value, refPrefix)
	return ObjectID(rest), ok && IsObjectID(rest)
}

const refPrefix = "@"

// IsObjectID reports whether the text has the form of an ObjectID.
func IsObjectID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		isDash := i == 8 || i == 13 || i == 18 || i == 23
		if isDash != (r == '-') || !isDash && !strings.ContainsRune("0123456789abcdef", r) {
			return false
		}
	}
	return true
}

// Referring lists the attributes that have a meaning here and whose values are
// references. (What applications and certificates have of one another are IDs.)
var Referring = map[Attr]bool{
	IssuedBy: true, Workflows: true, WorkflowBlocks: true, OwnerOf: true, Assets: true, SSHSigner: true, SSHFolder: true,
	CredentialOf: true, KeyCredential: true, StoreCredential: true, ServiceUser: true,
}

// The settings of the whole installation, which are values of the root.
const (
	WaitSetting  Attr = "default-wait"  // how long calls wait for work that say nothing of it, in seconds
	LoginIssuers Attr = "login-issuers" // several; the issuers whose certificates vouch for a login

	PublishURL   Attr = "publish-url"   // several; the addresses below which CA certificates, revocation lists and OCSP are served: the one that new certificates name, then former ones
	OCSPNonce    Attr = "ocsp-nonce"    // 1: OCSP answers repeat the nonce of their requests
	LateOrders   Attr = "late-orders"   // what becomes of a certificate that comes from an outside CA when nobody wants it any more: RevokeLate or KeepLate
	SelfApproval Attr = "self-approval" // 1: who has asked for something may also say yes to it

	ListSameKey Attr = "list-same-key" // 1: who revokes a certificate for a compromised key is told which others have the key
)

// NoKeyHolder is the key holder of a certificate whose private key is not held.
const NoKeyHolder = "0"

// What may become of certificates that nobody wants any more.
const (
	RevokeLate = "revoke" // unless said otherwise
	KeepLate   = "keep"
)
