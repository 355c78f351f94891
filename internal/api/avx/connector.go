package avx

import (
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

var connectorRoutes = []route{
	{method: http.MethodGet, name: "certificate/profiles", function: mayView, handle: (*api).profiles},
	{method: http.MethodPost, name: "cert-default-application-connector-save", function: mayPush, handle: read((*api).saveConnector)},
}

// A profile is an application on a device that certificates are put to.
type profile struct {
	ConnectorID string `json:"connectorId"` // what rollback and pushToDevice know it by
	ProfileName string `json:"profileName"`
	DeviceName  string `json:"deviceName"`
	Vendor      string `json:"vendor"`
	Certificate string `json:"certificateName"` // that it uses
}

// profiles lists the profiles that the query is about. What category they are of does not
// matter.
func (a *api) profiles(c *call) answer {
	q := c.URL.Query()
	found, err := a.core.Connectors(c.Context(), c.who(), strings.TrimSpace(q.Get("deviceName")))
	if err != nil {
		return a.refuse(c, nil, err)
	}
	list, vendor := []profile{}, strings.ToLower(strings.TrimSpace(q.Get("vendor")))
	for _, f := range found {
		p := profile{string(f.ID), f.Path.Last().DN.Name(), f.Device(), names.ClassName(f.Path.Last().Class), f.Certificate.Name()}
		if strings.Contains(strings.ToLower(p.Vendor), vendor) {
			list = append(list, p)
		}
	}
	return ok(http.StatusOK, list, "")
}

// connectorBody says on which device a certificate is used.
type connectorBody struct {
	DeviceName lenient.String
	UUID       lenient.String
}

// connectorClass is the class of applications of which nothing is known but that they use
// a certificate.
var connectorClass, _ = names.Class("Basic")

// connectorWords are how failures read of saying where a certificate is used.
var connectorWords = union(recordWords, words{
	{clm.Invalid, "name"}:   mandatory("deviceName"),
	{kind: clm.Exists}:      boundAlready,
	{kind: clm.Unsupported}: noDriver,
})

// saveConnector writes down that a certificate is used on a device.
func (a *api) saveConnector(c *call, in *payload[connectorBody]) answer {
	use := core.UseOn{UUID: in.Payload.UUID.Trimmed(), Device: in.Payload.DeviceName.Trimmed(), Class: connectorClass}
	switch {
	case use.UUID == "":
		return fail(mandatory("uuid"))
	case use.Device == "":
		return fail(mandatory("deviceName"))
	}
	id, err := a.core.UseOn(c.Context(), c.who(), use)
	if err != nil {
		return a.refuse(c, connectorWords, err)
	}
	return ok(http.StatusOK, map[string]string{"connectorId": string(id)}, "Connector saved successfully.")
}
