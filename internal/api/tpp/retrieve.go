package tpp

import (
	"fmt"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

type retrieval struct {
	output
	CertificateDN lenient.String
}

// retrieve serves POST and GET Certificates/Retrieve. While a new certificate is
// on its way the old one is not given out.
func (a *api) retrieve(c *call, in *retrieval) answer {
	if in.CertificateDN.Trimmed() == "" {
		return a.refuse(c, retrieving, "", clm.Fail(clm.Invalid, fieldMissingDN, ""))
	}
	issued, err := a.fetch(c, in)
	if err != nil {
		return a.refuse(c, retrieving, in.CertificateDN.Trimmed(), err)
	}
	if isOpen(issued.Open) {
		return pending(issued.Place.DN, progressOf(issued.Open))
	}
	f, err := in.encode(issued)
	if err != nil {
		return a.refuse(c, retrieving, string(issued.Place.DN), err)
	}
	if c.Method == http.MethodGet {
		return answer{status: http.StatusOK, file: &f}
	}
	return ok(in.members(f))
}

// fetch retrieves, and once more if the call would wait and there is something
// to wait for. Only the call itself can say so here; the installation's setting
// is for calls that begin work.
func (a *api) fetch(c *call, in *retrieval) (core.Issued, error) {
	wanted, _ := in.key(false)
	want := core.Retrieve{
		DN: in.CertificateDN.Value, WithKey: wanted,
		Check: func(p clm.Path) error { return in.check(p, false, false) },
	}
	issued, err := a.core.Retrieve(c.Context(), c.who(), want)
	most := in.asked()
	if err != nil || !isOpen(issued.Open) || most == 0 {
		return issued, err
	}
	if _, err := a.core.Wait(c.Context(), issued.Open.ID, most); err != nil {
		return issued, err
	}
	return a.core.Retrieve(c.Context(), c.who(), want)
}

// pending answers for a certificate that is being made, or whose making has
// stopped. Some clients read the status line alone.
func pending(dn clm.DN, p progress) answer {
	status, verb := http.StatusAccepted, "being processed"
	if p.failed {
		status, verb = http.StatusInternalServerError, "has encountered an error while processing"
	}
	return answer{
		status: status,
		phrase: fmt.Sprintf("Certificate %s %s, Status: %s, Stage: %d.", dn, verb, p.Status, p.Stage),
		body:   map[string]any{"Stage": p.Stage, "Status": p.Status},
	}
}
