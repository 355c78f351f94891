package core

import (
	"errors"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// aims say to which host a credential is sent, and what is run there with it: what is
// said of the host first, then what is said of the service. Whoever decides that must be
// able to use the credential.
var (
	hostAims    = []clm.Attr{clm.Host, clm.Port, clm.ConnectBy, clm.TrustedKeys, clm.KnownHost, clm.SeenKey, clm.Sudo, clm.CredentialOf}
	serviceAims = []clm.Attr{
		clm.ServiceSocket, clm.ServiceProgram, clm.ServiceConfig, clm.ServiceUnit, clm.ServicePIDFile, clm.CheckCommand, clm.ReloadCommand,
		clm.APICA, clm.ServiceUser,
	}
)

func isAim(a clm.Attr) bool { return slices.Contains(hostAims, a) || slices.Contains(serviceAims, a) }

// isReached reports whether it is objects of the class, or of those below it, that are
// reached with a credential.
func isReached(class clm.Class) bool { return class == clm.Device || class.Is(clm.Application) }

// mayUse reports whether the actor may use the credential at the end of the path:
// somebody has let him read it. That an auditor sees everything is not enough.
func mayUse(credential clm.Path, who clm.Actor) bool {
	who.Auditor = false
	return credential.Rights(who).Has(clm.Read)
}

// isHere reports whether what is at the end of the path is reached as the machine on which
// this program runs, or says that it were.
func isHere(path clm.Path) bool {
	return len(path) > 0 && (isLocal(path.Last().Own[clm.ConnectBy]) || isLocal(ofHost(path, clm.ConnectBy).Values))
}

func isLocal(connection []string) bool { return containsFold(connection, clm.ByLocal) }

// mayAim makes sure that who may say what is said now of the device or application at the
// end of the path: he can use all credentials with which it is reached, and has no say
// in what is done on this machine unless he is a master. was is its path as it was, if it
// was there. It fails with Denied.
func mayAim(tx *store.Tx, who clm.Actor, was, now clm.Path) error {
	if who.Master || !isReached(now.Last().Class) {
		return nil
	}
	if isHere(was) || isHere(now) {
		return clm.Denied
	}
	for _, credential := range []clm.Setting{ofHost(now, clm.CredentialOf), now.Value(clm.ServiceUser)} {
		id, ok := clm.RefID(credential.First())
		if !ok {
			continue // nothing else is ever opened
		}
		path, err := tx.PathByID(id)
		switch {
		case errors.Is(err, clm.NotFound):
		case err != nil:
			return err
		case !mayUse(path, who):
			return clm.Denied
		}
	}
	return nil
}

// mayAimBelow is mayAim for all that lies below the last object of the path and is
// reached otherwise now.
func mayAimBelow(tx *store.Tx, who clm.Actor, was, now clm.Path) error {
	top := was.Last()
	if who.Master || !top.Class.HoldsPolicy() || top.Class != clm.Device && !hasAims(was) && !hasAims(now) {
		return nil
	}
	type pair struct{ was, now clm.Path }
	above := map[string]pair{top.DN.Key(): {was, now}}
	walk := store.Walk{Below: top.DN, Classes: []clm.Class{clm.Folder, clm.Device, clm.Application}, Derived: true}
	return tx.Walk(walk, func(o *clm.Object) (bool, error) { // ancestors come first
		at, ok := above[o.DN.Parent().Key()]
		if !ok {
			return true, nil
		}
		at = pair{under(at.was, o), under(at.now, o)}
		if o.Class.HoldsPolicy() {
			above[o.DN.Key()] = at
		}
		if isReached(o.Class) && isAimedOtherwise(at.was, at.now) {
			return true, clm.About(string(o.DN), mayAim(tx, who, at.was, at.now))
		}
		return true, nil
	})
}

// hasAims reports whether policy on the path says how anything is reached.
func hasAims(path clm.Path) bool {
	for _, o := range path {
		for key := range o.Policy {
			if isAim(key.Attr) {
				return true
			}
		}
	}
	return false
}

// isAimedOtherwise reports whether it makes a difference for the last object of the paths
// which of them it has.
func isAimedOtherwise(was, now clm.Path) bool {
	differs := func(value func(clm.Path, clm.Attr) clm.Setting) func(clm.Attr) bool {
		return func(a clm.Attr) bool { return !slices.Equal(value(was, a).Values, value(now, a).Values) }
	}
	return slices.ContainsFunc(hostAims, differs(ofHost)) || slices.ContainsFunc(serviceAims, differs(clm.Path.Value))
}

func under(path clm.Path, o *clm.Object) clm.Path { return append(path[:len(path):len(path)], o) }
