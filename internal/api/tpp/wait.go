package tpp

import (
	"errors"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// waiting is what a call says of how long it would wait for the work that it begins.
type waiting struct {
	WorkToDoTimeout lenient.Int // seconds
}

func (w *waiting) check() error {
	if w.WorkToDoTimeout.Wrong != "" || w.WorkToDoTimeout.Value < 0 {
		return clm.Fail(clm.Invalid, fieldTimeout, w.WorkToDoTimeout.Wrong)
	}
	return nil
}

// asked is how long the call itself would wait, core.MaxWait at most.
func (w *waiting) asked() time.Duration {
	return time.Duration(min(w.WorkToDoTimeout.Value, int(core.MaxWait/time.Second))) * time.Second
}

// wait is how long the call would wait for the work: what it says, else what the
// installation says; never longer than core.MaxWait. The member is good, or check
// would have refused it.
func (a *api) wait(c *call, w *waiting) (time.Duration, error) {
	if w.WorkToDoTimeout.Set {
		return w.asked(), nil
	}
	return a.core.DefaultWait(c.Context())
}

// waitFor waits for the work, if there is any, so long at most. What was asked for is
// done by then: that it could not be waited for is no failure of the call.
func (a *api) waitFor(c *call, work clm.WorkID, most time.Duration) {
	if work == 0 || most == 0 {
		return
	}
	if _, err := a.core.Wait(c.Context(), work, most); err != nil && !errors.Is(err, clm.NotFound) {
		a.logFault(c, err)
	}
}
