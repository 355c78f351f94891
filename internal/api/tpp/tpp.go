// Package tpp speaks the REST API of Venafi Trust Protection Platform: the auth
// server under /vedauth and the Web SDK under /vedsdk. Clients written for that
// product must not notice the difference, so what they match on is kept to the
// letter: paths in any case, members by name and type, sentences, and the reason
// phrase of the status line, in which real servers put those sentences.
//
// A handler decodes a request, calls one use case of package core, and encodes
// the outcome. What goes over the wire stands in tables: routes.go (what there is
// and who may call it), words.go (how failures read), stages.go (how progress
// reads), format.go (what certificates are handed out as). Vendor words end here:
// nothing above this package knows them.
//
// The contract is described in docs/dialects/tpp.md.
package tpp

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/certwright/certwright/internal/core"
)

// DefaultVersion is what the server reports as its version. From 25 on clients
// write key parameters as object ids, so a higher one is a promise.
const DefaultVersion = "24.1.0.0"

// Options are the dialect's switches. The zero Options are what most
// installations want.
type Options struct {
	// NoLegacyKeys switches POST vedsdk/authorize off, with which old clients
	// trade a password for an API key. It then refuses everybody.
	NoLegacyKeys bool

	// RequestTimeoutStatus answers a Request whose certificate is not there when
	// WorkToDoTimeout has passed: 202, as the product does and as the zero value
	// means, or 200 for vcert, which takes 202 for a failure.
	RequestTimeoutStatus int

	// Version is reported by SystemStatus/Version; empty means DefaultVersion.
	Version string

	// Log is told of faults; nil discards them.
	Log *slog.Logger
}

// Handler serves the dialect from c.
func Handler(c *core.Core, opt Options) http.Handler {
	if opt.RequestTimeoutStatus == 0 {
		opt.RequestTimeoutStatus = http.StatusAccepted
	}
	if opt.Version == "" {
		opt.Version = DefaultVersion
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{core: c, opt: opt, mux: chi.NewRouter()}
	a.addRoutes()
	return a
}

// api is the dialect at work.
type api struct {
	core *core.Core
	opt  Options
	mux  *chi.Mux
}
