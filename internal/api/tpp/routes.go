package tpp

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// A handler answers one kind of call.
type handler func(*api, *call) answer

// A route is one operation of the API.
type route struct {
	method  string
	pattern string // lower case, without a trailing slash
	access  access
	handle  handler
}

// The certificate calls whose refusals have a reason phrase in common.
const (
	requestPattern = "/vedsdk/certificates/request"
	resetPattern   = "/vedsdk/certificates/reset"
)

// routes is everything that is served, a list for each part of the API. The scopes
// are those of the vendor's page of each call.
var routes = slices.Concat(
	authRoutes, systemRoutes, certificateRoutes, configRoutes, schemaRoutes, identityRoutes, permissionRoutes, teamRoutes, metadataRoutes,
	workflowRoutes, secretRoutes, certificateStoreRoutes, credentialRoutes, logRoutes, engineRoutes, preferenceRoutes, sshRoutes,
)

var authRoutes = []route{
	{"POST", "/vedauth/authorize", open, read((*api).authorizeAlias)},
	{"POST", "/vedauth/authorize/oauth", open, read((*api).authorizeOAuth)},
	{"POST", "/vedauth/authorize/certificate", open, read((*api).authorizeCertificate)},
	{"POST", "/vedauth/authorize/integrated", open, (*api).authorizeIntegrated},
	{"POST", "/vedauth/authorize/token", open, read((*api).refresh)},
	{"GET", "/vedauth/authorize/verify", anyToken, (*api).verify},
	{"GET", "/vedauth/authorize/isauthserver", open, (*api).isAuthServer},
	{"GET", "/vedauth/revoke/token", open, (*api).revokeToken},
	{"POST", "/vedauth/revoke/token", open, (*api).revokeToken},
	{"POST", "/vedsdk/authorize", open, read((*api).authorizeKey)},
}

var certificateRoutes = []route{
	{"POST", "/vedsdk/certificates/checkpolicy", needs("certificate:manage"), read((*api).checkPolicy)},
	{"POST", requestPattern, needs("certificate:manage"), read((*api).request)},
	{"POST", "/vedsdk/certificates/retrieve", needs("certificate:manage"), read((*api).retrieve)},
	{"GET", "/vedsdk/certificates/retrieve", needs("certificate:manage"), read((*api).retrieve)},
	{"POST", "/vedsdk/certificates/retrieve/{vaultid}", needs("certificate:manage"), read((*api).retrieveVersion)},
	{"GET", "/vedsdk/certificates/retrieve/{vaultid}", needs("certificate:manage"), read((*api).retrieveVersion)},
	{"POST", "/vedsdk/certificates/import", needs("certificate:manage", "certificate:discover"), read((*api).importCertificate)},
	{"POST", "/vedsdk/certificates/renew", needs("certificate:manage"), read((*api).renew)},
	{"POST", "/vedsdk/certificates/revoke", needs("certificate:revoke"), read((*api).revoke)},
	{"POST", resetPattern, needs("certificate:manage"), read((*api).reset)},
	{"POST", "/vedsdk/certificates/retry", needs("certificate:manage"), read((*api).retry)},
	{"POST", "/vedsdk/certificates/push", needs("certificate:manage"), read((*api).push)},
	{"POST", "/vedsdk/certificates/associate", needs("certificate:manage"), read((*api).associate)},
	{"POST", "/vedsdk/certificates/dissociate", needs("certificate:manage"), read((*api).dissociate)},
	{"POST", "/vedsdk/certificates/validate", needs("certificate:manage"), read((*api).validateCertificates)},
	{"GET", "/vedsdk/certificates", needs("certificate"), (*api).list},
	{"HEAD", "/vedsdk/certificates", needs("certificate"), (*api).list},
	{"GET", "/vedsdk/certificates/{guid}", needs("certificate"), (*api).details},
	{"PUT", "/vedsdk/certificates/{guid}", needs("certificate:manage"), read((*api).change)},
	{"DELETE", "/vedsdk/certificates/{guid}", needs("certificate:delete"), (*api).remove},
	{"GET", "/vedsdk/certificates/{guid}/previousversions", needs("certificate"), read((*api).previousVersions)},
	{"GET", "/vedsdk/certificates/{guid}/validationresults", needs("certificate"), (*api).validationResults},
}

func (a *api) addRoutes() {
	for _, r := range routes {
		a.mux.Method(r.method, r.pattern, http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) { a.serve(w, hr, r) }))
	}
	a.mux.NotFound(a.notFound)
	a.mux.MethodNotAllowed(a.notAllowed)
}

// ServeHTTP routes on the decoded path, in lower case and without needless
// slashes: clients write paths in every case, double slashes, append one, and
// some encode those within a path as %2f.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rc := chi.NewRouteContext()
	rc.RoutePath = routePath(r)
	a.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, rc)))
}

func routePath(r *http.Request) string {
	return "/" + strings.ToLower(strings.Join(segments(r.URL.Path), "/"))
}

// segments are the parts of a path, the empty ones left out.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// serve lets the caller in if the route allows it, and answers.
func (a *api) serve(w http.ResponseWriter, r *http.Request, rt route) {
	c := &call{Request: r, route: rt}
	reply(w, r, a.answer(c))
}

// answer turns a panic, which is always a fault of ours, into an answer.
func (a *api) answer(c *call) (ans answer) {
	defer func() {
		if p := recover(); p != nil {
			a.opt.Log.Error("panic", "operation", c.route.pattern, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			ans = failure(http.StatusInternalServerError, internalText)
		}
	}()
	if refused := a.admit(c); refused != nil {
		return *refused
	}
	return c.route.handle(a, c)
}

func (a *api) notFound(w http.ResponseWriter, r *http.Request) {
	reply(w, r, failure(http.StatusNotFound, "There is no operation listening for "+r.Method+" "+r.URL.Path+"."))
}

// notAllowed answers a known path with the methods that it has.
func (a *api) notAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		if a.mux.Match(chi.NewRouteContext(), method, routePath(r)) {
			allowed = append(allowed, method)
		}
	}
	ans := failure(http.StatusMethodNotAllowed, "The operation does not allow "+r.Method+".")
	reply(w, r, ans.with("Allow", strings.Join(allowed, ", ")))
}
