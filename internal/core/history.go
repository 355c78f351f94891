package core

import (
	"cmp"
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// HistoryKinds are the ways in which History fails.
var HistoryKinds = []clm.Kind{clm.Internal, clm.NotFound}

// History lists the certificates that a place has held besides the one in use,
// the newest first: by the day from which they are valid, not by that on which
// they came here. One that a CA has sent and that was refused here is none. With unexpired those are left out that are not valid any more.
func (c *Core) History(ctx context.Context, who clm.Actor, id clm.ObjectID, unexpired bool) (past []clm.Version, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		past = nil
		path, rights, err := findByID(tx, who, id)
		if err != nil {
			return err
		}
		place := path.Last()
		if !isCertificate(path) || !rights.Has(clm.Read) {
			return clm.About(string(id), clm.NotFound)
		}
		all, err := tx.Versions(place.ID)
		for _, v := range all {
			if v.Thumbprint != "" && v.ID != place.Current && !(unexpired && v.NotAfter.Before(tx.Now)) {
				past = append(past, v)
			}
		}
		slices.SortFunc(past, func(a, b clm.Version) int {
			return cmp.Or(b.NotBefore.Compare(a.NotBefore), cmp.Compare(b.ID, a.ID))
		})
		return err
	})
	return past, err
}
