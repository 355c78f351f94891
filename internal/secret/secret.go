// Package secret seals what must not be read: private keys and passwords. In
// the clear they are of type Plain, which cannot be shown by accident; at rest
// they are Sealed, which only the Box that made them can open.
package secret

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// mask is all that is ever shown of a secret, even of an empty one.
const mask = "[secret]"

// Plain is a secret in the clear. However it is printed, logged or marshalled,
// it says [secret]. Its bytes are had by Reveal and by nothing else. The zero
// Plain is the empty secret. Plains cannot be compared with ==; use Equal.
//
// The bytes are behind a function because fmt, and whoever else walks a struct
// by reflection, does not call the methods of what is in an unexported field: it
// would print a slice there byte by byte, but of a function it prints an address.
type Plain struct{ reveal func() []byte }

// NewPlain makes a secret of b, which it keeps.
func NewPlain(b []byte) Plain { return Plain{func() []byte { return b }} }

// NewString makes a secret of s.
func NewString(s string) Plain { return NewPlain([]byte(s)) }

// Reveal gives the secret's bytes. The caller must not keep or change them.
func (p Plain) Reveal() []byte {
	if p.reveal == nil {
		return nil
	}
	return p.reveal()
}

// IsEmpty reports whether the secret has no bytes.
func (p Plain) IsEmpty() bool { return len(p.Reveal()) == 0 }

// Equal reports whether both secrets have the same bytes. The time it takes says
// nothing but whether they are of the same length.
func (p Plain) Equal(q Plain) bool {
	return subtle.ConstantTimeCompare(p.Reveal(), q.Reveal()) == 1
}

// String says [secret].
func (p Plain) String() string { return mask }

// GoString says [secret].
func (p Plain) GoString() string { return mask }

// Format says [secret], whatever the verb, the flags and the width.
func (p Plain) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mask) }

// LogValue says [secret].
func (p Plain) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText says [secret].
func (p Plain) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalJSON says [secret].
func (p Plain) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// MarshalYAML says [secret].
func (p Plain) MarshalYAML() (any, error) { return mask, nil }

// MarshalBinary says [secret]; so does gob, which asks for it.
func (p Plain) MarshalBinary() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText takes text as the secret, so that requests and configuration
// files can be decoded straight into it. It makes a copy.
func (p *Plain) UnmarshalText(text []byte) error {
	*p = NewPlain(bytes.Clone(text))
	return nil
}

// UnmarshalJSON takes a JSON string as the secret; null is the empty one. Its
// errors do not repeat what was given.
func (p *Plain) UnmarshalJSON(data []byte) error {
	var s *string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New("a secret must be a string")
	}
	*p = Plain{}
	if s != nil {
		*p = NewString(*s)
	}
	return nil
}
