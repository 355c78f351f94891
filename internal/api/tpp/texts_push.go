package tpp

import "github.com/certwright/certwright/internal/clm"

// The texts of the page POST Certificates/Push. Push shares them with Associate and
// Dissociate, and each uses some of its own.

// linkWords are those that all three have.
var linkWords = words{
	{clm.Invalid, fieldMissingDN}:       {text: "Invalid request. Certificate DN (CertificateDN) is missing."},
	{clm.Invalid, "applications"}:       {text: "Invalid request. Application DN (ApplicationDN) data is missing."},
	{clm.Limited, ""}:                   {text: "Invalid request. Application DN (ApplicationDN) names more than {value} applications."},
	{clm.Invalid, "application"}:        {text: "Invalid Application DN. Application DN is null or contains white spaces for (ApplicationDN)."},
	{clm.Invalid, ""}:                   {text: textNoPlace},
	{clm.NotFound, ""}:                  {text: textNoPlace},
	{clm.NotFound, "application"}:       {text: "Invalid Application DN. Application object with Distinguished Name {subject} does not exist or you do not have access to it."},
	{clm.Denied, ""}:                    {text: "Permissions error. You do not have Write permission to the Certificate DN {subject}."},
	{clm.Denied, "application"}:         {text: "Permissions error. You do not have Write or Associate permission to the Application {subject}."},
	{clm.Unsupported, "certificate"}:    {text: "Certificate object error. {value} is not a Certificate object of DN {subject}."},
	{clm.Unsupported, "application"}:    {text: "Application object error. {value} is not an Application object of DN {subject}."},
	{clm.Unwritten, "certificate/read"}: {text: "Class read error. Failed to retrieve the Certificate object."},
	{clm.Unwritten, "application/read"}: {text: "Application object error. Failed to retrieve Application object {subject}."},
	{clm.Unwritten, "consumers"}:        {text: "Config error. Failed to update Certificate {subject} consumers. DriverDatabaseError"},
	{clm.Unwritten, "application"}:      {text: "Config error. Failed to clear certificate attribute for Application {subject}. DriverDatabaseError"},
	{clm.Exists, "bound"}:               {text: "Application {subject} is associated with a different certificate {value}."},
	{clm.Exists, fieldUnseen}:           {text: "Application {subject} is associated with a different certificate."},
}

// startWords are about why a certificate is not installed.
var startWords = words{
	{clm.Unsupported, "type"}:           {text: "Certificate wrong type. The Certificate object of DN {subject} is a {value} and does not support provisioning."},
	{clm.Unsupported, fieldUserType}:    {text: "Certificate wrong type. The Certificate object of DN {subject} is an {value} and does not support provisioning."},
	{clm.Unsupported, fieldSigningType}: {text: "Certificate wrong type. The Certificate object of DN {subject} is an {value} and does not support provisioning."},
	{clm.Disabled, ""}:                  {text: "Certificate is disabled. Certificate {subject} processing is disabled."},
	{clm.InError, ""}:                   {text: "Certificate is in error. Certificate {subject} is in an error state."},
	{clm.Busy, "queued"}:                {text: textElsewhere},
	{clm.Busy, ""}:                      {text: "Invalid Certificate stage. Certificate {subject} stage is {value}. The stage must be empty or have a value of 800."},
	{clm.NotIssued, ""}:                 {text: "Invalid certificate data. Certificate object {subject} does not contain certificate data."},
	{clm.Denied, "application/read"}:    {text: "Permissions error. You do not have Read permission to the Application {subject}."},
	{clm.Unsupported, "driver"}:         {text: "Application class error. The Application {subject} has type Application Base and does not support provisioning."},
	{clm.NotFound, "bound"}:             {text: "Application error. The Application {subject} is not associated with the certificate."},
	{clm.Disabled, "application"}:       {text: "Application disabled. The Application {subject} processing is disabled."},
	{clm.InError, "application"}:        {text: "Application in error. The Application {subject} is in error state."},
	{clm.Busy, "application"}:           {text: "Application stage error. The Application {subject} is in stage {value}."},
	{clm.NoKey, "application"}:          {text: "Application requires private key. The Application {subject} requires a private key for associated certificate."},
	{clm.Busy, "application/queued"}:    {text: textNoStart},
	{clm.Unwritten, "work"}:             {text: textNoStart},
	{clm.Unnecessary, ""}:               {text: "There are no applications to push. Check warning for details."},
}

const (
	textNoPlace   = "Invalid Certificate DN. Certificate Distinguished Name {subject} does not exist or you do not have access to it."
	textNoStart   = "Provisioning error. Failed to start provisioning ToDo for Application {subject}."
	textElsewhere = "WorkToDo is running on another process. Certificate {subject} failed to push to a new Application object."
)

var pushing = operation{success: true, words: union(linkWords, startWords)}

var associating = operation{success: true, words: union(linkWords, startWords, words{
	{clm.Busy, ""}:               {text: textElsewhere},
	{clm.Unsupported, "driver"}:  {text: "Application type error. Application {subject} has type Application Base and does not support provisioning."},
	{clm.InError, "application"}: {text: "Application object error. Application {subject} is in an error state."},
})}

var dissociating = operation{success: true, words: union(linkWords, words{
	{clm.Invalid, ""}:             {text: "Could not find {subject}."},
	{clm.NotFound, ""}:            {text: "Could not find {subject}."},
	{clm.NotFound, "bound"}:       {text: "Dissociate error. Certificate {value} is not currently associated with the application {subject}."},
	{clm.Denied, "orphan"}:        {text: "Permissions error. You do not have Delete permission to the orphan Application {subject}."},
	{clm.Denied, "orphan/device"}: {text: "Permissions error. You do not have Delete permission to the orphan Device {subject}."},
	{clm.Denied, "orphan/unseen"}: {text: "Access error. You do not have access to orphan Device {subject}."},
})}
