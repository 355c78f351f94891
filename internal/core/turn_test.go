package core

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/pki"
)

// A quietStore can be switched at any time.
type quietStore struct{ deploy.Store }

func (quietStore) Switch(context.Context, pki.Bundle) error { return nil }

// A countedService counts what it is told. Both take it a while.
type countedService struct{ checks, reloads atomic.Int32 }

func (*countedService) Name() string { return "counted" }

func (s *countedService) Check(context.Context) (string, error) {
	time.Sleep(time.Second)
	s.checks.Add(1)
	return "", nil
}

func (s *countedService) Reload(context.Context) (string, error) {
	time.Sleep(time.Second)
	s.reloads.Add(1)
	return "", nil
}

// TestSwitchedTogetherReloadsTogether has ten stores wait while the service reloads, and
// come back one after the other.
func TestSwitchedTogetherReloadsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s countedService
		var all turns
		var wait sync.WaitGroup
		for n := range 11 {
			wait.Go(func() {
				for _, a := range []act{toSwitch, toReload} {
					if n == 0 && a == toSwitch {
						continue // it is the one for whom the others wait
					}
					time.Sleep(time.Duration(n) * gatherTime / 20)
					if _, err := all.take(&order{act: a, store: quietStore{}, service: &s}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if checks, reloads := s.checks.Load(), s.reloads.Load(); checks != 1 || reloads != 2 {
			t.Errorf("%d checks and %d reloads, want one check, and a reload beside the first", checks, reloads)
		}
	})
}

// TestOneThatDoesNotComeBackIsNotWaitedFor has one of two stores reload nothing.
func TestOneThatDoesNotComeBackIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s countedService
		var all turns
		var wait sync.WaitGroup
		begun := time.Now()
		for n := range 3 {
			wait.Go(func() {
				time.Sleep(time.Duration(n) * time.Millisecond)
				for _, a := range []act{toSwitch, toReload}[:1+n%2] {
					if _, err := all.take(&order{act: a, store: quietStore{}, service: &s}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if took := time.Since(begun); took != 3*time.Second+gatherTime {
			t.Errorf("it took %s", took)
		}
	})
}

// A heardService writes down what it is told, and answers checks in turn.
type heardService struct {
	checks []error // nil once there is none
	heard  []string
}

func (*heardService) Name() string { return "heard" }

func (s *heardService) Check(context.Context) (said string, err error) {
	s.heard = append(s.heard, "check")
	if len(s.checks) > 0 {
		err, s.checks = s.checks[0], s.checks[1:]
	}
	return "", err
}

func (s *heardService) Reload(context.Context) (string, error) {
	s.heard = append(s.heard, "reload")
	return "", nil
}

// A failingStore fails when it is switched or put back.
type failingStore struct {
	deploy.Store
	toSwitch, toBack error
}

func (s failingStore) Switch(context.Context, pki.Bundle) error { return s.toSwitch }
func (s failingStore) Back(context.Context) error               { return s.toBack }

// What may be switched and was not checked is checked before the service reads, for
// whomever it does; where it finds fault, it does not read.
func TestUncheckedIsNotRead(t *testing.T) {
	var (
		fine    failingStore
		away    = failingStore{toSwitch: errNoRoute}
		stuck   = failingStore{toBack: errNoRoute}
		refused = errors.New("refused by a test")
	)
	type step struct {
		act   act
		store failingStore
		want  error
	}
	for name, c := range map[string]struct {
		checks []error
		steps  []step
		heard  []string
		left   bool // something is unchecked in the end
	}{
		"all is checked": {nil,
			[]step{{toSwitch, fine, nil}, {toReload, fine, nil}}, []string{"check", "reload"}, false},
		"a check does not get through": {[]error{errNoRoute},
			[]step{{toSwitch, fine, errNoRoute}, {toReload, fine, nil}, {toReload, fine, nil}}, []string{"check", "check", "reload", "reload"}, false},
		"nor does the next": {[]error{errNoRoute, errNoRoute},
			[]step{{toSwitch, fine, errNoRoute}, {toReload, fine, errNoRoute}}, []string{"check", "check"}, true},
		"the next finds fault": {[]error{errNoRoute, refused},
			[]step{{toSwitch, fine, errNoRoute}, {toReload, fine, refused}}, []string{"check", "check"}, true},
		"it is put back": {[]error{errNoRoute},
			[]step{{toSwitch, fine, errNoRoute}, {toBack, fine, nil}}, []string{"check", "check", "reload"}, false},
		"another is put back": {[]error{errNoRoute, refused},
			[]step{{toSwitch, fine, errNoRoute}, {toBack, fine, refused}}, []string{"check", "check"}, true},
		"it is tried again": {[]error{errNoRoute},
			[]step{{toSwitch, fine, errNoRoute}, {toSwitch, fine, nil}, {toReload, fine, nil}}, []string{"check", "check", "reload"}, false},
		"it may be switched or not": {[]error{refused},
			[]step{{toSwitch, away, errNoRoute}, {toReload, fine, refused}}, []string{"check"}, true},
		"what it refuses is put back": {[]error{refused},
			[]step{{toSwitch, fine, refused}, {toReload, fine, nil}}, []string{"check", "reload"}, false},
		"what it refuses cannot be put back": {[]error{refused, refused},
			[]step{{toSwitch, stuck, refused}, {toReload, fine, refused}}, []string{"check", "check"}, true},
	} {
		s, all := &heardService{checks: c.checks}, turns{}
		for n, step := range c.steps {
			if _, err := all.take(&order{act: step.act, store: step.store, service: s}); !errors.Is(err, step.want) {
				t.Errorf("%s: got %v from step %d, want %v", name, err, n+1, step.want)
			}
		}
		if !slices.Equal(s.heard, c.heard) {
			t.Errorf("%s: it was told to %v, want %v", name, s.heard, c.heard)
		}
		if left := len(all.unchecked) > 0; left != c.left {
			t.Errorf("%s: something is unchecked in the end: %v", name, left)
		}
	}
}

// Of two that are tried one by one, the check of the first does not get through; that of
// the second does, and is good for both.
func TestCheckIsGoodForAll(t *testing.T) {
	for name, c := range map[string]struct {
		checks []error
		heard  []string
	}{
		"it comes last":  {[]error{errors.New("refused by a test"), errNoRoute, nil}, []string{"check", "check", "check", "reload"}},
		"it comes first": {[]error{errors.New("refused by a test"), nil, errNoRoute}, []string{"check", "check", "check", "check", "reload"}},
	} {
		s, all := &heardService{checks: c.checks}, turns{}
		store := placedStore{}
		all.turn([]*order{{act: toSwitch, store: store, service: s}, {act: toSwitch, store: store, service: s}})
		all.turn([]*order{{act: toReload, store: store, service: s}})
		if !slices.Equal(s.heard, c.heard) || len(all.unchecked) > 0 {
			t.Errorf("%s: it was told to %v, want %v; left unchecked: %v", name, s.heard, c.heard, all.unchecked)
		}
	}
}

// A placedStore can be done everything to.
type placedStore struct{ failingStore }

func (placedStore) Place(context.Context, pki.Bundle) error { return nil }

// The more works wait for one another, the less often each of them asks how the others stand.
func TestManyAskSeldom(t *testing.T) {
	for _, c := range []struct {
		waited time.Duration
		works  int
		want   time.Duration
	}{
		{0, 2, togetherTime},
		{-time.Hour, 2, togetherTime},
		{20 * time.Second, 2, 5 * time.Second},
		{0, 500, 500 * eachTogether},
		{80 * time.Second, 500, 20 * time.Second},
		{0, 1_000_000, longestTogether},
		{24 * time.Hour, 2, longestTogether},
	} {
		if got := togetherPause(c.waited, c.works); got != c.want {
			t.Errorf("after %s, one of %d rests for %s, want %s", c.waited, c.works, got, c.want)
		}
	}
}

// A sureStore is sure to have something to go back to.
type sureStore struct {
	deploy.Store
	backs *atomic.Int32
}

func (s sureStore) Back(context.Context) error {
	s.backs.Add(1)
	return nil
}

// TestNothingIsPutBackThatIsTaken asks when it is its turn whether it is still to be done,
// and leaves the store and the service alone where it is not.
func TestNothingIsPutBackThatIsTaken(t *testing.T) {
	taken := func(context.Context) error { return errTaken }
	for _, c := range []struct {
		name           string
		service        bool
		still          func(context.Context) error
		err            error
		backs, reloads int32
	}{
		{"taken", true, taken, errTaken, 0, 0},
		{"taken, without a service", false, taken, errTaken, 0, 0},
		{"still to be done", true, func(context.Context) error { return nil }, nil, 1, 1},
		{"not asked", false, nil, nil, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s countedService
				var backs atomic.Int32
				var all turns
				o := &order{act: toBack, store: sureStore{backs: &backs}, still: c.still}
				if c.service {
					o.service = &s
				}
				if _, err := all.take(o); !errors.Is(err, c.err) || backs.Load() != c.backs || s.reloads.Load() != c.reloads {
					t.Errorf("got %v, put back %d times, %d reloads", err, backs.Load(), s.reloads.Load())
				}
			})
		})
	}
}

// TestTimeOfItsOwn lets putting back have the time that it needs when the stage has none
// left, and ends it with the process.
func TestTimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		process, stop := context.WithCancel(context.Background())
		stage, cancel := context.WithTimeout(process, time.Second)
		defer cancel()
		early, end := withTime(stage, time.Minute)
		defer end()
		time.Sleep(2 * time.Second)
		late, end := withTime(stage, time.Minute)
		defer end()
		if stage.Err() == nil || early.Err() != nil || late.Err() != nil {
			t.Errorf("got %v, %v and %v, want time left", stage.Err(), early.Err(), late.Err())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if late.Err() != context.DeadlineExceeded {
			t.Errorf("got %v, want it to end", late.Err())
		}
		lively, end := withTime(process, time.Minute)
		defer end()
		stop()
		synctest.Wait()
		if lively.Err() != context.Canceled {
			t.Errorf("got %v, want it to end with the process", lively.Err())
		}
	})
}
