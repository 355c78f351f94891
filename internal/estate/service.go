package estate

import (
	"context"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/core"
)

// A serviceAccount is a user for programs, with a client's ID and secret in place of a
// password.
type serviceAccount struct {
	place
	name      string
	client    *string
	secret    password
	functions *[]string // none: all
	groups    []reference
	counts    bool // groups is the whole list, as of a user
}

// allFunctions is the word for whatever the account's rights allow.
const allFunctions = "all"

func readServiceAccount(v value) (serviceAccount, error) {
	v.secret = true
	s := serviceAccount{place: v.place(), secret: password{place: v.place(), word: "secret"}}
	err := v.object(merged(s.secret.keys(s.place), keys{
		"name":      to(&s.name, name),
		"clientId":  maybe(&s.client, clientID),
		"functions": maybe(&s.functions, functions),
		"groups": func(v value) error {
			s.counts = true
			return references(&s.groups)(v)
		},
	}))
	if err == nil && s.name == "" {
		err = s.fail("has no name")
	}
	return s, err
}

// clientID reads the ID of a client, which clients send in front of a colon.
func clientID(v value) (string, error) {
	s, err := name(v)
	if err == nil && strings.Contains(s, ":") {
		err = v.fail("must not have a colon")
	}
	return s, err
}

// functions reads what an account may do.
func functions(v value) (list []string, err error) {
	known := one(append(slices.Clone(names.Functions), allFunctions)...)
	list, err = several(known)(v)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, v.fail("is empty: an account that may do everything has the function %s", allFunctions)
	case slices.Contains(list, allFunctions):
		return nil, nil
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// agreeServices makes users of the service accounts that are not among the users of the
// file, and refuses those that contradict what is said there.
func (f *File) agreeServices() error {
	users, accounts, clients := map[string]user{}, distinct{}, distinct{}
	for _, u := range f.users {
		users[fold(u.name)] = u
	}
	for _, s := range f.services {
		if err := accounts.add(fold(s.name), s.place); err != nil {
			return err
		}
		if s.client != nil {
			if err := clients.add(*s.client, s.place); err != nil {
				return err
			}
		}
		u, isUser := users[fold(s.name)]
		switch {
		case isUser && u.password.isThere():
			return u.fail("is a service account, and has no password")
		case isUser && s.counts:
			return s.fail("is among the users: say its groups there")
		case !isUser:
			u = user{thing: emptyThing(s.place), name: s.name, groups: s.groups, counts: s.counts}
			u.dn = core.IdentityDN.Child(s.name)
			f.users = append(f.users, u)
		}
	}
	return nil
}

// services brings service accounts to what the file says; their users are there.
func (a *applying) services(ctx context.Context) error {
	if len(a.file.services) == 0 {
		return nil
	}
	list, err := a.core.ServiceAccounts(ctx, a.who)
	if err != nil {
		return refusal{"applying an estate file", err}
	}
	known := map[string]core.ServiceAccount{}
	for _, s := range list {
		known[fold(s.Name)] = s
	}
	for _, want := range a.file.services {
		p := core.PutServiceAccount{ServiceAccount: known[fold(want.name)], Secret: a.clientSecrets[want.name], Plan: a.opt.Plan}
		p.Name = want.name
		override(&p.Client, want.client)
		override(&p.Functions, want.functions)
		if p.Client == "" {
			return want.fail("is new and has no clientId")
		}
		changes, err := a.core.PutServiceAccount(ctx, a.who, p)
		if err != nil {
			return want.refused(want.name, err)
		}
		a.say(changes...)
	}
	return nil
}

// services writes the service accounts. Their users are written among the users.
func (x *exporting) services(ctx context.Context) error {
	list, err := x.core.ServiceAccounts(ctx, x.who)
	if err != nil {
		return err
	}
	for _, s := range list {
		if len(s.Functions) == 0 {
			s.Functions = []string{allFunctions}
		}
		i := newItem()
		i.add("name", scalar(s.Name))
		i.add("clientId", scalar(s.Client))
		i.add("functions", sequence(s.Functions))
		if err := x.add("serviceAccounts", "service account "+s.Name, i); err != nil {
			return err
		}
	}
	return nil
}
