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
	"github.com/certwright/certwright/internal/deploy/remote"
)

// A retry goes to a host at once, also where it could not be reached a moment ago.
func TestRetryDoesNotWaitForHostThatWasDown(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		f.all[0].Before = func(string) error { return fmt.Errorf("dial: %w", remote.ErrUnreachable) }
		done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
		if err != nil {
			t.Fatal(err)
		}
		await(t, f.Rig, done)
		for n := 1; n <= clm.MaxAttempts; n++ {
			f.tried(t, n)
			if n < clm.MaxAttempts {
				f.Clock.Turn(time.Minute)
			}
		}
		f.failed(t, 0, clm.Place, "cannot be reached")
		f.all[0].Before = nil
		failures := func() int { return strings.Count(f.Log.String(), "stage failed") }
		before := failures()
		if _, err := f.Retry(context.Background(), f.Admin, f.cert); err != nil {
			t.Fatal(err)
		}
		f.settled(t)
		f.serve(t, f.inUse(t))
		if got := failures() - before; got != 0 {
			t.Errorf("it was held to be down %d times more", got)
		}
	})
}

// tried waits until so many tries of the first installation have failed.
func (f *fleet) tried(t *testing.T, times int) {
	t.Helper()
	eventually(t, fmt.Sprintf("it was tried %d times", times), func() bool {
		w, err := f.OpenInstall(f.app(0))
		if err != nil || w == nil {
			t.Fatal(w, err)
		}
		return w.Attempt >= times
	})
}
