package remote

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Words splits a line into a program and its arguments as a POSIX shell does (XCU,
// section 2.2): words stand apart by blanks; single quotes keep everything, double
// quotes and backslashes what a shell has them keep. Nothing is expanded and no
// shell ever reads the line. What a shell would do more with, like a pipe, a variable,
// a pattern or a second line, is refused unless it is quoted, lest somebody believe
// that it is done.
func Words(line string) ([]string, error) {
	if strings.ContainsRune(line, 0) {
		return nil, errors.New("there is a NUL in it")
	}
	var words []string
	var word strings.Builder
	var inWord bool // an empty pair of quotes makes a word, too
	var isOver bool // the first line
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for rest := line; rest != ""; {
		c := rest[0]
		if strings.IndexByte(blanks, c) >= 0 {
			end()
			isOver = isOver || c == '\n' && len(words) > 0
			rest = rest[1:]
			continue
		}
		if isOver {
			return nil, errors.New("there is a second line")
		}
		if !inWord {
			if err := checkStart(rest, len(words) == 0); err != nil {
				return nil, err
			}
		}
		kept, after, err := piece(rest)
		if err != nil {
			return nil, err
		}
		word.WriteString(kept)
		inWord = inWord || kept != "" || c != '\\' // a backslash at the end of a line joins lines
		rest = after
	}
	end()
	return words, nil
}

const (
	blanks    = " \t\r\n"
	operators = "|&;<>()$`*?[" // they mean something to a shell unless they are quoted
	starters  = "~#"           // so do these where a word begins
)

// assignment matches a word by which a shell sets a variable, at the beginning of a line.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*\+?=`)

// checkStart refuses what means something to a shell where a word begins.
func checkStart(rest string, isFirst bool) error {
	if strings.IndexByte(starters, rest[0]) >= 0 {
		return meansMore(rest[0])
	}
	joined := strings.ReplaceAll(rest, "\\\n", "")
	if isFirst && assignment.MatchString(joined) {
		name, _, _ := strings.Cut(joined, "=")
		return fmt.Errorf("no shell reads it: %s= sets no variable, and env must do that", name)
	}
	return nil
}

// piece is what the beginning of rest stands for: one quoted text or one character.
func piece(rest string) (kept, after string, err error) {
	c := rest[0]
	switch {
	case c == '\'':
		kept, after, ok := strings.Cut(rest[1:], "'")
		if !ok {
			return "", "", errors.New("a single quote has no end")
		}
		return kept, after, nil
	case c == '"':
		return doubleQuoted(rest[1:])
	case c == '\\' && len(rest) == 1:
		return "", "", errors.New("nothing follows the last backslash")
	case c == '\\' && rest[1] == '\n':
		return "", rest[2:], nil
	case c == '\\':
		return rest[1:2], rest[2:], nil
	case strings.IndexByte(operators, c) >= 0, c == '{' && !strings.HasPrefix(rest, "{}"):
		return "", "", meansMore(c)
	}
	return rest[:1], rest[1:], nil
}

// doubleQuoted reads up to the closing quote.
func doubleQuoted(rest string) (kept, after string, err error) {
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return b.String(), rest[i+1:], nil
		case c == '$' || c == '`':
			return "", "", meansMore(c)
		case c == '\\' && i+1 < len(rest) && strings.IndexByte("$`\"\\\n", rest[i+1]) >= 0:
			if i++; rest[i] != '\n' {
				b.WriteByte(rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a double quote has no end")
}

func meansMore(c byte) error {
	return fmt.Errorf("no shell reads it: %c must be quoted, and means nothing more", c)
}
