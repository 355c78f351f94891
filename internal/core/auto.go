package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	sweepBatch   = 100         // certificates reconsidered at a time; whoever writes waits for them
)

// automatic is the actor of renewals that nobody asked for, and their reason.
var automatic = clm.Actor{Name: "automatic renewal", Master: true}

const reasonAutomatic = "automatic"

// renewAutomatically begins renewals that have become due, goes on with revocations whose
// CA could not be asked, and forgets what was kept for a time, until ctx ends.
func (c *Core) renewAutomatically(ctx context.Context) {
	look := time.NewTicker(autoInterval)
	defer look.Stop()
	for ctx.Err() == nil {
		if _, err := c.RenewDue(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("automatic renewal", slog.Any("error", err))
		}
		if err := c.resumeStopped(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("go on with revocations", slog.Any("error", err))
		}
		if err := c.sweepUploaded(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("forget signing requests", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// RenewDue begins the renewal of every certificate whose time has come, and says
// of how many. Before that it reconsiders what changes of policy have touched.
// Any number of nodes may do this at a time: each claims other certificates, and
// puts them off by that, so that one which fails keeps nobody from the rest.
func (c *Core) RenewDue(ctx context.Context) (begun int, err error) {
	err = c.sweep(ctx)
	for ctx.Err() == nil {
		due, until, e := c.db.ClaimRenewals(ctx, autoBatch, clm.MinAgain)
		if e != nil || len(due) == 0 {
			return begun, errors.Join(err, e)
		}
		n, e := c.renewEach(ctx, due, until)
		begun += n
		if err = errors.Join(err, e); e != nil && n == 0 {
			return begun, err // nothing goes well: the rest had better wait as well
		}
	}
	return begun, errors.Join(err, ctx.Err())
}

// renewEach begins the renewals at once, so that they share commits.
func (c *Core) renewEach(ctx context.Context, ids []clm.ObjectID, until time.Time) (begun int, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, id := range ids {
		wg.Go(func() {
			did, e := c.renewOne(ctx, id, until)
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

// renewOne begins the renewal of one certificate, which was claimed until then, if
// it is still due. Whatever comes of it, it is looked at again before long: an
// attempt that ends in nothing, by a reset or because policy forbids it, is not
// the last one. What is not begun is not said to be: the entry tells why.
func (c *Core) renewOne(ctx context.Context, id clm.ObjectID, until time.Time) (begun bool, err error) {
	var refused error
	entry := store.Entry{Actor: automatic, Action: "renew", Subject: string(id)}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		begun, refused = false, nil
		still, err := tx.HasRenewal(id, until)
		if err != nil || !still { // it was deleted, or somebody else has seen to it
			tx.Refused(clm.Unnecessary)
			return err
		}
		path, err := tx.PathByID(id)
		if err != nil {
			return err
		}
		place := path.Last()
		tx.About(string(place.DN), "")
		v, err := c.current(tx, place)
		if err != nil {
			return err
		}
		if at := renewalOf(path, v); at.IsZero() || at.After(tx.Now) {
			tx.Refused(clm.Unnecessary)
			return tx.SetRenewal(id, at)
		}
		if err := tx.SetRenewal(id, v.TryAgainAt(tx.Now)); err != nil {
			return err
		}
		open, err := openWork(tx, id)
		if err != nil {
			return err
		}
		switch refused = (Renew{}).may(tx, path, nil, open, nil, nil); {
		case refused == nil:
		case clm.AsError(refused).Kind == clm.Internal:
			return refused // a fault of ours: the claim runs out, and it is tried again
		default:
			tx.About(string(place.DN), refused.Error())
			tx.Refused(refused)
			return nil
		}
		_, err = begin(tx, automatic, path, beginning{reason: reasonAutomatic})
		begun = err == nil
		return err
	})
	switch {
	case errors.Is(err, clm.Busy): // somebody was faster
		return false, nil
	case err != nil:
		return false, fmt.Errorf("renew %s: %w", id, err)
	case refused != nil && !errors.Is(refused, clm.Busy):
		c.log.Warn("a certificate is due and cannot be renewed", slog.String("certificate", string(id)), slog.Any("error", refused))
	}
	return begun, nil
}

// renewalOf is when the version in use of the place at the end of the path is to
// be renewed by itself, or zero; nil: there is none. Nobody waits for the next one of what
// was taken out of the inventory, and what came back by a rollback is left alone for a while.
func renewalOf(path clm.Path, v *clm.Version) time.Time {
	if v == nil || !v.Removed.IsZero() {
		return time.Time{}
	}
	at := path.RenewalAt(*v)
	if rests := restsUntil(path.Last(), *v); !at.IsZero() && at.Before(rests) {
		return rests
	}
	return at
}

// replan finds anew when the certificate at the end of the path is to be renewed.
func replan(tx *store.Tx, path clm.Path) error {
	place := path.Last()
	if place.Current == 0 {
		return nil
	}
	v, err := tx.Version(place.Current)
	if err != nil {
		return err
	}
	return tx.SetRenewal(place.ID, renewalOf(path, &v))
}

// plans reports whether the time of automatic renewal depends on the attribute.
func plans(a clm.Attr) bool {
	switch a {
	case clm.RenewalWindow, clm.NoAutoRenewal, clm.ManagementType, clm.UserCSR, clm.Off:
		return true
	}
	return clm.IsEndDate(a)
}

// replanAfter sees to it that what the changes of an object mean for automatic
// renewal is heeded: at once for a certificate; a folder's certificates, which may
// be very many, are reconsidered in the background.
func replanAfter(tx *store.Tx, path clm.Path, changes []Change) error {
	touched := slices.ContainsFunc(changes, func(c Change) bool { return plans(c.Attr) })
	switch {
	case !touched:
		return nil
	case isCertificate(path):
		return replan(tx, path)
	}
	return tx.AddSweep(path.Last().DN)
}

// replanFrom is replanAfter for a certificate that had these values of its own.
func replanFrom(tx *store.Tx, path clm.Path, before map[clm.Attr][]string) error {
	own := path.Last().Own
	for _, values := range []map[clm.Attr][]string{before, own} {
		for a := range values {
			if plans(a) && !slices.Equal(before[a], own[a]) {
				return replan(tx, path)
			}
		}
	}
	return nil
}

// sweep reconsiders the certificates below folders whose policy has changed, a
// batch in each transaction; where it is interrupted it goes on later. Nodes that
// do this at a time take turns.
func (c *Core) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		var s store.Sweep
		more := false
		next := func(tx *store.Tx) (err error) {
			s, more, err = tx.NextSweep()
			return err
		}
		if err := c.db.Read(ctx, next); err != nil || !more {
			return err
		}
		err := c.db.Write(ctx, store.Entry{Actor: automatic, Action: "reconsider", Subject: string(s.Below)}, func(tx *store.Tx) error {
			if err := next(tx); err != nil || !more { // another node may have come farther
				tx.Refused(clm.Unnecessary)
				return err
			}
			tx.About(string(s.Below), string(s.After))
			return reconsider(tx, s)
		})
		if err != nil {
			return fmt.Errorf("reconsider renewals below %s: %w", s.Below, err)
		}
	}
	return ctx.Err()
}

// reconsider takes the sweep one batch farther.
func reconsider(tx *store.Tx, s store.Sweep) error {
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
