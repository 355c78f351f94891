package tpp

import (
	"fmt"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type revocation struct {
	waiting
	CertificateDN lenient.String
	Thumbprint    lenient.String
	Reason        lenient.Int
	Comments      lenient.String
	Disable       lenient.Bool
}

// lastReason is the greatest reason of the page; up to it the numbers are those of
// RFC 5280, section 5.3.1.
const lastReason = int(clm.CessationOfOperation)

// What the page says of a revocation that somebody else has asked for.
const (
	textRevokedBefore = "Revocation is already completed. The %s revocation was requested by another request or process."
	textRevokedNow    = "Revocation is completed. The certificate %s revocation was requested by another request or process."
	textRevoking      = "Revocation is already in progress. The certificate %s revocation was requested by another request or process."
	textStillRevoking = "Revocation submission pending. WorkToDoTimeout exceeded."
)

// revoke serves POST Certificates/Revoke.
func (a *api) revoke(c *call, in *revocation) answer {
	r := core.Revoke{
		DN: in.CertificateDN.Trimmed(), Thumbprint: in.Thumbprint.Trimmed(), Reason: clm.Reason(in.Reason.Value),
		Comments: in.Comments.Value, Disable: in.Disable.Value,
	}
	fail := func(err error) answer { return a.refuse(c, revoking, r.DN, err) }
	switch {
	case r.DN == "" && r.Thumbprint == "":
		return fail(clm.Fail(clm.Invalid, fieldMissing, ""))
	case in.Reason.Wrong != "", in.Reason.Value < 0, in.Reason.Value > lastReason:
		return fail(clm.Fail(clm.Invalid, fieldReason, in.Reason.Wrong))
	case in.check() != nil:
		return fail(in.check())
	}
	most, err := a.wait(c, &in.waiting)
	if err != nil {
		return fail(err)
	}
	done, err := a.core.Revoke(c.Context(), c.who(), r)
	if err != nil {
		return fail(err)
	}
	body := map[string]any{"Success": true}
	if len(done.SameKey) > 0 {
		body["SameKey"] = sameKey(done.SameKey)
	}
	warn := func(text string) { body["Warning"] = fmt.Sprintf(text, done.DN) }
	switch {
	case done.Work == 0 && done.Before:
		body["Revoked"] = true
		warn(textRevokedBefore)
		return ok(body)
	case done.Work == 0 || most == 0:
		body["Requested"] = true
		if done.Before {
			warn(textRevoking)
		} else if most > 0 {
			body["Revoked"] = true
		}
		return ok(body)
	}
	stands, err := a.core.AwaitRevocation(c.Context(), c.who(), done, most)
	switch {
	case err != nil:
		return fail(err)
	case stands.State == clm.Stopped:
		return fail(clm.Fail(clm.InError, "", stands.Failure))
	case stands.State != clm.Finished:
		body["Revoked"], body["Error"] = false, textStillRevoking
		return answer{status: http.StatusAccepted, body: body}
	}
	body["Revoked"] = true
	if done.Before {
		warn(textRevokedNow)
	} else {
		body["Requested"] = true
	}
	return ok(body)
}

// sameKey is which other certificates are for a compromised key.
func sameKey(mates []core.SameKey) (list []facts) {
	for _, m := range mates {
		f := facts{"Thumbprint": m.Thumbprint, "Serial": m.Serial}
		f.add("CertificateDN", string(m.DN))
		list = append(list, f)
	}
	return list
}
