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
// "trigger" where the object is no application, and otherwise as with Push; of NotIssued
// there is no certificate, or none has been issued.
var InstallKinds = []clm.Kind{
	clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Unsupported, clm.Disabled, clm.NotIssued, clm.NoKey, clm.Busy, clm.InError,
	clm.Unwritten,
}

// StartInstall opens the work that puts the certificate in use where the application
// uses it, as Push does. Who may write the application may do that.
func (c *Core) StartInstall(ctx context.Context, who clm.Actor, dn string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "install", Subject: dn}, func(tx *store.Tx) error {
		path, err := startable(tx, who, dn, clm.Write, clm.Application)
		if err != nil {
			return err
		}
		app := path.Last()
		tx.About(string(app.DN), "")
		return clm.About(string(app.DN), c.startInstall(tx, who, path))
	})
}

func (c *Core) startInstall(tx *store.Tx, who clm.Actor, path clm.Path) error {
	app, err := c.consumer(tx, who, path)
	switch {
	case err != nil:
		return err
	case app.uses == "":
		return clm.NotIssued
	}
	certificate, err := tx.PathByID(app.uses)
	if err != nil {
		return err
	}
	from, err := c.pushFrom(tx, certificate)
	if err == nil {
		err = from.may()
	}
	if err == nil {
		err = app.isReady(from)
	}
	if err == nil {
		_, err = app.install(tx, installation{app: path, version: from.version.ID, actor: who.Name, reason: "install"})
	}
	return err
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
