package pki

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// What may be asked at once: the length of the request and how many certificates
// it is about.
const (
	MaxRequestSize = 64 << 10
	MaxQuestions   = 32
)

// maxNonce is the length of the longest nonce, in octets (RFC 9654, section 2.1).
const maxNonce = 128

// A StatusRequest is what a client asks a responder (RFC 6960, section 4.1).
type StatusRequest struct {
	Questions []Question // at least one
	Nonce     []byte     // for the answer to repeat; nil if there is none
}

// ReadStatusRequest reads a request, DER. Who signed it, if anybody, does not
// matter: the answer would be the same. It fails with ErrTooLarge or ErrNotRequest,
// also for critical extensions other than the nonce.
func ReadStatusRequest(der []byte) (StatusRequest, error) {
	if len(der) > MaxRequestSize {
		return StatusRequest{}, fmt.Errorf("%w: %d bytes of OCSP request", ErrTooLarge, len(der))
	}
	r, err := readStatusRequest(der)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return StatusRequest{}, fmt.Errorf("%w: %w", ErrNotRequest, err)
	}
	return r, err
}

var errMalformed = errors.New("malformed")

func readStatusRequest(der []byte) (r StatusRequest, err error) {
	in := cryptobyte.String(der)
	var outer, tbs, list, extensions cryptobyte.String
	var hasExtensions bool
	ok := in.ReadASN1(&outer, tag.SEQUENCE) && in.Empty() &&
		outer.ReadASN1(&tbs, tag.SEQUENCE) &&
		outer.SkipOptionalASN1(bracket(0)) && outer.Empty() && // signature
		readFirstVersion(&tbs) &&
		tbs.SkipOptionalASN1(bracket(1)) && // requestor's name
		tbs.ReadASN1(&list, tag.SEQUENCE) &&
		tbs.ReadOptionalASN1(&extensions, &hasExtensions, bracket(2)) && tbs.Empty()
	if !ok {
		return r, errMalformed
	}
	if r.Questions, err = readQuestions(list); err != nil {
		return StatusRequest{}, err
	}
	if hasExtensions {
		r.Nonce, err = readExtensions(extensions)
	}
	return r, err
}

// readFirstVersion passes over the version, which must be the first. It need not
// be there.
func readFirstVersion(tbs *cryptobyte.String) bool {
	var version int64
	return tbs.ReadOptionalASN1Integer(&version, bracket(0), int64(0)) && version == 0
}

func readQuestions(list cryptobyte.String) ([]Question, error) {
	var all []Question
	for !list.Empty() {
		var request, extensions cryptobyte.String
		var hasExtensions bool
		if len(all) == MaxQuestions {
			return nil, fmt.Errorf("%w: more than %d certificates in an OCSP request", ErrTooLarge, MaxQuestions)
		}
		if !list.ReadASN1(&request, tag.SEQUENCE) {
			return nil, errMalformed
		}
		q, ok := readQuestion(&request)
		if !ok || !request.ReadOptionalASN1(&extensions, &hasExtensions, bracket(0)) || !request.Empty() {
			return nil, errMalformed
		}
		if hasExtensions {
			if _, err := readExtensions(extensions); err != nil {
				return nil, err
			}
		}
		all = append(all, q)
	}
	if len(all) == 0 {
		return nil, errors.New("it asks nothing")
	}
	return all, nil
}

// readExtensions reads the extensions of a request or of one question in it (RFC
// 5280, section 4.1): it finds the nonce and passes over what need not be
// understood.
func readExtensions(in cryptobyte.String) (nonce []byte, err error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, tag.SEQUENCE) || !in.Empty() {
		return nil, errMalformed
	}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&ext, tag.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			ext.PeekASN1Tag(tag.BOOLEAN) && !ext.ReadASN1Boolean(&critical) ||
			!ext.ReadASN1(&value, tag.OCTET_STRING) || !ext.Empty() {
			return nil, errMalformed
		}
		switch isNonce := oid.Equal(oidNonce); {
		case isNonce && nonce != nil:
			return nil, errors.New("it has two nonces")
		case isNonce:
			if !value.ReadASN1((*cryptobyte.String)(&nonce), tag.OCTET_STRING) || !value.Empty() || len(nonce) < 1 || len(nonce) > maxNonce {
				return nil, errors.New("its nonce is malformed")
			}
		case critical:
			return nil, fmt.Errorf("its extension %s is critical and not known here", oid)
		}
	}
	return nonce, nil
}
