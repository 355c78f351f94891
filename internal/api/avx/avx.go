// Package avx speaks the REST API of AppViewX CERT+ under /avxapi. Clients written for
// that product must not notice the difference: members of bodies by name and type, status
// codes, appStatusCodes and sentences are kept to the letter.
//
// A handler decodes a request, calls one use case of package core, and encodes the
// outcome in the one envelope that all answers have. What goes over the wire stands in
// tables: routes.go (what there is, and what it takes to call it) and words.go (how
// failures read). Vendor words end here: nothing above this package knows them.
//
// The contract is described in docs/dialects/avx.md.
package avx

import (
	"log/slog"
	"net/http"

	"github.com/certwright/certwright/internal/core"
)

// Options are the dialect's switches. The zero Options are what most installations want.
type Options struct {
	// Log is told of faults; nil discards them.
	Log *slog.Logger
}

// Handler serves the dialect from c.
func Handler(c *core.Core, opt Options) http.Handler {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &api{core: c, opt: opt, waiting: make(chan struct{}, maxWaiting)}
}

// api is the dialect at work.
type api struct {
	core    *core.Core
	opt     Options
	waiting chan struct{} // one for each call that waits for an order
}
