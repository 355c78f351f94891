package core

import (
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/store"
)

// driverOf is the driver that puts certificates where applications of the class use
// them; ok: there is one.
func (c *Core) driverOf(class clm.Class) (d deploy.Driver, ok bool) { return c.drivers.For(class) }

// An installation is one application into which a certificate is to be put.
type installation struct {
	app      clm.Path
	version  clm.VersionID
	actor    string
	reason   string
	together clm.WorkID // the first of the works that succeed together or not at all; zero: it stands for itself
}

// install opens the work that puts the version where the application uses it. It
// fails with store.ErrDuplicate where other such work is open.
func install(tx *store.Tx, i installation) (clm.Work, error) {
	w := clm.Begin(clm.Install, clm.Place, tx.Now)
	w.Lane, w.Subject, w.Version, w.Actor, w.Reason = clm.InstallLane, i.app.Last().ID, i.version, i.actor, i.reason
	w.Together, w.Host = i.together, hostOf(i.app)
	if err := tx.AddWork(&w); err != nil {
		return w, err
	}
	taken, err := takeTickets(tx, w)
	if err == nil && taken {
		err = tx.Settle(w.ID)
	}
	return w, err
}

// hostOf is the device that is reached for the sake of the application.
func hostOf(app clm.Path) clm.ObjectID {
	if n := len(app); n > 1 && app[n-2].Class.Is(clm.Device) {
		return app[n-2].ID
	}
	return app.Last().ID
}
