package names

// A trait is something to be said of several attributes. Without any, an
// attribute has one value, which is text, is changed by clients, and may be said
// by folders for what is below them.
type trait struct {
	mark  func(*AttrDef)
	names string
}

var traits = []trait{
	{several, `
		Contact, Escalation Contact, Metadata, Reference, Workflow, Workflow Block, Approver, Validation Results, Validation Errors,
		Organizational Unit, X509 DC, X509 SubjectAltName, X509 SubjectAltName DNS, X509 SubjectAltName IPAddress,
		X509 SubjectAltName RFC822, X509 SubjectAltName URI, X509 SubjectAltName OtherName UPN, X509 SubjectAltName OtherName Custom,
		X509 Extension Fields, Prohibited Subject Attributes, PKIX Parameter Set Policy, Approved Issuer, Domain Suffix Whitelist,
		Prohibited SAN Types, Consumers, Ticket DN, Validity Period, Enhanced Key Usage, Additional Field,
		Custom Fields, Days Of Week, Days Of Month, Days Of Year, Hour, Minute, Trusted Fingerprint, Trusted Key Type,
		Approval Reason, Associated Classes, Allowed Values, Allowed Characters, Default Values, Localization, Address Range, AWS EC2 Role Authorized Identities,
		Scep Allowed Identities, Whitelisted Elevation Commands, Trusted WebSDK Modules, Non-Authoritative Classes, Disabled Features,
		Group Membership, Member, Owner, Assets, Products, Suggested Member, Team Member Added By, Team Member Added On,
		Certificate Thumbprint, Allow From, Deny From, Allowed Algorithm, Allowed Command, Allowed Vendor Types,
		Required Options, Included Certificates, Excluded Certificates, Allowed Custom Extensions, Allowed Extension,
		Allowed Forced Command Pattern, Allowed Principal Pattern, Allowed Private Key Algorithm, Allowed Source Address, Extension,
		Principal, Source Address, Destination Address, Service Module Classes, Binding Hostnames, Bundle Certificate Collection,
		Target Group, Certwright:look-at`},
	{refers, `
		Workflow, Workflow Block, Credential, Secondary Credential, Proxy Credential, Certificate Authority, Approved Issuer, Consumers,
		Application Group DN, Ticket DN, Work DN, ACME Account DN, Discovered By DN, Certificate, Private Key Password Credential,
		Key Store Credential, Partition Password Credential, PK Credential, Certificate Credential, OAuth Token Credential,
		Username Credential, API Credentials, Aws Credential DN, Jump Server DN, Placement Job Dn, Bulk Provisioning Dn,
		Onboard Discovery Dn, Enrollment Application DN, Primary Application DN, Log View Server, Log Server,
		Enrollment Agent Certificate, Second Certificate Authority, Third Certificate Authority, Scep Certificate Authority,
		Operational Certificate DN, Time Stamping Certificate DN, Owner Object, Signing Key DN, SSH CA Template DN,
		Certificate Container, Certwright:service-credential, Authentication Credential, Credential Connector, PolicyDN, Assets`},
	{flag, `
		Disabled, Notification Disabled, Validation Disabled, Network Validation Disabled, File Validation Disabled,
		Key Store Validation Disabled, Use Specified Host, Use Common Name, Use DNS SubjectAltName, Detect All SSL TLS Protocols,
		Validate Chain Returned By Host, Reverse DC Order, Manual Csr, Generate Keypair On Application, Allow Private Key Reuse,
		Want Renewal, Disable Automatic Renewal, Prohibit Wildcard, Enforce Unique Subject, Disable Password Complexity, Manual Approval,
		Revocation Check Disabled, In Error, In Process, Revocation Check In Error, EST ReEnrollment In Progress,
		Enforce Known Host, Global sudo, UTC, Bypass Proxy on Local, Proxy Use Host Configuration,
		File Permissions Enabled, Restart Application, Overwrite Existing Chain, Overwrite Certificate, Overwrite Key, Create Store,
		Replace Store, Backup Store, Recycle Alias, Bundle Certificate, Non-Exportable, Update IIS, Create Binding, Import Only,
		Config Sync, Install Chain File, SNI Default, Use REST API, Use Advanced Settings, Force Profile Update, Fips Key,
		Delete Previous Cert And Key, Log Debug, Allow Push Without Private Key, Retry After Script Hash Mismatch, Stash Password,
		Disable SSH History, SAN Enabled, Specific End Date Enabled, Test Account, Include CN as SAN, Allow Reissue, Shared,
		Mandatory, Policyable, Render Hidden, Render Read Only, Single, Date Only, Processing Enabled, Standby Mode, Teams Enabled,
		Teams Required, Closed Group, Automatic Provisioning Disabled, Exclude Expired Certificates,
		Exclude Historical Certificates, Exclude Revoked Certificates, Light Run, CDP AIA Verification Disabled,
		Trust Store Management Disabled, CA Issuer Monitor Disabled, EC2 Assigned Role, Certwright:all-or-nothing`},

	{classes, `Associated Classes`},

	// what an object says for itself or nobody says for it
	{ownOnly, `
		Description, Disabled, Created By, Metadata, Reference, Workflow, Workflow Block, Notes, Host, Last Known Fingerprint,
		Last Known Key Type, X509 Subject, X509 SubjectAltName, X509 SubjectAltName DNS, X509 SubjectAltName IPAddress,
		X509 SubjectAltName RFC822, X509 SubjectAltName URI, X509 SubjectAltName OtherName UPN, X509 SubjectAltName OtherName Custom,
		Signing Request Subject, Specific End Date, Consumers, Application Group DN, Discovered On, Discovered By DN, Grouping Id, Trusted Status,
		Transaction Id, Origin, Issued To, Adaptable Workflow Approvers, Adaptable Workflow Reference ID, Adaptable Workflow Stage,
		Scep Transaction Id, EST ReEnrollment In Progress, ACME Account DN, Work DN, Owner,
		Certificate, Certificate Origin, Log View Server, Master Preferences, Client ID, Cloud Instance ID, Cloud Region, Cloud Service,
		Placement Id, Certificate Thumbprint, Server Type,
		Label Text, Help Text, Associated Classes, Category, Allowed Values, Default Values, Mandatory, Policyable, Render Hidden,
		Render Read Only, Localization, Not Before, Regular Expression, Mask, Allowed Characters, Minimum Length, Maximum Length,
		Error Message, Single, Date Only, Rule, Rule Vault Id, Approval Reason, Approval Explanation, Approval From,
		Owner Object, Scheduled Start, Scheduled Stop, Suspended Attribute, User Data, Username, Full Name, Member, Assets,
		Products, Group Membership, Closed Group, Suggested Member, Password`},

	// what the server says
	{computed, `
		Last Notification, Notified On, Last Validation, Last Validation Result, Validation Results, Validation Errors,
		File Validation Result, File Validation Error, Validation State, Last Validation State Update, Stage, Status, In Error,
		In Process, Certificate Vault Id, Private Key Vault Id, Public Key Vault Id, CSR Vault Id, CSR Thumbprint,
		Pending Certificate Vault Id, Pending Private Key Vault Id, Pending Public Key Vault Id, Ticket DN, Creation Date,
		Revocation Request, Revocation Original Request, Revocation Check Status, Revocation Check In Error,
		Revocation Check Last Checked, Last Renewed On, Last Renewed By, Last Evaluated On, License Count, Portal Download Count,
		Last Pushed On, Last Pushed By, Certificate Installed, Key Store Vault Id, Vault Id, Last Update, Updated By,
		Approver Not Found Timestamp, Onboard Discovery Stage, Onboard Discovery Status, Bulk Provisioning Stage, Bulk Provisioning Status,
		Agentless Discovery Stage, Agentless Discovery Status, In Progress, Last Run, Progress, Disabled On, Bundle Installed,
		Fingerprint SHA256, Signing Key Fingerprint SHA256, Public Signing Key Vault Id, Private Signing Key Vault Id, Public Key Hash,
		Serial, Valid From, Valid To, Originating IP, Requested By, Started By, Schema Version, Original Creation Date`},
	{readOnly, `GUID, Recycle Automatic, Recycle Deleted By, Recycle Deleted On, Recycle Origin`},
	{hidden, `Password`},
	{trigger, `
		Work To Do, Provisioning Work To Do, Revocation Check Now, Agentless Discovery To Do, Onboard Discovery To Do, Agent Validate Now`},

	// what the organisation decides of a certificate, and what the server learnt
	{guarded, `
		Created By, Disable Password Complexity, Workflow, Workflow Block, Trusted Status, Discovered On, Discovered By DN,
		ACME Account DN, Protection Key, Encryption Driver, Key Storage Location, Transaction Id, Scep Transaction Id, Consumers, Work DN,
		Adaptable Workflow Approvers, Adaptable Workflow Reference ID, Adaptable Workflow Stage, EST ReEnrollment In Progress`},
}

func several(d *AttrDef) { d.Property &^= PropertySingle }
func refers(d *AttrDef)  { d.Syntax = SyntaxDN }
func flag(d *AttrDef)    { d.Flag = true }
func classes(d *AttrDef) { d.Classes = true }
func ownOnly(d *AttrDef) { d.Policyable = false }
func guarded(d *AttrDef) { d.Guarded = true }

func computed(d *AttrDef) { d.Computed, d.Policyable = true, false }

func readOnly(d *AttrDef) {
	computed(d)
	d.Property |= PropertyReadOnly
}

func hidden(d *AttrDef) {
	d.Property |= PropertyHidden
	d.Policyable = false
}

func trigger(d *AttrDef) {
	hidden(d)
	d.Trigger, d.Flag = true, true
}
