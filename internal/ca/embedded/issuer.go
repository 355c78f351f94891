package embedded

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
)

// A Spec says what a CA certificate shall be. The certificate is a function of
// it and, for an issuing CA, of the one above: made again it is the same.
type Spec struct {
	Name    string        // how templates will refer to it
	Subject clm.Names     // a common name at least; the BR want organization and country too
	Key     crypto.Signer // of the new CA: RSA of 2048 bits or more, P-256, P-384 or P-521
	At      time.Time     // when it is made
	Years   int           // how long it lasts; zero means RootYears or IssuerYears

	// Where relying parties find what they need to know about the CA above. A root
	// has no use for them.
	AIAURL, OCSPURL, CDPURL string
}

// How long CAs last unless said otherwise.
const (
	RootYears   = 20
	IssuerYears = 10

	maxYears = 50
)

// NewRoot makes a root that signs itself.
//
// Give each algorithm a root of its own: an RSA issuing CA below an RSA root, an
// ECDSA one below an ECDSA root. A client that cannot check ECDSA then never
// meets it, and one that can is spared the large RSA signatures.
func NewRoot(s Spec) (ca.Issuer, error) {
	d, err := s.draft(RootYears)
	if err != nil {
		return ca.Issuer{}, err
	}
	d.extensions = []pkix.Extension{
		caConstraints(-1),
		keyUsage(keyCertSign | crlSign),
		subjectKeyID(d.spki),
		authorityKeyID(keyID(d.spki)),
	}
	self, err := signerOf(&x509.Certificate{RawSubject: d.subject, PublicKey: d.public}, s.Key)
	if err != nil {
		return ca.Issuer{}, err
	}
	cert, err := self.sign(d)
	if err != nil {
		return ca.Issuer{}, fmt.Errorf("sign: %w", err)
	}
	return ca.Issuer{Name: s.Name, Chain: [][]byte{cert}, Key: s.Key}, nil
}

// NewIssuer makes an issuing CA below another CA, usually a root. No further CA
// may stand below it, and it does not outlive the one above.
func NewIssuer(above ca.Issuer, s Spec) (ca.Issuer, error) {
	parent, err := newSigner(above)
	if err != nil {
		return ca.Issuer{}, fmt.Errorf("CA %q: %w", above.Name, err)
	}
	d, err := s.draft(IssuerYears)
	if err != nil {
		return ca.Issuer{}, err
	}
	switch {
	case parent.cert.MaxPathLenZero || parent.cert.MaxPathLen == 0:
		return ca.Issuer{}, fmt.Errorf("CA %q may have no CA below it", above.Name)
	case s.At.Before(parent.cert.NotBefore) || s.At.After(parent.cert.NotAfter):
		return ca.Issuer{}, fmt.Errorf("CA %q is not valid on %s", above.Name, s.At.UTC().Format(time.RFC3339))
	}
	d.notBefore = latest(d.notBefore, parent.cert.NotBefore)
	d.notAfter = earliest(d.notAfter, parent.cert.NotAfter)
	d.extensions = slices.Concat(
		[]pkix.Extension{caConstraints(0), keyUsage(digitalSignature | keyCertSign | crlSign), anyPolicy()},
		accessTo(s.AIAURL, s.OCSPURL), pointTo(s.CDPURL),
		[]pkix.Extension{subjectKeyID(d.spki), authorityKeyID(parent.cert.SubjectKeyId)},
	)
	cert, err := parent.sign(d)
	if err != nil {
		return ca.Issuer{}, fmt.Errorf("sign: %w", err)
	}
	return ca.Issuer{Name: s.Name, Chain: append([][]byte{cert}, above.Chain...), Key: s.Key}, nil
}

// draft writes down what any CA certificate says but for its extensions.
func (s Spec) draft(years int) (draft, error) {
	if s.Years != 0 {
		years = s.Years
	}
	switch {
	case s.Key == nil:
		return draft{}, errors.New("the new CA's key is missing")
	case strings.TrimSpace(s.Subject.CommonName) == "":
		return draft{}, errors.New("the new CA's common name is missing")
	case years < 1 || years > maxYears:
		return draft{}, fmt.Errorf("the new CA shall last %d years; it must be from 1 to %d", years, maxYears)
	}
	d, err := draftFor(s.Key.Public())
	if err != nil {
		return draft{}, err
	}
	d.notBefore = s.At.Add(-Skew).UTC().Truncate(time.Second)
	d.notAfter = d.notBefore.AddDate(years, 0, 0).Add(-time.Second)
	d.subject, _, err = encodeNames(s.Subject)
	return d, err
}
