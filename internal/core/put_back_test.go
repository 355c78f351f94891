package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// That something was put back is not taken from the service's word: what was served
// before must be seen again, or it is said that it is not.
func TestPuttingBackIsLookedAt(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		l := f.all[0]
		f.lookBriefly(t, 0)
		l.After = func(what string) error {
			if what != "reload" || l.Deaf {
				return nil
			}
			l.Deaf = true
			return errors.New("refused by a test")
		}
		renewed := f.renew(t)
		f.failed(t, 0, clm.Reload, "could not be put back")
		if !bytes.Equal(l.Serves(), renewed) {
			t.Error("the listener has read again: the test shows nothing")
		}
	})
}

// An installation that waits for its host is over when the next certificate has come into
// use: that one goes there, and nothing of the older one.
func TestNextCertificateTakesInstallationOver(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f, first := downFleet(t, d)
		older, was := f.inUse(t), len(f.all[0].Calls())
		done := f.renewWhileDown(t)
		next, err := f.OpenInstall(f.app(0))
		check(t, err)
		if next == nil || next.ID == first.ID || next.Version != done.Version {
			t.Fatalf("got %+v, want an installation of the next certificate", next)
		}
		f.up(t)
		f.serve(t, f.inUse(t))
		switches := 0
		for _, call := range f.all[0].Calls()[was:] {
			if call == "switch" {
				switches++
			}
		}
		if bytes.Equal(f.inUse(t), older) || switches != 1 {
			t.Errorf("it was switched %d times, want once, to the newest", switches)
		}
	})
}

// An installation that nobody has ended goes nowhere once another certificate is in use:
// an application that was disabled meanwhile gets none at all.
func TestOlderCertificateIsNotInstalled(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f, _ := downFleet(t, d)
		disable := func(value string) {
			check(t, f.EditObject(context.Background(), f.Admin, f.app(0), []core.Edit{{Attr: clm.Off, Values: []string{value}}}, nil))
		}
		disable("1")
		f.renewWhileDown(t)
		disable("0")
		placed := len(f.all[0].Calls())
		f.up(t)
		f.failed(t, 0, clm.Place, "another certificate has come into use")
		if calls := f.all[0].Calls()[placed:]; slices.ContainsFunc(calls, func(call string) bool { return call != "inspect" }) {
			t.Errorf("got %v, want nothing changed", calls)
		}
	})
}

// downFleet is one listener whose host is down while its second certificate is to be
// installed: that waits.
func downFleet(t *testing.T, d coretest.Database) (*fleet, *clm.Work) {
	t.Helper()
	f := newFleet(t, d, 1, nil)
	f.all[0].Before = func(string) error { return fmt.Errorf("dial: %w", remote.ErrUnreachable) }
	f.renewWhileDown(t)
	f.tried(t, 1)
	w, err := f.OpenInstall(f.app(0))
	check(t, err)
	return f, w
}

// renewWhileDown renews the certificate, and does not wait until it is installed.
func (f *fleet) renewWhileDown(t *testing.T) core.Accepted {
	t.Helper()
	done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
	check(t, err)
	await(t, f.Rig, done)
	return done
}

// up lets the first host be reached, at the time of its next try.
func (f *fleet) up(t *testing.T) {
	t.Helper()
	f.all[0].Before = nil
	f.Clock.Turn(time.Hour)
	f.settled(t)
}
