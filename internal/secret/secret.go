// Package secret seals what must not be read: private keys and passwords.
package secret

// Plain is a secret in the clear. However it is printed, logged or marshalled,
// it says [secret]. Its bytes are had by Reveal and by nothing else.
type Plain struct{ b []byte }

// NewPlain makes a secret of b, which it keeps.
func NewPlain(b []byte) Plain { return Plain{b} }

// Reveal gives the secret's bytes. The caller must not keep or change them.
func (p Plain) Reveal() []byte { return p.b }
