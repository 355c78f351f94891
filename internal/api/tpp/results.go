package tpp

import (
	"github.com/certwright/certwright/internal/clm"
)

// results are the codes with which one module of the API says with 200 how a call
// went.
type results struct {
	done  int            // the code of success
	names map[int]string // of the codes that are sent; they stand in error texts
	rules []resultRule   // which failure has which code; the first that fits counts
}

// A resultRule is a failure and its code.
type resultRule struct {
	kind  clm.Kind
	field string // empty: whatever it is about
	code  int
}

// code is the code of a failure; ok: there is one.
func (r *results) code(err error) (code int, ok bool) {
	e := clm.AsError(err)
	for _, rule := range r.rules {
		if rule.kind == e.Kind && (rule.field == "" || rule.field == e.Field) {
			return rule.code, true
		}
	}
	return 0, false
}

// ok is a success with what the call answers; more may be nil.
func (r *results) ok(more map[string]any) answer {
	body := map[string]any{"Result": r.done}
	for name, value := range more {
		body[name] = value
	}
	return ok(body)
}

// refuse answers a failure with its code, and with the lists that clients look for
// even then, empty. doing is what was to be done, in words. A fault of ours is
// answered as such.
func (r *results) refuse(a *api, c *call, doing string, err error, lists ...string) answer {
	code, known := r.code(err)
	if !known {
		return a.fault(c, err)
	}
	return r.fail(code, doing, lists...)
}

// fail answers with the code.
func (r *results) fail(code int, doing string, lists ...string) answer {
	body := map[string]any{"Error": doing + " failed; " + r.names[code] + ".", "Result": code}
	for _, name := range lists {
		body[name] = []any{}
	}
	return ok(body)
}
