package tpp

import (
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// TestEveryStageHasANumber lets no stage be added to a plan that this dialect
// cannot show.
func TestEveryStageHasANumber(t *testing.T) {
	for _, s := range clm.Plan(clm.Enroll) {
		if _, ok := stages[s]; !ok && s != clm.End {
			t.Errorf("stage %s has no number", s)
		}
	}
}

// TestProgress has a row for each state that work can be in.
func TestProgress(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name string
		open core.Open
		want progress
	}{
		{"queued by Request", core.Open{Work: clm.Work{Stage: clm.Submit, Reason: byRequest}, State: clm.Queued}, progress{0, statusRequested, false}},
		{"queued by Renew", core.Open{Work: clm.Work{Stage: clm.CreateKey, Reason: "renew"}, State: clm.Queued}, progress{0, "Queued for renewal.", false}},
		{"under way", core.Open{Work: clm.Work{Stage: clm.Submit}, State: clm.Processing}, progress{500, "Post CSR", false}},
		{"waits for the CA", core.Open{Work: clm.Work{Stage: clm.Collect}, State: clm.Processing}, progress{700, "Retrieve Certificate", false}},
		{"will be tried again", core.Open{Work: clm.Work{Stage: clm.Submit, Note: "refused.", NotBefore: at}, State: clm.Processing},
			progress{500, "Post CSR failed with error: refused. It is tried again at 2026-01-02T03:04:05Z.", false}},
		{"before a gate", core.Open{Work: clm.Work{Stage: clm.Submit}, State: clm.Gated}, progress{500, "Pending workflow resolution", false}},
		{"waits for a signing request", core.Open{Work: clm.Work{Stage: clm.CreateCSR}, State: clm.AwaitsCSR}, progress{400, "Waiting for new CSR.", false}},
		{"stopped", core.Open{Work: clm.Work{Stage: clm.Submit, Failure: "no."}, State: clm.Stopped}, progress{500, "Post CSR failed with error: no.", true}},
		{"stopped, and a request on top", core.Open{Work: clm.Work{Stage: clm.Submit, Failure: "no.", Overlaid: true}, State: clm.Stopped},
			progress{500, statusOverlaid, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := progressOf(&c.open); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
