package tpp

import (
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// TestEveryStageHasANumber lets no stage be added to a plan that this dialect
// cannot show.
func TestEveryStageHasANumber(t *testing.T) {
	for _, op := range []clm.Op{clm.Enroll, clm.Install, clm.Revoke, clm.Abandon} {
		for _, s := range clm.Plan(op) {
			if _, ok := stages[s]; !ok && s != clm.End {
				t.Errorf("stage %s has no number", s)
			}
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

// TestInstallProgress tells of failures when nothing else is under way any more.
func TestInstallProgress(t *testing.T) {
	for _, c := range []struct {
		name string
		of   core.Installing
		want string
	}{
		{"on its way to two", core.Installing{Waiting: 2}, "Install Certificate"},
		{"on its way to one, where another has failed", core.Installing{Waiting: 1, Failed: 1}, "Install Certificate"},
		{"all that are left have failed", core.Installing{Failed: 2}, "Install Certificate failed with error: It could not be installed in 2 of its applications."},
	} {
		if got := installProgress(c.of); got != (progress{800, c.want, false}) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

// TestLastPushedOn has the vendor's form, whatever zone it was written in.
func TestLastPushedOn(t *testing.T) {
	for value, want := range map[string][]string{"2026-01-31T22:04:05-02:00": {"02/01/2026 00:04:05"}, "": nil, "soon": nil} {
		v := core.View{}
		v.Own = map[clm.Attr][]string{clm.PushedOn: {value}}
		if got := computed["Last Pushed On"](v); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
