package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
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

// A Change is one thing that Put changes: exactly one of Made, Attr and To is set.
type Change struct {
	DN     clm.DN
	Made   clm.Class  // the object is made
	Attr   clm.Attr   // an own value of the object, or a policy entry of the folder
	For    clm.Class  // of a policy entry: for which class it is; empty for an own value
	Values []string   // of Attr, from now on; none: it is removed
	Locked bool       // of a policy entry
	To     string     // the rights of this user or group
	Rights clm.Rights // of To, from now on
}

// String describes the change for the audit log, without values that are secrets by
// their attribute's name.
func (c Change) String() string {
	if isSecretName(c.Attr) && len(c.Values) > 0 {
		c.Values = []string{"[secret]"}
	}
	switch {
	case c.Made != "":
		return fmt.Sprintf("create %s %s", c.Made, c.DN)
	case c.To != "":
		return fmt.Sprintf("%s: rights of %s = %#x", c.DN, c.To, uint16(c.Rights))
	case c.For == "":
		return fmt.Sprintf("%s: %s = %s", c.DN, c.Attr, strings.Join(c.Values, ", "))
	}
	locked := map[bool]string{true: " (locked)"}[c.Locked]
	return fmt.Sprintf("%s: policy for %s: %s = %s%s", c.DN, c.For, c.Attr, strings.Join(c.Values, ", "), locked)
}

// secretWords stand in the names of attributes that hold secrets without hiding them.
var secretWords = []string{"password", "passphrase", "secret key", "application secret", "access key", "api key"}

func isSecretName(a clm.Attr) bool {
	name := strings.ToLower(string(a))
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

func describe(changes []Change) string {
	lines := make([]string, 0, len(changes))
	for _, c := range changes {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "; ")
}

// Put brings an object to what it shall be and says what had to change for that,
// always in the same order; nothing had to when there is nothing. It fails with
// Invalid, Denied, NotFound (of a principal) and Exists (an object of another class).
func (c *Core) Put(ctx context.Context, who clm.Actor, p Put) (changes []Change, err error) {
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
	planned := p
	planned.Plan = true
	if changes, err = c.Put(ctx, who, planned); err != nil || len(changes) == 0 {
		return changes, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "put", Subject: string(dn)}, func(tx *store.Tx) error {
		above, o, fresh, err := p.diff(tx, dn)
		if err != nil {
			return err
		}
		changes = fresh
		tx.About(string(dn), describe(fresh))
		if o.ID != "" {
			path := append(above, o)
			if err := p.may(path, who, clm.Write); err != nil {
				return err
			}
			if err := p.check(tx, path); err != nil {
				return err
			}
			if err := tx.SaveObject(o); err != nil {
				return err
			}
			return replanAfter(tx, path, fresh)
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
		if err := p.check(tx, append(parent[:len(parent):len(parent)], o)); err != nil {
			return err
		}
		if isPrincipal(o.Class) {
			return addPrincipal(tx, o)
		}
		return tx.AddObject(o, parent.Last().ID)
	})
	return changes, err
}

// check makes sure of what can only be seen when all that holds is known.
func (p Put) check(tx *store.Tx, path clm.Path) error {
	if isCertificate(path) {
		if _, window := p.Own[clm.RenewalWindow]; !window {
			if _, lifetime := p.Own[clm.ValidityDays]; !lifetime {
				return nil // what the folder has come to say is no reason to refuse something else
			}
		}
		return clm.About(p.DN, checkWindow(tx, path[:len(path)-1], p.Class, path.Last().Own))
	}
	for key := range p.Policy {
		if key.Attr == clm.RenewalWindow || key.Attr == clm.ValidityDays {
			if err := checkWindow(tx, path, key.Class, nil); err != nil {
				return clm.About(p.DN, err)
			}
		}
	}
	return nil
}

// may reports whether who may do what the put does to the last object of the path.
func (p Put) may(path clm.Path, who clm.Actor, need clm.Rights) error {
	if len(p.Policy) > 0 || stopsWork(p.Own) {
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

// stopsWork reports whether the values say which workflows hold.
func stopsWork(own map[clm.Attr][]string) bool {
	_, names := own[clm.Workflows]
	_, blocks := own[clm.WorkflowBlocks]
	return names || blocks
}

// diff is the object as it shall be, without an ID where it is not there yet, and
// what that changes.
func (p Put) diff(tx *store.Tx, dn clm.DN) (above clm.Path, o *clm.Object, changes []Change, err error) {
	path, err := tx.Path(dn)
	switch {
	case errors.Is(err, clm.NotFound):
		o, changes = &clm.Object{DN: dn, Class: p.Class}, []Change{{DN: dn, Made: p.Class}}
	case err != nil:
		return nil, nil, nil, err
	case path.Last().Class != p.Class:
		return nil, nil, nil, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
	default:
		copied := *path.Last()
		above, o = path[:len(path)-1], &copied
	}
	o.Own, o.Policy, o.Grants = copyOf(o.Own), copyOf(o.Policy), copyOf(o.Grants)
	if p, err = p.referring(tx); err != nil {
		return nil, nil, nil, err
	}
	changes = append(changes, p.diffOwn(o)...)
	changes = append(changes, p.diffPolicy(o)...)
	for i, change := range changes {
		if changes[i].Values, err = dereferred(tx, change.Values); err != nil {
			return nil, nil, nil, err
		}
	}
	rights, err := p.diffRights(tx, o)
	return above, o, append(changes, rights...), err
}

// referring is the put with references in place of DNs of what is there.
func (p Put) referring(tx *store.Tx) (_ Put, err error) {
	p.Own, p.Policy = copyOf(p.Own), copyOf(p.Policy)
	for a, values := range p.Own {
		if (clm.Referring[a] || a == clm.TeamFolder) && err == nil {
			// What stops work must be there; the rest may come later.
			strict := !p.Plan && (a == clm.Workflows || a == clm.WorkflowBlocks)
			p.Own[a], err = refer(tx, clm.System, values, strict)
		}
	}
	for key, rule := range p.Policy {
		if clm.Referring[key.Attr] && err == nil {
			rule.Values, err = refer(tx, clm.System, rule.Values, false)
			p.Policy[key] = rule
		}
	}
	return p, err
}

func (p Put) diffOwn(o *clm.Object) (changes []Change) {
	for _, a := range sorted(p.Own) {
		if values := p.Own[a]; !slices.Equal(o.Own[a], values) {
			changes = append(changes, Change{DN: o.DN, Attr: a, Values: values})
			set(o.Own, a, values...)
		}
	}
	return changes
}

func (p Put) diffPolicy(o *clm.Object) (changes []Change) {
	keys := slices.SortedFunc(maps.Keys(p.Policy), func(a, b clm.PolicyKey) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Attr, b.Attr))
	})
	for _, key := range keys {
		rule := p.Policy[key]
		had, ok := o.Policy[key]
		change := Change{DN: o.DN, Attr: key.Attr, For: key.Class, Values: rule.Values, Locked: rule.Locked}
		switch {
		case len(rule.Values) == 0 && !ok:
			continue
		case len(rule.Values) == 0:
			change.Locked = false
			delete(o.Policy, key)
		case ok && had.Locked == rule.Locked && slices.Equal(had.Values, rule.Values):
			continue
		default:
			o.Policy[key] = rule
		}
		changes = append(changes, change)
	}
	return changes
}

func (p Put) diffRights(tx *store.Tx, o *clm.Object) (changes []Change, err error) {
	for _, name := range sorted(p.Rights) {
		change := Change{DN: o.DN, To: name, Rights: p.Rights[name]}
		who, err := tx.PrincipalByName(name)
		if errors.Is(err, clm.NotFound) && p.Plan {
			changes = append(changes, change)
			continue
		}
		if err != nil {
			return nil, err
		}
		if had, ok := o.Grants[who.ID]; !ok || had != change.Rights {
			changes = append(changes, change)
			o.Grants[who.ID] = change.Rights
		}
	}
	return changes, nil
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

// An Account is a user or group as it stands.
type Account struct {
	ID      clm.PrincipalID
	Name    string
	IsGroup bool
	Master  bool
	Auditor bool
	Groups  []string // the names of the groups it is directly in, sorted
}

// Accounts lists all users and groups by name. Only a master may; it fails with Denied.
func (c *Core) Accounts(ctx context.Context, who clm.Actor) (list []Account, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		list = nil
		for _, p := range known {
			a := Account{ID: p.ID, Name: p.Name, IsGroup: p.IsGroup, Master: p.Master, Auditor: p.Auditor}
			for _, id := range p.In {
				if group := known[id]; group != nil {
					a.Groups = append(a.Groups, group.Name)
				}
			}
			slices.Sort(a.Groups)
			list = append(list, a)
		}
		slices.SortFunc(list, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return list, err
}

// Applications lists all applications by their IDs. Only a master may; it fails with Denied.
func (c *Core) Applications(ctx context.Context, who clm.Actor) (list []Application, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list, err = tx.Applications()
		return err
	})
	return list, err
}

// IssuerNames lists the issuers whose keys are held here. Only a master may; it fails
// with Denied.
func (c *Core) IssuerNames(ctx context.Context, who clm.Actor) (names []string, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		all, err := tx.Issuers()
		names = nil
		for _, i := range all {
			names = append(names, i.Name)
		}
		slices.Sort(names)
		return err
	})
	return names, err
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
