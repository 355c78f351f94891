package estate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A place is where in the file something stands, for errors.
type place struct {
	line int
	path string // folders[2].policy["City"]
}

// fail is an error about the place.
func (p place) fail(format string, args ...any) error {
	where := fmt.Sprintf("line %d: ", p.line)
	if p.path != "" {
		where += p.path + ": "
	}
	return fmt.Errorf("%s"+format, append([]any{where}, args...)...)
}

// A value is a part of the file, and where it stands.
type value struct {
	node   *yaml.Node
	path   string
	left   *int // how many texts may still be read, in the whole file
	secret bool // what is near a password: errors do not repeat it
}

// A reader takes what it understands from a value, or says why it does not.
type reader func(value) error

// keys are the keys that an object may have, with what reads them.
type keys map[string]reader

func (v value) place() place { return place{v.node.Line, v.path} }

func (v value) fail(format string, args ...any) error { return v.place().fail(format, args...) }

// of is the value that a node of the file stands for.
func (v value) of(n *yaml.Node, path string) value {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return value{node: n, path: path, left: v.left, secret: v.secret}
}

// merged are the keys of both.
func merged(all, further keys) keys {
	maps.Copy(all, further)
	return all
}

// has reports whether a mapping has the key.
func (v value) has(key string) bool {
	for i := 0; v.node.Kind == yaml.MappingNode && i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == key {
			return true
		}
	}
	return false
}

func (v value) isNull() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// object reads a mapping whose keys are known.
func (v value) object(known keys) error {
	return v.mapping(func(key string, line int, entry value) error {
		read, ok := known[key]
		if !ok {
			return v.unknown(line, key, slices.Sorted(maps.Keys(known)))
		}
		entry.path = strings.TrimPrefix(v.path+"."+key, ".")
		return read(entry)
	})
}

// mapping reads a mapping entry by entry, in the order of the file. line is the key's.
func (v value) mapping(entry func(key string, line int, v value) error) error {
	if v.node.Kind != yaml.MappingNode {
		return v.fail("must be a mapping of keys to values")
	}
	if len(v.node.Content)/2 > MaxEntries {
		return v.fail("has more than %d entries", MaxEntries)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.of(v.node.Content[i], v.path)
		if key.node.Kind != yaml.ScalarNode {
			return key.fail("a key must be a text")
		}
		name := key.node.Value
		if seen[name] {
			return key.fail("the key %s is there twice", key.shown(name))
		}
		seen[name] = true
		if *v.left--; *v.left < 0 {
			return key.fail("the file has more than %d values", MaxValues)
		}
		if err := entry(name, key.node.Line, v.of(v.node.Content[i+1], fmt.Sprintf("%s[%q]", v.path, short(name)))); err != nil {
			return err
		}
	}
	return nil
}

// unknown refuses a key, with what may have been meant.
func (v value) unknown(line int, key string, known []string) error {
	hint := "; known are " + strings.Join(known, ", ")
	if near := nearest(key, known); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	if v.secret {
		return place{line, v.path}.fail("unknown key%s (a password is best put in quotes)", hint)
	}
	return place{line, v.path}.fail("unknown key %q%s", short(key), hint)
}

// shown is a text of the file as errors may repeat it.
func (v value) shown(text string) string {
	if v.secret {
		return "that stands here"
	}
	return fmt.Sprintf("%q", short(text))
}

// list reads a sequence item by item.
func (v value) list(most int, item reader) error {
	if v.node.Kind != yaml.SequenceNode {
		return v.fail("must be a list")
	}
	if len(v.node.Content) > most {
		return v.fail("has more than %d items", most)
	}
	for i, n := range v.node.Content {
		if err := item(v.of(n, fmt.Sprintf("%s[%d]", v.path, i))); err != nil {
			return err
		}
	}
	return nil
}

// items reads a sequence item by item, or a single value as the only one.
func (v value) items(most int, item reader) error {
	if v.node.Kind == yaml.ScalarNode {
		return item(v)
	}
	return v.list(most, item)
}

// raw is a text, number or truth value as it is written.
func (v value) raw() (string, error) {
	switch {
	case v.node.Kind != yaml.ScalarNode:
		return "", v.fail("must be a single value")
	case v.node.Style&yaml.TaggedStyle != 0:
		return "", v.fail("has a tag; a value that begins with ! must stand in quotes")
	case v.isNull():
		return "", v.fail("has no value")
	}
	if *v.left--; *v.left < 0 {
		return "", v.fail("the file has more than %d values", MaxValues)
	}
	return v.node.Value, nil
}

// text is raw without blanks around it, and without characters that cannot be seen.
func text(v value) (string, error) {
	s, err := v.raw()
	if err != nil {
		return "", err
	}
	s = strings.TrimSpace(s)
	switch {
	case utf8.RuneCountInString(s) > MaxText:
		return "", v.fail("is longer than %d characters", MaxText)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }), !utf8.ValidString(s):
		return "", v.fail("has control characters")
	}
	return s, nil
}

// line is a text of one line that is not empty.
func line(v value) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if s == "" || strings.Contains(s, "\n") {
		return "", v.fail("must be a text of one line")
	}
	return s, nil
}

// short cuts a text that an error is to repeat.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// nearest is the known word that a misspelt one most probably stands for; empty
// where none is near.
func nearest(word string, known []string) string {
	best, least := "", 3
	if len(word) < 6 {
		least = 2
	}
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of letters to be inserted, removed or replaced to make
// one word of the other, or most where it is not less.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], most)
}

// joined lists words with commas between them.
func joined(words []string) string { return strings.Join(words, ", ") }
