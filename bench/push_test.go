package bench

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/deploy/deploytest"
)

const (
	pushSites   = 50 // server blocks of one nginx, each with a certificate of its own
	pushRounds  = 3  // renewals of each, where all are renewed again and again
	pushSingles = 20 // renewals one by one
	pushFolder  = `\VED\Policy\Fleet`
	pushAsk     = 25 * time.Millisecond // between questions whether one of many is done
	singleAsk   = time.Millisecond      // whether the only one is
	pushPatient = time.Minute
)

// Whole cycles: a certificate is renewed, goes to the site of an nginx that uses it, is
// seen there, and its application is done. Fifty sites of one nginx are renewed again
// and again, and then one at a time while nothing else happens. Beside each stands what
// the same takes by hand.
func BenchmarkPush(b *testing.B) {
	for _, way := range []struct {
		name, database string
		applications   int
		reach          func(*testing.B) reach
	}{
		{"sqlite/local", "sqlite", pushSites, onThisMachine},
		{"postgres/local", "postgres", pushSites, onThisMachine},
		{"sqlite/ssh", "sqlite", 1, bySSH},
	} {
		b.Run(way.name, func(b *testing.B) {
			f := newFleet(b, way.database, way.applications, way.reach(b))
			if way.applications > 1 {
				b.Run(fmt.Sprintf("sites=%d", way.applications), f.together)
			}
			b.Run("one", f.oneByOne)
		})
	}
}

// A reach is how an estate file says that a device is reached.
type reach struct {
	device      string // keys of the device
	credentials string // the section
}

func onThisMachine(*testing.B) reach { return reach{device: "host: 127.0.0.1, connection: Local"} }

// bySSH starts an SSH server on this machine.
func bySSH(b *testing.B) reach {
	sshd, key := deploytest.StartSSHD(b), filepath.Join(b.TempDir(), "key")
	if err := os.WriteFile(key, sshd.Key, 0o600); err != nil {
		b.Fatal(err)
	}
	login := pushFolder + `\login`
	return reach{
		device:      fmt.Sprintf("host: %s, port: %d, credential: '%s'", sshd.Access.Address, sshd.Access.Port, login),
		credentials: fmt.Sprintf("credentials:\n  - {dn: '%s', kind: PrivateKey, username: %s, file: %s}\n", login, sshd.Access.User, key),
	}
}

// A fleet is an nginx, of whose sites some or all are applications of the server.
type fleet struct {
	*server
	hand  *hand
	sites []*fleetSite
}

// A fleetSite is an application, and a connection on which its certificate is renewed.
type fleetSite struct {
	*client
	app  string
	took time.Duration // by its last cycle
}

// newFleet starts an nginx and a server, which has put a certificate into each of its
// applications.
func newFleet(b *testing.B, database string, applications int, how reach) *fleet {
	web := deploytest.StartNginx(b, make([]deploytest.Site, pushSites)...)
	device := pushFolder + `\this machine`
	var estate strings.Builder
	fmt.Fprintf(&estate, "folders:\n  - {dn: '%s', policy: {Management Type: Provisioning}}\n%sdevices:\n  - {dn: '%s', %s, applications: [\n", pushFolder, how.credentials, device, how.device)
	for i, s := range web.Sites[:applications] {
		fmt.Fprintf(&estate, "      {name: site-%d, class: NGINX, lookAt: '%s', certificateFile: '%s', keyFile: '%s', serviceProgram: '%s', serviceConfig: '%s'},\n",
			i, s.Look(), s.Cert, s.Key, web.Program, web.Config)
	}
	estate.WriteString("  ]}\n")
	file := filepath.Join(b.TempDir(), "estate.yaml")
	if err := os.WriteFile(file, []byte(estate.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	f := &fleet{hand: newHand(b), server: newServer(b, database, "--local-devices", "--estate", file)}
	b.Cleanup(f.remove)
	f.sites = make([]*fleetSite, applications)
	for i := range f.sites {
		c := f.connect(b)
		c.place = f.enrollIn(b, c, pushFolder, "ECDSA")
		f.sites[i] = &fleetSite{client: c, app: fmt.Sprintf(`%s\site-%d`, device, i)}
		c.post(b, "/vedsdk/Certificates/Associate", map[string]any{"CertificateDN": c.place, "ApplicationDN": []string{f.sites[i].app}})
	}
	f.each(func(s *fleetSite) { s.cycle(b, pushAsk) })
	if b.Failed() {
		b.FailNow()
	}
	return f
}

// each does something with all sites at once.
func (f *fleet) each(do func(*fleetSite)) {
	var all sync.WaitGroup
	for _, s := range f.sites {
		all.Go(func() { do(s) })
	}
	all.Wait()
}

// cycle renews the certificate and waits until its application is done.
func (s *fleetSite) cycle(b *testing.B, ask time.Duration) {
	begun := time.Now()
	text, err := json.Marshal(map[string]any{"CertificateDN": s.place, "Format": "Base64", "WorkToDoTimeout": 60})
	if err != nil {
		b.Error(err)
		return
	}
	var renewed struct{ CertificateData string }
	if err := json.Unmarshal(s.send(b, "/vedsdk/Certificates/Renew", text), &renewed); err != nil {
		b.Error(err)
		return
	}
	file, err := base64.StdEncoding.DecodeString(renewed.CertificateData)
	block, _ := pem.Decode(file)
	if err != nil || block == nil {
		b.Errorf("no certificate of %s: %v", s.place, err)
		return
	}
	time.Sleep(s.took / 2) // whoever asks too early takes from the server
	for want := fmt.Sprintf("%X", sha1.Sum(block.Bytes)); !strings.EqualFold(s.read(b, "Certificate Installed"), want); {
		if time.Since(begun) > pushPatient {
			b.Errorf("%s is not done: %s", s.app, s.read(b, "Status"))
			return
		}
		time.Sleep(ask)
	}
	s.took = time.Since(begun)
}

// read reads an attribute of the application.
func (s *fleetSite) read(b *testing.B, attribute string) string {
	var answer struct{ Values []string }
	text, err := json.Marshal(map[string]any{"ObjectDN": s.app, "AttributeName": attribute})
	if err == nil {
		err = json.Unmarshal(s.send(b, "/vedsdk/Config/Read", text), &answer)
	}
	if err != nil {
		b.Error(err)
	}
	return strings.Join(answer.Values, " ")
}

// together renews the certificates of all sites again and again.
func (f *fleet) together(b *testing.B) {
	var mu sync.Mutex
	var took []time.Duration
	before := f.limits()
	begun := time.Now()
	f.each(func(s *fleetSite) {
		for range pushRounds {
			s.cycle(b, pushAsk)
			mu.Lock()
			took = append(took, s.took)
			mu.Unlock()
		}
	})
	perSecond := float64(len(took)) / time.Since(begun).Seconds()
	after := f.limits()
	b.ReportMetric(perSecond, "cycles/s")
	report(b, took)
	b.ReportMetric((before.renewals+after.renewals)/2, "renewals/s")
	b.ReportMetric((before.alone+after.alone)/2, "by-hand/s")
	b.ReportMetric((before.together+after.together)/2, "by-hand-together/s")
}

// oneByOne renews one certificate after the other, each when the one before is done.
func (f *fleet) oneByOne(b *testing.B) {
	before := f.hand.times()
	var took []time.Duration
	for i := range pushSingles {
		s := f.sites[i%len(f.sites)]
		s.took = 0
		s.cycle(b, singleAsk)
		took = append(took, s.took)
	}
	report(b, took)
	b.ReportMetric(milliseconds(percentile(append(before, f.hand.times()...), 50)), "p50-by-hand-ms")
}

func report(b *testing.B, took []time.Duration) {
	b.ReportMetric(milliseconds(percentile(took, 50)), "p50-ms")
	b.ReportMetric(milliseconds(percentile(took, 95)), "p95-ms")
	b.ReportMetric(0, "ns/op")
}

func percentile(took []time.Duration, p int) time.Duration {
	slices.SortFunc(took, cmp.Compare[time.Duration])
	return took[min(len(took)*p/100, len(took)-1)]
}
