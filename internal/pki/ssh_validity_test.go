package pki

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A validity is read in every way that clients write it, and nothing else is.
func TestSSHValidities(t *testing.T) {
	from := time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.FixedZone("", 3600))
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"4h":             4 * time.Hour,
		"30m":            30 * time.Minute,
		"90M":            90 * time.Minute,
		"1s":             time.Second,
		"7d":             7 * day,
		"2w":             14 * day,
		" 8h ":           8 * time.Hour,
		"1w 2d 3h 4m 5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"1h30m":          90 * time.Minute,
		"1h 1h":          2 * time.Hour,
		"7320d":          MaxSSHValidity,
		"20260302":       13 * time.Hour,
		"20260301110001": time.Second,
		"20460301":       20*365*day + 5*day - 11*time.Hour,

		"": 0, " ": 0, "h": 0, "4": 0, "0h": 0, "-4h": 0, "+4h": 0, "4.5h": 0, "4 h": 0, "4y": 0, "4h,": 0, "4hours": 0, "٤h": 0,
		"7320d1s": 0, "7321d": 0, "99999999999999999999w": 0, "4294967295w": 0, "10000000w": 0, strings.Repeat("1000w", 100000): 0,
		"20260301": 0, "20260301110000": 0, "20470301": 0, "20261301": 0, "20260230": 0, "2026-03-02": 0, "202603021200": 0, "99991231": 0,
	} {
		t.Run(text[:min(len(text), 30)], func(t *testing.T) {
			got, err := ParseSSHValidity(text, from)
			if got != want || (err == nil) != (want > 0) || err != nil && !errors.Is(err, ErrBadSSHValidity) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		})
	}
}

// No text makes us panic or leave the bounds.
func FuzzParseSSHValidity(f *testing.F) {
	for _, s := range []string{"4h", "1w 2d 3h 4m 5s", "20300131", "20300131235959", "99999999999999999999w"} {
		f.Add(s, int64(1767225600))
	}
	f.Fuzz(func(t *testing.T, s string, from int64) {
		d, err := ParseSSHValidity(s, time.Unix(from, 0))
		if err != nil {
			oneOf(t, err, ErrBadSSHValidity)
		} else if d < time.Second || d > MaxSSHValidity {
			t.Fatalf("%q is %v", s, d)
		}
	})
}
