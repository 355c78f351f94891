package core

import (
	"context"
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
