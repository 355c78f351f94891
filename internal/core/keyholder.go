package core

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// A KeyState says how the private key that a place has stands to its certificate.
type KeyState string

// The key states.
const (
	KeyFits    KeyState = "fits"
	KeyNone    KeyState = "none"    // none is held, nor should one be
	KeyLost    KeyState = "lost"    // it should be there and is not
	KeyForeign KeyState = "foreign" // it belongs to another place
	KeyWrong   KeyState = "wrong"   // it belongs to the place, and not to the certificate
)

// IsWrong reports whether key and certificate do not match.
func (s KeyState) IsWrong() bool { return s == KeyLost || s == KeyForeign || s == KeyWrong }

// keyHolder finds the version whose private key is taken for that of v, which is a
// version of the place: its own, unless the place says otherwise of the one in use.
// Of a holder that is not there, or of none, nothing is known but its number.
func keyHolder(tx *store.Tx, place *clm.Object, v clm.Version) (holder clm.Version, state KeyState, err error) {
	named := clm.Setting{Values: place.Own[clm.KeyHolder]}.First()
	if v.ID != place.Current {
		named = ""
	}
	switch named {
	case clm.NoKeyHolder:
		return holder, KeyNone, nil
	case "", numberOf(v.ID):
		holder = v
	default:
		n, err := strconv.ParseInt(named, 10, 64)
		if err != nil {
			return holder, KeyLost, nil
		}
		holder, err = tx.Version(clm.VersionID(n))
		if err != nil && !errors.Is(err, clm.NotFound) {
			return holder, "", err
		}
	}
	return holder, keyOf(holder, v, named != ""), nil
}

// keyOf says how the key of the holder stands to v; must: there should be one.
func keyOf(holder, v clm.Version, must bool) KeyState {
	switch {
	case len(holder.Sealed) == 0 && !must:
		return KeyNone
	case len(holder.Sealed) == 0:
		return KeyLost
	case holder.Certificate != v.Certificate:
		return KeyForeign
	case !bytes.Equal(holder.KeyHash, v.KeyHash):
		return KeyWrong
	}
	return KeyFits
}

// keyState says how the private key of the place stands to v, the version in use.
// It opens the key: what was written down about it may be wrong.
func (c *Core) keyState(tx *store.Tx, place *clm.Object, v clm.Version) (KeyState, error) {
	holder, state, err := keyHolder(tx, place, v)
	if err == nil && state == KeyFits {
		var fits bool
		if fits, err = c.opens(holder, v.KeyHash); !fits {
			state = KeyWrong
		}
	}
	return state, err
}

// opens reports whether the version's sealed key is the one with the public key. What
// cannot be opened because this process lacks the master key tells nothing about it.
func (c *Core) opens(v clm.Version, hash []byte) (bool, error) {
	key, err := c.openKey(v.Sealed, versionBind(v.ID))
	if err != nil && !c.box.Knows(v.Sealed) {
		return false, fault(err)
	}
	return err == nil && bytes.Equal(pki.PublicKeyHash(key.Public()), hash), nil
}

// numberOf is a version as the value of an attribute.
func numberOf(id clm.VersionID) string { return strconv.FormatInt(int64(id), 10) }

// setKeyHolder writes on the place whose private key is taken for that of its
// certificate, where that changes anything; empty: that of the version in use.
func setKeyHolder(tx *store.Tx, place *clm.Object, holder string) error {
	if (clm.Setting{Values: place.Own[clm.KeyHolder]}).First() == holder {
		return nil
	}
	changed := cloned(place)
	set(changed.Own, clm.KeyHolder, holder)
	return tx.SaveObject(changed)
}

// mendKey sees to it that the place has the private key of v, its version in use, or
// none: one of its own that fits is taken; one that is lost or belongs to another
// place is given up, and the other place keeps it (page POST Certificates/Reset).
func (c *Core) mendKey(tx *store.Tx, place *clm.Object, v clm.Version, state KeyState) error {
	holder := clm.NoKeyHolder
	if state == KeyWrong {
		own, err := tx.Versions(place.ID)
		if err != nil {
			return err
		}
		for _, o := range own {
			if len(o.Sealed) == 0 || !bytes.Equal(o.KeyHash, v.KeyHash) {
				continue
			}
			fits, err := c.opens(o, v.KeyHash)
			if err != nil {
				return err
			}
			if fits {
				holder = numberOf(o.ID)
			}
			if fits && o.ID == v.ID {
				holder = ""
				break
			}
		}
	}
	return setKeyHolder(tx, place, holder)
}

// keptKey is the version whose private key the place at present has for its
// certificate; nil where it has none, or one that does not fit.
func (c *Core) keptKey(tx *store.Tx, place *clm.Object) (*clm.Version, error) {
	v, err := c.current(tx, place)
	if err != nil || v == nil {
		return nil, err
	}
	holder, state, err := keyHolder(tx, place, *v)
	if err != nil || state != KeyFits {
		return nil, err
	}
	bad, err := tx.KeyCompromised(holder.KeyHash)
	if err != nil || bad {
		return nil, err
	}
	return &holder, nil
}
