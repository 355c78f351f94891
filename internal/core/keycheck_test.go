package core_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// checksKeys takes a round and wants it to have looked at so many and found so many.
func checksKeys(t testing.TB, r *coretest.Rig, looked, found int) {
	t.Helper()
	gotLooked, gotFound, err := r.CheckKeys(context.Background())
	if gotLooked != looked || gotFound != found || err != nil {
		t.Errorf("looked at %d and found %d, %v; want %d and %d", gotLooked, gotFound, err, looked, found)
	}
	if n, err := r.DB.KeyMismatches(context.Background()); n < found || err != nil {
		t.Errorf("metrics tell of %d, %v; want %d", n, err, found)
	}
}

// swap puts the second's sealed key in the place of the first's.
func swap(t testing.TB, r *coretest.Rig, first, second clm.VersionID) {
	t.Helper()
	check(t, r.DB.Write(context.Background(), store.Entry{Actor: r.Admin, Action: "swap"}, func(tx *store.Tx) error {
		v, err := tx.Version(second)
		if err != nil {
			return err
		}
		return tx.ReplaceKey(first, v.Sealed)
	}))
}

// Keys that are not those of their certificates are found once a day, and the log
// tells of which certificates; keys that fit, or that nobody has, are not.
func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true, Rehearsal: true})
		ctx := context.Background()
		var all []core.Imported
		for n := range 4 {
			leaf := foreignLeaf(t, fmt.Sprintf("www%d.example.com", n), time.Hour, nil)
			r.Secret(leaf.keyPEM(t))
			i := core.Import{Certificate: bundle(leaf)}
			if n > 0 {
				i.Key = leaf.keyPEM(t)
			}
			all = append(all, take(t, r, i))
		}
		checksKeys(t, r, 4, 0)
		checksKeys(t, r, 0, 0) // once a day
		_, err := r.Rehearse(ctx, r.Admin, core.Rehearsal{DN: string(all[1].DN), Scene: core.SceneKeyMismatch})
		check(t, err)
		swap(t, r, all[2].Version, all[3].Version) // which is sealed for another version
		_, err = r.Put(ctx, r.Admin, core.Put{DN: string(all[3].DN), Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.KeyHolder: {clm.NoKeyHolder}}})
		check(t, err)
		r.Clock.Turn(24 * time.Hour)
		checksKeys(t, r, 4, 2)
		for n, want := range []core.KeyState{core.KeyNone, core.KeyWrong, core.KeyWrong, core.KeyNone} {
			if d, err := r.Details(ctx, r.Admin, all[n].ID); d.Key != want || err != nil {
				t.Errorf("the details of %s tell of key %s, %v; want %s", all[n].DN, d.Key, err, want)
			}
		}
		for n, want := range []int{0, 1, 1, 0} {
			if got := strings.Count(r.Log.String(), fmt.Sprintf(`www%d.example.com`, n)); got != want {
				t.Errorf("the log tells %d times of %s, want %d", got, all[n].DN, want)
			}
		}
		r.Clock.Turn(24 * time.Hour)
		checksKeys(t, r, 4, 2)
		if got := strings.Count(r.Log.String(), "does not match its certificate"); got != 4 {
			t.Errorf("the log tells of %d keys after two rounds, want 4", got)
		}
		for _, done := range all[1:3] {
			check(t, r.Remove(ctx, r.Admin, done.ID))
		}
		r.Clock.Turn(24 * time.Hour)
		checksKeys(t, r, 2, 0)
		if n, err := r.DB.KeyMismatches(ctx); n != 0 || err != nil {
			t.Errorf("metrics tell of %d, %v; want none", n, err)
		}
	})
}

// A round of several batches looks at every certificate once, also when it is
// interrupted in between; what it goes on with is not begun anew.
func TestKeyRoundGoesOn(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		const many = 2*core.KeyBatch + 10
		nonsense, err := r.Box.Seal(secret.NewString("this is no key at all"), "something else")
		check(t, err)
		check(t, r.DB.Write(context.Background(), store.Entry{Actor: r.Admin, Action: "fill"}, func(tx *store.Tx) error {
			folder, err := tx.Path(core.DefaultZone)
			for n := 0; n < many && err == nil; n++ {
				o := &clm.Object{DN: clm.DN(core.DefaultZone).Child(fmt.Sprintf("c%d", n)), Class: clm.ServerCertificate}
				if err = tx.AddObject(o, folder.Last().ID); err != nil {
					break
				}
				v := clm.Version{Certificate: o.ID, KeyHash: []byte("hash"), Sealed: nonsense}
				if err = tx.AddVersion(&v); err == nil {
					err = tx.Activate(v, clm.Facts{}, time.Time{})
				}
			}
			return err
		}))
		claimed, mine, err := r.DB.ClaimKeyRound(context.Background(), time.Minute)
		if err != nil || !mine {
			t.Fatal(mine, err)
		}
		check(t, r.DB.Read(context.Background(), func(tx *store.Tx) error {
			ids, err := tx.InUse("", core.KeyBatch)
			claimed.After, claimed.Found = ids[len(ids)-1], len(ids)
			return err
		}))
		check(t, r.DB.SaveKeyRound(context.Background(), &claimed, r.DB.Now().Add(time.Minute)))
		checksKeys(t, r, 0, 0) // it is held
		r.Clock.Turn(2 * time.Minute)
		checksKeys(t, r, many-core.KeyBatch, many-core.KeyBatch)
		if n, err := r.DB.KeyMismatches(context.Background()); n != many || err != nil {
			t.Errorf("metrics tell of %d, %v; want %d", n, err, many)
		}
	})
}
