package embedded

import (
	"crypto"
	"testing"

	"github.com/certwright/certwright/internal/pki"
)

// BenchmarkIssue is one certificate, from the order to the DER. BenchmarkSign is
// the bare signature below which it cannot go.
func BenchmarkIssue(b *testing.B) {
	for _, spec := range []pki.KeySpec{rsa2048, p256} {
		b.Run(spec.String(), func(b *testing.B) {
			c := connect(b, issuerOf(b, spec, ordered), urls)
			o := order(b, p256, serverNames)
			for b.Loop() {
				if _, err := c.Collect(b.Context(), o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, spec := range []pki.KeySpec{rsa2048, p256} {
		b.Run(spec.String(), func(b *testing.B) {
			k := key(b, spec, "issuer")
			message := make([]byte, 1000)
			for b.Loop() {
				if _, err := crypto.SignMessage(k, nil, message, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSubmit is the checking of an order, without any signature.
func BenchmarkSubmit(b *testing.B) {
	c := connect(b, issuerOf(b, p256, ordered), urls)
	o := order(b, p256, serverNames)
	for b.Loop() {
		if _, err := c.Submit(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}
