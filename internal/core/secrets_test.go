package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// retrieve hands out a certificate with its key.
func retrieve(r *coretest.Rig, dn clm.DN) (core.Issued, error) {
	return r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: string(dn), WithKey: true})
}

// A key that somebody has moved to another row does not open there.
func TestSwappedKeysDoNotOpen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		one, two := request(t, r, core.DefaultZone, "one"), request(t, r, core.DefaultZone, "two")
		swap := func() {
			other := map[clm.VersionID][]byte{one.Version.ID: two.Version.Sealed, two.Version.ID: one.Version.Sealed}
			if err := r.DB.Write(context.Background(), store.Entry{Action: "swap"}, func(tx *store.Tx) error {
				_, err := tx.ResealVersions(0, 10, func(id clm.VersionID, _ []byte) ([]byte, error) { return other[id], nil })
				return err
			}); err != nil {
				t.Fatal(err)
			}
			one.Version.Sealed, two.Version.Sealed = two.Version.Sealed, one.Version.Sealed
		}
		swap()
		for _, place := range []core.Issued{one, two} {
			got, err := retrieve(r, place.Place.DN)
			if !errors.Is(err, secret.ErrCannotOpen) || got.Key != nil {
				t.Errorf("%s: got %v, want that the key does not open", place.Place.DN, err)
			}
		}
		swap()
		for _, place := range []core.Issued{one, two} {
			got, err := retrieve(r, place.Place.DN)
			if err != nil {
				t.Fatal(err)
			}
			fits(t, got)
		}
	})
}

// After the master key was changed everything is still read; once all is sealed
// anew the old master key is not needed any more, not even after a restart.
func TestResealThenForget(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		const many = 5
		var dns []clm.DN
		for i := range many {
			dns = append(dns, request(t, r, core.DefaultZone, fmt.Sprintf("www%d", i)).Place.DN)
		}
		check := func(when string) {
			t.Helper()
			for _, dn := range dns {
				got, err := retrieve(r, dn)
				if err != nil {
					t.Errorf("%s: %v", when, err)
					continue
				}
				fits(t, got)
			}
		}
		if err := r.Box.Rotate(); err != nil {
			t.Fatal(err)
		}
		check("after the change")
		done, err := r.Reseal(ctx, r.Admin)
		if err != nil || done != many+4 { // and the four CAs
			t.Errorf("got %d sealed anew, %v; want %d", done, err, many+4)
		}
		if again, err := r.Reseal(ctx, r.Admin); err != nil || again != 0 {
			t.Errorf("the second time: got %d, %v; want none", again, err)
		}
		if err := r.Box.DropOld(); err != nil {
			t.Fatal(err)
		}
		check("without the old master key")
		r.Stop()
		r.Start(coretest.Options{})
		check("after a restart")
		dns = append(dns, request(t, r, core.DefaultZone, "new").Place.DN) // the CA's key opens too
		check("with one more")
	})
}

// The master key may be changed and everything sealed anew while certificates are
// being renewed: nothing is lost.
func TestResealWhileWorking(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		const places, turns = 6, 4
		var dns []clm.DN
		for i := range places {
			dns = append(dns, request(t, r, core.DefaultZone, fmt.Sprintf("www%d", i)).Place.DN)
		}
		var all sync.WaitGroup
		for _, dn := range dns {
			all.Go(func() {
				for range turns {
					done, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(dn)})
					if err != nil {
						t.Error(err)
						return
					}
					await(t, r, done)
				}
			})
		}
		all.Go(func() {
			for range turns {
				if err := r.Box.Rotate(); err != nil {
					t.Error(err)
				}
				if _, err := r.Reseal(ctx, r.Admin); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		if _, err := r.Reseal(ctx, r.Admin); err != nil {
			t.Fatal(err)
		}
		if err := r.Box.DropOld(); err != nil {
			t.Fatal(err)
		}
		for _, dn := range dns {
			got, err := retrieve(r, dn)
			if err != nil {
				t.Fatal(err)
			}
			fits(t, got)
			for _, v := range versionsOf(t, r, got.Place.ID) {
				if !r.Box.IsCurrent(v.Sealed) {
					t.Errorf("version %d of %s is sealed with an old master key", v.ID, dn)
				}
			}
		}
	})
}

// A worker that has read a key before it was sealed anew does not put the old seal
// back when it saves.
func TestLateSaveKeepsTheNewSeal(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		asking, release := f.Hold(t, "collect")
		done := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asking)
		var err error
		for _, step := range []func() error{r.Box.Rotate, func() error { _, err := r.Reseal(context.Background(), r.Admin); return err }, r.Box.DropOld} {
			err = errors.Join(err, step())
		}
		release()
		if err != nil {
			t.Fatal(err)
		}
		if got := await(t, r, done); got.Key == nil {
			t.Error("the key is lost")
		}
	})
}
