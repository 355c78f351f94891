package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/store"
)

// Push asks for the certificate in use of a place to be put where applications use it.
type Push struct {
	DN           string
	Applications []string // DNs; what is there twice counts once, and there are MaxLinked at most
	All          bool     // all applications that use the certificate, whatever Applications says
	Together     *bool    // they succeed together or not at all; nil: as clm.AllOrNothing has it
}

// Pushed says what a push has begun.
type Pushed struct {
	DN      clm.DN
	Works   []clm.WorkID // one for each application
	Skipped []*clm.Error // with All: why applications were passed over, in their order
}

// PushKinds are the ways in which Push fails. What is about an application has a Field
// that says so, and the application as its Subject:
//
//	Limited      applications: more are named than the Value
//	Invalid      applications: none is named; application: one of them is blank
//	NotFound     application; bound: it uses no certificate
//	Denied       application/read; application: Write and Associate are needed; otherwise about the certificate
//	Unsupported  certificate, application: the object is none (Value: its class); type: such certificates are not
//	             installed (Value: the class); driver: nothing is installed in applications of the class
//	Exists       bound: it uses the certificate Value
//	Busy         queued: the next certificate is asked for; empty: it is on its way (Value: the point);
//	             application (Value: the point); application/queued
//	Unwritten    certificate/read, application/read, work
//	Unnecessary  no application is left; Pushed.Skipped says why
//
// Disabled, InError and NoKey have the Field application, or are about the certificate.
var PushKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy, clm.InError, clm.Disabled, clm.NotIssued, clm.NoKey,
	clm.Unnecessary, clm.Unsupported, clm.Exists, clm.Unwritten, clm.Limited,
}

// Push opens the work that puts the certificate in use where the applications use it:
// for all of them or, where one cannot be, for none. With All those that cannot be are
// passed over.
func (c *Core) Push(ctx context.Context, who clm.Actor, r Push) (done Pushed, err error) {
	if r.All {
		r.Applications = nil
	}
	if r.Applications, err = eachOnce(r.Applications); err != nil {
		return done, clm.About(r.DN, err)
	}
	err = unlessBegun(func() (err error) { done, err = c.pushNow(ctx, who, r); return err })
	return done, err
}

// unlessBegun does it anew where somebody else has begun the same at the same moment:
// what they have begun can be seen then.
func unlessBegun(do func() error) (err error) {
	for range maxBegun {
		if err = do(); !errors.Is(err, store.ErrDuplicate) {
			return err
		}
	}
	return err
}

const maxBegun = 5 // so often it is tried

// eachOnce are the DNs without those that are there already, in whatever spelling. It
// fails with Limited where there are more than MaxLinked.
func eachOnce(dns []string) (once []string, err error) {
	seen := map[string]bool{}
	for _, dn := range dns {
		key := strings.TrimSpace(dn)
		if parsed, err := clm.ParseDN(dn); err == nil {
			key = parsed.Key()
		}
		if !seen[key] {
			once = append(once, dn)
		}
		if seen[key] = true; len(once) > MaxLinked {
			return nil, clm.Fail(clm.Limited, "applications", strconv.Itoa(MaxLinked))
		}
	}
	return once, nil
}

// pushNow is Push, which fails with store.ErrDuplicate besides.
func (c *Core) pushNow(ctx context.Context, who clm.Actor, r Push) (done Pushed, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "push", Subject: r.DN}, func(tx *store.Tx) error {
		done = Pushed{}
		path, err := linkable(tx, who, r.DN, clm.Read)
		if err != nil {
			return err
		}
		place := path.Last()
		done.DN = place.DN
		tx.About(string(place.DN), "")
		named, err := r.named(tx, who, place)
		if err != nil {
			return clm.About(string(place.DN), err)
		}
		from, err := c.pushFrom(tx, path)
		if err == nil {
			err = from.may()
		}
		if err != nil {
			return clm.About(string(place.DN), err)
		}
		var apps []consumer
		for _, dn := range named {
			app, err := c.mayPushTo(tx, who, dn, from)
			switch {
			case err == nil && !slices.ContainsFunc(apps, app.isSame):
				apps = append(apps, app)
			case err != nil && (!r.All || isFault(err)):
				return err
			case err != nil:
				done.Skipped = append(done.Skipped, clm.AsError(err))
			}
		}
		if len(apps) == 0 {
			return clm.About(string(place.DN), clm.Unnecessary)
		}
		done.Works, err = from.push(tx, who, apps, r.Together)
		return err
	})
	return done, err
}

// named are the applications that are meant, by DN. It fails with Unnecessary where all
// are meant and there is none.
func (r Push) named(tx *store.Tx, who clm.Actor, place *clm.Object) ([]string, error) {
	if !r.All {
		return r.Applications, areNamed(r.Applications)
	}
	using, err := consumersOf(tx, who, place)
	if err == nil && len(using) == 0 {
		err = clm.Unnecessary
	}
	return textsOf(using), err
}

// areNamed makes sure that there are DNs of applications, and no blank one among them.
func areNamed(dns []string) error {
	if len(dns) == 0 {
		return clm.Fail(clm.Invalid, "applications", "")
	}
	if slices.ContainsFunc(dns, func(dn string) bool { return strings.TrimSpace(dn) == "" }) {
		return clm.Fail(clm.Invalid, "application", "")
	}
	return nil
}

// linkable finds the certificate that applications use or are to use. Who has not the
// rights that are needed to know of it is told nothing; besides, Write is needed.
func linkable(tx *store.Tx, who clm.Actor, dn string, toKnow clm.Rights) (clm.Path, error) {
	path, rights, err := find(tx, who, dn)
	switch {
	case err != nil:
		return nil, unread("certificate", err)
	case !rights.Has(toKnow):
		return nil, clm.About(dn, clm.NotFound)
	case !isCertificate(path):
		return nil, clm.About(string(path.Last().DN), clm.Fail(clm.Unsupported, "certificate", string(path.Last().Class)))
	case !rights.Has(clm.Write):
		return nil, clm.About(string(path.Last().DN), clm.Denied)
	}
	return path, nil
}

// unread says what it was that the store could not read, if that is what has happened.
func unread(what string, err error) error {
	if e := clm.AsError(err); e.Kind == clm.Internal {
		return &clm.Error{Kind: clm.Unwritten, Subject: e.Subject, Field: what + "/read", Err: err}
	}
	return err
}

// isFault reports whether the failure says nothing of what was asked for.
func isFault(err error) bool {
	kind := clm.AsError(err).Kind
	return kind == clm.Internal || kind == clm.Unwritten
}

// origin is a certificate that is to be installed, with what the rules look at.
type origin struct {
	path    clm.Path
	open    *Open // the work that leads to the next one
	version clm.Version
	hasKey  bool // of the one in use

	reason string // why it is installed; empty: somebody pushes it
	links  bool   // an application that uses none is to use it
	anew   bool   // it is installed in place of what has stopped
}

// pushFrom gathers the facts about the certificate at the end of the path.
func (c *Core) pushFrom(tx *store.Tx, path clm.Path) (o origin, err error) {
	o.path = path
	if o.open, err = openWork(tx, path.Last().ID); err != nil || path.Last().Current == 0 {
		return o, err
	}
	if o.version, err = tx.Version(path.Last().Current); err != nil {
		return o, err
	}
	holder, err := c.keptKey(tx, path.Last())
	o.hasKey = holder != nil
	return o, err
}

// isInstalled lists the classes of certificates that are put where applications use them.
var isInstalled = map[clm.Class]bool{clm.AnyCertificate: true, clm.ServerCertificate: true, clm.DeviceCertificate: true}

// isProvisioned reports whether such certificates as that at the end of the path are put
// where applications use them.
func isProvisioned(path clm.Path) bool {
	return isInstalled[path.Last().Class] && path.Management() == clm.Provisioning
}

// may applies the rules for the certificate; the first that fails answers.
func (o origin) may() error {
	if !isProvisioned(o.path) {
		return clm.Fail(clm.Unsupported, "type", string(o.path.Last().Class))
	}
	return o.stands()
}

// stands applies those for how the certificate must stand, whatever is usual for it.
func (o origin) stands() error {
	place := o.path.Last()
	switch {
	case (clm.Certificate{Object: *place}).IsOff():
		return clm.Disabled
	case o.open != nil && o.open.State == clm.Stopped:
		return clm.InError
	case o.open != nil && o.open.point() == clm.Start:
		return clm.Fail(clm.Busy, "queued", "")
	case o.open != nil:
		return clm.Fail(clm.Busy, "", string(o.open.point()))
	case len(o.version.Cert) == 0:
		return clm.NotIssued
	}
	return nil
}

// point is where the work shows that it stands.
func (o *Open) point() clm.Stage {
	switch {
	case o.State == clm.Queued:
		return clm.Start
	case len(o.Gates) > 0:
		return o.Gates[0].Point
	}
	return o.Stage
}

// A consumer is an application in which a certificate is to be installed, with what the
// rules look at.
type consumer struct {
	path   clm.Path
	rights clm.Rights    // of who asks for it
	uses   clm.ObjectID  // the certificate that it uses; empty where there is none
	shown  string        // the DN of that, if who asks may see it
	open   *Open         // its installation that is under way
	driver deploy.Driver //
	driven bool          // there is a driver
}

func (a consumer) isSame(b consumer) bool { return a.path.Last().ID == b.path.Last().ID }

// mayPushTo finds an application and applies the rules for it; the first that fails answers.
func (c *Core) mayPushTo(tx *store.Tx, who clm.Actor, dn string, from origin) (consumer, error) {
	path, rights, err := findApplication(tx, who, dn)
	if err != nil {
		return consumer{}, err
	}
	app, err := c.consumer(tx, who, path)
	if app.rights = rights; err == nil {
		err = app.mayBePushed()
	}
	if err == nil {
		err = app.isReady(from)
	}
	return app, clm.About(string(path.Last().DN), err)
}

// findApplication finds what is named as an application. It fails with NotFound, of the
// field "application".
func findApplication(tx *store.Tx, who clm.Actor, dn string) (clm.Path, clm.Rights, error) {
	path, rights, err := find(tx, who, strings.TrimSpace(dn))
	if errors.Is(err, clm.NotFound) || errors.Is(err, clm.Invalid) {
		err = clm.Fail(clm.NotFound, "application", "")
	}
	if err != nil {
		return nil, 0, clm.About(strings.TrimSpace(dn), unread("application", err))
	}
	return path, rights, nil
}

// consumer gathers the facts about the application at the end of the path.
func (c *Core) consumer(tx *store.Tx, who clm.Actor, path clm.Path) (a consumer, err error) {
	a.path = path
	a.driver, a.driven = c.driverOf(path.Last().Class)
	used, err := tx.PathByID(clm.ObjectID(firstOf(path.Last(), clm.Bound)))
	switch {
	case err == nil:
		a.uses, a.shown = used.Last().ID, visibleDN(used, who)
	case !errors.Is(err, clm.NotFound):
		return a, err
	}
	w, err := tx.OpenWork(path.Last().ID, clm.InstallLane)
	if err == nil && w != nil {
		a.open, err = stand(tx, *w)
	}
	return a, err
}

// mayBePushed applies the rules for who may push to what.
func (a consumer) mayBePushed() error {
	switch class := a.path.Last().Class; {
	case !a.rights.Has(clm.Read):
		return clm.Fail(clm.Denied, "application/read", "")
	case !class.Is(clm.Application):
		return clm.Fail(clm.Unsupported, "application", string(class))
	case !a.rights.Has(clm.Write | clm.Associate):
		return clm.Fail(clm.Denied, "application", "")
	}
	return nil
}

// isReady applies the rules for how the application must stand, so that the certificate
// can be installed there. One that is only being looked at may get another.
func (a consumer) isReady(from origin) error {
	switch app := a.path.Last(); {
	case !a.driven:
		return clm.Fail(clm.Unsupported, "driver", "")
	case a.uses == "" && !from.links:
		return clm.Fail(clm.NotFound, "bound", string(from.path.Last().DN))
	case a.uses != "" && a.uses != from.path.Last().ID:
		return clm.Fail(clm.Exists, "bound", a.shown)
	case (clm.Certificate{Object: *app}).IsOff():
		return clm.Fail(clm.Disabled, "application", "")
	case a.open != nil && a.open.State == clm.Stopped && !from.anew:
		return clm.Fail(clm.InError, "application", "")
	case a.open != nil && a.open.State != clm.Queued && a.open.State != clm.Stopped && a.open.IsBefore(clm.Verify):
		return clm.Fail(clm.Busy, "application", string(a.open.point()))
	case a.driver.WantsKey && !from.hasKey:
		return clm.Fail(clm.NoKey, "application", "")
	case a.open != nil && a.open.State == clm.Queued:
		return clm.Fail(clm.Busy, "application/queued", "")
	}
	return nil
}

// push opens the works. Where one cannot be, the caller's whole transaction must be
// given up.
func (o origin) push(tx *store.Tx, who clm.Actor, apps []consumer, together *bool) (works []clm.WorkID, err error) {
	joined := o.path.Value(clm.AllOrNothing).IsOn()
	if together != nil {
		joined = *together
	}
	i := installation{version: o.version.ID, actor: who.Name, reason: cmp.Or(o.reason, "push")}
	for _, a := range apps {
		i.app = a.path
		w, err := a.install(tx, i)
		if err != nil {
			return nil, clm.About(string(a.path.Last().DN), err)
		}
		if works = append(works, w.ID); joined && i.together == 0 && len(apps) > 1 {
			i.together = w.ID
			if err := tx.TogetherWith(w.ID, w.ID); err != nil {
				return nil, clm.About(string(a.path.Last().DN), unwritten("work", err))
			}
		}
	}
	detail := fmt.Sprintf("to %d applications", len(apps))
	if i.together != 0 {
		detail += ", all or none"
	}
	tx.About(string(o.path.Last().DN), detail)
	return works, nil
}

// install opens the work for the application, in place of one that has come to its end
// but for a look. It fails with store.ErrDuplicate where somebody else has just done so.
func (a consumer) install(tx *store.Tx, i installation) (w clm.Work, err error) {
	if a.open != nil {
		err = endInstall(tx, a.open.Work)
	}
	if err == nil {
		w, err = install(tx, i)
	}
	if errors.Is(err, store.ErrDuplicate) {
		return w, &clm.Error{Kind: clm.Busy, Field: "application/queued", Err: err}
	}
	return w, unwritten("work", err)
}
