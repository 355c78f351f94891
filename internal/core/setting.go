package core

import (
	"context"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// An AuthorityRef names a template by an account at a vendor rather than by its place.
type AuthorityRef struct {
	Vendors []string // the names that the vendor goes by, in any case
	Silent  bool     // a template that names no vendor is one of theirs
	Account string   // the name of the account, in any case
}

// String is the reference for entries.
func (r AuthorityRef) String() string { return strings.Join(r.Vendors, "/") + " " + r.Account }

// CASetting finds the template that is meant, among those that the actor may see. Of
// several the first counts. It fails with NotFound of the Field "setting".
func (c *Core) CASetting(ctx context.Context, who clm.Actor, ref AuthorityRef) (template clm.Path, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		template, err = ref.find(tx, who, "")
		return err
	})
	return template, err
}

// find finds the template that is meant. The usual one, which is what policy says, may be
// used by who does not see it, and comes before all others.
func (r AuthorityRef) find(tx *store.Tx, who clm.Actor, usual clm.ObjectID) (template clm.Path, err error) {
	err = tx.Walk(store.Walk{Below: clm.RootDN, Classes: []clm.Class{clm.Authority}}, func(o *clm.Object) (bool, error) {
		if !r.fits(o) || template != nil && o.ID != usual {
			return true, nil
		}
		path, err := tx.PathByID(o.ID)
		if err == nil && (o.ID == usual || path.Rights(who).Has(clm.View)) {
			template = path
		}
		return o.ID != usual, err
	})
	if err == nil && template == nil {
		err = clm.About(r.String(), clm.Fail(clm.NotFound, "setting", r.Account))
	}
	return template, err
}

// fits reports whether the template is one that is meant.
func (r AuthorityRef) fits(template *clm.Object) bool {
	if AccountOf(template) == "" || !strings.EqualFold(AccountOf(template), r.Account) {
		return false
	}
	of := template.Own[clm.AuthorityVendor]
	for _, vendor := range r.Vendors {
		if containsFold(of, vendor) {
			return true
		}
	}
	return len(of) == 0 && r.Silent
}

// AccountOf is the name of the account by which the template orders: what it says, or
// else its own name.
func AccountOf(template *clm.Object) string {
	if account := firstOf(template, clm.AuthoritySetting); account != "" {
		return account
	}
	return template.DN.Name()
}
