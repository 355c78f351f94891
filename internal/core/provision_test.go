package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// pushed is where certificates go on to their applications by themselves.
const pushed = core.DefaultZone + `\Pushed`

// A fleet is a certificate that listeners use.
type fleet struct {
	*coretest.Rig
	*coretest.Listeners
	all  []*coretest.Listener
	cert string // its DN
}

func (f *fleet) app(n int) string { return fmt.Sprintf(`%s\host-%d\listener`, pushed, n) }

// newFleet starts so many listeners, each on a device of its own, and waits until all
// serve their first certificate. Rules are those of the folder.
func newFleet(t *testing.T, d coretest.Database, many int, rules map[clm.Attr]string) *fleet {
	t.Helper()
	f := &fleet{Listeners: coretest.NewListeners(t)}
	f.Rig = coretest.New(t, d, coretest.Options{Drivers: f.Drivers()})
	policy := map[clm.Attr]clm.Rule{clm.ManagementType: {Values: []string{clm.Provisioning}}}
	for a, value := range rules {
		policy[a] = clm.Rule{Values: []string{value}}
	}
	f.Folder(pushed, policy)
	for n := range many {
		f.all = append(f.all, f.New(nil))
		f.all[n].Service = fmt.Sprint("service-", n)
	}
	done, err := f.Request(context.Background(), f.Admin, f.request())
	if err != nil {
		t.Fatal(err)
	}
	f.cert = string(done.DN)
	await(t, f.Rig, done)
	f.settled(t)
	f.serve(t, f.inUse(t))
	return f
}

func (f *fleet) request() core.Request {
	r := core.Request{Folder: pushed, Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC}
	for n, l := range f.all {
		r.Devices = append(r.Devices, core.DeviceWish{
			Folder: pushed, Name: fmt.Sprintf("host-%d", n), Own: map[clm.Attr][]string{clm.Host: {"127.0.0.1"}},
			Applications: []core.ApplicationWish{{Name: "listener", Class: coretest.TargetClass, Own: map[clm.Attr][]string{clm.LookAt: {l.At}, clm.LookTime: {"20"}}}},
		})
	}
	return r
}

// lookBriefly looks at the application for a few seconds only: it is to be looked at in vain.
func (f *fleet) lookBriefly(t *testing.T, n int) {
	t.Helper()
	edit := core.Edit{Attr: clm.LookTime, Values: []string{"4"}}
	check(t, f.EditObject(context.Background(), f.Admin, f.app(n), []core.Edit{edit}, nil))
}

// renew renews the certificate and waits until that, and what follows, is over.
func (f *fleet) renew(t *testing.T) (cert []byte) {
	t.Helper()
	done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
	if err != nil {
		t.Fatal(err)
	}
	got := await(t, f.Rig, done)
	f.settled(t)
	return got.Version.Cert
}

func (f *fleet) inUse(t *testing.T) []byte {
	t.Helper()
	got, err := f.Retrieve(context.Background(), f.Admin, core.Retrieve{DN: f.cert, InUse: true})
	if err != nil {
		t.Fatal(err)
	}
	return got.Version.Cert
}

// settled waits until all installations have ended or stopped.
func (f *fleet) settled(t *testing.T) {
	t.Helper()
	for n := range f.all {
		f.works(t, n)
	}
}

// works waits until the installation at the application has ended, and is nil then, or
// has stopped.
func (f *fleet) works(t *testing.T, n int) *clm.Work {
	t.Helper()
	return settledInstall(t, f.Rig, f.app(n))
}

// settledInstall is works at any application.
func settledInstall(t *testing.T, r *coretest.Rig, app string) (w *clm.Work) {
	t.Helper()
	eventually(t, "the installation at "+app+" ends", func() bool {
		var err error
		w, err = r.OpenInstall(app)
		check(t, err)
		return w == nil || w.Failure != ""
	})
	return w
}

// serve wants all listeners to serve the certificate, and to find it after a reload.
func (f *fleet) serve(t *testing.T, cert []byte) {
	t.Helper()
	for n, l := range f.all {
		if !bytes.Equal(l.Serves(), cert) {
			t.Errorf("listener %d serves another certificate", n)
		}
		if !bytes.Equal(l.Finds(), cert) {
			t.Errorf("listener %d would serve another certificate after a reload", n)
		}
	}
}

// failed wants the installation to have stopped at the stage, with all the texts.
func (f *fleet) failed(t *testing.T, n int, stage clm.Stage, texts ...string) {
	t.Helper()
	w := f.works(t, n)
	if w == nil {
		t.Errorf("the installation at listener %d has not stopped", n)
		return
	}
	for _, text := range texts {
		if w.Stage != stage || !strings.Contains(w.Failure, text) {
			t.Errorf("got stage %s, failure %q; want %s and %q", w.Stage, w.Failure, stage, text)
		}
	}
}

// A renewed certificate goes on to the applications that use it, and they say so.
func TestRenewalGoesOnToApplications(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 3, nil)
		first := f.inUse(t)
		renewed := f.renew(t)
		if bytes.Equal(first, renewed) {
			t.Fatal("the certificate is the same")
		}
		f.serve(t, renewed)
		app, err := f.Object(context.Background(), f.Admin, f.app(1))
		if err != nil || app.Own[clm.PushedOn] == nil || app.Own[clm.PushedBy][0] != core.Admin || app.Own[clm.InstalledAs] == nil {
			t.Errorf("got %v, %v", app.Own, err)
		}
	})
}

// A target at which something fails is put back to what it served before, whatever it
// was; the others go their way.
func TestFailingTargetIsPutBack(t *testing.T) {
	refused := errors.New("refused by a test")
	for _, c := range []struct {
		name  string
		at    string // the call that fails
		done  bool   // although it was done
		stage clm.Stage
		text  string
	}{
		{"placing fails", "place", false, clm.Place, "refused"},
		{"the switch fails", "switch", false, clm.Configure, "refused"},
		{"the switch fails after it was made", "switch", true, clm.Configure, "refused"},
		{"the check fails", "check", false, clm.Configure, "refused"},
		{"the reload fails", "reload", false, clm.Reload, "served again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				f := newFleet(t, d, 2, nil)
				before := f.inUse(t)
				once := true
				fail := func(what string) error {
					if what == c.at && once {
						once = false
						return refused
					}
					return nil
				}
				if c.done {
					f.all[0].After = fail
				} else {
					f.all[0].Before = fail
				}
				renewed := f.renew(t)
				f.failed(t, 0, c.stage, c.text)
				if !bytes.Equal(f.all[0].Serves(), before) || !bytes.Equal(f.all[0].Finds(), before) {
					t.Error("the failing listener was not put back")
				}
				if !bytes.Equal(f.all[1].Serves(), renewed) {
					t.Error("the other listener has not got the new certificate")
				}
				if _, err := f.Retry(context.Background(), f.Admin, f.cert); err != nil {
					t.Fatal(err)
				}
				f.settled(t)
				f.serve(t, renewed)
			})
		})
	}
}

// A reload that says that it was done and was not is found out from outside.
func TestReloadThatDidNothingIsFoundOut(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before := f.inUse(t)
		f.all[0].Deaf = true
		f.lookBriefly(t, 0)
		f.renew(t)
		f.failed(t, 0, clm.Verify, "served again")
		f.serve(t, before)
	})
}

// Where all are to succeed together, one that fails takes all back.
func TestTogetherOrNotAtAll(t *testing.T) {
	for _, at := range []string{"place", "check", "reload", "deaf"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			coretest.Databases(t, func(t *testing.T, d coretest.Database) {
				f := newFleet(t, d, 3, map[clm.Attr]string{clm.AllOrNothing: "1"})
				before := f.inUse(t)
				var set []int // so much was done to let them serve the first one
				for _, l := range f.all {
					set = append(set, len(l.Calls()))
				}
				if f.all[1].Deaf = at == "deaf"; f.all[1].Deaf {
					f.lookBriefly(t, 1)
				}
				f.all[1].Before = func(what string) error {
					if what == at {
						return errors.New("refused by a test")
					}
					return nil
				}
				f.renew(t)
				for n := range f.all {
					if n == 1 {
						continue
					}
					f.failed(t, n, f.works(t, n).Stage, "everywhere or not at all", `host-1\listener`)
				}
				for n, l := range f.all {
					if n != 1 && !bytes.Equal(l.Serves(), before) {
						t.Errorf("listener %d was not put back", n)
					}
					if at == "place" && n != 1 && slices.Contains(l.Calls()[set[n]:], "switch") {
						t.Errorf("listener %d was switched, though not all were placed", n)
					}
				}
				f.all[1].Before, f.all[1].Deaf = nil, false
				if _, err := f.Retry(context.Background(), f.Admin, f.cert); err != nil {
					t.Fatal(err)
				}
				f.settled(t)
				f.serve(t, f.inUse(t))
			})
		})
	}
}

// What cannot be reached is tried again, and stops after a few tries; others do not
// wait for it.
func TestUnreachableHostIsTriedAgain(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 2, nil)
		before := f.inUse(t)
		f.all[0].Before = func(string) error { return fmt.Errorf("dial: %w", remote.ErrUnreachable) }
		done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
		if err != nil {
			t.Fatal(err)
		}
		renewed := await(t, f.Rig, done).Version.Cert
		f.works(t, 1)
		if !bytes.Equal(f.all[1].Serves(), renewed) || !bytes.Equal(f.all[0].Serves(), before) {
			t.Error("the other listener has not got the new certificate, or the first has")
		}
		for range clm.MaxAttempts {
			w, err := f.OpenInstall(f.app(0))
			if err != nil || w == nil {
				t.Fatal(w, err)
			}
			f.Clock.Turn(2 * time.Minute)
		}
		f.failed(t, 0, clm.Place, "cannot be reached")
	})
}

// A process may die before and after every effect of an installation: another one
// brings it to its end, and every application serves the new certificate.
func TestCrashWhileInstalling(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		stages := slices.DeleteFunc(clm.Plan(clm.Install), func(s clm.Stage) bool { return s == clm.End })
		f := newFleet(t, d, 2*len(stages), nil)
		g := &graveyard{dead: map[string]bool{}, died: make(chan struct{}, len(f.all))}
		f.Around(func(stage clm.Stage, after bool, app string) {
			n := 2 * slices.Index(stages, stage)
			if after {
				n++
			}
			if n >= 0 {
				g.die(f.app(n), app)
			}
		})
		done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
		if err != nil {
			t.Fatal(err)
		}
		await(t, f.Rig, done)
		for range f.all {
			receive(t, "a worker to die", g.died)
		}
		f.Stop()
		f.Clock.Turn(core.Lease + time.Second)
		f.Start(coretest.Options{Drivers: f.Drivers()})
		f.settled(t)
		f.serve(t, f.inUse(t))
		for n := range f.all {
			if w := f.works(t, n); w != nil {
				t.Errorf("listener %d: %s", n, w.Failure)
			}
		}
	})
}

// A reset ends an installation that is under way: whoever is at it puts back what it has
// changed, and a push after that goes on undisturbed.
func TestResetWinsOverInstallation(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := newFleet(t, d, 1, nil)
		before, l := f.inUse(t), f.all[0]
		at, goOn := make(chan struct{}, 1), make(chan struct{})
		l.After = func(what string) error {
			if what == "reload" && bytes.Equal(l.Serves(), f.inUse(t)) {
				l.After = nil
				at <- struct{}{}
				<-goOn
			}
			return nil
		}
		done, err := f.Renew(context.Background(), f.Admin, core.Renew{DN: f.cert})
		if err != nil {
			t.Fatal(err)
		}
		await(t, f.Rig, done)
		receive(t, "the reload", at)
		if _, err := f.Reset(context.Background(), f.Admin, core.Reset{DN: f.cert}); err != nil {
			t.Fatal(err)
		}
		close(goOn)
		eventually(t, "what was changed is put back", func() bool { return bytes.Equal(l.Serves(), before) })
		if _, err := f.Push(context.Background(), f.Admin, core.Push{DN: f.cert, All: true}); err != nil {
			t.Fatal(err)
		}
		f.settled(t)
		f.serve(t, f.inUse(t))
	})
}

// A host that is dead takes no more than its share: those of other hosts are served at
// once, however many wait for it.
func TestDeadHostDelaysNobody(t *testing.T) {
	d := coretest.SQLite(t)
	f := newFleet(t, d, 1, nil)
	dead := f.New(nil)
	hang := make(chan struct{})
	defer close(hang)
	dead.Before = func(string) error {
		<-hang
		return remote.ErrUnreachable
	}
	const waiting = 1000
	r := core.Request{Folder: pushed, Names: clm.Names{CommonName: "dead.example.com"}, KeyAlgorithm: clm.ECC}
	wish := core.DeviceWish{Folder: pushed, Name: "dead", Own: map[clm.Attr][]string{clm.Host: {"192.0.2.1"}}}
	for n := range waiting {
		wish.Applications = append(wish.Applications, core.ApplicationWish{
			Name: fmt.Sprint("app-", n), Class: coretest.TargetClass, Own: map[clm.Attr][]string{clm.LookAt: {dead.At}},
		})
	}
	r.Devices = []core.DeviceWish{wish}
	done, err := f.Request(context.Background(), f.Admin, r)
	if err != nil {
		t.Fatal(err)
	}
	await(t, f.Rig, done)
	for range 3 {
		f.serve(t, f.renew(t))
	}
}

// No more installations are under way at a host than its device says.
func TestHostTakesSoManyAtATime(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &fleet{Listeners: coretest.NewListeners(t)}
		f.Rig = coretest.New(t, d, coretest.Options{Drivers: f.Drivers()})
		f.Folder(pushed, map[clm.Attr]clm.Rule{clm.ManagementType: {Values: []string{clm.Provisioning}}})
		const limit, many = 2, 8
		var now, most atomic.Int32
		wish := core.DeviceWish{Folder: pushed, Name: "host", Own: map[clm.Attr][]string{clm.Host: {"127.0.0.1"}, clm.HostLimit: {fmt.Sprint(limit)}}}
		for n := range many {
			l := f.New(nil)
			l.Service = fmt.Sprint("service-", n)
			l.Before = func(what string) error {
				if what == "place" {
					for at := now.Add(1); ; {
						if seen := most.Load(); at <= seen || most.CompareAndSwap(seen, at) {
							break
						}
					}
				}
				return nil
			}
			l.After = func(what string) error {
				if what == "keep" {
					now.Add(-1)
				}
				return nil
			}
			f.all = append(f.all, l)
			wish.Applications = append(wish.Applications, core.ApplicationWish{
				Name: fmt.Sprint("app-", n), Class: coretest.TargetClass, Own: map[clm.Attr][]string{clm.LookAt: {l.At}},
			})
		}
		r := core.Request{Folder: pushed, Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC, Devices: []core.DeviceWish{wish}}
		done, err := f.Request(context.Background(), f.Admin, r)
		if err != nil {
			t.Fatal(err)
		}
		cert := await(t, f.Rig, done).Version.Cert
		eventually(t, "all serve the certificate", func() bool {
			return !slices.ContainsFunc(f.all, func(l *coretest.Listener) bool { return !bytes.Equal(l.Serves(), cert) })
		})
		if got := most.Load(); got > limit || got < 1 {
			t.Errorf("%d installations were under way at a time, want %d at most", got, limit)
		}
	})
}
