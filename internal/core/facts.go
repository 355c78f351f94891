package core

import (
	"bytes"
	"crypto/x509"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// factsOf is what the inventory is to know of the certificate with the identity.
func factsOf(cert *x509.Certificate, id pki.Identity) clm.Facts {
	key := pki.SpecOf(cert.PublicKey)
	return clm.Facts{
		Names: id.Names, Issuer: pki.FormatName(cert.RawIssuer), IssuedBy: commonNameOf(cert.RawIssuer), KeyAlgorithm: key.Algorithm, KeySize: key.Size(),
		SignatureAlgorithm: pki.SignatureName(cert), SelfSigned: bytes.Equal(cert.RawSubject, cert.RawIssuer), IsCA: cert.BasicConstraintsValid && cert.IsCA,
	}
}

// commonNameOf is the common name in a name, DER; empty where there is none.
func commonNameOf(name []byte) string {
	names, _ := pki.ReadNames(name, nil) // as far as it can be read
	return names.CommonName
}

// readFacts is factsOf for a certificate, DER.
func readFacts(der []byte) (clm.Facts, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return clm.Facts{}, err
	}
	return factsOf(cert, pki.Identify(cert)), nil
}
