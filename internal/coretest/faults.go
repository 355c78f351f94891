package coretest

import (
	"context"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/embedded"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// Faulty is a connector around the embedded CA that lets the test in before and
// after each call: the CA can then fail and have done nothing, fail although it
// did it, take its time, or be the last thing that its caller ever did. It counts
// what it has issued.
type Faulty struct {
	Local bool // its CAs touch nothing outside, as the embedded one
	Holds bool // its CAs put certificates on hold

	mu      sync.Mutex
	hook    func(context.Context, Call) error
	calls   map[string]int
	serials map[string]map[string]bool // by the common name of the order
	latest  map[string][]byte          // the same, the last certificate
}

// Call is what a Faulty is doing when it lets the test in.
type Call struct {
	Name  string // submit, collect, revoke, hold or release
	After bool   // it was done
	Order ca.Order
}

// The drivers by which templates know the faulty CA, and where a rig has it.
const (
	faultyDriver = "faulty"
	FaultyCA     = `\VED\Policy\CAs\Faulty`
	FaultyZone   = `\VED\Policy\Faulty`
)

// Connectors are the options' further connectors with this one among them.
func (f *Faulty) Connectors() ca.Registry {
	return ca.Registry{faultyDriver: {Fields: embedded.Connector.Fields, New: func(s ca.Settings) (ca.CA, error) {
		made, err := embedded.Connector.New(s)
		switch {
		case err != nil || !f.Local && !f.Holds:
			return &faultyCA{made, f}, err
		case f.Holds:
			return holdingFaultyCA{&faultyCA{made, f}}, nil
		}
		return localFaultyCA{&faultyCA{made, f}}, nil
	}}}
}

// At has the hook called at every call from now on; an error that it returns is
// what the call returns. nil ends that.
func (f *Faulty) At(hook func(context.Context, Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Hold has the CA keep its answer to the first call of the name to itself: asked gets
// a value when it has done what it was asked for, release lets the answer go, as the
// end of the test does.
func (f *Faulty) Hold(t testing.TB, name string) (asked <-chan struct{}, release func()) {
	asking, held := make(chan struct{}, 1), make(chan struct{})
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	var isHeld atomic.Bool
	f.At(func(_ context.Context, c Call) error {
		if c.Name == name && c.After && isHeld.CompareAndSwap(false, true) {
			asking <- struct{}{}
			<-held
		}
		return nil
	})
	return asking, release
}

// Calls is how often a call of that name was begun.
func (f *Faulty) Calls(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[name]
}

// Issued is how many different certificates were issued for the common name.
func (f *Faulty) Issued(cn string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.serials[cn])
}

// Latest is the certificate that was issued last for the common name; DER.
func (f *Faulty) Latest(cn string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest[cn]
}

// at counts the call and lets the test in.
func (f *Faulty) at(ctx context.Context, c Call) error {
	f.mu.Lock()
	if f.calls == nil {
		f.calls, f.serials, f.latest = map[string]int{}, map[string]map[string]bool{}, map[string][]byte{}
	}
	if !c.After {
		f.calls[c.Name]++
	}
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(ctx, c)
}

// count counts a certificate that leaves the CA.
func (f *Faulty) count(cn string, der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.serials[cn] == nil {
		f.serials[cn] = map[string]bool{}
	}
	f.serials[cn][cert.SerialNumber.String()] = true
	f.latest[cn] = der
	return nil
}

// faultyCA is a CA that is outside; localFaultyCA is one that is not.
type faultyCA struct {
	ca.CA
	*Faulty
}

type localFaultyCA struct{ *faultyCA }

// IsLocal marks the CA as one that touches nothing outside this process.
func (localFaultyCA) IsLocal() {}

func (c *faultyCA) Submit(ctx context.Context, o ca.Order) (string, error) {
	if err := c.at(ctx, Call{Name: "submit", Order: o}); err != nil {
		return "", err
	}
	ref, err := c.CA.Submit(ctx, o)
	if err == nil {
		err = c.at(ctx, Call{Name: "submit", After: true, Order: o})
	}
	if err != nil {
		ref = "" // who gets no answer gets no name
	}
	return ref, err
}

// Revoke lets the test in; nobody is asked, for the embedded CA behind has nothing
// to do.
func (c *faultyCA) Revoke(ctx context.Context, _ []byte, _ clm.Reason, _ string) error {
	return c.tells(ctx, "revoke")
}

// holdingFaultyCA is one that puts certificates on hold, too.
type holdingFaultyCA struct{ *faultyCA }

func (c holdingFaultyCA) Hold(ctx context.Context, _ []byte, _ string) error {
	return c.tells(ctx, "hold")
}

func (c holdingFaultyCA) Release(ctx context.Context, _ []byte, _ string) error {
	return c.tells(ctx, "release")
}

func (c *faultyCA) tells(ctx context.Context, call string) error {
	err := c.at(ctx, Call{Name: call})
	if err == nil {
		err = c.at(ctx, Call{Name: call, After: true})
	}
	return err
}

func (c *faultyCA) Collect(ctx context.Context, o ca.Order) (ca.Issued, error) {
	if err := c.at(ctx, Call{Name: "collect", Order: o}); err != nil {
		return ca.Issued{}, err
	}
	issued, err := c.CA.Collect(ctx, o)
	if err == nil && issued.Cert != nil {
		err = c.count(o.Names.CommonName, issued.Cert)
	}
	if err == nil {
		err = c.at(ctx, Call{Name: "collect", After: true, Order: o})
	}
	return issued, err
}

// Folder makes a folder with these rules for the certificates in it, and grants
// nobody anything.
func (r *Rig) Folder(dn string, rules map[clm.Attr]clm.Rule) string {
	r.t.Helper()
	policy := map[clm.PolicyKey]clm.Rule{}
	for a, rule := range rules {
		policy[clm.PolicyKey{Class: clm.AnyCertificate, Attr: a}] = rule
	}
	if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: dn, Class: clm.Folder, Policy: policy}); err != nil {
		r.t.Fatal(err)
	}
	return dn
}

// AddFaulty makes the template FaultyCA, with further settings, and the folder
// FaultyZone, whose certificates are ordered from it.
func (r *Rig) AddFaulty(settings map[clm.Attr][]string) {
	r.t.Helper()
	own := map[clm.Attr][]string{clm.Driver: {faultyDriver}, clm.Issuer: {core.ECDSAIssuer}}
	for a, values := range settings {
		own[a] = values
	}
	if _, err := r.Put(context.Background(), r.Admin, core.Put{DN: FaultyCA, Class: clm.Authority, Own: own}); err != nil {
		r.t.Fatal(err)
	}
	r.Folder(FaultyZone, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{FaultyCA}}})
}
