package pki

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/asn1"
	"fmt"
	"slices"
)

// A Cipher says how a private key is encrypted under a password when it is handed
// out. The zero Cipher is the best that is commonly read.
type Cipher int

// The ciphers. All but the last are used as PBES2 with PBKDF2 and HMAC-SHA-256
// (RFC 8018, section 6.2), and a PKCS #12 file then has a MAC with SHA-256.
const (
	AES256    Cipher = iota // AES-256-CBC
	AES192                  // AES-192-CBC; Java 17 reads no PKCS #12 file with it
	AES128                  // AES-128-CBC
	TripleDES               // 3DES-CBC; Java 17 reads no PKCS #12 file with it

	// OldTripleDES is pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C), and a
	// PKCS #12 file then has a MAC with SHA-1: for software that is too old for
	// anything better. For PKCS #8 it is the same scheme, which openssl and Java read.
	OldTripleDES
)

// A cbc is a block cipher in the mode CBC. Its vector is as long as its blocks.
type cbc struct {
	oid     asn1.ObjectIdentifier
	keySize int
	ivSize  int
	block   func(key []byte) (cipher.Block, error)
}

// cbcs are the ciphers that PBES2 uses (RFC 8018, appendix B.2).
var cbcs = map[Cipher]cbc{
	AES256:    {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, aes.BlockSize, aes.NewCipher},
	AES192:    {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24, aes.BlockSize, aes.NewCipher},
	AES128:    {asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, aes.BlockSize, aes.NewCipher},
	TripleDES: {asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, 24, des.BlockSize, des.NewTripleDESCipher},
}

// ParseCipher finds a cipher by its OID in dotted form. It fails with
// ErrUnknownCipher.
func ParseCipher(oid string) (Cipher, error) {
	if oid == oidOldTripleDES.String() {
		return OldTripleDES, nil
	}
	for c, is := range cbcs {
		if is.oid.String() == oid {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrUnknownCipher, oid)
}

// encrypt pads as RFC 8018 does in section 6.1.1, and encrypts.
func (c cbc) encrypt(key, iv, plain []byte) []byte {
	block, err := c.block(key)
	if err != nil {
		panic(err) // the key is not of keySize
	}
	n := c.ivSize - len(plain)%c.ivSize
	out := slices.Concat(plain, bytes.Repeat([]byte{byte(n)}, n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out
}

// decrypt undoes encrypt; what cannot have come from there is not ok. A wrong key
// is noticed by the padding, but one time in 256 it is not.
func (c cbc) decrypt(key, iv, data []byte) (plain []byte, ok bool) {
	block, err := c.block(key)
	if err != nil || len(iv) != c.ivSize || len(data) == 0 || len(data)%c.ivSize != 0 {
		return nil, false
	}
	plain = make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := plain[len(plain)-1]
	if n == 0 || int(n) > c.ivSize {
		return nil, false
	}
	body, padding := plain[:len(plain)-int(n)], plain[len(plain)-int(n):]
	return body, bytes.Count(padding, []byte{n}) == int(n)
}
