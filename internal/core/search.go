package core

import (
	"context"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// MaxListed is how many objects a Search finds at most.
const MaxListed = 100_000

// A Search selects objects of the tree.
type Search struct {
	Below     string // the DN of where to look; empty: everywhere
	Recursive bool   // also deeper than directly below it
	Classes   []clm.Class
	Derived   bool // of classes that derive from these, too
	Pattern   clm.Pattern
	Has       string          // letters and digits, in lower case, that are somewhere in what the objects say of themselves; empty: whatever they say
	Links     bool            // Keep sees the DNs of applications and certificates where they name one another, not their IDs
	Keep      func(Node) bool // nil keeps all; of what the actor may not read it sees no values but those that make its class
}

// Search lists the objects that the actor may see, in the order of their DNs. It fails
// with Invalid, with NotFound where the place to look at is not there, and with Limited
// where there are more than MaxListed.
func (c *Core) Search(ctx context.Context, who clm.Actor, s Search) (found []Node, err error) {
	err = c.search(ctx, who, s, func(n Node) (bool, error) {
		if len(found) >= MaxListed {
			return false, clm.Fail(clm.Limited, "number", strconv.Itoa(MaxListed))
		}
		n.Own, n.Policy = kindOf(n.Own), nil // what they say would be too much to hold
		found = append(found, n)
		return true, nil
	}, func() { found = nil })
	return found, err
}

// Count counts what Search would list, however many. Kinds: those of Search.
func (c *Core) Count(ctx context.Context, who clm.Actor, s Search) (n int, err error) {
	err = c.search(ctx, who, s, func(Node) (bool, error) {
		n++
		return true, nil
	}, func() { n = 0 })
	return n, err
}

// search calls fn for each object that is selected; begin comes first.
func (c *Core) search(ctx context.Context, who clm.Actor, s Search, fn func(Node) (bool, error), begin func()) error {
	return c.db.Read(ctx, func(tx *store.Tx) error {
		begin()
		below := clm.RootDN
		if s.Below != "" {
			path, _, err := find(tx, who, s.Below)
			if err != nil {
				return err
			}
			below = path.Last().DN
		}
		var above clm.Path // of the object before, which is nearly always that of the next
		walk := store.Walk{Below: below, Direct: !s.Recursive && s.Below != "", Classes: s.Classes, Derived: s.Derived, Has: s.Has}
		return tx.Walk(walk, func(o *clm.Object) (more bool, err error) {
			if !s.Pattern.Matches(o.DN) {
				return true, ctx.Err()
			}
			if parent := o.DN.Parent(); above.Last() == nil || above.Last().DN != parent {
				if above, err = tx.Path(parent); err != nil {
					return false, err
				}
			}
			path := append(above[:len(above):len(above)], o)
			rights := path.Rights(who)
			if !rights.Has(clm.View) {
				return true, ctx.Err()
			}
			n, err := s.node(tx, who, path, rights)
			if err != nil || s.Keep != nil && !s.Keep(n) {
				return err == nil, err
			}
			return fn(n)
		})
	})
}

// node is the last object of the path as Keep sees it.
func (s Search) node(tx *store.Tx, who clm.Actor, path clm.Path, rights clm.Rights) (Node, error) {
	if s.Keep == nil || !rights.Has(clm.Read) {
		o := *path.Last()
		o.Own, o.Policy = kindOf(o.Own), nil
		return nodeAt(nil, append(path[:len(path)-1:len(path)-1], &o)) // there are no references in it
	}
	n, err := nodeAt(tx, path)
	if err != nil || !s.Links {
		return n, err
	}
	for _, a := range []clm.Attr{clm.Bound, clm.Consumers} {
		if (Edit{Attr: a}).relinks(path.Last()) {
			dns, err := consumersOf(tx, who, &clm.Object{Own: map[clm.Attr][]string{clm.Consumers: path.Last().Own[a]}})
			if err != nil {
				return n, err
			}
			set(n.Own, a, textsOf(dns)...)
		}
	}
	return n, nil
}

// ObjectByNumber finds an object by its number. It fails with NotFound.
func (c *Core) ObjectByNumber(ctx context.Context, who clm.Actor, n int64) (Node, error) {
	return c.node(ctx, func(tx *store.Tx) (clm.Path, clm.Rights, error) {
		path, err := tx.ObjectByNumber(n)
		return seen(tx, path, err, who, strconv.FormatInt(n, 10))
	})
}

// HighestRevision is the highest revision of the object and of what is below it that
// the actor may see, of the classes if there are any. It fails with Invalid or NotFound.
func (c *Core) HighestRevision(ctx context.Context, who clm.Actor, dn string, classes []clm.Class) (highest int64, err error) {
	start, err := c.Object(ctx, who, dn)
	if err != nil {
		return 0, err
	}
	err = c.search(ctx, who, Search{Below: dn, Recursive: true, Classes: classes}, func(n Node) (bool, error) {
		highest = max(highest, n.Revision)
		return true, nil
	}, func() {
		highest = 0
		if len(classes) == 0 || slices.Contains(classes, start.Class) {
			highest = start.Revision
		}
	})
	return highest, err
}

// VersionHolder finds the certificate whose version has the part with the number in the
// vault. It fails with NotFound, also when the actor may not read the certificate.
func (c *Core) VersionHolder(ctx context.Context, who clm.Actor, id int64) (v View, err error) {
	missing := clm.Fail(clm.NotFound, "vault-id", strconv.FormatInt(id, 10))
	n, _ := PartOf(id)
	var dn clm.DN
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		version, err := tx.Version(n)
		if err != nil {
			return err
		}
		path, rights, err := findByID(tx, who, version.Certificate)
		if err == nil && !rights.Has(clm.Read) {
			err = missing
		}
		if err == nil {
			dn = path.Last().DN
		}
		return err
	})
	if err != nil {
		return v, err
	}
	return c.View(ctx, who, string(dn))
}
