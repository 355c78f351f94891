package avx

import (
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var deleteRoutes = []route{
	{method: http.MethodDelete, name: "certificate/delete", handle: (*api).deleteRecords},
}

// noCertIDs is the failure of deleting nothing.
var noCertIDs = failure{http.StatusExpectationFailed, "CERT-CA-0047", "Cert Ids cannot be empty."}

// readOnlyGroups is the failure of deleting what the caller may only read.
func readOnlyGroups(n string) failure {
	return failure{http.StatusExpectationFailed, "CERT-HLST-0019", "The operation cannot be completed as " + n + " selected certificate(s) are in Read-Only access groups."}
}

// deleteBody is what certificate/delete takes where the query names no certificate.
type deleteBody struct {
	CertIDs lenient.StringList
}

// doomed are the records that the call is about: the one that the query names or else those
// of the body.
func (c *call) doomed() (r core.RemoveRecords, refused *failure) {
	q := c.URL.Query()
	said := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	ref := core.RecordRef{ID: said("resourceId"), CommonName: said("commonName"), Serial: said("serialNumber")}
	switch {
	case ref.ID != "" || ref.Serial != "":
		r.Records = []core.RecordRef{ref}
		return r, nil
	case ref.CommonName != "":
		return r, &badIdentifiers
	}
	var in deleteBody
	if c.ContentLength != 0 {
		if f := c.decode(maxBody, &in); f != nil {
			return r, f
		}
	}
	if r.UUIDs = trimmed(in.CertIDs); len(r.UUIDs) == 0 {
		return r, &noCertIDs
	}
	return r, nil
}

// deleteRecords takes certificates out of the inventory. Nothing is revoked.
func (a *api) deleteRecords(c *call) answer {
	doomed, refused := c.doomed()
	if refused != nil {
		return fail(*refused)
	}
	doomed.Check = func(core.Record) error {
		if !c.may(mayDelete) {
			return refusal{accessDenied}
		}
		return nil
	}
	if err := a.core.RemoveRecords(c.Context(), c.who(), doomed); err != nil {
		return a.refuseRecords(c, recordWords, err)
	}
	return ok(http.StatusOK, true, "Certificate deleted successfully.")
}

// refuseRecords says why something was not done to records: how many of them are in the
// way, or which order is.
func (a *api) refuseRecords(c *call, w words, err error) answer {
	switch e := clm.AsError(err); {
	case e.Kind == clm.Denied && e.Field == "read-only/number":
		return fail(readOnlyGroups(e.Value))
	case e.Kind == clm.Busy:
		return fail(openOrders).tagged(a.inTheWay(c, e.Value))
	case e.Kind == clm.Invalid && e.Field == "number":
		return fail(mandatory("certIds"))
	case e.Kind == clm.Denied && e.Field == "key":
		return fail(keyRestricted(e.Value))
	case e.Kind == clm.Invalid && e.Field == "record" && e.Value != "":
		return fail(badIdentifiers).tagged(tags{"matches": e.Value})
	}
	return a.refuseSaid(c, w, err)
}

// refuseSaid is refuse for use cases in whose midst this package had something to say.
func (a *api) refuseSaid(c *call, w words, err error) answer {
	if said, ok := asRefusal(err); ok {
		return fail(said)
	}
	return a.refuse(c, w, err)
}
