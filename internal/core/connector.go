package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// MaxConnectors is how many connectors are listed, and how many are named by one call.
const MaxConnectors = 1_000

// A Connector is an application on a device as those see it who do not know the tree:
// what a certificate is put through to where it is used.
type Connector struct {
	ID          clm.ObjectID
	Path        clm.Path // ends at the application
	Certificate clm.DN   // that it uses, if the actor may see it
}

// Device is the name of what holds the application.
func (c Connector) Device() string {
	if n := len(c.Path); n > 1 {
		return c.Path[n-2].DN.Name()
	}
	return ""
}

// Connectors lists connectors that the actor may read, in the order of their places, and
// MaxConnectors at most. device is the name or the address of what holds them, in any case;
// empty: whatever does. Kinds: Internal.
func (c *Core) Connectors(ctx context.Context, who clm.Actor, device string) (found []Connector, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		found = nil
		return eachConnector(tx, who, func(path clm.Path) (bool, error) {
			if device != "" && !isOn(path, device) {
				return true, ctx.Err()
			}
			con := Connector{ID: path.Last().ID, Path: path}
			used, err := tx.PathByID(clm.ObjectID(firstOf(path.Last(), clm.Bound)))
			if err == nil {
				con.Certificate = clm.DN(visibleDN(used, who))
			} else if !errors.Is(err, clm.NotFound) {
				return false, err
			}
			found = append(found, con)
			return len(found) < MaxConnectors, ctx.Err()
		})
	})
	slices.SortFunc(found, func(a, b Connector) int {
		return cmp.Compare(a.Path.Last().DN.Key(), b.Path.Last().DN.Key())
	})
	return found, err
}

// eachConnector calls fn for each application that the actor may read until it says no:
// those of one class after the other, as the database finds them by their class.
func eachConnector(tx *store.Tx, who clm.Actor, fn func(clm.Path) (bool, error)) error {
	classes, err := tx.Classes(clm.Application)
	if err != nil {
		return err
	}
	more := true
	for _, class := range classes {
		err := tx.Walk(store.Walk{Below: clm.PolicyDN, Classes: []clm.Class{class}}, func(o *clm.Object) (bool, error) {
			above, err := tx.Path(o.DN.Parent())
			if err != nil {
				return false, err
			}
			path := append(above[:len(above):len(above)], o)
			if path.Rights(who).Has(clm.View | clm.Read) {
				more, err = fn(path)
			}
			return more, err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// isOn reports whether what holds the application is called so or stands at that address.
func isOn(app clm.Path, device string) bool {
	n := len(app)
	return n > 1 && (strings.EqualFold(app[n-2].DN.Name(), device) || strings.EqualFold(firstOf(app[n-2], clm.Host), device))
}

// seekConnectors finds the applications by their IDs, their DNs or their names; by name
// where that is given, on the device. Each is found once. It fails with Invalid of the Field
// "applications" where none is named, and with Limited where there are too many; with
// NotFound of the Field "application", and with Invalid where several are called so.
func (c *Core) seekConnectors(ctx context.Context, who clm.Actor, names []string, device string) (apps []clm.ObjectID, err error) {
	switch {
	case len(names) == 0:
		return nil, clm.Fail(clm.Invalid, "applications", "")
	case len(names) > MaxConnectors:
		return nil, clm.Fail(clm.Limited, "applications", strconv.Itoa(MaxConnectors))
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		apps = nil
		called := map[string][]clm.ObjectID{} // by the plain names, in lower case
		for _, name := range names {
			if name = strings.TrimSpace(name); !isReference(name) {
				called[strings.ToLower(name)] = nil
			}
		}
		if len(called) > 0 {
			err := eachConnector(tx, who, func(path clm.Path) (bool, error) {
				name := strings.ToLower(path.Last().DN.Name())
				if _, isWanted := called[name]; isWanted && len(called[name]) < 2 && (device == "" || isOn(path, device)) {
					called[name] = append(called[name], path.Last().ID)
				}
				return true, ctx.Err()
			})
			if err != nil {
				return err
			}
		}
		for _, name := range names {
			name = strings.TrimSpace(name)
			fit := called[strings.ToLower(name)]
			if isReference(name) {
				path, err := referredConnector(tx, who, name)
				if err != nil {
					return err
				}
				fit = []clm.ObjectID{path.Last().ID}
			}
			switch {
			case len(fit) == 0:
				return noConnector(name)
			case len(fit) > 1:
				return clm.About(name, clm.Fail(clm.Invalid, "application", name))
			case !slices.Contains(apps, fit[0]):
				apps = append(apps, fit[0])
			}
		}
		return nil
	})
	return apps, err
}

// isReference reports whether the text is an ID or a DN rather than a plain name.
func isReference(name string) bool {
	return clm.IsObjectID(strings.ToLower(name)) || strings.HasPrefix(name, `\`)
}

func noConnector(name string) error {
	return clm.About(name, clm.Fail(clm.NotFound, "application", name))
}

// referredConnector finds an application by its ID or its DN, as far as the actor may read
// it. It fails with NotFound of the Field "application".
func referredConnector(tx *store.Tx, who clm.Actor, name string) (path clm.Path, err error) {
	var rights clm.Rights
	if strings.HasPrefix(name, `\`) {
		path, rights, err = find(tx, who, name)
	} else {
		path, rights, err = findByID(tx, who, clm.ObjectID(strings.ToLower(name)))
	}
	switch {
	case errors.Is(err, clm.NotFound), errors.Is(err, clm.Invalid):
		return nil, noConnector(name)
	case err != nil:
		return nil, err
	case !rights.Has(clm.Read) || !path.Last().Class.Is(clm.Application):
		return nil, noConnector(name)
	}
	return path, nil
}

// connectorsOf are the applications that were found before, as they are now.
func connectorsOf(tx *store.Tx, who clm.Actor, ids []clm.ObjectID) (apps []clm.Path, err error) {
	for _, id := range ids {
		app, err := referredConnector(tx, who, string(id))
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// PushRecord asks for the certificate of a record to be put where applications use it,
// which use it from then on; where somebody has to approve it first, once somebody has.
type PushRecord struct {
	Record   RecordRef
	Names    []string // of the applications: IDs, DNs or names
	Device   string   // on which those are that are named by name; empty: wherever
	Approval bool     // it waits until somebody has approved and somebody has implemented it
}

// A PushedTo is an application that a record was pushed to.
type PushedTo struct {
	Connector clm.ObjectID
	Work      clm.WorkID
}

// PushRecordKinds are the ways in which PushRecord and Rollback fail: those of Record about
// the certificate; of Denied, Field is "read-only" where that is about the certificate, and
// otherwise as Push has it. Unmanaged: the certificate is only looked at. Of Unsupported,
// Field is "record" where another certificate has come into use, and "before" where there
// is none to go back to; the others are as Push has them.
var PushRecordKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Busy, clm.InError, clm.Disabled, clm.NotIssued, clm.NoKey,
	clm.Unsupported, clm.Exists, clm.Unwritten, clm.Limited, clm.Unmanaged,
}

// PushRecord opens the work that puts the certificate there: for all applications or,
// where one cannot have it, for none. It must be the one in use of its place; whether such
// certificates are usually put anywhere does not matter, as somebody has asked.
func (c *Core) PushRecord(ctx context.Context, who clm.Actor, p PushRecord) (done []PushedTo, err error) {
	ids, sought := c.seekConnectors(ctx, who, p.Names, p.Device) // nobody writes while that looks
	err = unlessBegun(func() error {
		return c.db.Write(ctx, store.Entry{Actor: who, Action: "push", Subject: p.Record.String()}, func(tx *store.Tx) error {
			done = nil
			rec, err := findRecord(tx, who, p.Record)
			if err != nil {
				return err
			}
			place := cloned(rec.Path.Last())
			tx.About(string(place.DN), "")
			if err := rec.mayPush(); err != nil {
				return clm.About(string(place.DN), err)
			}
			if sought != nil {
				return sought
			}
			apps, err := connectorsOf(tx, who, ids)
			if err != nil {
				return err
			}
			for _, app := range apps {
				if p.Approval {
					continue // it uses what it uses until somebody has approved
				}
				if err := bind(tx, who, place, app); err != nil {
					return clm.About(string(app.Last().DN), err)
				}
			}
			if !slices.Equal(place.Own[clm.Consumers], rec.Path.Last().Own[clm.Consumers]) {
				if err := tx.SaveObject(place); err != nil {
					return err
				}
			}
			from, err := c.pushFrom(tx, append(rec.Path[:len(rec.Path)-1:len(rec.Path)-1], place))
			if err != nil {
				return clm.About(string(place.DN), err)
			}
			from.links = p.Approval
			done, err = c.pushTo(tx, who, from, apps, p.Approval)
			return err
		})
	})
	return done, err
}

// mayPush applies the rules for the record; the first that fails answers.
func (r Record) mayPush() error {
	switch {
	case !r.Rights.Has(clm.Write):
		return clm.Fail(clm.Denied, "read-only", "")
	case r.State != RecordIssued:
		return clm.NotIssued
	case !clm.IsManaged(r.Path.Management()):
		return clm.Fail(clm.Unmanaged, "", r.Path.Management())
	case !isInstalled[r.Path.Last().Class]:
		return clm.Fail(clm.Unsupported, "type", string(r.Path.Last().Class))
	case !r.IsCurrent():
		return clm.Fail(clm.Unsupported, "record", "")
	}
	return nil
}

// pushTo opens the works that put the certificate where the applications use it, in place
// of those that have stopped there.
func (c *Core) pushTo(tx *store.Tx, who clm.Actor, from origin, linked []clm.Path, approval bool) (done []PushedTo, err error) {
	if err := from.stands(); err != nil {
		return nil, clm.About(string(from.path.Last().DN), err)
	}
	from.anew = true
	var apps []consumer
	for _, l := range linked {
		app, err := c.mayPushTo(tx, who, string(l.Last().DN), from)
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	works, err := from.push(tx, who, apps, nil)
	for i, id := range works {
		done = append(done, PushedTo{Connector: apps[i].path.Last().ID, Work: id})
		if err != nil || !approval {
			continue
		}
		var w clm.Work
		if w, err = tx.Work(id); err == nil {
			err = c.askForOrder(tx, w, apps[i].path)
		}
	}
	return done, err
}

// UseOn says that the certificate of a record is used on a device.
type UseOn struct {
	UUID   string    // of the record
	Device string    // its name or address
	Class  clm.Class // of the application there
}

// UseOnKinds are the ways in which UseOn fails. NotFound is about the record; of Denied,
// Field is "read-only" where the actor may only read.
var UseOnKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported, clm.Unwritten}

// UseOn writes down that an application on the device uses the certificate. Device and
// application stand in the folder of the certificate, and are made if they are not there.
func (c *Core) UseOn(ctx context.Context, who clm.Actor, u UseOn) (connector clm.ObjectID, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "associate", Subject: u.UUID}, func(tx *store.Tx) error {
		rec, err := HandOut{UUID: u.UUID}.find(tx, who)
		if err != nil {
			return err
		}
		place := cloned(rec.Path.Last())
		tx.About(string(place.DN), u.Device)
		if !rec.Rights.Has(clm.Write) {
			return clm.About(string(place.DN), clm.Fail(clm.Denied, "read-only", ""))
		}
		bound, err := bindDevices(tx, who, place, []DeviceWish{{
			Folder: string(place.DN.Parent()), Name: u.Device, Own: map[clm.Attr][]string{clm.Host: {u.Device}},
			Applications: []ApplicationWish{{Name: place.DN.Name(), Class: u.Class}},
		}})
		if err != nil {
			return err
		}
		app, err := tx.Path(bound[0].Applications[0])
		if err != nil {
			return err
		}
		connector = app.Last().ID
		return tx.SaveObject(place)
	})
	return connector, err
}
