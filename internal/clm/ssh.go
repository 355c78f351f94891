package clm

// The classes of SSH certificates.
const (
	SSHUserCertificate Class = SSHCertificate + "/sshclientcertificate"
	SSHHostCertificate Class = SSHCertificate + "/sshhostcertificate"
)

// The settings of a template by which SSH certificates are issued. All are values of
// its own; one that says nothing has the meaning that stands beside it. Where requests
// may say something, the values of the template hold for those that do not.
const (
	SSHSigner Attr = "ssh-signer" // a reference: the key pair that signs
	SSHFolder Attr = "ssh-folder" // a reference: where the certificates stand of requests that name no folder; none: every request has to
	SSHType   Attr = "ssh-type"   // SSHForHosts, or SSHForUsers, which is the meaning too

	SSHKeyFrom     Attr = "ssh-key-from"     // who makes the key of a certificate: SSHKeyOfClient or SSHKeyOfService; "both", which is the meaning too
	SSHKeys        Attr = "ssh-keys"         // several: the algorithms that keys may have; any, if there are none
	SSHValidity    Attr = "ssh-validity"     // "8h"; a day, or SSHMaxValidity if that is less
	SSHMaxValidity Attr = "ssh-validity-max" // "90d", which is the meaning too; requests for more get this

	SSHKeyID            Attr = "ssh-key-id"                // of a certificate too; the name of the certificate's object
	SSHPrincipals       Attr = "ssh-principals"            // of a certificate too; several; none
	SSHPrincipalsIn     Attr = "ssh-principals-allowed"    // several, with the wildcards * and ?, in this very case; any. What hosts ask for has wildcards only where it is one of these
	SSHExtensions       Attr = "ssh-extensions"            // several, each a name, or name:value; none
	SSHExtensionsIn     Attr = "ssh-extensions-allowed"    // several, in the same form; a name alone allows any value; any
	SSHForceCommand     Attr = "ssh-force-command"         // any command may be run
	SSHForceCommandsIn  Attr = "ssh-force-command-allowed" // several, with the wildcards * and ?; any. Where there are some, users have a command
	SSHSourceAddresses  Attr = "ssh-source-addresses"      // several; from anywhere
	SSHSourceNetworksIn Attr = "ssh-source-allowed"        // several: the addresses and networks within which they have to be; any. They stand for SSHSourceAddresses where there are none
)

// What requests may say by themselves: "1" allows it, within what is allowed, and "0"
// forbids it. Without either they may say what the template leaves open, and what it
// has a list for of what is allowed.
const (
	SSHOwnKeyID           Attr = "ssh-own-key-id"
	SSHOwnPrincipals      Attr = "ssh-own-principals"
	SSHOwnExtensions      Attr = "ssh-own-extensions"
	SSHOwnForceCommand    Attr = "ssh-own-force-command"
	SSHOwnSourceAddresses Attr = "ssh-own-source-addresses"
)

// What is kept of key pairs and certificates. The algorithm of a key pair is its
// KeyAlgorithm, and so is that of keys which are made here by a template.
const (
	SSHPublicKey     Attr = "ssh-public-key"     // a line of type, base64 and comment
	SSHSecret        Attr = "ssh-secret"         // the number of the secret with the private key
	SSHText          Attr = "ssh-certificate"    // a line of type, base64 and key id
	SSHTemplateOf    Attr = "ssh-template"       // a reference: by which it was issued
	SSHSerial        Attr = "ssh-serial"         // decimal
	SSHValidFrom     Attr = "ssh-valid-from"     // as RFC 3339 has it
	SSHValidTo       Attr = "ssh-valid-to"       //
	SSHDestinations  Attr = "ssh-destinations"   // several: where it is to be used, as the request has it
	SSHRequestedBy   Attr = "ssh-requested-by"   // a principal
	SSHRequestedFrom Attr = "ssh-requested-from" // an IP address
)

// The values of SSHType and SSHKeyFrom, in lower case.
const (
	SSHForUsers     = "client"
	SSHForHosts     = "host"
	SSHKeyOfClient  = "client"
	SSHKeyOfService = "service"
)
