package core

import (
	"errors"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// SameKey is a certificate for a key that is known to be compromised.
type SameKey struct {
	DN         clm.DN // empty where the actor may not see it
	Thumbprint string
	Serial     string
}

// maxSameKey is how many certificates for one key are listed.
const maxSameKey = 100

// aggravate has relying parties told that the key is compromised of a certificate that
// was revoked for another reason (BR, section 7.2.2). Only we can: a CA outside that
// has revoked has done.
func aggravate(tx *store.Tx, at aim, known clm.Revocation, reason clm.Reason) error {
	if !at.here || reason != clm.KeyCompromise || known.Reason == reason {
		return nil
	}
	known.Reason = reason
	if err := tx.SaveRevocation(known); err != nil {
		return err
	}
	return enlist(tx, at.version, known)
}

// compromise writes down that the key of the version is compromised: it may never
// come back. It lists the other certificates for it.
func compromise(tx *store.Tx, who clm.Actor, v clm.Version) (mates []SameKey, err error) {
	if err := tx.CompromiseKey(v.KeyHash); err != nil {
		return nil, err
	}
	all, err := tx.KeyMates(v.KeyHash, maxSameKey)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Thumbprint == v.Thumbprint {
			continue
		}
		path, err := tx.PathByID(m.Certificate)
		if err != nil && !errors.Is(err, clm.NotFound) {
			return nil, err
		}
		mate := SameKey{Thumbprint: m.Thumbprint, Serial: m.Serial}
		if err == nil {
			mate.DN = clm.DN(visibleDN(path, who))
		}
		mates = append(mates, mate)
	}
	return mates, nil
}
