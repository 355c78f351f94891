package tpp

import (
	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type reset struct {
	waiting
	CertificateDN lenient.String
	Restart       lenient.Bool
}

// reset serves POST Certificates/Reset. Its answer names what was done, and nothing
// else: the page has no way to say that the restarted work is still under way.
func (a *api) reset(c *call, in *reset) answer {
	dn := in.CertificateDN.Trimmed()
	fail := func(err error) answer { return a.refuse(c, resetting, dn, err) }
	if dn == "" {
		return fail(clm.Fail(clm.Invalid, fieldMissingDN, ""))
	}
	if err := in.check(); err != nil {
		return fail(err)
	}
	most, err := a.wait(c, &in.waiting)
	if err != nil {
		return fail(err)
	}
	say := func(err error) string { return renewing.say(clm.AsError(err)).text }
	done, err := a.core.Reset(c.Context(), c.who(), core.Reset{DN: dn, Restart: in.Restart.Value, Say: say})
	if err != nil {
		return fail(err)
	}
	a.waitFor(c, done.Work, most)
	body := map[string]any{}
	for member, isDone := range map[string]bool{
		"ProcessingResetCompleted": done.Processing, "PrivateKeyMismatchResetCompleted": done.Key,
		"RevocationResetCompleted": done.Revocation, "RestartCompleted": done.Restarted,
	} {
		if isDone {
			body[member] = true
		}
	}
	return ok(body)
}

type retry struct {
	waiting
	CertificateDN lenient.String
}

// retry serves POST Certificates/Retry.
func (a *api) retry(c *call, in *retry) answer {
	dn := in.CertificateDN.Trimmed()
	fail := func(err error) answer { return a.refuse(c, retrying, dn, err) }
	if dn == "" {
		return fail(clm.Fail(clm.Invalid, fieldMissingDN, ""))
	}
	if err := in.check(); err != nil {
		return fail(err)
	}
	most, err := a.wait(c, &in.waiting)
	if err != nil {
		return fail(err)
	}
	done, err := a.core.Retry(c.Context(), c.who(), dn)
	if err != nil {
		return fail(err)
	}
	a.waitFor(c, done.Work, most)
	return ok(map[string]any{"Success": true})
}
