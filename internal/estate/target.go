package estate

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// bySSH is how devices are reached unless they are the machine on which the server runs.
const bySSH = "SSH"

var (
	// connectionKeys say how a device is reached, or an application otherwise than
	// its device.
	connectionKeys = []attrKey{
		{"credential", clm.CredentialOf, dnText, oneValue},
		{"connection", clm.ConnectBy, one(clm.ByLocal, bySSH), oneValue},
		{"hostKeys", clm.TrustedKeys, fingerprint, manyValues},
		{"enforceKnownHost", clm.KnownHost, flag, oneValue},
		{"sudo", clm.Sudo, flag, oneValue},
		{"timeout", clm.Timeout, number(1, MaxSeconds), oneValue},
		{"connectionLimit", clm.HostLimit, number(1, MaxConnections), oneValue},
	}

	// storeKeys say where an application has its certificate.
	storeKeys = []attrKey{
		{"certificateFile", clm.CertificateFile, line, oneValue},
		{"keyFile", clm.KeyFile, line, oneValue},
		{"chainFile", clm.ChainFile, line, oneValue},
		{"overwriteChain", clm.ReplaceChain, flag, oneValue},
		{"bundleChain", clm.BundleChain, flag, oneValue},
		{"keySyntax", clm.KeySyntax, keySyntax, oneValue},
		{"keyCredential", clm.KeyCredential, dnText, oneValue},
		{"keyStore", clm.KeyStore, line, oneValue},
		{"keyStoreCredential", clm.StoreCredential, dnText, oneValue},
		{"storeType", clm.StoreType, line, oneValue},
		{"alias", clm.StoreAlias, line, oneValue},
		{"friendlyName", clm.FriendlyName, line, oneValue},
		{"createStore", clm.CreateStore, flag, oneValue},
		{"replaceStore", clm.ReplaceStore, flag, oneValue},
		{"filePermissions", clm.OwnerRules, flag, oneValue},
		{"fileUser", clm.FileUser, line, oneValue},
		{"fileGroup", clm.FileGroup, line, oneValue},
		{"fileUserMode", clm.FileUserMode, one("0400", "0600"), oneValue},
		{"fileGroupMode", clm.FileGroupMode, one("0000", "0040", "0060"), oneValue},
		{"namespace", clm.Namespace, line, oneValue},
		{"secretName", clm.SecretName, line, oneValue},
		{"apiCA", clm.APICA, text, oneValue},
	}

	// serviceKeys say what uses the certificate.
	serviceKeys = []attrKey{
		{"serviceProgram", clm.ServiceProgram, line, oneValue},
		{"serviceConfig", clm.ServiceConfig, line, oneValue},
		{"serviceSocket", clm.ServiceSocket, line, oneValue},
		{"serviceUnit", clm.ServiceUnit, line, oneValue},
		{"serviceCredential", clm.ServiceUser, dnText, oneValue},
		{"pidFile", clm.ServicePIDFile, line, oneValue},
		{"checkCommand", clm.CheckCommand, line, oneValue},
		{"reloadCommand", clm.ReloadCommand, line, oneValue},
		{"restart", clm.Restart, flag, oneValue},
	}

	// lookKeys say where it shows the certificate.
	lookKeys = []attrKey{
		{"lookAt", clm.LookAt, lookAt, manyValues},
		{"lookTime", clm.LookTime, number(1, MaxSeconds), oneValue},
		{"disableValidation", clm.NoValidate, flag, oneValue},
		{"disableNetworkValidation", clm.NoLook, flag, oneValue},
		{"disableFileValidation", clm.NoFileLook, flag, oneValue},
	}
)

var (
	port = number(1, 65_535)

	// connectionMethod has the vendor's ways to reach devices and applications, too.
	connectionMethod = one(clm.ByLocal, bySSH, "Agent", "Agentless", "HTTPS", "WinRM", "WinRMs")
	keySyntax        = one("PKCS#1", "PKCS#8")
)

// fingerprint reads that of a host key, as ssh-keygen -l prints it.
func fingerprint(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	sum, isSHA256 := strings.CutPrefix(s, "SHA256:")
	if b, err := base64.RawStdEncoding.Strict().DecodeString(sum); !isSHA256 || err != nil || len(b) != sha256.Size {
		return "", v.fail("%q is not a fingerprint as ssh-keygen -l prints it, SHA256: and 43 characters", short(s))
	}
	return s, nil
}

// protocols are those in which a service can be looked at.
var protocols = []string{"tls", "smtp", "imap", "pop3", "ftp", "ldap", "postgresql"}

// lookAt reads where a service shows its certificate: [protocol://]host:port[/server name].
func lookAt(v value) (string, error) {
	s, err := line(v)
	if err != nil {
		return "", err
	}
	protocol, rest, isSaid := strings.Cut(s, "://")
	if !isSaid {
		protocol, rest = protocols[0], s
	}
	if !slices.Contains(protocols, protocol) {
		return "", v.fail("%q is not one of %s", short(protocol), joined(protocols))
	}
	address, name, isNamed := strings.Cut(rest, "/")
	host, at, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(at)
	_, notIP := netip.ParseAddr(host)
	isHost := notIP == nil || hostPattern.MatchString(host) && !strings.HasPrefix(host, "*")
	isName := !isNamed || hostPattern.MatchString(name) && !strings.HasPrefix(name, "*")
	if err != nil || bad != nil || n < 1 || n > 65_535 || !isHost || !isName {
		return "", v.fail("%q is not of the form [protocol://]host:port[/server name], such as smtp://mail.example.com:587", short(s))
	}
	return s, nil
}
