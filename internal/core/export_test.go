package core

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/certwright/certwright/internal/clm"
)

// Lease is how long nobody else touches claimed work.
const Lease = lease

// ResumeStopped lets go on what has stopped because nobody could be reached.
func (c *Core) ResumeStopped(ctx context.Context) error { return c.resumeStopped(ctx) }

// KeyBatch is how many private keys are looked at in one go.
const KeyBatch = keyBatch

// MaxFailures, MaxAnyFailures and FailurePause are the limits of failed logins.
const (
	MaxFailures    = maxOwnFailures
	MaxAnyFailures = maxOtherFailures
	FailurePause   = failurePause
	KeyLife        = keyLife
)

// Stages lists the stages that have an effect, sorted.
func Stages() []clm.Stage { return slices.Sorted(maps.Keys(effects)) }

// around holds, by core, what a test wants called before and after each effect.
var around sync.Map

// Around has fn called before and after each effect of this core, with the common
// name that the certificate is to have or, at a host, the application's DN.
func (c *Core) Around(fn func(stage clm.Stage, after bool, cn string)) { around.Store(c, fn) }

// The effects of a test binary let tests in.
var _ = letIn()

func letIn() bool {
	for stage, do := range effects {
		effects[stage] = func(c *Core, ctx context.Context, t *task) (clm.Outcome, error) {
			fn, ok := around.Load(c)
			if !ok {
				return do(c, ctx, t)
			}
			at, name := fn.(func(clm.Stage, bool, string)), t.names.CommonName
			if t.work.Op.IsAtHost() {
				name = string(t.path.Last().DN)
			}
			at(stage, false, name)
			out, err := do(c, ctx, t)
			at(stage, true, name)
			return out, err
		}
	}
	return true
}

// Occupy takes all turns of those who open files that are to be imported.
func (c *Core) Occupy() (free func()) {
	for range cap(c.opening) {
		c.opening <- struct{}{}
	}
	return func() {
		for range cap(c.opening) {
			<-c.opening
		}
	}
}
