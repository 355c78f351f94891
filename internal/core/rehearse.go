package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A Scene is a state in which a certificate can be put on stage, for
// demonstrations, training and tests: what real installations get into, and nobody
// can wait for.
type Scene string

// The scenes. Those up to Ticket are of work on the next version; in the others
// something is wrong with the version in use.
const (
	SceneIdle       Scene = "idle"        // no work is open
	SceneQueued     Scene = "queued"      // work that nobody begins
	SceneProcessing Scene = "processing"  // work that stays at the stage
	SceneError      Scene = "in-error"    // work that has stopped at the stage, with the text
	SceneNoCSR      Scene = "waiting-csr" // work that waits for a signing request from outside
	SceneTicket     Scene = "ticket"      // work that waits before the stage for somebody's approval

	SceneKeyMismatch   Scene = "key-mismatch"   // the private key is another certificate's
	SceneKeyMissing    Scene = "key-missing"    // the private key is lost
	SceneNoCertificate Scene = "no-certificate" // the certificate is lost
)

// Rehearsal puts one certificate on stage.
type Rehearsal struct {
	DN    string
	Scene Scene
	Stage clm.Stage // for the scenes that have one; empty: clm.Submit
	Text  string    // why it has stopped
}

// scenery is how the work of a scene stands.
var scenery = map[Scene]func(*clm.Work, Rehearsal){
	SceneQueued:     func(w *clm.Work, _ Rehearsal) { w.NotBefore = clm.Never },
	SceneProcessing: func(w *clm.Work, _ Rehearsal) { w.Begun, w.NotBefore = true, clm.Never.AddDate(-1, 0, 0) },
	SceneError:      func(w *clm.Work, r Rehearsal) { w.Begun, w.Failure, w.Attempt = true, r.Text, 1 },
	SceneNoCSR:      func(w *clm.Work, _ Rehearsal) { w.Begun, w.Stage, w.NotBefore = true, clm.CreateCSR, clm.Never },
	SceneTicket:     func(w *clm.Work, _ Rehearsal) { w.Begun = true },
}

// MayRehearse reports whether this server was started for rehearsals.
func (c *Core) MayRehearse() bool { return c.rehearsal }

// RehearseKinds are the ways in which Rehearse fails.
var RehearseKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.NotIssued}

// Rehearse puts a certificate on stage and reports whether it did not stand so
// already. Only a master may, and only on a server that was started for rehearsals;
// otherwise it is Denied.
func (c *Core) Rehearse(ctx context.Context, who clm.Actor, r Rehearsal) (changed bool, err error) {
	if !c.rehearsal || !who.Master {
		return false, clm.About(r.DN, clm.Fail(clm.Denied, "rehearsal", ""))
	}
	if r.Stage == "" {
		r.Stage = clm.Submit
	}
	if effects[r.Stage] == nil {
		return false, clm.About(r.DN, clm.Fail(clm.Invalid, "stage", string(r.Stage)))
	}
	if r.Scene == SceneError && r.Text == "" {
		return false, clm.About(r.DN, clm.Fail(clm.Invalid, "text", ""))
	}
	key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if err != nil {
		return false, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "rehearse " + string(r.Scene), Subject: r.DN}, func(tx *store.Tx) error {
		changed = false
		path, _, err := find(tx, who, r.DN)
		if err != nil {
			return err
		}
		if !isCertificate(path) {
			return clm.About(r.DN, clm.NotFound)
		}
		place := path.Last()
		stands := scenery[r.Scene]
		if stands != nil || r.Scene == SceneIdle {
			changed, err = stage(tx, who, place, stands, r)
			return err
		}
		if place.Current == 0 {
			return clm.About(string(place.DN), clm.NotIssued)
		}
		v, err := tx.Version(place.Current)
		if err != nil {
			return err
		}
		changed = true
		switch r.Scene {
		case SceneKeyMissing:
			return tx.ReplaceKey(v.ID, nil)
		case SceneKeyMismatch:
			sealed, err := c.sealKey(key, versionBind(v.ID))
			if err != nil {
				return err
			}
			return tx.ReplaceKey(v.ID, sealed)
		case SceneNoCertificate:
			v.Cert = nil
			return tx.SaveVersion(v)
		}
		return clm.About(r.DN, clm.Fail(clm.Invalid, "scene", string(r.Scene)))
	})
	return changed, err
}

// stage replaces the open work of the place by one that stands as it should; none
// is opened where stands is nil.
func stage(tx *store.Tx, who clm.Actor, place *clm.Object, stands func(*clm.Work, Rehearsal), r Rehearsal) (changed bool, err error) {
	open, err := openWork(tx, place.ID)
	if err != nil || open == nil && stands == nil {
		return false, err
	}
	w := clm.Begin(clm.Enroll, r.Stage, tx.Now)
	if stands != nil {
		stands(&w, r)
	}
	if open != nil && stands != nil && open.Stage == w.Stage && open.Failure == w.Failure && open.State == w.State(r.Scene == SceneTicket) {
		return false, nil
	}
	if open != nil {
		if err := tx.EndWork(open.ID); err != nil || stands == nil {
			return true, err
		}
	}
	v := clm.Version{Certificate: place.ID}
	if err := tx.AddVersion(&v); err != nil {
		return false, err
	}
	w.Subject, w.Version, w.Actor, w.Reason = place.ID, v.ID, who.Name, "rehearsal"
	if err := tx.AddWork(&w); err != nil || r.Scene != SceneTicket {
		return true, err
	}
	return true, tx.AddGate(clm.Gate{Work: w.ID, Before: w.Stage, Name: "rehearsal"})
}
