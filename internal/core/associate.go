package core

import (
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Associate asks for applications to use a certificate.
type Associate struct {
	DN           string
	Applications []string // DNs, as Push takes them
	PushToNew    bool     // the certificate in use is put there, where that can be
}

// AssociateKinds are the ways in which Associate fails, with the Fields that those of
// Push have; of Unwritten there is "consumers", too.
var AssociateKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Exists, clm.Busy, clm.Unwritten, clm.Limited}

// Associate lets applications use the certificate, all of them or none; those that use
// it already stay where they are in their order. With PushToNew it is then pushed to
// them, linked now or before, as far as Push would: what keeps it from that is told, and
// they are linked all the same.
func (c *Core) Associate(ctx context.Context, who clm.Actor, r Associate) (done Pushed, err error) {
	if r.Applications, err = eachOnce(r.Applications); err != nil {
		return done, clm.About(r.DN, err)
	}
	err = unlessBegun(func() (err error) { done, err = c.associateNow(ctx, who, r); return err })
	return done, err
}

// associateNow is Associate, which fails with store.ErrDuplicate besides.
func (c *Core) associateNow(ctx context.Context, who clm.Actor, r Associate) (done Pushed, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "associate", Subject: r.DN}, func(tx *store.Tx) error {
		done = Pushed{}
		path, apps, err := toLink(tx, who, r.DN, clm.Read, r.Applications)
		if err != nil {
			return err
		}
		place := cloned(path.Last())
		done.DN = place.DN
		for _, app := range apps {
			if err := bind(tx, who, place, app); err != nil {
				if clm.AsError(err).Kind == clm.Internal {
					return clm.About(string(place.DN), unwritten("consumers", err))
				}
				return clm.About(string(app.Last().DN), err)
			}
		}
		if !slices.Equal(place.Own[clm.Consumers], path.Last().Own[clm.Consumers]) {
			if err := tx.SaveObject(place); err != nil {
				return clm.About(string(place.DN), unwritten("consumers", err))
			}
		}
		if !r.PushToNew {
			return nil
		}
		return c.pushToNew(tx, who, append(path[:len(path)-1:len(path)-1], place), apps, &done)
	})
	return done, err
}

// toLink finds the certificate, and the applications that are to use it or not to use it
// any more, each once. toKnow are the rights that are needed to know of the certificate.
func toLink(tx *store.Tx, who clm.Actor, dn string, toKnow clm.Rights, named []string) (path clm.Path, apps []clm.Path, err error) {
	if path, err = linkable(tx, who, dn, toKnow); err != nil {
		return nil, nil, err
	}
	tx.About(string(path.Last().DN), "")
	if err := areNamed(named); err != nil {
		return nil, nil, clm.About(string(path.Last().DN), err)
	}
	for _, name := range named {
		app, rights, err := findApplication(tx, who, name)
		switch {
		case err != nil:
			return nil, nil, err
		case !app.Last().Class.Is(clm.Application):
			return nil, nil, clm.About(string(app.Last().DN), clm.Fail(clm.Unsupported, "application", string(app.Last().Class)))
		case !rights.Has(clm.Write) && !rights.Has(clm.Associate):
			return nil, nil, clm.About(string(app.Last().DN), clm.Fail(clm.Denied, "application", ""))
		case !slices.ContainsFunc(apps, func(known clm.Path) bool { return known.Last().ID == app.Last().ID }):
			apps = append(apps, app)
		}
	}
	return path, apps, nil
}

// pushToNew pushes the certificate at the end of the path to the applications that were
// linked with it.
func (c *Core) pushToNew(tx *store.Tx, who clm.Actor, path clm.Path, linked []clm.Path, done *Pushed) error {
	from, err := c.pushFrom(tx, path)
	if err != nil {
		return err
	}
	if err := from.may(); err != nil {
		done.Skipped = append(done.Skipped, clm.AsError(clm.About(string(done.DN), err)))
		return nil
	}
	var apps []consumer
	for _, l := range linked {
		app, err := c.mayPushTo(tx, who, string(l.Last().DN), from)
		switch {
		case err == nil:
			apps = append(apps, app)
		case isFault(err):
			return err
		default:
			done.Skipped = append(done.Skipped, clm.AsError(err))
		}
	}
	if len(apps) > 0 {
		done.Works, err = from.push(tx, who, apps, nil)
	}
	return err
}

// Dissociate asks for applications not to use a certificate any more.
type Dissociate struct {
	DN            string
	Applications  []string // DNs, as Push takes them
	DeleteOrphans bool     // the applications are deleted, and then the devices that hold nothing any more
}

// DissociateKinds are the ways in which Dissociate fails, with the Fields that those of
// Push have. Of NotFound, "bound" has the certificate as its Value; of Unwritten there are
// "application" and "consumers". Of Denied, Field is "orphan" where an application cannot
// be deleted, "orphan/device" where a device cannot, and "orphan/unseen" where the actor
// may not even see it.
var DissociateKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Unwritten, clm.Limited}

// Dissociate ends the use of the certificate by the applications, of all of them or none,
// and what is under way to install it there. The others keep their order.
func (c *Core) Dissociate(ctx context.Context, who clm.Actor, r Dissociate) (err error) {
	if r.Applications, err = eachOnce(r.Applications); err != nil {
		return clm.About(r.DN, err)
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "dissociate", Subject: r.DN}, func(tx *store.Tx) error {
		path, apps, err := toLink(tx, who, r.DN, clm.View, r.Applications)
		if err != nil {
			return err
		}
		place := cloned(path.Last())
		var free []clm.Path // they use nothing any more
		for _, app := range apps {
			o := app.Last()
			uses := firstOf(o, clm.Bound) == string(place.ID)
			if !uses && !slices.Contains(place.Own[clm.Consumers], string(o.ID)) {
				return clm.About(string(o.DN), clm.Fail(clm.NotFound, "bound", string(place.DN)))
			}
			if uses || len(o.Own[clm.Bound]) == 0 {
				free = append(free, app)
			}
		}
		var doomed []clm.Path
		if r.DeleteOrphans {
			if doomed, _, err = orphans(tx, free); err != nil {
				return err
			}
		}
		if err := mayDeleteOrphans(who, doomed); err != nil {
			return err
		}
		left, err := leftSwitched(tx, doomed)
		if err != nil {
			return err
		}
		if left != "" {
			tx.About(string(place.DN), left)
		}
		for _, app := range free {
			if err := leave(tx, app.Last().ID); err != nil {
				return clm.About(string(app.Last().DN), unwritten("application", err))
			}
		}
		isGone := func(id string) bool {
			return slices.ContainsFunc(apps, func(app clm.Path) bool { return string(app.Last().ID) == id })
		}
		set(place.Own, clm.Consumers, slices.DeleteFunc(slices.Clone(place.Own[clm.Consumers]), isGone)...)
		if err := tx.SaveObject(place); err != nil {
			return clm.About(string(place.DN), unwritten("consumers", err))
		}
		for _, p := range doomed {
			if err := c.deleteOne(tx, p); err != nil {
				return clm.About(string(p.Last().DN), err)
			}
		}
		return nil
	})
}

// mayDeleteOrphans applies the rules for who may delete applications, and devices that
// are left without any.
func mayDeleteOrphans(who clm.Actor, doomed []clm.Path) error {
	for _, p := range doomed {
		field, rights := "orphan", p.Rights(who)
		if p.Last().Class == clm.Device {
			field = "orphan/device"
		}
		switch {
		case rights.Has(clm.View | clm.Delete):
		case field == "orphan/device" && !rights.Has(clm.View):
			return clm.About(string(p.Last().DN), clm.Fail(clm.Denied, "orphan/unseen", ""))
		default:
			return clm.About(string(p.Last().DN), clm.Fail(clm.Denied, field, ""))
		}
	}
	return nil
}
