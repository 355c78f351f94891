package pki

import (
	"crypto"
	"fmt"
	"io"
	"slices"
)

// A Bundle is what is handed out, and what ParseImport takes in: a certificate,
// what stands above it, and its key. Each output format is a function of its own that takes a Bundle; it writes
// what is in it and nothing else, so leave out what is not wanted. However a
// Bundle is printed or logged, it says [bundle], for the sake of key and password.
type Bundle struct {
	Cert         []byte        // DER
	Chain        [][]byte      // DER, the issuer first, the root last
	Key          crypto.Signer // nil for a bundle without the key
	Password     []byte        // protects Key
	FriendlyName string
}

// Format says [bundle], whatever the verb.
func (b Bundle) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[bundle]") }

// MarshalText says [bundle]; so does JSON, which asks for it.
func (b Bundle) MarshalText() ([]byte, error) { return []byte("[bundle]"), nil }

// certs are the certificates, DER, the leaf first.
func (b Bundle) certs() [][]byte { return slices.Concat([][]byte{b.Cert}, b.Chain) }
