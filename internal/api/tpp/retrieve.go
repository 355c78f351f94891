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
	return a.handOut(c, in, issued)
}

// retrieveVersion serves POST and GET Certificates/Retrieve/{vaultid}: any of the
// certificates that a place holds or has held, by the number of one of its parts.
func (a *api) retrieveVersion(c *call, in *retrieval) answer {
	sent := c.param("vaultid")
	fail := func(err error) answer { return a.refuse(c, keeping, sent, renamed(err, sent)) }
	version, ok := versionOf(sent)
	if !ok {
		return fail(clm.Fail(clm.Invalid, "vault-id", sent))
	}
	wanted, ifAny := in.key(false)
	issued, err := a.core.Retrieve(c.Context(), c.who(), core.Retrieve{
		Version: version, WithKey: wanted, KeyIfAny: ifAny,
		Check: func(p clm.Path) error { return in.check(p, false, false) },
	})
	if err != nil {
		return fail(err)
	}
	return a.handOut(c, in, issued)
}

// handOut answers with the certificate in the form that was asked for.
func (a *api) handOut(c *call, in *retrieval, issued core.Issued) answer {
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
	wanted, ifAny := in.key(false)
	want := core.Retrieve{
		DN: in.CertificateDN.Value, WithKey: wanted, KeyIfAny: ifAny,
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
