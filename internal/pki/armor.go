package pki

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
)

// An armor is a PEM block (RFC 7468) as clients send it: its blanks and line ends
// may have got lost or doubled on the way and are therefore all dropped, in the
// label too. Bare base64 has no label.
type armor struct{ label, body string }

// armors takes a text apart into its PEM blocks, whatever stands around them. A
// text without any is a single armor.
func armors(text string) []armor {
	text = squeeze(text)
	var all []armor
	_, rest, found := strings.Cut(text, "-----BEGIN")
	for found {
		label, after, _ := strings.Cut(rest, "-----")
		body := untilDashes(after)
		all = append(all, armor{label, body})
		_, rest, found = strings.Cut(after[len(body):], "-----BEGIN")
	}
	if all == nil {
		all = []armor{{body: untilDashes(text)}}
	}
	return all
}

// armorsWithin does so also for PEM that was wrapped in base64.
func armorsWithin(text string) []armor {
	all := armors(text)
	if inner, err := all[0].decode(); err == nil && all[0].label == "" && bytes.Contains(inner, []byte("-----BEGIN")) {
		return armors(string(inner))
	}
	return all
}

// decode fails with ErrNotBase64. Padding, which some senders forget, is not asked for.
func (a armor) decode() ([]byte, error) {
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(a.body, "="))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotBase64, err)
	}
	if len(der) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrNotBase64)
	}
	return der, nil
}

// squeeze drops all blanks and line ends, real or spelled out as \n.
func squeeze(text string) string {
	text = strings.NewReplacer(`\r`, "", `\n`, "").Replace(text)
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\ufeff' { // a byte order mark
			return -1
		}
		return r
	}, text)
}

func untilDashes(text string) string {
	body, _, _ := strings.Cut(text, "-----")
	return body
}
