package avx

import (
	"net/http"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var revokeRoutes = []route{
	{method: http.MethodPut, name: "certificate/revoke", handle: read((*api).revoke)},
}

// codeSuccess is the appStatusCode of a revocation that was begun or done; all other
// successes have none.
const codeSuccess = "SUCCESS"

// actionRevoke is the action that certificate/revoke does without being told.
const actionRevoke = "Revoke"

// A revokedReply is what a client is told that has waited until the certificate was revoked.
type revokedReply struct {
	ResourceID string `json:"resourceId"`
	CertStatus string `json:"certStatus"`
	RequestID  string `json:"requestId"`
}

// revoke has a certificate revoked, and waits for that where the call says so and nobody
// has to be asked first.
func (a *api) revoke(c *call, in *actionBody) answer {
	if c.waits() && a.isCrowded() {
		return fail(tooMany)
	}
	done, refused := a.order(c, actions[actionRevoke], in)
	if refused != nil {
		return *refused
	}
	begun := ok(http.StatusAccepted, startReply{
		ResourceID: done.record, Message: actionRevoke + " action triggered successfully.", RequestID: requestID(done.order),
	}, actionRevoke+" action has been triggered successfully")
	begun.AppStatusCode = codeSuccess
	if !c.waits() {
		return begun
	}
	open, refused := a.await(c, done.order)
	switch {
	case refused != nil:
		return begun // which stands, whoever cannot wait for it
	case open.State == clm.Stopped:
		return fail(cannot(open.Failure))
	case open.State != clm.Finished:
		return begun
	case open.Stage != clm.End:
		return fail(cannot(stateWords[core.OrderCancelled].closing))
	}
	revoked := ok(http.StatusOK, revokedReply{done.record, "Revoked", requestID(done.order)}, actionRevoke+" action has been completed successfully")
	revoked.AppStatusCode = codeSuccess
	return revoked
}
