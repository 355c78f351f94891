package pki

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"hash"
)

// maxSafes is how many parts a PKCS #12 file may have, each of which may want a
// key derived. Most have two.
const maxSafes = 4

// macHashes are the hashes of MACs (RFC 8017, appendix B.1).
var macHashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
	"2.16.840.1.101.3.4.2.4": sha256.New224,
}

// isPKCS12 reports whether der is made as a PKCS #12 file is (RFC 7292, section 4).
func isPKCS12(der []byte) bool {
	var file pfx
	return parse(der, &file) && file.Version == 3
}

// readPKCS12 opens a PKCS #12 file, old or new. The leaf is the certificate that
// fits the key, and comes first. It fails with ErrNotCertificate or ErrBadKey, the
// latter also when it does not open at all. We read such files ourselves because
// the libraries for it know no limits: a stranger's file could keep them busy for
// hours.
func readPKCS12(der, password []byte) (certs []*x509.Certificate, key crypto.Signer, err error) {
	closed := fmt.Errorf("%w: the PKCS #12 file does not open with this password", ErrBadKey)
	o := newOpener(password)
	var file pfx
	var safe []byte
	var parts []contentInfo
	if !parse(der, &file) || !parse(file.AuthSafe.Content.Bytes, &safe) || !o.fits(file.MACData, safe) ||
		!parse(safe, &parts) || len(parts) > maxSafes {
		return nil, nil, closed
	}
	var bags []safeBag
	for _, part := range parts {
		more, ok := part.open(o)
		if !ok {
			return nil, nil, closed
		}
		bags = append(bags, more...)
	}
	if certs, key, err = readBags(bags, o); err != nil {
		return nil, nil, err
	}
	return leafFirst(certs, func(c *x509.Certificate) bool { return Matches(c, key) }), key, nil
}

// fits reports whether m is the MAC of the safe under the password (RFC 7292,
// section 5.2). A file may do without. A password that is empty is a zero character
// for some who write such files and nothing at all for others; what it was for the
// MAC it is for the rest.
func (o *opener) fits(m macData, safe []byte) bool {
	if len(m.MAC.Digest) == 0 {
		return true
	}
	h, known := macHashes[m.MAC.Algorithm.Algorithm.String()]
	fits := func() bool {
		return known && o.mayDo(m.Rounds) && hmac.Equal(m.MAC.Digest, mac(h, safe, o.bmp, pbeParams{m.Salt, m.Rounds}))
	}
	if fits() {
		return true
	}
	if len(o.password) > 0 {
		return false
	}
	o.bmp = nil
	return fits()
}

// open finds the bags in a part, which is plain or encrypted.
func (part contentInfo) open(o *opener) (bags []safeBag, ok bool) {
	var content []byte
	var locked encryptedData
	switch {
	case part.Type.Equal(oidData):
		ok = parse(part.Content.Bytes, &content)
	case part.Type.Equal(oidEncryptedData) && parse(part.Content.Bytes, &locked):
		content, ok = o.unlock(locked.Content.Algorithm, locked.Content.Data)
	}
	return bags, ok && parse(content, &bags)
}

// readBags reads the certificates and the key, of which there must be one; bags of
// other kinds are passed over.
func readBags(bags []safeBag, o *opener) (certs []*x509.Certificate, key crypto.Signer, err error) {
	for _, bag := range bags {
		switch {
		case bag.Type.Equal(oidCertBag):
			var in certBag
			if !parse(bag.Value.Bytes, &in) || !in.Type.Equal(oidX509Certificate) {
				return nil, nil, fmt.Errorf("%w: unknown kind", ErrNotCertificate)
			}
			cert, err := x509.ParseCertificate(in.Cert)
			if err != nil {
				return nil, nil, fmt.Errorf("%w: %w", ErrNotCertificate, err)
			}
			certs = append(certs, cert)
		case bag.Type.Equal(oidKeyBag), bag.Type.Equal(oidShroudedKeyBag):
			if key != nil {
				return nil, nil, fmt.Errorf("%w: there are several", ErrBadKey)
			}
			if key, err = parseAnyKey(bag.Value.Bytes, o); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(certs) == 0 {
		return nil, nil, fmt.Errorf("%w: there is none", ErrNotCertificate)
	}
	if key == nil {
		return nil, nil, fmt.Errorf("%w: there is none", ErrBadKey)
	}
	return certs, key, nil
}
