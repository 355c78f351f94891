package e2e

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/deploy/deploytest"
)

// write writes an attribute of an object.
func (p *push) write(t *testing.T, dn, attribute, value string) {
	t.Helper()
	p.must(t, "vedsdk/Config/Write", object{"ObjectDN": dn, "AttributeData": []object{{"Name": attribute, "Value": []string{value}}}})
}

// hasSeen reports whether the service has shown the certificate.
func (p *prober) hasSeen(s service, leaf []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.seen[s.class], func(seen []byte) bool { return bytes.Equal(seen, leaf) })
}

// A push that is to succeed everywhere or not at all leaves every target with what it
// served before when one of them fails, and each says the truth about that. When what
// was wrong is mended, a retry brings the new certificate to all of them.
func TestPushEverywhereOrNowhere(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     string // of the database
		fails    int    // which of the targets
		sabotage func(t *testing.T, p *push, s service)
		mend     func(t *testing.T, p *push, s service)
		push     func(t *testing.T, p *push) (fresh []byte)
		says     string
	}{
		{
			"a push that says so, and a key that is not there", "sqlite", 0,
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) { sites[0].Key += ".gone" })
			},
			func(t *testing.T, _ *push, s service) {
				s.web.Change(t, func(sites []deploytest.Site) { sites[0].Key = strings.TrimSuffix(sites[0].Key, ".gone") })
			},
			func(t *testing.T, p *push) []byte {
				p.write(t, p.dn, "Management Type", "Enrollment")
				fresh := p.renew(t)
				p.write(t, p.dn, "Management Type", "Provisioning")
				p.must(t, "vedsdk/Certificates/Push", object{"CertificateDN": p.dn, "PushToAll": true, "AllOrNothing": true})
				return fresh
			},
			"1000 Configure Application failed",
		},
		{
			"a policy that says so, and a reload that does nothing", "postgres", 1,
			func(t *testing.T, p *push, s service) { p.change(t, s, deploytest.Deaf(t, s.web.Program, "graceful")) },
			func(t *testing.T, p *push, s service) { p.change(t, s, s.web.Program) },
			func(t *testing.T, p *push) []byte {
				login(t, p.s, "admin").must(t, "vedsdk/Config/WritePolicy", object{
					"ObjectDN": pushFolder, "Class": "X509 Certificate", "AttributeName": "Certwright:all-or-nothing", "Locked": false, "Values": []string{"1"},
				})
				return p.renew(t)
			},
			"failed with error",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := deploytest.Site{Name: shopHost}
			p := newPush(t, c.kind, []service{
				webService("NGINX", deploytest.StartNginx(t, site)), webService("Apache", deploytest.StartApache(t, site)),
				webService("HAProxy", deploytest.StartHAProxy(t, site)),
			})
			old, culprit := p.leaf(t), p.fleet[c.fails]
			c.sabotage(t, p, culprit)
			eyes := probe(p.fleet)
			fresh := c.push(t, p)
			for _, s := range p.fleet {
				want := "the push was to succeed everywhere or not at all, and has failed at " + culprit.dn()
				if s.class == culprit.class {
					want = c.says
				}
				failure := p.done(t, s)
				if !strings.Contains(failure, want) {
					t.Errorf("%s: got %q, want %q", s.class, failure, want)
				}
				if eyes.hasSeen(s, fresh) && !strings.Contains(failure, "What was served before is served again.") {
					t.Errorf("%s has shown the new one meanwhile, and says %q", s.class, failure)
				}
			}
			p.showsEverywhere(t, old)
			c.mend(t, p, culprit)
			p.must(t, "vedsdk/Certificates/Retry", object{"CertificateDN": p.dn})
			for _, s := range p.fleet {
				if failure := p.done(t, s); failure != "" {
					t.Errorf("%s, after the retry: %s", s.class, failure)
				}
			}
			eyes.stop()
			p.showsEverywhere(t, fresh)
			for _, failure := range eyes.failed {
				t.Errorf("a handshake failed: %s", failure)
			}
		})
	}
}
