package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/store"
)

// The effects that put a certificate where an application uses it. Up to configure
// nothing has changed for anybody; from then on, whatever fails is put back.

// Limits of provisioning.
const (
	lookEvery = 100 * time.Millisecond // between looks

	// It is asked again how the others stand after a quarter of the time waited so far.
	togetherTime    = 250 * time.Millisecond // at least
	eachTogether    = 20 * time.Millisecond  // at least, times how many there are
	longestTogether = 30 * time.Second       // at most
)

// formerly is what could be seen somewhere before anything was changed.
type formerly struct {
	At   look.Spec
	Leaf []byte // DER
	err  error  // why it is not seen again
}

// place puts the certificate beside what is in use. Again is harmless: nobody reads
// what is there.
func (c *Core) place(ctx context.Context, t *task) (clm.Outcome, error) {
	err := t.at.final(t.at.Store.Place(ctx, t.at.bundle))
	if clm.IsPermanent(err) && t.work.Memo != "" { // what was switched before it was retried is still there
		err = c.putBack(ctx, t, err)
	}
	return clm.Outcome{}, err
}

// inspect looks at what is served now, so that it is known what to put back. Where
// something was switched that was not put back, what was seen before that counts. Again
// is harmless: it only reads.
func (c *Core) inspect(ctx context.Context, t *task) (clm.Outcome, error) {
	if t.work.Memo != "" {
		return clm.Outcome{}, nil
	}
	var undo *clm.Work
	if err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		undo, err = tx.OpenWork(t.work.Subject, clm.UndoLane)
		return err
	}); err != nil {
		return clm.Outcome{}, fault(err)
	}
	if undo != nil {
		return clm.Outcome{Memo: undo.Memo}, nil
	}
	var before []*formerly
	for _, at := range t.at.Looks {
		before = append(before, &formerly{At: at})
	}
	each(before, len(before), func(s *formerly) {
		if seen, err := look.Look(ctx, s.At); err == nil {
			s.Leaf = seen.Chain[0]
		}
	})
	memo, err := json.Marshal(before)
	return clm.Outcome{Memo: string(memo)}, err
}

// configure lets the service find the certificate, and has it check whether it likes
// it. Again is harmless: it finds it already.
func (c *Core) configure(ctx context.Context, t *task) (clm.Outcome, error) {
	out, err := c.awaitOthers(ctx, t)
	if clm.IsPermanent(err) {
		err = c.goBack(ctx, t, err)
	}
	if err != nil || !out.Later.IsZero() {
		return out, err
	}
	err = c.turn(t, toSwitch)
	if errors.Is(err, deploy.ErrNotPlaced) { // an earlier try was given up
		if err = t.at.Store.Place(ctx, t.at.bundle); err == nil {
			err = c.turn(t, toSwitch)
		}
	}
	_, stays := errors.AsType[notBack](err)
	switch {
	case errors.Is(err, remote.ErrUnreachable):
		err = c.putBack(ctx, t, err)
	case err != nil && !stays:
		t.work.Memo = "" // it was put back in its turn
	}
	return clm.Outcome{}, t.at.final(err)
}

// goBack takes back what an earlier try may have switched, if it has come so far. A host
// that cannot be asked, it lets be tried again first.
func (c *Core) goBack(ctx context.Context, t *task, cause error) error {
	switched, err := t.at.isSwitched(ctx)
	switch {
	case errors.Is(err, remote.ErrUnreachable) && t.work.Attempt+1 < clm.MaxAttempts:
		return t.at.final(err)
	case err == nil && !switched:
		t.work.Memo = "" // nothing has changed
		return cause
	}
	return c.putBack(ctx, t, cause)
}

// isSwitched reports whether the service would find the new certificate.
func (s *site) isSwitched(ctx context.Context) (bool, error) {
	found, err := s.Store.Inspect(ctx)
	return err == nil && bytes.Equal(found.Cert, s.bundle.Cert), err
}

// reload has the service read the certificate. Again is harmless: it reads the same.
func (c *Core) reload(ctx context.Context, t *task) (clm.Outcome, error) {
	if err := c.turn(t, toReload); err != nil {
		return clm.Outcome{}, c.putBack(ctx, t, err)
	}
	return clm.Outcome{}, nil
}

// verify looks from outside whether the certificate is served, wherever it should be.
// Again is harmless: it only looks.
func (c *Core) verify(ctx context.Context, t *task) (clm.Outcome, error) {
	if err := t.at.isServed(ctx); err != nil {
		return clm.Outcome{}, c.putBack(ctx, t, err)
	}
	return clm.Outcome{}, nil
}

func (s *site) isServed(ctx context.Context) error {
	if len(s.Looks) == 0 {
		return s.liesThere(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.lookTime)
	defer cancel()
	chain := s.bundle.Chain
	if s.Bare {
		chain = nil
	}
	_, err := look.Await(ctx, s.Looks, s.bundle.Cert, chain, lookEvery)
	return err
}

// liesThere fails where a service would not find the new certificate.
func (s *site) liesThere(ctx context.Context) error {
	switched, err := s.isSwitched(ctx)
	if err == nil && !switched {
		err = errors.New("another certificate lies there")
	}
	return err
}

// settle makes it final, if nobody has put something else there since it was seen. Again
// is harmless: there is nothing left to forget.
func (c *Core) settle(ctx context.Context, t *task) (clm.Outcome, error) {
	out, err := c.awaitOthers(ctx, t)
	if clm.IsPermanent(err) {
		err = c.putBack(ctx, t, err)
	}
	if err != nil || !out.Later.IsZero() {
		return out, err
	}
	if err := t.at.liesThere(ctx); err != nil {
		return out, c.putBack(ctx, t, err)
	}
	return clm.Outcome{}, t.at.final(t.at.Store.Keep(ctx))
}

// turn has something done to the service when it is its turn.
func (c *Core) turn(t *task, a act) error { return c.turnIf(t, a, nil) }

// turnIf is turn of what is asked about once more right before it is done.
func (c *Core) turnIf(t *task, a act, still func(context.Context) error) error {
	said, err := c.turns.take(&order{act: a, store: t.at.Store, service: t.at.Service, bundle: t.at.bundle, still: still})
	if said = remote.Redact(said, t.at.secrets...); said != "" {
		t.said = Printed + said
	}
	return err
}

// Printed begins the detail of an entry in the log that has what programs have printed,
// where nothing has failed.
const Printed = "printed: "

// final tells what may be gone when it is tried again from what will not. The text
// holds no secrets.
func (s *site) final(err error) error {
	if err == nil {
		return nil
	}
	told := errors.New(remote.Redact(err.Error(), s.secrets...))
	switch {
	case clm.IsPermanent(err) && errors.Is(err, remote.ErrUnreachable):
		return clm.Permanent(unreached{told})
	case clm.IsPermanent(err):
		return clm.Permanent(told)
	case errors.Is(err, context.DeadlineExceeded):
		return unreached{fmt.Errorf("it took too long: %w", told)}
	case errors.Is(err, remote.ErrUnreachable):
		return unreached{told}
	case errors.Is(err, context.Canceled):
		return told
	}
	return clm.Permanent(told)
}

// unreached is why a host could not be reached, as it may be told.
type unreached struct{ error }

func (unreached) Unwrap() error { return remote.ErrUnreachable }

// awaitOthers holds up a work that succeeds together with others until they have come
// as far. It fails when one of them has.
func (c *Core) awaitOthers(ctx context.Context, t *task) (out clm.Outcome, err error) {
	if t.work.Together == 0 {
		return out, nil
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		others, err := tx.Standings(t.work.Together, t.work.ID)
		if err != nil {
			return err
		}
		works, behind := 1, false
		for _, s := range others {
			if isLost(s.One) {
				return c.otherFailed(tx, t.work.Together)
			}
			works += s.Works
			behind = behind || s.One.IsBefore(t.work.Stage)
		}
		if behind {
			out.Later = tx.Now.Add(togetherPause(tx.Now.Sub(t.work.Since), works))
		}
		return nil
	})
	if err == nil && out.Later.IsZero() && t.work.Stage == clm.Settle {
		err = c.allSettled(ctx, t)
	}
	return out, err
}

// togetherPause is how long one of so many works that succeed together, which has waited
// so long, leaves the others alone.
func togetherPause(waited time.Duration, works int) time.Duration {
	return min(max(waited/4, togetherTime, time.Duration(works)*eachTogether), longestTogether)
}

// allSettled writes down that all have come so far: what happens to one of them from
// then on does not take the others back.
func (c *Core) allSettled(ctx context.Context, t *task) error {
	entry := store.Entry{Actor: clm.Actor{Name: t.work.Actor}, Action: string(clm.Install) + "/" + string(clm.Settle), Subject: t.subject()}
	return c.db.Write(ctx, entry, func(tx *store.Tx) error {
		all, err := tx.Standings(t.work.Together, 0)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(s store.Standing) bool { return isLost(s.One) || s.One.IsBefore(clm.Settle) }) {
			return c.otherFailed(tx, t.work.Together)
		}
		return tx.EachForItself(t.work.Together)
	})
}

// isLost reports whether the work has not reached its end, and does not go on by itself.
func isLost(w clm.Work) bool { return w.Failure != "" || w.Done && w.Stage != clm.End }

// notAlone begins the failure of what has suffered for others.
const notAlone = "the push was to succeed everywhere or not at all"

// otherFailed says which of the works that succeed together was the first that did not.
func (c *Core) otherFailed(tx *store.Tx, first clm.WorkID) error {
	works, err := tx.Together(first)
	if err != nil {
		return err
	}
	works = slices.DeleteFunc(works, func(w clm.Work) bool { return !isLost(w) || strings.HasPrefix(w.Failure, notAlone) })
	if len(works) == 0 {
		return clm.Permanent(errors.New(notAlone))
	}
	name, what := "an application that is not there any more", "has failed"
	if path, err := tx.PathByID(works[0].Subject); err == nil {
		name = string(path.Last().DN)
	}
	if works[0].Failure == "" {
		what = "was reset"
	}
	return clm.Permanent(fmt.Errorf("%s, and %s at %s", notAlone, what, name))
}

// installed writes down that the application uses the certificate.
func (c *Core) installed(tx *store.Tx, t *task) error {
	path, err := tx.PathByID(t.work.Subject)
	if err != nil {
		return err
	}
	app := cloned(path.Last())
	set(app.Own, clm.PushedOn, tx.Now.UTC().Format(time.RFC3339))
	set(app.Own, clm.PushedBy, t.work.Actor)
	set(app.Own, clm.InstalledAs, t.version.Thumbprint)
	if err := validateLater(tx, t.version.Certificate); err != nil {
		return err
	}
	if err := nothingToUndo(tx, app.ID); err != nil {
		return err
	}
	return tx.SaveObject(app)
}

// installEverywhere opens the works that put the version where the applications of its
// certificate use it. One that is at it with an older certificate is ended: what it
// brings does not count, and the new one goes there instead. Where that was to be approved
// first, and nobody has, somebody has to approve the new one. Certificates that Push would
// not install go nowhere, and those without their key only where none is wanted.
func (c *Core) installEverywhere(tx *store.Tx, place clm.Path, version clm.VersionID, actor string) error {
	if !isProvisioned(place) {
		return nil
	}
	bound, err := boundTo(tx, place.Last())
	if err != nil || len(bound) == 0 {
		return err
	}
	fresh, err := tx.PathByID(place.Last().ID) // as it is with the version in use
	if err != nil {
		return err
	}
	key, err := c.keptKey(tx, fresh.Last())
	if err != nil {
		return err
	}
	together := clm.WorkID(0)
	for _, id := range bound {
		app, err := tx.PathByID(id)
		if err != nil {
			return err
		}
		driver, ok := c.driverOf(app.Last().Class)
		if !ok || driver.WantsKey && key == nil || (clm.Certificate{Object: *app.Last()}).IsOff() {
			continue
		}
		open, err := tx.OpenWork(id, clm.InstallLane)
		asks := false
		if err == nil && open != nil {
			if asks, err = awaitsApproval(tx, *open, place.Last().ID); err == nil {
				err = endInstall(tx, *open)
			}
		}
		if err != nil {
			return err
		}
		i := installation{app: app, version: version, actor: actor, reason: "renewal", together: together}
		if asks {
			i.together = 0 // nobody else waits for the answer
		}
		w, err := install(tx, i)
		if err == nil && asks {
			err = c.askForOrder(tx, w, app)
		}
		if err != nil {
			return err
		}
		if !asks && together == 0 && place.Value(clm.AllOrNothing).IsOn() {
			together = w.ID
			err = tx.TogetherWith(w.ID, together)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
