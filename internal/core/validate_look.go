package core

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Limits of looking for one certificate.
const (
	placesAtOnce  = 32               // places looked at at a time
	inspectAtOnce = 256              // hosts logged in to at a time, for all certificates
	inspectTime   = time.Minute      // for what lies at one of them
	lookPatience  = 8 * time.Second  // for one look at a service; shorter than look.Timeout, so that it is known what has ended it
	versionsTime  = 20 * time.Second // to find out which versions of TLS it speaks
	mostAddresses = 16               // of one host
	namePort      = "443"            // where it is looked for at the hosts that it names
)

// LeafSeen is a set of what can be said of the certificate that was found.
type LeafSeen uint32

// What can be said of it. The numbers are those of the vendor's page of end entity codes,
// but for the last two.
const (
	LeafFine        LeafSeen = 1 << 1 // nothing else is said
	HostUnknown     LeafSeen = 1 << 2 // the host has no address
	SettingWrong    LeafSeen = 1 << 3 // it is not known where to look
	Unreached       LeafSeen = 1 << 4
	NothingShown    LeafSeen = 1 << 5
	FormerShown     LeafSeen = 1 << 6 // the place has held it
	KnownShown      LeafSeen = 1 << 7 // another place holds it, or has held it
	StrangerShown   LeafSeen = 1 << 8 // nobody knows it
	LeafExpired     LeafSeen = 1 << 10
	LeafNotYetValid LeafSeen = 1 << 11
)

// ChainSeen is a set of what can be said of the chain that was shown; zero where there
// was none to be judged.
type ChainSeen = look.ChainVerdict

// ChainFine says nothing else.
const ChainFine = look.ChainFine

// A survey is one look at all places where a certificate should be in use.
type survey struct {
	path     clm.Path
	version  clm.Version
	expected look.Expected
	isUsed   bool // there are applications that use it
	try      bool // it is tried out which versions of TLS are spoken
	files    []*fileLook
	services []*serviceLook
}

// A fileLook is a look at what lies where an application has its certificate.
type fileLook struct {
	path   clm.Path
	driver deploy.Driver
	seen   found
}

// A serviceLook is a look at all addresses of a host.
type serviceLook struct {
	at    look.Spec
	wrong error // why it is not known where to look
	apps  []clm.ObjectID
	names []string
	seen  []found // by address
}

// found is what was found at a place.
type found struct {
	address  string
	shown    [][]byte // DER, the leaf first; empty: nothing
	leaf     LeafSeen
	chain    ChainSeen
	versions []uint16
	words    string
	at       time.Time
}

func (s *survey) isEmpty() bool { return len(s.files)+len(s.services) == 0 }

// survey finds out where the certificate in use at the end of the path should be.
func (c *Core) survey(tx *store.Tx, path clm.Path) (*survey, error) {
	s := &survey{path: path, try: path.Value(clm.AllVersions).IsOn()}
	place := path.Last()
	bound, err := boundTo(tx, place)
	if err != nil || !isCertificate(path) {
		return s, err
	}
	s.isUsed = len(bound) > 0
	if place.Current == 0 || path.Value(clm.NoValidate).IsOn() {
		return s, nil
	}
	if s.version, err = tx.Version(place.Current); err != nil {
		return s, err
	}
	cert, err := x509.ParseCertificate(s.version.Cert)
	if err != nil {
		return s, nil // there is nothing to compare with
	}
	chain, err := tx.Chain(s.version.Chain)
	if err != nil && !errors.Is(err, clm.NotFound) {
		return s, err
	}
	s.expected = look.Expected{Cert: s.version.Cert, Chain: chain}
	for _, id := range bound {
		app, err := tx.PathByID(id)
		if err != nil {
			return s, err
		}
		if !(clm.Certificate{Object: *app.Last()}).IsOff() {
			c.surveyApplication(s, app)
		}
	}
	if !path.Value(clm.NoLook).IsOn() {
		for _, name := range namesToLookAt(path, cert) {
			if at, err := look.Parse(net.JoinHostPort(name, namePort)); err == nil {
				l := s.service(at)
				l.names = append(l.names, name)
			}
		}
	}
	return s, nil
}

// surveyApplication adds the places of the application at the end of the path.
func (c *Core) surveyApplication(s *survey, app clm.Path) {
	driver, driven := c.driverOf(app.Last().Class)
	if driven && liesSomewhere(app, driver) {
		s.files = append(s.files, &fileLook{path: app, driver: driver})
	}
	if s.path.Value(clm.NoLook).IsOn() {
		return
	}
	places, err := looksOf(app, deploy.Settings{Address: ofHost(app, clm.Host).First()}, driver, hostName(s.path))
	if err != nil {
		s.services = append(s.services, &serviceLook{wrong: err, apps: []clm.ObjectID{app.Last().ID}})
	}
	for _, at := range places {
		if l := s.service(at); !slices.Contains(l.apps, app.Last().ID) {
			l.apps = append(l.apps, app.Last().ID)
		}
	}
}

// service is the look at the service; there is one for all who name it.
func (s *survey) service(at look.Spec) *serviceLook {
	at.Host, at.Name = strings.ToLower(at.Host), strings.ToLower(cmp.Or(at.Name, at.Host))
	n := slices.IndexFunc(s.services, func(l *serviceLook) bool { return l.at == at && l.wrong == nil })
	if n < 0 {
		s.services, n = append(s.services, &serviceLook{at: at}), len(s.services)
	}
	return s.services[n]
}

// liesSomewhere reports whether the application says where its certificate lies, and
// nobody says that it shall not be looked at.
func liesSomewhere(app clm.Path, driver deploy.Driver) bool {
	if app.Value(clm.NoValidate).IsOn() || app.Value(clm.NoFileLook).IsOn() {
		return false
	}
	return !slices.ContainsFunc(driver.Fields, func(f deploy.Field) bool { return f.Required && app.Value(f.Attr).First() == "" })
}

// namesToLookAt are the names in the certificate at whose hosts it is to be looked for.
func namesToLookAt(path clm.Path, cert *x509.Certificate) (names []string) {
	if path.Value(clm.LookAtCommonName).IsOn() {
		names = append(names, cert.Subject.CommonName)
	}
	if path.Value(clm.LookAtSANs).IsOn() {
		names = append(names, cert.DNSNames...)
	}
	names = distinct(names)
	return names[:min(len(names), maxLooks)]
}

// look looks at all places.
func (s *survey) look(ctx context.Context, v *validator) {
	all := make([]func(), 0, len(s.files)+len(s.services))
	for _, l := range s.services {
		all = append(all, func() { l.look(ctx, v.Core, s) })
	}
	for _, l := range s.files {
		all = append(all, func() { l.look(ctx, v, s) })
	}
	each(all, placesAtOnce, func(look func()) { look() })
}

// look looks at each address of the host.
func (l *serviceLook) look(ctx context.Context, c *Core, s *survey) {
	if l.wrong != nil {
		l.seen = []found{{leaf: SettingWrong, words: l.wrong.Error(), at: c.db.Now()}}
		return
	}
	addresses, err := addressesOf(ctx, l.at.Host)
	if err != nil {
		l.seen = []found{{leaf: HostUnknown, words: err.Error(), at: c.db.Now()}}
		return
	}
	seen := make([]*found, len(addresses))
	for n, address := range addresses {
		seen[n] = &found{address: address}
	}
	each(seen, len(seen), func(f *found) {
		at := l.at
		at.Host = f.address
		f.look(ctx, at, s.try)
		f.judge(s, c.db.Now())
	})
	for _, f := range seen {
		l.seen = append(l.seen, *f)
	}
}

// addressesOf lists the IP addresses of a host.
func addressesOf(ctx context.Context, host string) (texts []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be found: %w", host, err)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	for _, address := range all {
		texts = append(texts, address.Unmap().String())
	}
	texts = distinct(texts)
	return texts[:min(len(texts), mostAddresses)], nil
}

// look looks at one address.
func (f *found) look(ctx context.Context, at look.Spec, try bool) {
	looking, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	seen, err := look.Look(looking, at)
	if err != nil {
		f.leaf, f.words = NothingShown, err.Error()
		if _, isRefused := errors.AsType[syscall.Errno](err); isRefused || looking.Err() != nil {
			f.leaf = Unreached
		}
		return
	}
	f.shown, f.versions = seen.Chain, []uint16{seen.Version}
	if !try {
		return
	}
	trying, cancelTry := context.WithTimeout(ctx, versionsTime)
	defer cancelTry()
	if versions, err := look.Versions(trying, at); err == nil {
		f.versions = versions
	}
}

// leafSeen are the verdicts on a leaf that are told.
var leafSeen = map[look.LeafVerdict]LeafSeen{
	look.LeafAbsent: NothingShown, look.LeafOther: StrangerShown, look.LeafExpired: LeafExpired, look.LeafNotYetValid: LeafNotYetValid,
}

// judge compares what was found with what is expected. What of the chain expires before
// the certificate is said to expire soon; the chain of another one is not judged.
func (f *found) judge(s *survey, now time.Time) {
	f.at = now
	if len(f.shown) == 0 {
		return
	}
	want := s.expected
	want.Soon = s.version.NotAfter.Sub(now)
	j := look.Judge(look.Seen{Chain: f.shown}, want, now)
	for verdict, said := range leafSeen {
		if j.Leaf&verdict != 0 {
			f.leaf |= said
		}
	}
	if f.leaf == 0 {
		f.leaf = LeafFine
	}
	if f.chain = j.Chain; j.Chain&look.ChainOfOther != 0 {
		f.chain = look.ChainOfOther
	}
}

// look reads what lies there, when it is its turn at the host.
func (l *fileLook) look(ctx context.Context, v *validator, s *survey) {
	lies, err := v.inspect(ctx, l)
	l.seen.at = v.db.Now()
	switch {
	case err != nil:
		l.seen.leaf, l.seen.words = SettingWrong, "It could not be read: "+err.Error()
		if errors.Is(err, remote.ErrUnreachable) || ctx.Err() != nil {
			l.seen.leaf = Unreached
		}
	case lies.Cert == nil:
		l.seen.leaf, l.seen.words = NothingShown, "There is no certificate."
	default:
		l.seen.shown = slices.Concat([][]byte{lies.Cert}, lies.Chain)
		l.seen.judge(s, l.seen.at)
		l.seen.words = describeFile(lies.Cert, l.seen.leaf)
	}
}

// describeFile says in words what was found.
func describeFile(der []byte, said LeafSeen) string {
	if said == LeafFine {
		return "Success"
	}
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return "What lies there is no certificate."
	case said&StrangerShown != 0:
		return fmt.Sprintf("Another certificate lies there: %q, thumbprint %s, valid until %s.",
			pki.CommonName(der), pki.Thumbprint(der), cert.NotAfter.UTC().Format(time.RFC3339))
	case said&LeafExpired != 0:
		return "It has expired."
	}
	return "It is not valid yet."
}

// inspect reads what lies where the application has its certificate. An error holds no
// secrets.
func (v *validator) inspect(ctx context.Context, l *fileLook) (lies deploy.Found, err error) {
	w := clm.Work{Host: hostOf(l.path), Subject: l.path.Last().ID}
	if err := v.enter(ctx, w); err != nil {
		return lies, err
	}
	defer v.leave(w)
	if err := v.hosts.isDown(w.Host, v.db.Now()); err != nil {
		return lies, err
	}
	var settings deploy.Settings
	if err := v.db.Read(ctx, func(tx *store.Tx) error {
		settings, err = v.settingsOf(tx, l.path, l.driver)
		return err
	}); err != nil {
		return lies, err
	}
	v.hosts.limitTo(w.Host, hostLimit(l.path))
	target, err := l.driver.New(settings)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, inspectTime)
		defer cancel()
		lies, err = target.Store.Inspect(ctx)
		v.hosts.tell(w.Host, err, v.db.Now())
	}
	if err == nil {
		return lies, nil
	}
	hidden := []secret.Plain{settings.Login.Password, settings.Login.Passphrase}
	for _, plain := range settings.Secrets {
		hidden = append(hidden, plain)
	}
	told := errors.New(remote.Redact(err.Error(), hidden...))
	if errors.Is(err, remote.ErrUnreachable) {
		return lies, unreached{told}
	}
	return lies, told
}

// enter waits for a place at the host of the application, where installations are as well.
func (v *validator) enter(ctx context.Context, w clm.Work) error {
	for {
		select {
		case v.inspecting <- struct{}{}:
		case <-ctx.Done():
			return errors.New("it was not its turn in time")
		}
		pause, ok := v.hosts.enter(w)
		if ok {
			return nil
		}
		<-v.inspecting
		v.rest(ctx, nil, max(pause, validatePause))
	}
}

func (v *validator) leave(w clm.Work) {
	v.hosts.leave(w, v.db.Now())
	<-v.inspecting
}

// results are what was seen at all places, with what is known of certificates that
// should not be there.
func (s *survey) results(ctx context.Context, c *Core) (all []store.Validation, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		all = nil
		add := func(f found, v store.Validation) error {
			said, err := s.whose(tx, f)
			v.Number, v.Leaf, v.Chain, v.Versions, v.Said, v.At = len(all)+1, uint32(said), uint32(f.chain), f.versions, f.words, f.at
			all = append(all, v)
			return err
		}
		for _, l := range s.services {
			for _, f := range l.seen {
				if err := add(f, store.Validation{Applications: l.apps, Names: l.names, Host: l.at.Host, Address: f.address, Port: l.at.Port}); err != nil {
					return err
				}
			}
		}
		for _, l := range s.files {
			if err := add(l.seen, store.Validation{File: true, Applications: []clm.ObjectID{l.path.Last().ID}}); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// whose tells of another certificate than the one that is expected whether it is known.
func (s *survey) whose(tx *store.Tx, f found) (LeafSeen, error) {
	if f.leaf&StrangerShown == 0 {
		return f.leaf, nil
	}
	holders, err := tx.Holders(pki.Thumbprint(f.shown[0]))
	holders = slices.DeleteFunc(holders, func(v clm.Version) bool { return !bytes.Equal(v.Cert, f.shown[0]) })
	known := StrangerShown
	if len(holders) > 0 {
		known = KnownShown
	}
	if slices.ContainsFunc(holders, func(v clm.Version) bool { return v.Certificate == s.path.Last().ID }) {
		known = FormerShown
	}
	return f.leaf&^StrangerShown | known, err
}
