package embedded

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/pki"
)

// ResponderDays is how long the certificate of an OCSP responder lasts. It cannot be
// revoked, so it is short.
const ResponderDays = 30

// responderName follows the issuer's common name in that of its responder.
const responderName = " OCSP Responder"

var (
	oidOCSPSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}
	oidNoCheck     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
)

// NewResponder makes the certificate, DER, of a responder to which the issuer
// delegates the answering of OCSP requests (RFC 6960, section 4.2.2.2; BR 7.1.2.8).
// The key is the responder's. Like all certificates here it is a function of what it
// is made from, and it does not outlive its issuer.
func NewResponder(issuer ca.Issuer, key crypto.Signer, at time.Time) ([]byte, error) {
	parent, err := newSigner(issuer)
	if err != nil {
		return nil, fmt.Errorf("CA %q: %w", issuer.Name, err)
	}
	switch {
	case key == nil:
		return nil, errors.New("the responder's key is missing")
	case at.Before(parent.cert.NotBefore) || at.After(parent.cert.NotAfter):
		return nil, fmt.Errorf("CA %q is not valid on %s", issuer.Name, at.UTC().Format(time.RFC3339))
	}
	d, err := draftFor(key.Public())
	if err != nil {
		return nil, err
	}
	d.notBefore = latest(at.Add(-Skew), parent.cert.NotBefore).UTC().Truncate(time.Second)
	d.notAfter = earliest(endOf(d.notBefore, ResponderDays), parent.cert.NotAfter)
	if d.subject, err = responderSubject(parent.cert.RawSubject); err != nil {
		return nil, err
	}
	d.extensions = []pkix.Extension{
		keyUsage(digitalSignature),
		extendedKeyUsage([]asn1.ObjectIdentifier{oidOCSPSigning}),
		{Id: oidNoCheck, Value: asn1.NullBytes}, // nobody shall ask whether it is revoked
		subjectKeyID(d.spki),
		authorityKeyID(parent.cert.SubjectKeyId),
	}
	cert, err := parent.sign(d)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return cert, nil
}

// responderSubject is the issuer's subject with another common name. Of a long one
// the beginning is kept.
func responderSubject(issuer []byte) ([]byte, error) {
	names, err := pki.ReadNames(issuer, nil)
	if err != nil {
		return nil, err
	}
	cn := []rune(names.CommonName)
	cn = cn[:min(len(cn), maxCommonName-len(responderName))]
	names.CommonName = strings.TrimSpace(string(cn) + responderName)
	subject, _, err := encodeNames(names)
	return subject, err
}
