package core_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// A market is a place with a certificate from elsewhere, and listeners for applications.
type market struct {
	*coretest.Rig
	*coretest.Listeners
	t    testing.TB
	ca   *foreign // the issuer, below a root
	root *foreign
	leaf *foreign
	id   clm.ObjectID
	dn   string
}

func newMarket(t *testing.T, d coretest.Database) *market {
	t.Helper()
	m := &market{t: t, Listeners: coretest.NewListeners(t)}
	m.Rig = coretest.New(t, d, coretest.Options{Idle: true, Drivers: m.Drivers()})
	end := time.Now().AddDate(5, 0, 0)
	m.root = marketCA(t, "Root", end, nil)
	m.ca = marketCA(t, "Issuer", end, m.root)
	m.leaf = m.hold("www.example.com", m.ca)
	return m
}

// hold imports a certificate of the issuer, which is from then on what the market is about.
func (m *market) hold(cn string, ca *foreign) *foreign {
	m.t.Helper()
	leaf := foreignLeaf(m.t, cn, time.Hour, ca)
	done := take(m.t, m.Rig, core.Import{Name: cn, Certificate: bundle(leaf, ca, m.root), Key: leaf.keyPEM(m.t)})
	m.id, m.dn = done.ID, string(done.DN)
	return leaf
}

// shows is what a service has that shows the certificate with the chain.
func shows(leaf *foreign, chain ...*foreign) *pki.Bundle {
	b := &pki.Bundle{Cert: leaf.der, Key: leaf.key}
	for _, f := range chain {
		b.Chain = append(b.Chain, f.der)
	}
	return b
}

// put makes an application that uses the certificate, on a device of its own.
func (m *market) put(name string, class clm.Class, own map[clm.Attr]string) string {
	m.t.Helper()
	ctx := context.Background()
	_, err := m.Put(ctx, m.Admin, core.Put{DN: at(name), Class: clm.Device, Own: map[clm.Attr][]string{clm.Host: {"127.0.0.1"}}})
	check(m.t, err)
	p := core.Put{DN: at(name) + `\app`, Class: class, Own: map[clm.Attr][]string{}}
	for a, value := range own {
		p.Own[a] = []string{value}
	}
	_, err = m.Put(ctx, m.Admin, p)
	check(m.t, err)
	_, err = m.Bind(ctx, m.Admin, p.DN, m.dn)
	check(m.t, err)
	return p.DN
}

// listens makes an application for which there is a driver.
func (m *market) listens(name string, l *coretest.Listener) string {
	m.t.Helper()
	return m.put(name, coretest.TargetClass, map[clm.Attr]string{clm.LookAt: l.At})
}

// marked makes an application without a driver that says where it is seen.
func (m *market) marked(name, address string) string {
	m.t.Helper()
	host, port, err := net.SplitHostPort(address)
	check(m.t, err)
	return m.put(name, clm.ApplicationClass("basic"), map[clm.Attr]string{clm.ListenHost: host, clm.ListenPort: port})
}

// ask asks for the certificate to be looked for.
func (m *market) ask() {
	m.t.Helper()
	if got := m.Validate(context.Background(), m.Admin, []core.Which{{ID: m.id}}); got[0].Refused != nil || string(got[0].DN) != m.dn {
		m.t.Fatalf("got %+v", got)
	}
}

// due has all that is due looked at and wants it to be so many.
func (m *market) due(want int) {
	m.t.Helper()
	got, err := m.ValidateDue(context.Background())
	if err != nil || got != want {
		m.t.Fatalf("looked for %d, %v; want %d", got, err, want)
	}
}

func (m *market) seen() core.Validations {
	m.t.Helper()
	v, err := m.Validations(context.Background(), m.Admin, m.id)
	check(m.t, err)
	return v
}

// freeAddress is one at which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// mute is the address of a service that does not speak TLS.
func mute(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 hello\r\n")) // whoever has gone away misses it
			conn.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// What a service shows is told from what it should show.
func TestValidationOfServices(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		known := m.leaf
		spent, brief := marketCA(t, "Spent", time.Now().Add(-time.Minute), m.root), marketCA(t, "Brief", time.Now().AddDate(0, 1, 0), m.root)
		for n, c := range []struct {
			name  string
			ca    *foreign
			show  func(leaf *foreign, cn string) string // starts a service and says where
			leaf  core.LeafSeen
			chain core.ChainSeen
		}{
			{"as it should be", m.ca, func(leaf *foreign, _ string) string { return m.New(shows(leaf, m.ca)).At }, core.LeafFine, look.ChainFine},
			{"the root is shown as well", m.ca, func(leaf *foreign, _ string) string { return m.New(shows(leaf, m.ca, m.root)).At }, core.LeafFine, look.ChainFine},
			{"the chain is not shown", m.ca, func(leaf *foreign, _ string) string { return m.New(shows(leaf)).At }, core.LeafFine, look.ChainAbsent},
			{"the issuer has expired", spent, func(leaf *foreign, _ string) string { return m.New(shows(leaf, spent)).At }, core.LeafFine, look.ChainInvalid},
			{"the issuer expires first", brief, func(leaf *foreign, _ string) string { return m.New(shows(leaf, brief)).At }, core.LeafFine, look.ChainExpiring},
			{"what the place has held before", m.ca, func(leaf *foreign, cn string) string {
				m.hold(cn, m.ca)
				return m.New(shows(leaf, m.ca)).At
			}, core.FormerShown, look.ChainOfOther},
			{"what another place holds", m.ca, func(*foreign, string) string { return m.New(shows(known, m.ca)).At }, core.KnownShown, look.ChainOfOther},
			{"what nobody knows", m.ca, func(_ *foreign, cn string) string {
				return m.New(shows(foreignLeaf(t, cn, time.Hour, m.ca), m.ca)).At
			}, core.StrangerShown, look.ChainOfOther},
			{"nobody listens", m.ca, func(*foreign, string) string { return freeAddress(t) }, core.Unreached, 0},
			{"nobody speaks TLS", m.ca, func(*foreign, string) string { return mute(t) }, core.NothingShown, 0},
			{"there is no such host", m.ca, func(*foreign, string) string { return "host.invalid:443" }, core.HostUnknown, 0},
		} {
			cn := fmt.Sprintf("case%d.example.com", n)
			address := c.show(m.hold(cn, c.ca), cn)
			app := m.marked(fmt.Sprintf("host%d", n), address)
			m.ask()
			m.due(1)
			v := m.seen()
			if len(v.Services) != 1 || len(v.Files) != 0 {
				t.Errorf("%s: got %+v", c.name, v)
				continue
			}
			s := v.Services[0]
			if s.Leaf != c.leaf || s.Chain != c.chain || !slices.Equal(s.Applications, []clm.DN{clm.DN(app)}) || s.At.IsZero() || net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) != address {
				t.Errorf("%s: got %+v, want %d and %d", c.name, s, c.leaf, c.chain)
			}
			if shown := len(s.Versions) == 1; shown != (c.chain != 0) || shown == (s.Said != "") {
				t.Errorf("%s: got versions %v, said %q", c.name, s.Versions, s.Said)
			}
			if fine := c.leaf == core.LeafFine && c.chain == look.ChainFine; (v.State == core.FoundInUse) != fine || v.State == core.NotValidated {
				t.Errorf("%s: got state %s", c.name, v.State)
			}
		}
	})
}

// marketCA makes a CA that ends then.
func marketCA(t testing.TB, cn string, end time.Time, above *foreign) *foreign {
	t.Helper()
	return issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: cn}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: end,
	}, above)
}

// What lies where an application has its certificate is told in words.
func TestValidationOfFiles(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		stranger := foreignLeaf(t, "old.example.com", time.Hour, m.ca)
		fine, other, bare, broken, away := m.New(shows(m.leaf, m.ca)), m.New(shows(stranger, m.ca)), m.New(nil), m.New(nil), m.New(nil)
		broken.Before = func(string) error { return errors.New("permission denied") }
		away.Before = func(string) error { return fmt.Errorf("no route: %w", remote.ErrUnreachable) }
		until := time.Now().Add(-time.Hour).AddDate(1, 0, 0).UTC().Format("2006-01-02")
		wants := map[string]struct {
			leaf core.LeafSeen
			said string
		}{
			m.listens("fine", fine):     {core.LeafFine, "Success"},
			m.listens("other", other):   {core.StrangerShown, fmt.Sprintf(`Another certificate lies there: "old.example.com", thumbprint %s, valid until %s`, pki.Thumbprint(stranger.der), until)},
			m.listens("bare", bare):     {core.NothingShown, "There is no certificate."},
			m.listens("broken", broken): {core.SettingWrong, "It could not be read: permission denied"},
			m.listens("away", away):     {core.Unreached, "It could not be read: no route"},
		}
		m.ask()
		m.due(1)
		v := m.seen()
		if len(v.Files) != len(wants) || len(v.Services) != len(wants) || v.State != core.NotInUse {
			t.Fatalf("got %+v", v)
		}
		for _, f := range v.Files {
			if want := wants[string(f.Application)]; f.Leaf != want.leaf || !strings.HasPrefix(f.Said, want.said) || m.Clock.Now().Sub(f.At) > time.Minute {
				t.Errorf("got %+v, want %+v", f, want)
			}
			if of := v.Of(f.Application); len(of.Files) != 1 || len(of.Services) != 1 {
				t.Errorf("got %+v of %s", of, f.Application)
			}
		}
		if log := entries(t, m.Rig, "validate"); len(log) != 2 || log[0].Actor != core.Admin || log[1].Subject != m.dn || log[1].Detail != "not as it should be: 2 of 10 places" {
			t.Errorf("got %+v", log)
		}
		m.ask()
		m.due(1)
		if log := entries(t, m.Rig, "validate"); len(log) != 3 {
			t.Errorf("got %+v, want no entry where nothing has changed", log)
		}
	})
}

// Applications that name the same service have it looked at once; what they, or the
// certificate, do not want to be looked at is not.
func TestValidationLooksWhereItMay(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		ctx := context.Background()
		l := m.New(shows(m.leaf, m.ca))
		a, b := m.listens("a", l), m.listens("b", l)
		for _, c := range []struct {
			name            string
			app, place      map[clm.Attr]string // what is said by a, and by the certificate
			files, services int
			sources         int
		}{
			{"nobody says anything", nil, nil, 2, 1, 2},
			{"one wants no file looked at", map[clm.Attr]string{clm.NoFileLook: "1"}, nil, 1, 1, 2},
			{"one wants no service looked at", map[clm.Attr]string{clm.NoLook: "1"}, nil, 2, 1, 1},
			{"one wants nothing looked at", map[clm.Attr]string{clm.NoValidate: "1"}, nil, 1, 1, 1},
			{"one is switched off", map[clm.Attr]string{clm.Off: "1"}, nil, 1, 1, 1},
			{"one says of no service where it is", map[clm.Attr]string{clm.LookAt: "nonsense"}, nil, 2, 2, 1},
			{"the certificate wants no service looked at", nil, map[clm.Attr]string{clm.NoLook: "1"}, 2, 0, 0},
			{"the certificate is looked for at its names as well", nil, map[clm.Attr]string{clm.LookAtCommonName: "1", clm.LookAtSANs: "1"}, 2, 2, 2},
		} {
			t.Run(c.name, func(t *testing.T) {
				own := map[clm.Attr][]string{clm.LookAt: {l.At}}
				for _, flag := range []clm.Attr{clm.NoFileLook, clm.NoLook, clm.NoValidate, clm.Off} {
					own[flag] = nil
				}
				for attr, value := range c.app {
					own[attr] = []string{value}
				}
				_, err := m.Put(ctx, m.Admin, core.Put{DN: a, Class: coretest.TargetClass, Own: own})
				check(t, err)
				own = map[clm.Attr][]string{clm.NoLook: nil, clm.LookAtCommonName: nil, clm.LookAtSANs: nil}
				for attr, value := range c.place {
					own[attr] = []string{value}
				}
				_, err = m.Put(ctx, m.Admin, core.Put{DN: m.dn, Class: clm.ServerCertificate, Own: own})
				check(t, err)
				m.ask()
				m.due(1)
				v := m.seen()
				if len(v.Files) != c.files || len(v.Services) < c.services || c.services < 2 && len(v.Services) > c.services {
					t.Fatalf("got %+v", v)
				}
				if c.services > 0 {
					at := slices.IndexFunc(v.Services, func(s core.ServiceSeen) bool { return s.Leaf == core.LeafFine })
					if at < 0 || len(v.Services[at].Applications) != c.sources || !slices.Contains(v.Services[at].Applications, clm.DN(b)) {
						t.Errorf("got %+v", v.Services)
					}
				}
				if c.place[clm.LookAtSANs] != "" && !slices.ContainsFunc(v.Services, func(s core.ServiceSeen) bool {
					return s.Host == "www.example.com" && s.Port == 443 && slices.Equal(s.Names, []string{"www.example.com"}) && len(s.Applications) == 0
				}) {
					t.Errorf("got %+v", v.Services)
				}
			})
		}
		_, err := m.Put(ctx, m.Admin, core.Put{DN: m.dn, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.NoValidate: {"1"}}})
		check(t, err)
		if got := m.Validate(ctx, m.Admin, []core.Which{{DN: m.dn}}); got[0].Refused == nil || got[0].Refused.Kind != clm.Unnecessary {
			t.Errorf("got %+v", got)
		}
	})
}

// Which versions of TLS a service speaks is tried out where that is wanted.
func TestValidationOfVersions(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		m.marked("host", m.New(shows(m.leaf, m.ca)).At)
		for value, want := range map[string][]uint16{"": {tls.VersionTLS13}, "1": {tls.VersionTLS12, tls.VersionTLS13}} {
			_, err := m.Put(context.Background(), m.Admin, core.Put{DN: m.dn, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.AllVersions: {value}}})
			check(t, err)
			m.ask()
			m.due(1)
			if v := m.seen(); len(v.Services) != 1 || !slices.Equal(v.Services[0].Versions, want) {
				t.Errorf("got %+v, want versions %v", v, want)
			}
		}
	})
}

// Certificates are found by what was seen of them at any place, and by nothing else.
func TestFindBySeen(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		fine := m.id
		m.marked("fine", m.New(shows(m.leaf, m.ca)).At)
		m.ask()
		m.hold("bare.example.com", m.ca)
		bare := m.id
		m.marked("bare", m.New(shows(m.leaf)).At) // another's certificate, without its chain
		m.ask()
		m.due(2)
		v := m.seen()
		m.hold("new.example.com", m.ca)
		unseen, yes, no := m.id, true, false
		check(t, m.EditObject(context.Background(), m.Admin, m.dn, []core.Edit{{Attr: clm.NoLook, Values: []string{"1"}}}, nil))
		for name, c := range map[string]struct {
			filter core.Filter
			want   []clm.ObjectID
		}{
			"fine":          {core.Filter{Seen: []core.ValidationState{core.FoundInUse}}, []clm.ObjectID{fine}},
			"not fine":      {core.Filter{Seen: []core.ValidationState{core.NotInUse}}, []clm.ObjectID{bare}},
			"seen":          {core.Filter{Seen: []core.ValidationState{core.FoundInUse, core.NotInUse}}, []clm.ObjectID{fine, bare}},
			"unseen":        {core.Filter{Seen: []core.ValidationState{core.NotValidated}}, []clm.ObjectID{unseen}},
			"all but fine":  {core.Filter{Seen: []core.ValidationState{core.NotValidated, core.NotInUse}}, []clm.ObjectID{bare, unseen}},
			"fine leaf":     {core.Filter{Leaf: core.LeafFine}, []clm.ObjectID{fine}},
			"other leaf":    {core.Filter{Leaf: v.Services[0].Leaf | core.LeafExpired}, []clm.ObjectID{bare}},
			"no such leaf":  {core.Filter{Leaf: core.LeafExpired}, nil},
			"fine chain":    {core.Filter{Chain: core.ChainFine}, []clm.ObjectID{fine}},
			"other chain":   {core.Filter{Chain: v.Services[0].Chain}, []clm.ObjectID{bare}},
			"TLS 1.3":       {core.Filter{Versions: []uint16{tls.VersionTLS10, tls.VersionTLS13}}, []clm.ObjectID{fine, bare}},
			"TLS 1.0":       {core.Filter{Versions: []uint16{tls.VersionTLS10}}, nil},
			"not looked at": {core.Filter{NoLook: &yes}, []clm.ObjectID{unseen}},
			"looked at":     {core.Filter{NoLook: &no}, []clm.ObjectID{fine, bare}},
			"validated":     {core.Filter{NoValidate: &no}, []clm.ObjectID{fine, bare, unseen}},
			"not validated": {core.Filter{NoValidate: &yes}, nil},
		} {
			c.filter.Limit = 10
			page, err := m.Find(context.Background(), m.Admin, c.filter)
			check(t, err)
			var got []clm.ObjectID
			for _, f := range page.Found {
				got = append(got, f.ID)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) || page.Total != len(c.want) {
				t.Errorf("%s: got %v of %d, want %v", name, got, page.Total, c.want)
			}
		}
	})
}

// A certificate that applications use is looked for once a day, and none that they do not
// use any more.
func TestValidationOnceADay(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		l := m.New(shows(m.leaf, m.ca))
		app := m.listens("host", l)
		m.ask()
		m.due(1)
		m.due(0)
		m.Clock.Turn(11 * time.Hour)
		m.due(0)
		m.Clock.Turn(26 * time.Hour) // it has got its time of the day
		for range 3 {
			m.due(1)
			first := m.seen()
			if first.State != core.FoundInUse || m.Clock.Now().Sub(first.Last) > time.Minute || !first.Since.Before(first.Last) {
				t.Errorf("got %+v", first)
			}
			m.Clock.Turn(36 * time.Hour)
		}
		stranger := shows(foreignLeaf(t, "www.example.com", time.Hour, m.ca))
		check(t, l.Place(context.Background(), *stranger))
		check(t, l.Switch(context.Background(), *stranger))
		m.due(1)
		if v := m.seen(); v.State != core.NotInUse || !v.Since.Equal(v.Last) {
			t.Errorf("got %+v", v)
		}
		_, err := m.Bind(context.Background(), m.Admin, app, "")
		check(t, err)
		m.Clock.Turn(36 * time.Hour)
		m.due(1)
		m.Clock.Turn(36 * time.Hour)
		m.due(0)
		if v := m.seen(); len(v.Files)+len(v.Services) != 0 || v.State != core.NotValidated {
			t.Errorf("got %+v", v)
		}
	})
}

// Of a certificate that has been deleted nothing is left after the day's round.
func TestValidationOfDeleted(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		m.listens("host", m.New(shows(m.leaf, m.ca)))
		m.ask()
		check(t, m.DeleteObject(context.Background(), m.Admin, m.dn, false))
		m.due(1)
		m.Clock.Turn(36 * time.Hour)
		m.due(0)
		if _, err := m.Validations(context.Background(), m.Admin, m.id); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v", err)
		}
	})
}

// A certificate that cannot be looked for is refused, and does not keep others from it.
func TestValidateRefusesOneByOne(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		ctx := context.Background()
		m.listens("host", m.New(shows(m.leaf, m.ca)))
		good := m.dn
		m.hold("off.example.com", m.ca)
		off := m.dn
		m.listens("off", m.New(nil))
		_, err := m.Put(ctx, m.Admin, core.Put{DN: off, Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.Off: {"1"}}})
		check(t, err)
		m.hold("alone.example.com", m.ca)
		alone := m.dn
		_, err = m.Put(ctx, m.Admin, core.Put{DN: at("empty"), Class: clm.ServerCertificate})
		check(t, err)
		reader := user(t, m.Rig, "reader")
		give(t, m.Rig, good, "reader", clm.View|clm.Read)
		for _, c := range []struct {
			name  string
			who   clm.Actor
			which core.Which
			want  error
		}{
			{"good", m.Admin, core.Which{DN: strings.ToUpper(good)}, nil},
			{"disabled", m.Admin, core.Which{DN: off}, clm.Disabled},
			{"no application uses it", m.Admin, core.Which{DN: alone}, clm.Unnecessary},
			{"not issued", m.Admin, core.Which{DN: at("empty")}, clm.NotIssued},
			{"no certificate", m.Admin, core.Which{DN: at("host")}, clm.NotFound},
			{"no such DN", m.Admin, core.Which{DN: at("nowhere")}, clm.NotFound},
			{"no such ID", m.Admin, core.Which{ID: "3d6b61d0-1c71-4603-883f-25b8c2ceecdd"}, clm.NotFound},
			{"no DN", m.Admin, core.Which{}, clm.Invalid},
			{"may be read, not written", reader, core.Which{DN: good}, clm.Denied},
			{"may not be seen", reader, core.Which{DN: alone}, clm.NotFound},
		} {
			got := m.Validate(ctx, c.who, []core.Which{c.which, {DN: good}})
			switch first := got[0].Refused; {
			case c.want == nil && (first != nil || string(got[0].DN) != good):
				t.Errorf("%s: got %+v", c.name, got[0])
			case c.want != nil && (first == nil || first.Kind != c.want):
				t.Errorf("%s: got %+v, want %v", c.name, got[0], c.want)
			}
			if c.who.ID == m.Admin.ID && (got[1].Refused != nil || string(got[1].DN) != good) {
				t.Errorf("%s: the other one is refused: %+v", c.name, got[1])
			}
		}
		m.due(1)
		v, err := m.Validations(ctx, reader, got(t, m.Rig, good))
		if err != nil || len(v.Files)+len(v.Services) != 0 {
			t.Errorf("got %+v, %v; want nothing about applications that may not be seen", v, err)
		}
	})
}

// got is the ID of the object.
func got(t testing.TB, r *coretest.Rig, dn string) clm.ObjectID {
	t.Helper()
	o, err := r.Object(context.Background(), r.Admin, dn)
	check(t, err)
	return o.ID
}

// A host that does not answer keeps nobody from being looked at elsewhere.
func TestValidationGoesOnBesideDeadHost(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		dead, let := m.New(nil), make(chan struct{})
		goOn := sync.OnceFunc(func() { close(let) })
		defer goOn()
		dead.Before = func(string) error { <-let; return remote.ErrUnreachable }
		m.listens("dead", dead)
		m.ask()
		slow := m.id
		m.leaf = m.hold("alive.example.com", m.ca)
		m.listens("alive", m.New(shows(m.leaf, m.ca)))
		m.ask()
		var looking sync.WaitGroup
		looking.Go(func() { m.due(2) })
		eventually(t, "somebody looks at the host that answers", func() bool { return m.seen().State == core.FoundInUse })
		m.id = slow
		if v := m.seen(); !v.Last.IsZero() {
			t.Errorf("got %+v", v)
		}
		goOn()
		looking.Wait()
		if v := m.seen(); v.State != core.NotInUse || v.Files[0].Leaf != core.Unreached {
			t.Errorf("got %+v", v)
		}
	})
}

// Whoever is stopped while looking leaves it to others at once.
func TestStoppedValidationIsTakenUp(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		m := newMarket(t, d)
		l := m.New(shows(m.leaf, m.ca))
		ctx, stop := context.WithCancel(context.Background())
		l.Before = func(string) error { stop(); return nil }
		m.listens("host", l)
		m.ask()
		_, _ = m.ValidateDue(ctx)
		if v := m.seen(); !v.Last.IsZero() {
			t.Errorf("got %+v", v)
		}
		m.due(1)
		if v := m.seen(); v.State != core.FoundInUse {
			t.Errorf("got %+v", v)
		}
	})
}

// Of several nodes one looks for each certificate.
func TestTwoNodesValidateOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t, coretest.Postgres(t))
	other := coretest.New(t, m.Database, coretest.Options{Idle: true, Drivers: m.Drivers()})
	const many = 20
	var all []*coretest.Listener
	for n := range many {
		leaf := m.hold(fmt.Sprintf("www%d.example.com", n), m.ca)
		all = append(all, m.New(shows(leaf, m.ca)))
		m.listens(fmt.Sprintf("host%d", n), all[n])
		m.ask()
	}
	counts := make(chan int, 2)
	for _, r := range []*coretest.Rig{m.Rig, other} {
		go func() {
			n, err := r.ValidateDue(context.Background())
			if err != nil {
				t.Error(err)
			}
			counts <- n
		}()
	}
	if n := <-counts + <-counts; n != many {
		t.Errorf("looked for %d, want %d", n, many)
	}
	for n, l := range all {
		if calls := l.Calls(); len(calls) != 1 {
			t.Errorf("listener %d: got calls %v", n, calls)
		}
	}
}

// A server looks when it is asked to, and soon after something was installed, by itself.
func TestServerValidates(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, nil)
		ctx := context.Background()
		id := got(t, f.Rig, f.cert)
		looked := func(after time.Time) (v core.Validations) {
			t.Helper()
			eventually(t, "somebody looks", func() bool {
				var err error
				v, err = f.Validations(ctx, f.Admin, id)
				check(t, err)
				return v.Last.After(after)
			})
			return v
		}
		f.Clock.Turn(6 * time.Minute)
		first := looked(time.Time{})
		if first.State != core.FoundInUse || len(first.Files) != 2 || len(first.Services) != 2 {
			t.Errorf("got %+v", first)
		}
		f.Clock.Turn(time.Second)
		if got := f.Validate(ctx, f.Admin, []core.Which{{DN: f.cert}}); got[0].Refused != nil {
			t.Fatalf("got %+v", got)
		}
		looked(first.Last)
	})
}
