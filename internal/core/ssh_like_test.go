package core

import (
	"regexp"
	"strings"
	"testing"
)

// isLike says what a regular expression says that has the same wildcards.
func FuzzIsLike(f *testing.F) {
	for _, c := range [][2]string{
		{"", ""}, {"", "a"}, {"*", ""}, {"**", "a"}, {"?", ""}, {"?", "ä"}, {"a*", "abc"}, {"*c", "abc"}, {"a*c", "ac"}, {"a*b*c", "abbcbc"},
		{"a?c", "abc"}, {"a?c", "ac"}, {"*ab", "aab"}, {"ops", "OPS"}, {"ops", "ops\nroot"}, {"*", "a\nb"}, {"a.c", "abc"}, {"*?", "a"}, {"?*?", "a"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		pattern, text = strings.ToValidUTF8(pattern, ""), strings.ToValidUTF8(text, "")
		want := regexp.MustCompile(`(?s)\A` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern)) + `\z`).MatchString(text)
		if got := isLike(pattern, text); got != want {
			t.Errorf("%q, %q: got %v, want %v", pattern, text, got, want)
		}
	})
}
