package core_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
)

// A worker that comes back from the CA after its work was reset, and after somebody
// else has seen to what has become of the order, changes nothing: the certificate
// stays marked as one that nobody wants, and is revoked once.
func TestLateWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		before := await(t, r, ask(t, r, "www.example.com"))
		asking, release := f.Hold(t, "collect")
		late := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asking)
		reset(t, r, late.DN, false)
		follow(t, r, "revoke/revoke", 1)
		release()
		follow(t, r, "abandon", 1)
		for _, v := range versionsOf(t, r, late.ID) {
			if v.ID == late.Version && v.Orphaned.IsZero() {
				t.Error("the late certificate is not marked as one that nobody wants")
			}
		}
		if got := settled(t, r, string(late.DN)); got.Version.ID != before.Version.ID {
			t.Errorf("got version %d in use, want %d", got.Version.ID, before.Version.ID)
		}
		r.Stop()
		if n := f.Calls("revoke"); n != 1 {
			t.Errorf("the CA was asked %d times to revoke it, want once", n)
		}
		r.Start(coretest.Options{Idle: true})
	})
}

// follow waits until so many entries with the action are in the audit log.
func follow(t testing.TB, r *coretest.Rig, action string, many int) {
	t.Helper()
	for deadline := time.Now().Add(patience); len(entries(t, r, action)) < many; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", action)
		}
	}
}

// reset resets the place.
func reset(t testing.TB, r *coretest.Rig, dn clm.DN, restart bool) core.ResetDone {
	t.Helper()
	done, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: string(dn), Restart: restart})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// A reset does not call off the revocation of a certificate that came when nobody
// wanted it any more: it is not the place's, and must not be left to be misused.
func TestResetLeavesRevocationOfOrphans(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		asking, release := f.Hold(t, "collect")
		late := ask(t, r, "www.example.com")
		receive(t, "the CA to be asked", asking)
		revoking, revoked := f.Hold(t, "revoke")
		reset(t, r, late.DN, false)
		receive(t, "the CA to be asked to revoke", revoking)
		for _, restart := range []bool{false, true} {
			done, err := r.Reset(context.Background(), r.Admin, core.Reset{DN: string(late.DN), Restart: restart})
			if !errors.Is(err, clm.Unnecessary) {
				t.Errorf("got %+v, %v; want nothing to reset", done, err)
			}
		}
		revoked()
		release()
		follow(t, r, "revoke/revoke", 1)
		if known := revocation(t, r, late.Version); !known.IsDone() {
			t.Errorf("got %+v; want the late certificate revoked", known)
		}
	})
}
