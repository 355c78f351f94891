package coretest

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// OpenWork is the work that leads to the next certificate of the place; nil where
// there is none.
func (r *Rig) OpenWork(dn string) (*clm.Work, error) { return r.openWork(dn, clm.EnrollLane) }

// OpenRevocation is the work that revokes a certificate of the place; nil where there
// is none.
func (r *Rig) OpenRevocation(dn string) (*clm.Work, error) { return r.openWork(dn, revokeLane) }

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

const revokeLane clm.Lane = "revoke"

// AddRevocation writes down what a revocation under way leaves in the database:
// open work in a lane of its own.
func (r *Rig) AddRevocation(dn string) error {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return err
	}
	return r.DB.Write(ctx, store.Entry{Actor: r.Admin, Action: "revoke", Subject: dn}, func(tx *store.Tx) error {
		w := clm.Begin("revoke", clm.Submit, tx.Now)
		w.Lane, w.Subject, w.Version, w.NotBefore = revokeLane, place.ID, place.Current, clm.Never
		return tx.AddWork(&w)
	})
}
