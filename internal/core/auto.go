package core

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Limits of automatic renewal.
const (
	autoInterval = time.Minute // between looks at what is due
	autoBatch    = 64          // certificates renewed at a time; they share commits
	sweepBatch   = 500         // certificates reconsidered at a time
	autoAgain    = clm.Day     // before trying again what could not be renewed
)

// automatic is the actor of renewals that nobody asked for, and their reason.
var automatic = clm.Actor{Name: "automatic renewal", Master: true}

const reasonAutomatic = "automatic"

// renewAutomatically begins renewals that have become due until ctx ends.
func (c *Core) renewAutomatically(ctx context.Context) {
	look := time.NewTicker(autoInterval)
	defer look.Stop()
	for ctx.Err() == nil {
		if _, err := c.RenewDue(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("automatic renewal", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// RenewDue begins the renewal of every certificate whose time has come, and says
// of how many. Before that it reconsiders what changes of policy have touched.
// Any number of nodes may do this at a time: one of them begins a renewal, the
// others find it begun.
func (c *Core) RenewDue(ctx context.Context) (begun int, err error) {
	if err := c.sweep(ctx); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		var due []clm.ObjectID
		err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
			due, err = tx.DueRenewals(tx.Now, autoBatch)
			return err
		})
		if err != nil || len(due) == 0 {
			return begun, err
		}
		n, err := c.renewEach(ctx, due)
		begun += n
		if err != nil {
			return begun, err
		}
	}
	return begun, ctx.Err()
}

// renewEach begins the renewals at once, so that they share commits.
func (c *Core) renewEach(ctx context.Context, ids []clm.ObjectID) (begun int, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, id := range ids {
		wg.Go(func() {
			did, e := c.renewOne(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if err = errors.Join(err, e); did {
				begun++
			}
		})
	}
	wg.Wait()
	return begun, err
}

// renewOne begins the renewal of one certificate if it is still due. Whatever
// comes of it, it is looked at again in a day: an attempt that ends in nothing, by
// a reset or because policy forbids it, is not the last one.
func (c *Core) renewOne(ctx context.Context, id clm.ObjectID) (begun bool, err error) {
	var refused error
	entry := store.Entry{Actor: automatic, Action: "renew", Subject: string(id)}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		begun, refused = false, nil
		path, err := tx.PathByID(id)
		if errors.Is(err, clm.NotFound) {
			return nil // somebody has deleted it
		}
		if err != nil {
			return err
		}
		place := path.Last()
		tx.About(string(place.DN), "")
		if at, err := renewalAt(tx, path); err != nil || at.IsZero() || at.After(tx.Now) {
			return errors.Join(err, tx.SetRenewal(id, at))
		}
		if err := tx.SetRenewal(id, tx.Now.Add(autoAgain)); err != nil {
			return err
		}
		open, err := openWork(tx, id)
		if err != nil || open != nil {
			return err
		}
		if refused = (Renew{}).may(tx, path, nil, nil, nil); refused != nil {
			tx.About(string(place.DN), "refused: "+refused.Error())
			return nil
		}
		_, err = begin(tx, automatic, path, nil, nil, reasonAutomatic, false)
		begun = err == nil
		return err
	})
	if errors.Is(err, clm.Busy) { // another node was faster
		err = nil
	}
	if refused != nil {
		c.log.Warn("a certificate is due and cannot be renewed", slog.String("certificate", string(id)), slog.Any("error", refused))
	}
	return begun && err == nil, err
}

// renewalAt is when the certificate at the end of the path is to be renewed by
// itself, or zero.
func renewalAt(tx *store.Tx, path clm.Path) (time.Time, error) {
	place := path.Last()
	if place.Current == 0 {
		return time.Time{}, nil
	}
	v, err := tx.Version(place.Current)
	return path.RenewalAt(v), err
}

// replan finds anew when the certificate at the end of the path is to be renewed.
func replan(tx *store.Tx, path clm.Path) error {
	at, err := renewalAt(tx, path)
	if err != nil {
		return err
	}
	return tx.SetRenewal(path.Last().ID, at)
}

// planAttrs are the attributes on which the time of automatic renewal depends.
var planAttrs = map[clm.Attr]bool{
	clm.RenewalWindow: true, clm.NoAutoRenewal: true, clm.ManagementType: true, clm.UserCSR: true, clm.Off: true,
}

// replanAfter sees to it that what the changes of an object mean for automatic
// renewal is heeded: at once for a certificate; a folder's certificates, which may
// be very many, are reconsidered in the background.
func replanAfter(tx *store.Tx, path clm.Path, changes []Change) error {
	touched := false
	for _, change := range changes {
		touched = touched || planAttrs[change.Attr]
	}
	switch {
	case !touched:
		return nil
	case isCertificate(path):
		return replan(tx, path)
	}
	return tx.AddSweep(path.Last().DN)
}

// sweep reconsiders the certificates below folders whose policy has changed, a
// batch in each transaction; where it is interrupted it goes on later.
func (c *Core) sweep(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		var s store.Sweep
		err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
			s, more, err = tx.NextSweep()
			return err
		})
		if err != nil || !more {
			return err
		}
		entry := store.Entry{Actor: automatic, Action: "reconsider", Subject: string(s.Below), Detail: string(s.After)}
		err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
			ids, err := tx.CertificatesBelow(s.Below, s.After, sweepBatch)
			if err != nil {
				return err
			}
			for _, id := range ids {
				path, err := tx.PathByID(id)
				if err == nil {
					err = replan(tx, path)
				}
				if err != nil {
					return err
				}
			}
			if len(ids) < sweepBatch {
				return tx.EndSweep(s)
			}
			return tx.SaveSweep(s, ids[len(ids)-1])
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// checkWindow makes sure that the renewal window that holds in the folder at the
// end of the path, for certificates of the class, is shorter than their lifetime,
// as far as that is known: from policy or from the template that policy names.
func checkWindow(tx *store.Tx, folder clm.Path, class clm.Class, own map[clm.Attr][]string) error {
	at := func(a clm.Attr) string { return folder.ValueFor(class, a, own[a]...).First() }
	window := at(clm.RenewalWindow)
	if window == "" {
		return nil
	}
	days, err := strconv.Atoi(window)
	if err != nil {
		return clm.Fail(clm.Invalid, string(clm.RenewalWindow), window)
	}
	lifetime, _ := strconv.Atoi(at(clm.ValidityDays)) // nonsense is not known
	if lifetime == 0 {
		if template, err := authorityPath(tx, at(clm.IssuedBy)); err == nil {
			lifetime, _ = strconv.Atoi(clm.Setting{Values: template.Last().Own[clm.ValidityDays]}.First())
		}
	}
	return clm.CheckWindow(days, lifetime)
}
