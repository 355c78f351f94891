package pki

import (
	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// Told lists what a response that SignStatus has made says, for those who keep count.
// It checks nothing: whoever wants to rely on a response uses ReadStatus.
func Told(response []byte) (all []Status) {
	in := cryptobyte.String(response)
	var outer, bytes, typed, octets, basic, data, list cryptobyte.String
	ok := in.ReadASN1(&outer, tag.SEQUENCE) &&
		outer.SkipASN1(tag.ENUM) && // successful
		outer.ReadASN1(&bytes, bracket(0)) && bytes.ReadASN1(&typed, tag.SEQUENCE) &&
		typed.SkipASN1(tag.OBJECT_IDENTIFIER) && typed.ReadASN1(&octets, tag.OCTET_STRING) &&
		octets.ReadASN1(&basic, tag.SEQUENCE) && basic.ReadASN1(&data, tag.SEQUENCE) &&
		data.SkipASN1(bracket(2)) && // responder, by key
		data.SkipASN1(tag.GeneralizedTime) &&
		data.ReadASN1(&list, tag.SEQUENCE)
	for ok && !list.Empty() {
		var single, content cryptobyte.String
		var status tag.Tag
		ok = list.ReadASN1(&single, tag.SEQUENCE) && single.SkipASN1(tag.SEQUENCE) && single.ReadAnyASN1(&content, &status)
		switch {
		case !ok:
		case status == tag.Tag(0).ContextSpecific():
			all = append(all, StatusGood)
		case status == bracket(1):
			all = append(all, StatusRevoked)
		default:
			all = append(all, StatusUnknown)
		}
	}
	return all
}
