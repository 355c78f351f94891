package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// The types of content that PKCS #7 knows (RFC 2315, section 14) and we use.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
)

// implicit is the tag [0], constructed, which stands for several things in PKCS #7.
const implicit = tag.Tag(0xa0)

// EncodePKCS7 writes the certificates of a bundle as PKCS #7, DER: a SignedData
// that nobody signed and that has no content and no revocation lists (RFC 2315,
// section 9.1; RFC 5652, section 5.1). They stand in the order of the bundle or,
// with rootFirst, in reverse, although the format promises no order. A key is
// passed over.
func EncodePKCS7(b Bundle, rootFirst bool) ([]byte, error) {
	certs := b.certs()
	if rootFirst {
		slices.Reverse(certs)
	}
	var out cryptobyte.Builder
	out.AddASN1(tag.SEQUENCE, func(info *cryptobyte.Builder) {
		info.AddASN1ObjectIdentifier(oidSignedData)
		info.AddASN1(implicit, func(content *cryptobyte.Builder) {
			content.AddASN1(tag.SEQUENCE, func(signed *cryptobyte.Builder) {
				signed.AddASN1Int64(1)
				signed.AddASN1(tag.SET, func(*cryptobyte.Builder) {}) // digest algorithms
				signed.AddASN1(tag.SEQUENCE, func(info *cryptobyte.Builder) { info.AddASN1ObjectIdentifier(oidData) })
				signed.AddASN1(implicit, func(set *cryptobyte.Builder) { set.AddBytes(slices.Concat(certs...)) })
				signed.AddASN1(tag.SET, func(*cryptobyte.Builder) {}) // signers
			})
		})
	})
	der, err := out.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode PKCS #7: %w", err)
	}
	return der, nil
}

// parsePKCS7 finds the certificates in PKCS #7, DER: in a SignedData, whatever it
// signs and whoever signed it. It has none of what is made otherwise. BER is not
// read: what it nests takes time with the square of its length.
func parsePKCS7(der []byte) []*x509.Certificate {
	var info, content, signed, set cryptobyte.String
	var kind asn1.ObjectIdentifier
	in := cryptobyte.String(der)
	ok := in.ReadASN1(&info, tag.SEQUENCE) && in.Empty() &&
		info.ReadASN1ObjectIdentifier(&kind) && kind.Equal(oidSignedData) &&
		info.ReadASN1(&content, implicit) &&
		content.ReadASN1(&signed, tag.SEQUENCE) &&
		signed.SkipASN1(tag.INTEGER) && // version
		signed.SkipASN1(tag.SET) && // digest algorithms
		signed.SkipASN1(tag.SEQUENCE) && // what is signed
		signed.ReadASN1(&set, implicit)
	if !ok {
		return nil
	}
	certs, err := x509.ParseCertificates(set)
	if err != nil {
		return nil
	}
	return certs
}
