package tpp

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// What is seen has the numbers and names of the vendor's pages of codes.
func TestValidationCodes(t *testing.T) {
	for _, c := range []struct {
		got  facts
		want string
	}{
		{codes(chainCodes, uint32(core.ChainFine)), `{"Bitmask":2,"Values":["Success"]}`},
		{codes(chainCodes, 4|16), `{"Bitmask":20,"Values":["NoChain","ExpiringChain"]}`},
		{codes(chainCodes, 512), `{"Bitmask":512,"Values":["MismatchedCertificate"]}`},
		{codes(chainCodes, 0), `{"Bitmask":0,"Values":["None"]}`},
		{codes(endEntityCodes, uint32(core.LeafFine)), `{"Bitmask":2,"Values":["Success"]}`},
		{codes(endEntityCodes, uint32(core.HostUnknown)), `{"Bitmask":4,"Values":["HostResolutionFailed"]}`},
		{codes(endEntityCodes, uint32(core.SettingWrong)), `{"Bitmask":8,"Values":["SettingError"]}`},
		{codes(endEntityCodes, uint32(core.Unreached)), `{"Bitmask":16,"Values":["ConnectionFailure"]}`},
		{codes(endEntityCodes, uint32(core.NothingShown)), `{"Bitmask":32,"Values":["NoCertificateFound"]}`},
		{codes(endEntityCodes, uint32(core.FormerShown|core.LeafExpired)), `{"Bitmask":1088,"Values":["MismatchWithPrevious","Expired"]}`},
		{codes(endEntityCodes, uint32(core.KnownShown)), `{"Bitmask":128,"Values":["MismatchWithKnown"]}`},
		{codes(endEntityCodes, uint32(core.StrangerShown|core.LeafNotYetValid)), `{"Bitmask":2304,"Values":["MismatchWithUnknown","NotYetValid"]}`},
		{protocols(nil), `{"Bitmask":0,"Values":["None"]}`},
		{protocols([]uint16{tls.VersionTLS12, tls.VersionTLS13}), `{"Bitmask":15360,"Values":["Tls12","Tls13"]}`},
		{protocols([]uint16{tls.VersionTLS10, tls.VersionTLS11}), `{"Bitmask":960,"Values":["Tls","Tls11"]}`},
	} {
		if got, err := json.Marshal(c.got); err != nil || string(got) != c.want {
			t.Errorf("got %s, %v; want %s", got, err, c.want)
		}
	}
}

// Every reason not to look for a certificate has words.
func TestValidateHasWords(t *testing.T) {
	for _, kind := range core.ValidateKinds {
		s := validating.say(&clm.Error{Kind: kind, Subject: "the subject", Value: "the value"})
		if (s.text == internalText) != (kind == clm.Internal) || strings.ContainsAny(s.text, "{}") {
			t.Errorf("%s: got %q", kind, s.text)
		}
	}
}
