package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// A read that began before shards were merged, and looks only after others have
// met the merger, does not count again what was merged.
func TestOldSnapshotsOfMergedShards(t *testing.T) {
	t.Parallel()
	d := coretest.EmptyPostgres(t)
	lives := open(t, d)
	want := 0
	for i := range store.MaxShards {
		n := open(t, d)
		n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, i)))
		n.Close()
		want++
	}
	total := func(tx *store.Tx) error {
		if _, got, err := tx.Find(store.Filter{}); got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
		return nil
	}
	lives.look(total)
	lives.look(func(old *store.Tx) error {
		if _, err := old.Versions("x"); err != nil { // from here on it is the past
			return err
		}
		lives.add(clm.ServerCertificate, `\late`)
		want++
		open(t, d)
		lives.look(func(tx *store.Tx) error {
			if n, err := tx.Rows("shards"); n > 2 || err != nil {
				t.Fatalf("%d shards, %v: they were not merged", n, err)
			}
			return total(tx)
		})
		return total(old)
	})
	lives.look(total)
	lives.agrees()
}

// A census that cannot be brought up to date stays as it was, and goes on when it can.
func TestCensusFailsWhole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		driver string
		make   func(testing.TB) coretest.Database
	}{{"sqlite", coretest.EmptySQLite}, {"pgx", coretest.Postgres}} {
		t.Run(test.driver, func(t *testing.T) {
			d := test.make(t)
			n := open(t, d)
			raw, err := sql.Open(test.driver, d.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			run := func(query string, args ...any) {
				t.Helper()
				if _, err := raw.Exec(query, args...); err != nil {
					t.Fatal(err)
				}
			}
			find := func() (total int, err error) {
				err = n.Read(context.Background(), func(tx *store.Tx) error { _, total, err = tx.Find(store.Filter{}); return err })
				return total, err
			}
			n.add(clm.Folder, `\a`)
			b := n.add(clm.Folder, `\b`)
			n.add(clm.ServerCertificate, `\a\1`)
			if got, err := find(); got != 1 || err != nil {
				t.Fatalf("got %d, %v", got, err)
			}
			n.add(clm.ServerCertificate, `\a\2`)
			n.add(clm.ServerCertificate, `\b\3`)
			run("UPDATE cohorts SET units = 'nonsense' WHERE folder = $1", string(b.ID))
			if _, err := find(); err == nil {
				t.Error("what cannot be read is found")
			}
			if cohorts, certificates := n.Met(); cohorts != 1 || certificates != 1 {
				t.Errorf("got %d cohorts and %d certificates after a failure, want those of before", cohorts, certificates)
			}
			run("UPDATE cohorts SET units = '' WHERE folder = $1", string(b.ID))
			if got, err := find(); got != 3 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

// Where certificates are shown or hidden one by one, nothing that was remembered
// tells where a page begins that nobody has come from.
func TestPagesOfWhatIsHidden(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		folder := n.add(clm.Folder, `\a`)
		for i := range 100 {
			n.add(clm.ServerCertificate, folder.DN.Child(fmt.Sprint(i)))
		}
		v := &store.Visible{Folders: map[clm.ObjectID]bool{folder.ID: true}, Hidden: map[clm.ObjectID]bool{"x": true}}
		page := func(offset int) (found []clm.ObjectID) {
			n.look(func(tx *store.Tx) error {
				hits, _, err := tx.Find(store.Filter{Visible: v, Key: "k", Offset: offset, Limit: 5})
				found = ids(hits)
				return err
			})
			return found
		}
		all := append(page(0), page(5)...)
		page(40) // where it ends is remembered
		late := page(50)
		v.Hidden[all[0]] = true
		if got := page(49); !slices.Equal(got, late) {
			t.Errorf("got %v, want %v", got, late)
		}
	})
}

// What has come to nothing is forgotten when the database is opened by itself.
func TestEmptyCohortsAreForgotten(t *testing.T) {
	t.Parallel()
	d := coretest.EmptySQLite(t)
	n := open(t, d)
	n.add(clm.Folder, `\a`)
	n.add(clm.ServerCertificate, `\a\stays`)
	n.add(clm.Folder, `\b`)
	gone := n.add(clm.ServerCertificate, `\b\goes`)
	n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(gone) })
	n.Close()
	n = open(t, d)
	n.look(func(tx *store.Tx) error {
		cohorts, err := tx.Rows("cohorts")
		tallies, err2 := tx.Rows("tallies")
		if cohorts != 1 || tallies != 2 {
			t.Errorf("got %d cohorts and %d tallies, want those of the one that stays", cohorts, tallies)
		}
		return errors.Join(err, err2)
	})
	n.add(clm.ServerCertificate, `\b\comes`)
	n.agrees()
}
