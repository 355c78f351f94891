package names

import "github.com/certwright/certwright/internal/clm"

// A classRow is a class of the vendor's. Without a class of ours it has no rules;
// where ours ends in a slash, its own name makes it one of the kinds below.
type classRow struct {
	name   string
	ours   clm.Class
	supers string
	attrs  string
}

// Families of classes that are kinds of one class of ours.
const (
	application = clm.Application + "/"
	trustStore  = clm.TrustStore + "/"
	credential  = clm.Credential + "/"
	module      = clm.Module + "/"
	container   = clm.Container + "/"
)

// abstract lists the classes without objects whose names or rules do not show it.
var abstract = []string{
	"Top", "Organization", "Person", "Identity Driver", "Encryption Driver", "Log Channel", "Log SQL Channel", "Discovery Statistics",
	"X509 Certificate Validation",
}

// choice is the vendor's name for a list of which one value may be chosen.
const choice = "Metadata Choice"

// fieldKinds are the vendor's classes of custom fields. Here the kind of a field's
// values is a value of the field (clm.FieldKind).
var fieldKinds = map[string]string{
	"Metadata Text": clm.TextField, "Metadata List": clm.ListField, choice: clm.ListField, "Metadata DateTime": clm.DateField,
	"Metadata Identity": clm.IdentityField,
}

const (
	notices = `Expiration Notice Start, Expiration Notice Interval, Escalation Notice Start, Escalation Notice Interval, `
	proxy   = `Proxy Host, Proxy Port, Proxy Credential, Proxy Use Host Configuration, Bypass Proxy on Local`
	script  = `PowerShell Script Hash Vault Id, Script Execution Timeout, Secondary Credential, Log Debug, `
	oauth   = `OAuth Token Application Id, OAuth Token Credential, OAuth Token Scope, `
	unseen  = `Network Validation Disabled, File Validation Disabled, `
	keys    = `Key Store, Key Store Credential, `

	// of applications of ours
	files   = `Certificate File, Private Key File, Certificate Chain File, Overwrite Existing Chain, Private Key Syntax, Bundle Certificate, `
	unit    = `Certwright:service-unit, `
	told    = unit + `Certwright:check-command, Certwright:reload-command, `
	program = `Certwright:service-program, Certwright:service-config, `
)

// classRows is the vendor's whole hierarchy with the applications of ours in it, what
// others derive from first.
var classRows = []classRow{
	// what other classes take their attributes from
	{"Top", "", "", `
		Contact, Escalation Contact, Description, Disabled, Created By, Managed By, GUID, Metadata, Reference, Workflow, Workflow Block,
		Recycle Automatic, Recycle Deleted By, Recycle Deleted On, Recycle Origin`},
	{"Driver Base", "", "Top", `Driver Name, Driver Arguments, Rank`},
	{"Monitoring Base", "", "", notices + `Creation Date, Last Notification, Notified On, Notification Disabled, Notes, Validity Period`},
	{"Validation Base", "", "", `
		Validation Disabled, Last Validation, Last Validation Result, Validation Results, Validation Errors, File Validation Result,
		File Validation Error, SSL Listen Host, SSL Listen Port, Use Specified Host`},
	{"Connection Base", "", "", `
		Host, Port, Credential, Secondary Credential, Connection Method, Concurrent Connection Limit, Enforce Known Host,
		Last Known Fingerprint, Last Known Key Type, Trusted Fingerprint, Trusted Key Type, Global sudo, Sudo Password Delay,
		Temp Directory, Remote Server Type, Terminal Type, Terminal Rows, Terminal Columns, Timeout`},
	{"Schedule Base", "", "", `
		Days Of Week, Days Of Month, Days Of Year, Hour, Minute, Start Time, Stop Time, UTC, Timezone, Priority, Reschedule, Blackout`},
	{"Zone Base", "", "", `Address Range, Window Start, Window End, Zone Contact, Zone Description`},
	{"Proxy Base", "", "", proxy},
	{"Legacy Key Base", "", "", ``},
	{"Ssh Device Base", "", "", `
		Algorithm, Allow Duplicate Private Keys, Allow From, Allow Multiple Authorized Keys, Allow Root Access, Allow Shared Server Accounts,
		Allow Ssh1, Allow Unencrypted Private Keys, Allowed Algorithm, Allowed Command, Allowed Vendor Types,
		Automatic Rotation Cleanup Wait, Automatic Rotation Enabled, Automatic Rotation Interval, Automatic Rotation Lead Time, Deny From,
		Environment, Host Trusts, Key Bit Strength, Known Hosts, Management Type, Maximum Key Age, Minimum Key Bit Strength,
		Required Options, Root Server Access, Server Access, Ssh Device Status, Ssh Device Type, Trusted Root Users, Trusted Users, Update Cache`},
	{"Discovery Statistics", "", "", ``},
	{"Report Filter Base", "", "", ``},

	// the branches of the tree
	{"Tree Root", clm.Root, "Top", `Version, Schema Version, Company Name, Migration Task, Usage Tracking`},
	{"Branch Base", "", "Tree Root", ``},
	{"CA Root", clm.SSHRoot, "Branch Base", ``},
	{"Client Root", container, "Branch Base", ``},
	{"Code Signing Root", container, "Branch Base", ``},
	{"Credential Root", container, "Branch Base", ``},
	{"Discovery Root", container, "Branch Base", ``},
	{"Encryption Root", container, "Branch Base", `Encryption Driver`},
	{"Engine Root", clm.EngineRoot, "Branch Base", `
		WebSDK Options, Trusted WebSDK Modules, Teams Enabled, Teams Required, Teams Options, Authentication Scheme,
		Whitelisted Elevation Commands, Managed By Options, Disabled Features, Options, Timeout, Workflow Interval, Workflow Last Check,
		Operating Environment, Require Password, Usage Tracking`},
	{"Flow Root", container, "Branch Base", ``},
	{"Intermediate and Root Certificates", container, "Branch Base", ``},
	{"Layout Root", container, "Branch Base", ``},
	{"License Root", container, "Branch Base", ``},
	{"Log Root", container, "Branch Base", `Log Application Container`},
	{"Metadata Root", clm.FieldRoot, "Branch Base", ``},
	{"Recycle Bin Root", container, "Branch Base", ``},
	{"Report Root", container, "Branch Base", ``},
	{"SSO", container, "Branch Base", ``},
	{"Secret Store Root", container, "Branch Base", `
		Driver Name, Certificate Protection Key, X509Certificate Association, PKCS8 Association, Non-Authoritative Classes`},
	{"Statistics Root", container, "Branch Base", ``},
	{"Upgrades Root", container, "Branch Base", `Grouping Id`},
	{"Workflow Root", clm.TicketRoot, "Branch Base", `Approval Reason, Expiration Days, Approver Not Found Expiration`},
	{"ACME Root", container, "Branch Base", ``},
	{"Agent Root", container, "Branch Base", ``},
	{"Organization", "", "Top", ``},
	{"Policy", clm.Folder, "Organization", `
		Certificate Origin, Log View Server, Master Preferences, Scep CA Ident, Scep Certificate Authority, Scep Challenge Password,
		Scep Encryption RA Certificate, Scep Intune Application Id, Scep Intune Application Secret, Scep Intune Tenant Name,
		Scep RA Certificate, Scep Selection Rule, Scep Signing RA Certificate`},
	{"Identity Root", clm.IdentityRoot, "Organization", ``},
	{"Credential Container", "", "Organization", ``},
	{"Layout Driver Container", "", "Organization", ``},
	{"Layout Rule Container", "", "Organization", ``},
	{"Placement Job Container", "", "Organization", ``},

	// people
	{"Person", "", "Top", `Full Name, Given Name, Surname, Internet EMail Address, Language, Group Membership`},
	{"User", clm.User, "Person", `Password, Creation Date`},
	{"Group", clm.Group, "Top", `
		Full Name, Member, Owner, Assets, Products, Group Membership, Closed Group, Suggested Member, Team Member Added By, Team Member Added On`},

	// hosts
	{"Device", clm.Device, "Connection Base, Ssh Device Base, Top, Validation Base", `
		Approver, Location, Status, Progress, Log Debug, Manual Approval, Jump Server DN, Protection Key, Placement Id, Placement Job Dn,
		Client ID, Client Machine ID, Cloud Instance ID, Cloud Region, Cloud Service, PowerShell Script, PowerShell Script Hash Vault Id,
		Text Field 1, Text Field 2, Text Field 3, Text Field 4, Text Field 5, Text Field 6, Text Field 7, Text Field 8, Text Field 9,
		Text Field 10, Text Field 11, Text Field 12, Bulk Provisioning Dn, Bulk Provisioning Stage, Bulk Provisioning Status,
		Onboard Discovery Dn, Onboard Discovery Stage, Onboard Discovery Status, Onboard Discovery To Do, Agentless Discovery Stage,
		Agentless Discovery Status, Agentless Discovery To Do, Allow Agentless Discovery and Remediation, Created By, Discovered By DN,
		PBES2 Algorithm, Disabled On, Privilege Elevation Command, SSH Key Encryption, System Owned Keys`},
	{"SSH Manual Install Key Device", "", "Device", ``},
	{"Jump Server", clm.JumpServer, "Connection Base, Top", `Consumers, Location, SSH Version, SSH Connection String`},

	// applications
	{"Application Base", clm.Application, "Connection Base, Driver Base, Validation Base", `
		Certificate, Approver, Stage, Status, In Error, In Process, Provisioning Work To Do, Last Pushed On, Last Pushed By,
		Certificate Installed, Certificate File, File Permissions Enabled, File Owner: User, File Owner: Group, File Permissions: User,
		File Permissions: Group, Private Key Password Credential, Key Encryption Algorithm, Key Store Vault Id, Restart Application,
		Ticket DN, Grouping Id, Discovered By DN, Discovered On, Placement Id, Remote One To Many Generation, Agent Validate Now, Created By,
		Adaptable Workflow Approvers, Adaptable Workflow Reference ID, Adaptable Workflow Stage, Certwright:look-at, Certwright:look-time`},
	{"Basic", application, "Application Base", `Certificate File, Network Validation Disabled`},
	{"Apache", application, "Application Base", unseen + program + unit + `
		Bundle Certificate, Private Key Syntax, Certificate File, Private Key File, Certificate Chain File, Overwrite Existing Chain, Private Key Location, Client Tools Path,
		Protection Type, Softcard Identifier, OCS Identifier, Partition Password Credential, Slot Number, Private Key Label, PBES2 Algorithm,
		Application ID, KMDATA Key File`},
	{"PEM", application, "Application Base", unseen + told + `
		Certificate File, Private Key File, Certificate Chain File, Overwrite Existing Chain, Private Key Syntax, PBES2 Algorithm,
		Bundle Certificate`},
	{"PKCS#12", application, "Application Base", unseen + told + `
		Certificate File, Friendly Name, Create Store, Replace Store, Recycle Alias, Bundle Certificate, Certificate Chain File,
		Overwrite Existing Chain`},
	{"JKS", application, "Application Base", unseen + told + keys + `
		Certificate Label, Store Type, Create Store, Replace Store, Recycle Alias, Java Vendor, Version, Keytool Path, Private Key Location,
		Protection Type, Slot Number, Softcard Identifier, Backup Store, Temp Certificate Label, Use External Process, Key Algorithm,
		Key Store Validation Disabled, Disable SSH History`},
	{"NGINX", application, "Application Base", unseen + files + program + unit},
	{"HAProxy", application, "Application Base", unseen + files + program + unit + `Certwright:service-socket, Certwright:service-pid-file`},
	{"Tomcat", application, "Application Base", unseen + files + told + keys + `
		Certificate Label, Store Type, Friendly Name, Create Store, Replace Store, Certwright:service-socket, Certwright:service-credential`},
	{"Postfix", application, "Application Base", unseen + files + program},
	{"Dovecot", application, "Application Base", unseen + files + program},
	{"PostgreSQL", application, "Application Base", unseen + files + unit + `Certwright:service-config`},
	{"Command", application, "Application Base", unseen + files + told},
	{"Kubernetes", application, "Application Base", unseen + `Certwright:namespace, Certwright:secret-name, Certwright:api-ca`},
	{"CAPI", application, "Application Base", unseen + `
		Friendly Name, Store Name, Non-Exportable, Private Key Trustee, Update IIS, Web Site Name, Binding IP Address, Binding Port,
		Hostname, Create Binding, Crypto Service Provider, Private Key Location, Private Key Label, Delete Previous Cert And Key`},
	{"GSK", application, "Application Base", unseen + keys + `
		Certificate Label, Default Cert, Store Type, Version, Utility Path, Java Home Path, Stash Password, Password Expire Days, Create Store,
		Replace Store, Backup Store, Recycle Alias, Fips Key, Refresh Security, Temp Certificate Label, Key Store Validation Disabled,
		Hide Command Line Passwords, Disable SSH History`},
	{"PKCS11", application, "Application Base", unseen + `
		HSM:CBlob, HSM:CKA LABEL Format, HSM:CSR Subject DN, HSM:Certificate Directory, HSM:Client Tool Path, HSM:Cryptoki File,
		HSM:Embed SANs in CSR, HSM:IC CKA LABEL Format, HSM:Import Certificate, HSM:Issued ID, HSM:Issued Label, HSM:Issued Usecase,
		HSM:KPBlob, HSM:Last Issued CBlob, HSM:Last Issued ID, HSM:Last Issued KPBlob, HSM:Last Issued Label, HSM:Last Issued Usecase,
		HSM:Openssl Config File, HSM:Openssl Path, HSM:Openssl Type, HSM:PKCS11Attributes, HSM:Protection Type, HSM:Requested CKA LABEL,
		HSM:Requested ECDH, HSM:Requested Usecase, HSM:Reverse Subject DN, HSM:TMP Issued CBlob, HSM:TMP Issued ID, HSM:TMP Issued KPBlob,
		HSM:Token Label, HSM:Token Password`},
	{"iPlanet", application, "Application Base", unseen},
	{"IIS5", application, "Application Base", unseen},
	{"IIS6", application, "Application Base", unseen},
	{"F5", application, "Application Base", unseen + `
		Certificate Name, Private Key Name, Private Key Type, Certificate Chain Name, Bundle Certificate, Fips Key, Overwrite Certificate,
		Overwrite Existing Chain, Overwrite Key, SSH Port`},
	{"F5 LTM Advanced", application, "Application Base", unseen + `
		Use Basic Provisioning, Provisioning To, Certificate Name, SSL Profile Name, SSL Profile Type, Parent SSL Profile Name, Partition,
		Virtual Server Name, Virtual Server Partition, Install Chain File, Bundle Certificate, Bundle Certificate Collection,
		Certificate Chain Name, Overwrite Certificate, Overwrite Existing Chain, Config Sync, Device Certificate, SSH Port, SNI Server Name,
		SNI Default, Advanced Settings Bundle Name, Advertised CA, Archive Location, Authentication Frequency, Build, CRL,
		Chain Traversal Depth, Client Authentication Certificate, Connection Attempts, Delete Previous Cert And Key, Fips Key,
		Force Profile Update, Last Used Host, Previous Certificate, Previous Key, Server Authentication Certificate,
		Server Authentication Name, System Id, Trusted CA, Use Advanced Settings, Use REST API, Version`},
	{"NetScaler", application, "Application Base", unseen + `
		Certificate File, Private Key File, Chain Cert, Fips Key, Import Only, Install Path, SSL Object Type, Virtual Server Name,
		SNI Certificate, Partition, Issuer Certificate Name, Max Filesize, Temp Certificate Label`},
	{"A10 AX Traffic Manager", application, "Application Base", unseen},
	{"BlueCoat SSLVA", application, "Application Base", unseen},
	{"Brocade", application, "Application Base", unseen},
	{"CiscoACE", application, "Application Base", unseen},
	{"CiscoCSM", application, "Application Base", unseen},
	{"CiscoCSS", application, "Application Base", unseen},
	{"ConnectDirect", application, "Application Base", unseen + keys},
	{"DataPower", application, "Application Base", unseen},
	{"Imperva MX", application, "Application Base", unseen},
	{"Juniper SAS", application, "Application Base", unseen},
	{"Layer 7 SSG", application, "Application Base", unseen},
	{"Palo Alto Network FW", application, "Application Base", unseen},
	{"Riverbed SteelHead", application, "Application Base", unseen},
	{"Tealeaf PCA", application, "Application Base", unseen},
	{"TealeafSunimp", application, "Application Base", unseen},
	{"VAM nShield", application, "Application Base", unseen},
	{"VamCavium", application, "Application Base", unseen},
	{"VamSCA6000", application, "Application Base", unseen},
	{"VamSunimp", application, "Application Base", unseen},
	{"Adaptable App", application, "Application Base", unseen + script + `
		PowerShell Script, Option 1, Option 2, Text Field 1, Text Field 2, Text Field 3, Text Field 4, Text Field 5, PK Credential,
		Password 1, Allow Push Without Private Key, Retry After Script Hash Mismatch, Script Hash Mismatch Error, Certificate Name,
		Installation Status, PBES2 Algorithm`},
	{"Amazon App", application, "Application Base", unseen + `
		Access Key ID, Aws Credential DN, Binding Target, Certificate ARN, Certificate Name, CloudFront Distribution ID, Create Binding,
		IAM Certificate ID, Initial Binding Attempt, Install Path, Issued By AWS, Load Balancer Name, Load Balancer Port,
		Load Balancer Region Code, Minimum Protocol Version, Provisioning To, Region Code, Replace Store, Secret Access Key, Target Group,
		Timeout`},
	{"Azure Key Vault", application, "Application Base", unseen + `
		App Service Subscription ID, Binding Hostnames, Binding SSL Type, Certificate Credential, Certificate Name, Client ID, Create Binding,
		Create SAN DNS Bindings, Environment, Non-Exportable, Timeout, Update Web App, Vault Name, Web App Name`},
	{"Google Cloud App", application, "Application Base", unseen},
	{"HashiCorp Vault PKI", application, "Application Base", unseen},
	{"Bulk Application Base", clm.BulkApplication, "Connection Base, Driver Base, Schedule Base", `
		Batch Size, Certificate Thumbprint, Exclude Expired Certificates, Exclude Historical Certificates,
		Exclude Revoked Certificates, Grouping Id, In Error, In Progress, Last Run, Last Update, Light Run,
		Light Run New Certificates Threshold, Maximum Days Expired, PolicyDN, Status, Stop Requested`},
	{"Adaptable Bulk App", clm.BulkApplication + "/", "Bulk Application Base", script + `PowerShell Script`},
	{"Certificate Trust Store Base", clm.TrustStore, "Connection Base, Driver Base", `
		Approver, Automatic Provisioning Disabled, Bundle, Bundle Installed, In Error, Interval, Stage, Status`},
	{"PEM Trust Store", trustStore, "Certificate Trust Store Base", `Key Store`},
	{"JKS Trust Store", trustStore, "Certificate Trust Store Base", keys + `Store Type`},
	{"CAPI Trust Store", trustStore, "Certificate Trust Store Base", ``},
	{"GSK Trust Store", trustStore, "Certificate Trust Store Base", keys + `Fips Key`},
	{"PKCS#12 Trust Store", trustStore, "Certificate Trust Store Base", keys},
	{"BlueCoat SSLVA Trust Store", trustStore, "Certificate Trust Store Base", `Key Store`},
	{"ConnectDirect Trust Store", trustStore, "Certificate Trust Store Base", keys},
	{"F5 LTM Advanced Trust Store", trustStore, "Certificate Trust Store Base", `Certificate Name, SSH Port`},
	{"Certificate Trust Bundle", clm.TrustBundle, "Top", `Included Certificates, Excluded Certificates, Is Match`},
	{"Application Group", clm.ApplicationGroup, "Top", `
		Certificate, Enrollment Application DN, Primary Application DN, Common Data Location, Common Data Vault Id, Private Key Stub Vault Id`},
	{"Apache Application Group", clm.ApplicationGroup + "/", "Application Group", ``},
	{"PKCS11 Application Group", clm.ApplicationGroup + "/", "Application Group", ``},

	// certificates
	{"X509 Certificate Base", clm.CertificateBase, "Driver Base, Monitoring Base", notices + `
		X509 Subject, Organization, Organizational Unit, City, State, Country, Address, Postal Code, Telephone, Given Name, Surname,
		Internet EMail Address, X509 D, X509 DC, X509 DNQ, X509 E, X509 GN, X509 GQ, X509 I, X509 P, X509 PA, X509 PC, X509 SA, X509 SN,
		X509 SNO, X509 T, X509 TN, X509 UA, X509 UID, X509 UN,
		X509 SubjectAltName, X509 SubjectAltName DNS, X509 SubjectAltName IPAddress, X509 SubjectAltName RFC822, X509 SubjectAltName URI,
		X509 SubjectAltName OtherName UPN, X509 SubjectAltName OtherName Custom, X509 Extension Fields, Signing Request Subject,
		Prohibited Subject Attributes, Reverse DC Order,
		Management Type, Manual Csr, Generate Keypair On Application, Key Algorithm, Key Bit Strength, Elliptic Curve, PKIX Parameter Set,
		PKIX Parameter Set Policy, PKIX Parameter Set Policy Default, PKCS10 Hash Algorithm, Certificate Authority, Approved Issuer,
		Validity Period, Specific End Date, Allow Private Key Reuse, Want Renewal, Disable Automatic Renewal, Renewal Window,
		Domain Suffix Whitelist, Prohibit Wildcard, Enforce Unique Subject, Disable Password Complexity,
		Certificate Download: PBES2 Algorithm, Certificate Download: Pkcs12 Algorithm, Approver, Protection Key, Encryption Driver,
		Key Storage Location, Manual Approval, Network Validation Disabled, Revoke After, Revoke Prevention Period, Options, Fields,
		Stage, Status, In Error, In Process, Work To Do, Provisioning Work To Do, Certificate Vault Id, Private Key Vault Id,
		Public Key Vault Id, CSR Vault Id, CSR Thumbprint, Consumers, Revocation Request, Revocation Original Request,
		Revocation Check Status, Revocation Check In Error, Revocation Check Last Checked, Revocation Check Now, Revocation Check Disabled,
		Last Notification, Last Renewed On, Last Renewed By, Last Evaluated On, Issued To, Origin, Discovered On, Discovered By DN, Grouping Id,
		Trusted Status, Validation State, Last Validation State Update, Transaction Id, Created By, License Count, Server Type,
		Adaptable Workflow Approvers, Adaptable Workflow Reference ID, Adaptable Workflow Stage, Scep Transaction Id,
		EST ReEnrollment In Progress, Certwright:all-or-nothing`},
	{"X509 Certificate Validation", "", "Validation Base", `
		Network Validation Disabled, Use Common Name, Use DNS SubjectAltName, Detect All SSL TLS Protocols, Validate Chain Returned By Host`},
	{"X509 Certificate", clm.AnyCertificate, "X509 Certificate Base, X509 Certificate Validation", `
		Prohibited SAN Types, Ticket DN, Application Group DN, ACME Account DN, Work DN, Portal Download Count`},
	{"X509 Server Certificate", clm.ServerCertificate, "X509 Certificate", ``},
	{"X509 Device Certificate", clm.DeviceCertificate, "X509 Certificate", ``},
	{"X509 User Certificate", clm.UserCertificate, "X509 Certificate", ``},
	{"X509 Code Signing Certificate", clm.CodeSigningCertificate, "X509 Certificate", `
		Owner, Pending Certificate Vault Id, Pending Private Key Vault Id, Pending Public Key Vault Id`},
	{"X509 Time Stamping Certificate", clm.AnyCertificate + "/", "X509 Certificate", ``},
	{"Client Certificate Work", "", "X509 Certificate Base", ``},
	{"Server Certificate Work", "", "X509 Certificate Base", ``},
	{"Client User Certificate Work", "", "X509 Certificate Base", ``},
	{"X509 Root Certificate", clm.RootCertificate, "Top", notices + `Certificate Vault Id, Discovered On, Trusted Status`},
	{"X509 Intermediate Root Certificate", clm.RootCertificate + "/", "X509 Root Certificate", ``},

	// certificate authorities: one class here, whose kind is a value
	{"Certificate Authority Base", clm.Authority, "Driver Base", `
		Host, Port, Credential, Template, Validity Period, Renewal Window, Retry Count, Retry Interval, Retrieval Period, Timeout, SAN Enabled,
		Specific End Date Enabled, Manual Approval, Signature Algorithm, Enhanced Key Usage, Issuing Certificate, Vault Id, Protection Key,
		Concurrent Connection Limit, Additional Field, Credits, Credits Alert, Credits Used, Test Account`},
	{"Microsoft CA", clm.Authority, "Certificate Authority Base", `
		Given Name, Include CN as SAN, Enrollment Agent Certificate, Use External MSCA Communicator`},
	{"Microsoft CA Pool", clm.Authority, "Certificate Authority Base", `
		Certificate Authority, Second Certificate Authority, Third Certificate Authority`},
	{DefaultAuthorityKind, clm.Authority, "Certificate Authority Base", `Key Usage, Enhanced Key Usage, Algorithm`},
	{"OpenSSL CA", clm.Authority, "Certificate Authority Base, Connection Base", `
		Copy Extensions, Certificate File, Private Key File, Private Key Password Credential, Configuration File, Certificate Directory,
		Temp Directory, Connection Timeout`},
	{"RSA Keon CA", clm.Authority, "Certificate Authority Base", ``},
	{"Entrust Security Manager CA", clm.Authority, "Certificate Authority Base", ``},
	{"Out Of Band CA", clm.Authority, "Certificate Authority Base", ``},
	{"UniCERT CA", clm.Authority, "Certificate Authority Base", ``},
	{"Xolphin CA", clm.Authority, "Certificate Authority Base", ``},
	{"Comodo CCM", clm.Authority, "Certificate Authority Base", `Customer Login URI, Organization, Secret Key`},
	{"GeotrustTrueFlex CA", clm.Authority, "Certificate Authority Base", ``},
	{"HTTP CA Base", "", "Certificate Authority Base", proxy},
	{"Adaptable CA", clm.Authority, "HTTP CA Base", script + oauth + `
		Interoperability Script, Service Address, Profile String, Allow Reissue, Certificate Credential, Connection Valid, Custom Fields,
		Renewal Window, Retry After Script Hash Mismatch`},
	{"Amazon CA", clm.Authority, "HTTP CA Base", ``},
	{"Comodo CA", clm.Authority, "HTTP CA Base", ``},
	{"DigiCert CA", clm.Authority, "HTTP CA Base", `
		API Credentials, API Key, Account Number, Account Organization, Allow Reissue, Certificate Transparency, Division, EV Allowed,
		EV Enabled, Manual Approval, Organizational Unit, Profile ID, Renewal Window, SAN Enabled, UC Allowed, Wildcard Allowed`},
	{"EntrustNET CA", clm.Authority, "HTTP CA Base", `
		Allow Reissue, Certificate Block, Certificate Transparency, Enhanced Key Usage, Interval, Organization, Retrieval Period,
		Use Default Organization, Username Credential, Web Service URL`},
	{"Entrust PKI Gateway", clm.Authority, "HTTP CA Base", ``},
	{"GlobalSign MSSL CA", clm.Authority, "HTTP CA Base", ``},
	{"Google Cloud CA", clm.Authority, "HTTP CA Base", ``},
	{"HydrantId CA", clm.Authority, "HTTP CA Base", ``},
	{"HydrantIdv2 CA", clm.Authority, "HTTP CA Base", ``},
	{"Geotrust CA", clm.Authority, "HTTP CA Base", ``},
	{"Geotrust Enterprise CA", clm.Authority, "HTTP CA Base", ``},
	{"Keynectis Sequoia CA", clm.Authority, "HTTP CA Base", ``},
	{"OpenTrust PKI CA", clm.Authority, "HTTP CA Base", ``},
	{"QuoVadis CA", clm.Authority, "HTTP CA Base", ``},
	{"Redhat CA", clm.Authority, "HTTP CA Base", ``},
	{"Symantec LHK CA", clm.Authority, "HTTP CA Base", ``},
	{"Thawte SPKI CA", clm.Authority, "HTTP CA Base", ``},
	{"Trustwave CA", clm.Authority, "HTTP CA Base", ``},
	{"VeriSign CA", clm.Authority, "HTTP CA Base", ``},
	{"Verizon CA", clm.Authority, "HTTP CA Base", ``},
	{"zOS CA", clm.Authority, "HTTP CA Base", ``},

	// drivers of the server itself
	{"Identity Driver", "", "Driver Base", ``},
	{"ActiveDirectory Identity Driver", "", "Identity Driver", ``},
	{"LDAP Identity Driver", "", "Identity Driver", ``},
	{"Encryption Driver", "", "Driver Base", ``},
	{"DPAPI Encryption Driver", "", "Encryption Driver", ``},
	{"Null Encryption Driver", "", "Encryption Driver", ``},
	{"Pkcs11 Encryption Driver", "", "Encryption Driver", `Credential`},
	{"Credential Driver Base", "", "Driver Base", ``},
	{"Report Base", "", "Driver Base", ``},
	{"Agent Driver Base", "", "Driver Base", ``},
	{"Layout Driver Base", "", "Driver Base", ``},

	// credentials
	{"Credential Base", clm.Credential, "Top", notices + `Vault Id, Expiration, Shared, Protection Key, Last Notification`},
	{"Username Password Credential", credential, "Credential Base", `Username`},
	{"CyberArk Username Password Credential", credential + "usernamepasswordcredential/", "Username Password Credential", `
		Account Name, Application ID, Folder, Safe, Username`},
	{"Password Credential", credential, "Credential Base", ``},
	{"CyberArk Password Credential", credential + "passwordcredential/", "Password Credential", `Account Name, Application ID, Folder, Safe`},
	{"Certificate Credential", credential, "Credential Base", `Certificate`},
	{"Private Key Credential", credential, "Credential Base", `Username`},
	{"Generic Credential", credential, "Credential Base", ``},
	{"Generational Credential", credential, "Credential Base", ``},
	{"Amazon Credential", credential, "Credential Base", `
		Authentication Credential, Authentication Source, EC2 Assigned Role, Region Code, Role, Web Service URL`},
	{"Google Credential", credential, "Credential Base", ``},
	{"Automatic Password Credential", credential, "Credential Base", ``},
	{"Adaptable Credential", credential, "Credential Base", `
		Credential Connector, Credential Type, Option 1, Option 2, Password 1, Text Field 1, Text Field 2, Text Field 3, Text Field 4,
		Text Field 5`},

	// approvals
	{"Workflow", clm.Workflow, "Top", `Rule, Rule Vault Id`},
	{"Adaptable Workflow", clm.Workflow + "/", "Workflow", script + oauth + `
		PowerShell Script, Credential, Service Address, Adaptable Workflow Text Field 1, Adaptable Workflow Text Field 2,
		Adaptable Workflow Text Field 3, Adaptable Workflow Text Field 4, Adaptable Workflow Text Field 5,
		Adaptable Workflow Text Field 6, Adaptable Workflow Text Field 7, Adaptable Workflow Text Field 8,
		Adaptable Workflow Text Field 9, Adaptable Workflow Text Field 10, Adaptable Workflow Text Field 11,
		Adaptable Workflow Text Field 12`},
	{"Workflow Container", "", "Top", ``},
	{"Workflow Ticket", clm.Ticket, "Top", `
		Owner Object, Workflow, Approval Reason, Approval Explanation, Approval From, Status, Creation Date, Last Update, Updated By,
		Scheduled Start, Scheduled Stop, Suspended Attribute, User Data, Notified On, Last Notification, Approver Not Found Timestamp`},

	// custom fields: one class here, whose kind is a value
	{"Metadata Base", clm.CustomField, "Top", `
		Label Text, Help Text, Associated Classes, Category, Allowed Values, Default Values, Mandatory, Policyable, Render Hidden,
		Render Read Only, Localization, Not Before`},
	{"Metadata Text", clm.CustomField, "Metadata Base", `
		Regular Expression, Mask, Allowed Characters, Minimum Length, Maximum Length, Error Message`},
	{"Metadata List", clm.CustomField, "Metadata Base", `Single`},
	{choice, clm.CustomField, "Metadata Base", `Single`},
	{"Metadata DateTime", clm.CustomField, "Metadata Base", `Date Only`},
	{"Metadata Identity", clm.CustomField, "Metadata Base", `Single`},
	{"Metadata Category", container, "Top", ``},
	{"Metadata Container", container, "Top", ``},

	// engines
	{"Venafi Platform", clm.Engine, "Proxy Base, Top, Zone Base", `
		ACME FQDN, Aperture FQDN, AuthServer FQDN, HSM FQDN, KeyServer FQDN, Portal FQDN, SCEP FQDN, TimeStampServer FQDN, VEDClient FQDN,
		WebAdmin FQDN, WebSDK FQDN, Minimum Threads, Maximum Threads, Maximum Highest Priority Threads,
		Maximum Above Normal Priority Threads, Maximum Normal Priority Threads, Maximum Below Normal Priority Threads,
		Maximum Low Priority Threads, Certificate Origin, Log Server, Log Target, Log Debug, Processing Enabled, Standby Mode,
		AWS EC2 Role Authorized Identities, Options, Client ID, Display Name, Heartbeat Interval, Interval, Start Time, Check CRL,
		Certificate Verification, Operational Certificate DN, Private Key Vault Id, Time Stamping Certificate DN, Upgrade Details,
		Upgrade Status, Migration Task, Scep Allowed Identities, Scep Certificate Authority, Scep Challenge Password,
		Scep Encryption Certificate Authority, Scep Encryption RA Certificate, Scep Intune Application Id, Scep Intune Application Secret,
		Scep Intune Tenant Name, Scep Maximum Ndes Challenges, Scep Ndes Challenge Validity, Scep Object Container, Scep Options,
		Scep RA Certificate, Scep Signing Certificate Authority, Scep Signing RA Certificate`},
	{"Service Module", clm.Module, "Top", `Driver Name, Driver Arguments, Heartbeat Interval, Interval, Started By`},
	{"Certificate Manager", module, "Service Module", notices + `
		Certificate API ToDo Timeout, Certificate Retrieve Cache, Renewal Window, Renewal Window Event, Revocation Check Disabled,
		Minimum Threads, Maximum Threads, Start Time, CDP AIA Verification Disabled, Service Module Classes, Trust Store Management Disabled`},
	{"Certificate Revocation", module, "Service Module", `
		OCSP Concurrent Connection Limit, OCSP Concurrent Request Limit, CA Issuer Monitor Disabled`},
	{"Monitoring Module", module, "Service Module", `Start Time`},
	{"Validation Manager", module, "Service Module", `Start Time`},
	{"Discovery Module", module, "Service Module", ``},
	{"Reporting Module", module, "Service Module", ``},
	{"Auto Layout Manager", module, "Service Module", ``},
	{"Bulk Provisioning Manager", module, "Service Module", `Retry Interval`},
	{"CA Import Manager", module, "Service Module", ``},
	{"Certificate Pre-Enrollment", module, "Service Module", ``},
	{"Cloud Instance Monitor", module, "Service Module", ``},
	{"Key Manager", module, "Service Module", ``},
	{"Onboard Discovery Manager", module, "Service Module", ``},
	{"SSH Manager", module, "Service Module", notices},
	{"SSH Certificate Manager", module, "Service Module", ``},
	{"TrustNet Manager", module, "Service Module", ``},
	{"Code Sign Manager", module, "Service Module", ``},

	// keys and SSH
	{"Key Base", clm.Key, "Monitoring Base, Top", `
		Algorithm, Approver, Consumers, Disable Automatic Renewal, In Error, Internet EMail Address, Key Storage Location, Last Evaluated On,
		Last Renewed By, Last Renewed On, Management Type, Origin, PKIX Parameter Set, Private Key Vault Id, Status`},
	{"Key Pair", "", "Key Base", `Created By, Key Usage, Owner, Original Creation Date, Public Key Vault Id`},
	{"SSH CA Key Pair", clm.SSHKeyPair, "Key Pair", `Fingerprint SHA256`},
	{"SSH CA Template", clm.SSHTemplate, "Top", `
		Allow Private Key Reuse, Allow To Specify Certificate Identifier On Request, Allow To Specify Extensions On Request,
		Allow To Specify Force Command On Request, Allow To Specify Principals On Request, Allow To Specify Source Addresses On Request,
		Allowed Custom Extensions, Allowed Extension, Allowed Forced Command Pattern, Allowed Principal Pattern,
		Allowed Private Key Algorithm, Allowed Source Address, Certificate Container, Certificate Identifier,
		Certificate Issuance Timeout Before Returning Pending Response, Certificate Object Naming Pattern, Certificate Type, Extension,
		Fingerprint SHA256, Force Command, Hash Algorithm, Include Issued Certificate In Request, Key Algorithm, Key ID Format, Maximum Age,
		Principal, Public Signing Key Vault Id, SSH Certificate Issuance Flow, Signing Key Algorithm, Signing Key DN, Source Address,
		Use Certificate Object Naming Pattern`},
	{"SSH Certificate Base", clm.SSHCertificate, "Monitoring Base, Top", `
		Certificate Identifier, Certificate Vault Id, Destination Address, Error Message, Extension, Force Command, Hash Algorithm, In Error,
		Key Algorithm, Key ID, Management Type, Origin, Originating IP, Principal, Private Key Vault Id, Private Signing Key Vault Id,
		Public Key Hash, Public Key Vault Id, Requested By, SSH CA Template DN, SSH Certificate Issuance Flow, Serial,
		Signing Key Fingerprint SHA256, Source Address, Stage, Status, Valid From, Valid To, Validity Period`},
	{"SSH Client Certificate", clm.SSHCertificate + "/", "SSH Certificate Base", ``},
	{"SSH Host Certificate", clm.SSHCertificate + "/", "SSH Certificate Base", ``},

	// logging
	{"Log Channel", "", "Top", `Configuration, Driver Arguments`},
	{"Log File", "", "Log Channel", `Expiration, Language, Log Directory`},
	{"Log SMTP", "", "Log Channel", `Host, Port, Credential`},
	{"Log SNMP", "", "Log Channel", `Host, Port`},
	{"Log Splunk", "", "Log Channel", `Host, Port, Credential, Index, Source`},
	{"Log Syslog", "", "Log Channel", `Host, Port, Credential, Enable TLS`},
	{"Log SQL Channel", "", "Log Channel", `DSN, DSN Vault Id`},
	{"Log MSSQL", "", "Log SQL Channel", ``},
	{"Log Adaptable", "", "Log Channel", script + `PowerShell Script`},
	{"Log Filter", "", "Log Channel", `Filter IDs, Filter Severity, Log Channel`},
	{"Log Notification", "", "Top", ``},
	{"License", "", "Top", ``},
}
