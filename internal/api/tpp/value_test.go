package tpp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// TestStamp writes seven digits, as real servers do.
func TestStamp(t *testing.T) {
	at := time.Date(2020, 1, 15, 15, 46, 53, 229666100, time.FixedZone("", 3600))
	for _, c := range []struct{ got, want string }{
		{stamp(at), "2020-01-15T14:46:53.2296661Z"},
		{stamp(time.Time{}), "0001-01-01T00:00:00.0000000Z"},
		{stampOf(at.UnixMicro()), "2020-01-15T14:46:53.2296660Z"},
		{jsonDate(at), "/Date(1579099613229)/"},
		{isoDate(at), "2020-01-15T14:46:53Z"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// TestIdentities are written with their prefix and braces and read in any case.
func TestIdentities(t *testing.T) {
	const id = "0a1b2c3d-0000-4000-8000-00000000000f"
	if got, want := universal(id), "local:{"+id+"}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, c := range []struct{ name, text, want string }{
		{"as it is written", "local:{" + id + "}", id},
		{"upper case", "LOCAL:{" + strings.ToUpper(id) + "}", id},
		{"without braces", " local:" + id, id},
		{"of another directory", "AD+corp:6e1c", "AD+corp:6e1c"},
		{"a name", "local:alice", "local:alice"},
	} {
		if got := principalOf(c.text); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got := universal(clm.PrincipalID("AD+corp:6e1c")); got != "AD+corp:6e1c" {
		t.Errorf("got %s", got)
	}
}

// TestSplitValues has a row for each rule of commas and quotes.
func TestSplitValues(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"one", "a", []string{"a"}},
		{"several", "a, b,c", []string{"a", "b", "c"}},
		{"comma in quotes", `"CN=x, O=y",b`, []string{"CN=x, O=y", "b"}},
		{"doubled quotes", `"O=""Shop, Inc."""`, []string{`O="Shop, Inc."`}},
		{"empty", "", []string{""}},
		{"quotes that do not end", `"a,b`, []string{"a,b"}},
	} {
		if got := splitValues(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzSplitValues loses nothing: each value, quoted, is read back.
func FuzzSplitValues(f *testing.F) {
	f.Add("a", `b"c`)
	f.Add("CN=x, O=y", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		want := []string{strings.TrimSpace(a), strings.TrimSpace(b)}
		if got := splitValues(quote(a) + "," + quote(b)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
