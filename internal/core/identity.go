package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A PrincipalRef says which user or group is meant: by ID or, where that is empty, by
// name, in any case.
type PrincipalRef struct {
	ID   clm.PrincipalID
	Name string
}

// String is the reference for the audit log.
func (r PrincipalRef) String() string { return cmp.Or(string(r.ID), r.Name) }

// find finds the principal that is meant; nil where there is none.
func (r PrincipalRef) find(known map[clm.PrincipalID]*store.Principal) *store.Principal {
	return finder(known)(r)
}

// finder finds the principals that are meant where there may be many of them.
func finder(known map[clm.PrincipalID]*store.Principal) func(PrincipalRef) *store.Principal {
	var named map[string]*store.Principal
	return func(r PrincipalRef) *store.Principal {
		if r.ID != "" {
			return known[r.ID]
		}
		if named == nil {
			named = make(map[string]*store.Principal, len(known))
			for _, p := range known {
				named[strings.ToLower(p.Name)] = p
			}
		}
		return named[strings.ToLower(r.Name)]
	}
}

// Limits of Browse.
const (
	DefaultIdentities = 500    // what it finds at most, unless it is told otherwise
	MaxIdentities     = 10_000 // what it finds at most, whatever it is told
)

// Browse selects users and groups.
type Browse struct {
	Filter        string // how their names begin, as a pattern; or the whole e-mail address of a user; empty: all
	Users, Groups bool   // which of the two
	Limit         int    // at most so many; zero and less: DefaultIdentities
}

// Browse finds users and groups: the one with just this name first, then by name. It
// needs no rights. It fails with Invalid, of field "pattern".
func (c *Core) Browse(ctx context.Context, b Browse) (found []Principal, err error) {
	pattern, err := clm.ParsePattern(b.Filter + "*")
	if err != nil {
		return nil, err
	}
	if b.Limit <= 0 {
		b.Limit = DefaultIdentities
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		found = nil
		for _, p := range known {
			if p.IsGroup && !b.Groups || !p.IsGroup && !b.Users {
				continue
			}
			matches := pattern.Match(p.Name)
			if !matches && strings.Contains(b.Filter, "@") {
				if matches, err = hasEmail(tx, p, b.Filter); err != nil {
					return err
				}
			}
			if matches {
				found = append(found, principalOf(p))
			}
		}
		return nil
	})
	isSame := func(p Principal) int {
		if strings.EqualFold(p.Name, b.Filter) {
			return 0
		}
		return 1
	}
	slices.SortFunc(found, func(p, q Principal) int { return cmp.Or(cmp.Compare(isSame(p), isSame(q)), byName(p, q)) })
	return found[:min(len(found), b.Limit, MaxIdentities)], err
}

// byName is the order in which users and groups are listed.
func byName(p, q Principal) int { return cmp.Compare(strings.ToLower(p.Name), strings.ToLower(q.Name)) }

func principalOf(p *store.Principal) Principal { return Principal{p.ID, p.Name, p.IsGroup} }

func hasEmail(tx *store.Tx, p *store.Principal, address string) (bool, error) {
	path, err := tx.PathByID(clm.ObjectID(p.ID))
	if errors.Is(err, clm.NotFound) {
		return false, nil
	}
	return err == nil && containsFold(path.Last().Own[clm.Email], address), err
}

// Identity finds a user or group. It needs no rights. It fails with NotFound.
func (c *Core) Identity(ctx context.Context, ref PrincipalRef) (found Principal, err error) {
	err = c.aboutOne(ctx, ref, func(_ *store.Tx, _ map[clm.PrincipalID]*store.Principal, p *store.Principal) error {
		found = principalOf(p)
		return nil
	})
	return found, err
}

// aboutOne reads about the user or group that is meant.
func (c *Core) aboutOne(ctx context.Context, ref PrincipalRef, read func(*store.Tx, map[clm.PrincipalID]*store.Principal, *store.Principal) error) error {
	return c.db.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		p := ref.find(known)
		if p == nil {
			return clm.About(ref.String(), clm.NotFound)
		}
		return read(tx, known, p)
	})
}

// Memberships lists the groups that the user or group is in: directly or, with nested,
// at all. It needs no rights. It fails with NotFound.
func (c *Core) Memberships(ctx context.Context, ref PrincipalRef, nested bool) (self Principal, groups []Principal, err error) {
	err = c.aboutOne(ctx, ref, func(_ *store.Tx, known map[clm.PrincipalID]*store.Principal, p *store.Principal) error {
		self, groups = principalOf(p), nil
		direct := groupsOf(known, p)
		for _, group := range groupsAbove(known, p) {
			if nested || slices.Contains(direct, group.ID) {
				groups = append(groups, principalOf(group))
			}
		}
		slices.SortFunc(groups, byName)
		return nil
	})
	return self, groups, err
}

// Members lists the users and groups in a group: directly or, with nested, at all. A
// user has none. It needs no rights. It fails with NotFound.
func (c *Core) Members(ctx context.Context, ref PrincipalRef, nested bool) (members []Principal, err error) {
	err = c.aboutOne(ctx, ref, func(_ *store.Tx, known map[clm.PrincipalID]*store.Principal, p *store.Principal) error {
		members = membersOf(known, p, nested)
		return nil
	})
	return members, err
}

func membersOf(known map[clm.PrincipalID]*store.Principal, group *store.Principal, nested bool) (members []Principal) {
	seen := map[clm.PrincipalID]bool{group.ID: true}
	for queue := []*store.Principal{group}; len(queue) > 0; queue = queue[1:] {
		of := queue[0]
		for _, p := range known {
			isIn := slices.Contains(p.In, of.ID) || isEveryone(of) && !p.IsGroup
			if seen[p.ID] || !isIn {
				continue
			}
			seen[p.ID] = true
			members = append(members, principalOf(p))
			if nested && p.IsGroup {
				queue = append(queue, p)
			}
		}
	}
	slices.SortFunc(members, byName)
	return members
}

// publicValues are what everybody may know of a user or group.
var publicValues = map[clm.Attr]bool{clm.FullName: true, clm.GivenName: true, clm.Surname: true, clm.Email: true, clm.Description: true}

// IdentityValues are the values of an attribute of a user or group. What is not
// everybody's business has none for whom may not read the object. It fails with NotFound.
func (c *Core) IdentityValues(ctx context.Context, who clm.Actor, ref PrincipalRef, a clm.Attr) (values []string, err error) {
	err = c.aboutOne(ctx, ref, func(tx *store.Tx, _ map[clm.PrincipalID]*store.Principal, p *store.Principal) error {
		values = nil
		path, err := tx.PathByID(clm.ObjectID(p.ID))
		if err != nil || !publicValues[a] && !path.Rights(who).Has(clm.Read) {
			return err
		}
		values, err = dereferred(tx, path.Last().Own[a])
		return err
	})
	return values, err
}
