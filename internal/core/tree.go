package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Put says what an object shall be: it is made if it is not there, with the
// folders above it, and changed where it differs. What Put does not speak of
// stays as it is.
type Put struct {
	DN     string
	Class  clm.Class
	Own    map[clm.Attr][]string      // an attribute without values is removed
	Policy map[clm.PolicyKey]clm.Rule // a rule without values is removed
	Rights map[string]clm.Rights      // by the names of users and groups
	Plan   bool                       // only say what would change
}

// Put brings an object to what it shall be and says, a line for each, what had to
// change for that; nothing had to when there are none. It fails with Invalid,
// Denied, NotFound (of a principal) and Exists (an object of another class).
func (c *Core) Put(ctx context.Context, who clm.Actor, p Put) (changes []string, err error) {
	dn, err := clm.ParseDN(p.DN)
	if err != nil {
		return nil, clm.About(p.DN, err)
	}
	if p.Plan {
		err = c.db.Read(ctx, func(tx *store.Tx) error {
			_, _, changes, err = p.diff(tx, dn)
			return err
		})
		return changes, err
	}
	// What is as it shall be needs no entry in the audit log.
	p.Plan = true
	if changes, err = c.Put(ctx, who, p); err != nil || len(changes) == 0 {
		return changes, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "put", Subject: string(dn)}, func(tx *store.Tx) error {
		above, o, lines, err := p.diff(tx, dn)
		if err != nil {
			return err
		}
		changes = lines
		tx.About(string(dn), strings.Join(lines, "; "))
		if o.ID != "" {
			if err := p.may(append(above, o), who, clm.Write); err != nil {
				return err
			}
			return tx.SaveObject(o)
		}
		parent, err := c.folder(tx, who, dn.Parent())
		if err != nil {
			return err
		}
		if !parent.Last().Class.MayHold(p.Class) {
			return clm.About(string(dn), clm.Fail(clm.Unsupported, "class", string(p.Class)))
		}
		if err := p.may(parent, who, clm.Create); err != nil {
			return err
		}
		return tx.AddObject(o, parent.Last().ID)
	})
	return changes, err
}

// may reports whether who may do what the put does to the last object of the path.
func (p Put) may(path clm.Path, who clm.Actor, need clm.Rights) error {
	if len(p.Policy) > 0 {
		need |= clm.PolicyWrite
	}
	if len(p.Rights) > 0 {
		need |= clm.ManagePermissions
	}
	if !path.Rights(who).Has(need) {
		return clm.About(p.DN, clm.Denied)
	}
	return nil
}

// diff is the object as it shall be, without an ID where it is not there yet, and
// what that changes.
func (p Put) diff(tx *store.Tx, dn clm.DN) (above clm.Path, o *clm.Object, changes []string, err error) {
	path, err := tx.Path(dn)
	switch {
	case errors.Is(err, clm.NotFound):
		o, changes = &clm.Object{DN: dn, Class: p.Class}, []string{fmt.Sprintf("create %s %s", p.Class, dn)}
	case err != nil:
		return nil, nil, nil, err
	case path.Last().Class != p.Class:
		return nil, nil, nil, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
	default:
		copied := *path.Last()
		above, o = path[:len(path)-1], &copied
	}
	o.Own, o.Policy, o.Grants = copyOf(o.Own), copyOf(o.Policy), copyOf(o.Grants)
	say := func(format string, args ...any) {
		changes = append(changes, fmt.Sprintf("%s: ", dn)+fmt.Sprintf(format, args...))
	}
	for _, a := range sorted(p.Own) {
		if values := p.Own[a]; !slices.Equal(o.Own[a], values) {
			say("%s = %s", a, strings.Join(values, ", "))
			set(o.Own, a, values...)
		}
	}
	for key, rule := range p.Policy {
		if had, ok := o.Policy[key]; ok == (len(rule.Values) > 0) && had.Locked == rule.Locked && slices.Equal(had.Values, rule.Values) {
			continue
		}
		if len(rule.Values) == 0 {
			if _, ok := o.Policy[key]; ok {
				say("policy %s: none", key.Attr)
			}
			delete(o.Policy, key)
			continue
		}
		say("policy %s = %s%s", key.Attr, strings.Join(rule.Values, ", "), map[bool]string{true: " (locked)"}[rule.Locked])
		o.Policy[key] = rule
	}
	for _, name := range sorted(p.Rights) {
		who, err := tx.PrincipalByName(name)
		if errors.Is(err, clm.NotFound) && p.Plan {
			say("rights of %s", name)
			continue
		}
		if err != nil {
			return nil, nil, nil, err
		}
		if had, ok := o.Grants[who.ID]; !ok || had != p.Rights[name] {
			say("rights of %s", name)
			o.Grants[who.ID] = p.Rights[name]
		}
	}
	sort.Strings(changes[min(1, len(changes)):])
	return above, o, changes, nil
}

func copyOf[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	maps.Copy(c, m)
	return c
}

func sorted[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// folder finds a folder, or makes it with all that is above it.
func (c *Core) folder(tx *store.Tx, who clm.Actor, dn clm.DN) (clm.Path, error) {
	path, err := tx.Path(dn)
	if !errors.Is(err, clm.NotFound) {
		return path, err
	}
	if dn == "" || dn.Parent() == "" {
		return nil, clm.About(string(dn), clm.Fail(clm.Invalid, "dn", string(dn)))
	}
	above, err := c.folder(tx, who, dn.Parent())
	if err != nil {
		return nil, err
	}
	if !above.Rights(who).Has(clm.Create) || !above.Last().Class.MayHold(clm.Folder) {
		return nil, clm.About(string(dn), clm.Denied)
	}
	o := &clm.Object{DN: dn, Class: clm.Folder}
	if err := tx.AddObject(o, above.Last().ID); err != nil {
		return nil, err
	}
	return append(above[:len(above):len(above)], o), nil
}

// PutPrincipal says what a user or group shall be.
type PutPrincipal struct {
	Name     string
	IsGroup  bool
	Master   bool
	Password secret.Plain // empty: it stays as it is
	Groups   []string     // the names of the groups it is in; nil: they stay as they are
	Plan     bool         // only say what would change
}

// PutPrincipal brings a user or group to what it shall be and says what had to
// change for that. Only a master may. It fails with Denied, Exists (a group of
// the user's name, or the other way round) and NotFound (of a group).
func (c *Core) PutPrincipal(ctx context.Context, who clm.Actor, p PutPrincipal) (changes []string, err error) {
	if !who.Master {
		return nil, clm.About(p.Name, clm.Denied)
	}
	if err := clm.CheckName(p.Name); err != nil {
		return nil, err
	}
	var fresh *store.Principal
	diff := func(tx *store.Tx) error {
		fresh, changes, err = p.diff(tx)
		return err
	}
	if err := c.db.Read(ctx, diff); err != nil || len(changes) == 0 || p.Plan {
		return changes, err
	}
	hash := ""
	if slices.ContainsFunc(changes, isPasswordChange) {
		hash = secret.HashPassword(p.Password) // it takes long: not inside a transaction
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "put principal", Subject: p.Name}, func(tx *store.Tx) error {
		if err := diff(tx); err != nil {
			return err
		}
		tx.About(p.Name, strings.Join(changes, "; "))
		if hash != "" {
			fresh.Password = hash
		}
		return tx.SavePrincipal(fresh)
	})
	return changes, err
}

const passwordChange = ": password"

func isPasswordChange(line string) bool { return strings.HasSuffix(line, passwordChange) }

func (p PutPrincipal) diff(tx *store.Tx) (*store.Principal, []string, error) {
	fresh := &store.Principal{Name: p.Name, IsGroup: p.IsGroup}
	var changes []string
	known, err := tx.PrincipalByName(p.Name)
	kind := map[bool]string{true: "group ", false: "user "}[p.IsGroup] + p.Name
	switch {
	case errors.Is(err, clm.NotFound):
		changes = append(changes, "create "+kind)
	case err != nil:
		return nil, nil, err
	case known.IsGroup != p.IsGroup:
		return nil, nil, clm.About(p.Name, clm.Exists)
	default:
		copied := *known
		fresh = &copied
	}
	if fresh.Master != p.Master {
		changes = append(changes, kind+": master")
		fresh.Master = p.Master
	}
	if !p.Password.IsEmpty() && (fresh.Password == "" || !secret.CheckPassword(p.Password, fresh.Password)) {
		changes = append(changes, kind+passwordChange)
	}
	if p.Groups == nil {
		return fresh, changes, nil
	}
	var in []clm.PrincipalID
	for _, name := range p.Groups {
		group, err := tx.PrincipalByName(name)
		if errors.Is(err, clm.NotFound) && p.Plan {
			return fresh, append(changes, kind+": groups"), nil
		}
		if err != nil {
			return nil, nil, err
		}
		in = append(in, group.ID)
	}
	slices.Sort(in)
	if !slices.Equal(in, slices.Sorted(slices.Values(fresh.In))) {
		changes = append(changes, kind+": groups")
		fresh.In = in
	}
	return fresh, changes, nil
}

// PutApplication brings an application to what it shall be and reports whether
// that changed anything. Only a master may.
func (c *Core) PutApplication(ctx context.Context, who clm.Actor, a Application, plan bool) (changed bool, err error) {
	if !who.Master {
		return false, clm.About(a.ID, clm.Denied)
	}
	known, err := c.Application(ctx, a.ID)
	if err != nil && !errors.Is(err, clm.NotFound) || known == a {
		return false, err
	}
	if plan {
		return true, nil
	}
	return true, c.db.Write(ctx, store.Entry{Actor: who, Action: "put application", Subject: a.ID}, func(tx *store.Tx) error {
		return tx.SaveApplication(a)
	})
}
