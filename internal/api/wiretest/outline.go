package wiretest

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/smallstep/pkcs7"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// Outline describes a file that holds certificates, a line for each thing in it.
// how names its format, pem unless it is said, and the passwords that open it:
//
//	pem [PASSWORD]
//	der
//	pkcs7
//	pkcs12 PASSWORD
//	jks STOREPASSWORD [KEYPASSWORD]
//
// A certificate is told by its common name. A key that could be opened is told
// with the common name of the certificate in the file that it fits; what cannot
// be opened with the passwords is an error.
//
// Of PEM, each line outside of a block stands as it is, an empty one as a lone
// dot, and each header of a block below it, indented; what does not end in CRLF or
// is not folded at 64 columns is marked.
func Outline(file []byte, how ...string) ([]string, error) {
	format, passwords := "pem", [2]string{}
	if len(how) > 0 {
		format = how[0]
		copy(passwords[:], how[1:])
	}
	switch format {
	case "pem":
		return outlinePEM(file, passwords[0])
	case "der":
		return outlineCertificates(file)
	case "pkcs7":
		return outlinePKCS7(file)
	case "pkcs12":
		return outlinePKCS12(file, passwords[0])
	case "jks":
		return outlineJKS(file, passwords[0], passwords[1])
	}
	return nil, fmt.Errorf("there is no format %s", format)
}

func compareOutline(want string, got []string) error {
	lines := strings.Split(strings.TrimRight(want, "\n"), "\n")
	ok := len(lines) == len(got)
	for i := range lines {
		ok = ok && matches(lines[i], got[i])
	}
	if !ok {
		return fmt.Errorf("got this outline:\n%s", strings.Join(got, "\n"))
	}
	return nil
}

// outlineCertificates describes certificates that stand one behind the other.
func outlineCertificates(der []byte) (out []string, err error) {
	certs, err := x509.ParseCertificates(der)
	for _, c := range certs {
		out = append(out, outlineCertificate(c))
	}
	return out, err
}

func outlineCertificate(c *x509.Certificate) string { return "CERTIFICATE " + c.Subject.CommonName }

// outlineKey tells a key by the certificate that it fits.
func outlineKey(kind string, key any, certs []*x509.Certificate) string {
	private, ok := key.(crypto.Signer)
	if !ok {
		return kind + " of an unknown kind"
	}
	public := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certs {
		if public.Equal(c.PublicKey) {
			return kind + " of " + c.Subject.CommonName
		}
	}
	return kind + " of no certificate here"
}

func outlinePEM(file []byte, password string) (out []string, err error) {
	certs := certificatesIn(file)
	for len(file) > 0 {
		line, rest, found := bytes.Cut(file, []byte("\n"))
		if !bytes.HasPrefix(line, []byte("-----BEGIN ")) {
			out = append(out, outlineLine(line, found))
			file = rest
			continue
		}
		block, after := pem.Decode(file)
		if block == nil {
			return append(out, "a block that cannot be read"), nil
		}
		text, err := outlineBlock(block, password, certs)
		if err != nil {
			return nil, err
		}
		out = append(out, text+flaws(file[:len(file)-len(after)]))
		for _, name := range slices.Sorted(maps.Keys(block.Headers)) {
			out = append(out, "  "+name+": "+block.Headers[name])
		}
		file = after
	}
	return out, nil
}

// flaws marks a block that is not laid out as PEM mostly is (RFC 7468, section 2).
func flaws(raw []byte) (marks string) {
	if bytes.Count(raw, []byte("\n")) != bytes.Count(raw, []byte("\r\n")) {
		marks += " (no CRLF)"
	}
	var widths []int
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.ContainsAny(line, ":-") {
			widths = append(widths, len(line))
		}
	}
	for i, width := range widths {
		if width > 64 || width < 64 && i < len(widths)-1 {
			return marks + " (not 64 columns)"
		}
	}
	return marks
}

// certificatesIn finds the certificates of a PEM file.
func certificatesIn(file []byte) (certs []*x509.Certificate) {
	for {
		block, rest := pem.Decode(file)
		if block == nil {
			return certs
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			certs = append(certs, cert)
		}
		file = rest
	}
}

func outlineLine(line []byte, ended bool) string {
	text := string(bytes.TrimSuffix(line, []byte("\r")))
	if text == "" {
		text = "."
	}
	if !ended || !bytes.HasSuffix(line, []byte("\r")) {
		text += " (no CRLF)"
	}
	return text
}

func outlineBlock(block *pem.Block, password string, certs []*x509.Certificate) (string, error) {
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
		return outlineCertificate(cert), nil
	}
	if password == "" || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return block.Type, nil
	}
	key, err := openKey(block, password)
	if err != nil {
		return "", fmt.Errorf("%s: %w", block.Type, err)
	}
	return outlineKey(block.Type, key, certs), nil
}

// openKey opens an encrypted key. One that is not encrypted is an error.
func openKey(block *pem.Block, password string) (any, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		key, _, err := pkcs8.ParsePrivateKey(block.Bytes, []byte(password))
		return key, err
	}
	//lint:ignore SA1019 it is what clients of this format use
	der, err := x509.DecryptPEMBlock(block, []byte(password))
	if err != nil {
		return nil, err
	}
	return parseKey(der)
}

// parseKey reads a key in any form that it has in a file.
func parseKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return x509.ParsePKCS8PrivateKey(der)
}

func outlinePKCS7(file []byte) (out []string, err error) {
	p, err := pkcs7.Parse(file)
	if err != nil {
		return nil, err
	}
	if len(p.Content)+len(p.CRLs)+len(p.Signers) > 0 {
		out = append(out, "more than certificates")
	}
	for _, c := range p.Certificates {
		out = append(out, outlineCertificate(c))
	}
	return out, nil
}

// outlinePKCS12 writes the friendly name of an entry above it.
func outlinePKCS12(file []byte, password string) (out []string, err error) {
	//lint:ignore SA1019 nothing else tells the friendly names
	blocks, err := pkcs12.ToPEM(file, password)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, b := range blocks {
		if cert, err := x509.ParseCertificate(b.Bytes); err == nil {
			certs = append(certs, cert)
		}
	}
	for _, b := range blocks {
		if name := b.Headers["friendlyName"]; name != "" {
			out = append(out, "friendlyName: "+name)
		}
		if cert, err := x509.ParseCertificate(b.Bytes); err == nil {
			out = append(out, outlineCertificate(cert))
			continue
		}
		key, err := parseKey(b.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, outlineKey("PRIVATE KEY", key, certs))
	}
	return out, nil
}

// outlineJKS writes the alias of an entry above it, as it stands in the file.
func outlineJKS(file []byte, storePassword, keyPassword string) (out []string, err error) {
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithCaseExactAliases())
	if err := store.Load(bytes.NewReader(file), []byte(storePassword)); err != nil {
		return nil, fmt.Errorf("open the keystore: %w", err)
	}
	for _, alias := range store.Aliases() {
		if store.IsTrustedCertificateEntry(alias) {
			entry, err := store.GetTrustedCertificateEntry(alias)
			if err != nil {
				return nil, err
			}
			lines, err := outlineCertificates(entry.Certificate.Content)
			if err != nil {
				return nil, err
			}
			out = append(append(out, "trusted alias "+alias), lines...)
			continue
		}
		entry, err := store.GetPrivateKeyEntry(alias, []byte(keyPassword))
		if err != nil {
			return nil, fmt.Errorf("open the key: %w", err)
		}
		lines, err := outlineEntry(entry)
		if err != nil {
			return nil, err
		}
		out = append(append(out, "alias "+alias), lines...)
	}
	return out, nil
}

// outlineEntry describes a key of a keystore and its certificates.
func outlineEntry(entry keystore.PrivateKeyEntry) (out []string, err error) {
	key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, c := range entry.CertificateChain {
		cert, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("a key without a certificate")
	}
	out = append(out, outlineKey("PRIVATE KEY", key, certs[:1]))
	for _, c := range certs {
		out = append(out, outlineCertificate(c))
	}
	return out, nil
}
