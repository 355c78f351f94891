package pki

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxSSHValidity is how long an SSH certificate may be valid: 20 years, however many
// of them are leap years.
const MaxSSHValidity = 20 * 366 * 24 * time.Hour

// sshUnits are the units of a validity, as in sshd_config.
var sshUnits = map[byte]time.Duration{
	's': time.Second,
	'm': time.Minute,
	'h': time.Hour,
	'd': 24 * time.Hour,
	'w': 7 * 24 * time.Hour,
}

// sshDates are the forms in which an end of validity is written, by their length.
var sshDates = map[int]string{8: "20060102", 14: "20060102150405"}

// ParseSSHValidity reads how long a certificate is to be valid that begins at from:
// numbers with the units s, m, h, d and w, in either case and with or without blanks
// between ("1w 2d 3h", "90m"), which are added up; or the day or second of its end,
// in UTC ("20300131", "20300131235959"). It is at least a second and at most
// MaxSSHValidity; anything else fails with ErrBadSSHValidity.
func ParseSSHValidity(s string, from time.Time) (time.Duration, error) {
	s = strings.TrimSpace(s)
	sum, ok := sshPeriod(s)
	if end, err := time.Parse(sshDates[len(s)], s); err == nil && s != "" {
		sum, ok = end.Sub(from.Truncate(time.Second)), true
	}
	if !ok || sum < time.Second || sum > MaxSSHValidity {
		return 0, fmt.Errorf("%w: %.64q", ErrBadSSHValidity, s)
	}
	return sum, nil
}

// sshPeriod adds up the parts of a period. It stops where it gets too long, far
// before the sum could overflow.
func sshPeriod(s string) (sum time.Duration, ok bool) {
	for rest := strings.ToLower(s); rest != ""; rest = strings.TrimLeft(rest, " ") {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseUint(rest[:digits], 10, 32)
		if err != nil || digits == len(rest) {
			return 0, false
		}
		unit := sshUnits[rest[digits]]
		if unit == 0 || n > uint64(MaxSSHValidity/unit) {
			return 0, false
		}
		if sum += time.Duration(n) * unit; sum > MaxSSHValidity {
			return 0, false
		}
		rest = rest[digits+1:]
	}
	return sum, true
}
