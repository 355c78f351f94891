package estate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// accounts are the users and groups of an installation, as they were found and as
// the file wants them. Names are the same in any case.
type accounts struct {
	known   map[string]core.Account
	byID    map[string]string   // the names of the known
	users   map[string]string   // the names of those in the file
	groups  map[string]string   //
	listed  map[string]bool     // the groups of the file whose members are a whole list
	members map[string][]string // the groups whose lists name a user or group
}

func fold(name string) string { return strings.ToLower(name) }

// accountsOf sorts out the users and groups of an installation and those of a file.
func accountsOf(all []core.Account, f *File) *accounts {
	a := &accounts{
		known: map[string]core.Account{}, byID: map[string]string{}, users: map[string]string{}, groups: map[string]string{},
		listed: map[string]bool{}, members: map[string][]string{},
	}
	for _, account := range all {
		a.known[fold(account.Name)] = account
		a.byID[string(account.ID)] = account.Name
	}
	for _, u := range f.users {
		a.users[fold(u.name)] = u.name
	}
	for _, g := range f.groups {
		a.groups[fold(g.name)] = g.name
		a.listed[fold(g.name)] = g.counts
		for _, m := range g.members {
			a.members[fold(m.name)] = append(a.members[fold(m.name)], g.name)
		}
	}
	return a
}

// id is what attributes hold of a user or group. One that a plan would make first
// has none, and goes by its name.
func (a *accounts) id(name string) string {
	if account, ok := a.known[fold(name)]; ok {
		return string(account.ID)
	}
	return cmp.Or(a.groups[fold(name)], a.users[fold(name)], name)
}

// name is the reverse of id.
func (a *accounts) name(id string) string { return cmp.Or(a.byID[id], id) }

// isThere reports whether there is such a user or group, or will be.
func (a *accounts) isThere(name string) bool {
	_, known := a.known[fold(name)]
	return known || a.isGroup(name) || a.users[fold(name)] != ""
}

// isGroup reports whether there is such a group, or will be.
func (a *accounts) isGroup(name string) bool {
	return a.known[fold(name)].IsGroup || a.groups[fold(name)] != ""
}

// in is which groups the user or group is to be in. A membership may be said from
// either side; where one of the sides has a list, what is in no list ends, and
// where neither has, it stays. whole: said is the list of the user's side.
func (a *accounts) in(name string, said []reference, whole bool) []string {
	in := map[string]string{}
	for _, g := range a.known[fold(name)].Groups {
		if !whole && !a.listed[fold(g)] {
			in[fold(g)] = g
		}
	}
	for _, g := range a.members[fold(name)] {
		in[fold(g)] = g
	}
	for _, g := range said {
		in[fold(g.name)] = cmp.Or(a.groups[fold(g.name)], g.name)
	}
	names := make([]string, 0, len(in)) // not nil, which would mean that they stay
	names = slices.AppendSeq(names, maps.Values(in))
	slices.Sort(names)
	return names
}

// principals makes groups and users, groups before those who are in them, and
// then mends the memberships of those of whom the file says nothing else.
func (a *applying) principals(ctx context.Context) error {
	said := map[string]bool{}
	for _, g := range a.file.groups {
		said[fold(g.name)] = true
		p := core.PutPrincipal{
			Name: g.name, IsGroup: true, Master: a.accounts.known[fold(g.name)].Master, Auditor: g.auditor, Groups: a.accounts.in(g.name, nil, false),
		}
		override(&p.Master, g.master)
		if err := a.putPrincipal(ctx, g.place, p); err != nil {
			return err
		}
	}
	// New masters come first: one has to stay while an old one ceases to be one.
	users := slices.SortedStableFunc(slices.Values(a.file.users), func(x, y user) int { return cmp.Compare(rankOf(x), rankOf(y)) })
	for _, u := range users {
		said[fold(u.name)] = true
		p := core.PutPrincipal{
			Name: u.name, Master: a.accounts.known[fold(u.name)].Master, Auditor: u.auditor, Password: a.passwords[u.name],
			Groups: a.accounts.in(u.name, u.groups, u.counts),
		}
		override(&p.Master, u.master)
		if err := a.putPrincipal(ctx, u.place, p); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.accounts.known)) {
		account := a.accounts.known[key]
		groups := a.accounts.in(account.Name, nil, false)
		if said[fold(account.Name)] || slices.Equal(groups, account.Groups) {
			continue
		}
		p := core.PutPrincipal{Name: account.Name, IsGroup: account.IsGroup, Master: account.Master, Groups: groups}
		if err := a.putPrincipal(ctx, place{path: "groups"}, p); err != nil {
			return err
		}
	}
	if err := a.findAccounts(ctx); err != nil {
		return err
	}
	return a.describe(ctx)
}

// describe writes what the file says of users and groups beside who they are.
func (a *applying) describe(ctx context.Context) error {
	for _, t := range a.file.things() {
		if t.class != clm.User && t.class != clm.Group || len(t.own)+len(t.fields)+len(t.rights) == 0 {
			continue
		}
		a.made[t.dn.Key()] = true // in a plan, too
		if err := a.object(ctx, t.thing, t.class); err != nil {
			return err
		}
	}
	return nil
}

func rankOf(u user) int {
	if u.master != nil && *u.master {
		return 0
	}
	return 1
}

func (a *applying) putPrincipal(ctx context.Context, at place, p core.PutPrincipal) error {
	p.Plan = a.opt.Plan
	changes, err := a.core.PutPrincipal(ctx, a.who, p)
	if err != nil {
		return at.refused(p.Name, err)
	}
	a.say(changes...)
	return nil
}

// findAccounts reads the users and groups as they are now.
func (a *applying) findAccounts(ctx context.Context) error {
	all, err := a.core.Accounts(ctx, a.who)
	if err != nil {
		return refusal{"applying an estate file", err}
	}
	a.accounts = accountsOf(all, a.file)
	return nil
}
