package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// Writes that share a commit are each all or nothing by themselves: one that
// fails takes only its own with it, and each has its own entry.
func TestOneFailureInABatchHarmsNobodyElse(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\first`)
		var all sync.WaitGroup
		release := n.occupy(&all)

		fails := map[string]error{"refused": clm.Busy, "taken": store.ErrDuplicate}
		for i, action := range []string{"one", "refused", "taken", "two"} {
			all.Go(func() {
				err := n.Write(context.Background(), store.Entry{Action: action}, func(tx *store.Tx) error {
					if err := put(tx, &clm.Object{DN: clm.DN(`\` + action), Class: clm.Folder}); err != nil {
						return err
					}
					switch action {
					case "refused":
						return clm.Fail(clm.Busy, "queued", "")
					case "taken":
						return put(tx, &clm.Object{DN: `\FIRST`, Class: clm.Folder})
					case "two":
						if _, err := tx.Path(`\one`); err != nil || n.exists(`\one`) {
							t.Errorf("the writes do not share a commit: %v", err)
						}
						if _, err := tx.Path(`\refused`); !errors.Is(err, clm.NotFound) {
							t.Errorf("got %v for what was refused, want NotFound", err)
						}
					}
					return nil
				})
				if !errors.Is(err, fails[action]) {
					t.Errorf("%s: got %v, want %v", action, err, fails[action])
				}
			})
			until(t, "the write is queued", func() bool { return n.Waiting() == i+1 })
		}
		release()
		all.Wait()

		for dn, want := range map[clm.DN]bool{`\one`: true, `\two`: true, `\refused`: false, `\taken`: false} {
			if got := n.exists(dn); got != want {
				t.Errorf("%s is there: got %v, want %v", dn, got, want)
			}
		}
		for action, want := range map[string]string{"one": "ok", "two": "ok", "refused": "busy", "taken": "internal error"} {
			if diff := cmp.Diff([]string{want}, n.outcomes(action)); diff != "" {
				t.Errorf("entries of %s (-want +got):\n%s", action, diff)
			}
		}
	})
}

// occupy keeps the writer busy; release lets it go on to its next batch.
func (n node) occupy(all *sync.WaitGroup) (release func()) {
	n.t.Helper()
	began, goOn := make(chan struct{}, 100), make(chan struct{})
	all.Go(func() {
		n.Write(context.Background(), store.Entry{Action: "occupy"}, func(*store.Tx) error {
			began <- struct{}{}
			<-goOn
			return nil
		})
	})
	receive(n.t, "the writer to be occupied", began)
	return func() { close(goOn) }
}

// What a write that failed has changed is gone with it, whichever way it failed.
func TestAFailedWriteLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\first`)
		for _, test := range []struct {
			name    string
			err     error
			outcome string
		}{
			{"a refusal", clm.Denied, "denied"},
			{"a refusal with facts", clm.About("www", clm.Fail(clm.Violation, "csr", "x")), "policy violation"},
			{"a fault", errors.New("broken"), "internal error"},
			{"stale work", store.ErrStale, "internal error"},
		} {
			err := n.Write(context.Background(), store.Entry{Action: test.name}, func(tx *store.Tx) error {
				return errors.Join(put(tx, &clm.Object{DN: `\new`, Class: clm.Folder}), tx.AddVersion(&clm.Version{Certificate: "x"}), test.err)
			})
			if !errors.Is(err, test.err) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.err)
			}
			if n.exists(`\new`) {
				t.Errorf("%s: the object is there", test.name)
			}
			if diff := cmp.Diff([]string{test.outcome}, n.outcomes(test.name)); diff != "" {
				t.Errorf("%s: entries (-want +got):\n%s", test.name, diff)
			}
		}
	})
}

// However writers get in one another's way, each write has one entry, and what
// it wrote is there if and only if the entry says ok.
func TestEveryWriteHasOneEntry(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const many = 60
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				n.Write(context.Background(), store.Entry{Action: fmt.Sprint(i)}, func(tx *store.Tx) error {
					// Every new folder changes the tree's revision, so that all of these collide.
					err := put(tx, &clm.Object{DN: clm.DN(fmt.Sprintf(`\%d`, i)), Class: clm.Folder})
					if i%3 == 0 {
						err = errors.Join(err, clm.Denied)
					}
					return err
				})
			})
		}
		all.Wait()
		for i := range many {
			got := n.outcomes(fmt.Sprint(i))
			if len(got) != 1 || n.exists(clm.DN(fmt.Sprintf(`\%d`, i))) != (got[0] == "ok") || (got[0] == "ok") != (i%3 != 0) {
				t.Errorf("write %d: got entries %v", i, got)
			}
		}
	})
}

// The entry says what the write turned out to be about and who turned out to do it.
func TestEntriesSayWhatWasLearnt(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		for _, refusal := range []error{nil, clm.Denied} {
			n.Write(context.Background(), store.Entry{Action: "renew", Subject: "as asked"}, func(tx *store.Tx) error {
				tx.About(`\VED\Policy\www`, "in full")
				tx.By(clm.Actor{Name: "jo"})
				return refusal
			})
		}
		got, err := n.Audit(context.Background(), 0, 10)
		if err != nil || len(got) != 2 {
			t.Fatalf("got %v, %v", got, err)
		}
		for i, outcome := range []string{"ok", "denied"} {
			want := store.AuditEntry{ID: got[i].ID, At: got[i].At, Actor: "jo", Action: "renew", Subject: `\VED\Policy\www`, Outcome: outcome, Detail: "in full"}
			if diff := cmp.Diff(want, got[i]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		if rest, err := n.Audit(context.Background(), got[0].ID, 10); err != nil || len(rest) != 1 || rest[0].ID != got[1].ID {
			t.Errorf("after the first entry: got %v, %v", rest, err)
		}
	})
}

// Two writes of which each reads what the other writes happen as if one came
// after the other.
func TestWritesAreSerializable(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		n, other := neighbours(t, d)
		n.add(clm.ServerCertificate, `\a`)
		n.add(clm.ServerCertificate, `\b`)
		// Each turns its own off provided the other is on: never may both be off.
		turnOff := func(on node, own, other clm.DN, read func()) error {
			return on.Write(context.Background(), store.Entry{Action: "turn off"}, func(tx *store.Tx) error {
				path, err := tx.Path(other)
				read()
				if err != nil || path.Value(clm.Off).IsOn() {
					return err
				}
				if path, err = tx.Path(own); err != nil {
					return err
				}
				o := *path.Last()
				o.Own = map[clm.Attr][]string{clm.Off: {"1"}}
				return tx.SaveObject(&o)
			})
		}
		// Where two nodes can write at a time, both have read before either writes.
		begun, bothHaveRead := make(chan struct{}), make(chan struct{})
		var once, twice sync.Once
		var all sync.WaitGroup
		all.Go(func() {
			if err := turnOff(n, `\a`, `\b`, func() {
				once.Do(func() { close(begun) })
				if n.IsShared() {
					<-bothHaveRead
				}
			}); err != nil {
				t.Error(err)
			}
		})
		<-begun
		if err := turnOff(other, `\b`, `\a`, func() { twice.Do(func() { close(bothHaveRead) }) }); err != nil {
			t.Error(err)
		}
		all.Wait()
		n.look(func(tx *store.Tx) error {
			a, errA := tx.Path(`\a`)
			b, errB := tx.Path(`\b`)
			if errA == nil && errB == nil && a.Value(clm.Off).IsOn() == b.Value(clm.Off).IsOn() {
				t.Errorf("both are off: %v, want one of them", a.Value(clm.Off).IsOn())
			}
			return errors.Join(errA, errB)
		})
	})
}

// A write that has returned is seen by whatever is asked for after, by a write as
// well as by a read.
func TestWritesAreSeenAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const writers, turns = 8, 40
		var all sync.WaitGroup
		for i := range writers {
			place := clm.ObjectID(fmt.Sprint("place", i))
			all.Go(func() {
				last := clm.VersionID(0)
				sees := func(tx *store.Tx) error {
					versions, err := tx.Versions(place)
					if err == nil && last != 0 && !slices.ContainsFunc(versions, func(v clm.Version) bool { return v.ID == last }) {
						t.Errorf("version %d of %s is not seen", last, place)
					}
					return err
				}
				for range turns {
					v := clm.Version{Certificate: place}
					if err := n.Write(context.Background(), store.Entry{Action: "version"}, func(tx *store.Tx) error {
						return errors.Join(sees(tx), tx.AddVersion(&v))
					}); err != nil {
						t.Error(err)
					}
					last = v.ID
					if err := n.Read(context.Background(), sees); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

// A write that comes while the writer is at an older transaction is not done in
// it: it would not see what another node had committed in between.
func TestLatecomersSeeTheLatest(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	here, there := open(t, d), open(t, d)
	var all sync.WaitGroup
	began, goOn := make(chan struct{}, 100), make(chan struct{})
	all.Go(func() {
		here.Write(context.Background(), store.Entry{Action: "occupy"}, func(tx *store.Tx) error {
			_, err := tx.Versions("x") // from here on the transaction is of the past
			began <- struct{}{}
			<-goOn
			return err
		})
	})
	receive(t, "the writer to be occupied", began)
	there.add(clm.Folder, `\new`)
	all.Go(func() {
		if err := here.Write(context.Background(), store.Entry{Action: "late"}, func(tx *store.Tx) error {
			_, err := tx.Path(`\new`)
			return err
		}); err != nil {
			t.Errorf("a late write does not see what was committed before it came: %v", err)
		}
	})
	until(t, "the write is queued", func() bool { return here.Waiting() == 1 })
	close(goOn)
	all.Wait()
}

// A client that has gone before its turn has written nothing.
func TestWritesOfThoseWhoLeft(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := n.Write(ctx, store.Entry{Action: "late"}, func(*store.Tx) error {
			t.Error("it has run")
			return nil
		})
		if !errors.Is(err, context.Canceled) || len(n.outcomes("late")) != 0 {
			t.Errorf("got %v", err)
		}
	})
}

// A read sees one state of the database, whatever is written meanwhile.
func TestReadsAreSnapshots(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		cert := n.add(clm.ServerCertificate, `\a`)
		n.look(func(tx *store.Tx) error {
			before, err := tx.Versions(cert.ID)
			n.do("version", func(tx *store.Tx) error { return tx.AddVersion(&clm.Version{Certificate: cert.ID}) })
			n.add(clm.Folder, `\b`)
			after, err2 := tx.Versions(cert.ID)
			if len(before) != 0 || len(after) != 0 {
				t.Errorf("got %d versions, then %d, want none", len(before), len(after))
			}
			if _, err := tx.Path(`\b`); !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for what was added meanwhile, want NotFound", err)
			}
			return errors.Join(err, err2)
		})
	})
}

// What cannot be written for want of space is said to be that, although the entry
// cannot be written for the same reason.
func TestFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		full := errors.New("no space left on device")
		n := openWith(t, d, func(statement string) error {
			if strings.HasPrefix(statement, "INSERT INTO work") || strings.HasPrefix(statement, "INSERT INTO audit") {
				return full
			}
			return nil
		})
		w := clm.Begin(clm.Enroll, clm.Submit, n.Now())
		err := n.Write(context.Background(), store.Entry{Action: "order"}, func(tx *store.Tx) error {
			if err := tx.AddWork(&w); err != nil {
				return &clm.Error{Kind: clm.Unwritten, Field: "work", Err: err}
			}
			return nil
		})
		if e := clm.AsError(err); !errors.Is(err, clm.Unwritten) || e.Field != "work" {
			t.Errorf("got %v", err)
		}
		err = n.Write(context.Background(), store.Entry{Action: "look"}, func(*store.Tx) error { return clm.Denied })
		if !errors.Is(err, full) || errors.Is(err, clm.Denied) {
			t.Errorf("got %v for a refusal that could not be written down", err)
		}
	})
}

// What is refused although something is written is told with why.
func TestRefusedAndWritten(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.do("refuse", func(tx *store.Tx) error {
			tx.Refused(clm.Fail(clm.Busy, "queued", ""))
			return put(tx, &clm.Object{DN: `\a`, Class: clm.Folder})
		})
		if diff := cmp.Diff([]string{"busy"}, n.outcomes("refuse")); diff != "" || !n.exists(`\a`) {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
