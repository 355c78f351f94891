package core

import (
	"context"
	"fmt"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/store"
)

// resealBatch is how many keys are sealed anew in one transaction.
const resealBatch = 200

// Reseal seals everything with the present master key that is still sealed with
// an older one, and returns how much it was. It may be run again after a crash,
// and while the server works.
func (c *Core) Reseal(ctx context.Context, who clm.Actor) (done int, err error) {
	for after := clm.VersionID(0); ; {
		var batch int
		var next clm.VersionID
		err := c.db.Write(ctx, store.Entry{Actor: who, Action: "reseal", Subject: "versions"}, func(tx *store.Tx) (err error) {
			batch = 0
			next, err = tx.ResealVersions(after, resealBatch, func(id clm.VersionID, sealed []byte) ([]byte, error) {
				fresh, err := c.reseal(sealed, versionBind(id))
				if fresh != nil {
					batch++
				}
				return fresh, err
			})
			return err
		})
		if err != nil {
			return done, err
		}
		if done, after = done+batch, next; after == 0 {
			break
		}
	}
	secrets, err := c.resealSecrets(ctx, who)
	if done += secrets; err != nil {
		return done, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "reseal", Subject: "issuers"}, func(tx *store.Tx) error {
		all, err := tx.Issuers()
		if err != nil {
			return err
		}
		for _, i := range all {
			fresh, err := c.reseal(i.Sealed, issuerBind(i.Name))
			if err != nil {
				return err
			}
			if fresh == nil {
				continue
			}
			done++
			if err := tx.ResealIssuer(i.Name, fresh); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "reseal", Subject: "responders"}, func(tx *store.Tx) error {
		all, err := tx.Responders()
		if err != nil {
			return err
		}
		for _, r := range all {
			fresh, err := c.reseal(r.Sealed, responderBind(r))
			if err != nil {
				return err
			}
			if fresh == nil {
				continue
			}
			done++
			if err := tx.ResealResponder(r, fresh); err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}

// resealSecrets is Reseal for the secrets that are no parts of versions.
func (c *Core) resealSecrets(ctx context.Context, who clm.Actor) (done int, err error) {
	for after := int64(0); ; {
		var batch int
		var next int64
		err := c.db.Write(ctx, store.Entry{Actor: who, Action: "reseal", Subject: "secrets"}, func(tx *store.Tx) (err error) {
			batch = 0
			next, err = tx.ResealSecrets(after, resealBatch, func(id int64, sealed []byte) ([]byte, error) {
				fresh, err := c.reseal(sealed, secretBind(id))
				if fresh != nil {
					batch++
				}
				return fresh, err
			})
			return err
		})
		if err != nil {
			return done, err
		}
		if done, after = done+batch, next; after == 0 {
			return done, nil
		}
	}
}

// reseal seals anew what is not sealed with the present key; nil when it is.
func (c *Core) reseal(sealed []byte, bind string) ([]byte, error) {
	if c.box.IsCurrent(sealed) {
		return nil, nil
	}
	plain, err := c.box.Open(sealed, bind)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bind, err)
	}
	return c.box.Seal(plain, bind)
}
