package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// RetryKinds are the ways in which Retry fails. Unnecessary: nothing has stopped.
var RetryKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unwritten, clm.Unnecessary}

// Retry lets work of the place and of its applications that has stopped go on from
// the stage at which it stands, with the same key. Of Unwritten, Field is "work" or,
// about an application, "application". The work returned is that of the place, or
// else of an application.
func (c *Core) Retry(ctx context.Context, who clm.Actor, dn string) (done Accepted, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "retry", Subject: dn}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		switch {
		case err != nil:
			return err
		case !isCertificate(path) || !rights.Has(clm.Read):
			return clm.About(dn, clm.NotFound)
		}
		place := path.Last()
		done = Accepted{DN: place.DN, ID: place.ID}
		tx.About(string(place.DN), "")
		if !rights.Has(clm.Write) {
			return clm.About(string(place.DN), clm.Denied)
		}
		bound, err := boundTo(tx, place)
		if err != nil {
			return err
		}
		stopped := 0
		for _, id := range append([]clm.ObjectID{place.ID}, bound...) {
			works, err := tx.OpenWorks(id)
			if err != nil {
				return err
			}
			for _, w := range works {
				if w.Failure == "" || w.Op != clm.Enroll && !w.Op.IsAtHost() {
					continue
				}
				stopped++
				if err := c.resume(tx, w, path); err != nil {
					return err
				}
				c.hosts.tell(w.Host, nil, tx.Now) // who asks for it does not mean in a while
				if done.Work == 0 {
					done.Work, done.Version = w.ID, w.Version
				}
			}
		}
		if stopped == 0 {
			return clm.About(string(place.DN), clm.Unnecessary)
		}
		return nil
	})
	return done, err
}

// resume lets the work go on; place is where the certificate stands. An order that was to
// be approved, and was not, has to be approved anew.
func (c *Core) resume(tx *store.Tx, w clm.Work, place clm.Path) (err error) {
	path, what, from := place, "work", w.Stage
	if w.Op != clm.Enroll {
		if path, err = tx.PathByID(w.Subject); err != nil {
			return err
		}
		what, from = "application", clm.Plan(w.Op)[0] // as ResumeWork has it
	}
	wants, err := wantsApproval(tx, w, from)
	if err != nil {
		return err
	}
	if err = tx.ResumeWork(w); err == nil && wants {
		w.Stage = from
		err = c.askForOrder(tx, w, path)
	}
	return clm.About(string(path.Last().DN), unwritten(what, err))
}
