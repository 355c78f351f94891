package core

import (
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// RemoveKinds are the ways in which Remove fails. The Subject of Denied is the
// object that the actor may not delete.
var RemoveKinds = []clm.Kind{clm.Internal, clm.NotFound, clm.Denied}

// Remove deletes a certificate with everything that is known of it: its versions
// and their keys, its work. What a worker brings for it later is dropped. A revocation
// that was asked for is still brought to the CA, and an order that a CA outside has
// taken is followed up.
//
// The applications that use it go along, unless something stands below them: then
// they stay and use nothing. So do devices that would be left without any.
func (c *Core) Remove(ctx context.Context, who clm.Actor, id clm.ObjectID) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "delete", Subject: string(id)}, func(tx *store.Tx) error {
		path, _, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		if !isCertificate(path) {
			return clm.About(string(id), clm.NotFound)
		}
		tx.About(string(path.Last().DN), "")
		return removePlace(tx, who, path)
	})
}

// removePlace deletes the certificate at the end of the path as Remove does.
func removePlace(tx *store.Tx, who clm.Actor, path clm.Path) error {
	place := path.Last()
	doomed, freed, err := attached(tx, place)
	if err != nil {
		return err
	}
	for _, p := range append(doomed, path) {
		if !p.Rights(who).Has(clm.Delete) {
			return clm.About(string(p.Last().DN), clm.Denied)
		}
	}
	left, err := leftSwitched(tx, doomed)
	if err != nil {
		return err
	}
	if left != "" {
		tx.About(string(place.DN), left)
	}
	open, err := tx.OpenWork(place.ID, clm.EnrollLane)
	if err == nil && open != nil {
		err = endEnrolment(tx, *open)
	}
	if err != nil {
		return err
	}
	for _, id := range freed {
		if err := leave(tx, id); err != nil {
			return err
		}
	}
	for _, p := range append(doomed, path) {
		if err := tx.DropSecretsOf(p.Last().ID); err != nil {
			return err
		}
		if err := tx.DeleteObject(p.Last()); err != nil {
			return err
		}
	}
	return nil
}

// attached are the objects that are deleted with the certificate, those below
// others first, and the applications that only lose it, without it.
func attached(tx *store.Tx, certificate *clm.Object) (doomed []clm.Path, freed []clm.ObjectID, err error) {
	bound, err := boundTo(tx, certificate)
	if err != nil {
		return nil, nil, err
	}
	var apps []clm.Path
	for _, id := range bound {
		app, err := tx.PathByID(id)
		if err != nil {
			return nil, nil, err
		}
		apps = append(apps, app)
	}
	return orphans(tx, apps)
}

// orphans are the objects that are deleted when the applications are, those below others
// first: those below which there is nothing, and the devices that would be left without
// anything. kept are the applications that stay, as something stands below them.
func orphans(tx *store.Tx, apps []clm.Path) (doomed []clm.Path, kept []clm.ObjectID, err error) {
	going := map[clm.ObjectID]bool{}
	var devices []clm.Path
	for _, app := range apps {
		below, err := tx.Children(app.Last().ID)
		if err != nil {
			return nil, nil, err
		}
		if len(below) > 0 {
			kept = append(kept, app.Last().ID)
			continue
		}
		going[app.Last().ID] = true
		doomed = append(doomed, app)
		if device := app[:len(app)-1]; device.Last().Class == clm.Device {
			devices = append(devices, device)
		}
	}
	for _, device := range devices {
		below, err := tx.Children(device.Last().ID)
		if err != nil {
			return nil, nil, err
		}
		if going[device.Last().ID] || slices.ContainsFunc(below, func(o *clm.Object) bool { return !going[o.ID] }) {
			continue
		}
		going[device.Last().ID] = true
		doomed = append(doomed, device)
	}
	return doomed, kept, nil
}
