package remote

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestWordsAsShellsDo splits lines, and has a shell split them as well.
func TestWordsAsShellsDo(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"  \t ", nil},
		{"systemctl reload nginx", []string{"systemctl", "reload", "nginx"}},
		{" a  b\tc ", []string{"a", "b", "c"}},
		{`a 'b  c' "d  e"`, []string{"a", "b  c", "d  e"}},
		{`a'b'"c"d`, []string{"abcd"}},
		{`'' ""`, []string{"", ""}},
		{`a\ b \'c \"`, []string{"a b", "'c", `"`}},
		{`'a\b' "a\b" "a\\b" "\"" "\$x" "\'"`, []string{`a\b`, `a\b`, `a\b`, `"`, "$x", `\'`}},
		{`sh -c 'kill -HUP $(cat /run/x.pid) && exit 0; true | false > /dev/null'`, []string{"sh", "-c", "kill -HUP $(cat /run/x.pid) && exit 0; true | false > /dev/null"}},
		{`'A=b' "" A"="b 1=2`, []string{"A=b", "", "A=b", "1=2"}},
		{`"a;b" 'c&d' \;`, []string{"a;b", "c&d", ";"}},
		{"a \\\nb c\\\nd", []string{"a", "b", "cd"}},
		{"\"a\\\nb\"", []string{"ab"}},
		{"zoë 'ÄÖ'", []string{"zoë", "ÄÖ"}},
		{`find -name '*.pem' \? "[a]" {} -o a~ b#c '~' \# "{a,b}" a]}`, []string{"find", "-name", "*.pem", "?", "[a]", "{}", "-o", "a~", "b#c", "~", "#", "{a,b}", "a]}"}},
		{"env A=b cmd --c=d", []string{"env", "A=b", "cmd", "--c=d"}},
		{"a b \n\n", []string{"a", "b"}},
	} {
		got, err := Words(c.line)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, %v; want %q", c.line, got, err, c.want)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-fc", `for word in "$@"; do printf '%s\0' "$word"; done`, "sh").Output()
		if err != nil || len(out) != 0 {
			t.Fatalf("sh: %q, %v", out, err)
		}
		out, err = exec.CommandContext(t.Context(), "sh", "-fc", "set -- "+c.line+"\nfor word; do printf '%s\\0' \"$word\"; done").Output()
		if err != nil {
			t.Fatalf("sh: %v", err)
		}
		if shell := strings.Split(string(out), "\x00"); !slices.Equal(shell[:len(shell)-1], c.want) {
			t.Errorf("%q: a shell has %q, the table %q", c.line, shell[:len(shell)-1], c.want)
		}
	}
}

// TestWordsRefusesWhatNoShellDoes lets nobody believe that a shell reads the line.
func TestWordsRefusesWhatNoShellDoes(t *testing.T) {
	for line, want := range map[string]string{
		`a 'b`:        "single quote",
		`a "b`:        "double quote",
		`a "b\"`:      "double quote",
		`a "b\`:       "double quote",
		`a \`:         "backslash",
		"a \x00":      "NUL",
		"a | b":       "|",
		"a && b":      "&",
		"a; b":        ";",
		"a > b":       ">",
		"a < b":       "<",
		"(a)":         "(",
		"a $HOME":     "$",
		`a "$HOME"`:   "$",
		"a `b`":       "`",
		"a *.pem":     "*",
		"a b?":        "?",
		"a [ab]":      "[",
		"a ~/b":       "~",
		"~/a":         "~",
		"a # b":       "#",
		"a \\\n#b":    "#",
		"a {b,c}":     "{",
		"{ a":         "{",
		"A=b cmd":     "A=",
		"A_1+=b":      "A_1+=",
		"A\\\n=b cmd": "A=",
		"a\nb":        "second line",
		"a\n\n'b'":    "second line",
		"a b\n\\\nc":  "second line",
		"a \"`b`\"":   "`",
		`a "$(b)" c`:  "$",
	} {
		words, err := Words(line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v; want %q in the error", line, words, err, want)
		}
	}
}

// FuzzWords quotes any words and wants them back; and whatever a line is, it is
// refused or made of what stands in it.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", `"`, `\`, "$x;`y`", "a\nb", "ä"} {
		f.Add(s, s+" 'x'")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if words, err := Words(b); err == nil {
			for _, w := range words {
				if len(w) > len(b) || strings.ContainsRune(w, 0) {
					t.Errorf("%q has become %q", b, words)
				}
			}
		}
		if strings.ContainsRune(a+b, 0) {
			t.Skip("no argument has a NUL")
		}
		for _, quote := range []func(string) string{single, double} {
			got, err := Words(quote(a) + " " + quote(b))
			if err != nil || !slices.Equal(got, []string{a, b}) {
				t.Errorf("%q, %q: got %q, %v", a, b, got, err)
			}
		}
	})
}

func single(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func double(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(word) + `"`
}
