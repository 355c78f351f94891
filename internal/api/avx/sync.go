package avx

import (
	"encoding/base64"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

var syncRoutes = []route{
	{method: http.MethodPut, name: "certificate/renew", handle: renewing("Renew")},
	{method: http.MethodPut, name: "certificate/regenerate", handle: renewing("Regenerate")},
	{method: http.MethodPut, name: "certificate/reissue", handle: renewing("Reissue")},
}

// renewalBody is what a client says that wants the next certificate: the form in which it
// is handed out may stand by itself or in a member of its own.
type renewalBody struct {
	actionBody
	Format            lenient.String
	Password          secret.Plain
	CertificateFormat formatWish
}

func (in *renewalBody) wish() wish {
	if in.CertificateFormat.Format.Trimmed() != "" {
		return wish{format: in.CertificateFormat.Format.Trimmed(), password: in.CertificateFormat.Password}
	}
	return wish{format: in.Format.Trimmed(), password: in.Password}
}

// renewing serves the endpoint of one action: with the certificate, or as certificate/action
// does.
func renewing(name text) handler {
	return read(func(a *api, c *call, in *renewalBody) answer {
		act, p := actions[name], promise{wish: in.wish(), said: triggeredOuter(string(name))}
		var f *failure
		if p.needsKey, f = a.mayWait(c, p.wish); f != nil {
			return fail(*f)
		}
		in.needsKey = p.needsKey
		done, refused := a.order(c, act, &in.actionBody)
		if refused != nil {
			return *refused
		}
		p.started = done
		p.later = ok(http.StatusAccepted, startReply{
			ResourceID: done.record, Message: act.name + " action triggered successfully.", RequestID: requestID(done.order),
		}, p.said)
		return a.keep(c, p)
	})
}

func triggeredOuter(action string) string { return action + " action has been triggered successfully" }

// mayHaveKey finds whether the account may not be handed the private key of the certificate
// that is to come. What else is wrong is found out when the order is given.
func (a *api) mayHaveKey(c *call, in *actionBody, ref core.RecordRef) *failure {
	rec, err := a.core.Record(c.Context(), c.who(), ref)
	switch {
	case err != nil || !rec.Rights.Has(clm.Write), in.Upload.text != "", rec.Rights.Has(clm.KeyRead):
		return nil
	}
	names, err := a.core.GroupNames(c.Context())
	if err != nil {
		a.logFault(c, err)
		return &internalFault
	}
	return new(keyRestricted(names.Of(rec.Path)))
}

// A promise is an order that was accepted, and what its asker is to get.
type promise struct {
	started
	later    answer // what is said of it while the certificate is not there
	said     string // the sentence that stands with the certificate
	wish     wish
	needsKey bool
}

// textEnded says why there is no certificate although nothing has failed.
const textEnded = "The request was cancelled."

// waits reports whether the call is answered when all is done. Nobody waits for people.
func (c *call) waits() bool { return c.query.isSync && c.query.autoApproval }

// mayWait finds, before anything is done, what is wrong with a call that waits for a
// certificate in the form: there is no such form, or too many wait already.
func (a *api) mayWait(c *call, w wish) (needsKey bool, refused *failure) {
	if !c.waits() {
		return false, nil
	}
	if needsKey, refused = w.check(); refused == nil && a.isCrowded() {
		refused = &tooMany
	}
	return needsKey, refused
}

// isCrowded reports whether nobody else may wait.
func (a *api) isCrowded() bool { return len(a.waiting) == cap(a.waiting) }

// keep answers a call whose order was accepted: with the certificate if the call waits,
// and it comes in time. An order that stands is never denied, whoever cannot wait for it.
func (a *api) keep(c *call, p promise) answer {
	if !c.waits() {
		return p.later
	}
	open, refused := a.await(c, p.order)
	switch {
	case refused != nil:
		return p.later
	case open.State == clm.Stopped:
		return fail(cannot(open.Failure))
	case !open.Done:
		return p.later
	case open.Stage != clm.End:
		return fail(cannot(textEnded))
	}
	return a.deliver(c, p)
}

// deliver answers with the certificate. What the account must be allowed to do for that is
// known.
func (a *api) deliver(c *call, p promise) answer {
	if p.needsKey && !c.may(mayDownloadKey) {
		return fail(accessDenied)
	}
	issued, _, err := a.core.HandOut(c.Context(), c.who(), core.HandOut{Record: core.RecordRef{ID: p.record}, WithKey: p.needsKey})
	if err != nil {
		return a.refuse(c, union(recordWords, words{
			{clm.Denied, "key"}: keyRestricted(clm.AsError(err).Value), {kind: clm.NoKey}: noKey, {kind: clm.NotIssued}: notIssued,
		}), err)
	}
	f, refused := p.wish.encode(issued)
	if refused != nil {
		return fail(*refused)
	}
	return ok(http.StatusOK, map[string]string{
		"resourceId": p.record, "requestId": requestID(p.order), "certificateName": f.name,
		"encodedFormat": "base64", "certificateContent": base64.StdEncoding.EncodeToString(f.data),
	}, p.said)
}
