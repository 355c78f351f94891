package store

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certwright/certwright/internal/clm"
)

// Whatever the clock does, the ids of a node grow in steps that leave room for the
// numbers of their parts, and come from the time where that has moved on.
func TestIDsGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g ids
		now, last, latest := idEpoch.AddDate(1, 0, 0), int64(0), time.Time{}
		for range rapid.IntRange(1, 50).Draw(t, "how many") {
			now = now.Add(time.Duration(rapid.IntRange(-5000, 5000).Draw(t, "microseconds")) * time.Microsecond)
			id := g.next(now)
			if id <= last {
				t.Fatalf("got %d after %d", id, last)
			}
			if ms := now.Truncate(time.Millisecond); ms.After(latest) {
				latest = ms
				if id>>22 != ms.Sub(idEpoch).Milliseconds() {
					t.Fatalf("got %d, which is not of %v", id, ms)
				}
			}
			last = id
		}
	})
}

// GUIDs tell by the microsecond which is older, and are of version 7 (RFC 9562).
func TestGUIDsGrow(t *testing.T) {
	now, last := idEpoch.AddDate(2, 0, 0), ""
	for range 3000 {
		id := newGUID(now)
		if id <= last || id[14] != '7' || !clm.IsObjectID(id) {
			t.Fatalf("got %s after %s", id, last)
		}
		now, last = now.Add(time.Microsecond), id
	}
}

// Ids that many ask a node for at once are all different.
func TestIDsAreUnique(t *testing.T) {
	now := idEpoch.AddDate(2, 0, 0)
	var g ids
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				id := g.next(now)
				mu.Lock()
				if seen[id] {
					t.Errorf("got %d twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// The first ids that nodes make in one millisecond are spread widely, so that
// nodes rarely meet.
func TestNodesRarelyMeet(t *testing.T) {
	now := idEpoch.AddDate(2, 0, 0)
	seen := map[int64]bool{}
	for range 100 {
		var g ids
		seen[g.next(now)] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 nodes make %d different first ids", len(seen))
	}
}

// GUIDs are of version 7 and grow with the milliseconds.
func TestGUIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(1_700_000_000_000, 4_000_000_000_000).Draw(t, "at"))
		first, second := newGUID(at), newGUID(at.Add(time.Millisecond))
		if len(first) != 36 || first[14] != '7' || first[19] < '8' || first[19] > 'b' || first >= second {
			t.Fatalf("got %s, then %s", first, second)
		}
	})
}
