package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certwright/certwright/internal/clm"
)

// maxSerial is the length of the longest serial number, in octets (RFC 5280,
// section 4.1.2.2).
const maxSerial = 20

// oidIssuingPoint is the extension that says which certificates a list is about (RFC
// 5280, section 5.2.5).
var oidIssuingPoint = asn1.ObjectIdentifier{2, 5, 29, 28}

// A RevokedCert is one entry of a revocation list.
type RevokedCert struct {
	Serial string // as Serial writes it
	At     time.Time
	Reason clm.Reason
}

// A List is a certificate revocation list (RFC 5280, section 5) to be signed.
type List struct {
	Number                 int64 // greater than that of every earlier list for the same certificates
	ThisUpdate, NextUpdate time.Time

	// URLs are where the list is published. A list that has some is of those
	// certificates only whose CRL distribution point names one of them; it is the
	// list of all certificates of the issuer if there are none.
	URLs    []string
	Revoked []RevokedCert // in the order in which they shall stand
}

// SignList makes the list, DER, for the issuer whose certificate, DER, and key are
// given. It is a function of what it is given where the key signs the same thing
// in the same way each time, as ours do. Times lose their fractions of a second.
//
// It fails with ErrNotCertificate, ErrKeyMismatch or ErrBadName for a URL; the
// issuer must be one that may sign lists and that has a key identifier.
func SignList(l List, issuer []byte, key crypto.Signer) ([]byte, error) {
	cert, err := x509.ParseCertificate(issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
	}
	if !Matches(cert, key) {
		return nil, ErrKeyMismatch
	}
	if l.Number < 0 {
		return nil, fmt.Errorf("sign list: its number is %d", l.Number)
	}
	template := &x509.RevocationList{Number: big.NewInt(l.Number), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	if template.RevokedCertificateEntries, err = listEntries(l.Revoked); err != nil {
		return nil, err
	}
	if len(l.URLs) > 0 {
		point, err := issuingPoint(l.URLs)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = []pkix.Extension{point}
	}
	der, err := x509.CreateRevocationList(nil, template, cert, key)
	if err != nil {
		return nil, fmt.Errorf("sign list: %w", err)
	}
	return der, nil
}

// listEntries are the entries in the terms of crypto/x509, which leaves out the
// reason zero, as it should be.
func listEntries(revoked []RevokedCert) ([]x509.RevocationListEntry, error) {
	entries := make([]x509.RevocationListEntry, 0, len(revoked))
	for _, r := range revoked {
		serial, err := parseSerial(r.Serial)
		if err != nil {
			return nil, err
		}
		entries = append(entries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: r.At, ReasonCode: int(r.Reason)})
	}
	return entries, nil
}

// parseSerial reads what Serial writes.
func parseSerial(text string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(text, 16)
	if !ok || n.Sign() < 0 || len(n.Bytes()) > maxSerial {
		return nil, fmt.Errorf("%q is not a serial number", text)
	}
	return n, nil
}

// issuingPoint says which certificates the list is about: those whose distribution
// point has one of the URLs among its names (RFC 5280, sections 5.2.5 and 6.3.3).
// Whoever does not understand it must not use the list.
func issuingPoint(urls []string) (pkix.Extension, error) {
	for _, url := range urls {
		if err := checkASCII(url); err != nil {
			return pkix.Extension{}, err
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(bracket(0), func(b *cryptobyte.Builder) { // the distribution point's name
			b.AddASN1(bracket(0), func(b *cryptobyte.Builder) { // in full
				for _, url := range urls {
					b.AddASN1(tagURI, func(b *cryptobyte.Builder) { b.AddBytes([]byte(url)) })
				}
			})
		})
	})
	value, err := b.Bytes()
	return pkix.Extension{Id: oidIssuingPoint, Critical: true, Value: value}, err
}

// bracket is the tag [n] around something else.
func bracket(n uint8) tag.Tag { return tag.Tag(n).ContextSpecific().Constructed() }
