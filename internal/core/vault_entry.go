package core

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// MaxVaultIDs is how many numbers a lookup answers at most: those that come first.
const MaxVaultIDs = 100_000

// maxFactsSeen is how many hits of a lookup by a fact are looked at for who needs
// rights on what is found.
const maxFactsSeen = 10_000

// versionsAtATime is how many versions are looked at in one go.
const versionsAtATime = 10_000

// A vaultEntry is what stands under a number of the vault.
type vaultEntry struct {
	id     int64
	kind   int64
	owners []clm.Path   // of those objects that are there
	parts  *store.Parts // of the version that it is a part of; nil for a secret
}

// part is which part of a version the entry is.
func (e vaultEntry) part() Part {
	_, part := PartOf(e.id)
	return part
}

// findEntry finds what stands under the number. It fails with NotFound, whose Field
// is "vault-id".
func findEntry(tx *store.Tx, id int64) (e vaultEntry, err error) {
	e.id = id
	s, err := tx.Secret(id)
	if err == nil {
		e.kind = s.Kind
		owners, err := tx.SecretOwners(id)
		if err != nil {
			return e, err
		}
		e.owners, err = pathsOf(tx, owners)
		return e, err
	}
	if !errors.Is(err, clm.NotFound) {
		return e, err
	}
	version, part := PartOf(id)
	parts, err := tx.PartsOf(version)
	if errors.Is(err, clm.NotFound) {
		return e, noVaultEntry(id)
	}
	if err != nil {
		return e, err
	}
	kind, has := kindOfPart(parts, part)
	if !has {
		return e, noVaultEntry(id)
	}
	e.kind, e.parts = kind, &parts
	e.owners, err = pathsOf(tx, []clm.ObjectID{parts.Certificate})
	return e, err
}

func pathsOf(tx *store.Tx, ids []clm.ObjectID) (paths []clm.Path, err error) {
	for _, id := range ids {
		path, err := tx.PathByID(id)
		if errors.Is(err, clm.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// kindOfPart is the kind of the part, if the version has it. What does not belong to
// the version in use is archived; of the private keys that is the one which the place
// says it has (see keyHolder), and one that it has given up is in the vault no more.
func kindOfPart(p store.Parts, part Part) (kind int64, has bool) {
	if _, room := VaultID(p.Version, part); !room {
		return 0, false
	}
	inUse := p.Version == p.Current
	switch part {
	case CSRPart:
		has = p.HasCSR
	case KeyPart:
		holds := keyHolderOf(p) == p.Version
		has = p.HasKey && (holds || !inUse)
		inUse = holds
	default:
		has = true
	}
	if kind = partKinds[part]; !inUse {
		kind += Archived
	}
	return kind, has
}

// keyHolderOf is the version whose private key the certificate says that it has.
func keyHolderOf(p store.Parts) clm.VersionID {
	if p.KeyHolder == "" {
		return p.Current
	}
	n, err := strconv.ParseInt(p.KeyHolder, 10, 64)
	if err != nil {
		return 0
	}
	return clm.VersionID(n)
}

// entriesOf lists the parts that the version has as entries without owners.
func entriesOf(p store.Parts) (entries []vaultEntry) {
	for part := range Part(partsOfVersion) {
		if kind, has := kindOfPart(p, part); has {
			id, _ := VaultID(p.Version, part)
			entries = append(entries, vaultEntry{id: id, kind: kind, parts: &p})
		}
	}
	return entries
}

// may makes sure that the actor has the right on one of the owners of the entry. To
// those who see none of them there is no such entry.
func (e vaultEntry) may(who clm.Actor, need clm.Rights) error { return e.mayOn(1, who, need) }

// mayAll is may for what concerns all owners of the entry: the actor needs the right
// on each.
func (e vaultEntry) mayAll(who clm.Actor, need clm.Rights) error {
	return e.mayOn(max(1, len(e.owners)), who, need)
}

func (e vaultEntry) mayOn(owners int, who clm.Actor, need clm.Rights) error {
	if who.Master {
		return nil
	}
	held, seen := 0, false
	for _, owner := range e.owners {
		rights := owner.Rights(who)
		if rights.Has(need) {
			held++
		}
		seen = seen || rights.Has(clm.View)
	}
	switch {
	case held >= owners:
		return nil
	case !seen:
		return noVaultEntry(e.id)
	}
	return clm.Fail(clm.Denied, "vault-id", strconv.FormatInt(e.id, 10))
}

// findOwned finds what stands under the number for who has the right on one of its owners.
func findOwned(tx *store.Tx, who clm.Actor, id int64, need clm.Rights) (vaultEntry, error) {
	e, err := findEntry(tx, id)
	if err == nil {
		err = e.may(who, need)
	}
	return e, err
}

// findOwner finds an object on which the actor has the right.
func findOwner(tx *store.Tx, who clm.Actor, dn string, need clm.Rights) (*clm.Object, error) {
	path, rights, err := find(tx, who, dn)
	if err != nil {
		return nil, err
	}
	if !rights.Has(need) {
		return nil, clm.About(dn, clm.Denied)
	}
	return path.Last(), nil
}

// content opens the entry: DER for what is a part of a version.
func (c *Core) content(tx *store.Tx, e vaultEntry) (secret.Plain, error) {
	if e.parts == nil {
		_, plain, err := c.openSecret(tx, e.id)
		return plain, err
	}
	v, err := tx.Version(e.parts.Version)
	if err != nil {
		return secret.Plain{}, err
	}
	switch e.part() {
	case CertificatePart:
		return secret.NewPlain(v.Cert), nil
	case CSRPart:
		return secret.NewPlain(v.CSR), nil
	case PublicKeyPart:
		cert, err := x509.ParseCertificate(v.Cert)
		if err != nil {
			return secret.Plain{}, fault(err)
		}
		return secret.NewPlain(cert.RawSubjectPublicKeyInfo), nil
	}
	plain, err := c.box.Open(v.Sealed, versionBind(v.ID))
	return plain, fault(err)
}

// VaultEntriesOf lists the numbers of what the object owns in the vault: the parts of
// its versions, if it is a certificate, and secrets; at most MaxVaultIDs. kind: only
// those of the kind; zero: all. It fails with Invalid, NotFound and Denied.
func (c *Core) VaultEntriesOf(ctx context.Context, who clm.Actor, owner string, kind int64) (ids []int64, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		o, err := findOwner(tx, who, owner, clm.Read)
		if err != nil {
			return err
		}
		entries, err := ownedBy(tx, o.ID, kind, MaxVaultIDs)
		ids = nil
		for _, e := range entries {
			ids = append(ids, e.id)
		}
		return err
	})
	return ids, err
}

// ownedBy lists what the object owns that is of the kind, or all where it is zero, by
// number and at most so many.
func ownedBy(tx *store.Tx, owner clm.ObjectID, kind int64, most int) (entries []vaultEntry, err error) {
	versions, err := tx.PartsIn(owner)
	if err != nil {
		return nil, err
	}
	for _, p := range versions {
		for _, e := range entriesOf(p) {
			if kind == 0 || e.kind == kind {
				entries = append(entries, e)
			}
		}
	}
	secrets, err := tx.FirstSecretsOf(owner, kind, most)
	for _, s := range secrets {
		entries = append(entries, vaultEntry{id: s.ID, kind: s.Kind})
	}
	slices.SortFunc(entries, byNumber)
	return entries[:min(len(entries), most)], err
}

func byNumber(a, b vaultEntry) int { return cmp.Compare(a.id, b.id) }

// VaultEntries lists the numbers of what there is in the vault, in their order, at
// most MaxVaultIDs. kind: only those of the kind; zero: all. Only a master may.
func (c *Core) VaultEntries(ctx context.Context, who clm.Actor, kind int64) (ids []int64, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		if kind != 0 {
			ids, err = tx.SecretsOfKind(kind, MaxVaultIDs)
		} else {
			ids, err = tx.Secrets(MaxVaultIDs)
		}
		if err != nil {
			return err
		}
		parts, err := partsOfKind(ctx, tx, kind)
		ids = append(ids, parts...)
		slices.Sort(ids)
		ids = ids[:min(len(ids), MaxVaultIDs)]
		return err
	})
	return ids, err
}

// withPart are the versions that have a part of the kind, where not all have one.
var withPart = map[int64]store.PartFilter{VaultKey: store.WithKey, VaultCSR: store.WithCSR}

// partsOfKind lists the numbers of the parts of versions that are of the kind, at most
// MaxVaultIDs.
func partsOfKind(ctx context.Context, tx *store.Tx, kind int64) (ids []int64, err error) {
	if kind != 0 && !slices.Contains(partKinds[:], kind&^Archived) {
		return nil, nil
	}
	for after := clm.VersionID(0); len(ids) < MaxVaultIDs; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		versions, err := tx.PartsAfter(after, withPart[kind&^Archived], versionsAtATime)
		if err != nil || len(versions) == 0 {
			return ids, err
		}
		for _, p := range versions {
			after = p.Version
			for _, e := range entriesOf(p) {
				if kind == 0 || e.kind == kind {
					ids = append(ids, e.id)
				}
			}
		}
	}
	return ids, nil
}

// VaultOrphans lists the numbers of the secrets of the kind that no object owns, at
// most MaxVaultIDs. Parts of versions have an owner always. Only a master may.
func (c *Core) VaultOrphans(ctx context.Context, who clm.Actor, kind int64) (ids []int64, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.OrphanSecrets(kind, MaxVaultIDs)
		return err
	})
	return ids, err
}

// VaultOwners lists the owners of what stands under the number that the actor may
// see. It fails with NotFound and Denied.
func (c *Core) VaultOwners(ctx context.Context, who clm.Actor, id int64) (owners []clm.DN, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		e, err := findOwned(tx, who, id, clm.Read)
		if err != nil {
			return err
		}
		owners = nil
		for _, path := range e.owners {
			if path.Rights(who).Has(clm.View) {
				owners = append(owners, path.Last().DN)
			}
		}
		return nil
	})
	return owners, err
}

// ProtectionsInUse lists the protection keys that something in the vault was stored with.
func (c *Core) ProtectionsInUse(ctx context.Context) (used []string, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		if used, err = tx.Keynames(); err != nil || slices.Contains(used, DefaultProtection) {
			return err
		}
		holds, err := tx.HoldsKeys()
		if holds {
			used = append(used, DefaultProtection)
		}
		return err
	})
	return used, err
}
