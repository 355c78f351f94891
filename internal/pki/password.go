package pki

import (
	"unicode"
	"unicode/utf8"
)

// What makes a password strong.
const (
	minPasswordLength  = 12 // characters
	minPasswordClasses = 3  // of: lower case, upper case, digits, everything else
)

// IsStrongPassword reports whether the password is long and mixed enough to
// protect a private key outside.
func IsStrongPassword(password []byte) bool {
	classes := map[string]bool{}
	for _, r := range string(password) {
		switch {
		case unicode.IsLower(r):
			classes["lower"] = true
		case unicode.IsUpper(r):
			classes["upper"] = true
		case unicode.IsDigit(r):
			classes["digit"] = true
		default:
			classes["special"] = true
		}
	}
	return utf8.RuneCount(password) >= minPasswordLength && len(classes) >= minPasswordClasses
}
