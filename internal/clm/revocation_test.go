package clm

import (
	"testing"
	"time"
)

// Relying parties are to see a revocation from when it was accepted, and one that counts
// from an earlier day, because the certificate was on hold, from when it was asked for.
func TestTold(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		name string
		r    Revocation
		want time.Time
	}{
		{"nothing", Revocation{}, time.Time{}},
		{"a hold", Revocation{Held: at(1)}, at(1)},
		{"asked for", Revocation{Requested: at(1)}, time.Time{}},
		{"accepted later", Revocation{Requested: at(1), Accepted: at(2)}, at(2)},
		{"as of the day of the hold", Revocation{Held: at(1), Requested: at(3), Accepted: at(1)}, at(3)},
	} {
		if got := test.r.Told(); !got.Equal(test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
