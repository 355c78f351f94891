package avx

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"

	"github.com/certwright/certwright/internal/clm"
)

// A failure is one way in which the product says no.
type failure struct {
	status int
	code   string // the appStatusCode
	text   string
}

// The appStatusCodes.
const (
	codeCredentials    = "AVX_GW_003"
	codeInvalidRequest = "INVALID_REQUEST"
	codeMandatory      = "MANDATORY_FIELD_MISSING"
	codeNoRecords      = "NO_RECORDS_FOUND"
	codeOpenOrders     = "OPEN_WORK_ORDERS_FOUND"
	codeReadGroup      = "READ_GROUP"
	codeUnsuitable     = "CERT-VWF-0006"
	codeCannot         = "CANNOT_PERFORM_OPERATION"
	codePayload        = "avx-common-028"
	codeAccessDenied   = "ACCESS_DENIED"
	codeInternal       = "INTERNAL_ERROR"
	codeTooMany        = "TOO_MANY_REQUESTS"
)

// The failures that more than one endpoint has.
var (
	badCredentials = failure{http.StatusUnauthorized, codeCredentials, "Authentication failed, reason - Invalid Credentials."}
	badPayload     = failure{http.StatusBadRequest, codePayload, "Invalid / Incorrect payload."}
	badAction      = failure{http.StatusBadRequest, codeInvalidRequest, "Please provide a valid action."}
	badIdentifiers = failure{http.StatusBadRequest, codeInvalidRequest, "Please give valid common name and serial number or resourceId."}
	noRecords      = failure{http.StatusNotFound, codeNoRecords, "No matching records found."}
	accessDenied   = failure{http.StatusForbidden, codeAccessDenied, "You are not authorized to perform this action."}
	readGroup      = failure{http.StatusExpectationFailed, codeReadGroup, "Group is assigned read permission, hence cannot perform any operation."}
	monitored      = failure{http.StatusInternalServerError, codeCannot, "Cannot perform the specified action because it is not permitted for certificates in the Monitored state."}
	openOrders     = failure{http.StatusExpectationFailed, codeOpenOrders, "Since requested certificate's work order is in progress, cannot initiate another action."}
	unsuitable     = failure{http.StatusNotAcceptable, codeUnsuitable, "Life cycle action is unsupported by CA or another work order is in progress or certificate belongs to read group or is in Monitored status."}
	internalFault  = failure{http.StatusInternalServerError, codeInternal, "An internal error occurred. The server's log says more."}
	tooMany        = failure{http.StatusTooManyRequests, codeTooMany, "Too many requests are waiting. Try again later."}
)

// mandatory is the failure of a field that is missing or makes no sense.
func mandatory(field string) failure {
	return failure{http.StatusBadRequest, codeMandatory, "Mandatory field is missing or invalid - " + field + "."}
}

// cannot is the failure of what is against a rule, in its words.
func cannot(text string) failure {
	return failure{http.StatusExpectationFailed, codeCannot, text}
}

// fail is the answer that says it.
func fail(f failure) answer {
	return answer{status: f.status, envelope: envelope{Message: f.text, AppStatusCode: f.code, Tags: tags{}}}
}

// A way is one way in which a use case fails: its kind, and the field that tells it from
// others of its kind; an empty field stands for the rest.
type way struct {
	kind  clm.Kind
	field string
}

// words are how one endpoint says each way.
type words map[way]failure

// union merges tables; later ones win.
func union(tables ...words) words {
	all := words{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// say words a failure. What has no words is a fault of ours.
func (w words) say(e *clm.Error) (failure, bool) {
	if e.Kind == clm.Violation {
		return sayBreach(e.Breaches)
	}
	f, ok := w[way{e.Kind, e.Field}]
	if !ok {
		f, ok = w[way{kind: e.Kind}]
	}
	return f, ok
}

// refuse answers a call whose use case has failed.
func (a *api) refuse(c *call, w words, err error) answer {
	if f, ok := w.say(clm.AsError(err)); ok {
		return fail(f)
	}
	a.logFault(c, err)
	return fail(internalFault)
}

func (a *api) logFault(c *call, err error) {
	if c.Context().Err() == nil && !errors.Is(err, context.Canceled) { // else the client has gone away
		a.opt.Log.Error("operation failed", slog.String("operation", c.Method+" "+c.route.name), slog.Any("error", err))
	}
}
