package embedded

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/certwright/certwright/internal/ca"
)

// serialPurpose is what a CA key signs to derive the secret behind its serial
// numbers. It is no DER, so it can never be taken for a certificate, a
// revocation list or an OCSP answer.
const serialPurpose = "certwright: the secret behind the serial numbers of this CA, 1"

// serialOctets is the length of all serial numbers. RFC 5280, section 4.1.2.2,
// allows 20; the BR want at least 64 bits that nobody can foresee.
const serialOctets = 16

// A signer is a CA certificate with its key, read and checked once. It holds
// what all certificates below it have in common.
type signer struct {
	cert   *x509.Certificate
	key    crypto.Signer
	secret []byte // of the serial numbers
}

// A draft is all that a certificate says except for its serial number and what
// the signer adds: its own name and its signature.
type draft struct {
	orderKey   string // of the order; empty for a CA certificate
	subject    []byte // DER
	public     crypto.PublicKey
	spki       []byte // DER of public, as it will be in the certificate
	notBefore  time.Time
	notAfter   time.Time
	extensions []pkix.Extension // all of them, in their order
}

// draftFor begins the draft of a certificate for the key, provided that it is one
// that may have a certificate.
func draftFor(public crypto.PublicKey) (draft, error) {
	if err := checkKey(public); err != nil {
		return draft{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	return draft{public: public, spki: spki}, err
}

// newSigner reads the issuer and makes sure that it may sign certificates: that
// certificate and key belong together, that the chain leads to its root, and that
// the key signs the same thing in the same way each time.
func newSigner(issuer ca.Issuer) (*signer, error) {
	certs, err := parseChain(issuer.Chain)
	if err != nil {
		return nil, err
	}
	cert := certs[0]
	switch {
	case issuer.Key == nil:
		return nil, errors.New("its key is missing")
	case !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, errors.New("its certificate is not that of a CA")
	case len(cert.SubjectKeyId) == 0:
		return nil, errors.New("its certificate has no subject key identifier")
	case !samePublic(issuer.Key.Public(), cert.PublicKey):
		return nil, errors.New("its key does not belong to its certificate")
	}
	return signerOf(cert, issuer.Key)
}

// signerOf completes a signer whose certificate is known to be sound, or whose
// certificate has yet to be made.
func signerOf(cert *x509.Certificate, key crypto.Signer) (*signer, error) {
	if err := checkKey(key.Public()); err != nil {
		return nil, err
	}
	secret, err := serialSecret(key)
	if err != nil {
		return nil, err
	}
	return &signer{cert: cert, key: key, secret: secret}, nil
}

// parseChain reads a chain, the issuer first, and checks each signature.
func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("its certificate is missing")
	}
	var certs []*x509.Certificate
	for n, der := range chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of its chain: %w", n+1, err)
		}
		certs = append(certs, cert)
	}
	for n, cert := range certs {
		above := certs[min(n+1, len(certs)-1)]
		if err := cert.CheckSignatureFrom(above); err != nil || !bytes.Equal(cert.RawIssuer, above.RawSubject) {
			return nil, fmt.Errorf("certificate %d of its chain is not signed by the next, the last one by itself", n+1)
		}
	}
	return certs, nil
}

// serialSecret derives a secret that only the owner of the key can know: the
// hash of a signature over a fixed text. That works for keys that cannot be read
// as well. RSA signatures here are PKCS #1 v1.5 and ECDSA signatures those of RFC
// 6979, both the same each time; a key that cannot do that is refused.
func serialSecret(key crypto.Signer) ([]byte, error) {
	var secret [2][sha256.Size]byte
	for n := range secret {
		signature, err := crypto.SignMessage(key, nil, []byte(serialPurpose), crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("sign with its key: %w", err)
		}
		secret[n] = sha256.Sum256(signature)
	}
	if secret[0] != secret[1] {
		return nil, errors.New("its key does not sign deterministically (RFC 6979)")
	}
	return secret[0][:], nil
}

// serial is the serial number of the certificate: positive, always of the same
// length, and a function of everything that the certificate says (whether an
// extension is critical follows from the rest). No two certificates share one,
// whatever the callers do with the keys of their orders, and nobody without the
// CA's key can foresee it.
func (s *signer) serial(d draft) *big.Int {
	var said []byte
	add := func(part []byte) { // with its length, so that no two lists of parts read the same
		said = binary.BigEndian.AppendUint32(said, uint32(len(part)))
		said = append(said, part...)
	}
	add([]byte(d.orderKey))
	add(d.subject)
	add(d.spki)
	said = binary.BigEndian.AppendUint64(said, uint64(d.notBefore.Unix()))
	said = binary.BigEndian.AppendUint64(said, uint64(d.notAfter.Unix()))
	for _, e := range d.extensions {
		add([]byte(e.Id.String()))
		add(e.Value)
	}
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(said)
	number := mac.Sum(nil)[:serialOctets]
	number[0] = number[0]&0x7f | 0x40
	return new(big.Int).SetBytes(number)
}

// sign makes the certificate. The signature is checked before it is given out,
// so that a fault of the machine cannot betray the key.
func (s *signer) sign(d draft) ([]byte, error) {
	return x509.CreateCertificate(nil, &x509.Certificate{
		SerialNumber:    s.serial(d),
		RawSubject:      d.subject,
		NotBefore:       d.notBefore,
		NotAfter:        d.notAfter,
		ExtraExtensions: d.extensions,
	}, s.cert, d.public, s.key)
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
