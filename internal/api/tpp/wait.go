package tpp

import (
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
)

// longestWait is the longest that a call may wait.
const longestWait = 120 * time.Second

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

// asked is how long the call itself would wait, longestWait at most.
func (w *waiting) asked() time.Duration {
	return time.Duration(min(w.WorkToDoTimeout.Value, int(longestWait/time.Second))) * time.Second
}

// wait is how long the call would wait for the work: what it says, else what the
// installation says; never longer than longestWait. The member is good, or check
// would have refused it.
func (a *api) wait(c *call, w *waiting) (time.Duration, error) {
	if w.WorkToDoTimeout.Set {
		return w.asked(), nil
	}
	most, err := a.core.DefaultWait(c.Context())
	return min(most, longestWait), err
}

// waitFor waits for the work, if there is any, as long as the call would.
func (a *api) waitFor(c *call, w *waiting, work clm.WorkID) error {
	most, err := a.wait(c, w)
	if err != nil || work == 0 || most == 0 {
		return err
	}
	_, err = a.core.Wait(c.Context(), work, most)
	return err
}
