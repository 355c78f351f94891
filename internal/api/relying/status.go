package relying

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

const statusType = "application/ocsp-response"

// tryLater is the status of those who are turned away.
const tryLater = "try-later"

// Statuses are the names of all that is told by OCSP. The first three are of single
// certificates, the others of whole requests: internal is a fault of ours, of which
// clients are told no more than that they may try again.
var Statuses = []string{"good", "revoked", "unknown", "unauthorized", "malformed", tryLater, "internal"}

var statusNames = map[pki.Status]string{pki.StatusGood: "good", pki.StatusRevoked: "revoked", pki.StatusUnknown: "unknown"}

var refusalNames = map[pki.Refusal]string{pki.Unauthorized: "unauthorized", pki.MalformedRequest: "malformed", pki.TryLater: "internal"}

// refusals is what an OCSP client is told of each kind of failure; of those that are
// not here that it may try again.
var refusals = map[clm.Kind]pki.Refusal{
	clm.Invalid:  pki.MalformedRequest,
	clm.NotFound: pki.Unauthorized, // RFC 5019, section 2.2.3
	clm.Internal: pki.TryLater,
}

// serveStatus answers an OCSP request, which is the body or the rest of the path.
func (h handler) serveStatus(w http.ResponseWriter, r *http.Request, rest string) {
	request := requestIn(rest)
	if r.Method == http.MethodPost {
		var err error
		if request, err = io.ReadAll(http.MaxBytesReader(w, r.Body, pki.MaxRequestSize)); err != nil {
			refuseBody(w, err)
			return
		}
	}
	a, err := h.core.Status(r.Context(), request)
	if err != nil {
		h.refuseStatus(w, r, err)
		return
	}
	for _, status := range pki.Told(a.DER) {
		h.count(statusNames[status])
	}
	if a.ForThis {
		sendOnce(w, a.DER)
	} else {
		h.send(w, r, document{kind: statusType, body: a.DER, made: a.Made, until: a.Until})
	}
}

func refuseBody(w http.ResponseWriter, err error) {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, "the request breaks off", http.StatusBadRequest)
}

// refuseStatus says why there is no answer, in the way of OCSP: not by the status of
// HTTP.
func (h handler) refuseStatus(w http.ResponseWriter, r *http.Request, err error) {
	refusal, ok := refusals[clm.AsError(err).Kind]
	if !ok {
		refusal = pki.TryLater
	}
	if refusal == pki.TryLater {
		h.report(r, err)
	}
	if r.Context().Err() == nil { // somebody is still there who can be told
		h.count(refusalNames[refusal])
	}
	sendOnce(w, refusal.DER())
}

// sendOnce sends what is for this client alone.
func sendOnce(w http.ResponseWriter, answer []byte) {
	w.Header().Set("Content-Type", statusType)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(answer)
}

// spellings are what clients and what stands in between make of base64.
var spellings = strings.NewReplacer(" ", "+", "-", "+", "_", "/", "\r", "", "\n", "", "=", "")

// isRequest reports whether an OCSP request may be meant: in the body of a POST, or
// as the rest of the path, where a sequence stands then.
func isRequest(method, rest string) bool {
	return method == http.MethodPost || bytes.HasPrefix(requestIn(rest), []byte{0x30})
}

// requestIn reads the request that is part of a path (RFC 6960, appendix A.1):
// base64, escaped once as it should be, not at all, or twice. What cannot be read is
// nothing, which is no request.
func requestIn(escaped string) []byte {
	text := escaped
	for range 2 {
		if again, ok := unescaped(text); ok {
			text = again
		}
	}
	request, err := base64.RawStdEncoding.DecodeString(spellings.Replace(strings.TrimLeft(text, "/")))
	if err != nil {
		return nil
	}
	return request
}
