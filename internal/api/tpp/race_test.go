package tpp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
)

// TestFiftyRenewalsAtOnce (REN-96) accepts one of fifty that come together and
// makes one new version.
func TestFiftyRenewalsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, coretest.SQLite(t))
	h.Do(t, "setup", `
		idle
		token t admin certificate:manage
		object "\VED\Policy\Shop\www" "X509 Server Certificate" "X509 Subject=www.example.com" "Key Algorithm=ECC"
	`)
	answers := h.atOnce(50, "renew", `{"CertificateDN":"\\VED\\Policy\\Shop\\www"}`)
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

// atOnce sends a call of Certificates so often at once.
func (h *host) atOnce(times int, call, body string) []*httptest.ResponseRecorder {
	answers := make([]*httptest.ResponseRecorder, times)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = h.post(call, body) })
	}
	wg.Wait()
	return answers
}

func (h *host) post(call, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/vedsdk/certificates/"+call, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+h.Wire.Vars["t"])
	w := httptest.NewRecorder()
	h.Wire.Handler.ServeHTTP(w, r)
	return w
}

// slowShop lets the certificate www be used by the application shop, whose reload does
// not end before there is the file that it returns.
func (h *host) slowShop() (goOn string) {
	dir := h.T.TempDir()
	goOn = filepath.Join(dir, "go")
	script := filepath.Join(dir, "reload")
	text := fmt.Sprintf("#!/bin/sh\nwhile [ ! -e %s ]; do sleep 0.05; done\n", goOn)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		h.T.Fatal(err)
	}
	h.Wire.Vars["dir"] = dir
	h.Do(h.T, "setup", fmt.Sprintf(`
		token t admin certificate:manage;configuration:manage,delete
		issued "\VED\Policy\Shop\www" "Management Type=Provisioning"
		object "\VED\Policy\Shop\web1" Device "Connection Method=Local"
		object "\VED\Policy\Shop\web1\shop" PEM "Certificate File=%[1]s/shop.crt" "Private Key File=%[1]s/shop.key" "Certwright:reload-command=%[2]s"
		bind "\VED\Policy\Shop\web1\shop" "\VED\Policy\Shop\www"
	`, dir, script))
	return goOn
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// reaches waits until the installation at the application stands at the stage.
func (h *host) reaches(dn string, stage clm.Stage) {
	h.T.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		w, err := h.Rig.OpenInstall(dn)
		if err != nil {
			h.T.Fatal(err)
		}
		switch {
		case w != nil && w.Failure != "":
			h.T.Fatalf("the installation at %s has failed at %s: %s", dn, w.Stage, w.Failure)
		case w != nil && w.Stage == stage:
			return
		}
	}
	h.T.Fatalf("the installation at %s does not reach %s", dn, stage)
}

// TestTwentyPushesAtOnce (PUSH-16) accepts one of twenty that come together while
// somebody works: to the others it says that one is queued, or how far it has come.
func TestTwentyPushesAtOnce(t *testing.T) {
	const shop = `\VED\Policy\Shop\web1\shop`
	bodies := map[string]string{
		"named": `{"CertificateDN":"\\VED\\Policy\\Shop\\www","ApplicationDN":"\\VED\\Policy\\Shop\\web1\\shop"}`,
		"all":   `{"CertificateDN":"\\VED\\Policy\\Shop\\www","PushToAll":true}`,
	}
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		for name, body := range bodies {
			t.Run(name, func(t *testing.T) {
				h := newHost(t, coretest.CopyOf(t, d))
				goOn := h.slowShop()
				answers := h.atOnce(20, "push", body)
				h.reaches(shop, clm.Reload)
				answers = append(answers, h.atOnce(20, "push", body)...)
				accepted, staged := 0, 0
				for _, a := range answers {
					var said struct {
						Success  bool
						Error    string
						Warnings []string
					}
					if err := json.Unmarshal(a.Body.Bytes(), &said); err != nil {
						t.Fatal(err)
					}
					why := said.Error
					if name == "all" && why == "There are no applications to push. Check warning for details." {
						why = strings.Join(said.Warnings, "\n")
					}
					switch {
					case a.Code == http.StatusOK && said.Success && len(said.Warnings) == 0:
						accepted++
					case a.Code == http.StatusBadRequest && why == "Provisioning error. Failed to start provisioning ToDo for Application "+shop+".":
					case a.Code == http.StatusBadRequest && strings.HasPrefix(why, "Application stage error. The Application "+shop+" is in stage "):
						staged++
					default:
						t.Errorf("got %d %s", a.Code, a.Body)
					}
				}
				if accepted != 1 || staged < 20 {
					t.Errorf("%d were accepted, want 1; %d were told the stage, want 20 or more", accepted, staged)
				}
				if err := os.WriteFile(goOn, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				h.Do(t, "setup", "settled "+shop)
			})
		}
	})
}

// TestManyApplications takes one that is named over and over, and refuses to look for a
// thousand and one.
func TestManyApplications(t *testing.T) {
	t.Parallel()
	h := newHost(t, coretest.SQLite(t))
	h.Do(t, "setup", `
		token t admin certificate:manage
		issued "\VED\Policy\Shop\www" "Management Type=Provisioning"
		rest
		object "\VED\Policy\Shop\web1" Device
		object "\VED\Policy\Shop\web1\shop" PEM
		bind "\VED\Policy\Shop\web1\shop" "\VED\Policy\Shop\www"
	`)
	same, others := []string{}, []string{}
	for n := range 5000 {
		same = append(same, `\VED\Policy\Shop\web1\shop`, `\ved\policy\shop\WEB1\shop\`)
		others = append(others, fmt.Sprintf(`\VED\Policy\Shop\web1\%d`, n))
	}
	for _, c := range []struct {
		call, member, error string
		values              []string
	}{
		{"push", "ApplicationDN", "", same},
		{"associate", "ApplicationDN", "", same},
		{"push", "ApplicationDN", "Invalid request. Application DN (ApplicationDN) names more than 1000 applications.", others},
		{"associate", "ApplicationDN", "Invalid request. Application DN (ApplicationDN) names more than 1000 applications.", others},
		{"dissociate", "ApplicationDN", "Invalid request. Application DN (ApplicationDN) names more than 1000 applications.", others},
		{"dissociate", "ApplicationDN", "", same},
		{"validate", "CertificateDNs", "Invalid request. CertificateDNs and CertificateGUIDs name more than 1000 certificates.", others},
		{"validate", "CertificateDNs", "Nothing to validate. The certificate with DN \\VED\\Policy\\Shop\\www has neither an installation to validate nor a host.", []string{`\VED\Policy\Shop\www`, `\VED\policy\Shop\WWW`}},
	} {
		body, err := json.Marshal(map[string]any{"CertificateDN": `\VED\Policy\Shop\www`, c.member: c.values})
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Success bool
			Error   string
		}
		got := h.post(c.call, string(body))
		if err := json.Unmarshal(got.Body.Bytes(), &said); err != nil || said.Success != (c.error == "") || said.Error != c.error {
			t.Errorf("%s of %d: got %d %s", c.call, len(c.values), got.Code, got.Body)
		}
	}
}
