package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// PEMOptions say how EncodePEM lays out a bundle.
type PEMOptions struct {
	PKCS8     bool   // the key as PKCS #8 rather than in the traditional form of its algorithm
	Cipher    Cipher // what encrypts a PKCS #8 key; the traditional form is always AES-256-CBC
	RootFirst bool   // the certificates in reverse, the key after the leaf still
}

// EncodePEM writes a bundle as PEM (RFC 7468), every line ended by CRLF: the
// leaf, its key, the chain. With a chain every certificate has its subject and
// issuer above it, and every block has an empty line below. A friendly name
// stands above the leaf and the key.
//
// The traditional form of an encrypted key (RFC 1421 headers) is what old
// software reads; its protection is weak. It is had for RSA and ECC keys.
func EncodePEM(b Bundle, o PEMOptions) ([]byte, error) {
	leaf, err := certificateSection(b.Cert, b)
	if err != nil {
		return nil, err
	}
	leaf.friendly(b.FriendlyName)
	sections := []section{leaf}
	for _, der := range b.Chain {
		s, err := certificateSection(der, b)
		if err != nil {
			return nil, err
		}
		sections = append(sections, s)
	}
	at := 1 // behind the leaf
	if o.RootFirst {
		slices.Reverse(sections)
		at = len(sections)
	}
	if b.Key != nil {
		block, err := keyBlock(b, o)
		if err != nil {
			return nil, err
		}
		key := section{block: block}
		key.friendly(b.FriendlyName)
		sections = slices.Insert(sections, at, key)
	}
	return layOut(sections, len(b.Chain) > 0), nil
}

// A section is a PEM block with the lines above it.
type section struct {
	lines []string
	block *pem.Block
}

// certificateSection heads a certificate with its names if the bundle has a chain.
func certificateSection(der []byte, b Bundle) (section, error) {
	s := section{block: &pem.Block{Type: "CERTIFICATE", Bytes: der}}
	if len(b.Chain) == 0 {
		return s, nil
	}
	subject, issuer, ok := namesIn(der)
	if !ok {
		return section{}, errors.New("encode PEM: not a certificate")
	}
	s.lines = []string{"subject=" + FormatName(subject), "issuer=" + FormatName(issuer)}
	return s, nil
}

// namesIn finds the two names in a certificate (RFC 5280, section 4.1) without
// reading the rest of it, which would take ten times as long.
func namesIn(der []byte) (subject, issuer cryptobyte.String, ok bool) {
	var cert, tbs cryptobyte.String
	in := cryptobyte.String(der)
	ok = in.ReadASN1(&cert, tag.SEQUENCE) &&
		cert.ReadASN1(&tbs, tag.SEQUENCE) &&
		tbs.SkipOptionalASN1(tag.Tag(0).Constructed().ContextSpecific()) && // version
		tbs.SkipASN1(tag.INTEGER) && // serial number
		tbs.SkipASN1(tag.SEQUENCE) && // signature algorithm
		tbs.ReadASN1Element(&issuer, tag.SEQUENCE) &&
		tbs.SkipASN1(tag.SEQUENCE) && // validity
		tbs.ReadASN1Element(&subject, tag.SEQUENCE)
	return subject, issuer, ok
}

func (s *section) friendly(name string) {
	if name != "" {
		s.lines = slices.Insert(s.lines, 0, "friendlyName: "+name)
	}
}

func layOut(sections []section, spaced bool) []byte {
	var b bytes.Buffer
	for _, s := range sections {
		for _, line := range s.lines {
			b.WriteString(headerLine(line) + "\n")
		}
		b.Write(pem.EncodeToMemory(s.block))
		if spaced {
			b.WriteString("\n")
		}
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
}

// headerLine makes sure that a name stays on its line and cannot be taken for the
// beginning of a block.
func headerLine(line string) string {
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
	return strings.ReplaceAll(line, "-----", "- - - - - ")
}

func keyBlock(b Bundle, o PEMOptions) (*pem.Block, error) {
	if len(b.Password) == 0 {
		return nil, ErrNoPassword
	}
	if o.PKCS8 {
		return pkcs8Block(b, o.Cipher)
	}
	block, err := traditionalBlock(b.Key)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 clients of this format read no other encryption; the doc comment of EncodePEM warns
	return x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, b.Password, x509.PEMCipherAES256)
}

func pkcs8Block(b Bundle, c Cipher) (*pem.Block, error) {
	der, err := MarshalKey(b.Key)
	if err != nil {
		return nil, err
	}
	return &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: newLock(b.Password, c).shroud(der)}, nil
}

// traditionalBlock is the key in the form of its algorithm: RFC 8017, appendix
// A.1.2, or RFC 5915.
func traditionalBlock(key crypto.Signer) (*pem.Block, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}, nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupportedKey, err)
		}
		return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, key)
}
