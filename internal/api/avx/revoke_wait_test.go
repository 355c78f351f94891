package avx

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// TestTooManyDoNotWaitForRevocations makes sure that a call for which nobody may wait is
// refused before anything is revoked.
func TestTooManyDoNotWaitForRevocations(t *testing.T) {
	rig, a, session := waitingRig(t)
	a.waiting = make(chan struct{}, 1)
	a.waiting <- struct{}{}
	made, err := rig.Request(t.Context(), rig.Admin, core.Request{
		Group: core.DefaultGroup, Names: clm.Names{CommonName: "www.example.com"}, Fresh: true, Action: core.ActionCreate,
	})
	if err != nil {
		t.Fatal(err)
	}
	revoke := func(query string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/avxapi/certificate/revoke?gwsource=test"+query,
			strings.NewReader(`{"resourceId": "`+made.Record+`", "reason": "Superseded"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("sessionId", session)
		return wait(t, a.begin(r))
	}
	if w := revoke("&isSync=true"); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), codeTooMany) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := revoke(""); w.Code == http.StatusTooManyRequests {
		t.Errorf("a call that does not wait: got %d %s", w.Code, w.Body)
	}
}
