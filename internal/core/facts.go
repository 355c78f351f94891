package core

import (
	"bytes"
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// factsOf is what the inventory is to know of the certificate with the identity.
func factsOf(cert *x509.Certificate, id pki.Identity) clm.Facts {
	key := pki.SpecOf(cert.PublicKey)
	return clm.Facts{
		Names: id.Names, Issuer: pki.FormatName(cert.RawIssuer), KeyAlgorithm: key.Algorithm, KeySize: bitsOf(key),
		SignatureAlgorithm: pki.SignatureName(cert), SelfSigned: bytes.Equal(cert.RawSubject, cert.RawIssuer),
	}
}

// readFacts is factsOf for a certificate, DER.
func readFacts(der []byte) (clm.Facts, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return clm.Facts{}, err
	}
	return factsOf(cert, pki.Identify(cert)), nil
}

// bitsOf is the size of a key in bits; of one on a curve, that of the curve.
func bitsOf(k pki.KeySpec) int {
	if k.Bits != 0 {
		return k.Bits
	}
	n, err := strconv.Atoi(strings.TrimPrefix(k.Curve, "P"))
	if err != nil {
		return 0
	}
	return n
}
