package tpp

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"regexp"
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
	name      string
	mime      string
	extension string
	withKey   string // the extension with the private key inside, where it is another
	key       keyRule
	isStore   bool     // it has a password of its own, and its entries have names
	cipher    clm.Attr // the setting with the encryption of its keys; empty where there is no choice
	encode    func(pki.Bundle, encoding) ([]byte, error)
}

// A keyRule says when a format brings the private key along.
type keyRule int

const (
	keyNever    keyRule = iota // whatever the call says
	keyAsked                   // when the call asks for it
	keyOnRenew                 // when the call asks; Renew asks by itself, if there is a password
	keyIfHeld                  // when there is one, unless the call says no
	keyRequired                // always: without a key there is no such file
)

// encoding is what formats want to know beside the bundle.
type encoding struct {
	rootFirst     bool
	cipher        pki.Cipher
	storePassword []byte
}

// formats are those of the vendor's page of POST Certificates/Retrieve, under
// their names in lower case without blanks: clients spell them as they like.
var formats = map[string]format{
	"base64": {name: "Base64", mime: "application/x-pem-file", extension: ".cer", withKey: ".pem", key: keyAsked,
		encode: func(b pki.Bundle, e encoding) ([]byte, error) {
			return pki.EncodePEM(b, pki.PEMOptions{RootFirst: e.rootFirst})
		}},
	"base64(pkcs#8)": {name: "Base64 (PKCS #8)", mime: "application/x-pem-file", extension: ".pem", key: keyOnRenew,
		cipher: clm.KeyCipher,
		encode: func(b pki.Bundle, e encoding) ([]byte, error) {
			return pki.EncodePEM(b, pki.PEMOptions{PKCS8: true, RootFirst: e.rootFirst, Cipher: e.cipher})
		}},
	"der": {name: "DER", mime: "application/x-x509-ca-cert", extension: ".cer",
		encode: func(b pki.Bundle, _ encoding) ([]byte, error) { return b.Cert, nil }},
	"pkcs#7": {name: "PKCS #7", mime: "application/x-pkcs7-certificates", extension: ".p7b",
		encode: func(b pki.Bundle, e encoding) ([]byte, error) { return pki.EncodePKCS7(b, e.rootFirst) }},
	"pkcs#12": {name: "PKCS #12", mime: "application/x-pkcs12", extension: ".p12", key: keyRequired, cipher: clm.PKCS12Cipher,
		encode: func(b pki.Bundle, e encoding) ([]byte, error) { return pki.EncodePKCS12(b, e.cipher) }},
	"jks": {name: "JKS", mime: "application/octet-stream", extension: ".jks", key: keyIfHeld, isStore: true,
		encode: func(b pki.Bundle, e encoding) ([]byte, error) { return pki.EncodeJKS(b, e.storePassword) }},
}

// defaultFormat is that of calls that name none.
const defaultFormat = "Base64"

// maxFriendlyName is the longest friendly name, in bytes.
const maxFriendlyName = 1000

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

	EncryptionAlgorithm lenient.String // an OID
	waiting
}

// format finds the format that is asked for, and its name as it was sent.
func (o *output) format() (f format, asSent string, known bool) {
	asSent = o.Format.Trimmed()
	if asSent == "" {
		asSent = defaultFormat
	}
	f, known = formats[formatKey(asSent)]
	return f, asSent, known
}

// formatKey is a format's name as the table has it: clients leave out the sign or
// put blanks where they like.
func formatKey(name string) string {
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	return numberSign.ReplaceAllString(name, "pkcs#$1")
}

var numberSign = regexp.MustCompile(`pkcs#?(\d)`)

// key says whether the private key is to come along. A key that the call itself
// has not asked for is left out quietly where it cannot be had.
func (o *output) key(renewing bool) (wanted, ifAny bool) {
	f, _, _ := o.format()
	asked := o.IncludePrivateKey
	switch {
	case f.key == keyRequired:
		return true, false
	case f.key == keyNever:
		return false, false
	case asked.Set:
		return asked.Value, false
	}
	return false, f.key == keyIfHeld || f.key == keyOnRenew && renewing && !o.Password.IsEmpty()
}

// check looks at the members, in the order in which they are refused. keyless
// says that the certificate will not have a private key here.
func (o *output) check(p clm.Path, renewing, keyless bool) error {
	f, asSent, known := o.format()
	wanted, ifAny := o.key(renewing)
	// Only a folder can allow weak passwords: they protect more than one certificate.
	anyPassword := p[:len(p)-1].ValueFor(p.Last().Class, clm.AnyPassword).IsOn()
	isWeak := func(s secret.Plain) bool { return !s.IsEmpty() && !anyPassword && !pki.IsStrongPassword(s.Reveal()) }
	_, cipherErr := o.cipher(p)
	switch {
	case o.waiting.check() != nil:
		return o.waiting.check()
	case !known:
		return clm.Fail(clm.Invalid, fieldFormat, asSent)
	case len(o.FriendlyName.Trimmed()) > maxFriendlyName:
		return clm.Fail(clm.Invalid, fieldLongName, "")
	case f.isStore && o.FriendlyName.Trimmed() == "":
		return clm.Fail(clm.Invalid, fieldNoAlias, "")
	case f.isStore && o.KeystorePassword.IsEmpty():
		return clm.Fail(clm.Invalid, fieldNoStorePassword, "")
	case wanted && !f.isStore && o.Password.IsEmpty():
		return clm.Fail(clm.Invalid, fieldNoPassword, "")
	case cipherErr != nil:
		return cipherErr
	case wanted && keyless:
		return clm.NoKey
	case (wanted || ifAny) && isWeak(o.Password), f.isStore && isWeak(o.KeystorePassword):
		return clm.Fail(clm.Invalid, fieldWeak, "")
	}
	return nil
}

// cipher is how the private key is encrypted: as the call says, else as the
// certificate's setting says, if that makes sense.
func (o *output) cipher(p clm.Path) (pki.Cipher, error) {
	f, _, _ := o.format()
	if f.cipher == "" {
		return 0, nil
	}
	if asked := o.EncryptionAlgorithm.Trimmed(); asked != "" {
		c, err := pki.ParseCipher(asked)
		if err != nil {
			return 0, clm.Fail(clm.Invalid, fieldCipher, asked)
		}
		return c, nil
	}
	c, err := pki.ParseCipher(p.Value(f.cipher).First())
	if err != nil {
		c = 0
	}
	return c, nil
}

// encode makes the file.
func (o *output) encode(i core.Issued) (file, error) {
	f, _, _ := o.format()
	b := pki.Bundle{Cert: i.Version.Cert, Key: i.Key, Password: o.Password.Reveal(), FriendlyName: o.FriendlyName.Trimmed()}
	if f.key == keyRequired && b.FriendlyName == "" {
		b.FriendlyName = i.Place.DN.Name()
	}
	if o.IncludeChain.Value {
		b.Chain = i.Chain
	}
	cipher, err := o.cipher(i.Path)
	if err != nil {
		return file{}, err
	}
	data, err := f.encode(b, encoding{rootFirst: o.RootFirstOrder.Value, cipher: cipher, storePassword: o.KeystorePassword.Reveal()})
	if err != nil {
		return file{}, fmt.Errorf("encode as %s: %w", f.name, err)
	}
	extension := f.extension
	if i.Key != nil && f.withKey != "" {
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
