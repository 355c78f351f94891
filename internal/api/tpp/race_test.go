package tpp

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestFiftyRenewalsAtOnce (REN-96) accepts one of fifty that come together and
// makes one new version.
func TestFiftyRenewalsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, copyOfFirst(t))
	h.do(t, "setup", `
		idle
		token t admin certificate:manage
		object "\VED\Policy\Shop\www" "X509 Server Certificate" "X509 Subject=www.example.com" "Key Algorithm=ECC"
	`)
	answers := make([]*httptest.ResponseRecorder, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			r := httptest.NewRequest("POST", "/vedsdk/certificates/renew", strings.NewReader(`{"CertificateDN":"\\VED\\Policy\\Shop\\www"}`))
			r.Header.Set("Authorization", "Bearer "+h.wire.Vars["t"])
			answers[i] = httptest.NewRecorder()
			h.wire.Handler.ServeHTTP(answers[i], r)
		})
	}
	wg.Wait()
	accepted := 0
	for _, a := range answers {
		switch text := a.Body.String(); {
		case a.Code == http.StatusOK && text == `{"Success":true}`:
			accepted++
		case a.Code == http.StatusBadRequest && (strings.Contains(text, "Queued for renewal.") || strings.Contains(text, "is already being processed.")):
		default:
			t.Errorf("got %d %s", a.Code, text)
		}
	}
	if accepted != 1 {
		t.Errorf("%d were accepted, want 1", accepted)
	}
}
