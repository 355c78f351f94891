package avx

import (
	"net/http"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// So long calls wait that wait at all.
const (
	defaultTTL = 300 * time.Second
	maxTTL     = time.Hour
)

// replyTime is what a call that has waited has left for its answer.
const replyTime = time.Minute

// await waits for the order for as long as the call says, and tells how it stands then.
// It ends early when the order stands before a gate, when the client goes away, and when
// the server is about to stop. refused: too many calls wait already, or there was a fault
// of ours.
func (a *api) await(c *call, id clm.WorkID) (open core.Open, refused *answer) {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		f := fail(tooMany)
		return open, &f
	}
	c.mayTake(c.query.ttl + replyTime)
	open, err := a.core.Wait(c.Context(), id, c.query.ttl)
	if err != nil {
		f := a.refuse(c, nil, err)
		return open, &f
	}
	return open, nil
}

// mayTake moves the deadline by which the answer must be out, which is that of calls that
// do not wait.
func (c *call) mayTake(most time.Duration) {
	if c.writer != nil {
		_ = http.NewResponseController(c.writer).SetWriteDeadline(time.Now().Add(most)) // what has no deadline needs none moved
	}
}
