package tpp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/coretest"
)

// areas are the scopes that the vendor documents, with their restrictions.
var areas = map[string]string{
	"admin": "recyclebin,delete,viewlogs", "agent": "delete", "certificate": "approve,delete,discover,manage,revoke",
	"codesign": "approve,delete,manage", "codesignclient": "", "configuration": "delete,manage", "restricted": "delete,manage",
	anyArea: "approve,delete,discover,manage,revoke", "security": "delete,manage", "ssh": "approve,delete,discover,manage", "statistics": "",
}

// TestEveryRouteDeclaresItsScope lets no route in by oversight, nor one whose
// scope no token can have.
func TestEveryRouteDeclaresItsScope(t *testing.T) {
	for _, r := range routes {
		if !r.access.declared {
			t.Errorf("%s %s does not say who may call it", r.method, r.pattern)
		}
		for _, scope := range r.access.scopes {
			wanted, err := parseScopes(scope)
			if err != nil || len(wanted) != 1 {
				t.Errorf("%s %s wants the scope %q", r.method, r.pattern, scope)
			}
			for area, restrictions := range wanted {
				known, ok := areas[area]
				for restriction := range restrictions {
					ok = ok && strings.Contains(","+known+",", ","+restriction+",")
				}
				if !ok {
					t.Errorf("%s %s wants the scope %q, which is not documented", r.method, r.pattern, scope)
				}
			}
		}
		if r.pattern != strings.ToLower(r.pattern) || strings.HasSuffix(r.pattern, "/") {
			t.Errorf("the path %s is never matched", r.pattern)
		}
	}
}

// TestOnlyTheOpenRoutesAreOpen calls every route without a token.
func TestOnlyTheOpenRoutesAreOpen(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	h := Handler(rig.Core, Options{})
	for _, r := range routes {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(r.method, r.pattern, nil))
		refused := w.Code == http.StatusUnauthorized && strings.Contains(w.Body.String(), textNoToken)
		if refused == r.access.isOpen && r.method != http.MethodHead {
			t.Errorf("%s %s without a token: got %d %s", r.method, r.pattern, w.Code, w.Body)
		}
	}
}

// TestParam takes names from the path as it was sent, wherever the slashes stand.
func TestParam(t *testing.T) {
	for _, path := range []string{"/vedsdk/certificates/{AbC}", "//vedsdk//Certificates/{AbC}/", "/VEDSDK%2fcertificates%2F%7bAbC%7D"} {
		c := &call{Request: httptest.NewRequest("GET", path, nil), route: route{pattern: "/vedsdk/certificates/{guid}"}}
		if got := c.param("guid"); got != "{AbC}" {
			t.Errorf("%s: got %q", path, got)
		}
	}
}

// TestPanicIsAnswered tells the client nothing and the log everything.
func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	a := Handler(rig.Core, Options{}).(*api)
	r := route{"GET", "/vedsdk", open, func(*api, *call) answer { panic("hunter2") }}
	w := httptest.NewRecorder()
	a.serve(w, httptest.NewRequest("GET", "/vedsdk", nil), r)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestBodiesHaveALimit answers a body that is too large with 413.
func TestBodiesHaveALimit(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	w := httptest.NewRecorder()
	body := strings.NewReader(`{"Username":"` + strings.Repeat("x", maxBody) + `"}`)
	Handler(rig.Core, Options{}).ServeHTTP(w, httptest.NewRequest("POST", "/vedsdk/authorize", body))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", w.Code)
	}
	c := &call{Request: httptest.NewRequest("POST", "/vedsdk/certificates/import", nil), route: route{pattern: "/vedsdk/certificates/import"}}
	if got := c.malformed(lenient.ErrTooLarge); got.status != http.StatusRequestEntityTooLarge || got.phrase != "The request body is too large." {
		t.Errorf("got %d %s under certificates", got.status, got.phrase)
	}
}
