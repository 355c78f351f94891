package tpp

import (
	"fmt"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// Statuses that clients were seen to match on.
const (
	statusRequested = "WebSDK CertRequest Module Requested Certificate"
	statusQueued    = "Queued for renewal."
	statusNoCSR     = "Waiting for new CSR."
	statusGated     = "Pending workflow resolution"
	statusOverlaid  = "This certificate cannot be processed while it is in an error state. Fix any errors, and then click Retry."
)

// byRequest is the reason of work that POST Certificates/Request asked for.
const byRequest = "request"

// stages are the vendor's numbers and names of our stages.
var stages = map[clm.Stage]struct {
	number int
	name   string
}{
	clm.Start:     {0, "Start Processing"},
	clm.CreateKey: {300, "Create Key"},
	clm.CreateCSR: {400, "Create CSR"},
	clm.Submit:    {500, "Post CSR"},
	clm.Approval:  {600, "Approve Request"},
	clm.Collect:   {700, "Retrieve Certificate"},
	clm.Activate:  {700, "Retrieve Certificate"},
	clm.Disown:    {700, "Retrieve Certificate"},
	clm.Place:     {800, "Install Certificate"},
	clm.Inspect:   {900, "Check Configuration"},
	clm.Configure: {1000, "Configure Application"},
	clm.Reload:    {1100, "Restart Application"},
	clm.Verify:    {1200, "End Processing"},
	clm.Settle:    {1200, "End Processing"},
	clm.RevokeAt:  {1400, "Revocation"},
}

// Progress is how far work has come, in the vendor's terms.
type progress struct {
	Stage  int
	Status string
	failed bool
}

// progressOf says how open work stands.
func progressOf(o *core.Open) progress {
	s := stages[o.Stage]
	switch o.State {
	case clm.Queued:
		if o.Action == string(core.ActionCreate) || o.Action == "" && o.Reason == byRequest {
			return progress{0, statusRequested, false}
		}
		return progress{0, statusQueued, false}
	case clm.Gated:
		if len(o.Gates) > 0 {
			s = stages[o.Gates[0].Point]
		}
		return progress{s.number, statusGated, false}
	case clm.AwaitsCSR:
		return progress{s.number, statusNoCSR, false}
	case clm.Stopped:
		if o.Overlaid {
			return progress{s.number, statusOverlaid, true}
		}
		return progress{s.number, s.name + " failed with error: " + o.Failure, true}
	}
	if o.Note != "" {
		return progress{s.number, fmt.Sprintf("%s failed with error: %s It is tried again at %s.", s.name, o.Note, isoDate(o.NotBefore)), false}
	}
	return progress{s.number, s.name, false}
}

// installProgress says how a certificate stands whose applications are still to get it:
// where they begin, until all have got it. What has failed is told when the others are
// done, and of the applications themselves.
func installProgress(i core.Installing) progress {
	s := stages[clm.Place]
	if i.Waiting > 0 || i.Failed == 0 {
		return progress{s.number, s.name, false}
	}
	return progress{s.number, fmt.Sprintf("%s failed with error: It could not be installed in %d of its applications.", s.name, i.Failed), false}
}

// isOpen reports whether o is work that still stands between its place and a
// new certificate.
func isOpen(o *core.Open) bool { return o != nil && o.State != clm.Finished }
