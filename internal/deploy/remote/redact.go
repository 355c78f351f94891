package remote

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/certwright/certwright/internal/secret"
)

// Bounds of Redact.
const (
	MaxSaid      = 4 << 10 // bytes of what is kept of what a program said
	shortSecrets = 3       // bytes; these are in any text by chance
)

const redacted = "[secret]"

// What can be left of private keys in text of which the middle was left out: a
// whole one, a beginning, an end.
var privateKeys = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)` +
	`|[A-Za-z0-9+/=\s]*-----END [A-Z0-9 ]*PRIVATE KEY-----`)

// Redact makes a text fit to be kept: without the secrets, save those of up to three
// bytes, without private keys in PEM, without control characters but newline and
// tab, and with MaxSaid bytes at most, the middle left out.
func Redact(text string, secrets ...secret.Plain) string {
	var hidden []string
	for _, s := range secrets {
		plain := string(s.Reveal())
		hidden = append(hidden, plain, printable(plain)) // as it was said, and as it is left
	}
	hidden = slices.DeleteFunc(hidden, func(s string) bool { return len(s) <= shortSecrets })
	slices.SortFunc(hidden, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	text = hide(text, hidden)
	text = hide(printable(text), hidden)
	return clip(privateKeys.ReplaceAllLiteralString(text, redacted), MaxSaid)
}

func hide(text string, hidden []string) string {
	for _, s := range hidden {
		text = strings.ReplaceAll(text, s, redacted)
	}
	return text
}

// printable leaves out what could not be printed, or would print something else.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
