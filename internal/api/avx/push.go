package avx

import (
	"fmt"
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var pushRoutes = []route{
	{method: http.MethodPost, name: "certificate/pushToDevice", function: mayPush, handle: read((*api).push)},
	{method: http.MethodPost, name: "certificate/rollback", function: mayPush, handle: read((*api).rollback)},
}

// pushBody is what certificate/pushToDevice takes. How the certificate is called and lies
// where it is used, the application itself says.
type pushBody struct {
	CertificateID    lenient.String `json:"certificateId"`
	SelectedProfiles lenient.StringList
	DeviceName       lenient.String
	PushDetails      struct{ PushAutomatically lenient.Bool }
}

// A pushedTo is an application that a certificate is put to, and the order by which it is.
type pushedTo struct {
	RequestID   string `json:"requestId"`
	ConnectorID string `json:"connectorId"`
}

// The failures of pushing.
var (
	noDriver     = cannot("Certificates cannot be pushed to the selected profile.")
	notInUse     = cannot("Only the latest certificate can be pushed.")
	noRollback   = cannot("There is no earlier certificate to roll back to.")
	boundAlready = cannot("The selected profile uses another certificate.")
	atWork       = cannot("A push to the selected profile is in progress.")
	profileOff   = cannot("The selected profile is disabled.")
)

// invalidValue is the failure of a value that names nothing.
func invalidValue(value string) failure {
	return failure{http.StatusBadRequest, codeInvalidRequest, "Invalid value - " + value}
}

// pushWords are how failures read of putting a certificate where it is used.
var pushWords = union(recordWords, words{
	{kind: clm.Unmanaged}:            monitored,
	{kind: clm.Disabled}:             unsuitable,
	{kind: clm.NotIssued}:            notIssued,
	{kind: clm.NoKey}:                noKey,
	{kind: clm.InError}:              openOrders,
	{kind: clm.Busy}:                 openOrders,
	{kind: clm.Exists}:               boundAlready,
	{kind: clm.Unsupported}:          noDriver,
	{clm.Unsupported, "record"}:      notInUse,
	{clm.Unsupported, "before"}:      noRollback,
	{clm.Busy, "application"}:        atWork,
	{clm.Busy, "application/queued"}: atWork,
	{clm.Disabled, "application"}:    profileOff,
	{clm.Invalid, "applications"}:    mandatory("selectedProfiles"),
	{clm.Limited, "applications"}:    mandatory("selectedProfiles"),
})

// rollbackWords are those of going back.
var rollbackWords = union(pushWords, words{
	{clm.Invalid, "applications"}: mandatory("applicationConnectorIds"),
	{clm.Limited, "applications"}: mandatory("applicationConnectorIds"),
})

// push puts a certificate where applications use it. One that is not to be pushed by itself
// waits for somebody to approve and to implement it.
func (a *api) push(c *call, in *pushBody) answer {
	if in.CertificateID.Trimmed() == "" {
		return fail(mandatory("certificateId"))
	}
	auto := in.PushDetails.PushAutomatically
	done, err := a.core.PushRecord(c.Context(), c.who(), core.PushRecord{
		Record: core.RecordRef{ID: in.CertificateID.Trimmed()}, Names: trimmed(in.SelectedProfiles), Device: in.DeviceName.Trimmed(),
		Approval: !c.query.autoApproval || auto.Set && !auto.Value,
	})
	return a.pushed(c, pushWords, done, err)
}

// pushed answers with what was begun.
func (a *api) pushed(c *call, w words, done []core.PushedTo, err error) answer {
	if e := clm.AsError(err); err != nil && e.Kind == clm.Invalid && e.Field == "application" {
		return fail(invalidValue(e.Value))
	}
	if err != nil {
		return a.refuseSaid(c, w, err)
	}
	list := []pushedTo{}
	for _, d := range done {
		list = append(list, pushedTo{requestID(d.Work), string(d.Connector)})
	}
	return ok(http.StatusAccepted, list, fmt.Sprintf("%d connector(s) saved and push operation has been triggered", len(list)))
}

// rollbackBody is what certificate/rollback takes.
type rollbackBody struct {
	ApplicationConnectorIDs lenient.StringList
}

// rollback lets applications use the certificate again that was in use before.
func (a *api) rollback(c *call, in *rollbackBody) answer {
	done, err := a.core.Rollback(c.Context(), c.who(), core.Rollback{Names: trimmed(in.ApplicationConnectorIDs), Approval: !c.query.autoApproval})
	return a.pushed(c, rollbackWords, done, err)
}
