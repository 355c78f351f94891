package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/store"
)

// drivers are those that these tests go by; none of them is ever set to work.
var drivers = deploy.Registry{"pem": {WantsKey: true}, "open": {}}

// shop is a certificate that applications use.
type shop struct {
	*coretest.Rig
	t  testing.TB
	id clm.ObjectID
	dn string // of the certificate
}

// newShop imports a certificate with its key, and lets applications on two devices use it:
// web\a, web\b and mail\c.
func newShop(t *testing.T, d coretest.Database) shop {
	t.Helper()
	s := shop{Rig: coretest.New(t, d, coretest.Options{Idle: true, Rehearsal: true, Drivers: drivers}), t: t}
	leaf := foreignLeaf(t, "www.example.com", time.Hour, nil)
	done := take(t, s.Rig, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
	s.id, s.dn = done.ID, string(done.DN)
	s.put(s.dn, clm.ServerCertificate, clm.ManagementType, clm.Provisioning)
	s.put(at("web"), clm.Device)
	s.put(at("mail"), clm.Device)
	for _, app := range []string{`web\a`, `web\b`, `mail\c`} {
		s.put(at(app), clm.ApplicationClass("pem"))
		s.bind(at(app))
	}
	return s
}

// at is the DN of something in the default zone.
func at(name string) string { return core.DefaultZone + `\` + name }

func (s shop) put(dn string, class clm.Class, own ...any) {
	s.t.Helper()
	p := core.Put{DN: dn, Class: class, Own: map[clm.Attr][]string{}}
	for pair := range slices.Chunk(own, 2) {
		p.Own[pair[0].(clm.Attr)] = []string{pair[1].(string)}
	}
	_, err := s.Put(context.Background(), s.Admin, p)
	check(s.t, err)
}

func (s shop) bind(app string) {
	s.t.Helper()
	_, err := s.Bind(context.Background(), s.Admin, app, s.dn)
	check(s.t, err)
}

func (s shop) scene(app string, scene core.Scene, stage clm.Stage) {
	s.t.Helper()
	_, err := s.Rehearse(context.Background(), s.Admin, core.Rehearsal{DN: app, Scene: scene, Stage: stage, Text: "Permission denied"})
	check(s.t, err)
}

// installs are the works that are open at applications of the names.
func (s shop) installs(apps ...string) (works []*clm.Work) {
	s.t.Helper()
	for _, app := range apps {
		w, err := s.OpenInstall(at(app))
		check(s.t, err)
		works = append(works, w)
	}
	return works
}

// consumers are the applications that the certificate says to use it, by name.
func (s shop) consumers() (names []string) {
	s.t.Helper()
	d, err := s.Details(context.Background(), s.Admin, s.id)
	check(s.t, err)
	for _, dn := range d.Consumers {
		names = append(names, dn.Parent().Name()+`\`+dn.Name())
	}
	return names
}

func (s shop) bound(app string) bool {
	s.t.Helper()
	o, err := s.Object(context.Background(), s.Admin, at(app))
	check(s.t, err)
	return slices.Equal(o.Own[clm.Bound], []string{string(s.id)})
}

// A push opens one work for each application, named once or twice, and none for others.
func TestPushOpensWork(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		web, err := s.Object(context.Background(), s.Admin, at("web"))
		check(t, err)
		done, err := s.Push(context.Background(), s.Admin, core.Push{DN: s.dn, Applications: []string{at(`web\b`), at(`WEB\B`), at(`web\a`)}})
		check(t, err)
		works := s.installs(`web\b`, `web\a`, `mail\c`)
		if works[0] == nil || works[1] == nil || works[2] != nil {
			t.Fatalf("got %v", works)
		}
		if !slices.Equal(done.Works, []clm.WorkID{works[0].ID, works[1].ID}) || len(done.Skipped) != 0 || string(done.DN) != s.dn {
			t.Errorf("got %+v", done)
		}
		for _, w := range works[:2] {
			if w.Op != clm.Install || w.Stage != clm.Place || w.Host != web.ID || w.Together != 0 || w.Actor != core.Admin || w.Version != inUse(t, s.Rig, clm.DN(s.dn)).Version.ID {
				t.Errorf("got %+v", w)
			}
		}
		if log := entries(t, s.Rig, "push"); len(log) != 1 || log[0].Subject != s.dn || log[0].Detail != "to 2 applications" {
			t.Errorf("got entries %+v", log)
		}
	})
}

// Where one application cannot be pushed to, none is; all of them passes it over and tells
// why; where nothing is left it fails.
func TestPushAllOrNone(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		s.put(at(`web\b`), clm.ApplicationClass("pem"), clm.Off, "1")
		_, err := s.Push(ctx, s.Admin, core.Push{DN: s.dn, Applications: []string{at(`web\a`), at(`web\b`)}})
		if e := clm.AsError(err); e == nil || e.Kind != clm.Disabled || e.Subject != at(`web\b`) {
			t.Errorf("got %v", err)
		}
		if works := s.installs(`web\a`, `web\b`, `mail\c`); slices.ContainsFunc(works, func(w *clm.Work) bool { return w != nil }) {
			t.Errorf("got %v", works)
		}
		checkRefusal(t, s.Rig, "push", s.dn, core.Admin, clm.Disabled)
		done, err := s.Push(ctx, s.Admin, core.Push{DN: s.dn, Applications: []string{"nonsense"}, All: true})
		if err != nil || len(done.Works) != 2 || len(done.Skipped) != 1 || done.Skipped[0].Kind != clm.Disabled || done.Skipped[0].Subject != at(`web\b`) {
			t.Errorf("got %+v, %v", done, err)
		}
		if works := s.installs(`web\a`, `web\b`, `mail\c`); works[0] == nil || works[1] != nil || works[2] == nil {
			t.Errorf("got %v", works)
		}
		done, err = s.Push(ctx, s.Admin, core.Push{DN: s.dn, All: true})
		if !errors.Is(err, clm.Unnecessary) || len(done.Skipped) != 3 || done.Skipped[2].Field != "application/queued" {
			t.Errorf("got %+v, %v", done, err)
		}
	})
}

// Applications that are pushed to together have the first one's work in common: because
// it is asked for, or because policy has it and nothing else is asked for.
func TestPushTogether(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		yes, no := true, false
		for _, c := range []struct {
			name   string
			policy string
			asked  *bool
			apps   []string
			want   bool
		}{
			{"nobody says anything", "", nil, []string{`web\a`, `mail\c`}, false},
			{"it is asked for", "", &yes, []string{`web\a`, `mail\c`}, true},
			{"policy has it", "1", nil, []string{`web\a`, `mail\c`}, true},
			{"policy has it, and the opposite is asked for", "1", &no, []string{`web\a`, `mail\c`}, false},
			{"there is one alone", "1", &yes, []string{`web\a`}, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				s.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.AllOrNothing: {Values: []string{c.policy}}})
				p := core.Push{DN: s.dn, Together: c.asked}
				for _, app := range c.apps {
					p.Applications = append(p.Applications, at(app))
				}
				_, err := s.Push(context.Background(), s.Admin, p)
				check(t, err)
				works := s.installs(c.apps...)
				for i, w := range works {
					if want := map[bool]clm.WorkID{true: works[0].ID}[c.want]; w.Together != want {
						t.Errorf("got %d together with %d, want %d", w.ID, w.Together, want)
					}
					s.scene(at(c.apps[i]), core.SceneIdle, "")
				}
			})
		}
	})
}

// Of many pushes to one application at once, one succeeds.
func TestPushOnce(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		var mu sync.Mutex
		var all sync.WaitGroup
		pushed := 0
		for range 20 {
			all.Go(func() {
				_, err := s.Push(context.Background(), s.Admin, core.Push{DN: s.dn, Applications: []string{at(`web\a`)}})
				mu.Lock()
				defer mu.Unlock()
				if e := clm.AsError(err); e == nil {
					pushed++
				} else if e.Kind != clm.Busy || e.Field != "application/queued" || e.Subject != at(`web\a`) {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if pushed != 1 {
			t.Errorf("%d have succeeded", pushed)
		}
	})
}

// An application that is only being looked at gets the certificate anew.
func TestPushWhileLookedAt(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		s.scene(at(`web\a`), core.SceneProcessing, clm.Verify)
		before := s.installs(`web\a`)[0]
		done, err := s.Push(context.Background(), s.Admin, core.Push{DN: s.dn, Applications: []string{at(`web\a`)}})
		check(t, err)
		if after := s.installs(`web\a`)[0]; after.ID == before.ID || after.ID != done.Works[0] || after.Stage != clm.Place {
			t.Errorf("got %+v", after)
		}
	})
}

// Whoever writes the application starts what a push would, by the same rules.
func TestStartInstall(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		writer := user(t, s.Rig, "writer")
		give(t, s.Rig, at(`web\a`), "writer", clm.View|clm.Write)
		give(t, s.Rig, at(`web\b`), "writer", clm.View)
		s.put(at(`web\free`), clm.ApplicationClass("pem"))
		s.put(at(`web\basic`), basic)
		s.bind(at(`web\basic`))
		for _, c := range []struct {
			name  string
			who   clm.Actor
			dn    string
			kind  clm.Kind
			field string
		}{
			{"who may only see it", writer, at(`web\b`), clm.Denied, ""},
			{"who may not even do that", writer, at(`mail\c`), clm.NotFound, ""},
			{"no application", s.Admin, s.dn, clm.Unsupported, "trigger"},
			{"one that uses nothing", s.Admin, at(`web\free`), clm.NotIssued, ""},
			{"one in which nothing is installed", s.Admin, at(`web\basic`), clm.Unsupported, "driver"},
		} {
			err := s.StartInstall(ctx, c.who, c.dn)
			if e := clm.AsError(err); e == nil || e.Kind != c.kind || e.Field != c.field {
				t.Errorf("%s: got %v, want %v %q", c.name, err, c.kind, c.field)
			}
		}
		check(t, s.StartInstall(ctx, writer, at(`web\a`)))
		if w := s.installs(`web\a`)[0]; w == nil || w.Actor != "writer" || w.Host == "" {
			t.Errorf("got %+v", w)
		}
		if err := s.StartInstall(ctx, writer, at(`web\a`)); !errors.Is(err, clm.Busy) {
			t.Errorf("again: got %v", err)
		}
		s.put(s.dn, clm.ServerCertificate, clm.ManagementType, clm.Enrollment)
		if err := s.StartInstall(ctx, s.Admin, at(`mail\c`)); !errors.Is(err, clm.Unsupported) {
			t.Errorf("of a certificate that is only enrolled: got %v", err)
		}
	})
}

// A certificate shows how it comes to its applications, until all have got it.
func TestInstallingIsShown(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		shown := func() core.Installing {
			t.Helper()
			d, err := s.Details(context.Background(), s.Admin, s.id)
			check(t, err)
			v, err := s.View(context.Background(), s.Admin, s.dn)
			check(t, err)
			if d.Installing != v.Installing {
				t.Errorf("details have %+v, and the view %+v", d.Installing, v.Installing)
			}
			return d.Installing
		}
		if got := shown(); !got.IsOver() {
			t.Errorf("got %+v", got)
		}
		_, err := s.Push(context.Background(), s.Admin, core.Push{DN: s.dn, All: true})
		check(t, err)
		if got := shown(); got != (core.Installing{Waiting: 3}) {
			t.Errorf("got %+v", got)
		}
		s.scene(at(`web\a`), core.SceneError, clm.Reload)
		s.scene(at(`web\b`), core.SceneIdle, "")
		if got := shown(); got != (core.Installing{Waiting: 1, Failed: 1}) {
			t.Errorf("got %+v", got)
		}
		_, err = s.Reset(context.Background(), s.Admin, core.Reset{DN: s.dn})
		check(t, err)
		if got := shown(); !got.IsOver() {
			t.Errorf("got %+v", got)
		}
	})
}

// Applications are associated all or none, keep their order, and are pushed to where that
// can be; what keeps one from it is told.
func TestAssociate(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		s.put(at(`web\new`), clm.ApplicationClass("pem"))
		s.put(at(`web\basic`), basic)
		taken := take(t, s.Rig, core.Import{Name: "other", Certificate: bundle(foreignLeaf(t, "other.example.com", time.Hour, nil))})
		s.put(at(`web\taken`), clm.ApplicationClass("pem"))
		_, err := s.Bind(ctx, s.Admin, at(`web\taken`), string(taken.DN))
		check(t, err)

		_, err = s.Associate(ctx, s.Admin, core.Associate{DN: s.dn, Applications: []string{at(`web\new`), at(`web\taken`)}})
		if e := clm.AsError(err); e == nil || e.Kind != clm.Exists || e.Subject != at(`web\taken`) || e.Value != string(taken.DN) {
			t.Errorf("got %v", err)
		}
		if s.bound(`web\new`) || len(s.consumers()) != 3 {
			t.Error("something was associated")
		}
		done, err := s.Associate(ctx, s.Admin, core.Associate{DN: s.dn, Applications: []string{at(`web\new`), at(`web\basic`), at(`web\a`)}, PushToNew: true})
		if err != nil || len(done.Works) != 2 || len(done.Skipped) != 1 || done.Skipped[0].Field != "driver" || done.Skipped[0].Subject != at(`web\basic`) {
			t.Errorf("got %+v, %v", done, err)
		}
		if got, want := s.consumers(), []string{`web\a`, `web\b`, `mail\c`, `web\new`, `web\basic`}; !slices.Equal(got, want) || !s.bound(`web\new`) || !s.bound(`web\basic`) {
			t.Errorf("got %v, want %v", got, want)
		}
		if works := s.installs(`web\new`, `web\a`, `web\b`, `web\basic`); works[0] == nil || works[1] == nil || works[2] != nil || works[3] != nil {
			t.Errorf("got %v", works)
		}
		s.put(s.dn, clm.ServerCertificate, clm.Off, "1")
		done, err = s.Associate(ctx, s.Admin, core.Associate{DN: s.dn, Applications: []string{at(`web\b`)}, PushToNew: true})
		if err != nil || len(done.Works) != 0 || len(done.Skipped) != 1 || done.Skipped[0].Kind != clm.Disabled || done.Skipped[0].Subject != s.dn {
			t.Errorf("got %+v, %v", done, err)
		}
	})
}

// Applications are dissociated all or none; the others keep their order; what was under
// way there ends.
func TestDissociate(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		s.put(at(`web\free`), clm.ApplicationClass("pem"))
		_, err := s.Push(ctx, s.Admin, core.Push{DN: s.dn, All: true})
		check(t, err)
		err = s.Dissociate(ctx, s.Admin, core.Dissociate{DN: s.dn, Applications: []string{at(`web\a`), at(`web\free`)}})
		if e := clm.AsError(err); e == nil || e.Kind != clm.NotFound || e.Field != "bound" || e.Subject != at(`web\free`) || e.Value != s.dn {
			t.Errorf("got %v", err)
		}
		if got := s.consumers(); len(got) != 3 || !s.bound(`web\a`) {
			t.Errorf("got %v", got)
		}
		check(t, s.Dissociate(ctx, s.Admin, core.Dissociate{DN: s.dn, Applications: []string{at(`web\b`), at(`web\b`)}}))
		if got, want := s.consumers(), []string{`web\a`, `mail\c`}; !slices.Equal(got, want) || s.bound(`web\b`) {
			t.Errorf("got %v, want %v", got, want)
		}
		if works := s.installs(`web\a`, `web\b`); works[0] == nil || works[1] != nil {
			t.Errorf("got %v", works)
		}
	})
}

// Orphans are deleted by those who may: applications, and devices that hold nothing else.
func TestDissociateDeletesOrphans(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		is := func(name string, want bool) {
			t.Helper()
			if _, err := s.Object(ctx, s.Admin, at(name)); (err == nil) != want {
				t.Errorf("%s: got %v, want there %t", name, err, want)
			}
		}
		drop := func(who clm.Actor, apps ...string) error {
			d := core.Dissociate{DN: s.dn, DeleteOrphans: true}
			for _, app := range apps {
				d.Applications = append(d.Applications, at(app))
			}
			return s.Dissociate(ctx, who, d)
		}
		const app = clm.View | clm.Write
		bob := user(t, s.Rig, "bob")
		give(t, s.Rig, s.dn, "bob", clm.View|clm.Write)
		for _, c := range []struct {
			name        string
			app, device clm.Rights
			field       string
			subject     string
		}{
			{"who may not delete the application", app, clm.View | clm.Delete, "orphan", `mail\c`},
			{"who may not see the device", app | clm.Delete, 0, "orphan/unseen", `mail`},
			{"who may not delete the device", app | clm.Delete, clm.View, "orphan/device", `mail`},
		} {
			give(t, s.Rig, at("mail"), "bob", c.device)
			give(t, s.Rig, at(`mail\c`), "bob", c.app)
			err := drop(bob, `mail\c`)
			if e := clm.AsError(err); e == nil || e.Kind != clm.Denied || e.Field != c.field || e.Subject != at(c.subject) {
				t.Errorf("%s: got %v", c.name, err)
			}
			is(`mail\c`, true)
			if !s.bound(`mail\c`) || len(s.consumers()) != 3 {
				t.Errorf("%s: it is not associated any more", c.name)
			}
		}
		check(t, drop(s.Admin, `web\a`))
		is(`web\a`, false)
		is("web", true)
		give(t, s.Rig, at("mail"), "bob", clm.View|clm.Delete)
		give(t, s.Rig, at(`mail\c`), "bob", app|clm.Delete)
		check(t, drop(bob, `mail\c`))
		is(`mail\c`, false)
		is("mail", false)
		check(t, drop(s.Admin, `web\b`))
		is("web", false)
		if got := s.consumers(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// An application that goes over to another certificate is not given the former one any more.
func TestReleaseEndsInstallation(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		ctx := context.Background()
		_, err := s.Push(ctx, s.Admin, core.Push{DN: s.dn, Applications: []string{at(`web\a`)}})
		check(t, err)
		other := take(t, s.Rig, core.Import{Name: "other", Certificate: bundle(foreignLeaf(t, "other.example.com", time.Hour, nil))})
		_, err = s.Bind(ctx, s.Admin, at(`web\a`), string(other.DN))
		check(t, err)
		if w := s.installs(`web\a`)[0]; w != nil {
			t.Errorf("got %+v", w)
		}
	})
}

// Installs finds the open works of one certificate alone.
func TestInstallsOfOneCertificate(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		s := newShop(t, d)
		done, err := s.Push(context.Background(), s.Admin, core.Push{DN: s.dn, All: true})
		check(t, err)
		check(t, s.DB.Read(context.Background(), func(tx *store.Tx) error {
			for id, want := range map[clm.ObjectID][]clm.WorkID{s.id: done.Works, "another": nil} {
				works, err := tx.Installs(id)
				if err != nil {
					return err
				}
				var got []clm.WorkID
				for _, w := range works {
					got = append(got, w.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: got %v, want %v", id, got, want)
				}
			}
			return nil
		}))
	})
}
