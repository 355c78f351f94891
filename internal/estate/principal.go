package estate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// accounts are the users and groups of an installation, as they were found and as
// the file wants their memberships. Names are the same in any case.
type accounts struct {
	known map[string]core.Account
	file  *File
}

func fold(name string) string { return strings.ToLower(name) }

// find reads the users and groups of the installation.
func find(all []core.Account, f *File) *accounts {
	a := &accounts{known: map[string]core.Account{}, file: f}
	for _, account := range all {
		a.known[fold(account.Name)] = account
	}
	return a
}

// id is what attributes hold of a user or group; the name where it has none yet.
func (a *accounts) id(name string) string {
	if account, ok := a.known[fold(name)]; ok {
		return string(account.ID)
	}
	return name
}

// name is the reverse of id.
func (a *accounts) name(id string) string {
	for _, account := range a.known {
		if string(account.ID) == id {
			return account.Name
		}
	}
	return id
}

// isThere reports whether there is such a user or group, or will be.
func (a *accounts) isThere(name string) bool {
	_, known := a.known[fold(name)]
	return known || a.isGroup(name) || slices.ContainsFunc(a.file.users, func(u user) bool { return fold(u.name) == fold(name) })
}

// isGroup reports whether there is such a group, or will be.
func (a *accounts) isGroup(name string) bool {
	return a.known[fold(name)].IsGroup || slices.ContainsFunc(a.file.groups, func(g group) bool { return fold(g.name) == fold(name) })
}

// groups is which groups the user or group is to be in. A membership may be said
// from either side; where one of the sides has a list, what is in no list ends,
// and where neither has, it stays.
func (a *accounts) groups(name string, said []reference, counts bool) []string {
	in := map[string]string{}
	if !counts {
		for _, g := range a.known[fold(name)].Groups {
			in[fold(g)] = g
		}
	}
	for _, g := range a.file.groups {
		if !g.counts {
			continue
		}
		delete(in, fold(g.name))
		if slices.ContainsFunc(g.members, func(m reference) bool { return fold(m.name) == fold(name) }) {
			in[fold(g.name)] = g.name
		}
	}
	for _, g := range said {
		in[fold(g.name)] = g.name
	}
	names := make([]string, 0, len(in))
	for _, g := range in {
		names = append(names, g)
	}
	slices.Sort(names)
	return names
}

// principals makes groups and users, groups before those who are in them, and
// then mends the memberships of those of whom the file says nothing else.
func (a *applying) principals(ctx context.Context) error {
	said := map[string]bool{}
	for _, g := range a.file.groups {
		said[fold(g.name)] = true
		master := a.accounts.known[fold(g.name)].Master
		p := core.PutPrincipal{Name: g.name, IsGroup: true, Master: master, Groups: a.accounts.groups(g.name, nil, false)}
		if err := a.putPrincipal(ctx, g.place, p); err != nil {
			return err
		}
	}
	for _, u := range a.file.users {
		said[fold(u.name)] = true
		p := core.PutPrincipal{
			Name: u.name, Master: a.accounts.known[fold(u.name)].Master, Password: u.password.text,
			Groups: a.accounts.groups(u.name, u.groups, u.counts),
		}
		override(&p.Master, u.master)
		if err := a.putPrincipal(ctx, u.place, p); err != nil {
			return err
		}
	}
	for _, account := range a.accounts.sorted() {
		groups := a.accounts.groups(account.Name, nil, false)
		if said[fold(account.Name)] || slices.Equal(groups, account.Groups) {
			continue
		}
		p := core.PutPrincipal{Name: account.Name, IsGroup: account.IsGroup, Master: account.Master, Groups: groups}
		if err := a.putPrincipal(ctx, place{path: "groups"}, p); err != nil {
			return err
		}
	}
	return a.findAccounts(ctx)
}

func (a *accounts) sorted() []core.Account {
	var all []core.Account
	for _, account := range a.known {
		all = append(all, account)
	}
	slices.SortFunc(all, func(a, b core.Account) int { return strings.Compare(a.Name, b.Name) })
	return all
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
		return refuse("users and groups", err)
	}
	a.accounts = find(all, a.file)
	return nil
}

// read finds a password where the file says that it is. Its errors do not repeat it.
func (p password) read(dir string) (secret.Plain, error) {
	switch {
	case p.env != "":
		s, ok := os.LookupEnv(p.env)
		if !ok || s == "" {
			return secret.Plain{}, p.fail("the environment has no %s", p.env)
		}
		return p.checked([]byte(s))
	case p.file != "":
		path := p.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		b, err := readAtMost(path, MaxPassword+2) // and a line end
		if err != nil {
			return secret.Plain{}, p.fail("%w", err)
		}
		return p.checked([]byte(strings.TrimRight(string(b), "\r\n")))
	}
	return p.text, nil
}

func (p password) checked(b []byte) (secret.Plain, error) {
	switch {
	case len(b) == 0:
		return secret.Plain{}, p.fail("the password is empty")
	case len(b) > MaxPassword:
		return secret.Plain{}, p.fail("the password is longer than %d bytes", MaxPassword)
	}
	return secret.NewPlain(b), nil
}

// readAtMost reads a file but for what is beyond so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}
