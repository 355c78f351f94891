package embedded

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// The extensions of RFC 5280, section 4.2, that certificates here have.
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidCRLPoints        = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityInfo    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}

	oidServerAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidClientAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidOCSP       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidCAIssuers  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidAnyPolicy  = asn1.ObjectIdentifier{2, 5, 29, 32, 0}
)

// The bits of the key usage, the first one leftmost.
const (
	digitalSignature = 0x80
	keyEncipherment  = 0x20
	keyCertSign      = 0x04
	crlSign          = 0x02
)

// A profile is what certificates are for.
type profile struct {
	usages    []asn1.ObjectIdentifier // extended key usages
	rsaUsages byte                    // key usages of an RSA key that go with them (RFC 5280, section 4.2.1.12)
	serves    bool                    // TLS servers, so that a bare host name counts as one
}

// profiles is how templates name them. Public TLS knows only server; both is for
// those whose servers also call others with the same certificate. A server that
// speaks TLS 1.2 without Diffie-Hellman needs keyEncipherment, a client never does.
var profiles = map[string]profile{
	"server": {[]asn1.ObjectIdentifier{oidServerAuth}, digitalSignature | keyEncipherment, true},
	"client": {[]asn1.ObjectIdentifier{oidClientAuth}, digitalSignature, false},
	"both":   {[]asn1.ObjectIdentifier{oidServerAuth, oidClientAuth}, digitalSignature | keyEncipherment, true},
}

// common holds the extensions that all certificates of a template share, written
// once.
type common struct {
	first     []pkix.Extension
	access    []pkix.Extension // none or one
	last      pkix.Extension
	rsaUsages byte // the key usages of an RSA key; an ECDSA key can but sign (BR 7.1.2.7.11)
}

func commonExtensions(t template, at place, issuerKeyID []byte) common {
	return common{
		rsaUsages: t.profile.rsaUsages,
		first: []pkix.Extension{
			{Id: oidBasicConstraints, Critical: true, Value: []byte{0x30, 0}},
			extendedKeyUsage(t.profile.usages),
		},
		access: accessTo(choose(t.aia, at.cert()), choose(t.ocsp, at.responder())),
		last:   authorityKeyID(issuerKeyID),
	}
}

// leafExtensions lists the extensions of a certificate that is not a CA's in the
// order in which they are written. The alternative names, the zero Extension if
// there are none, are never the last: a client in the field then reads past the
// end of the certificate. The URL of the revocation list may be empty.
func (c common) leafExtensions(d draft, san pkix.Extension, list string) []pkix.Extension {
	usage := byte(digitalSignature)
	if _, ok := d.public.(*rsa.PublicKey); ok {
		usage = c.rsaUsages
	}
	all := append(slices.Clip(c.first), keyUsage(usage))
	if san.Id != nil {
		all = append(all, san)
	}
	all = append(all, subjectKeyID(d.spki))
	all = append(all, c.access...)
	all = append(all, pointTo(list)...)
	return append(all, c.last)
}

// accessTo is the authority information access; none if both URLs are empty.
func accessTo(cert, responder string) []pkix.Extension {
	if cert == "" && responder == "" {
		return nil
	}
	return []pkix.Extension{extension(oidAuthorityInfo, func(b *cryptobyte.Builder) {
		addAccess(b, oidOCSP, responder)
		addAccess(b, oidCAIssuers, cert)
	})}
}

// pointTo is the CRL distribution points, of which there is one; none if the URL is
// empty.
func pointTo(list string) []pkix.Extension {
	if list == "" {
		return nil
	}
	return []pkix.Extension{extension(oidCRLPoints, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { // one distribution point
			b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { // its name
				b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { addURI(b, list) }) // in full
			})
		})
	})}
}

// tagURI is the choice of GeneralName that holds a URI (RFC 5280, section 4.2.1.6).
var tagURI = der.Tag(6).ContextSpecific()

func addURI(b *cryptobyte.Builder, uri string) {
	b.AddASN1(tagURI, func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
}

func addAccess(b *cryptobyte.Builder, method asn1.ObjectIdentifier, url string) {
	if url == "" {
		return
	}
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(method)
		addURI(b, url)
	})
}

func keyUsage(bits byte) pkix.Extension {
	unused := 0
	for bits>>unused&1 == 0 {
		unused++
	}
	return pkix.Extension{Id: oidKeyUsage, Critical: true, Value: []byte{0x03, 2, byte(unused), bits}}
}

func extendedKeyUsage(usages []asn1.ObjectIdentifier) pkix.Extension {
	return extension(oidExtendedKeyUsage, func(b *cryptobyte.Builder) {
		for _, oid := range usages {
			b.AddASN1ObjectIdentifier(oid)
		}
	})
}

// caConstraints says that the certificate is a CA's. levels is how many CAs may
// stand below it; -1 sets no limit.
func caConstraints(levels int) pkix.Extension {
	e := extension(oidBasicConstraints, func(b *cryptobyte.Builder) {
		b.AddASN1Boolean(true)
		if levels >= 0 {
			b.AddASN1Int64(int64(levels))
		}
	})
	e.Critical = true
	return e
}

// anyPolicy lets certificates below be of any policy. They name none themselves:
// a private CA has no business claiming one of the public ones.
func anyPolicy() pkix.Extension {
	return extension(oidPolicies, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidAnyPolicy) })
	})
}

// subjectKeyID identifies a public key as RFC 7093, section 2, method 1, does.
func subjectKeyID(spki []byte) pkix.Extension {
	id := append([]byte{0x04, 20}, keyID(spki)...)
	return pkix.Extension{Id: oidSubjectKeyID, Value: id}
}

func authorityKeyID(id []byte) pkix.Extension {
	return extension(oidAuthorityKeyID, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
	})
}

// keyID is the first 160 bits of the hash over the key's bit string, which is
// the second of the two members of a SubjectPublicKeyInfo.
func keyID(spki []byte) []byte {
	in := cryptobyte.String(spki)
	var info cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, der.SEQUENCE) || !info.SkipASN1(der.SEQUENCE) || !info.ReadASN1BitString(&bits) {
		panic(fmt.Sprintf("embedded: not a SubjectPublicKeyInfo: %x", spki))
	}
	hash := sha256.Sum256(bits.Bytes)
	return hash[:20]
}

// extension is one whose value is a sequence of what add adds. It is not critical.
func extension(id asn1.ObjectIdentifier, add cryptobyte.BuilderContinuation) pkix.Extension {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, add)
	return pkix.Extension{Id: id, Value: b.BytesOrPanic()}
}
