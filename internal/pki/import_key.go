package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"strings"
)

// dekSizes are the ciphers of traditional PEM (RFC 1421 headers) and how many hex
// digits their initialization vectors have.
var dekSizes = map[string]int{
	"DES-CBC": 16, "DES-EDE3-CBC": 16, "AES-128-CBC": 32, "AES-192-CBC": 32, "AES-256-CBC": 32,
}

// Reading an RSA key takes time with the third power of its bits, 2 seconds for
// 8192 of them at worst; larger ones, and longer encodings, are refused unread.
const (
	maxKeyBits = 8192
	maxKeyDER  = 6 << 10
)

// keyForms read the forms of private keys, DER: RFC 5958; RFC 8017, appendix
// A.1.2; RFC 5915.
var keyForms = []func(der []byte) (any, error){
	x509.ParsePKCS8PrivateKey,
	func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
	func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
}

// readKey finds a private key in any form that ParseImport promises. It fails with
// ErrTooLarge or ErrBadKey.
func readKey(text, password []byte) (crypto.Signer, error) {
	if len(text) > MaxKeySize {
		return nil, fmt.Errorf("%w: %d bytes of private key", ErrTooLarge, len(text))
	}
	for _, a := range armorsWithin(string(text)) {
		if a.label != "" && !strings.HasSuffix(a.label, "PRIVATEKEY") {
			continue
		}
		der, ok := a.openKey(password)
		if !ok {
			return nil, fmt.Errorf("%w: not readable with this password", ErrBadKey)
		}
		return parseAnyKey(der, newOpener(password))
	}
	return nil, fmt.Errorf("%w: there is none", ErrBadKey)
}

// openKey decodes an armor, and decrypts it if it has RFC 1421 headers. They end
// where the vector is complete, for line ends may have got lost.
func (a armor) openKey(password []byte) (der []byte, ok bool) {
	headers, isEncrypted := strings.CutPrefix(a.body, "Proc-Type:4,ENCRYPTEDDEK-Info:")
	if !isEncrypted {
		der, err := a.decode()
		return der, err == nil
	}
	name, rest, _ := strings.Cut(headers, ",")
	size, known := dekSizes[name]
	if !known || len(rest) < size {
		return nil, false
	}
	data, err := armor{body: rest[size:]}.decode()
	if err != nil {
		return nil, false
	}
	block := &pem.Block{Bytes: data, Headers: map[string]string{"DEK-Info": name + "," + rest[:size]}}
	//lint:ignore SA1019 clients send keys in this format; it is weak for them, not for us
	der, err = x509.DecryptPEMBlock(block, password)
	return der, err == nil
}

// parseAnyKey reads a key, DER, whatever its form. An EncryptedPrivateKeyInfo (RFC
// 5958, section 3) is opened. It fails with ErrBadKey.
func parseAnyKey(der []byte, o *opener) (crypto.Signer, error) {
	var e encryptedKey
	if parse(der, &e) {
		plain, ok := o.unlock(e.Algorithm, e.Data)
		if !ok {
			return nil, fmt.Errorf("%w: not readable with this password", ErrBadKey)
		}
		der = plain
	}
	if len(der) > maxKeyDER || hasHugeNumber(der) {
		return nil, fmt.Errorf("%w: more than %d bits", ErrBadKey, maxKeyBits)
	}
	for _, form := range keyForms {
		if key, err := form(der); err == nil {
			return importable(key)
		}
	}
	return nil, fmt.Errorf("%w: neither PKCS #8 nor a traditional form", ErrBadKey)
}

func importable(key any) (crypto.Signer, error) {
	signer, err := supported(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	return signer, nil
}

// hasHugeNumber reports whether there is an INTEGER of too many bits in a key. It
// uses the decoder that will read the key, and so sees whatever that sees.
func hasHugeNumber(der []byte) bool {
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return false
		}
		if v.Tag == asn1.TagInteger && len(v.Bytes) > maxKeyBits/8+1 {
			return true
		}
		if (v.IsCompound || v.Tag == asn1.TagOctetString) && hasHugeNumber(v.Bytes) {
			return true
		}
		der = rest
	}
	return false
}
