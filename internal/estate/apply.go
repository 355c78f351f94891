package estate

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

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
// settings of the server, groups, users, applications, authorities, custom fields,
// folders with their rights, devices, certificates, and which programs use them. Every step is a transaction of its own: Apply
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
		a.look, a.issuers, a.server, a.principals, a.applications, a.authorities, a.customFields, a.folders, a.devices,
		a.certificates, a.associations, a.stagings,
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
	fields    []core.Field            // the custom fields that there are and will be
	newFields map[string]bool         // those that are not there yet, by key of the DN
	passwords map[string]secret.Plain // by the users' names
	materials map[string]material     // what certificates bring along, by key of the DN
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

// rules is a folder's policy with users, groups and custom fields by their ids.
func (a *applying) rules(f *folder) map[clm.PolicyKey]clm.Rule {
	rules := map[clm.PolicyKey]clm.Rule{}
	for key, rule := range f.policy {
		rule.Values = a.resolved(key.Attr, rule.Values)
		if field, ok := a.fieldRule(key.Attr); ok {
			key.Attr = clm.FieldAttr(field.ID)
		}
		rules[key] = rule
	}
	return rules
}

// resolved are the values of an attribute with users and groups by their ids.
// Those that a plan would make first have none, and are left as they are.
func (a *applying) resolved(attr clm.Attr, values []string) []string {
	if !isPrincipals(attr) {
		return values
	}
	var ids []string
	for _, v := range values {
		ids = append(ids, a.accounts.id(v))
	}
	return ids
}

// put brings an object to what it shall be and reports what that changes.
func (a *applying) put(ctx context.Context, at place, p core.Put) error {
	p.Plan = a.opt.Plan
	changes, err := a.core.Put(ctx, a.who, p)
	if err != nil {
		return at.refused(p.DN, err)
	}
	// What a plan does not know yet, the GUIDs of new custom fields, is not to show
	// in the order either.
	slices.SortStableFunc(changes, func(x, y core.Change) int { return cmp.Compare(a.rank(x), a.rank(y)) })
	for _, c := range changes {
		a.say(a.line(c, p))
	}
	return nil
}

// rank sorts the changes of an object as core.Put does, custom fields by label.
func (a *applying) rank(c core.Change) string {
	attr := string(c.Attr)
	if _, ok := clm.FieldOf(c.Attr); ok {
		attr = string(clm.FieldAttr("")) + a.attrName(c.Attr)
	}
	switch {
	case c.Made != "":
		return "made"
	case c.To != "":
		return "rights " + c.To
	case c.For == "":
		return "own " + attr
	}
	return "policy " + string(c.For) + "\x00" + attr
}
