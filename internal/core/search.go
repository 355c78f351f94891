package core

import (
	"context"
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
	Keep      func(Node) bool // nil keeps all; it sees no values of what the actor may not read
}

// Search lists the objects that the actor may see, in the order of their DNs. It fails
// with Invalid, with NotFound where the place to look at is not there, and with Limited
// where there are more than MaxListed.
func (c *Core) Search(ctx context.Context, who clm.Actor, s Search) (found []Node, err error) {
	err = c.search(ctx, who, s, func(tx *store.Tx, path clm.Path) (bool, error) {
		n, err := nodeAt(tx, path)
		if err != nil {
			return false, err
		}
		if !path.Rights(who).Has(clm.Read) {
			n.Own, n.Policy = nil, nil
		}
		if s.Keep != nil && !s.Keep(n) {
			return true, nil
		}
		if len(found) >= MaxListed {
			return false, clm.Fail(clm.Limited, "number", strconv.Itoa(MaxListed))
		}
		found = append(found, n)
		return true, nil
	}, func() { found = nil })
	return found, err
}

// Count counts what Search would list, however many. Kinds: those of Search.
func (c *Core) Count(ctx context.Context, who clm.Actor, s Search) (n int, err error) {
	err = c.search(ctx, who, s, func(*store.Tx, clm.Path) (bool, error) {
		n++
		return true, nil
	}, func() { n = 0 })
	return n, err
}

// search calls fn for each object that is selected, but for Keep; begin comes first.
func (c *Core) search(ctx context.Context, who clm.Actor, s Search, fn func(*store.Tx, clm.Path) (bool, error), begin func()) error {
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
		walk := store.Walk{Below: below, Direct: !s.Recursive && s.Below != "", Classes: s.Classes, Derived: s.Derived}
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
			if !path.Rights(who).Has(clm.View) {
				return true, ctx.Err()
			}
			return fn(tx, path)
		})
	})
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
	err = c.search(ctx, who, Search{Below: dn, Recursive: true, Classes: classes}, func(_ *store.Tx, path clm.Path) (bool, error) {
		highest = max(highest, path.Last().Revision)
		return true, nil
	}, func() {
		highest = 0
		if len(classes) == 0 {
			highest = start.Revision
		}
	})
	return highest, err
}
