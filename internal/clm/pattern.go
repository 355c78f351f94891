package clm

import (
	"strings"
	"unicode/utf8"
)

// A Pattern is a text with wildcards that names or DNs are compared with as a
// whole, in any case. The zero Pattern fits everything.
type Pattern struct {
	tokens []rune // characters in lower case, and the wildcards
	isPath bool
}

// MaxPattern is how many characters a pattern may have.
const MaxPattern = 1024

// The wildcards among the tokens. No character is negative.
const (
	anyRun rune = -1 - iota
	anyOne
)

var wildcards = map[rune]rune{'*': anyRun, '?': anyOne}

// ParsePattern reads a pattern: * stands for any run of characters, also none, and
// ? for exactly one. One backslash before * or ?, or two of them, make it an
// ordinary character; any other backslash separates the names of a DN. The empty
// text fits everything. It fails with Invalid when s is longer than MaxPattern or
// is not UTF-8.
func ParsePattern(s string) (Pattern, error) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxPattern {
		return Pattern{}, Fail(Invalid, "pattern", s)
	}
	var p Pattern
	text := []rune(strings.ToLower(s))
	for i := 0; i < len(text); i++ {
		r := text[i]
		wildcard := wildcards[r]
		switch n := escaping(text[i:]); {
		case n > 0:
			i += n
			p.tokens = append(p.tokens, text[i])
		case wildcard == 0:
			p.isPath = p.isPath || r == '\\'
			p.tokens = append(p.tokens, r)
		case wildcard != anyRun || len(p.tokens) == 0 || p.tokens[len(p.tokens)-1] != anyRun:
			p.tokens = append(p.tokens, wildcard)
		}
	}
	return p, nil
}

// escaping is how many backslashes at the beginning of text make an ordinary
// character of the wildcard that follows them.
func escaping(text []rune) int {
	for n := 0; n < min(len(text), 3); n++ {
		if text[n] != '\\' {
			if wildcards[text[n]] == 0 {
				return 0
			}
			return n
		}
	}
	return 0
}

// IsEverything reports whether every text fits.
func (p Pattern) IsEverything() bool {
	return len(p.tokens) == 0 || len(p.tokens) == 1 && p.tokens[0] == anyRun
}

// IsPath reports whether p describes whole DNs and not only names: whether it has a
// backslash that separates names.
func (p Pattern) IsPath() bool { return p.isPath }

// Matches reports whether the object fits: by its DN when p is a path, otherwise by
// its name.
func (p Pattern) Matches(dn DN) bool {
	if p.isPath {
		return p.Match(string(dn))
	}
	return p.Match(dn.Name())
}

// Match reports whether s fits from its first character to its last. It takes at
// most as many steps as the pattern's length times that of s.
func (p Pattern) Match(s string) bool {
	if p.IsEverything() {
		return true
	}
	s = strings.ToLower(s)
	next, run, runEnd := 0, -1, 0 // run is the token behind the last *, which stands for s up to runEnd
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case next < len(p.tokens) && p.tokens[next] == anyRun:
			next++
			run, runEnd = next, at
		case next < len(p.tokens) && (p.tokens[next] == anyOne || p.tokens[next] == r):
			next++
			at += size
		case run >= 0: // let the last * have one character more
			_, size = utf8.DecodeRuneInString(s[runEnd:])
			runEnd += size
			next, at = run, runEnd
		default:
			return false
		}
	}
	for next < len(p.tokens) && p.tokens[next] == anyRun {
		next++
	}
	return next == len(p.tokens)
}

// Literal is the only text that fits, in lower case like a DN's Key. It is not ok
// when there may be others.
func (p Pattern) Literal() (text string, ok bool) {
	if len(p.tokens) == 0 {
		return "", false
	}
	text = p.Prefix()
	return text, utf8.RuneCountInString(text) == len(p.tokens)
}

// Prefix is how every text that fits begins, in lower case like a DN's Key: what
// stands before the first wildcard.
func (p Pattern) Prefix() string {
	end := len(p.tokens)
	for i, t := range p.tokens {
		if t < 0 {
			end = i
			break
		}
	}
	return string(p.tokens[:end])
}
