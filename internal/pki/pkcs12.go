package pki

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
)

// The bags of PKCS #12, what is in a certificate bag, and the attributes of bags
// (RFC 7292, section 4.2; RFC 2985, section 5.5).
var (
	oidKeyBag          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKeyBag  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509Certificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
)

// The parts of a file, for encoding/asn1, named as in RFC 7292, sections 4 and 5.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		MACData  macData `asn1:"optional"`
	}
	macData struct {
		MAC    digestInfo
		Salt   []byte
		Rounds int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue // see explicit
	}
	encryptedData struct {
		Version int
		Content encryptedContent
	}
	encryptedContent struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte `asn1:"tag:0"`
	}
	safeBag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue  // see explicit
		Attributes []bagAttribute `asn1:"set,optional,omitempty"`
	}
	bagAttribute struct {
		Type   asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	certBag struct {
		Type asn1.ObjectIdentifier
		Cert []byte `asn1:"tag:0,explicit"`
	}
	encryptedKey struct { // EncryptedPrivateKeyInfo (RFC 5958, section 3)
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
)

// The hashes of MACs (RFC 8017, appendix B.1).
var (
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// EncodePKCS12 writes a bundle as a PKCS #12 file, DER (RFC 7292): the
// certificates, encrypted, and the key in a bag of its own, both under the
// password. Key and leaf bear the friendly name, if there is one, and the same
// local key ID. It fails with ErrNoKey, ErrNoPassword or ErrUnsupportedKey.
func EncodePKCS12(b Bundle, c Cipher) ([]byte, error) {
	if b.Key == nil {
		return nil, ErrNoKey
	}
	if len(b.Password) == 0 {
		return nil, ErrNoPassword
	}
	plain, err := MarshalKey(b.Key)
	if err != nil {
		return nil, err
	}
	lock := newLock(b.Password, c)
	attributes := bagAttributes(b)
	safe := marshal([]contentInfo{
		encryptedSafe(lock, certBags(b, attributes)),
		plainSafe([]safeBag{{oidShroudedKeyBag, explicit(lock.shroud(plain)), attributes}}),
	})
	return marshal(pfx{Version: 3, AuthSafe: dataOf(safe), MACData: newMAC(safe, b.Password, c)}), nil
}

// shroud makes the EncryptedPrivateKeyInfo of a key that is PKCS #8.
func (l lock) shroud(key []byte) []byte {
	a, data := l(key)
	return marshal(encryptedKey{a, data})
}

// bagAttributes are those that tell the key and its certificate from the rest.
func bagAttributes(b Bundle) []bagAttribute {
	id := sha1.Sum(b.Cert)
	attributes := []bagAttribute{{oidLocalKeyID, []asn1.RawValue{{Tag: asn1.TagOctetString, Bytes: id[:]}}}}
	if b.FriendlyName != "" {
		name := asn1.RawValue{Tag: asn1.TagBMPString, Bytes: utf16BE(b.FriendlyName)}
		attributes = append(attributes, bagAttribute{oidFriendlyName, []asn1.RawValue{name}})
	}
	return attributes
}

func certBags(b Bundle, ofLeaf []bagAttribute) []safeBag {
	var bags []safeBag
	for _, der := range b.certs() {
		bags = append(bags, safeBag{Type: oidCertBag, Value: explicit(marshal(certBag{oidX509Certificate, der}))})
	}
	bags[0].Attributes = ofLeaf
	return bags
}

func plainSafe(bags []safeBag) contentInfo { return dataOf(marshal(bags)) }

func encryptedSafe(l lock, bags []safeBag) contentInfo {
	a, data := l(marshal(bags))
	return contentInfo{oidEncryptedData, explicit(marshal(encryptedData{Content: encryptedContent{oidData, a, data}}))}
}

func dataOf(content []byte) contentInfo { return contentInfo{oidData, explicit(marshal(content))} }

// explicit wraps an encoding in the tag [0], because encoding/asn1 (as of Go 1.26)
// does not do that for a RawValue, whatever the tag of its field says.
func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

// newMAC protects the safe against change (RFC 7292, section 5.1). It gets as
// many rounds as the encryption, because it is as good for guessing passwords.
func newMAC(safe, password []byte, c Cipher) macData {
	oid, h := oidSHA256, sha256.New
	if c == OldTripleDES {
		oid, h = oidSHA1, sha1.New
	}
	params := pbeParams{Salt: random(16), Rounds: kdfRounds}
	digest := mac(h, safe, bmp(password), params)
	return macData{digestInfo{algorithm(oid, asn1.NullRawValue), digest}, params.Salt, params.Rounds}
}

// mac is the MAC of the safe under the password, as bmp encodes it.
func mac(h func() hash.Hash, safe, password []byte, p pbeParams) []byte {
	m := hmac.New(h, pkcs12KDF(h, kdfForMAC, password, p, h().Size()))
	m.Write(safe)
	return m.Sum(nil)
}
