package shelf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// PEM lays out a certificate, its key and its chain as servers read them: plain PEM
// with LF line ends. The settings are those of PEMFields. Any of the paths may be
// the same: such a file has the certificate, the chain and the key, in this order.
//
// Without a chain file the chain follows the certificate in its file, unless Bundle
// Certificate says no. The root is left out, which clients have or do not trust (RFC
// 8446, section 4.4.2), unless a chain file would be empty without. With Overwrite
// Existing Chain 0 a chain file that is there stays.
//
// A driver whose files are always one sets the path of the key in the settings to
// that of the certificate before it calls this.
func PEM(s deploy.Settings) (Layout, error) {
	if err := Check(s, PEMFields); err != nil {
		return Layout{}, err
	}
	key, err := keyPart(s)
	if err != nil {
		return Layout{}, err
	}
	certFile, chainFile, chain := s.Value(clm.CertificateFile, ""), s.Value(clm.ChainFile, ""), chainPart
	if chainFile == "" && s.IsOn(clm.BundleChain, true) {
		chainFile = certFile
	}
	if chainFile == certFile {
		chain = servedPart
	}
	files, err := partFiles([]part{
		{clm.CertificateFile, certFile, "certificate", certificatePart},
		{clm.ChainFile, chainFile, "chain", chain},
		{clm.KeyFile, s.Value(clm.KeyFile, ""), "key", key},
	})
	keepChain(s, files)
	return Layout{Files: files, Bare: chainFile == "", Read: readPEM}, err
}

// A part is what a setting wants in the file that it names.
type part struct {
	attr clm.Attr
	path string
	name string // of the file, on the shelf
	data func(pki.Bundle) ([]byte, error)
}

// partFiles makes the files of parts; those with the same path are one, and those
// without are none.
func partFiles(parts []part) (files []File, err error) {
	for _, p := range parts {
		if p.path == "" {
			continue
		}
		if err := checkPath(labelOf(p.attr), p.path); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == p.path })
		if i < 0 {
			i = len(files)
			files = append(files, File{Path: p.path, Name: p.name, Data: nothing})
		}
		files[i].Key = files[i].Key || p.name == "key" || p.name == "store"
		files[i].Data = appended(files[i].Data, p.data)
	}
	return files, nil
}

func nothing(pki.Bundle, []byte) ([]byte, error) { return nil, nil }

func appended(first func(pki.Bundle, []byte) ([]byte, error), then func(pki.Bundle) ([]byte, error)) func(pki.Bundle, []byte) ([]byte, error) {
	return func(b pki.Bundle, old []byte) ([]byte, error) {
		data, err := first(b, old)
		if err != nil {
			return nil, err
		}
		more, err := then(b)
		return append(data, more...), err
	}
}

// keepChain leaves a file alone that is there for the chain and nothing else, where
// the settings want that.
func keepChain(s deploy.Settings, files []File) {
	if s.IsOn(clm.ReplaceChain, true) {
		return
	}
	for i, f := range files {
		if f.Name != "chain" || f.Key {
			continue
		}
		files[i].Merges = true
		files[i].Data = func(b pki.Bundle, old []byte) ([]byte, error) {
			if len(old) > 0 {
				return old, nil
			}
			return f.Data(b, old)
		}
	}
}

// served is the chain without the root.
func served(b pki.Bundle) [][]byte {
	if n := len(b.Chain); n > 0 && isRoot(b.Chain[n-1]) {
		return slices.Clone(b.Chain[:n-1])
	}
	return slices.Clone(b.Chain)
}

func isRoot(der []byte) bool {
	cert, err := x509.ParseCertificate(der)
	return err == nil && bytes.Equal(cert.RawSubject, cert.RawIssuer)
}

func certificatePart(b pki.Bundle) ([]byte, error) { return certificatesPEM(b.Cert), nil }

func servedPart(b pki.Bundle) ([]byte, error) { return certificatesPEM(served(b)...), nil }

func chainPart(b pki.Bundle) ([]byte, error) {
	if chain := served(b); len(chain) > 0 {
		return certificatesPEM(chain...), nil
	}
	return certificatesPEM(b.Chain...), nil
}

func certificatesPEM(certs ...[]byte) []byte {
	var text bytes.Buffer
	for _, der := range certs {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return text.Bytes()
}

// keyPart writes keys as the settings want them.
func keyPart(s deploy.Settings) (func(pki.Bundle) ([]byte, error), error) {
	syntax := strings.ToUpper(strings.NewReplacer(" ", "", "#", "").Replace(s.Value(clm.KeySyntax, "PKCS#8")))
	if syntax != "PKCS1" && syntax != "PKCS8" {
		return nil, fmt.Errorf("%s: %q is neither PKCS#1 nor PKCS#8", labelOf(clm.KeySyntax), s.Value(clm.KeySyntax, ""))
	}
	password := s.Secrets[clm.KeyCredential]
	return func(b pki.Bundle) ([]byte, error) {
		block, err := keyBlock(b, syntax == "PKCS8", password)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(block), nil
	}, nil
}

func keyBlock(b pki.Bundle, isPKCS8 bool, password secret.Plain) (*pem.Block, error) {
	if !password.IsEmpty() {
		b.Chain, b.Password = nil, password.Reveal()
		text, err := pki.EncodePEM(b, pki.PEMOptions{PKCS8: isPKCS8})
		if err != nil {
			return nil, err
		}
		_, rest := pem.Decode(text) // the certificate
		block, _ := pem.Decode(rest)
		return block, nil
	}
	if !isPKCS8 {
		return traditional(b.Key)
	}
	der, err := pki.MarshalKey(b.Key)
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
}

// traditional is a key in the form of its algorithm: PKCS #1 (RFC 8017) or, for an
// ECC key, RFC 5915.
func traditional(key crypto.Signer) (*pem.Block, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}, nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}, err
	}
	return nil, fmt.Errorf("%w: %T", pki.ErrUnsupportedKey, key)
}

// readPEM finds the first certificate of the files of PEM, and what stands behind it
// or in the file of the chain, each once.
func readPEM(files map[string][]byte) (deploy.Found, error) {
	var all [][]byte
	for _, name := range []string{"certificate", "chain"} {
		for block, rest := pem.Decode(files[name]); block != nil; block, rest = pem.Decode(rest) {
			isKnown := slices.ContainsFunc(all, func(der []byte) bool { return bytes.Equal(der, block.Bytes) })
			if block.Type == "CERTIFICATE" && !isKnown {
				all = append(all, block.Bytes)
			}
		}
	}
	if len(all) == 0 || len(files["certificate"]) == 0 {
		return deploy.Found{}, nil
	}
	return deploy.Found{Cert: all[0], Chain: all[1:]}, nil
}
