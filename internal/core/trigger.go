package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Some clients start work by writing to the object that it is about. These are the use
// cases behind that. All want the right to write the object.

// StartRenewal is Renew without a signing request. Kinds: RenewKinds, and Denied where
// the actor may only see the certificate.
func (c *Core) StartRenewal(ctx context.Context, who clm.Actor, dn string) error {
	if err := c.startable(ctx, who, dn, clm.Write|clm.KeyRead, clm.CertificateBase); err != nil {
		return err
	}
	_, err := c.Renew(ctx, who, Renew{DN: dn})
	return err
}

// startable makes sure that the object is of the class and that the actor may do with it
// what needs the rights.
func (c *Core) startable(ctx context.Context, who clm.Actor, dn string, need clm.Rights, class clm.Class) error {
	return c.db.Read(ctx, func(tx *store.Tx) error {
		_, err := startable(tx, who, dn, need, class)
		return err
	})
}

func startable(tx *store.Tx, who clm.Actor, dn string, need clm.Rights, class clm.Class) (clm.Path, error) {
	path, rights, err := find(tx, who, dn)
	switch {
	case err != nil:
		return nil, err
	case !rights.Has(need):
		return nil, clm.About(dn, clm.Denied)
	case !path.Last().Class.Is(class):
		return nil, clm.About(dn, clm.Fail(clm.Unsupported, "trigger", string(path.Last().Class)))
	}
	return path, nil
}

// InstallKinds are the ways in which StartInstall fails. Field of Unsupported is
// "trigger" where the object is no application; of NotIssued there is no certificate,
// or none has been issued.
var InstallKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Disabled, clm.NotIssued, clm.Busy, clm.InError,
}

// StartInstall opens the work that puts the certificate in use where the application
// uses it.
func (c *Core) StartInstall(ctx context.Context, who clm.Actor, dn string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "install", Subject: dn}, func(tx *store.Tx) error {
		path, err := startable(tx, who, dn, clm.Write, clm.Application)
		if err != nil {
			return err
		}
		app := path.Last()
		tx.About(string(app.DN), "")
		v, err := installable(tx, app)
		if err != nil {
			return clm.About(string(app.DN), err)
		}
		w := clm.Begin(clm.Install, clm.Place, tx.Now)
		w.Lane, w.Subject, w.Version, w.Actor, w.Reason = clm.InstallLane, app.ID, v, who.Name, "install"
		return clm.About(string(app.DN), unwritten("work", tx.AddWork(&w)))
	})
}

// installable is the version that can be put where the application uses it.
func installable(tx *store.Tx, app *clm.Object) (clm.VersionID, error) {
	open, err := tx.OpenWork(app.ID, clm.InstallLane)
	if err != nil {
		return 0, err
	}
	switch {
	case (clm.Certificate{Object: *app}).IsOff():
		return 0, clm.Disabled
	case open != nil && open.Failure != "":
		return 0, clm.InError
	case open != nil:
		return 0, clm.Busy
	}
	certificate, err := tx.PathByID(clm.ObjectID(firstOf(app, clm.Bound)))
	if clm.AsError(err) != nil && clm.AsError(err).Kind != clm.NotFound {
		return 0, err
	}
	if err != nil || certificate.Last().Current == 0 {
		return 0, clm.NotIssued
	}
	return certificate.Last().Current, nil
}

// CheckRevocation lets somebody look at once whether relying parties see that the
// certificate in use is revoked, where that is still to be seen. It fails with Invalid,
// NotFound, Denied, and with Unsupported, of the Field "trigger", where the object is no
// certificate.
func (c *Core) CheckRevocation(ctx context.Context, who clm.Actor, dn string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "check revocation", Subject: dn}, func(tx *store.Tx) error {
		path, err := startable(tx, who, dn, clm.Write, clm.CertificateBase)
		if err != nil {
			return err
		}
		tx.About(string(path.Last().DN), "")
		return tx.CheckNow(path.Last().Current)
	})
}
