package avx

import (
	"net/http"
	"slices"
	"strings"
)

// root is the path below which everything stands.
const root = "/avxapi/"

// A route is an endpoint: what it is called, below root, by which method, what its caller
// must be allowed to do, and what answers.
type route struct {
	method   string
	name     string
	function function // asked before anything is looked up; none: the handler asks, or anybody may who has logged in
	open     bool     // nobody has to say who they are
	handle   handler
}

// A handler answers a call.
type handler func(*api, *call) answer

// routes are all endpoints. Each family has its table beside its handlers.
var routes = slices.Concat(
	sessionRoutes, actionRoutes, createRoutes, groupRoutes, syncRoutes, revokeRoutes, workOrderRoutes, requestLogRoutes, workflowRoutes, searchRoutes,
	downloadRoutes, keyRoutes, csrRoutes, chainRoutes, uploadRoutes, deleteRoutes, pushRoutes, connectorRoutes, attributeRoutes,
)

// ServeHTTP answers whatever comes in. Names of endpoints are compared as they are, but
// for a slash at their end.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, root), "/")
	var methods []string
	for _, at := range routes {
		if at.name != name {
			continue
		}
		if at.method == r.Method {
			reply(w, a.answer(&call{Request: r, writer: w, route: at}))
			return
		}
		methods = append(methods, at.method)
	}
	if len(methods) > 0 {
		reply(w, noEndpoint(http.StatusMethodNotAllowed).with("Allow", strings.Join(methods, ", ")))
		return
	}
	reply(w, noEndpoint(http.StatusNotFound))
}

func noEndpoint(status int) answer {
	return fail(failure{status, codeInvalidRequest, "Invalid endpoint."})
}

// answer answers a call in the order in which all endpoints look at things: who it is,
// what every query must say, what the account may do, and then the body.
func (a *api) answer(c *call) answer {
	if !c.route.open {
		if refused := a.authenticate(c); refused != nil {
			return *refused
		}
	}
	if refused := c.readQuery(); refused != nil {
		return *refused
	}
	if f := c.route.function; f != "" && !c.may(f) {
		return fail(accessDenied)
	}
	return c.route.handle(a, c)
}
