package tpp

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// A file is a certificate as it is handed out.
type file struct {
	name string
	mime string
	data []byte
}

// A format is one of the forms in which certificates are handed out.
type format struct {
	name       string
	mime       string
	extension  string
	withKey    string // the extension with the private key inside
	keyOnRenew bool   // Renew includes the key unless told otherwise
	encode     func(pki.Bundle, bool) ([]byte, error)
}

// formats are those of the vendor's page of POST Certificates/Retrieve, under
// their names in lower case without blanks: clients spell them as they like.
// A format without encode is not offered yet.
var formats = map[string]format{
	"base64": {name: "Base64", mime: "application/x-pem-file", extension: ".cer", withKey: ".pem",
		encode: func(b pki.Bundle, rootFirst bool) ([]byte, error) {
			return pki.EncodePEM(b, pki.PEMOptions{RootFirst: rootFirst})
		}},
	"base64(pkcs#8)": {name: "Base64 (PKCS #8)", mime: "application/x-pem-file", extension: ".cer", withKey: ".pem", keyOnRenew: true,
		encode: func(b pki.Bundle, rootFirst bool) ([]byte, error) {
			return pki.EncodePEM(b, pki.PEMOptions{PKCS8: true, RootFirst: rootFirst})
		}},
	"der":     {name: "DER", mime: "application/x-x509-ca-cert"},
	"pkcs#7":  {name: "PKCS #7", mime: "application/x-pkcs7-certificates"},
	"pkcs#12": {name: "PKCS #12", mime: "application/x-pkcs12"},
	"jks":     {name: "JKS", mime: "application/octet-stream"},
}

// defaultFormat is that of calls that name none.
const defaultFormat = "Base64"

// longestWait is the longest that a call may wait.
const longestWait = 120 * time.Second

// output is what Request, Renew and Retrieve take to say in which form they want
// the certificate, and how long they would wait for it.
type output struct {
	Format            lenient.String
	Password          secret.Plain
	IncludePrivateKey lenient.Bool
	IncludeChain      lenient.Bool
	FriendlyName      lenient.String
	RootFirstOrder    lenient.Bool
	KeystorePassword  secret.Plain
	WorkToDoTimeout   lenient.Int
}

// format finds the format that is asked for, and its name as it was sent.
func (o *output) format() (f format, asSent string, known bool) {
	asSent = o.Format.Trimmed()
	if asSent == "" {
		asSent = defaultFormat
	}
	f = formats[strings.ToLower(strings.ReplaceAll(asSent, " ", ""))]
	return f, asSent, f.encode != nil
}

// key says whether the private key is to come along. A key that only the default
// of Renew asks for is left out quietly where it cannot be had.
func (o *output) key(renewing bool) (wanted, ifAny bool) {
	f, _, _ := o.format()
	if o.IncludePrivateKey.Set {
		return o.IncludePrivateKey.Value, false
	}
	return false, renewing && f.keyOnRenew && !o.Password.IsEmpty()
}

// check looks at the members, in the order in which they are refused. keyless
// says that the certificate will not have a private key here.
func (o *output) check(p clm.Path, renewing, keyless bool) error {
	_, asSent, known := o.format()
	wanted, ifAny := o.key(renewing)
	switch {
	case o.WorkToDoTimeout.Wrong != "", o.WorkToDoTimeout.Value < 0:
		return clm.Fail(clm.Invalid, fieldTimeout, o.WorkToDoTimeout.Wrong)
	case !known:
		return clm.Fail(clm.Invalid, fieldFormat, asSent)
	case wanted && o.Password.IsEmpty():
		return clm.Fail(clm.Invalid, fieldNoPassword, "")
	case wanted && keyless:
		return clm.NoKey
	case (wanted || ifAny) && !p.Value(clm.AnyPassword).IsOn() && !pki.IsStrongPassword(o.Password.Reveal()):
		return clm.Fail(clm.Invalid, fieldWeak, "")
	}
	return nil
}

// encode makes the file.
func (o *output) encode(i core.Issued) (file, error) {
	f, _, _ := o.format()
	b := pki.Bundle{Cert: i.Version.Cert, Key: i.Key, Password: o.Password.Reveal(), FriendlyName: o.FriendlyName.Value}
	if o.IncludeChain.Value {
		b.Chain = i.Chain
	}
	data, err := f.encode(b, o.RootFirstOrder.Value)
	if err != nil {
		return file{}, fmt.Errorf("encode as %s: %w", f.name, err)
	}
	extension := f.extension
	if i.Key != nil {
		extension = f.withKey
	}
	return file{name: fileName(i) + extension, mime: f.mime, data: data}, nil
}

// members are those of a reply that brings a certificate.
func (o *output) members(f file) map[string]any {
	_, asSent, _ := o.format()
	return map[string]any{"CertificateData": base64.StdEncoding.EncodeToString(f.data), "Filename": f.name, "Format": asSent}
}

// fileName is the certificate's common name or else its first DNS name or else
// the name of its place, in characters that every file system takes.
func fileName(i core.Issued) string {
	name := i.Place.DN.Name()
	if cn := pki.CommonName(i.Version.Cert); cn != "" {
		name = cn
	} else if cert, err := x509.ParseCertificate(i.Version.Cert); err == nil && len(cert.DNSNames) > 0 {
		name = cert.DNSNames[0]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`*\/:?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
}

// asked is how long the call itself would wait, longestWait at most.
func (o *output) asked() time.Duration {
	return time.Duration(min(o.WorkToDoTimeout.Value, int(longestWait/time.Second))) * time.Second
}

// wait is how long the call would wait for the work: what it says, else what the
// installation says; never longer than longestWait. The member is good, or check
// would have refused it.
func (a *api) wait(c *call, o *output) (time.Duration, error) {
	if o.WorkToDoTimeout.Set {
		return o.asked(), nil
	}
	most, err := a.core.DefaultWait(c.Context())
	return min(most, longestWait), err
}

// await waits for the work as long as the call would, and then fetches the
// certificate. done is false while there is none; stood says how far the work
// has come then, or why it has stopped.
func (a *api) await(c *call, o *output, acc core.Accepted, most time.Duration, renewing bool) (f file, stood progress, done bool, err error) {
	open, err := a.core.Wait(c.Context(), acc.Work, most)
	if err != nil || isOpen(&open) {
		return file{}, progressOf(&open), false, err
	}
	wanted, ifAny := o.key(renewing)
	issued, err := a.core.Retrieve(c.Context(), c.who(), core.Retrieve{DN: string(acc.DN), WithKey: wanted, KeyIfAny: ifAny})
	if err != nil {
		return file{}, progress{}, false, err
	}
	if isOpen(issued.Open) || issued.Version.ID != acc.Version { // somebody has asked for another one in between
		return file{}, progress{}, false, nil
	}
	f, err = o.encode(issued)
	return f, progress{}, err == nil, err
}
