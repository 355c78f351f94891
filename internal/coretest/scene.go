package coretest

import (
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// OpenWork is the work that leads to the next certificate of the place; nil where
// there is none.
func (r *Rig) OpenWork(dn string) (*clm.Work, error) { return r.openWork(dn, clm.EnrollLane) }

// OpenRevocation is the work that revokes a certificate of the place, the oldest of
// several; nil where there is none.
func (r *Rig) OpenRevocation(dn string) (w *clm.Work, err error) {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return nil, err
	}
	err = r.DB.Read(ctx, func(tx *store.Tx) error {
		open, err := tx.OpenWorks(place.ID)
		if at := slices.IndexFunc(open, func(w clm.Work) bool { return w.Op == clm.Revoke }); at >= 0 {
			w = &open[at]
		}
		return err
	})
	return w, err
}

// OpenInstall is the work that puts the certificate where the application uses it;
// nil where there is none.
func (r *Rig) OpenInstall(dn string) (*clm.Work, error) { return r.openWork(dn, clm.InstallLane) }

// OpenUndo is the work that puts back what an installation has switched at the
// application that was ended; nil where there is none.
func (r *Rig) OpenUndo(dn string) (*clm.Work, error) { return r.openWork(dn, clm.UndoLane) }

func (r *Rig) openWork(dn string, lane clm.Lane) (w *clm.Work, err error) {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return nil, err
	}
	err = r.DB.Read(ctx, func(tx *store.Tx) error {
		w, err = tx.OpenWork(place.ID, lane)
		return err
	})
	return w, err
}

// Versions is how many versions the place has, the one in use among them.
func (r *Rig) Versions(dn string) (n int, err error) {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return 0, err
	}
	err = r.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := tx.Versions(place.ID)
		n = len(all)
		return err
	})
	return n, err
}

// Revocation is what is known of the revocation of the version in use.
func (r *Rig) Revocation(dn string) (known clm.Revocation, err error) {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return known, err
	}
	err = r.DB.Read(ctx, func(tx *store.Tx) error {
		known, err = tx.Revocation(place.Current)
		return err
	})
	return known, err
}
