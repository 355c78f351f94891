package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
)

// MaxCSRSize is how long the text of a certificate signing request may be. The
// largest honest ones, with 8192 bits and hundreds of names, have a tenth of it.
const MaxCSRSize = 256 << 10

// A CSR is a certificate signing request (PKCS #10, RFC 2986) whose signature
// has been checked.
type CSR struct {
	DER       []byte
	Names     clm.Names // what it asks for
	PublicKey crypto.PublicKey
	Key       KeySpec
	KeyHash   []byte // PublicKeyHash
}

// CreateCSR makes a request for names, signed by key, DER. What it makes,
// ParseCSR accepts. It fails with ErrBadName when a name cannot be encoded.
func CreateCSR(names clm.Names, key crypto.Signer) ([]byte, error) {
	subject, err := Subject(names)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{RawSubject: subject}
	ext, has, err := AlternativeNames(names)
	if err != nil {
		return nil, err
	}
	if has {
		template.ExtraExtensions = []pkix.Extension{ext}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupportedKey, err)
	}
	if _, err := x509.ParseCertificateRequest(der); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadName, err)
	}
	return der, nil
}

// ParseCSR reads a request as clients send it: PEM with any line ends, with the
// two characters \n in their place, with blanks or with nothing; with text around
// it; or bare base64. The header may say NEW.
//
// It fails with ErrTooLarge, ErrNotBase64, ErrNotCSR, ErrUnsupportedKey or
// ErrBadSignature.
func ParseCSR(text string) (*CSR, error) {
	if len(text) > MaxCSRSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	der, err := csrArmor(text).decode()
	if err != nil {
		return nil, err
	}
	return ParseCSRDER(der)
}

// ParseCSRDER reads a request, DER. It fails as ParseCSR does.
func ParseCSRDER(der []byte) (*CSR, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kindOf(err), err)
	}
	names, err := ReadNames(r.RawSubject, r.Extensions)
	if err == nil {
		err = checkAll(names)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCSR, err)
	}
	spec := SpecOf(r.PublicKey)
	if err := spec.checkForeign(); err != nil {
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return &CSR{
		DER:       der,
		Names:     names,
		PublicKey: r.PublicKey,
		Key:       spec,
		KeyHash:   hashOf(r.RawSubjectPublicKeyInfo),
	}, nil
}

// kindOf tells a key on an unknown curve from a broken request. crypto/x509 (as of
// Go 1.26) has but the words of its error for that.
func kindOf(err error) error {
	if strings.Contains(err.Error(), "unsupported elliptic curve") {
		return ErrUnsupportedKey
	}
	return ErrNotCSR
}

// csrArmor finds the request in its text. If there is none, it is what there is,
// which its bytes will show.
func csrArmor(text string) armor {
	all := armors(text)
	i := slices.IndexFunc(all, func(a armor) bool {
		return a.label == "CERTIFICATEREQUEST" || a.label == "NEWCERTIFICATEREQUEST"
	})
	return all[max(i, 0)]
}
