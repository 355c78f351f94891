package pki

import (
	"bytes"
	"crypto"
	"encoding/pem"
)

// CertificatesPEM writes certificates, DER, as PEM and nothing else: one block below the
// other, every line ended by LF.
func CertificatesPEM(certs ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

// KeyPEM writes a private key as PKCS #8, PEM, every line ended by LF: encrypted under the
// password with AES-256 or, where there is none, in the clear. It fails with
// ErrUnsupportedKey.
func KeyPEM(key crypto.Signer, password []byte) ([]byte, error) {
	if len(password) > 0 {
		block, err := pkcs8Block(Bundle{Key: key, Password: password}, AES256)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(block), nil
	}
	der, err := MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// CertificatesPKCS7 writes the certificates of a bundle as EncodePKCS7 does, the leaf
// first, and as PEM.
func CertificatesPKCS7(b Bundle) ([]byte, error) {
	der, err := EncodePKCS7(b, false)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}), nil
}
