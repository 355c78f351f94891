package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A round is one node's until it is given back or the node has died; what was found
// counts as soon as it is more than in the round before, and until the next has
// come to its end.
func TestKeyRound(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		ctx := context.Background()
		claim := func(want bool) store.KeyRound {
			t.Helper()
			r, mine, err := n.ClaimKeyRound(ctx, time.Minute)
			if mine != want || err != nil {
				t.Fatalf("got %v, %v; want %v", mine, err, want)
			}
			return r
		}
		found := func(want int) {
			t.Helper()
			if got, err := n.KeyMismatches(ctx); got != want || err != nil {
				t.Errorf("got %d, %v; want %d", got, err, want)
			}
		}
		began := n.Now()
		first := claim(true)
		claim(false)
		first.After, first.Found = "c", 2
		if err := n.SaveKeyRound(ctx, &first, n.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		found(2)
		claim(false)
		n.turn(2 * time.Minute) // its node has died
		second := claim(true)
		if second.After != "c" || second.Found != 2 || second.Began.Sub(began) > time.Minute {
			t.Errorf("got %+v", second)
		}
		if err := n.SaveKeyRound(ctx, &first, n.Now()); !errors.Is(err, store.ErrStale) {
			t.Errorf("got %v of the one that was thought dead, want %v", err, store.ErrStale)
		}
		next := n.Now().Add(time.Hour)
		if err := n.EndKeyRound(ctx, second, next); err != nil {
			t.Fatal(err)
		}
		found(2)
		claim(false)
		n.turn(time.Hour)
		third := claim(true)
		if third.After != "" || third.Found != 0 || third.Began.Before(next) {
			t.Errorf("got %+v", third)
		}
		found(2)
		if err := n.EndKeyRound(ctx, third, n.Now()); err != nil {
			t.Fatal(err)
		}
		found(0)
	})
}

// Every certificate that has a version in use is listed once.
func TestInUse(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		var want []clm.ObjectID
		for i := range 5 {
			o := n.add(clm.ServerCertificate, clm.DN(fmt.Sprintf(`\c%d`, i)))
			if i == 2 {
				continue
			}
			v := clm.Version{Certificate: o.ID, NotAfter: newYear}
			n.do("issue", func(tx *store.Tx) error {
				return errors.Join(tx.AddVersion(&v), tx.Activate(v, clm.Facts{}, time.Time{}))
			})
			want = append(want, o.ID)
		}
		var got []clm.ObjectID
		n.look(func(tx *store.Tx) error {
			for after := clm.ObjectID(""); ; after = got[len(got)-1] {
				some, err := tx.InUse(after, 3)
				if err != nil || len(some) == 0 {
					return err
				}
				got = append(got, some...)
			}
		})
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
