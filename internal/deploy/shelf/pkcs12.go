package shelf

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// PKCS12 lays out a PKCS #12 file with the certificate, its key and, unless Bundle
// Certificate says no, its chain without the root; and the chain as PEM where there
// is a chain file. The settings are those of PKCS12Fields. The friendly name is the
// bundle's where the settings have none, or else the common name.
//
// The file is always written whole. One that is there must open with the password and
// hold one key with its chain and nothing else, unless Replace Store says that it may
// go whatever it is.
func PKCS12(s deploy.Settings) (Layout, error) {
	if err := Check(s, PKCS12Fields); err != nil {
		return Layout{}, err
	}
	password, name, hasChain := s.Secrets[clm.KeyCredential], s.Value(clm.FriendlyName, ""), s.IsOn(clm.BundleChain, true)
	files, err := partFiles([]part{
		{clm.CertificateFile, s.Value(clm.CertificateFile, ""), "store", func(b pki.Bundle) ([]byte, error) {
			b.FriendlyName, b.Password = cmp.Or(name, b.FriendlyName, pki.CommonName(b.Cert)), password.Reveal()
			if b.Chain = served(b); !hasChain {
				b.Chain = nil
			}
			return pki.EncodePKCS12(b, pki.AES256)
		}},
		{clm.ChainFile, s.Value(clm.ChainFile, ""), "chain", chainPart},
	})
	if err != nil {
		return Layout{}, err
	}
	if s.Value(clm.ChainFile, "") == files[0].Path {
		return Layout{}, fmt.Errorf("%s: it is that of %s", labelOf(clm.ChainFile), labelOf(clm.CertificateFile))
	}
	if !s.IsOn(clm.ReplaceStore, false) {
		files[0].Data, files[0].Merges = mustBeAlone(files[0].Data, password), true
	}
	files[0].Data = mustBeThere(s, files[0].Data)
	keepChain(s, files)
	isBare := !hasChain && s.Value(clm.ChainFile, "") == ""
	return Layout{Files: files, Bare: isBare, Read: func(files map[string][]byte) (deploy.Found, error) {
		return readPKCS12(files["store"], password.Reveal())
	}}, nil
}

// mustBeAlone lets making a store fail where that would remove what somebody else has
// put into the old one.
func mustBeAlone(data func(pki.Bundle, []byte) ([]byte, error), password secret.Plain) func(pki.Bundle, []byte) ([]byte, error) {
	return func(b pki.Bundle, old []byte) ([]byte, error) {
		if len(old) == 0 {
			return data(b, old)
		}
		found, err := readPKCS12(old, password.Reveal())
		if err != nil || !isOneChain(found) {
			return nil, fmt.Errorf("the store that is there does not open with the password, or holds more than one key with its chain, and %s does not say that it may go", labelOf(clm.ReplaceStore))
		}
		return data(b, old)
	}
}

// isOneChain reports whether each of the certificates is the issuer of the one before.
func isOneChain(found deploy.Found) bool {
	below, err := x509.ParseCertificate(found.Cert)
	for _, der := range found.Chain {
		above, broken := x509.ParseCertificate(der)
		if err = cmp.Or(err, broken); err != nil || !bytes.Equal(below.RawIssuer, above.RawSubject) {
			return false
		}
		below = above
	}
	return err == nil
}

func readPKCS12(store, password []byte) (deploy.Found, error) {
	if len(store) == 0 {
		return deploy.Found{}, nil
	}
	b, err := pki.ParseImport(base64.StdEncoding.EncodeToString(store), nil, password)
	return deploy.Found{Cert: b.Cert, Chain: b.Chain}, err
}

// mustBeThere lets making a store fail that is not there, where the settings want
// that.
func mustBeThere(s deploy.Settings, data func(pki.Bundle, []byte) ([]byte, error)) func(pki.Bundle, []byte) ([]byte, error) {
	if s.IsOn(clm.CreateStore, true) {
		return data
	}
	return func(b pki.Bundle, old []byte) ([]byte, error) {
		if old == nil {
			return nil, fmt.Errorf("it is not there, and %s says that it must be", labelOf(clm.CreateStore))
		}
		return data(b, old)
	}
}
