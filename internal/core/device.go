package core

import (
	"context"
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// A DeviceWish names a device that is to hold applications which use a
// certificate. It is made if it is not there.
type DeviceWish struct {
	Folder       string // its DN
	Name         string
	Own          map[clm.Attr][]string
	Applications []ApplicationWish
}

// An ApplicationWish names an application on a device that is to use a
// certificate. It is made if it is not there.
type ApplicationWish struct {
	Name  string
	Class clm.Class
	Own   map[clm.Attr][]string
}

// A BoundDevice is a device with the applications that now use the certificate.
type BoundDevice struct {
	DN           clm.DN
	Applications []clm.DN
}

// bindDevices makes what is not there yet, and lets the applications use the
// certificate, whose object the caller writes afterwards. Kinds: NotFound of a
// folder or of what is in it, Denied, Invalid (a name), Exists (see RequestKinds),
// Unsupported (a class).
func bindDevices(tx *store.Tx, who clm.Actor, certificate *clm.Object, wishes []DeviceWish) (bound []BoundDevice, err error) {
	for _, wish := range wishes {
		folder, _, err := find(tx, who, wish.Folder)
		if err != nil {
			return nil, err
		}
		device, err := provide(tx, who, folder, &clm.Object{Class: clm.Device, Own: wish.Own}, wish.Name)
		if err != nil {
			return nil, err
		}
		b := BoundDevice{DN: device.Last().DN}
		for _, app := range wish.Applications {
			path, err := provide(tx, who, device, &clm.Object{Class: app.Class, Own: app.Own}, app.Name)
			if err != nil {
				return nil, err
			}
			if err := bind(tx, who, certificate, path); err != nil {
				return nil, clm.About(string(path.Last().DN), err)
			}
			b.Applications = append(b.Applications, path.Last().DN)
		}
		bound = append(bound, b)
	}
	return bound, nil
}

// provide finds the object with the name below the last of the path or makes it
// as it is proposed. One that is there stays as it is, and nothing is told of one
// that the actor may not see.
func provide(tx *store.Tx, who clm.Actor, above clm.Path, proposed *clm.Object, name string) (clm.Path, error) {
	parent := above.Last()
	dn, err := childDN(parent, name)
	if err != nil {
		return nil, err
	}
	path, err := tx.Path(dn)
	switch {
	case err == nil && !path.Rights(who).Has(clm.View):
		return nil, clm.About(string(parent.DN), clm.NotFound)
	case err == nil && path.Last().Class != proposed.Class:
		return nil, clm.About(string(dn), clm.Fail(clm.Exists, "class", string(path.Last().Class)))
	case err == nil:
		return path, nil
	case !errors.Is(err, clm.NotFound):
		return nil, err
	case !above.Rights(who).Has(clm.Create):
		return nil, clm.About(string(parent.DN), clm.NotFound)
	case !parent.Class.MayHold(proposed.Class):
		return nil, clm.About(string(dn), clm.Fail(clm.Unsupported, "class", string(proposed.Class)))
	}
	o := &clm.Object{DN: dn, Class: proposed.Class, Own: map[clm.Attr][]string{}}
	for a, values := range proposed.Own {
		if err := forged(values); err != nil {
			return nil, clm.About(string(dn), err)
		}
		set(o.Own, a, values...)
	}
	path = under(above, o)
	if err := mayAim(tx, who, nil, path); err != nil {
		return nil, clm.About(string(dn), err)
	}
	return path, tx.AddObject(o, parent.ID)
}

// bind lets the application at the end of the path use the certificate; one that
// uses it already stays where it is in their order. The caller writes the certificate.
func bind(tx *store.Tx, who clm.Actor, certificate *clm.Object, path clm.Path) error {
	if !mayBind(path, who) {
		return clm.Fail(clm.Denied, "application", "")
	}
	app := cloned(path.Last())
	if used := app.Own[clm.Bound]; len(used) > 0 && used[0] != string(certificate.ID) {
		other, err := tx.PathByID(clm.ObjectID(used[0]))
		if err == nil {
			return clm.Fail(clm.Exists, "bound", visibleDN(other, who))
		}
		if !errors.Is(err, clm.NotFound) {
			return err
		}
	}
	if consumers := certificate.Own[clm.Consumers]; !slices.Contains(consumers, string(app.ID)) {
		certificate.Own[clm.Consumers] = append(slices.Clone(consumers), string(app.ID))
	}
	if slices.Contains(app.Own[clm.Bound], string(certificate.ID)) {
		return nil
	}
	set(app.Own, clm.Bound, string(certificate.ID))
	if err := validateLater(tx, certificate.ID); err != nil {
		return err
	}
	return tx.SaveObject(app)
}

// visibleDN is the DN of the last object of the path; empty if the actor may not see it.
func visibleDN(path clm.Path, who clm.Actor) string {
	if !path.Rights(who).Has(clm.View) {
		return ""
	}
	return string(path.Last().DN)
}

// mayBind reports whether the actor may say which certificate the application at
// the end of the path uses.
func mayBind(path clm.Path, who clm.Actor) bool {
	rights := path.Rights(who)
	return rights.Has(clm.Associate) || rights.Has(clm.Write) || rights.Has(clm.Create)
}

// BindKinds are the ways in which Bind fails. NotFound is about either object; of
// Denied, Field says which of the two it is about, or is "bound" where the actor may
// not write the certificate (Value) that the application uses.
var BindKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied}

// Bind lets the application use the certificate, and no other from then on; where
// no certificate is named it uses none. It reports whether that changed anything.
func (c *Core) Bind(ctx context.Context, who clm.Actor, application, certificate string) (changed bool, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "bind", Subject: application, Detail: certificate}, func(tx *store.Tx) error {
		changed = false
		app, _, err := find(tx, who, application)
		switch {
		case err != nil:
			return err
		case !app.Last().Class.Is(clm.Application):
			return clm.About(application, clm.NotFound)
		case !mayBind(app, who):
			return clm.About(application, clm.Fail(clm.Denied, "application", ""))
		}
		var wanted *clm.Object
		if certificate != "" {
			path, rights, err := find(tx, who, certificate)
			switch {
			case err != nil:
				return err
			case !isCertificate(path):
				return clm.About(certificate, clm.NotFound)
			case !rights.Has(clm.Write):
				return clm.About(certificate, clm.Fail(clm.Denied, "certificate", ""))
			}
			wanted = cloned(path.Last())
		}
		if app, changed, err = release(tx, who, app, wanted); err != nil || wanted == nil {
			return clm.About(application, err)
		}
		known := slices.Contains(wanted.Own[clm.Consumers], string(app.Last().ID))
		changed = changed || !known || len(app.Last().Own[clm.Bound]) == 0
		if err := bind(tx, who, wanted, app); err != nil || known {
			return clm.About(application, err)
		}
		return tx.SaveObject(wanted)
	})
	return changed, err
}

// release ends what the application at the end of the path uses, and what is under way
// to install it there, unless that is the certificate that is wanted; nil wants none.
func release(tx *store.Tx, who clm.Actor, path clm.Path, wanted *clm.Object) (freed clm.Path, changed bool, err error) {
	app := cloned(path.Last())
	used := clm.Setting{Values: app.Own[clm.Bound]}.First()
	if used == "" || wanted != nil && used == string(wanted.ID) {
		return path, false, nil
	}
	other, err := tx.PathByID(clm.ObjectID(used))
	if err == nil && !other.Rights(who).Has(clm.Write) {
		return nil, false, clm.Fail(clm.Denied, "bound", visibleDN(other, who))
	}
	if err == nil {
		left := cloned(other.Last())
		set(left.Own, clm.Consumers, slices.DeleteFunc(slices.Clone(left.Own[clm.Consumers]), func(id string) bool { return id == string(app.ID) })...)
		err = tx.SaveObject(left)
	}
	if err != nil && !errors.Is(err, clm.NotFound) {
		return nil, false, err
	}
	if err := endInstallAt(tx, app.ID); err != nil {
		return nil, false, err
	}
	delete(app.Own, clm.Bound)
	return append(path[:len(path)-1:len(path)-1], app), true, tx.SaveObject(app)
}

// consumersOf lists the DNs of the applications that use the certificate and that
// the actor may see, in the order in which they came.
func consumersOf(tx *store.Tx, who clm.Actor, certificate *clm.Object) (dns []clm.DN, err error) {
	for _, id := range certificate.Own[clm.Consumers] {
		path, _, err := findByID(tx, who, clm.ObjectID(id))
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		dns = append(dns, path.Last().DN)
	}
	return dns, nil
}
