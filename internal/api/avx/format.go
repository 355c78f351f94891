package avx

import (
	"cmp"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// The failures of handing out certificates and keys.
var (
	badFormat      = failure{http.StatusBadRequest, "INVALID_FORMAT", "Invalid format specified."}
	notIssued      = failure{http.StatusExpectationFailed, "NOT_A_VALID_CERT", "Invalid certificate."}
	weakPassword   = failure{http.StatusExpectationFailed, "PASSWORD_FORMAT_WRONG", "Password must have at least eight characters and contain at least one lowercase letter, one uppercase letter, one numeric digit, and one special character."}
	unsuitableForm = failure{http.StatusExpectationFailed, "CERT-HLST-0007", "Failed to download as the given extension is not supported."}
	noKey          = cannot("Private key is not available for the certificate.")
)

// keyRestricted is the failure of asking for a key that the caller may not read.
func keyRestricted(group string) failure {
	return failure{http.StatusExpectationFailed, "CERT-KEY-0006", "Private key access is restricted in " + group + " policy."}
}

// A wish is the form in which a certificate is to be handed out.
type wish struct {
	format     string // in any case
	password   secret.Plain
	chain      bool
	encryptKey bool // of a key by itself
}

// A form is one in which certificates are handed out.
type form struct {
	extension string
	withKey   bool            // it has the private key, and without there is no such file
	chain     bool            // it has the chain, whatever the wish says
	locked    func(wish) bool // whether the key is encrypted; nil: never
	encode    func(pki.Bundle, wish) ([]byte, error)
}

// forms are all forms, by their names in upper case.
var forms = map[string]form{
	"CRT":    {extension: "crt", encode: asPEM},
	"CERT":   {extension: "cert", encode: asPEM},
	"CER":    {extension: "cer", encode: asPEM},
	"PEM":    {extension: "pem", encode: asPEM},
	"DER":    {extension: "der", encode: asDER},
	"DERCER": {extension: "cer", encode: asDER},
	"P7B":    {extension: "p7b", chain: true, encode: func(b pki.Bundle, _ wish) ([]byte, error) { return pki.CertificatesPKCS7(b) }},
	"P7C":    {extension: "p7c", chain: true, encode: func(b pki.Bundle, _ wish) ([]byte, error) { return pki.EncodePKCS7(b, false) }},
	"PK8":    {extension: "pk8", withKey: true, locked: func(w wish) bool { return w.encryptKey }, encode: asKey},
	"P12":    {extension: "p12", withKey: true, chain: true, locked: always, encode: asPKCS12},
	"PFX":    {extension: "pfx", withKey: true, chain: true, locked: always, encode: asPKCS12},
	"JKS":    {extension: "jks", withKey: true, chain: true, locked: always, encode: asJKS},
}

func always(wish) bool { return true }

// asPEM is PEM, the leaf first; a key that is there stands at the end, in the clear.
func asPEM(b pki.Bundle, _ wish) ([]byte, error) {
	text := pki.CertificatesPEM(slices.Concat([][]byte{b.Cert}, b.Chain)...)
	if b.Key == nil {
		return text, nil
	}
	key, err := pki.KeyPEM(b.Key, nil)
	return append(text, key...), err
}

func asDER(b pki.Bundle, _ wish) ([]byte, error) {
	return slices.Concat(b.Cert, slices.Concat(b.Chain...)), nil
}

func asKey(b pki.Bundle, w wish) ([]byte, error) {
	if !w.encryptKey {
		return pki.KeyPEM(b.Key, nil)
	}
	return pki.KeyPEM(b.Key, b.Password)
}

func asPKCS12(b pki.Bundle, _ wish) ([]byte, error) { return pki.EncodePKCS12(b, pki.AES256) }

func asJKS(b pki.Bundle, _ wish) ([]byte, error) { return pki.EncodeJKS(b, b.Password) }

// form finds the form that is wished. It fails where there is none of the name.
func (w wish) form() (f form, refused *failure) {
	name := strings.ToUpper(strings.TrimSpace(w.format))
	if name == "" {
		return f, new(mandatory("format"))
	}
	f, known := forms[name]
	if !known {
		return f, &badFormat
	}
	return f, nil
}

// checkPassword finds what is wrong with the password, of a form that is locked with one.
// The path is that of the certificate, if it is known: a folder can allow any password.
func (w wish) checkPassword(path clm.Path) *failure {
	f, refused := w.form()
	if refused != nil || f.locked == nil || !f.locked(w) {
		return refused
	}
	anyPassword := len(path) > 1 && path[:len(path)-1].ValueFor(path.Last().Class, clm.AnyPassword).IsOn()
	if anyPassword && !w.password.IsEmpty() {
		return nil
	}
	return mayLock(w.password)
}

// check finds what is wrong with the wish before anything is looked up, and says whether
// the form holds the private key. Where something is looked up first, form and then
// checkPassword do the same in two steps.
func (w wish) check() (needsKey bool, refused *failure) {
	f, refused := w.form()
	if refused == nil {
		refused = w.checkPassword(nil)
	}
	return f.withKey, refused
}

// encode makes a file of what was issued in the form that is wished, which must have its
// private key where the form holds it. A form that certificates alone are in takes the
// key, too, if it is text and the key is there.
func (w wish) encode(issued core.Issued) (f file, refused *failure) {
	form, refused := w.form()
	switch {
	case refused != nil:
		return f, refused
	case len(issued.Version.Cert) == 0:
		return f, &notIssued
	case form.withKey && issued.Key == nil:
		return f, &noKey
	}
	if refused = w.checkPassword(issued.Path); refused != nil {
		return f, refused
	}
	b := pki.Bundle{Cert: issued.Version.Cert, Key: issued.Key, Password: w.password.Reveal(), FriendlyName: nameOf(issued)}
	if form.chain || w.chain {
		b.Chain = issued.Chain
	}
	data, err := form.encode(b, w)
	switch {
	case errors.Is(err, pki.ErrUnsupportedKey):
		return f, &unsuitableForm
	case err != nil:
		return f, &internalFault
	}
	return file{name: fileName(nameOf(issued), form.extension), data: data}, nil
}

// nameOf is the certificate's common name or else its first DNS name or else the name of
// its place.
func nameOf(i core.Issued) string {
	name := pki.CommonName(i.Version.Cert)
	if cert, err := x509.ParseCertificate(i.Version.Cert); name == "" && err == nil && len(cert.DNSNames) > 0 {
		name = cert.DNSNames[0]
	}
	return cmp.Or(name, i.Place.DN.Name())
}

// fileName is a name that every file system takes, and that stands between quotes.
func fileName(name, extension string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`*\/:?"<>|`, r) {
			return '_'
		}
		return r
	}, name) + "." + extension
}

// minPassword is how many characters a password has at least that locks a key.
const minPassword = 8

// mayLock finds what is wrong with a password that is to lock a key: it must be there,
// and be as its failure says.
func mayLock(password secret.Plain) *failure {
	if password.IsEmpty() {
		return new(mandatory("password"))
	}
	text := string(password.Reveal())
	other := func(r rune) bool { return !unicode.IsLower(r) && !unicode.IsUpper(r) && !unicode.IsDigit(r) }
	for _, kind := range []func(rune) bool{unicode.IsLower, unicode.IsUpper, unicode.IsDigit, other} {
		if !strings.ContainsFunc(text, kind) {
			return &weakPassword
		}
	}
	if utf8.RuneCountInString(text) < minPassword {
		return &weakPassword
	}
	return nil
}
