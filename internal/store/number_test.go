package store_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

var errNo = errors.New("no")

// The numbers of versions are small, multiples of four, and never given twice: not
// by a process that starts anew, not by another node, not after a write that came
// to nothing.
func TestNumbersOfVersions(t *testing.T) {
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		seen := map[clm.VersionID]bool{}
		add := func(db node, n int, fails error) {
			t.Helper()
			err := db.Write(context.Background(), store.Entry{Action: "add"}, func(tx *store.Tx) error {
				for range n {
					v := clm.Version{Certificate: "x"}
					if err := tx.AddVersion(&v); err != nil {
						return err
					}
					if v.ID <= 0 || v.ID%4 != 0 || v.ID > math.MaxInt32/1000 || seen[v.ID] {
						t.Errorf("got number %d, seen %t", v.ID, seen[v.ID])
					}
					seen[v.ID] = true
				}
				return fails
			})
			if !errors.Is(err, fails) {
				t.Fatal(err)
			}
		}
		first := open(t, d)
		add(first, 3, nil)
		add(first, 3, errNo)
		add(first, 3, nil)
		second := first
		if first.IsShared() {
			second = open(t, d)
		}
		for range 100 { // more than a block
			add(first, 50, nil)
			add(second, 50, nil)
		}
		first.Close()
		add(open(t, d), 3, nil)
	})
}
