package estate

import (
	"context"
	"errors"
	"maps"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// Options say how a file is applied.
type Options struct {
	Plan     bool         // only say what would change
	Dir      string       // where files are that the estate file names; empty: the current folder
	Progress func(string) // hears each change as soon as it is made, if it is there
}

// Report is what applying a file has changed or, of a plan, would change.
type Report struct {
	Changes      []string // a line each, in their order
	Certificates []Ordered
}

// Ordered is a certificate that was requested; core.Wait waits for its work.
type Ordered struct {
	DN   clm.DN
	Work clm.WorkID
}

// Apply brings the installation to what the file says. Only a master may. What
// the file refers to is looked up before anything is changed; then come issuers,
// settings of the server, groups, users, applications, authorities, folders with
// their rights, and certificates. Every step is a transaction of its own: Apply
// stops at the first that fails, the report says what was done until then, and
// applying the file again does the rest. Applied once more it changes nothing.
//
// A plan changes nothing, and reports what Apply will do if nobody else changes
// anything in between; only the rules for certificates that are requested are not
// asked before they are.
func Apply(ctx context.Context, c *core.Core, who clm.Actor, f *File, opt Options) (Report, error) {
	if opt.Progress == nil {
		opt.Progress = func(string) {}
	}
	a := &applying{core: c, who: who, file: f, opt: opt, declared: map[string]*folder{}, done: map[string]bool{}}
	for i := range f.folders {
		a.declared[f.folders[i].dn.Key()] = &f.folders[i]
	}
	for _, step := range []func(context.Context) error{
		a.look, a.issuers, a.server, a.principals, a.applications, a.authorities, a.folders, a.certificates,
	} {
		if err := step(ctx); err != nil {
			return a.report, err
		}
	}
	return a.report, nil
}

// applying is a file on its way into an installation.
type applying struct {
	core   *core.Core
	who    clm.Actor
	file   *File
	opt    Options
	report Report

	accounts  *accounts
	passwords map[string]secret.Plain // by the users' names
	declared  map[string]*folder      // the folders of the file, by key of the DN
	done      map[string]bool         // the folders that are as they shall be, by key of the DN
}

// say reports changes.
func (a *applying) say(lines ...string) {
	for _, line := range lines {
		a.report.Changes = append(a.report.Changes, line)
		a.opt.Progress(line)
	}
}

func (a *applying) issuers(ctx context.Context) error {
	for _, i := range a.file.issuers {
		chain, err := a.core.Chain(ctx, i.Name)
		switch {
		case err == nil:
			if err := i.isLike(chain[0]); err != nil {
				return err
			}
			continue
		case !errors.Is(err, clm.NotFound):
			return i.refused(i.Name, err)
		}
		if !a.opt.Plan {
			if _, err := a.core.AddIssuer(ctx, a.who, i.NewIssuer); err != nil {
				return i.refused(i.Name, err)
			}
		}
		a.say("create issuer " + i.Name)
	}
	return nil
}

func (a *applying) server(ctx context.Context) error {
	if len(a.file.server) == 0 {
		return nil
	}
	return a.put(ctx, place{path: "server"}, core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: a.file.server})
}

func (a *applying) applications(ctx context.Context) error {
	for _, want := range a.file.applications {
		known, err := a.core.Application(ctx, want.id)
		isNew := errors.Is(err, clm.NotFound)
		if err != nil && !isNew {
			return want.refused(want.id, err)
		}
		if isNew && want.scope == nil {
			return want.fail("is new and has no scope")
		}
		if isNew {
			known = core.NewApplication(want.id, "")
		}
		fresh := want.over(known)
		if fresh.AccessValidity > fresh.GrantValidity {
			return want.fail("access would be valid for %s, the grant for %s only", lifeText(fresh.AccessValidity), lifeText(fresh.GrantValidity))
		}
		changed, err := a.core.PutApplication(ctx, a.who, fresh, a.opt.Plan)
		if err != nil {
			return want.refused(want.id, err)
		}
		if changed {
			a.say(applicationLines(known, fresh, isNew)...)
		}
	}
	return nil
}

// over is the application as it shall be: what the file leaves out stays.
func (a application) over(known core.Application) core.Application {
	override(&known.Name, a.name)
	override(&known.Scope, a.scope)
	override(&known.AccessValidity, a.access)
	override(&known.GrantValidity, a.grant)
	override(&known.Refreshable, a.refreshable)
	return known
}

func override[T any](dst *T, with *T) {
	if with != nil {
		*dst = *with
	}
}

func (a *applying) authorities(ctx context.Context) error {
	for _, want := range a.file.authorities {
		if err := a.folder(ctx, want.place, want.dn.Parent()); err != nil {
			return err
		}
		put := core.Put{DN: string(want.dn), Class: clm.Authority, Own: want.own}
		_, err := a.core.Object(ctx, a.who, put.DN)
		switch isNew := errors.Is(err, clm.NotFound); {
		case err != nil && !isNew:
			return want.refused(put.DN, err)
		case isNew && len(want.own[clm.Driver]) == 0:
			put.Own = maps.Clone(want.own)
			put.Own[clm.Driver] = []string{core.DriverName}
		}
		if err := a.put(ctx, want.place, put); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) folders(ctx context.Context) error {
	for _, f := range a.file.folders {
		if err := a.folder(ctx, f.place, f.dn); err != nil {
			return err
		}
	}
	return nil
}

// folder brings a folder to what the file says of it, if it says anything, and
// those above it before.
func (a *applying) folder(ctx context.Context, at place, dn clm.DN) error {
	if a.done[dn.Key()] {
		return nil
	}
	a.done[dn.Key()] = true
	put := core.Put{DN: string(dn), Class: clm.Folder}
	if f := a.declared[dn.Key()]; f != nil {
		at = f.place
		put.DN, put.Own, put.Rights, put.Policy = string(f.dn), f.own, f.rights, a.rules(f)
	}
	if dn != clm.PolicyDN {
		if err := a.folder(ctx, at, dn.Parent()); err != nil {
			return err
		}
	}
	return a.put(ctx, at, put)
}

// rules is a folder's policy with users and groups by their ids. Those that a plan
// would make first have none, and are left as they are.
func (a *applying) rules(f *folder) map[clm.PolicyKey]clm.Rule {
	rules := map[clm.PolicyKey]clm.Rule{}
	for key, rule := range f.policy {
		if isPrincipals(key.Attr) {
			ids := make([]string, 0, len(rule.Values))
			for _, v := range rule.Values {
				ids = append(ids, a.accounts.id(v))
			}
			rule.Values = ids
		}
		rules[key] = rule
	}
	return rules
}

// put brings an object to what it shall be and reports what that changes.
func (a *applying) put(ctx context.Context, at place, p core.Put) error {
	p.Plan = a.opt.Plan
	changes, err := a.core.Put(ctx, a.who, p)
	if err != nil {
		return at.refused(p.DN, err)
	}
	for _, c := range changes {
		a.say(a.line(c, p))
	}
	return nil
}

func (a *applying) certificates(ctx context.Context) error {
	for _, want := range a.file.certificates {
		if err := a.folder(ctx, want.place, want.dn.Parent()); err != nil {
			return err
		}
		if err := a.certificate(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// certificate requests a certificate where there is none and none is on its way,
// and switches its processing on or off where the file says so.
func (a *applying) certificate(ctx context.Context, want certificate) error {
	off := want.off != nil && *want.off
	node, err := a.core.Object(ctx, a.who, string(want.dn))
	isNew := errors.Is(err, clm.NotFound)
	if err != nil && !isNew {
		return want.refused(string(want.dn), err)
	}
	if !isNew {
		found, err := a.core.Details(ctx, a.who, node.ID)
		if err != nil {
			return want.refused(string(want.dn), clm.Fail(clm.Exists, "class", string(node.Class)))
		}
		if want.off != nil && off != found.Place.IsOff() {
			if err := a.disable(ctx, want, node.Class, off); err != nil {
				return err
			}
		}
		isOff := off || want.off == nil && found.Place.IsOff()
		if found.Place.Current != 0 || found.Open != nil || isOff {
			return nil
		}
	}
	request := want.request
	if off {
		request.Hold, request.Own = true, maps.Clone(request.Own)
		request.Own[clm.Off] = []string{"1"}
	}
	if !a.opt.Plan {
		accepted, err := a.core.Request(ctx, a.who, request)
		if err != nil {
			return want.refused(string(want.dn), err)
		}
		if accepted.Work != 0 {
			a.report.Certificates = append(a.report.Certificates, Ordered{accepted.DN, accepted.Work})
		}
	}
	a.say(requestLine(want.dn, off))
	return nil
}

func (a *applying) disable(ctx context.Context, want certificate, class clm.Class, off bool) error {
	own := map[clm.Attr][]string{clm.Off: nil}
	if off {
		own[clm.Off] = []string{"1"}
	}
	return a.put(ctx, want.place, core.Put{DN: string(want.dn), Class: class, Own: own})
}
