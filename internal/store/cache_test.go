package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// describe gives the folders a description each, in one transaction.
func describe(tx *store.Tx, text string, dns ...clm.DN) error {
	for _, dn := range dns {
		path, err := tx.Path(dn)
		if err != nil {
			return err
		}
		o := *path.Last()
		o.Own = map[clm.Attr][]string{clm.Description: {text}}
		if err := tx.SaveObject(&o); err != nil {
			return err
		}
	}
	return nil
}

// description reads a folder's description.
func description(tx *store.Tx, dn clm.DN) (string, error) {
	path, err := tx.Path(dn)
	return path.Value(clm.Description).First(), err
}

// says fails the test when a folder's description is not the one that is wanted.
func says(t testing.TB, tx *store.Tx, dn clm.DN, want string) error {
	t.Helper()
	got, err := description(tx, dn)
	if err == nil && got != want {
		t.Errorf("%s: got %q, want %q", dn, got, want)
	}
	return err
}

// A path is found in any case, keeps the casing it was given, and stands with all
// that is above it.
func TestPath(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		top, shop, www := n.add(clm.Folder, `\Top`), n.add(clm.Folder, `\Top\Läden`), n.add(clm.ServerCertificate, `\Top\Läden\WWW`)
		n.look(func(tx *store.Tx) error {
			path, err := tx.Path(`\TOP\LÄDEN\www`)
			byID, err2 := tx.PathByID(www.ID)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			want := clm.Path{top, shop, www}
			if diff := cmp.Diff(want, path); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, byID); diff != "" {
				t.Errorf("by ID (-want +got):\n%s", diff)
			}
			for _, dn := range []clm.DN{`\Nowhere`, `\Top\Läden\WWW\x`, `\Nowhere\WWW`} {
				if _, err := tx.Path(dn); !errors.Is(err, clm.NotFound) {
					t.Errorf("%s: got %v, want NotFound", dn, err)
				}
			}
			_, err = tx.PathByID("nobody")
			if !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for an ID that is not there, want NotFound", err)
			}
			return nil
		})
	})
}

// What an object says survives being written and read, whatever is in it.
func TestObjectsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		o := &clm.Object{
			DN: `\Ä "quoted" 'name' %_`, Class: clm.Folder,
			Own: map[clm.Attr][]string{clm.Contact: {"a", "b"}, clm.Description: {"<&>\u2028 \"x\""}},
			Policy: map[clm.PolicyKey]clm.Rule{
				{Class: clm.AnyCertificate, Attr: clm.Country}:  {Values: []string{"BE"}, Locked: true},
				{Class: "tpp:X", Attr: "tpp:Some Attribute"}:    {Values: []string{"1", ""}},
				{Class: clm.ServerCertificate, Attr: clm.Curve}: {Values: []string{"P256"}},
			},
			Grants: map[clm.PrincipalID]clm.Rights{"me": clm.AllRights, "you": 0},
		}
		n.do("add", func(tx *store.Tx) error { return tx.AddObject(o, "") })
		check := func() {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				path, err := tx.Path(o.DN)
				if diff := cmp.Diff(clm.Path{o}, path); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return err
			})
		}
		check()
		changed := *o
		changed.Own, changed.Policy, changed.Grants = map[clm.Attr][]string{clm.Contact: {"c"}}, nil, nil
		n.do("save", func(tx *store.Tx) error { return tx.SaveObject(&changed) })
		if changed.Revision <= o.Revision {
			t.Errorf("got revision %d after %d", changed.Revision, o.Revision)
		}
		o = &changed
		check()
	})
}

// A DN is taken in every casing.
func TestOneObjectPerDN(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\Läden`)
		err := n.Write(context.Background(), store.Entry{Action: "again"}, func(tx *store.Tx) error {
			return tx.AddObject(&clm.Object{DN: `\LÄDEN`, Class: clm.Folder}, "")
		})
		if !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("got %v, want ErrDuplicate", err)
		}
	})
}

// What a transaction that came to nothing had read of its own changes is never
// seen by anybody.
func TestCacheForgetsWhatCameToNothing(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\a`)
		n.do("good", func(tx *store.Tx) error { return describe(tx, "good", `\a`) })
		n.Write(context.Background(), store.Entry{Action: "bad"}, func(tx *store.Tx) error {
			err := errors.Join(describe(tx, "bad", `\a`), put(tx, &clm.Object{DN: `\b`, Class: clm.Folder}))
			if _, found := tx.Path(`\b`); found != nil {
				t.Errorf("a write does not see what it has added: %v", found)
			}
			return errors.Join(err, says(t, tx, `\a`, "bad"), clm.Denied)
		})
		for range 2 {
			n.look(func(tx *store.Tx) error { return says(t, tx, `\a`, "good") })
			n.do("look", func(tx *store.Tx) error { return says(t, tx, `\a`, "good") })
		}
		if n.exists(`\b`) {
			t.Error("a folder is there that was never committed")
		}
	})
}

// Nor is it seen by the writes that shared the transaction with it.
func TestCacheForgetsWithinABatch(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\a`)
		n.do("good", func(tx *store.Tx) error { return describe(tx, "good", `\a`) })
		var all sync.WaitGroup
		release := n.occupy(&all)
		for i, fn := range []func(*store.Tx) error{
			func(tx *store.Tx) error { return describe(tx, "better", `\a`) },
			func(tx *store.Tx) error {
				return errors.Join(describe(tx, "bad", `\a`), says(t, tx, `\a`, "bad"), clm.Denied)
			},
			func(tx *store.Tx) error { return says(t, tx, `\a`, "better") },
		} {
			all.Go(func() { n.Write(context.Background(), store.Entry{Action: "describe"}, fn) })
			until(t, "the write is queued", func() bool { return n.Waiting() == i+1 })
		}
		release()
		all.Wait()
		n.look(func(tx *store.Tx) error { return says(t, tx, `\a`, "better") })
	})
}

// A glance that meets a change on its way does not take what it found for the
// tree as it was.
func TestGlancesMixNothing(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\a`)
		n.add(clm.Folder, `\b`)
		n.do("old", func(tx *store.Tx) error { return describe(tx, "old", `\a`, `\b`) })
		n.look(func(old *store.Tx) error {
			if err := says(t, old, `\a`, "old"); err != nil { // from here on it is the past
				return err
			}
			err := n.Glance(context.Background(), func(tx *store.Tx) error {
				if _, err := tx.Path(`\a`); err != nil {
					return err
				}
				n.do("new", func(tx *store.Tx) error { return describe(tx, "new", `\a`, `\b`) })
				return says(t, tx, `\b`, "new")
			})
			return errors.Join(err, says(t, old, `\b`, "old"))
		})
		n.look(func(tx *store.Tx) error { return errors.Join(says(t, tx, `\a`, "new"), says(t, tx, `\b`, "new")) })
	})
}

// A read that began before a change sees the tree as it was, and what it has read
// is not taken for the tree as it is.
func TestCacheBelongsToTheSnapshot(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.add(clm.Folder, `\a`)
		n.do("old", func(tx *store.Tx) error { return describe(tx, "old", `\a`) })
		n.look(func(tx *store.Tx) error {
			if _, err := tx.Versions("x"); err != nil { // from here on it is the past
				return err
			}
			n.do("new", func(tx *store.Tx) error { return describe(tx, "new", `\a`) })
			return says(t, tx, `\a`, "old")
		})
		n.look(func(tx *store.Tx) error { return says(t, tx, `\a`, "new") })
	})
}

// While some change folders, and others try to and fail, every reader on every
// node sees folders that changed together the same, nothing that was not
// committed, and nothing older than what had been committed when it began.
func TestCacheIsNeverStale(t *testing.T) {
	t.Parallel()
	coretest.EmptyDatabases(t, func(t *testing.T, d coretest.Database) {
		nodes := []node{open(t, d)}
		if nodes[0].IsShared() {
			nodes = append(nodes, open(t, d))
		}
		first := nodes[0]
		first.add(clm.Folder, `\a`)
		first.add(clm.Folder, `\b`)
		const turns = 150
		write := func(n node, text string, refusal error) error {
			return n.Write(context.Background(), store.Entry{Action: "describe"}, func(tx *store.Tx) error {
				err := describe(tx, text, `\a`, `\b`)
				_, seen := description(tx, `\a`) // so that the cache has met it
				return errors.Join(err, seen, refusal)
			})
		}
		number := func(i int) string { return fmt.Sprintf("%06d", i) }
		if err := write(first, number(0), nil); err != nil {
			t.Fatal(err)
		}
		var committed atomic.Int64
		done := make(chan struct{})
		var all sync.WaitGroup
		for _, n := range nodes {
			for range 3 {
				all.Go(func() {
					for {
						least := number(int(committed.Load()))
						look := func(tx *store.Tx) error {
							a, errA := description(tx, `\a`)
							b, errB := description(tx, `\b`)
							if a != b || a < least || a == "refused" {
								t.Errorf("got %q and %q, want two that are alike and at least %q", a, b, least)
							}
							return errors.Join(errA, errB)
						}
						if err := n.Read(context.Background(), look); err != nil {
							t.Error(err)
						}
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			all.Go(func() {
				for {
					if err := write(n, "refused", clm.Denied); !errors.Is(err, clm.Denied) {
						t.Error(err)
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		for i := 1; i <= turns; i++ {
			if err := write(nodes[i%len(nodes)], number(i), nil); err != nil {
				t.Error(err)
			}
			committed.Store(int64(i))
		}
		close(done)
		all.Wait()
	})
}

// Users and groups are found by ID and by name in any case, with the groups that
// they are in now.
func TestPrincipals(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		staff := &store.Principal{Name: "Staff", IsGroup: true}
		jo := &store.Principal{Name: "Jo", Password: "hash"}
		n.do("staff", func(tx *store.Tx) error { return tx.SavePrincipal(staff) })
		check := func(groups ...clm.PrincipalID) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				got, err := tx.PrincipalByName("JO")
				want := *jo
				want.In = groups
				if diff := cmp.Diff(&want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return err
			})
		}
		n.do("jo", func(tx *store.Tx) error { return tx.SavePrincipal(jo) })
		check()
		jo.In = []clm.PrincipalID{staff.ID}
		n.do("join", func(tx *store.Tx) error { return tx.SavePrincipal(jo) })
		check(staff.ID)
		jo.In = nil
		n.do("leave", func(tx *store.Tx) error { return tx.SavePrincipal(jo) })
		check()

		err := n.Write(context.Background(), store.Entry{Action: "again"}, func(tx *store.Tx) error {
			return tx.SavePrincipal(&store.Principal{Name: "jO"})
		})
		if !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("got %v for a name that is taken, want ErrDuplicate", err)
		}
		n.look(func(tx *store.Tx) error {
			if _, err := tx.PrincipalByName("nobody"); !errors.Is(err, clm.NotFound) {
				t.Errorf("got %v for nobody, want NotFound", err)
			}
			return nil
		})
	})
}
