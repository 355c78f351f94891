package core

import (
	"cmp"
	"context"
	"crypto"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A Scene is a state in which a certificate can be put on stage, for
// demonstrations, training and tests: what real installations get into, and nobody
// can wait for.
type Scene string

// The scenes. Those up to Ticket are of work on the next version or, where an
// application is put on stage, of its installation there; in the others something is
// the matter with the version in use.
const (
	SceneIdle       Scene = "idle"        // no work is open
	SceneQueued     Scene = "queued"      // work that nobody begins
	SceneProcessing Scene = "processing"  // work that stays at the stage
	SceneError      Scene = "in-error"    // work that has stopped at the stage, with the text
	SceneNoCSR      Scene = "waiting-csr" // work that waits for a signing request from outside
	SceneTicket     Scene = "ticket"      // work that waits before the stage for somebody's approval

	SceneKeyMismatch   Scene = "key-mismatch"   // the private key is not the certificate's
	SceneKeyMissing    Scene = "key-missing"    // the private key is lost
	SceneKeyForeign    Scene = "key-foreign"    // the private key is that of another place, which Other names
	SceneNoCertificate Scene = "no-certificate" // the certificate is lost
	SceneNoObject      Scene = "no-object"      // the certificate is there, and its place is gone

	SceneRevoking     Scene = "revocation-requested" // nobody asks the CA to revoke it
	SceneRevoked      Scene = "revocation-done"      // it is revoked
	SceneRevokeFailed Scene = "revocation-failed"    // the CA has refused to revoke it, with the text
)

// Rehearsal puts one certificate or application on stage.
type Rehearsal struct {
	DN    string
	Scene Scene
	Stage clm.Stage // for the scenes that have one; empty: clm.Submit or, at an application, clm.Place
	Text  string    // why it has stopped
	Other string    // the DN of the other place that the scene is about
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

// Rehearse puts a certificate or application on stage and reports whether it did not
// stand so already. Only a master may, and only on a server that was started for
// rehearsals; otherwise it is Denied.
func (c *Core) Rehearse(ctx context.Context, who clm.Actor, r Rehearsal) (changed bool, err error) {
	if err := c.mayRehearse(who, r); err != nil {
		return false, err
	}
	key, err := pki.GenerateKey(pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if err != nil {
		return false, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "rehearse/" + string(r.Scene), Subject: r.DN}, func(tx *store.Tx) error {
		isSo, arrange, err := c.stage(tx, who, r, key)
		if changed = !isSo; err == nil && changed {
			err = arrange()
		}
		return clm.About(r.DN, err)
	})
	return changed, err
}

// OnStage reports whether the certificate or application stands as the rehearsal
// would have it. It fails as Rehearse does.
func (c *Core) OnStage(ctx context.Context, who clm.Actor, r Rehearsal) (isSo bool, err error) {
	if err := c.mayRehearse(who, r); err != nil {
		return false, err
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		isSo, _, err = c.stage(tx, who, r, nil)
		return clm.About(r.DN, err)
	})
	return isSo, err
}

func (c *Core) mayRehearse(who clm.Actor, r Rehearsal) error {
	switch {
	case !c.rehearsal || !who.Master:
		return clm.About(r.DN, clm.Fail(clm.Denied, "rehearsal", ""))
	case r.Stage != "" && effects[r.Stage] == nil:
		return clm.About(r.DN, clm.Fail(clm.Invalid, "stage", string(r.Stage)))
	case (r.Scene == SceneError || r.Scene == SceneRevokeFailed) && r.Text == "":
		return clm.About(r.DN, clm.Fail(clm.Invalid, "text", ""))
	}
	return nil
}

// stage finds out whether the rehearsal's object stands on stage already, and how it
// is put there.
func (c *Core) stage(tx *store.Tx, who clm.Actor, r Rehearsal, key crypto.Signer) (isSo bool, arrange func() error, err error) {
	path, _, err := find(tx, who, r.DN)
	if err != nil {
		return false, nil, err
	}
	place, stands := path.Last(), scenery[r.Scene]
	w := clm.Begin(clm.Enroll, cmp.Or(r.Stage, clm.Submit), tx.Now)
	if place.Class.Is(clm.Application) {
		w = clm.Begin(clm.Install, cmp.Or(r.Stage, clm.Place), tx.Now)
		w.Lane, w.Host = clm.InstallLane, hostOf(path)
	}
	if r.Scene != SceneRevokeFailed && !slices.Contains(clm.Plan(w.Op), w.Stage) {
		return false, nil, clm.Fail(clm.Invalid, "stage", string(w.Stage))
	}
	isWork := stands != nil || r.Scene == SceneIdle
	sc, known := scenes[r.Scene]
	switch {
	case isWork && (isCertificate(path) || w.Op == clm.Install):
		return stageWork(tx, who, place, w, stands, r)
	case !isCertificate(path):
		return false, nil, clm.NotFound
	case !known:
		return false, nil, clm.Fail(clm.Invalid, "scene", string(r.Scene))
	case place.Current == 0:
		return false, nil, clm.NotIssued
	}
	v, err := tx.Version(place.Current)
	if err != nil {
		return false, nil, err
	}
	s := setting{r, c, tx, who, place, v, key}
	isSo, err = sc.isSo(s)
	return isSo, func() error { return sc.arrange(s) }, err
}

// setting is what a scene is arranged of.
type setting struct {
	Rehearsal
	core    *Core
	tx      *store.Tx
	who     clm.Actor
	place   *clm.Object
	version clm.Version   // in use
	key     crypto.Signer // that nobody has
}

// scenes are those in which something is the matter with the version in use: how
// that is seen, and how it is arranged.
var scenes = map[Scene]struct {
	isSo    func(setting) (bool, error)
	arrange func(setting) error
}{
	SceneKeyMissing:    {hasKey(KeyLost), setting.loseKey},
	SceneKeyMismatch:   {hasKey(KeyWrong), setting.swapKey},
	SceneKeyForeign:    {hasKey(KeyForeign), setting.borrowKey},
	SceneNoCertificate: {func(s setting) (bool, error) { return len(s.version.Cert) == 0, nil }, setting.loseCertificate},
	SceneNoObject:      {func(setting) (bool, error) { return false, nil }, setting.losePlace},
	SceneRevoking: {isRevocation(func(r clm.Revocation, w *clm.Work, _ Rehearsal) bool {
		return r.IsKnown() && w != nil && w.Failure == ""
	}), setting.revoking},
	SceneRevoked: {isRevocation(func(r clm.Revocation, _ *clm.Work, _ Rehearsal) bool { return r.IsDone() }), setting.revoked},
	SceneRevokeFailed: {isRevocation(func(r clm.Revocation, w *clm.Work, on Rehearsal) bool {
		return r.IsKnown() && w != nil && w.Failure == on.Text
	}), setting.revokeFailed},
}

func hasKey(wanted KeyState) func(setting) (bool, error) {
	return func(s setting) (bool, error) {
		state, err := s.core.keyState(s.tx, s.place, s.version)
		return state == wanted, err
	}
}

func isRevocation(isSo func(clm.Revocation, *clm.Work, Rehearsal) bool) func(setting) (bool, error) {
	return func(s setting) (bool, error) {
		known, err := s.tx.Revocation(s.version.ID)
		if err != nil {
			return false, err
		}
		w, err := s.tx.OpenWork(s.place.ID, clm.RevokeLane(s.version.ID))
		return isSo(known, w, s.Rehearsal), err
	}
}

func (s setting) loseKey() error {
	holder, _, err := keyHolder(s.tx, s.place, s.version)
	if err == nil {
		err = s.tx.ReplaceKey(holder.ID, nil)
	}
	if err != nil {
		return err
	}
	return setKeyHolder(s.tx, s.place, numberOf(holder.ID))
}

func (s setting) swapKey() error {
	other := clm.Version{Certificate: s.place.ID, KeyHash: pki.PublicKeyHash(s.key.Public())}
	if err := s.tx.AddVersion(&other); err != nil {
		return err
	}
	sealed, err := s.core.sealKey(s.key, versionBind(other.ID))
	if err == nil {
		err = s.tx.ReplaceKey(other.ID, sealed)
	}
	if err != nil {
		return err
	}
	return setKeyHolder(s.tx, s.place, numberOf(other.ID))
}

func (s setting) borrowKey() error {
	other, _, err := find(s.tx, s.who, s.Other)
	if err != nil {
		return err
	}
	if !isCertificate(other) || other.Last().Current == 0 {
		return clm.About(s.Other, clm.NotIssued)
	}
	return setKeyHolder(s.tx, s.place, numberOf(other.Last().Current))
}

func (s setting) loseCertificate() error {
	s.version.Cert = nil
	return s.tx.SaveVersion(s.version)
}

func (s setting) losePlace() error {
	if err := s.tx.DeleteObject(s.place); err != nil {
		return err
	}
	return s.tx.AddVersion(&s.version)
}

func (s setting) revoking() error {
	return s.stageRevocation(func(w *clm.Work) { w.NotBefore = clm.Never })
}

func (s setting) revokeFailed() error {
	return s.stageRevocation(func(w *clm.Work) { w.Begun, w.Failure, w.Attempt = true, s.Text, 1 })
}

func (s setting) revoked() error { return accept(s.tx, s.version, s.revocation()) }

func (s setting) revocation() clm.Revocation {
	return clm.Revocation{Version: s.version.ID, Actor: s.who.Name, Requested: s.tx.Now}
}

// stageRevocation writes down a revocation whose work stands as it should.
func (s setting) stageRevocation(stands func(*clm.Work)) error {
	w := revocationWork(clm.Revoke, s.version, clm.Work{}, s.who.Name, s.tx.Now)
	stands(&w)
	open, err := s.tx.OpenWork(w.Subject, w.Lane)
	if err == nil && open != nil {
		err = s.tx.EndWork(open.ID)
	}
	if err == nil {
		err = s.tx.SaveRevocation(s.revocation())
	}
	if err == nil {
		err = s.tx.AddWork(&w)
	}
	return err
}

// stageWork is stage for work in the lane of w, which is made to stand as it should;
// none is to be open where stands is nil.
func stageWork(tx *store.Tx, who clm.Actor, o *clm.Object, w clm.Work, stands func(*clm.Work, Rehearsal), r Rehearsal) (isSo bool, arrange func() error, err error) {
	var open *Open
	found, err := tx.OpenWork(o.ID, w.Lane)
	if err == nil && found != nil {
		open, err = stand(tx, *found)
	}
	if err != nil || open == nil && stands == nil {
		return true, nil, err
	}
	if stands != nil {
		stands(&w, r)
		isSo = open != nil && open.Stage == w.Stage && open.Failure == w.Failure && open.State == w.State(r.Scene == SceneTicket)
	}
	return isSo, func() (err error) {
		if open != nil {
			err = tx.EndWork(open.ID)
		}
		if err != nil || stands == nil {
			return err
		}
		if w.Version, err = stagedVersion(tx, o, w.Op); err != nil {
			return err
		}
		w.Subject, w.Actor, w.Reason = o.ID, who.Name, "rehearsal"
		if err := tx.AddWork(&w); err != nil || r.Scene != SceneTicket {
			return err
		}
		_, err = addTicket(tx, clm.Gate{Subject: o.ID, Work: w.ID, Stage: w.Stage, Point: w.Stage, Name: "rehearsal", Open: true}, map[clm.Attr][]string{clm.Requester: {string(who.ID)}})
		if err == nil {
			err = tx.Settle(w.ID)
		}
		return err
	}, nil
}

// stagedVersion is the version that staged work is about: a new one of a place, or
// the one in use of the certificate that an application uses.
func stagedVersion(tx *store.Tx, o *clm.Object, op clm.Op) (clm.VersionID, error) {
	if op == clm.Enroll {
		v := clm.Version{Certificate: o.ID}
		err := tx.AddVersion(&v)
		return v.ID, err
	}
	used := clm.Setting{Values: o.Own[clm.Bound]}.First()
	if used == "" {
		return 0, clm.NotIssued
	}
	path, err := tx.PathByID(clm.ObjectID(used))
	if err == nil && path.Last().Current == 0 {
		err = clm.NotIssued
	}
	if err != nil {
		return 0, err
	}
	return path.Last().Current, nil
}
