package tpp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// configRoutes are the calls about the objects of the tree.
var configRoutes = []route{
	{"POST", "/vedsdk/config/dntoguid", anyToken, read((*api).dnToGUID)},
	{"POST", "/vedsdk/config/guidtodn", anyToken, read((*api).guidToDN)},
	{"POST", "/vedsdk/config/isvalid", needs("configuration"), read((*api).isValid)},
}

// The results of the Config calls, and their names, which stand in error texts.
const (
	configDone     = 1
	configRights   = 7
	configNoObject = 400
)

// objectQuery is what the Config calls that look up an object take.
type objectQuery struct {
	ObjectDN   lenient.String
	ObjectGUID lenient.String
}

// dnToGUID serves POST vedsdk/Config/DnToGuid.
func (a *api) dnToGUID(c *call, in *objectQuery) answer {
	if in.ObjectDN.Trimmed() == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "ObjectDN is required.")
	}
	node, err := a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	if err != nil {
		return a.configFailure(c, "Converting Distinguished Name to GUID", err)
	}
	return ok(map[string]any{
		"ClassName": names.TypeName(node.Object), "GUID": braced(node.ID), "HierarchicalGUID": hierarchy(node),
		"Revision": node.Revision, "Result": configDone,
	})
}

// guidToDN serves POST vedsdk/Config/GuidToDn.
func (a *api) guidToDN(c *call, in *objectQuery) answer {
	if in.ObjectGUID.Trimmed() == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "ObjectGUID is required.")
	}
	node, err := a.core.ObjectByID(c.Context(), c.who(), guidOf(in.ObjectGUID.Value))
	if err != nil {
		return a.configFailure(c, "Converting GUID to Distinguished Name", err)
	}
	return ok(map[string]any{
		"ClassName": names.TypeName(node.Object), "HierarchicalGUID": hierarchy(node), "ObjectDN": node.DN,
		"Revision": node.Revision, "Result": configDone,
	})
}

// isValid serves POST vedsdk/Config/IsValid: is there such an object?
func (a *api) isValid(c *call, in *objectQuery) answer {
	var node core.Node
	var err error
	switch {
	case in.ObjectDN.Trimmed() != "":
		node, err = a.core.Object(c.Context(), c.who(), in.ObjectDN.Value)
	case in.ObjectGUID.Trimmed() != "":
		node, err = a.core.ObjectByID(c.Context(), c.who(), guidOf(in.ObjectGUID.Value))
	default:
		return oauthError(http.StatusBadRequest, "invalid_request", "ObjectDN or ObjectGUID is required.")
	}
	if err != nil {
		return a.configFailure(c, "Checking an object", err)
	}
	return ok(map[string]any{"Object": configObject(node), "Result": configDone})
}

// configFailure answers with the result code of a failure: Config says with 200
// that something did not work.
func (a *api) configFailure(c *call, operation string, err error) answer {
	fail := func(result int, name string) answer {
		return ok(map[string]any{"Error": operation + " failed; " + name + ".", "Result": result})
	}
	switch {
	case errors.Is(err, clm.NotFound), errors.Is(err, clm.Invalid):
		return fail(configNoObject, "ObjectDoesNotExist")
	case errors.Is(err, clm.Denied):
		return fail(configRights, "InsufficientPrivileges")
	}
	return a.fault(c, err)
}

// configObject is an object on the wire.
func configObject(n core.Node) map[string]any {
	return map[string]any{
		"AbsoluteGUID": hierarchy(n), "DN": n.DN, "GUID": braced(n.ID), "Name": n.DN.Name(), "Parent": n.DN.Parent(),
		"Revision": n.Revision, "TypeName": names.TypeName(n.Object),
	}
}

// hierarchy is the GUIDs from the root down to the object, written together.
func hierarchy(n core.Node) string {
	var b strings.Builder
	for _, id := range n.Above {
		b.WriteString(braced(id))
	}
	return b.String() + braced(n.ID)
}
