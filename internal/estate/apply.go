package estate

import (
	"context"
	"errors"

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
// settings of the server, groups, users, service accounts, applications, custom fields,
// authorities, folders with their rights and names, workflows, credentials, devices,
// other objects, what all of these say of one another, certificates, and which programs
// use them. Every step is a transaction of its own: Apply stops at the first that fails,
// the report says what was done until then, and applying the file again does the rest.
// Applied once more it changes nothing.
//
// A plan changes nothing, and reports what Apply will do if nobody else changes
// anything in between; only the rules for certificates that are requested are not
// asked before they are.
func Apply(ctx context.Context, c *core.Core, who clm.Actor, f *File, opt Options) (Report, error) {
	if opt.Progress == nil {
		opt.Progress = func(string) {}
	}
	a := &applying{
		core: c, who: who, file: f, opt: opt, declared: map[string]*folder{}, done: map[string]bool{}, made: map[string]bool{},
		classes: map[string]clm.Class{}, engines: map[string]string{}, namings: map[bool][]naming{},
	}
	for i := range f.folders {
		a.declared[f.folders[i].dn.Key()] = &f.folders[i]
	}
	for _, t := range f.things() {
		a.classes[t.dn.Key()] = t.class
	}
	for _, step := range []func(context.Context) error{
		a.look, a.issuers, a.server, a.putReasons, a.principals, a.services, a.applications, a.customFields, a.authorities, a.folders, a.nameGroups, a.workflows,
		a.putCredentials, a.ssh, a.devices, a.objects, a.teams, a.nameObjects, a.certificates, a.nameCertified, a.associations, a.stagings,
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

	accounts      *accounts
	fields        []core.Field            // the custom fields that there are and will be
	newFields     map[string]bool         // those that are not there yet, by key of the DN
	passwords     map[string]secret.Plain // by the users' names
	clientSecrets map[string]secret.Plain // by the names of service accounts
	engines       map[string]string       // the names of those that folders of the file have, by ID

	// By keys of DNs:
	secrets   map[string]map[string]secret.Plain // what credentials bring along
	materials map[string]material                // what certificates bring along
	declared  map[string]*folder                 // the folders of the file
	done      map[string]bool                    // the folders that are as they shall be
	made      map[string]bool                    // the objects of which it was said that they are made
	classes   map[string]clm.Class               // of what the file makes, and of what was looked up

	namings map[bool][]naming // what is to be said of other objects; true: of certificates of the file
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
