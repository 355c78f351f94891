package clm

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPatternMatch has a row for every rule of patterns.
func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		name, pattern, text string
		want                bool
	}{
		{"nothing fits everything", ``, `www.example.com`, true},
		{"a star fits everything", `*`, `www.example.com`, true},
		{"a star fits the empty text", `*`, ``, true},
		{"two stars are one", `**`, ``, true},
		{"a text fits itself", `www`, `www`, true},
		{"in any case", `WWW.Exämple`, `www.exÄMPLE`, true},
		{"not a longer text", `www`, `www1`, false},
		{"not a shorter text", `www1`, `www`, false},
		{"not in the middle", `ww`, `awwb`, false},
		{"a star at the end", `www*`, `www.example.com`, true},
		{"a star at the end stands for nothing", `www*`, `www`, true},
		{"a star in front", `*.example.com`, `www.example.com`, true},
		{"a star in front does not move the end", `*.example.com`, `www.example.com.de`, false},
		{"a star within", `w*m`, `www.example.com`, true},
		{"a star comes back", `*ab*abc`, `xabyabababc`, true},
		{"stars in order", `*a*b*`, `b-a`, false},
		{"a question mark is one character", `w?w`, `wäw`, true},
		{"a question mark is not none", `www?`, `www`, false},
		{"a question mark is not two", `?`, `ab`, false},
		{"a question mark behind a star", `*?`, ``, false},
		{"a star stands for whole characters", `*??bc`, `€bc`, false},
		{"a question mark before a star", `?*`, `ä`, true},
		{"an escaped star is itself", `\*.example.com`, `*.example.com`, true},
		{"an escaped star is nothing else", `\*.example.com`, `www.example.com`, false},
		{"two backslashes escape as one", `\\*.example.com`, `*.example.com`, true},
		{"an escaped question mark is itself", `a\?`, `a?`, true},
		{"an escaped question mark is nothing else", `a\\?`, `ab`, false},
		{"a star behind an escaped one", `\**`, `*.example.com`, true},
		{"a backslash elsewhere is itself", `\VED\Policy\w*`, `\ved\policy\www`, true},
		{"a separator and an escaped star", `\VED\\\*.a`, `\VED\*.a`, true},
		{"a star runs over separators", `\VED\*x\www`, `\VED\Policy\x\www`, false},
		{"a star runs over separators when it is none of a name", `\VED\P*\www`, `\VED\Policy\x\www`, true},
		{"a backslash at the end", `www\`, `www`, false},
		{"brackets are ordinary", `[a-z]{1}.+`, `[A-Z]{1}.+`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := pattern(t, c.pattern).Match(c.text); got != c.want {
				t.Errorf("got %v for %q and %q", got, c.pattern, c.text)
			}
		})
	}
}

func pattern(t *testing.T, s string) Pattern {
	t.Helper()
	p, err := ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPatternShape says of each pattern what it is compared with and how an index
// may help.
func TestPatternShape(t *testing.T) {
	for _, c := range []struct {
		pattern          string
		path, everything bool
		prefix           string
		literal          bool
	}{
		{``, false, true, ``, false},
		{`***`, false, true, ``, false},
		{`?`, false, false, ``, false},
		{`WWW`, false, false, `www`, true},
		{`Www*x`, false, false, `www`, false},
		{`\*.X`, false, false, `*.x`, true},
		{`a\\?b?`, false, false, `a?b`, false},
		{`\VED\Policy`, true, false, `\ved\policy`, true},
		{`\VED\\\*.a`, true, false, `\ved\*.a`, true},
		{`*\Shop\w?w`, true, false, ``, false},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			p := pattern(t, c.pattern)
			if p.IsPath() != c.path || p.IsEverything() != c.everything || p.Prefix() != c.prefix {
				t.Errorf("got path %v, everything %v, prefix %q", p.IsPath(), p.IsEverything(), p.Prefix())
			}
			if text, ok := p.Literal(); ok != c.literal || ok && text != c.prefix {
				t.Errorf("got literal %q, %v", text, ok)
			}
		})
	}
}

// TestPatternChoosesNameOrDN compares with the whole DN only when the pattern
// separates names.
func TestPatternChoosesNameOrDN(t *testing.T) {
	const dn DN = `\VED\Policy\Shop\*.example.com`
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{``, true},
		{`*.example.com`, true},
		{`\*.example.com`, true},
		{`\\*.EXAMPLE.com`, true},
		{`Shop`, false},
		{`Shop\*x`, false},
		{`*\Shop??.example.com`, true},
		{`*\Shop\?.example.com`, false},
		{`\VED\Policy\S*`, true},
		{`\ved\policy\shop\\*.example.com`, false},
		{`\ved\policy\shop\\\*.example.com`, true},
	} {
		if got := pattern(t, c.pattern).Matches(dn); got != c.want {
			t.Errorf("got %v for %q", got, c.pattern)
		}
	}
	if !(Pattern{}).Matches(dn) {
		t.Error("the zero Pattern does not fit")
	}
}

// TestPatternRefusesWhatIsTooLong counts characters, not bytes.
func TestPatternRefusesWhatIsTooLong(t *testing.T) {
	pattern(t, strings.Repeat("ä", MaxPattern))
	for _, s := range []string{strings.Repeat("a", MaxPattern+1), "a\xff"} {
		if _, err := ParsePattern(s); !errors.Is(err, Invalid) || AsError(err).Field != "pattern" {
			t.Errorf("got %v for %.10q", err, s)
		}
	}
}

// TestPatternDoesNotBlowUp would not end in a lifetime if every * were tried
// against every other.
func TestPatternDoesNotBlowUp(t *testing.T) {
	p := pattern(t, strings.Repeat("a*", MaxPattern/2))
	if !p.Match(strings.Repeat("a", 10_000) + "b") {
		t.Error("a long text does not fit")
	}
	p = pattern(t, strings.Repeat("*a", MaxPattern/2-1)+"b")
	if p.Match(strings.Repeat("a", 10_000)) {
		t.Error("a long text fits")
	}
}

// naive says whether text fits, straight from the rules.
func naive(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	for _, escape := range []string{`\\`, `\`} {
		if rest, ok := strings.CutPrefix(pattern, escape); ok && strings.IndexAny(rest, "*?") == 0 {
			return text != "" && text[0] == rest[0] && naive(rest[1:], text[1:])
		}
	}
	_, size := utf8.DecodeRuneInString(text)
	switch pattern[0] {
	case '*':
		return naive(pattern[1:], text) || text != "" && naive(pattern, text[size:])
	case '?':
		return text != "" && naive(pattern[1:], text[size:])
	}
	return text != "" && text[0] == pattern[0] && naive(pattern[1:], text[1:])
}

// FuzzPattern compares every answer with that of a slow and simple matcher.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{`*`, ``}, {`\*.a`, `*.a`}, {`\\*.a`, `b.a`}, {`a*b?c`, `aXXbYc`}, {`\\\*`, `\*`}, {`\\\\*`, `\\x`}, {`*ä?`, `xÄy`}, {`**a*?`, `bab`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		p, err := ParsePattern(s)
		if err != nil || len(s) > 12 || len(text) > 24 || strings.Count(s, "*") > 4 || !utf8.ValidString(text) {
			return
		}
		lower := strings.ToLower(text)
		want := s == "" || naive(strings.ToLower(s), lower)
		if got := p.Match(text); got != want {
			t.Fatalf("%q and %q: got %v, want %v", s, text, got, want)
		}
		if want && !strings.HasPrefix(lower, p.Prefix()) {
			t.Errorf("%q does not begin with the prefix of %q", text, s)
		}
		if only, ok := p.Literal(); ok && want != (only == lower) {
			t.Errorf("%q: got %v although only %q may fit", text, want, only)
		}
	})
}
