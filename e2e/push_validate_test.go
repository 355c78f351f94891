package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
)

// validated sums up what is seen of the certificate: what lies in the files and what is
// shown, by application, and what is to be held of all.
func (p *push) validated(t *testing.T) (seen map[string]string, state string) {
	t.Helper()
	at := "vedsdk/Certificates/" + p.guid(t, p.dn)
	got, err := p.get(at + "/ValidationResults")
	if err == nil && got.Status == http.StatusNoContent {
		return nil, ""
	}
	var results struct {
		File []struct {
			Installation string
			Result       []string
		}
		SslTls []struct {
			Sources []string
			Result  struct{ Chain, EndEntity struct{ Values []string } }
		}
	}
	if err == nil {
		err = json.Unmarshal(got.Body, &results)
	}
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("results: %v, %v", got, err)
	}
	seen = map[string]string{}
	for _, f := range results.File {
		seen[f.Installation+" file"] = strings.Join(f.Result, "|")
	}
	for _, s := range results.SslTls {
		seen[strings.Join(s.Sources, "|")] = strings.Join(s.Result.EndEntity.Values, "|") + " " + strings.Join(s.Result.Chain.Values, "|")
	}
	var whole struct {
		ValidationDetails struct{ ValidationState string }
	}
	if got, err = p.get(at); err == nil {
		err = json.Unmarshal(got.Body, &whole)
	}
	need(t, err)
	return seen, whole.ValidationDetails.ValidationState
}

// showsAnother waits until the service shows nothing but another certificate. While it
// reloads it may show both in turns.
func showsAnother(t *testing.T, s service, than []byte) {
	t.Helper()
	const enough = 20
	inARow := 0
	within(t, pushWithin, s.class+" shows another certificate", func() bool {
		seen, err := look.Look(t.Context(), s.look)
		if inARow++; err != nil || bytes.Equal(seen.Chain[0], than) {
			inARow = 0
		}
		return inARow == enough
	})
}

// Where a pushed certificate should be in use it is looked for when somebody asks, and
// what is seen is what there is: it, another one, or nothing.
func TestValidatePushed(t *testing.T) {
	site := deploytest.Site{Name: shopHost}
	postfix, nginx := deploytest.StartPostfix(t, site), webService("NGINX", deploytest.StartNginx(t, site))
	p := newPush(t, "sqlite", []service{
		nginx,
		{class: "Postfix", look: postfix.Look(), keys: append(filesOf(postfix.Site), key("serviceProgram", postfix.Program), key("serviceConfig", postfix.Config))},
		webService("HAProxy", deploytest.StartHAProxy(t, site)),
	})
	web, mail, proxy := p.fleet[0].dn(), p.fleet[1].dn(), p.fleet[2].dn()
	for _, c := range []struct {
		name      string
		before    func()
		state     string
		web, mail string
	}{
		{"all is well", func() {}, "Success", "Success Success", "Success Success"},
		{
			"one shows another certificate, and one is gone",
			func() {
				other := filepath.Join(deploytest.Dir(t), "other.pem")
				deploytest.FirstFiles(t, shopHost, other, other+".key")
				nginx.web.Change(t, func(sites []deploytest.Site) { sites[0].Cert, sites[0].Key = other, other+".key" })
				need(t, syscall.Kill(nginx.web.PID, syscall.SIGHUP))
				showsAnother(t, nginx, p.leaf(t))
				postfix.Stop()
			},
			"Failure", "MismatchWithUnknown", "ConnectionFailure None",
		},
	} {
		c.before()
		got := p.must(t, "vedsdk/Certificates/Validate", object{"CertificateDNs": []string{p.dn}})
		if got.get("Success") != "true" || got.get("ValidatedCertificateDNs") != "["+p.dn+"]" {
			t.Errorf("%s: got %v", c.name, got)
		}
		within(t, pushWithin, c.name, func() bool {
			seen, state := p.validated(t)
			return state == c.state && strings.HasPrefix(seen[web], c.web) && seen[mail] == c.mail && seen[proxy] == "Success Success" &&
				seen[web+" file"] == "Success" && seen[mail+" file"] == "Success" && seen[proxy+" file"] == "Success"
		})
	}
}
