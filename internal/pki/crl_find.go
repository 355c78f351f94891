package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certwright/certwright/internal/clm"
)

// MaxListSize is how long a revocation list may be that is read. It has room for
// some 800,000 certificates.
const MaxListSize = 32 << 20

// removedFromList is the reason that takes a certificate off a list (RFC 5280,
// section 5.3.1).
const removedFromList = 8

// A Finding is what a list says of one certificate.
type Finding struct {
	Listed bool
	Entry  RevokedCert // if it is listed; the reason may be one that clm has no name for

	Number                 *big.Int  // nil if the list has none
	ThisUpdate, NextUpdate time.Time // the latter is zero if the list does not tell
}

// FindInList looks up a serial number in a list, DER or PEM, of the issuer. Whoever
// asks judges by the times whether the list is the present one. That a certificate
// does not stand in it says nothing unless the list is the one to which the
// certificate points; that it does stand there is true in any case.
//
// It fails with ErrTooLarge, ErrNotList, or ErrForeignSigner if the name or the
// signature is not the issuer's. Lists that are about the certificates of other
// issuers too (indirect ones) fail with ErrNotList.
func FindInList(text []byte, issuer *x509.Certificate, serial string) (Finding, error) {
	found, err := FindAllInList(text, issuer, []string{serial})
	if err != nil {
		return Finding{}, err
	}
	return found[0], nil
}

// FindAllInList is FindInList for several serial numbers: the list is read, and its
// signature checked, once for all of them. It returns what the list says of each, in
// their order.
func FindAllInList(text []byte, issuer *x509.Certificate, serials []string) ([]Finding, error) {
	if len(text) > MaxListSize {
		return nil, fmt.Errorf("%w: %d bytes of revocation list", ErrTooLarge, len(text))
	}
	places := map[string][]int{} // in serials, by the number in DER
	for at, serial := range serials {
		number, err := parseSerial(serial)
		if err != nil {
			return nil, err
		}
		der := string(marshal(number))
		places[der] = append(places[der], at)
	}
	list, err := readList(text, places)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(list.RawIssuer, issuer.RawSubject) {
		return nil, fmt.Errorf("the revocation list is %w", ErrForeignSigner)
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("the revocation list is %w: %w", ErrForeignSigner, err)
	}
	all := slices.Repeat([]Finding{{Number: list.Number, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate}}, len(serials))
	for _, e := range list.RevokedCertificateEntries {
		if e.ReasonCode == removedFromList {
			continue
		}
		for _, at := range places[string(marshal(e.SerialNumber))] {
			all[at].Listed = true
			all[at].Entry = RevokedCert{formatSerial(e.SerialNumber), e.RevocationTime, clm.Reason(e.ReasonCode)}
		}
	}
	return all, nil
}

// readList reads a list, of its entries only those whose serial numbers, DER, are
// wanted: crypto/x509 takes a kilobyte for each. The signature can be checked all the same.
func readList(text []byte, wanted map[string][]int) (*x509.RevocationList, error) {
	if block, _ := pem.Decode(text); block != nil {
		text = block.Bytes
	}
	short, signed, ok := shortenList(text, wanted)
	if !ok {
		return nil, fmt.Errorf("%w: malformed", ErrNotList)
	}
	list, err := x509.ParseRevocationList(short)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotList, err)
	}
	list.RawTBSRevocationList = signed
	for _, ext := range list.Extensions {
		if !ext.Id.Equal(oidIssuingPoint) {
			continue
		}
		var point struct {
			Name     asn1.RawValue  `asn1:"optional,tag:0"`
			Users    bool           `asn1:"optional,tag:1"`
			CAs      bool           `asn1:"optional,tag:2"`
			Reasons  asn1.BitString `asn1:"optional,tag:3"`
			Indirect bool           `asn1:"optional,tag:4"`
		}
		if _, err := asn1.Unmarshal(ext.Value, &point); err != nil || point.Indirect {
			return nil, fmt.Errorf("%w: it is an indirect one, or does not say well what it is", ErrNotList)
		}
	}
	return list, nil
}

// shortenList takes all entries out of a list but those whose serial numbers are wanted.
// It also returns the part of the list that is signed, as it was.
func shortenList(list []byte, wanted map[string][]int) (short, signed []byte, ok bool) {
	in := cryptobyte.String(list)
	var outer, tbs, body, entries cryptobyte.String
	ok = in.ReadASN1(&outer, tag.SEQUENCE) && outer.ReadASN1Element(&tbs, tag.SEQUENCE)
	if signed = tbs; !ok || !tbs.ReadASN1(&body, tag.SEQUENCE) {
		return nil, nil, false
	}
	whole := body
	ok = body.SkipASN1(tag.INTEGER) && // version
		body.SkipASN1(tag.SEQUENCE) && // signature algorithm
		body.SkipASN1(tag.SEQUENCE) && // issuer
		body.ReadAnyASN1(new(cryptobyte.String), new(tag.Tag)) && // this update
		body.SkipOptionalASN1(tag.UTCTime) && body.SkipOptionalASN1(tag.GeneralizedTime) // next update
	head := whole[:len(whole)-len(body)]
	if !ok || !body.ReadOptionalASN1(&entries, new(bool), tag.SEQUENCE) {
		return nil, nil, false
	}
	var kept []byte
	for !entries.Empty() {
		var entry, content, number cryptobyte.String
		if !entries.ReadASN1Element(&entry, tag.SEQUENCE) {
			return nil, nil, false
		}
		raw := entry
		if !entry.ReadASN1(&content, tag.SEQUENCE) || !content.ReadASN1Element(&number, tag.INTEGER) {
			return nil, nil, false
		}
		if _, ok := wanted[string(number)]; ok {
			kept = append(kept, raw...)
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(head)
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(kept) })
			b.AddBytes(body) // extensions
		})
		b.AddBytes(outer) // signature
	})
	short, err := b.Bytes()
	return short, signed, err == nil
}
