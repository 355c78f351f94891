package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// Every scene stands as it says, with runners at work, and can be left again.
func TestScenes(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Rehearsal: true})
		ctx := context.Background()
		dn := string(request(t, r, core.DefaultZone, "www.example.com").Place.DN)
		play := func(scene core.Scene) {
			t.Helper()
			for n, want := range []bool{true, false} {
				if scene == core.SceneIdle && n == 1 {
					break
				}
				changed, err := r.Rehearse(ctx, r.Admin, core.Rehearsal{DN: dn, Scene: scene, Stage: clm.Collect, Text: "out of paper"})
				if err != nil || changed != want {
					t.Fatalf("%s: got %t, %v; want %t", scene, changed, err, want)
				}
			}
		}
		for scene, want := range map[core.Scene]clm.State{
			core.SceneQueued: clm.Queued, core.SceneProcessing: clm.Processing, core.SceneError: clm.Stopped, core.SceneNoCSR: clm.AwaitsCSR, core.SceneTicket: clm.Gated,
		} {
			play(scene)
			got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: dn})
			if err != nil || got.Open == nil || got.Open.State != want {
				t.Errorf("%s: got %+v, %v", scene, got.Open, err)
			}
			if scene == core.SceneError && got.Open.Failure != "out of paper" {
				t.Errorf("got failure %q", got.Open.Failure)
			}
		}
		play(core.SceneIdle)
		settled(t, r, dn)
		for scene, want := range map[core.Scene]clm.Kind{core.SceneKeyMismatch: clm.NoKey, core.SceneKeyMissing: clm.NoKey, core.SceneNoCertificate: clm.NotIssued} {
			if _, err := r.Rehearse(ctx, r.Admin, core.Rehearsal{DN: dn, Scene: scene}); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: dn, WithKey: true}); !errors.Is(err, want) || got.Key != nil {
				t.Errorf("%s: got %v, want %v", scene, err, want)
			}
			done, err := r.Renew(ctx, r.Admin, core.Renew{DN: dn})
			if err != nil {
				t.Fatal(err)
			}
			await(t, r, done) // which mends it
		}
	})
}

// Without the flag, and for anybody but a master, nothing is rehearsed.
func TestNoRehearsalUnasked(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	if _, err := r.Rehearse(context.Background(), r.Admin, core.Rehearsal{DN: core.DefaultZone, Scene: core.SceneQueued}); !errors.Is(err, clm.Denied) {
		t.Errorf("got %v, want %v", err, clm.Denied)
	}
}
