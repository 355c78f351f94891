package pki

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certwright/certwright/internal/clm"
)

// A Refusal is why a request gets no answer (RFC 6960, section 4.2.1).
type Refusal byte

// The refusals. Unauthorized is also for certificates of which the responder has no
// knowledge (RFC 5019, section 2.2.3).
const (
	MalformedRequest Refusal = 1
	InternalError    Refusal = 2
	TryLater         Refusal = 3
	Unauthorized     Refusal = 6
)

// DER is the refusal as it is sent. Nobody signs it.
func (r Refusal) DER() []byte { return []byte{0x30, 3, 0x0a, 1, byte(r)} }

// An Answer is what a responder says in one response.
type Answer struct {
	Statuses   []CertStatus // in the order in which they shall stand
	Nonce      []byte       // that of the request
	ProducedAt time.Time
}

// A signing is how keys of one kind sign.
type signing struct {
	hash      crypto.Hash
	algorithm pkix.AlgorithmIdentifier
}

// signings has a line for each kind of key; for RSA it is that of PKCS #1 v1.5 (RFC
// 4055, section 5; RFC 5758, section 3.2).
var signings = map[string]signing{
	clm.RSA:  {crypto.SHA256, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue}},
	clm.P256: {crypto.SHA256, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}},
	clm.P384: {crypto.SHA384, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}}},
	clm.P521: {crypto.SHA512, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}}},
}

// signingFor is how the key signs, or ErrUnsupportedKey.
func signingFor(key crypto.Signer) (signing, error) {
	spec := SpecOf(key.Public())
	s, ok := signings[spec.Algorithm]
	if spec.Algorithm == clm.ECC {
		s, ok = signings[spec.Curve]
	}
	if !ok {
		return signing{}, fmt.Errorf("%w: %s", ErrUnsupportedKey, spec)
	}
	return s, nil
}

// SignStatus makes the response, DER (BasicOCSPResponse, RFC 6960, section 4.2.1),
// for the delegated responder whose certificate, DER, and key are given. All of the
// statuses must be of certificates of the responder's own issuer. The response names
// the responder by its key and brings its certificate along. Times lose their
// fractions of a second.
//
// It fails with ErrNotCertificate, ErrKeyMismatch or ErrUnsupportedKey.
func SignStatus(a Answer, responder []byte, key crypto.Signer) ([]byte, error) {
	cert, err := x509.ParseCertificate(responder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
	}
	if !Matches(cert, key) {
		return nil, ErrKeyMismatch
	}
	how, err := signingFor(key)
	if err != nil {
		return nil, err
	}
	data, err := responseData(a, cert)
	if err != nil {
		return nil, fmt.Errorf("encode OCSP response: %w", err)
	}
	signature, err := crypto.SignMessage(key, nil, data, how.hash)
	if err != nil {
		return nil, fmt.Errorf("sign OCSP response: %w", err)
	}
	var out cryptobyte.Builder
	out.AddASN1(tag.SEQUENCE, func(out *cryptobyte.Builder) {
		out.AddASN1Enum(0) // successful
		out.AddASN1(bracket(0), func(out *cryptobyte.Builder) {
			out.AddASN1(tag.SEQUENCE, func(out *cryptobyte.Builder) {
				out.AddASN1ObjectIdentifier(oidBasicStatus)
				out.AddASN1(tag.OCTET_STRING, func(out *cryptobyte.Builder) {
					out.AddASN1(tag.SEQUENCE, func(basic *cryptobyte.Builder) {
						basic.AddBytes(data)
						basic.AddBytes(marshal(how.algorithm))
						basic.AddASN1BitString(signature)
						basic.AddASN1(bracket(0), func(certs *cryptobyte.Builder) {
							certs.AddASN1(tag.SEQUENCE, func(certs *cryptobyte.Builder) { certs.AddBytes(cert.Raw) })
						})
					})
				})
			})
		})
	})
	return out.Bytes()
}

// responseData is what is signed.
func responseData(a Answer, responder *x509.Certificate) ([]byte, error) {
	name := sha1.Sum(keyBits(responder.RawSubjectPublicKeyInfo))
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(bracket(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString(name[:]) }) // responder, by key
		b.AddASN1GeneralizedTime(a.ProducedAt.UTC())
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, s := range a.Statuses {
				b.AddASN1(tag.SEQUENCE, s.add)
			}
		})
		if len(a.Nonce) > 0 {
			b.AddASN1(bracket(1), func(b *cryptobyte.Builder) {
				b.AddBytes(marshal([]pkix.Extension{{Id: oidNonce, Value: marshal(a.Nonce)}}))
			})
		}
	})
	return b.Bytes()
}

// add adds the content of a SingleResponse.
func (s CertStatus) add(b *cryptobyte.Builder) {
	b.AddBytes(s.Question.Raw)
	switch s.Status {
	case StatusGood:
		b.AddASN1(tag.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
	case StatusRevoked:
		b.AddASN1(bracket(1), s.addRevocation)
	default:
		b.AddASN1(tag.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
	}
	b.AddASN1GeneralizedTime(s.ThisUpdate.UTC())
	if !s.NextUpdate.IsZero() {
		b.AddASN1(bracket(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(s.NextUpdate.UTC()) })
	}
}

// addRevocation adds the content of a RevokedInfo. As in lists, a reason that is
// not specified is left out.
func (s CertStatus) addRevocation(b *cryptobyte.Builder) {
	b.AddASN1GeneralizedTime(s.RevokedAt.UTC())
	if s.Reason != clm.Unspecified {
		b.AddASN1(bracket(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.Reason)) })
	}
}
