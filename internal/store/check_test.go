package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// accepted adds a version whose revocation the CA has accepted, and that is to be
// checked.
func (n node) accepted(dn clm.DN) clm.Version {
	n.t.Helper()
	o := n.add(clm.ServerCertificate, dn)
	v := clm.Version{Certificate: o.ID, Cert: []byte("cert of " + dn), NotAfter: newYear}
	n.do("revoke", func(tx *store.Tx) error {
		return errors.Join(tx.AddVersion(&v),
			tx.SaveRevocation(clm.Revocation{Version: v.ID, Actor: "alice", Requested: tx.Now, Accepted: tx.Now}), tx.AddCheck(v.ID))
	})
	return v
}

// claims claims so many checks and wants to get them.
func (n node) claims(most, want int) []store.Check {
	n.t.Helper()
	got, err := n.ClaimChecks(context.Background(), most, time.Minute)
	if err != nil || len(got) != want {
		n.t.Fatalf("got %d checks, %v; want %d", len(got), err, want)
	}
	return got
}

// saves writes down what has come of a look and wants it to be kept or not.
func (n node) saves(l store.Look, want bool) {
	n.t.Helper()
	var got bool
	n.do("look", func(tx *store.Tx) (err error) {
		got, err = tx.SaveLook(l)
		return err
	})
	if got != want {
		n.t.Errorf("saved: %v, want %v", got, want)
	}
}

// counts is what is known of a revocation, and how many checks there are.
func (n node) counts(id clm.VersionID) (r clm.Revocation, checks int) {
	n.t.Helper()
	n.look(func(tx *store.Tx) (err error) {
		if r, err = tx.Revocation(id); err == nil {
			checks, err = tx.Rows("checks")
		}
		return err
	})
	return r, checks
}

// A check is due at once, is nobody else's while it is claimed, brings what is needed
// to look, and counts the looks.
func TestClaimChecks(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		v := n.accepted(`\a`)
		gone := n.accepted(`\b`)
		n.do("delete", func(tx *store.Tx) error {
			path, err := tx.Path(`\b`)
			return errors.Join(err, tx.DeleteObject(path.Last()))
		})
		n.do("check", func(tx *store.Tx) error { return tx.AddCheck(gone.ID) })
		got := n.claims(1, 1)[0]
		if got.Version != v.ID || got.Certificate != v.Certificate || string(got.Cert) != string(v.Cert) || !got.NotAfter.Equal(newYear) || !got.Revocation.IsDone() || got.Tries != 1 {
			t.Errorf("got %+v", got)
		}
		if rest := n.claims(5, 1)[0]; rest.Version != gone.ID || rest.Cert != nil || rest.Revocation.IsDone() {
			t.Errorf("got %+v of one that is gone", rest)
		}
		n.claims(5, 0)
		n.turn(2 * time.Minute)
		for _, k := range n.claims(5, 2) {
			if k.Tries != 2 {
				t.Errorf("got %d tries, want 2", k.Tries)
			}
		}
	})
}

// What was seen first stays; a check ends when nothing more is awaited; a look that
// took too long changes nothing.
func TestSaveLook(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		v := n.accepted(`\a`)
		first := n.Now().Add(time.Second)
		late := n.claims(1, 1)[0]
		n.turn(2 * time.Minute)
		k := n.claims(1, 1)[0]
		n.saves(store.Look{Check: late, SeenCRL: first, SeenOCSP: first}, false)
		n.saves(store.Look{Check: late, SeenCRL: first, AwaitOCSP: true, Next: first}, false)
		n.saves(store.Look{Check: k, SeenCRL: first, AwaitOCSP: true, Next: n.Now().Add(time.Hour)}, true)
		r, checks := n.counts(v.ID)
		if !r.SeenCRL.Equal(first) || !r.SeenOCSP.IsZero() || checks != 1 {
			t.Errorf("got %+v, %d checks", r, checks)
		}
		n.claims(1, 0)
		n.turn(61 * time.Minute)
		second := n.Now()
		n.saves(store.Look{Check: n.claims(1, 1)[0], SeenCRL: second, SeenOCSP: second}, true)
		r, checks = n.counts(v.ID)
		if !r.SeenCRL.Equal(first) || !r.SeenOCSP.Equal(second) || checks != 0 {
			t.Errorf("got %+v, %d checks", r, checks)
		}
	})
}

// Of a revocation that a reset has forgotten since, nothing is written down, and
// nobody looks again.
func TestLookAtForgottenRevocation(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		v := n.accepted(`\a`)
		k := n.claims(1, 1)[0]
		cleared := k.Revocation
		cleared.Cleared = n.Now()
		n.do("reset", func(tx *store.Tx) error { return tx.SaveRevocation(cleared) })
		n.saves(store.Look{Check: k, SeenCRL: n.Now(), AwaitOCSP: true, Next: n.Now()}, false)
		if r, checks := n.counts(v.ID); !r.SeenCRL.IsZero() || checks != 0 {
			t.Errorf("got %+v, %d checks", r, checks)
		}
	})
}

// What is awaited is counted by where it is awaited, with the oldest; putting a look
// off is not audited.
func TestUnseen(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		unseen := func(crl, ocsp int, oldest time.Time) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				gotCRL, gotOCSP, err := tx.Unseen()
				if gotCRL.N != crl || gotOCSP.N != ocsp || !gotCRL.Oldest.Equal(oldest) {
					t.Errorf("got %+v, %+v; want %d, %d, %s", gotCRL, gotOCSP, crl, ocsp, oldest)
				}
				return err
			})
		}
		unseen(0, 0, time.Time{})
		for i := range 3 {
			n.accepted(clm.DN(fmt.Sprintf(`\c%d`, i)))
			n.turn(time.Second)
		}
		checks := n.claims(5, 3)
		var looks []store.Look
		oldest := n.Now()
		for i, k := range checks {
			l := store.Look{Check: k, AwaitCRL: i < 2, AwaitOCSP: true, Next: n.Now().Add(time.Hour)}
			if l.AwaitCRL && k.Revocation.Accepted.Before(oldest) {
				oldest = k.Revocation.Accepted
			}
			looks = append(looks, l)
		}
		before := len(n.outcomes(""))
		if err := n.PutOff(context.Background(), looks); err != nil {
			t.Fatal(err)
		}
		unseen(2, 3, oldest)
		if got := len(n.outcomes("")); got != before {
			t.Errorf("there are %d more entries, want none", got-before)
		}
		n.turn(2 * time.Hour)
		for _, k := range n.claims(5, 3) {
			n.saves(store.Look{Check: k, SeenCRL: n.Now(), SeenOCSP: n.Now()}, true)
		}
		unseen(0, 0, time.Time{})
	})
}

// What metrics ask at every scrape reads no table from end to end.
func TestUnseenIsCheap(t *testing.T) {
	t.Parallel()
	n := open(t, coretest.EmptySQLite(t))
	n.look(func(tx *store.Tx) error {
		plans, err := tx.Explain(func(tx *store.Tx) error {
			_, _, err := tx.Unseen()
			_, more := tx.PendingRevocations()
			return errors.Join(err, more)
		})
		for query, plan := range plans {
			if !strings.Contains(plan, "COVERING INDEX") {
				t.Errorf("%s\n%s", query, plan)
			}
		}
		return err
	})
}

// Nodes that claim at a time do not claim the same.
func TestNodesClaimOtherChecks(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	nodes := []node{open(t, d), open(t, d), open(t, d)}
	const many = 60
	for i := range many {
		nodes[0].accepted(clm.DN(fmt.Sprintf(`\c%d`, i)))
	}
	var mu sync.Mutex
	seen := map[clm.VersionID]int{}
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			for {
				got, err := n.ClaimChecks(context.Background(), 7, time.Hour)
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, k := range got {
					seen[k.Version]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%d was claimed %d times", id, n)
		}
	}
	if len(seen) != many {
		t.Errorf("%d were claimed, want %d", len(seen), many)
	}
}
