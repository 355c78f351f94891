package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// What is due is claimed, the longest due first, and is nobody else's for that
// long; what has been put off, or is never to be renewed, is not claimed.
func TestClaimRenewals(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		now := n.Now()
		var ids []clm.ObjectID
		for i, at := range []time.Time{now.Add(-time.Hour), now.Add(-2 * time.Hour), now, now.Add(time.Hour), {}} {
			o := n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, i)))
			ids = append(ids, o.ID)
			v := clm.Version{Certificate: o.ID, NotAfter: newYear}
			n.do("issue", func(tx *store.Tx) error { return errors.Join(tx.AddVersion(&v), tx.Activate(v, clm.Facts{}, at)) })
		}
		claim := func(most int, want ...clm.ObjectID) (until time.Time) {
			t.Helper()
			got, until, err := n.ClaimRenewals(context.Background(), most, time.Minute)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			return until
		}
		holds := func(id clm.ObjectID, until time.Time, want bool) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				if got, err := tx.HasRenewal(id, until); got != want || err != nil {
					t.Errorf("got %v, %v for a claim, want %v", got, err, want)
				}
				return nil
			})
		}
		until := claim(1, ids[1])
		holds(ids[1], until, true)
		until = claim(5, ids[0], ids[2])
		claim(5)
		n.do("put off", func(tx *store.Tx) error { return tx.SetRenewal(ids[0], now.Add(time.Hour)) })
		holds(ids[0], until, false)
		holds("nobody", until, false)
		n.turn(2 * time.Minute)
		claim(5, ids[1], ids[2])
		entries, err := n.Audit(context.Background(), 0, 100)
		if len(entries) != 11 || err != nil {
			t.Errorf("got %d entries, %v: a claim is none", len(entries), err)
		}
	})
}

// Nodes that claim at a time do not claim the same.
func TestNodesClaimOtherRenewals(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	nodes := []node{open(t, d), open(t, d), open(t, d)}
	const many = 60
	for i := range many {
		o := nodes[0].add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, i)))
		nodes[0].do("plan", func(tx *store.Tx) error { return tx.SetRenewal(o.ID, tx.Now) })
	}
	claimed := make(chan clm.ObjectID, 10*many)
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			for {
				got, _, err := n.ClaimRenewals(context.Background(), 7, time.Hour)
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				for _, id := range got {
					claimed <- id
				}
			}
		})
	}
	all.Wait()
	close(claimed)
	seen := map[clm.ObjectID]bool{}
	for id := range claimed {
		if seen[id] {
			t.Error("one was claimed twice")
		}
		seen[id] = true
	}
	if len(seen) != many {
		t.Errorf("%d were claimed, want %d", len(seen), many)
	}
}

// Fifty changes of one folder are looked at once, unless somebody has begun.
func TestSweepsAreOne(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		add := func() {
			n.do("change", func(tx *store.Tx) error { return errors.Join(tx.AddSweep(`\a`), tx.AddSweep(`\b`)) })
		}
		count := func(want int) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				if got, err := tx.Rows("sweeps"); got != want || err != nil {
					t.Errorf("got %d sweeps, %v; want %d", got, err, want)
				}
				return nil
			})
		}
		add()
		add()
		count(2)
		n.do("begin", func(tx *store.Tx) error {
			s, _, err := tx.NextSweep()
			return errors.Join(err, tx.SaveSweep(s, "x"))
		})
		add()
		add()
		count(3)
	})
}
