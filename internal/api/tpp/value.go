package tpp

import (
	"fmt"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// stamp writes a time as .NET does: UTC, seven digits after the second. The zero
// time is its null date.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// stampOf writes a time in microseconds since 1970.
func stampOf(micros int64) string { return stamp(time.UnixMicro(micros)) }

// jsonDate writes a time in the form of .NET's older serialisers.
func jsonDate(t time.Time) string { return fmt.Sprintf("/Date(%d)/", t.UnixMilli()) }

// isoDate writes a time to the second.
func isoDate(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// braced is a GUID as it is shown: in lower case and braces.
func braced[T ~string](guid T) string { return "{" + strings.ToLower(string(guid)) + "}" }

// guidOf reads a GUID with or without braces.
func guidOf(s string) clm.ObjectID {
	return clm.ObjectID(strings.ToLower(strings.Trim(strings.TrimSpace(s), "{}")))
}

// localPrefix marks the users and groups of this installation.
const localPrefix = "local:"

// universal is how a user or group is named so that no renaming matters.
func universal(id clm.PrincipalID) string {
	if strings.Contains(string(id), ":") {
		return string(id) // of another directory, kept as it came
	}
	return localPrefix + braced(id)
}

// principalOf reads what universal writes.
func principalOf(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := cutPrefixFold(s, localPrefix); ok && isGUID.MatchString(rest) {
		return string(guidOf(rest))
	}
	return s
}

func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// universals lists the principals of an attribute.
func universals(ids []string) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, universal(clm.PrincipalID(id)))
	}
	return out
}

// list is never null on the wire.
func list(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}
