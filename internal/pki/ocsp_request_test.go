package pki

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// An asking is a request, part by part, for tests to change; each part is DER.
type asking struct {
	version, requestor           []byte // with their tags
	algorithm, nameHash, keyHash []byte
	serial                       []byte
	single, extensions           []byte // extensions, without their tags
	signature, behind            []byte
	count                        int
}

func newAsking() asking {
	return asking{
		algorithm: tlv(tag.SEQUENCE, marshal(oidSHA1), asn1.NullBytes),
		nameHash:  tlv(tag.OCTET_STRING, make([]byte, 20)), keyHash: tlv(tag.OCTET_STRING, make([]byte, 20)),
		serial: []byte{2, 1, 0x7f}, count: 1,
	}
}

func tlv(t tag.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(t, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(parts...)) })
	return b.BytesOrPanic()
}

func (a asking) der() []byte {
	ifAny := func(n uint8, content []byte) []byte {
		if content == nil {
			return nil
		}
		return tlv(bracket(n), content)
	}
	id := tlv(tag.SEQUENCE, a.algorithm, a.nameHash, a.keyHash, a.serial)
	list := bytes.Repeat(tlv(tag.SEQUENCE, id, ifAny(0, a.single)), a.count)
	tbs := tlv(tag.SEQUENCE, a.version, a.requestor, tlv(tag.SEQUENCE, list), ifAny(2, a.extensions))
	return append(tlv(tag.SEQUENCE, tbs, a.signature), a.behind...)
}

// extensionsOf lists extensions, each the DER of OID, perhaps critical, and value.
func extensionsOf(each ...[]byte) []byte { return tlv(tag.SEQUENCE, each...) }

func extensionOf(oid asn1.ObjectIdentifier, critical bool, value []byte) []byte {
	if critical {
		return tlv(tag.SEQUENCE, marshal(oid), marshal(true), tlv(tag.OCTET_STRING, value))
	}
	return tlv(tag.SEQUENCE, marshal(oid), tlv(tag.OCTET_STRING, value))
}

func nonceOf(n int) []byte {
	return extensionOf(oidNonce, false, tlv(tag.OCTET_STRING, bytes.Repeat([]byte{7}, n)))
}

var oidOther = asn1.ObjectIdentifier{1, 2, 3}

// Whatever a client may rightly say is read, and whatever else is refused.
func TestRequests(t *testing.T) {
	malformed, fine := ErrNotRequest, error(nil)
	for name, test := range map[string]struct {
		change func(*asking)
		want   error
	}{
		"plain":                       {func(*asking) {}, fine},
		"version that need not be":    {func(a *asking) { a.version = []byte{0xa0, 3, 2, 1, 0} }, fine},
		"version 2":                   {func(a *asking) { a.version = []byte{0xa0, 3, 2, 1, 1} }, malformed},
		"requestor":                   {func(a *asking) { a.requestor = []byte{0xa1, 2, 0x82, 0} }, fine},
		"signature":                   {func(a *asking) { a.signature = []byte{0xa0, 2, 0x30, 0} }, fine},
		"something for a signature":   {func(a *asking) { a.signature = []byte{0xa1, 2, 0x30, 0} }, malformed},
		"something behind":            {func(a *asking) { a.behind = []byte{0} }, malformed},
		"no parameters":               {func(a *asking) { a.algorithm = tlv(tag.SEQUENCE, marshal(oidSHA1)) }, fine},
		"other parameters":            {func(a *asking) { a.algorithm = tlv(tag.SEQUENCE, marshal(oidSHA1), []byte{4, 1, 'x'}) }, malformed},
		"unknown hash":                {func(a *asking) { a.algorithm = tlv(tag.SEQUENCE, marshal(oidOther)) }, fine},
		"hash of another length":      {func(a *asking) { a.keyHash = tlv(tag.OCTET_STRING, make([]byte, 21)) }, malformed},
		"no hash":                     {func(a *asking) { a.nameHash = nil }, malformed},
		"serial number 0":             {func(a *asking) { a.serial = []byte{2, 1, 0} }, fine},
		"serial number of 20 octets":  {func(a *asking) { a.serial = append([]byte{2, 20}, bytes.Repeat([]byte{1}, 20)...) }, fine},
		"serial number of 21 octets":  {func(a *asking) { a.serial = append([]byte{2, 21}, bytes.Repeat([]byte{1}, 21)...) }, malformed},
		"negative serial number":      {func(a *asking) { a.serial = []byte{2, 1, 0x81} }, malformed},
		"serial number not in DER":    {func(a *asking) { a.serial = []byte{2, 2, 0, 1} }, malformed},
		"no serial number":            {func(a *asking) { a.serial = nil }, malformed},
		"asks nothing":                {func(a *asking) { a.count = 0 }, malformed},
		"as many as may be":           {func(a *asking) { a.count = MaxQuestions }, fine},
		"too many":                    {func(a *asking) { a.count = MaxQuestions + 1 }, ErrTooLarge},
		"too large":                   {func(a *asking) { a.requestor = tlv(bracket(1), make([]byte, MaxRequestSize)) }, ErrTooLarge},
		"no extensions":               {func(a *asking) { a.extensions = extensionsOf() }, fine},
		"nonce of 1":                  {func(a *asking) { a.extensions = extensionsOf(nonceOf(1)) }, fine},
		"nonce of 128":                {func(a *asking) { a.extensions = extensionsOf(nonceOf(128)) }, fine},
		"nonce of 129":                {func(a *asking) { a.extensions = extensionsOf(nonceOf(129)) }, malformed},
		"nonce of 0":                  {func(a *asking) { a.extensions = extensionsOf(nonceOf(0)) }, malformed},
		"two nonces":                  {func(a *asking) { a.extensions = extensionsOf(nonceOf(8), nonceOf(8)) }, malformed},
		"bare nonce":                  {func(a *asking) { a.extensions = extensionsOf(extensionOf(oidNonce, false, []byte("12345678"))) }, malformed},
		"critical nonce":              {func(a *asking) { a.extensions = extensionsOf(extensionOf(oidNonce, true, []byte{4, 1, 7})) }, fine},
		"unknown extension":           {func(a *asking) { a.extensions = extensionsOf(extensionOf(oidOther, false, nil)) }, fine},
		"critical extension":          {func(a *asking) { a.extensions = extensionsOf(extensionOf(oidOther, true, nil)) }, malformed},
		"extension of the question":   {func(a *asking) { a.single = extensionsOf(extensionOf(oidOther, false, nil)) }, fine},
		"critical one there":          {func(a *asking) { a.single = extensionsOf(extensionOf(oidOther, true, nil)) }, malformed},
		"extension that is none":      {func(a *asking) { a.extensions = extensionsOf([]byte{2, 1, 0}) }, malformed},
		"something behind extensions": {func(a *asking) { a.extensions = append(extensionsOf(), 5, 0) }, malformed},
	} {
		a := newAsking()
		test.change(&a)
		got, err := ReadStatusRequest(a.der())
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if err != nil && (got.Questions != nil || got.Nonce != nil) {
			t.Errorf("%s: got %+v with an error", name, got)
		}
		if long := strings.HasPrefix(name, "nonce of"); err == nil && long && !bytes.Contains(a.der(), got.Nonce) || long == (got.Nonce == nil) && err == nil && name != "critical nonce" {
			t.Errorf("%s: got the nonce %x", name, got.Nonce)
		}
	}
}

// A question in a hash that is not known is about nobody, and is repeated all the same.
func TestUnknownHash(t *testing.T) {
	a := newAsking()
	a.algorithm = tlv(tag.SEQUENCE, marshal(oidOther))
	p := newPair(t, eccKey(), eccKey())
	r := mustReadRequest(t, a.der())
	if q := r.Questions[0]; q.Hash != crypto.Hash(0) || q.IsAbout(p.issuer) || q.Serial != "7F" {
		t.Errorf("got %+v", q)
	}
	if !bytes.Contains(p.sign(t, r, unknown()), r.Questions[0].Raw) {
		t.Error("the answer does not repeat the question")
	}
}

// Whatever comes, it is refused or it is a request within limits that can be
// answered; no part of it that is cut off or changed makes us panic.
func FuzzReadStatusRequest(f *testing.F) {
	p := newPair(f, eccKey(), eccKey())
	der, err := AskStatus(p.leaf(f), p.issuer)
	if err != nil {
		f.Fatal(err)
	}
	full := newAsking()
	full.version, full.requestor, full.signature = []byte{0xa0, 3, 2, 1, 0}, []byte{0xa1, 2, 0x82, 0}, []byte{0xa0, 2, 0x30, 0}
	full.single, full.extensions, full.count = extensionsOf(extensionOf(oidOther, false, nil)), extensionsOf(nonceOf(32), extensionOf(oidOther, false, nil)), 3
	for _, der := range [][]byte{nil, {0x30, 0}, der, newAsking().der(), full.der()} {
		f.Add(der)
		for cut := range der {
			f.Add(der[:cut])
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ReadStatusRequest(der)
		if err != nil {
			oneOf(t, err, ErrNotRequest, ErrTooLarge)
			return
		}
		if n := len(r.Questions); n < 1 || n > MaxQuestions || len(r.Nonce) > maxNonce {
			t.Fatalf("got %d questions and a nonce of %d", n, len(r.Nonce))
		}
		for _, q := range r.Questions {
			q.IsAbout(p.issuer)
			if serial, err := parseSerial(q.Serial); err != nil || formatSerial(serial) != q.Serial {
				t.Fatalf("got the serial number %q", q.Serial)
			}
		}
		p.sign(t, r, good())
	})
}
