// Package pki makes and reads keys, certificate signing requests, certificates
// and the formats in which they are handed out and taken in. Bytes go in, bytes
// come out: it knows no storage, no clock, and of policy nothing but what can be
// encoded.
package pki

import "errors"

// What can be wrong with what is given to this package; to be told apart with
// errors.Is.
var (
	ErrTooLarge       = errors.New("too large")
	ErrNotBase64      = errors.New("not in base64 format")
	ErrNotCSR         = errors.New("not a certificate signing request")
	ErrBadSignature   = errors.New("the signature of the certificate signing request is not of its key")
	ErrUnsupportedKey = errors.New("unsupported key")
	ErrBadName        = errors.New("name cannot stand in a certificate")
	ErrNoPassword     = errors.New("a private key is not given out without a password")
	ErrNoKey          = errors.New("the format needs a private key")
	ErrNoFriendlyName = errors.New("the format needs a friendly name")
	ErrUnknownCipher  = errors.New("unknown encryption algorithm")
	ErrNotCertificate = errors.New("not a certificate")
	ErrBadKey         = errors.New("the private key cannot be extracted")
	ErrKeyMismatch    = errors.New("the private key does not match the certificate")
	ErrNotList        = errors.New("not a certificate revocation list")
	ErrNotRequest     = errors.New("not an OCSP request")
	ErrNotStatus      = errors.New("not an OCSP response")
	ErrForeignSigner  = errors.New("not signed by the issuer of the certificate")
	ErrNotNow         = errors.New("not valid at this time")
)
