package tpp

import (
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// named is a call about the processing of one certificate.
type named struct {
	waiting
	CertificateDN lenient.String
}

// ready is what the call is about and how long it would wait.
func (a *api) ready(c *call, in *named) (dn string, most time.Duration, err error) {
	dn = in.CertificateDN.Trimmed()
	if dn == "" {
		return dn, 0, clm.Fail(clm.Invalid, fieldMissingDN, "")
	}
	if err := in.check(); err != nil {
		return dn, 0, err
	}
	most, err = a.wait(c, &in.waiting)
	return dn, most, err
}

type reset struct {
	named
	Restart lenient.Bool
}

// reset serves POST Certificates/Reset. Its answer names what was done, and nothing
// else: the page has no way to say that the restarted work is still under way.
func (a *api) reset(c *call, in *reset) answer {
	dn, most, err := a.ready(c, &in.named)
	var done core.ResetDone
	if err == nil {
		say := func(err error) string { return renewing.say(clm.AsError(err)).text }
		done, err = a.core.Reset(c.Context(), c.who(), core.Reset{DN: dn, Restart: in.Restart.Value, Say: say})
	}
	if err != nil {
		return a.refuse(c, resetting, dn, err)
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

// retry serves POST Certificates/Retry.
func (a *api) retry(c *call, in *named) answer {
	dn, most, err := a.ready(c, in)
	var done core.Accepted
	if err == nil {
		done, err = a.core.Retry(c.Context(), c.who(), dn)
	}
	if err != nil {
		return a.refuse(c, retrying, dn, err)
	}
	a.waitFor(c, done.Work, most)
	return ok(map[string]any{"Success": true})
}
