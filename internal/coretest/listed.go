package coretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/store"
)

// publishedAt is where a rig publishes once a test wants to see a revocation list.
const publishedAt = "http://pki.example.com"

// VersionsOf are the versions of the place, the oldest first, and the one in use.
func (r *Rig) VersionsOf(dn string) (all []clm.Version, current clm.Version, err error) {
	ctx := context.Background()
	place, err := r.Object(ctx, r.Admin, dn)
	if err != nil {
		return nil, current, err
	}
	err = r.DB.Read(ctx, func(tx *store.Tx) error {
		all, err = tx.Versions(place.ID)
		return err
	})
	if at := slices.IndexFunc(all, func(v clm.Version) bool { return v.ID == place.Current }); at >= 0 {
		current = all[at]
	}
	return all, current, err
}

// VersionNamed finds a certificate by its thumbprint, or as the one in use of a place.
func (r *Rig) VersionNamed(which string) (v clm.Version, err error) {
	if strings.HasPrefix(which, `\`) {
		_, v, err = r.VersionsOf(which)
	} else {
		err = r.DB.Read(context.Background(), func(tx *store.Tx) error {
			holders, err := tx.Holders(which)
			if len(holders) > 0 {
				v = holders[0]
			}
			return err
		})
	}
	if err == nil && v.Serial == "" {
		err = errors.New("there is no such certificate")
	}
	return v, err
}

// ListEntry publishes what is revoked and says how the version, whose issuer's key must
// be held here, stands on its list; nil where it does not.
func (r *Rig) ListEntry(v clm.Version) (*x509.RevocationListEntry, error) {
	ctx := context.Background()
	if err := r.SetPublishURL(ctx, publishedAt); err != nil {
		return nil, err
	}
	if err := r.PublishLists(ctx); err != nil {
		return nil, err
	}
	for _, issuer := range []string{core.RSAIssuer, core.ECDSAIssuer} {
		chain, err := r.Chain(ctx, issuer)
		if err != nil {
			return nil, err
		}
		if print := sha256.Sum256(chain[0]); !bytes.Equal(print[:], v.Chain) {
			continue
		}
		l, err := r.List(ctx, issuer, v.ID.Shard())
		if err != nil {
			return nil, err
		}
		list, err := x509.ParseRevocationList(l.DER)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
			return fmt.Sprintf("%X", e.SerialNumber.Bytes()) == v.Serial
		})
		if at < 0 {
			return nil, nil
		}
		return &list.RevokedCertificateEntries[at], nil
	}
	return nil, errors.New("its issuer has no list here")
}

// Entries are those of the audit log for the action, the oldest first.
func (r *Rig) Entries(action string) (found []store.AuditEntry, err error) {
	for after := int64(0); ; {
		batch, err := r.DB.Audit(context.Background(), after, 1000)
		if err != nil || len(batch) == 0 {
			return found, err
		}
		for _, e := range batch {
			if after = e.ID; e.Action == action {
				found = append(found, e)
			}
		}
	}
}
