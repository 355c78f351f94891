package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
)

const (
	shopHost     = "www.shop.example.com"
	pushFolder   = `\VED\Policy\Fleet`
	pushWithin   = unstuckWithin
	probeEvery   = 50 * time.Millisecond
	probePatient = 10 * time.Second
)

// A service is a daemon that runs, as the estate file has it.
type service struct {
	class string
	look  look.Spec
	keys  []string        // of the estate file
	web   *deploytest.Web // where it is one
}

func (s service) dn() string { return pushFolder + `\this machine\` + s.class }

func key(name, value string) string { return fmt.Sprintf("%s: '%s'", name, value) }

func filesOf(s deploytest.Site) []string {
	return []string{key("certificateFile", s.Cert), key("keyFile", s.Key)}
}

func webService(class string, w *deploytest.Web) service {
	s := service{class: class, web: w, look: w.Sites[0].Look(), keys: append(filesOf(w.Sites[0]), key("serviceProgram", w.Program), key("serviceConfig", w.Config))}
	if w.Socket != "" {
		s.keys = append(s.keys, key("serviceSocket", w.Socket))
	}
	return s
}

// sixServices starts them.
func sixServices(t *testing.T) []service {
	t.Helper()
	site := deploytest.Site{Name: shopHost}
	postfix, dovecot, postgres := deploytest.StartPostfix(t, site), deploytest.StartDovecot(t, site), deploytest.StartPostgreSQL(t, site)
	return []service{
		webService("NGINX", deploytest.StartNginx(t, site)),
		webService("Apache", deploytest.StartApache(t, site)),
		webService("HAProxy", deploytest.StartHAProxy(t, site)),
		{class: "Postfix", look: postfix.Look(), keys: append(filesOf(postfix.Site), key("serviceProgram", postfix.Program), key("serviceConfig", postfix.Config))},
		{class: "Dovecot", look: dovecot.Look(), keys: append(filesOf(dovecot.Site), key("serviceConfig", dovecot.Config))},
		{class: "PostgreSQL", look: postgres.Look(), keys: append(filesOf(postgres.Site), key("serviceConfig", postgres.Data))},
	}
}

// pushEstate is an estate file with the services on one device, this machine.
func pushEstate(fleet []service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", estateFile())
	fmt.Fprintf(&b, "devices:\n  - dn: '%s\\this machine'\n    host: 127.0.0.1\n    connection: Local\n    applications:\n", pushFolder)
	for _, s := range fleet {
		fmt.Fprintf(&b, "      - name: %s\n        class: %s\n        lookAt: ['%s']\n        lookTime: 20\n", s.class, s.class, s.look)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "        %s\n", k)
		}
	}
	return b.String()
}

// A push is a server with a certificate that the services use.
type push struct {
	*api
	s     *server
	fleet []service
	dn    string
}

// newPush starts a server, and has all services serve a first certificate.
func newPush(t *testing.T, kind string, fleet []service) *push {
	t.Helper()
	p := &push{fleet: fleet, dn: pushFolder + `\` + shopHost}
	dir := t.TempDir()
	var err error
	p.s, err = newServer(dir, kind)
	need(t, err)
	p.s.args = append(p.s.args, "--local-devices")
	need(t, os.WriteFile(filepath.Join(dir, "estate.yaml"), []byte(pushEstate(p.fleet)), 0o600))
	need(t, p.s.start())
	t.Cleanup(func() { p.s.stop() })
	p.api = login(t, p.s, "alice")
	p.must(t, "vedsdk/Certificates/Request", object{"PolicyDN": pushFolder, "Subject": shopHost, "WorkToDoTimeout": 60})
	var apps []string
	for _, s := range p.fleet {
		apps = append(apps, s.dn())
	}
	p.must(t, "vedsdk/Certificates/Associate", object{"CertificateDN": p.dn, "ApplicationDN": apps, "PushToNew": true})
	for _, s := range p.fleet {
		p.done(t, s)
	}
	p.showsEverywhere(t, p.leaf(t))
	return p
}

func (p *push) must(t *testing.T, path string, body object) answer {
	t.Helper()
	got, err := p.post(path, body)
	need(t, err)
	if got.Status != http.StatusOK {
		t.Fatalf("%s: %v", path, got)
	}
	return got
}

// leaf is the certificate in use, DER.
func (p *push) leaf(t *testing.T) []byte {
	t.Helper()
	got := p.must(t, "vedsdk/Certificates/Retrieve", object{"CertificateDN": p.dn, "Format": "Base64"})
	text, err := base64.StdEncoding.DecodeString(got.get("CertificateData"))
	need(t, err)
	block, _ := pem.Decode(text)
	return block.Bytes
}

// read is an attribute of an application; empty where it has none.
func (p *push) read(t *testing.T, s service, attribute string) string {
	t.Helper()
	got := p.must(t, "vedsdk/Config/Read", object{"ObjectDN": s.dn(), "AttributeName": attribute})
	values := got.get("Values")
	return strings.Trim(values, "[]")
}

// done waits until nothing is to be done at the application any more, or it stands in
// error; then failure is its status.
func (p *push) done(t *testing.T, s service) (failure string) {
	t.Helper()
	within(t, pushWithin, s.class+" is done", func() bool {
		stage := p.read(t, s, "Stage")
		if p.read(t, s, "In Error") == "1" {
			failure = stage + " " + p.read(t, s, "Status")
		}
		return failure != "" || stage == "" && p.read(t, s, "Provisioning Work To Do") == ""
	})
	return failure
}

func (p *push) showsEverywhere(t *testing.T, leaf []byte) {
	t.Helper()
	for _, s := range p.fleet {
		shows(t, s, leaf)
	}
}

func shows(t *testing.T, s service, leaf []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), probePatient)
	defer cancel()
	seen, err := look.Look(ctx, s.look)
	switch {
	case err != nil:
		t.Errorf("%s: %v", s.class, err)
	case !bytes.Equal(seen.Chain[0], leaf):
		t.Errorf("%s shows another certificate", s.class)
	}
}

// renew renews the certificate and returns it.
func (p *push) renew(t *testing.T) []byte {
	t.Helper()
	p.must(t, "vedsdk/Certificates/Renew", object{"CertificateDN": p.dn, "WorkToDoTimeout": 60})
	return p.leaf(t)
}

// A prober makes a handshake with each service every so often.
type prober struct {
	mu     sync.Mutex
	failed []string
	looks  int
	seen   map[string][][]byte // by class, the leaves in the order in which they came
	stop   func()
}

func probe(fleet []service) *prober {
	p := &prober{seen: map[string][][]byte{}}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, s := range fleet {
		all.Go(func() {
			tick := time.NewTicker(probeEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					p.look(s)
				}
			}
		})
	}
	p.stop = func() { cancel(); all.Wait() }
	return p
}

func (p *prober) look(s service) {
	ctx, cancel := context.WithTimeout(context.Background(), probePatient)
	defer cancel()
	seen, err := look.Look(ctx, s.look)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	if err != nil {
		p.failed = append(p.failed, fmt.Sprintf("%s at %s: %v", s.class, time.Now().Format("05.000"), err))
		return
	}
	if so := p.seen[s.class]; len(so) == 0 || !bytes.Equal(so[len(so)-1], seen.Chain[0]) {
		p.seen[s.class] = append(so, seen.Chain[0])
	}
}

// change changes the program of a service: on this machine that is for masters.
func (p *push) change(t *testing.T, s service, program string) {
	t.Helper()
	login(t, p.s, "admin").must(t, "vedsdk/Config/Write", object{"ObjectDN": s.dn(), "AttributeData": []object{{"Name": "Certwright:service-program", "Value": []string{program}}}})
}

// A renewed certificate goes on to six services at once, and whoever connects meanwhile
// gets the old one or the new one, never none.
func TestPushToSixServices(t *testing.T) {
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			p := newPush(t, kind, sixServices(t))
			old := p.leaf(t)
			eyes := probe(p.fleet)
			fresh := p.renew(t)
			for _, s := range p.fleet {
				if failure := p.done(t, s); failure != "" {
					t.Errorf("%s: %s", s.class, failure)
				}
			}
			eyes.stop()
			p.showsEverywhere(t, fresh)
			for _, failure := range eyes.failed {
				t.Errorf("a handshake failed: %s", failure)
			}
			for _, s := range p.fleet {
				// Old processes and new ones may answer in turns for a while.
				so := eyes.seen[s.class]
				if len(so) == 0 || !bytes.Equal(so[0], old) {
					t.Errorf("%s has not begun with the old certificate", s.class)
				}
				if slices.ContainsFunc(so, func(leaf []byte) bool { return !bytes.Equal(leaf, old) && !bytes.Equal(leaf, fresh) }) {
					t.Errorf("%s has shown a certificate that is neither the old one nor the new one", s.class)
				}
			}
			t.Logf("%d handshakes", eyes.looks)
		})
	}
}

// Whatever goes wrong at one target, it ends by serving what it served before and says
// why, nobody who connects meanwhile fails, and the other target has the new one. When
// what was wrong is mended, a retry brings the new one there too.
func TestSabotagedPush(t *testing.T) {
	for _, c := range []struct {
		name     string
		sabotage func(t *testing.T, p *push, s service)
		mend     func(t *testing.T, p *push, s service)
		says     []string
	}{
		{
			"a key that is not there",
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) { sites[0].Key += ".gone" })
			},
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) { sites[0].Key = strings.TrimSuffix(sites[0].Key, ".gone") })
			},
			[]string{"1000 Configure Application failed", "nginx -t"},
		},
		{
			"a site that reads another file",
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) {
					other := sites[0]
					sites[0].Cert, sites[0].Key = sites[0].Cert+".other", sites[0].Key+".other"
					for from, to := range map[string]string{other.Cert: sites[0].Cert, other.Key: sites[0].Key} {
						content, err := os.ReadFile(from)
						need(t, err)
						need(t, os.WriteFile(to, content, 0o600))
					}
				})
			},
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) {
					sites[0].Cert, sites[0].Key = strings.TrimSuffix(sites[0].Cert, ".other"), strings.TrimSuffix(sites[0].Key, ".other")
				})
			},
			[]string{"1200 End Processing failed", "What was served before is served again"},
		},
		{
			"a reload that does nothing",
			func(t *testing.T, p *push, s service) { p.change(t, s, deploytest.Deaf(t, s.web.Program, "reload")) },
			func(t *testing.T, p *push, s service) { p.change(t, s, s.web.Program) },
			[]string{"failed with error", "What was served before is served again"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := deploytest.Site{Name: shopHost}
			p := newPush(t, "sqlite", []service{webService("NGINX", deploytest.StartNginx(t, site)), webService("Apache", deploytest.StartApache(t, site))})
			nginx, apache := p.fleet[0], p.fleet[1]
			old := p.leaf(t)
			c.sabotage(t, p, nginx)
			eyes := probe(p.fleet)
			fresh := p.renew(t)
			failure := p.done(t, nginx)
			for _, text := range c.says {
				if !strings.Contains(failure, text) {
					t.Errorf("got %q, want %q", failure, text)
				}
			}
			if failure := p.done(t, apache); failure != "" {
				t.Errorf("the other one: %s", failure)
			}
			eyes.stop()
			shows(t, nginx, old)
			shows(t, apache, fresh)
			for _, failure := range eyes.failed {
				t.Errorf("a handshake failed: %s", failure)
			}
			c.mend(t, p, nginx)
			p.must(t, "vedsdk/Certificates/Retry", object{"CertificateDN": p.dn})
			if failure := p.done(t, nginx); failure != "" {
				t.Errorf("after the retry: %s", failure)
			}
			p.showsEverywhere(t, fresh)
		})
	}
}

// A server that is killed when the files were swapped and the service has not read them
// goes on from there when it is back, and the service serves the new certificate.
func TestKilledBetweenSwapAndReload(t *testing.T) {
	for kind := range databases {
		t.Run(kind, func(t *testing.T) {
			p := newPush(t, kind, []service{webService("NGINX", deploytest.StartNginx(t, deploytest.Site{Name: shopHost}))})
			nginx := p.fleet[0]
			dir := t.TempDir()
			begun, slow := filepath.Join(dir, "begun"), filepath.Join(dir, "nginx")
			need(t, os.WriteFile(slow, fmt.Appendf(nil, `#!/bin/sh
for word; do
	if [ "$word" = reload ] && [ ! -e %[1]s ]; then
		: >%[1]s
		exec sleep 60
	fi
done
exec %[2]s "$@"
`, begun, nginx.web.Program), 0o755))
			p.change(t, nginx, slow)
			old := p.leaf(t)
			eyes := probe(p.fleet)
			fresh := p.renew(t)
			within(t, pushWithin, "the reload begins", func() bool {
				_, err := os.Stat(begun)
				return err == nil
			})
			p.s.kill()
			shows(t, nginx, old)
			need(t, p.s.start())
			if failure := p.done(t, nginx); failure != "" {
				t.Error(failure)
			}
			eyes.stop()
			shows(t, nginx, fresh)
			for _, failure := range eyes.failed {
				t.Errorf("a handshake failed: %s", failure)
			}
		})
	}
}
