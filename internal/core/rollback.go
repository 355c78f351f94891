package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Rollback lets applications use the certificate again that was in use before.
type Rollback struct {
	Names    []string // of the applications, as PushRecord has them
	Approval bool     // it waits until somebody has approved and somebody has implemented it
}

// reasonRollback is why there is work that brings an earlier certificate back.
const reasonRollback = "rollback"

// Rollback makes the certificate that was in use before the one in use again, of each
// certificate that the applications use, and puts it where these use it. It must be valid
// still and neither revoked nor on hold, and nothing else may be on its way. What is in use
// now stays in the history, is not revoked, and no later rollback goes back to it. Where
// somebody has to approve it first, the other one comes into use once somebody has. Kinds:
// PushRecordKinds.
func (c *Core) Rollback(ctx context.Context, who clm.Actor, r Rollback) (done []PushedTo, err error) {
	ids, sought := c.seekConnectors(ctx, who, r.Names, "")
	err = unlessBegun(func() error {
		return c.db.Write(ctx, store.Entry{Actor: who, Action: "rollback", Subject: strings.Join(r.Names[:min(len(r.Names), MaxConnectors)], " ")}, func(tx *store.Tx) error {
			done = nil
			if sought != nil {
				return sought
			}
			apps, err := connectorsOf(tx, who, ids)
			if err != nil {
				return err
			}
			var used []clm.ObjectID
			by := map[clm.ObjectID][]clm.Path{}
			for _, app := range apps {
				id := clm.ObjectID(firstOf(app.Last(), clm.Bound))
				if by[id] == nil {
					used = append(used, id)
				}
				by[id] = append(by[id], app)
			}
			var said telling
			for _, id := range used {
				way, err := findWayBack(tx, who, id)
				if err != nil {
					return err
				}
				from, err := c.rollbackFrom(tx, way, r.Approval)
				if err != nil {
					return err
				}
				pushed, err := c.pushTo(tx, who, from, by[id], r.Approval)
				if err != nil {
					return err
				}
				done = append(done, pushed...)
				said.of(way.path.Last(), way.String())
			}
			detail := said.detail()
			if r.Approval {
				detail = "once approved: " + detail
			}
			tx.About(said.subject(), detail)
			return nil
		})
	})
	return done, err
}

// rollbackFrom is what is to be installed: the version before the one in use, which comes
// into use now unless somebody has to approve that.
func (c *Core) rollbackFrom(tx *store.Tx, way wayBack, approval bool) (from origin, err error) {
	path := way.path
	if !approval {
		if path, err = way.take(tx); err != nil {
			return from, err
		}
	}
	if from, err = c.pushFrom(tx, path); err != nil {
		return from, clm.About(string(path.Last().DN), err)
	}
	from.version, from.hasKey, from.reason = way.before, len(way.before.Sealed) > 0, reasonRollback
	return from, nil
}

// A wayBack leads from the version in use of the place at the end of the path to the one
// that was in use before.
type wayBack struct {
	path        clm.Path
	now, before clm.Version
}

// String says what comes for what.
func (w wayBack) String() string { return RecordID(w.before) + " in place of " + RecordID(w.now) }

// findWayBack finds the way back for the place, if there is one that the actor may go.
func findWayBack(tx *store.Tx, who clm.Actor, id clm.ObjectID) (w wayBack, err error) {
	path, rights, err := findByID(tx, who, id)
	if err == nil && (!rights.Has(clm.Read) || path.Last().Current == 0) {
		err = clm.NotFound
	}
	if err != nil {
		return w, clm.About(string(id), err)
	}
	w.path = path
	if w.now, err = tx.Version(path.Last().Current); err != nil {
		return w, err
	}
	rec, err := recordOf(tx, who, w.now)
	if errors.Is(err, clm.NotFound) { // the record of what is in use was taken out of the inventory
		rec, err = Record{Path: path, Rights: rights, Version: w.now, State: RecordIssued}, nil
	}
	if err == nil {
		err = orElse(rec.mayPush(), isAtRest(tx, id))
	}
	if err == nil {
		w.before, err = versionBefore(tx, path.Last(), w.now)
	}
	return w, clm.About(string(path.Last().DN), err)
}

// take goes the way back: the version before is the one in use from then on. It returns the
// path as it is then.
func (w wayBack) take(tx *store.Tx) (clm.Path, error) {
	facts, err := readFacts(w.before.Cert)
	if err != nil {
		return nil, clm.About(string(w.path.Last().DN), err)
	}
	place := cloned(w.path.Last())
	set(place.Own, clm.KeyHolder)
	remember(place, retreat{from: w.now.ID, to: w.before.ID, at: tx.Now})
	if err := tx.SaveObject(place); err != nil {
		return nil, err
	}
	path := append(w.path[:len(w.path)-1:len(w.path)-1], place)
	if err := tx.Activate(w.before, facts, renewalOf(path, &w.before)); err != nil {
		return nil, err
	}
	return tx.PathByID(place.ID)
}

// versionBefore is the version of the place that was in use before this one. It fails with
// Unsupported where there is none that may serve again.
func versionBefore(tx *store.Tx, place *clm.Object, now clm.Version) (before clm.Version, err error) {
	all, err := tx.Versions(now.Certificate) // the oldest first
	if err != nil {
		return before, err
	}
	position := func(id clm.VersionID) int {
		return slices.IndexFunc(all, func(v clm.Version) bool { return v.ID == id })
	}
	retreats := retreatsOf(place)
	for at := position(now.ID) - 1; at >= 0; at-- {
		if slices.ContainsFunc(retreats, func(r retreat) bool { return position(r.to) < at && at <= position(r.from) }) {
			continue // somebody has gone back from it
		}
		if may, err := mayServeAgain(tx, all[at]); may || err != nil {
			return all[at], err
		}
	}
	return before, clm.Fail(clm.Unsupported, "before", "")
}

// mayServeAgain reports whether the version is one that may come back into use: those who
// rely on it would not turn it down, and nobody wants it revoked.
func mayServeAgain(tx *store.Tx, v clm.Version) (bool, error) {
	if v.Thumbprint == "" || !v.Orphaned.IsZero() || !v.Removed.IsZero() || !tx.Now.Before(v.NotAfter) {
		return false, nil
	}
	known, err := tx.Revocation(v.ID)
	if err != nil || known.IsDone() || known.IsHeld() {
		return false, err
	}
	revoked, _, err := tx.Standing(v.Chain, v.Serial) // in the books of an issuer that is here, whatever was forgotten since
	if err != nil && !errors.Is(err, clm.NotFound) || !revoked.IsZero() {
		return false, err
	}
	if barred, err := tx.KeyCompromised(v.KeyHash); err != nil || barred {
		return false, err
	}
	works, err := tx.Orders(v.ID)
	for _, w := range works {
		if err != nil || w.Done || w.Op != clm.Revoke && w.Op != clm.Hold {
			continue
		}
		var how OrderState
		if how, err = outcomeOf(tx, w); err == nil && how != OrderRejected {
			return false, nil
		}
	}
	return err == nil, err
}

// A retreat is what a place remembers of a rollback.
type retreat struct {
	from, to clm.VersionID
	at       time.Time
}

// maxRetreats is how many rollbacks a place remembers.
const maxRetreats = 32

// retreatsOf are those that the place remembers, the oldest first.
func retreatsOf(place *clm.Object) (all []retreat) {
	for _, text := range place.Own[clm.Retreats] {
		parts := strings.Fields(text)
		if len(parts) != 3 {
			continue
		}
		from, fromErr := strconv.ParseInt(parts[0], 10, 64)
		to, toErr := strconv.ParseInt(parts[1], 10, 64)
		at, atErr := time.Parse(time.RFC3339, parts[2])
		if errors.Join(fromErr, toErr, atErr) == nil {
			all = append(all, retreat{clm.VersionID(from), clm.VersionID(to), at})
		}
	}
	return all
}

// remember writes the retreat down on the place.
func remember(place *clm.Object, r retreat) {
	all := append(slices.Clone(place.Own[clm.Retreats]), fmt.Sprintf("%s %s %s", numberOf(r.from), numberOf(r.to), r.at.UTC().Format(time.RFC3339)))
	set(place.Own, clm.Retreats, all[max(0, len(all)-maxRetreats):]...)
}

// restsUntil is until when nobody renews the version in use of the place by himself,
// because it came back by a rollback: the next certificate would be there again before
// anybody has seen what was wrong with the last. Zero: it did not.
func restsUntil(place *clm.Object, v clm.Version) time.Time {
	all := retreatsOf(place)
	if len(all) == 0 || all[len(all)-1].to != v.ID {
		return time.Time{}
	}
	return v.TryAgainAt(all[len(all)-1].at)
}

// equipPush is equipInstallation once everything has been done that was to wait until the
// push was approved.
func (c *Core) equipPush(ctx context.Context, t *task) error {
	isLinked := firstOf(t.path.Last(), clm.Bound) == string(t.version.Certificate)
	if t.work.Stage == clm.Place && (!isLinked || t.work.Reason == reasonRollback) {
		if err := c.doApproved(ctx, t); err != nil {
			return err
		}
	}
	return c.equipInstallation(ctx, t)
}

// doApproved lets the application use the certificate or, where the work is to bring an
// earlier one back, has that come into use. It does nothing where nobody was asked, as
// then it has been done before.
func (c *Core) doApproved(ctx context.Context, t *task) error {
	isDone := false
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		gates, err := orderGates(tx, t.work)
		if isDone = len(gates) == 0; err != nil || isDone || t.work.Reason != reasonRollback {
			return err
		}
		place, err := tx.PathByID(t.version.Certificate)
		isDone = err == nil && place.Last().Current == t.version.ID
		if errors.Is(err, clm.NotFound) {
			err = nil
		}
		return err
	})
	if err != nil || isDone {
		return fault(err)
	}
	as := clm.Actor{Name: t.work.Actor, Master: true} // who has asked was allowed to, and others have approved
	entry := store.Entry{Actor: as, Action: "associate", Subject: t.subject()}
	if t.work.Reason == reasonRollback {
		entry.Action = "rollback"
	}
	err = c.db.Write(ctx, entry, func(tx *store.Tx) error {
		w, err := tx.Work(t.work.ID)
		if err == nil && (w.Done || w.Epoch != t.work.Epoch) {
			err = store.ErrStale
		}
		if err != nil {
			return err
		}
		place, err := tx.PathByID(t.version.Certificate)
		if errors.Is(err, clm.NotFound) {
			return unfit("the certificate is not there any more")
		}
		if err != nil {
			return err
		}
		if w.Reason == reasonRollback {
			err = goBack(tx, as, place.Last(), t.version.ID)
		} else {
			err = link(tx, as, place.Last(), t)
		}
		if err == nil {
			t.path, err = tx.PathByID(w.Subject)
		}
		return err
	})
	if err != nil && !clm.IsPermanent(err) && !errors.Is(err, store.ErrStale) {
		return fault(err)
	}
	return err
}

// goBack makes the version the one in use again that somebody wanted back, unless another
// has come into use meanwhile.
func goBack(tx *store.Tx, who clm.Actor, place *clm.Object, wanted clm.VersionID) error {
	if place.Current == wanted {
		return nil
	}
	way, err := findWayBack(tx, who, place.ID)
	switch {
	case err != nil && isFault(err):
		return err
	case err != nil:
		return unfit("the earlier certificate cannot come back into use: %w", err)
	case way.before.ID != wanted:
		return unfit("another certificate has come into use")
	}
	tx.About(string(place.DN), way.String())
	_, err = way.take(tx)
	return err
}

// link lets the application of the task use the certificate.
func link(tx *store.Tx, who clm.Actor, place *clm.Object, t *task) error {
	if place.Current != t.version.ID {
		return unfit("another certificate has come into use")
	}
	app, err := tx.PathByID(t.work.Subject)
	if err != nil {
		return err
	}
	tx.About(string(place.DN), string(app.Last().DN))
	place = cloned(place)
	if err := bind(tx, who, place, app); errors.Is(err, clm.Exists) {
		return unfit("the application uses another certificate")
	} else if err != nil {
		return err
	}
	return tx.SaveObject(place)
}

// awaitsApproval reports whether the installation is of the certificate and was not to be
// done before somebody had approved it, which nobody has yet, or somebody has refused.
func awaitsApproval(tx *store.Tx, w clm.Work, certificate clm.ObjectID) (awaits bool, err error) {
	v, err := tx.Version(w.Version)
	if errors.Is(err, clm.NotFound) || err == nil && v.Certificate != certificate {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	gates, err := orderGates(tx, w)
	if err != nil || len(gates) == 0 {
		return false, err
	}
	how, err := outcomeOf(tx, w)
	return how == OrderRejected || slices.ContainsFunc(gates, func(g clm.Gate) bool {
		return g.Stage == w.Stage && (g.Holds(tx.Now) || isVoid(g, tx.Now))
	}), err
}
