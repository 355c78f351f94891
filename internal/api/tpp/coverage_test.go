package tpp

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestEveryRouteHasAConversation wants each operation to be asked for in some file of
// testdata, so that none is served that nobody has seen answer.
func TestEveryRouteHasAConversation(t *testing.T) {
	mux := chi.NewRouter()
	for _, r := range routes {
		mux.Method(r.method, r.pattern, http.NotFoundHandler())
	}
	asked := map[string]bool{}
	err := filepath.WalkDir("testdata", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(name) != ".txtar" {
			return err
		}
		archive, err := txtar.ParseFile(name)
		if err != nil {
			return err
		}
		for _, f := range archive.Files {
			line, _, _ := strings.Cut(string(f.Data), "\n")
			method, target, ok := strings.Cut(strings.TrimSpace(line), " ")
			if f.Name != "request" || !ok {
				continue
			}
			target, _, _ = strings.Cut(target, "?")
			target, _, _ = strings.Cut(target, " ")
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path = strings.NewReplacer("{{", "x", "}}", "x", "%2f", "/", "%2F", "/", "%7B", "", "%7D", "", "%7b", "", "%7d", "").Replace(target)
			context := chi.NewRouteContext()
			if mux.Match(context, method, routePath(r)) {
				asked[method+" "+context.RoutePatterns[len(context.RoutePatterns)-1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if !asked[r.method+" "+r.pattern] {
			t.Errorf("no conversation asks for %s %s", r.method, r.pattern)
		}
	}
}
