package main

import (
	"log/slog"
	"testing"
)

// Every number that is watched is there from the first scrape on, before anything has
// happened.
func TestMetricsAreThere(t *testing.T) {
	t.Parallel()
	sys, err := place{data: t.TempDir()}.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer sys.db.Close()
	families, err := newMetrics(sys).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		series[f.GetName()] = len(f.Metric)
	}
	for name, want := range map[string]int{
		"certwright_open_work":                        2,
		"certwright_revocations_pending":              1,
		"certwright_revocations_unlisted":             1,
		"certwright_ocsp_answers_total":               7,
		"certwright_revocations_unseen":               2,
		"certwright_revocation_oldest_unseen_seconds": 2,
		"certwright_revocation_lag_seconds":           2,
		"certwright_key_mismatches":                   1,
	} {
		if series[name] != want {
			t.Errorf("%s has %d series, want %d", name, series[name], want)
		}
	}
}
