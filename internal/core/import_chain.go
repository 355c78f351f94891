package core

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// saveChain keeps the chain above the certificate, as far as each has really
// issued the one before. What stands above a CA certificate is the same for all
// below it, so nobody who imports can change it: from one that is known already
// the chain goes on as it is known. What it lacks up to the root may be added.
func (in incoming) saveChain(tx *store.Tx) ([]byte, error) {
	var chain [][]byte
	below := in.cert
	for _, der := range in.Chain {
		if holdsAny(chain, [][]byte{der}) { // it was known to come
			continue
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil || !hasIssued(cert, below) {
			break
		}
		print := sha256.Sum256(der)
		known, err := tx.Chain(print[:])
		if errors.Is(err, clm.NotFound) {
			known, err = [][]byte{der}, nil
		}
		if err != nil {
			return nil, err
		}
		if holdsAny(chain, known) { // they would go round in a circle
			break
		}
		chain = append(chain, known...)
		if below, err = x509.ParseCertificate(chain[len(chain)-1]); err != nil || hasIssued(below, below) {
			break
		}
	}
	if len(chain) == 0 {
		var err error
		if chain, err = in.ownChain(tx); err != nil {
			return nil, err
		}
	}
	return tx.SaveChain(chain)
}

// ownChain is the chain of the issuer that has issued the certificate and whose key is
// held here; nil where there is none.
func (in incoming) ownChain(tx *store.Tx) ([][]byte, error) {
	issuers, err := tx.Issuers()
	if err != nil {
		return nil, err
	}
	for _, i := range issuers {
		chain, err := tx.Chain(i.Fingerprint)
		if err != nil {
			return nil, err
		}
		if cert, err := x509.ParseCertificate(chain[0]); err == nil && hasIssued(cert, in.cert) {
			return chain, nil
		}
	}
	return nil, nil
}

// hasIssued reports whether the CA certificate has issued the other one, or itself.
func hasIssued(ca, other *x509.Certificate) bool {
	return ca.IsCA && bytes.Equal(ca.RawSubject, other.RawIssuer) &&
		ca.CheckSignature(other.SignatureAlgorithm, other.RawTBSCertificate, other.Signature) == nil
}

func holdsAny(all, some [][]byte) bool {
	return slices.ContainsFunc(some, func(one []byte) bool {
		return slices.ContainsFunc(all, func(other []byte) bool { return bytes.Equal(one, other) })
	})
}
