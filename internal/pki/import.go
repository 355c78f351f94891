package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
)

// What may be taken in: the length of the text with the certificates, which may be
// a PKCS #12 file, the length of the text with the key, and how many certificates.
const (
	MaxImportSize  = 512 << 10
	MaxKeySize     = 16 << 10 // twice what an RSA key of 8192 bits has as PEM
	MaxImportCerts = 50
)

// ParseImport takes in a certificate with what stands above it and, if there is
// one, its key. The certificate is PEM, or base64 of PEM, of DER, of PKCS #7 or of
// a PKCS #12 file, which brings the key with it. The key is PEM or base64 of DER:
// PKCS #8, plain or encrypted, or the traditional form of its algorithm, plain or
// with RFC 1421 headers. Line ends may be spelled out, or lost. A password that is
// not needed is ignored, and so are keys among the certificates of a PEM text; a key
// given beside a PKCS #12 file counts instead of the one in it.
//
// The leaf is the first certificate in PEM, the one that issued none of the others
// in PKCS #7, the one that fits the key in PKCS #12. In the chain every certificate
// is followed by its issuer, if that is there; none comes twice.
//
// It fails with ErrTooLarge, ErrNotCertificate, ErrBadKey (also for a wrong
// password) or ErrKeyMismatch, and its errors repeat nothing of key and password.
func ParseImport(certificate string, key, password []byte) (Bundle, error) {
	if len(certificate) > MaxImportSize {
		return Bundle{}, fmt.Errorf("%w: %d bytes of certificates", ErrTooLarge, len(certificate))
	}
	certs, signer, err := readFile(certificate, password)
	if err != nil {
		return Bundle{}, err
	}
	if len(certs) > MaxImportCerts {
		return Bundle{}, fmt.Errorf("%w: %d certificates", ErrTooLarge, len(certs))
	}
	if len(key) > 0 {
		if signer, err = readKey(key, password); err != nil {
			return Bundle{}, err
		}
	}
	if signer != nil && !Matches(certs[0], signer) {
		return Bundle{}, ErrKeyMismatch
	}
	return Bundle{Cert: certs[0].Raw, Chain: chain(certs[0], certs[1:]), Key: signer}, nil
}

// certificateLabels are the labels, without blanks, of PEM blocks that hold
// certificates; without a label it is base64.
var certificateLabels = []string{"", "CERTIFICATE", "X509CERTIFICATE", "PKCS7", "CMS"}

// readFile finds certificates, at least one and the leaf first, and perhaps a key.
func readFile(text string, password []byte) (certs []*x509.Certificate, key crypto.Signer, err error) {
	for _, a := range armorsWithin(text) {
		if !slices.Contains(certificateLabels, a.label) {
			continue
		}
		der, err := a.decode()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
		}
		more, err := readCertificates(der)
		if err != nil && a.label == "" && isPKCS12(der) {
			return readPKCS12(der, password)
		}
		if err != nil {
			return nil, nil, err
		}
		certs = append(certs, more...)
	}
	if len(certs) == 0 {
		return nil, nil, fmt.Errorf("%w: there is none", ErrNotCertificate)
	}
	return certs, nil, nil
}

// readCertificates reads a certificate or PKCS #7, DER.
func readCertificates(der []byte) ([]*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return []*x509.Certificate{cert}, nil
	}
	certs := parsePKCS7(der)
	switch {
	case len(certs) == 0:
		return nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
	case len(certs) > MaxImportCerts:
		return nil, fmt.Errorf("%w: %d certificates", ErrTooLarge, len(certs))
	}
	return leafFirst(certs, func(c *x509.Certificate) bool {
		return !slices.ContainsFunc(certs, func(other *x509.Certificate) bool { return issued(c, other) })
	}), nil
}

// leafFirst moves the first certificate that is the leaf to the front.
func leafFirst(certs []*x509.Certificate, isLeaf func(*x509.Certificate) bool) []*x509.Certificate {
	i := max(slices.IndexFunc(certs, isLeaf), 0)
	return slices.Concat(certs[i:i+1], certs[:i], certs[i+1:])
}

// chain orders the others, DER, from the leaf upwards. Where an issuer is missing
// it goes on with the first of those that are left.
func chain(leaf *x509.Certificate, others []*x509.Certificate) [][]byte {
	var out [][]byte
	for last := leaf; ; out = append(out, last.Raw) {
		others = slices.DeleteFunc(slices.Clone(others), last.Equal)
		if len(others) == 0 {
			return out
		}
		i := slices.IndexFunc(others, func(c *x509.Certificate) bool { return issued(c, last) })
		last = others[max(i, 0)]
	}
}

// issued reports whether the certificate issuer stands above another one, judging
// by names and key identifiers (RFC 5280, sections 4.2.1.1 and 4.2.1.2). None
// stands above itself.
func issued(issuer, other *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, other.RawIssuer) && !issuer.Equal(other) &&
		(len(other.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(issuer.SubjectKeyId, other.AuthorityKeyId))
}
