package core

import (
	"context"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// MaxDelete is how many objects are deleted by one call at most.
const MaxDelete = 2_000

// DeleteKinds are the ways in which DeleteObject fails. Of Unsupported, Field says
// whether it is the object itself ("object"), what is below it ("below"), how much
// ("number"), or a custom field that is in use ("field-data") that cannot go.
var DeleteKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported}

// DeleteObject deletes an object and, with below, everything below it: all or nothing.
// The secrets that nobody else owns go along; what others have said of the objects is
// not there any more. Certificates that were used by applications which go are used by
// them no longer, and the other way round. A user is logged out.
func (c *Core) DeleteObject(ctx context.Context, who clm.Actor, dn string, below bool) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "delete", Subject: dn}, func(tx *store.Tx) error {
		path, _, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		if isFixed(path.Last()) || path.Last().Class == clm.Ticket {
			return clm.About(dn, clm.Fail(clm.Unsupported, "object", dn))
		}
		if !path.Rights(who).Has(clm.Delete) {
			return clm.About(dn, clm.Denied)
		}
		doomed, err := doomedWith(tx, path, below)
		if err != nil {
			return err
		}
		for _, p := range doomed {
			if !p.Rights(who).Has(clm.Delete) {
				return clm.About(string(p.Last().DN), clm.Denied)
			}
			o := p.Last()
			if o.Class == clm.CustomField {
				if err := unused(tx, o); err != nil {
					return err
				}
			}
			if isPrincipal(o.Class) {
				if err := mayTouch(tx, who, clm.PrincipalID(o.ID), true); err != nil {
					return clm.About(string(o.DN), err)
				}
			}
		}
		left, err := leftSwitched(tx, doomed)
		if err != nil {
			return err
		}
		tx.About(string(path.Last().DN), left)
		for _, p := range slices.Backward(doomed) { // those below others first
			if err := c.deleteOne(tx, p); err != nil {
				return clm.About(string(p.Last().DN), err)
			}
		}
		return nil
	})
}

// isFixed reports whether the object is part of every installation.
func isFixed(o *clm.Object) bool {
	fixed := func(p Put) bool { return clm.DN(p.DN).Key() == o.DN.Key() }
	return o.DN.Parent() == "" || o.DN.Key() == clm.PolicyDN.Key() || slices.ContainsFunc(roots, fixed)
}

// doomedWith are the object and all that is below it.
func doomedWith(tx *store.Tx, path clm.Path, below bool) (doomed []clm.Path, err error) {
	doomed = []clm.Path{path}
	err = tx.Walk(store.Walk{Below: path.Last().DN}, func(o *clm.Object) (bool, error) {
		if !below {
			return false, clm.About(string(path.Last().DN), clm.Fail(clm.Unsupported, "below", string(o.DN)))
		}
		if len(doomed) >= MaxDelete {
			return false, clm.About(string(path.Last().DN), clm.Fail(clm.Unsupported, "number", ""))
		}
		above, err := tx.Path(o.DN.Parent())
		doomed = append(doomed, append(above[:len(above):len(above)], o))
		return true, err
	})
	return doomed, err
}

// deleteOne deletes the last object of the path, below which there is nothing any more.
func (c *Core) deleteOne(tx *store.Tx, path clm.Path) error {
	fresh, err := tx.PathByID(path.Last().ID) // what went before may have changed it
	if err != nil {
		return err
	}
	o := fresh.Last()
	switch {
	case isCertificate(fresh):
		err = free(tx, o)
	case o.Class.Is(clm.Application):
		err = unlink(tx, o)
	case isPrincipal(o.Class):
		err = tx.DropPrincipal(clm.PrincipalID(o.ID))
	}
	if err == nil {
		err = tx.DropSecretsOf(o.ID)
	}
	if err == nil {
		err = tx.DeleteObject(o)
	}
	return err
}

// free ends what is under way for a certificate that is about to go, and leaves the
// applications that use it with none.
func free(tx *store.Tx, o *clm.Object) error {
	open, err := tx.OpenWork(o.ID, clm.EnrollLane)
	if err == nil && open != nil {
		err = endEnrolment(tx, *open)
	}
	if err != nil {
		return err
	}
	bound, err := boundTo(tx, o)
	for _, id := range bound {
		if err != nil {
			return err
		}
		err = leave(tx, id)
	}
	return err
}

// leave ends what is under way for an application, and lets it use no certificate.
func leave(tx *store.Tx, id clm.ObjectID) error {
	path, err := tx.PathByID(id)
	if errors.Is(err, clm.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := endInstallAt(tx, id); err != nil {
		return err
	}
	app := cloned(path.Last())
	delete(app.Own, clm.Bound)
	return tx.SaveObject(app)
}

// unlink takes an application that is about to go off the list of its certificate.
func unlink(tx *store.Tx, app *clm.Object) error {
	path, err := tx.PathByID(clm.ObjectID(firstOf(app, clm.Bound)))
	if errors.Is(err, clm.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	left := cloned(path.Last())
	set(left.Own, clm.Consumers, slices.DeleteFunc(slices.Clone(left.Own[clm.Consumers]), func(id string) bool { return id == string(app.ID) })...)
	return tx.SaveObject(left)
}
