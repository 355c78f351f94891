package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

const lease = 2 * time.Minute

// enroll opens work for the subject that is due at the time.
func (n node) enroll(subject string, due time.Time) clm.Work {
	n.t.Helper()
	w := clm.Begin(clm.Enroll, clm.CreateKey, due)
	w.Subject, w.Version, w.Actor, w.Reason = clm.ObjectID(subject), 5, "jo", "renew"
	n.do("enroll", func(tx *store.Tx) error { return tx.AddWork(&w) })
	return w
}

// claim claims up to most works.
func (n node) claim(most int) []clm.Work {
	n.t.Helper()
	works, err := n.Claim(context.Background(), most, lease)
	if err != nil {
		n.t.Fatal(err)
	}
	return works
}

// subjects lists whose works these are, sorted.
func subjects(works []clm.Work) (list []string) {
	for _, w := range works {
		list = append(list, string(w.Subject))
	}
	slices.Sort(list)
	return list
}

// save saves the work in a transaction that writes something else too.
func (n node) save(w clm.Work, dn clm.DN) error {
	return n.Write(context.Background(), store.Entry{Action: "save"}, func(tx *store.Tx) error {
		return errors.Join(put(tx, &clm.Object{DN: dn, Class: clm.Folder}), tx.SaveWork(w))
	})
}

// Work is what it was when it is claimed, but for being begun and the epoch.
func TestClaimedWorkIsWhatWasWritten(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		added := n.enroll("a", n.Now())
		got := n.claim(1)
		if len(got) != 1 {
			t.Fatalf("got %v", got)
		}
		want := added
		want.Begun, want.Epoch, want.NotBefore = true, added.Epoch+1, got[0].NotBefore
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		n.look(func(tx *store.Tx) error {
			w, err := tx.Work(added.ID)
			if diff := cmp.Diff(got[0], w); diff != "" {
				t.Errorf("as it is read (-claimed +read):\n%s", diff)
			}
			return err
		})
	})
}

// Who claims gets so many as were asked for, those first that are due longest,
// and none that is not due.
func TestClaimTakesABatchInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		now := n.Now()
		for i, name := range []string{"third", "first", "fourth", "second", "tomorrow"} {
			due := now.Add([]time.Duration{-3, -5, -2, -4, 24 * 60}[i] * time.Minute)
			n.enroll(name, due)
		}
		for _, want := range [][]string{{"first", "second"}, {"third"}, {"fourth"}, nil} {
			if got := subjects(n.claim(max(1, len(want)))); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		n.turn(24 * time.Hour)
		if got := subjects(n.claim(10)); !slices.Contains(got, "tomorrow") {
			t.Errorf("got %v on the next day, want tomorrow's", got)
		}
	})
}

// Claimed work is nobody else's until its lease has run out; then it is anybody's.
func TestLease(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.enroll("a", n.Now())
		first := n.claim(10)
		if again := n.claim(10); len(first) != 1 || len(again) != 0 {
			t.Fatalf("got %d works, then %d; want 1 and none", len(first), len(again))
		}
		n.turn(lease - time.Minute)
		if again := n.claim(10); len(again) != 0 {
			t.Fatal("the work is claimed twice during its lease")
		}
		n.turn(time.Minute + time.Second)
		again := n.claim(10)
		if len(again) != 1 || again[0].Epoch != first[0].Epoch+1 {
			t.Fatalf("got %+v after the lease, want the work in its next epoch", again)
		}
	})
}

// A lease that is prolonged holds on; one of an earlier epoch is not prolonged.
func TestProlong(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.enroll("a", n.Now())
		n.enroll("b", n.Now())
		held := map[clm.WorkID]int64{}
		works := n.claim(10)
		held[works[0].ID], held[works[1].ID] = works[0].Epoch, works[1].Epoch-1
		n.turn(lease - time.Minute)
		if err := n.Prolong(context.Background(), held, lease); err != nil {
			t.Fatal(err)
		}
		n.turn(time.Minute + time.Second)
		if again := n.claim(10); len(again) != 1 || again[0].ID != works[1].ID {
			t.Errorf("got %+v, want only the work whose lease was not prolonged", again)
		}
	})
}

// A worker that holds on goes on: nobody else gets the work, and it may save again.
func TestHoldWork(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.enroll("a", n.Now())
		w := n.claim(1)[0]
		w.Stage = clm.Submit
		n.do("hold", func(tx *store.Tx) error { return tx.HoldWork(w, tx.Now.Add(2*lease)) })
		n.turn(lease + time.Second)
		if got := n.claim(1); len(got) != 0 {
			t.Fatal("the work is claimed although it was held on to")
		}
		w.NotBefore = n.Now()
		n.do("save", func(tx *store.Tx) error { return tx.SaveWork(w) })
		if got := n.claim(1); len(got) != 1 || got[0].Stage != clm.Submit {
			t.Errorf("got %+v, want the work at submit", got)
		}
	})
}

// The fence: what an old claim brings is dropped, with everything that was
// written beside it.
func TestLateSavesAreDropped(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		for _, test := range []struct {
			name string
			move func(clm.Work)
		}{
			{"claimed by another", func(clm.Work) { n.turn(lease + time.Second); n.claim(10) }},
			{"ended", func(w clm.Work) { n.do("end", func(tx *store.Tx) error { return tx.EndWork(w.ID) }) }},
			{"finished", func(w clm.Work) { w.Done = true; n.do("finish", func(tx *store.Tx) error { return tx.SaveWork(w) }) }},
		} {
			n.enroll(test.name, n.Now())
			w := n.claim(10)
			if len(w) != 1 {
				t.Fatalf("%s: got %v", test.name, w)
			}
			test.move(w[0])
			late := w[0]
			late.Stage, late.Done = clm.End, true
			if err := n.save(late, `\late`); !errors.Is(err, store.ErrStale) {
				t.Errorf("%s: got %v, want ErrStale", test.name, err)
			}
			if n.exists(`\late`) {
				t.Errorf("%s: something of the late transaction was kept", test.name)
			}
			n.do("clean up", func(tx *store.Tx) error { return tx.EndWork(late.ID) })
		}
	})
}

// Released work may be claimed at once, unless it is not the releaser's any more.
func TestRelease(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.enroll("a", n.Now())
		first := n.claim(1)[0]
		if err := n.Release(context.Background(), first, 0); err != nil {
			t.Fatal(err)
		}
		second := n.claim(1)
		if len(second) != 1 {
			t.Fatal("released work is not to be had")
		}
		if err := n.Release(context.Background(), first, 0); err != nil {
			t.Fatal(err)
		}
		if got := n.claim(1); len(got) != 0 {
			t.Error("somebody has released another's work")
		}
	})
}

// Work that has stopped is left alone, and so is work that waits for something
// other than time.
func TestStoppedWorkIsLeftAlone(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.enroll("stopped", n.Now())
		stopped := n.claim(1)[0]
		stopped.Failure = "refused"
		n.do("stop", func(tx *store.Tx) error { return tx.SaveWork(stopped) })
		n.enroll("waits", clm.Never)
		n.turn(100 * 24 * time.Hour)
		if got := n.claim(10); len(got) != 0 {
			t.Errorf("got %v, want nothing", subjects(got))
		}
		if waiting, stopped, err := n.QueueLength(context.Background()); waiting != 1 || stopped != 1 || err != nil {
			t.Errorf("got %d waiting, %d stopped, %v; want one of each", waiting, stopped, err)
		}
	})
}

// Work that stands before an undecided gate is passed over, and nobody is told
// that it is due; once the gate is decided it is claimed.
func TestGate(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		gated, open := n.enroll("gated", n.Now()), n.enroll("open", n.Now())
		gate := clm.Gate{ID: "a", Subject: "gated", Work: gated.ID, Stage: clm.CreateKey, Point: clm.Start, Name: "approve", Open: true}
		n.do("gate", func(tx *store.Tx) error {
			return errors.Join(tx.AddGate(gate, nil), tx.AddGate(clm.Gate{ID: "b", Subject: "open", Work: open.ID, Stage: clm.Submit, Name: "approve", Open: true}, nil))
		})
		if got := subjects(n.claim(10)); !slices.Equal(got, []string{"open"}) {
			t.Errorf("got %v, want the work whose gate is further on", got)
		}
		if at, any, err := n.NextDue(context.Background()); err != nil || any && !at.After(n.Now()) {
			t.Errorf("got work due at %v, %v, %v; want none before the lease of the other ends", at, any, err)
		}
		gate.Open = false
		n.do("decide", func(tx *store.Tx) error { return tx.SaveGate(gate) })
		if got := subjects(n.claim(10)); !slices.Equal(got, []string{"gated"}) {
			t.Errorf("got %v once the gate is decided", got)
		}
		n.look(func(tx *store.Tx) error {
			gates, err := tx.Gates(gated.ID)
			if diff := cmp.Diff([]clm.Gate{gate}, gates); diff != "" {
				t.Errorf("gates (-want +got):\n%s", diff)
			}
			return err
		})
	})
}

// In each lane of a subject at most one work is open.
func TestOneOpenWorkPerLane(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		first := n.enroll("a", n.Now())
		for _, test := range []struct {
			name    string
			subject clm.ObjectID
			lane    clm.Lane
			before  func(*store.Tx) error
			want    error
		}{
			{"a second", "a", clm.EnrollLane, nil, store.ErrDuplicate},
			{"another subject", "b", clm.EnrollLane, nil, nil},
			{"another lane", "a", "revoke", nil, nil},
			{"the first is ended", "a", clm.EnrollLane, func(tx *store.Tx) error { return tx.EndWork(first.ID) }, nil},
			{"and the next again a second", "a", clm.EnrollLane, nil, store.ErrDuplicate},
		} {
			w := clm.Begin(clm.Enroll, clm.CreateKey, n.Now())
			w.Subject, w.Lane = test.subject, test.lane
			err := n.Write(context.Background(), store.Entry{Action: test.name}, func(tx *store.Tx) error {
				if test.before != nil {
					if err := test.before(tx); err != nil {
						return err
					}
				}
				return tx.AddWork(&w)
			})
			if !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
	})
}

// Works that succeed together are summed up by where they stand, whatever becomes of them;
// others are not among them.
func TestStandings(t *testing.T) {
	type standing struct {
		stage  clm.Stage
		done   bool
		failed bool
		works  int
	}
	fails := func(w *clm.Work) { w.Failure = "refused" }
	at := func(s clm.Stage) func(*clm.Work) { return func(w *clm.Work) { w.Stage = s } }
	ends := func(w *clm.Work) { w.Stage, w.Done = clm.End, true }
	reset := func(w *clm.Work) { w.Done = true }
	onEach(t, func(t *testing.T, n node) {
		for name, c := range map[string]struct {
			works []func(*clm.Work) // what has become of each
			but   bool              // the first is left out
			want  []standing
		}{
			"nobody":              {},
			"nobody else":         {[]func(*clm.Work){fails}, true, nil},
			"all there":           {[]func(*clm.Work){at(clm.Settle), at(clm.Settle), at(clm.Settle)}, false, []standing{{clm.Settle, false, false, 3}}},
			"all others there":    {[]func(*clm.Work){at(clm.Place), at(clm.Settle), at(clm.Settle)}, true, []standing{{clm.Settle, false, false, 2}}},
			"some before":         {[]func(*clm.Work){at(clm.Settle), at(clm.Place), at(clm.Settle)}, false, []standing{{clm.Place, false, false, 1}, {clm.Settle, false, false, 2}}},
			"one has failed":      {[]func(*clm.Work){at(clm.Place), fails, at(clm.Place)}, false, []standing{{clm.Place, false, false, 2}, {clm.Place, false, true, 1}}},
			"one was reset":       {[]func(*clm.Work){at(clm.Place), at(clm.Place), reset}, false, []standing{{clm.Place, false, false, 2}, {clm.Place, true, false, 1}}},
			"one is at its end":   {[]func(*clm.Work){at(clm.Settle), ends}, false, []standing{{clm.End, true, false, 1}, {clm.Settle, false, false, 1}}},
			"they failed in ways": {[]func(*clm.Work){fails, func(w *clm.Work) { w.Failure = "lost" }}, false, []standing{{clm.Place, false, true, 2}}},
		} {
			first := clm.WorkID(1) // of nobody
			n.do(name, func(tx *store.Tx) error {
				alone := clm.Begin(clm.Install, clm.Place, tx.Now)
				alone.Subject = clm.ObjectID(name)
				err := tx.AddWork(&alone)
				for i, become := range c.works {
					w := clm.Begin(clm.Install, clm.Place, tx.Now)
					w.Subject = clm.ObjectID(fmt.Sprint(name, i))
					become(&w)
					err = errors.Join(err, tx.AddWork(&w))
					if i == 0 {
						first = w.ID
					}
					err = errors.Join(err, tx.TogetherWith(w.ID, first))
				}
				return err
			})
			but := clm.WorkID(0)
			if c.but {
				but = first
			}
			n.look(func(tx *store.Tx) error {
				all, err := tx.Standings(first, but)
				var got []standing
				for _, s := range all {
					if s.One.Op != clm.Install {
						t.Errorf("%s: they are to %q", name, s.One.Op)
					}
					got = append(got, standing{s.One.Stage, s.One.Done, s.One.Failure != "", s.Works})
				}
				slices.SortFunc(got, func(a, b standing) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
				if !slices.Equal(got, c.want) {
					t.Errorf("%s: got %v, want %v", name, got, c.want)
				}
				return err
			})
		}
	})
}

// Those that succeed together are found without reading the work of everybody.
func TestStandingsAreCheap(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.do("fill", func(tx *store.Tx) error {
			for i := range 3000 {
				w := clm.Begin(clm.Install, clm.Place, tx.Now)
				w.Subject = clm.ObjectID(fmt.Sprint(i))
				if err := tx.AddWork(&w); err != nil {
					return err
				}
			}
			return nil
		})
		n.explained("together", func(tx *store.Tx) error { _, err := tx.Together(5); return err })
		n.explained("standings", func(tx *store.Tx) error { _, err := tx.Standings(5, 0); return err })
	})
}

// Of many that open work for one subject at once, one does.
func TestOneOfManyOpensWork(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const many = 50
		errs := make(chan error, many)
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				errs <- n.Write(context.Background(), store.Entry{Action: "enroll"}, func(tx *store.Tx) error {
					w := clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
					w.Subject = "a"
					return tx.AddWork(&w)
				})
			})
		}
		all.Wait()
		close(errs)
		opened := 0
		for err := range errs {
			if err == nil {
				opened++
			} else if !errors.Is(err, store.ErrDuplicate) {
				t.Errorf("got %v, want ErrDuplicate", err)
			}
		}
		if opened != 1 || len(n.claim(10)) != 1 {
			t.Errorf("%d have opened work, want one", opened)
		}
	})
}

// Of many runners that claim at once, on all nodes there are, no two get the same work.
func TestNoWorkIsClaimedTwice(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		nodes := []node{open(t, d)}
		if nodes[0].IsShared() {
			nodes = append(nodes, open(t, d))
		}
		const many, runners = 200, 4
		nodes[0].do("enroll", func(tx *store.Tx) error {
			for i := range many {
				w := clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
				w.Subject = clm.ObjectID(fmt.Sprint(i))
				if err := tx.AddWork(&w); err != nil {
					return err
				}
			}
			return nil
		})
		var mu sync.Mutex
		claimed := map[clm.WorkID]int{}
		var all sync.WaitGroup
		for i := range len(nodes) * runners {
			all.Go(func() {
				for {
					works, err := nodes[i%len(nodes)].Claim(context.Background(), 7, lease)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, w := range works {
						claimed[w.ID]++
					}
					enough := len(claimed) == many
					mu.Unlock()
					if enough {
						return
					}
				}
			})
		}
		all.Wait()
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("work %d was claimed %d times", id, times)
			}
		}
	})
}
