package core

import (
	"cmp"
	"context"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// Past is a certificate that a place has held.
type Past struct {
	clm.Version
	Revocation clm.Revocation
	Refusal    string // why it could not be revoked
}

// Pasts says which certificates are left out.
type Pasts struct {
	Unexpired bool // those that are not valid any more
	Unrevoked bool // those that are known to be revoked
}

// HistoryKinds are the ways in which History fails.
var HistoryKinds = []clm.Kind{clm.Internal, clm.NotFound}

// History lists the certificates that a place has held besides the one in use,
// the newest first: by the day from which they are valid, not by that on which
// they came here. One that a CA has sent and that was refused here is none.
func (c *Core) History(ctx context.Context, who clm.Actor, id clm.ObjectID, only Pasts) (past []Past, err error) {
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
		known, err := tx.Revocations(place.ID)
		if err != nil {
			return err
		}
		revocations := map[clm.VersionID]clm.Revocation{}
		for _, r := range known {
			revocations[r.Version] = r
		}
		all, err := tx.Versions(place.ID)
		for _, v := range all {
			r := revocations[v.ID]
			if v.Thumbprint != "" && v.ID != place.Current && !(only.Unexpired && v.NotAfter.Before(tx.Now)) && !(only.Unrevoked && r.IsDone()) {
				past = append(past, Past{Version: v, Revocation: r})
			}
		}
		if err != nil {
			return err
		}
		for i, p := range past {
			if past[i].Refusal, err = refusalOf(tx, p.Version, p.Revocation); err != nil {
				return err
			}
		}
		slices.SortFunc(past, func(a, b Past) int {
			return cmp.Or(b.NotBefore.Compare(a.NotBefore), cmp.Compare(b.ID, a.ID))
		})
		return nil
	})
	return past, err
}

// refusalOf is why the version could not be revoked; empty where it could or where
// nobody has asked for that.
func refusalOf(tx *store.Tx, v clm.Version, r clm.Revocation) (string, error) {
	if !r.IsKnown() || r.IsDone() {
		return "", nil
	}
	w, err := tx.OpenWork(v.Certificate, clm.RevokeLane(v.ID))
	if err != nil || w == nil || w.Op != clm.Revoke {
		return "", err
	}
	return w.Failure, nil
}
