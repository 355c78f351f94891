package tpp

import "github.com/certwright/certwright/internal/clm"

// Texts that several operations have.
const (
	textNoCertificate = "Certificate {subject} does not exist."
	textNoFolder      = `PolicyDN error. PolicyDN: "{subject}" does not exist or you do not have sufficient rights to the object.`
	// The Import page's form of textNoFolder has no quotes.
	textNoImportFolder = "PolicyDN error. {subject} does not exist or you do not have sufficient rights to the object."
	textMissingDN      = "Missing CertificateDN."
	textNoVaultID      = "Certificate with vault id {subject} does not exist."
	textLocked         = "The attribute %s is locked by policy %s and was not changed."
	textMissing        = "Invalid CertificateDN format. The Certificate DN contained null or white spaces for (CertificateDN)."
	textUnseen         = `CertificateDN error. CertificateDN: "{subject}" does not exist or you do not have sufficient rights to the object.`
	textPending        = "Certificate processing took longer than WorkToDoTimeout. Call certificates/retrieve..."
)

// csrWords are about signing requests.
var csrWords = words{
	{clm.Invalid, fieldNotBase64}: {text: "PKCS#10 data not in base64 format; {cause}."},
	{clm.Invalid, "csr"}:          {text: "Failed to store csr; Error: InvalidParms."},
	{clm.Unwritten, "csr"}:        {text: "Failed to store csr; Error: AddSecretFailed."},
	{clm.NeedsCSR, "required"}:    {text: `PKCS#10 data required. Policy "{value}" is locked to a User Provided CSR.`, phrase: sameText},
	{clm.NeedsCSR, "refused"}:     {text: `PKCS#10 data will not be processed. Policy "{value}" is locked to a Server Generated CSR.`, phrase: sameText},
	// The misspelling is the vendor's, here and on two more of its pages.
	{clm.NeedsCSR, "origin"}: {text: "Certificate renew mismatch. Certificate {subject}, which originated from a User Provided CSR, requires a PKSC#10."},
}

// waitWords are about how long a call would wait.
var waitWords = words{{clm.Invalid, fieldTimeout}: {text: "Invalid WorkToDoTimeout. The value must be between 0 and 120."}}

// outputWords are about the form in which a certificate is to be handed out.
var outputWords = union(waitWords, words{
	{clm.Invalid, fieldFormat}:          {text: "Invalid Format. The value {value} is not supported."},
	{clm.Invalid, fieldNoPassword}:      {text: "Password is required when IncludePrivateKey is true."},
	{clm.Invalid, fieldLongName}:        {text: "Invalid FriendlyName. The value is longer than 1000 characters."},
	{clm.Invalid, fieldNoAlias}:         {text: "FriendlyName is required for the JKS format."},
	{clm.Invalid, fieldNoStorePassword}: {text: "KeystorePassword is required for the JKS format."},
	{clm.Invalid, fieldCipher}:          {text: "Invalid EncryptionAlgorithm. The value {value} is not supported."},
	{clm.Invalid, fieldWeak}:            {text: "Password does not conform to complexity requirements."},
	{clm.NoKey, ""}:                     {text: "Failed to lookup private key, error: Failed to lookup private key vault id", phrase: sameText},
	{clm.NoKey, "mismatch"}:             {text: "Failed to lookup private key, error: The private key does not match the certificate", phrase: sameText},
	{clm.Denied, "key"}:                 {text: "Failed to lookup private key, error: Insufficient permission to read the private key", phrase: sameText},
	{clm.NotIssued, ""}:                 {text: "Certificate {subject} does not have certificate data."},
})

var renewing = operation{success: true, words: union(csrWords, outputWords, words{
	{clm.Invalid, fieldMissingDN}:   {text: textMissingDN},
	{clm.Invalid, "dn"}:             {text: textNoCertificate},
	{clm.NotFound, ""}:              {text: textNoCertificate},
	{clm.Denied, ""}:                {text: textNoCertificate},
	{clm.Busy, ""}:                  {text: "Certificate {subject} is already being processed."},
	{clm.Busy, "queued"}:            {text: statusQueued},
	{clm.Busy, "csr"}:               {text: statusNoCSR},
	{clm.InError, ""}:               {text: "Certificate {subject} is in an error state and cannot be renewed."},
	{clm.Disabled, ""}:              {text: "Certificate renew error. Certificate is disabled."},
	{clm.Unmanaged, clm.Monitoring}: {text: "Certificate {subject} is only enrolled for monitoring."},
	{clm.Unmanaged, ""}:             {text: "Certificate renewal failed. Certificate {subject} has an invalid Management type: {value}."},
	{clm.Invalid, "authority"}:      {text: "Could not store renewal request on certificate {subject} InvalidAttributeDN."},
	{clm.Invalid, fieldAny}:         {text: "Need a certificate authority (CADN).\r\n"},
	{clm.Invalid, ""}:               {text: "Could not store renewal request on certificate {subject} InvalidArgument."},
	{clm.Unwritten, "disabled"}:     {text: "Failed to re-enable the certificate. Error: DriverDatabaseError."},
	{clm.Unwritten, "user-csr"}:     {text: "Failed to write manual csr; Error: DriverDatabaseError."},
	{clm.Unwritten, fieldOwnCSR}:    {text: "Certificate renew error. Failed to write Manual CSR; Error: DriverDatabaseError."},
	{clm.Unwritten, "key-size"}:     {text: "Failed to write key bit strength; Error: DriverDatabaseError."},
	{clm.Unwritten, "curve"}:        {text: "Failed to write elliptic curve; Error: DriverDatabaseError."},
	{clm.Unwritten, ""}:             {text: "Could not store renewal request on certificate {subject} DriverDatabaseError."},
})}

var requesting = operation{
	phrase: "Bad Request, check Error in response for details.",
	rules:  map[clm.RuleName]string{clm.RuleUnitForbidden: "Organizational Unit value violates policy and cannot be used.\r\n\r\n"},
	words: union(csrWords, outputWords, words{
		{clm.Invalid, "folder"}:        {text: textNoFolder},
		{clm.Invalid, "dn"}:            {text: textNoFolder},
		{clm.NotFound, ""}:             {text: textNoFolder},
		{clm.Denied, ""}:               {text: textNoFolder},
		{clm.Invalid, fieldAny}:        {text: "Need a certificate authority (CADN).\r\n"},
		{clm.Invalid, "authority"}:     {text: "Failed to write ca dn; Error: InvalidAttributeDN"},
		{clm.NotFound, "authority"}:    {text: "Failed to write ca dn; Error: InvalidAttributeDN"},
		{clm.Invalid, fieldNoName}:     {text: "An 'ObjectName' or 'Subject' is required for requesting a certificate."},
		{clm.Invalid, "name"}:          {text: "Invalid ObjectName. The value {value} is not supported."},
		{clm.Invalid, "key"}:           {text: "Invalid KeyAlgorithm, KeyBitSize or EllipticCurve. The value {value} is not supported."},
		{clm.Invalid, "key-size"}:      {text: "Invalid KeyBitSize. The value {value} is not supported."},
		{clm.Invalid, "pkix"}:          {text: "Invalid PkixParameterSet. The value {value} is not supported."},
		{clm.Invalid, "ca-attribute"}:  {text: "Invalid CASpecificAttributes. The value {value} is not supported."},
		{clm.Invalid, "management"}:    {text: "Invalid ManagementType. The value {value} is not supported."},
		{clm.Invalid, "end-date"}:      {text: "Invalid Specific End Date. The value {value} is not supported."},
		{clm.Invalid, "validity-days"}: {text: "Invalid Validity Period. The value {value} is not supported."},
		{clm.Invalid, fieldPerson}:     {text: "Invalid identity. The value {value} does not exist."},
		{clm.Invalid, "san"}:           {text: "Invalid SubjectAltNames. The value {value} is not supported."},
		{clm.Invalid, "value"}:         {text: "Invalid value. The value {value} is not supported."},
		{clm.Invalid, ""}:              {text: "Invalid Subject. The value {value} is not supported."},
		{clm.Exists, ""}:               {text: "Object class mismatch. The object with DN {subject} has wrong object class {value}."},
		{clm.Exists, "bound"}:          {text: "Application {subject} is associated with a different certificate {value}."},
		{clm.Exists, fieldUnseen}:      {text: "Application {subject} is associated with a different certificate."},
		{clm.Disabled, ""}:             {text: "Certificate request error. Certificate is disabled."},
		{clm.Unmanaged, ""}:            {text: "Certificate will not be processed. Certificate Policy Management type {value} is locked."},
		{clm.Busy, ""}:                 {text: "Certificate {subject} is already being processed."},
		{clm.Unsupported, fieldCustom}: {text: "Custom Field error. Custom Field with name {value} does not exist or is not applicable for {subject} class."},
		{clm.Unsupported, "class"}:     {text: "Invalid Class. The value {value} is not supported."},
		{clm.Denied, fieldCustom}:      {text: "Custom Field error. Custom Field {value} is locked by policy."},
		{clm.Invalid, fieldCustom}:     {text: "Custom Field error. The value {value} is not allowed for Custom Field {subject}."},
		{clm.Denied, "application"}:    {text: "Access error. Associating a certificate requires write or associate permissions for application {subject}."},
		{clm.Unwritten, ""}:            {text: "Could not store certificate request on certificate {subject} DriverDatabaseError."},
	}),
}

var retrieving = operation{words: union(outputWords, words{
	{clm.Invalid, fieldMissingDN}: {text: textMissingDN},
	{clm.Invalid, "dn"}:           {text: textNoCertificate, phrase: "Certificate does not exist."},
	{clm.NotFound, ""}:            {text: textNoCertificate, phrase: "Certificate does not exist."},
	{clm.Denied, ""}:              {text: textNoCertificate, phrase: "Certificate does not exist."},
})}

var resetting = operation{phrase: "Bad request. Check the error in the response for details.", words: union(waitWords, words{
	{clm.Invalid, fieldMissingDN}: {text: textMissing},
	{clm.Invalid, "dn"}:           {text: textUnseen},
	{clm.NotFound, ""}:            {text: textUnseen},
	{clm.Denied, ""}:              {text: "Access error. Your don't have write permissions for certificate {subject}."}, // the vendor's slip
	{clm.Busy, ""}:                {text: "Failed to lock certificate. The reset failed because the certificate is currently in use by another process. Please try again later."},
	{clm.Unmanaged, ""}:           {text: "Management Type error. The reset failed because the certificate Management Type is {value}."},
	{clm.Unnecessary, ""}:         {text: "Reset is not completed. No reset is required for the certificate."},
})}

var retrying = operation{success: true, words: union(waitWords, words{
	{clm.Invalid, fieldMissingDN}:  {text: textMissing},
	{clm.Invalid, "dn"}:            {text: textUnseen},
	{clm.NotFound, ""}:             {text: textUnseen},
	{clm.Denied, ""}:               {text: "Access error. Certificates/Retry requires write permissions for certificate {subject}."},
	{clm.Unnecessary, ""}:          {text: "Retry canceled. No retry is required for the certificate. Certificate {subject} is not in an error state."},
	{clm.Unwritten, "application"}: {text: "Failed to add work for application {subject}. Retry for this application will not occur. Failure details: DriverDatabaseError Result Code: 5."},
	{clm.Unwritten, ""}: {text: "Failed to add work for certificate {subject}. Retry for this cert and any associate applications will not occur." +
		" Failure details: DriverDatabaseError Result Code: 5."},
})}

var revoking = operation{success: true, words: union(waitWords, words{
	{clm.Invalid, fieldMissing}:  {text: "Need either CertificateDN or Thumbprint"},
	{clm.Invalid, fieldReason}:   {text: "Missing Reason."},
	{clm.Invalid, "dn"}:          {text: textNoCertificate, phrase: "Certificate does not exist."},
	{clm.NotFound, ""}:           {text: textNoCertificate, phrase: "Certificate does not exist."},
	{clm.NotFound, "owner"}:      {text: "Could not find a certificate object for the certificate with {subject}."},
	{clm.NotFound, "thumbprint"}: {text: "Could not find a certificate with the {subject} thumbprint."},
	{clm.NotFound, "vanished"}:   {text: "Could not find certificate {subject}", fault: true},
	{clm.Denied, ""}:             {text: "Failed to revoke certificate no permission."},
	{clm.NotIssued, ""}:          {text: "Certificate {subject} does not have a certificate to revoke."},
	{clm.NotIssued, "data"}:      {text: "Failed to retrieve certificate data from vault", fault: true},
	{clm.Unsupported, ""}:        {text: "Failed to request revocation."},
	{clm.Unwritten, "disable"}:   {text: "Failed to disable certificate."},
	{clm.Unwritten, "state"}:     {text: "Failed to request revocation, failed to read existing revocation state.", fault: true},
	{clm.Unwritten, "check"}:     {text: "Failed to initiate check for revocation status", fault: true},
	{clm.Unwritten, "pending"}:   {text: "Revocation submission pending. WorkToDoTimeout exceeded", fault: true},
	{clm.Unwritten, ""}:          {text: "Failed to request revocation."},
	{clm.InError, ""}:            {text: "Revocation request failed, error: {value}", fault: true},
})}

var checking = operation{words: union(csrWords, words{
	{clm.Invalid, "folder"}: {text: textNoFolder},
	{clm.Invalid, "dn"}:     {text: textNoFolder},
	{clm.NotFound, ""}:      {text: textNoFolder},
	{clm.Denied, ""}:        {text: textNoFolder},
})}

var listing = operation{members: []string{"ErrorDetails"}, words: words{
	{clm.Invalid, "boolean"}: {text: "Invalid Boolean value. The value {value} for the parameter {subject} contained spaces, a non-numeric, or a number other than zero or one."},
	{clm.Invalid, "date"}:    {text: "Invalid DateTime format. The value {value} for the parameter {subject} is not a valid ISO 8601 date."},
	{clm.Invalid, "integer"}: {text: "Invalid integer value. The value {value} for the parameter {subject} contained spaces, a non-numeric, or a number out of range."},
	{clm.Invalid, "certificate-type"}: {
		text: "Invalid Certificate type. The value {value} for the parameter {subject} failed to match any required value: Device, User, or Server."},
	{clm.Invalid, ""}: {text: "Invalid value. The value {value} is not supported."},
}}

// detailing's texts are those of GET Certificates/{guid}/ValidationResults; the
// result codes are Config's.
var detailing = operation{words: words{
	{clm.Invalid, ""}:  {text: "GUID {subject} check failed; InvalidArgument"},
	{clm.NotFound, ""}: {text: "GUID {subject} check failed; ObjectDoesNotExist"},
	{clm.Denied, ""}:   {text: "GUID {subject} check failed; InsufficientPrivileges"},
}}

// keeping's texts are those of the calls that are made by the vault id.
var keeping = operation{words: union(outputWords, words{
	{clm.Invalid, "vault-id"}: {text: textNoVaultID, phrase: "Certificate does not exist."},
	{clm.NotFound, ""}:        {text: textNoVaultID, phrase: "Certificate does not exist."},
	{clm.NotIssued, ""}:       {text: textNoVaultID, phrase: "Certificate does not exist."},
})}

var changing = operation{words: union(detailing.words, words{
	{clm.Invalid, ""}:                 {text: "Invalid value. The value {value} is not supported for the attribute {attribute}."},
	{clm.Invalid, "guid"}:             {text: "GUID {subject} check failed; InvalidArgument"},
	{clm.Invalid, fieldMissing}:       {text: "Missing {value}."},
	{clm.Invalid, fieldAttribute}:     {text: "Invalid attribute. A certificate does not have the attribute {value}."},
	{clm.Unsupported, fieldAttribute}: {text: "Read-only attribute. The attribute {value} cannot be changed."},
	{clm.Invalid, fieldCustom}:        {text: "Custom Field error. The value {value} is not allowed."},
	{clm.Invalid, "authority"}:        {text: "Failed to write ca dn; Error: InvalidAttributeDN"},
	{clm.Invalid, "renewal-window"}:   {text: "Invalid Renewal Window. The value {value} is not a number of days that is shorter than the certificate's lifetime."},
})}

var importing = operation{words: words{
	{clm.Invalid, fieldMissing}:   {text: "Missing {value}."},
	{clm.Invalid, "dn"}:           {text: textNoImportFolder},
	{clm.NotFound, ""}:            {text: textNoImportFolder},
	{clm.Denied, ""}:              {text: "Insufficient Privileges. The certificate object failed to create."},
	{clm.Invalid, "certificate"}:  {text: "Certificate processing error. The service failed to parse the certificate data."},
	{clm.Invalid, "private-key"}:  {text: "Private key processing failure. The service failed to extract the private key."},
	{clm.Invalid, "key-mismatch"}: {text: "Private key mismatch. The private key does not match the certificate."},
	{clm.Invalid, "key"}:          {text: "Certificate processing error. A key of the kind {value} is not supported."},
	{clm.Invalid, "name"}:         {text: "Invalid ObjectName. The value {value} is not supported."},
	{clm.Invalid, ""}:             {text: "Invalid CASpecificAttributes. The value {value} is not supported."},
	{clm.Exists, "certificate"}:   {text: "Reconciliation error. The certificate already exists at Certificate DN {value}."},
	{clm.Exists, ""}:              {text: "Object class mismatch. The object with DN {subject} has wrong object class {value}."},
}}
