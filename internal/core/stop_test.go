package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// A request for a place that is only watched is written down and begins nothing.
func TestWatchedPlacesOrderNothing(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		for _, management := range []string{clm.Monitoring, clm.Unassigned} {
			done, err := r.Request(context.Background(), r.Admin, core.Request{
				Folder: core.DefaultZone, Names: clm.Names{CommonName: management + ".example.com"},
				Own: map[clm.Attr][]string{clm.ManagementType: {management}},
			})
			if err != nil || done.ID == "" || done.Work != 0 {
				t.Errorf("%s: got %+v, %v; want a place without work", management, done, err)
			}
		}
	})
}

// Whoever waits is answered when the server is about to stop, with how the work
// stands; and once the database is closed, nobody waits for it.
func TestStoppingLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		done, err := r.Request(context.Background(), r.Admin, core.Request{Folder: core.DefaultZone, Names: clm.Names{CommonName: "www.example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		answered := make(chan struct{}, 1)
		go func() {
			open, err := r.Wait(context.Background(), done.Work, core.MaxWait)
			if err != nil || open.State != clm.Queued {
				t.Errorf("got %+v, %v; want the work still queued", open, err)
			}
			answered <- struct{}{}
		}()
		r.EndWaits()
		receive(t, "the wait to end", answered)
		r.DB.Close()
		if err := r.DB.Read(context.Background(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
			t.Errorf("read: got %v, want ErrClosed", err)
		}
		if _, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: string(done.DN)}); !errors.Is(err, store.ErrClosed) {
			t.Errorf("write: got %v, want ErrClosed", err)
		}
		r.Stop()
		r.Start(coretest.Options{Idle: true}) // so that the secrets can be looked for
	})
}

// A session that was ended while it was being prolonged stays ended.
func TestEndedSessionsAreNotProlonged(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		key, until, err := r.APIKey(ctx, r.Admin)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.Session(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.EndSession(ctx, s); err != nil {
			t.Fatal(err)
		}
		if err := r.DB.Write(ctx, store.Entry{Action: "prolong late"}, func(tx *store.Tx) error {
			return tx.ProlongSession(s.ID, until.Add(core.KeyLife), until.Add(core.KeyLife))
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Session(ctx, key); !errors.Is(err, clm.Denied) {
			t.Errorf("got %v, want Denied", err)
		}
	})
}
