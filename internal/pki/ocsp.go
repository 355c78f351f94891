package pki

import (
	"bytes"
	"crypto"
	_ "crypto/sha512" // of questionHashes; the others are used in this package anyway
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/certwright/certwright/internal/clm"
)

// MaxStatusSize is how long an answer that is read may be.
const MaxStatusSize = 256 << 10

// statusSkew is how far the responder's clock may be off ours.
const statusSkew = 5 * time.Minute

// The object identifiers of OCSP (RFC 6960, section 4.4).
var (
	oidBasicStatus = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

// questionHashes are the hashes by which a certificate's issuer may be named.
var questionHashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{oidSHA1, crypto.SHA1},
	{oidSHA256, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
}

// A Question is about the status of one certificate (CertID, RFC 6960, section
// 4.1.1), which it names by its issuer and its serial number.
type Question struct {
	Hash           crypto.Hash // that names the issuer; zero if it is none that we know
	IssuerNameHash []byte
	IssuerKeyHash  []byte
	Serial         string // as Serial writes it
	Raw            []byte // DER; the answer repeats it
}

// IsAbout reports whether the question is about a certificate of the issuer.
func (q Question) IsAbout(issuer *x509.Certificate) bool {
	if q.Hash == 0 {
		return false
	}
	sum := func(data []byte) []byte {
		h := q.Hash.New()
		h.Write(data)
		return h.Sum(nil)
	}
	return bytes.Equal(q.IssuerNameHash, sum(issuer.RawSubject)) && bytes.Equal(q.IssuerKeyHash, sum(keyBits(issuer.RawSubjectPublicKeyInfo)))
}

// keyBits is the public key in a SubjectPublicKeyInfo, DER, without the algorithm;
// nil where it cannot be read.
func keyBits(spki []byte) []byte {
	in := cryptobyte.String(spki)
	var info cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, tag.SEQUENCE) || !info.SkipASN1(tag.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		return nil
	}
	return bits.RightAlign()
}

// A Status is what a responder says of a certificate (RFC 6960, section 2.2).
type Status int

// The statuses. Who does not know of a certificate must not call it good.
const (
	StatusUnknown Status = iota
	StatusGood
	StatusRevoked
)

// A CertStatus is the answer to a question.
type CertStatus struct {
	Question   Question
	Status     Status
	RevokedAt  time.Time  // if it is revoked
	Reason     clm.Reason // if it is revoked
	ThisUpdate time.Time  // when it was known to be so
	NextUpdate time.Time  // when more will be known; zero: at any time
}

// AskStatus makes the request for the status of one certificate, DER. It names the
// issuer by SHA-1, which every responder knows, and has no nonce: many responders
// answer with what they signed beforehand (RFC 5019).
func AskStatus(cert, issuer *x509.Certificate) ([]byte, error) {
	return ocsp.CreateRequest(cert, issuer, nil)
}

// ReadStatus reads what a responder has answered about the certificate. The answer
// must be signed by the certificate's issuer or by a responder to which the issuer
// has delegated that, and must be the present one (RFC 6960, section 3.2). Whether
// the responder's own certificate is revoked is not asked.
//
// It fails with ErrNotStatus, also for the answers that are refusals, with
// ErrForeignSigner or with ErrNotNow.
func ReadStatus(der []byte, cert, issuer *x509.Certificate, now time.Time) (CertStatus, error) {
	if len(der) > MaxStatusSize {
		return CertStatus{}, fmt.Errorf("%w: %w: %d bytes", ErrNotStatus, ErrTooLarge, len(der))
	}
	answer, err := ocsp.ParseResponseForCert(der, cert, nil)
	if err != nil {
		return CertStatus{}, fmt.Errorf("%w: %w", ErrNotStatus, err)
	}
	if err := checkResponder(answer, issuer, now); err != nil {
		return CertStatus{}, fmt.Errorf("the OCSP response is %w", err)
	}
	q, err := questionAnswered(answer)
	switch {
	case err != nil:
		return CertStatus{}, err
	case !q.IsAbout(issuer):
		return CertStatus{}, fmt.Errorf("%w: it is about a certificate of another issuer", ErrNotStatus)
	case answer.ThisUpdate.After(now.Add(statusSkew)), !answer.NextUpdate.IsZero() && answer.NextUpdate.Before(now.Add(-statusSkew)):
		return CertStatus{}, fmt.Errorf("the OCSP response is %w: it is from %s to %s", ErrNotNow,
			answer.ThisUpdate.Format(time.RFC3339), answer.NextUpdate.Format(time.RFC3339))
	}
	s := CertStatus{Question: q, Status: statuses[answer.Status], ThisUpdate: answer.ThisUpdate, NextUpdate: answer.NextUpdate}
	if s.Status == StatusRevoked {
		s.RevokedAt, s.Reason = answer.RevokedAt, clm.Reason(answer.RevocationReason)
	}
	return s, nil
}

// statuses are the statuses in the terms of x/crypto.
var statuses = map[int]Status{ocsp.Good: StatusGood, ocsp.Revoked: StatusRevoked, ocsp.Unknown: StatusUnknown}

// checkResponder makes sure that whoever signed the answer may speak for the issuer
// (RFC 6960, section 4.2.2.2). That the certificate in the answer, if there is one,
// fits the signature has been checked.
func checkResponder(answer *ocsp.Response, issuer *x509.Certificate, now time.Time) error {
	responder := answer.Certificate
	if responder == nil {
		if err := answer.CheckSignatureFrom(issuer); err != nil {
			return fmt.Errorf("%w: %w", ErrForeignSigner, err)
		}
		return nil
	}
	if responder.Equal(issuer) {
		return nil
	}
	if err := responder.CheckSignatureFrom(issuer); err != nil || !bytes.Equal(responder.RawIssuer, issuer.RawSubject) {
		return errors.Join(ErrForeignSigner, err)
	}
	switch {
	case !mayAnswer(responder):
		return fmt.Errorf("%w: its signer is not a responder", ErrForeignSigner)
	case now.Before(responder.NotBefore) || now.After(responder.NotAfter):
		return fmt.Errorf("%w: its signer's certificate is from %s to %s", ErrNotNow,
			responder.NotBefore.Format(time.RFC3339), responder.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// mayAnswer reports whether the certificate is one of a responder. That any usage
// is allowed does not count.
func mayAnswer(cert *x509.Certificate) bool {
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageOCSPSigning {
			return true
		}
	}
	return false
}

// questionAnswered finds the question to the answer that x/crypto has picked: the
// first with the serial number, of whichever issuer.
func questionAnswered(answer *ocsp.Response) (Question, error) {
	malformed := fmt.Errorf("%w: its answers cannot be read", ErrNotStatus)
	in := cryptobyte.String(answer.TBSResponseData)
	var data, all cryptobyte.String
	var who tag.Tag
	if !in.ReadASN1(&data, tag.SEQUENCE) || !data.SkipOptionalASN1(bracket(0)) || !data.ReadAnyASN1(new(cryptobyte.String), &who) ||
		!data.SkipASN1(tag.GeneralizedTime) || !data.ReadASN1(&all, tag.SEQUENCE) {
		return Question{}, malformed
	}
	for !all.Empty() {
		var single cryptobyte.String
		if !all.ReadASN1(&single, tag.SEQUENCE) {
			return Question{}, malformed
		}
		q, ok := readQuestion(&single)
		if !ok {
			return Question{}, malformed
		}
		if q.Serial == formatSerial(answer.SerialNumber) {
			return q, nil
		}
	}
	return Question{}, malformed
}

// readQuestion reads a CertID. The hashes have the length of their algorithm, if
// that is known, and the algorithm then has no parameters, so that nothing can be
// hidden in what the answer repeats.
func readQuestion(in *cryptobyte.String) (q Question, ok bool) {
	var raw, id, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	serial := new(big.Int)
	if !in.ReadASN1Element(&raw, tag.SEQUENCE) {
		return q, false
	}
	q.Raw = raw
	ok = raw.ReadASN1(&id, tag.SEQUENCE) &&
		id.ReadASN1(&algorithm, tag.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) &&
		id.ReadASN1((*cryptobyte.String)(&q.IssuerNameHash), tag.OCTET_STRING) &&
		id.ReadASN1((*cryptobyte.String)(&q.IssuerKeyHash), tag.OCTET_STRING) &&
		id.ReadASN1Integer(serial) && id.Empty() &&
		serial.Sign() >= 0 && len(serial.Bytes()) <= maxSerial
	if !ok {
		return q, false
	}
	q.Serial = formatSerial(serial)
	for _, known := range questionHashes {
		if known.oid.Equal(oid) {
			q.Hash = known.hash
		}
	}
	if q.Hash == 0 {
		return q, true
	}
	none := len(algorithm) == 0 || bytes.Equal(algorithm, asn1.NullBytes)
	return q, none && len(q.IssuerNameHash) == q.Hash.Size() && len(q.IssuerKeyHash) == q.Hash.Size()
}
