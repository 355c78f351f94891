package tpp

import (
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type renewal struct {
	output
	CertificateDN lenient.String
	PKCS10        lenient.String
	Reenable      lenient.Bool
}

// renew serves POST Certificates/Renew: the next certificate of a place.
func (a *api) renew(c *call, in *renewal) answer {
	if in.CertificateDN.Trimmed() == "" {
		return a.refuse(c, renewing, "", clm.Fail(clm.Invalid, fieldMissingDN, ""))
	}
	fail := func(err error) answer { return a.refuse(c, renewing, in.CertificateDN.Trimmed(), err) }
	acc, err := a.core.Renew(c.Context(), c.who(), core.Renew{
		DN: in.CertificateDN.Value, CSR: in.PKCS10.Trimmed(), Reenable: in.Reenable.Value,
		Check: func(p clm.Path, keyless bool) error { return in.check(p, true, keyless) },
	})
	if err != nil {
		return fail(err)
	}
	most, err := a.wait(c, &in.waiting)
	if err != nil {
		return fail(err)
	}
	if most == 0 {
		return ok(map[string]any{"Success": true})
	}
	f, stood, done, err := a.await(c, &in.output, acc, most, true)
	switch {
	case err != nil:
		return fail(err)
	case stood.failed:
		return answer{status: http.StatusBadRequest, phrase: stood.Status, body: map[string]any{"Error": stood.Status, "Success": false}}
	case !done:
		return answer{status: http.StatusAccepted, body: map[string]any{"Error": textPending, "Success": false}}
	}
	body := in.members(f)
	body["CertificateDN"], body["Success"] = acc.DN, true
	return ok(body)
}
