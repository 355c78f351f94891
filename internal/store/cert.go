package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// Activate makes the version the one in use, and what the inventory knows of the
// certificate its own. renewAt is when it is to be renewed by itself; zero for never.
func (tx *Tx) Activate(v clm.Version, f clm.Facts, renewAt time.Time) error {
	// Nearly every renewal brings the same names and facts: then only dates move.
	print := printOf(f)
	now := place{notBefore: micros(v.NotBefore), notAfter: micros(v.NotAfter)}
	was, err := one(tx, func(r row) (p place, err error) { return p, r.Scan(&p.notBefore, &p.notAfter) },
		`UPDATE certificates SET current = $1, was_before = not_before, was_after = not_after, not_before = $2, not_after = $3, renew_at = $4
		WHERE id = $5 AND names = $6 AND cohort <> 0 RETURNING was_before, was_after`,
		int64(v.ID), now.notBefore, now.notAfter, micros(renewAt), string(v.Certificate), print)
	if errors.Is(err, sql.ErrNoRows) {
		return tx.activateAnew(v, f, renewAt)
	}
	if err != nil {
		return err
	}
	tx.count(was, -1)
	tx.count(now, +1)
	return tx.recordIssued(v, f, true)
}

// activateAnew is Activate of a version that says something else than the one before.
func (tx *Tx) activateAnew(v clm.Version, f clm.Facts, renewAt time.Time) error {
	k, was, err := tx.cohortOf(v.Certificate)
	if err != nil {
		return err
	}
	now := place{notBefore: micros(v.NotBefore), notAfter: micros(v.NotAfter)}
	if was.cohort != 0 { // otherwise Describe will look at it
		if now.cohort, err = tx.saveCohort(k.Holding(f)); err != nil {
			return err
		}
		tx.count(was, -1)
		tx.count(now, +1)
	}
	if _, err := tx.c.exec("UPDATE certificates SET current = $1, cohort = $2, cn_key = $3, names = $4, not_before = $5, not_after = $6, renew_at = $7 WHERE id = $8",
		int64(v.ID), now.cohort, strings.ToLower(f.CommonName), printOf(f), now.notBefore, now.notAfter, micros(renewAt), string(v.Certificate)); err != nil {
		return err
	}
	if err := tx.saveSANs(v.Certificate, f.Names); err != nil {
		return err
	}
	return tx.recordIssued(v, f, false)
}

// SetRenewal says when the certificate is to be renewed by itself; zero for never.
func (tx *Tx) SetRenewal(id clm.ObjectID, at time.Time) error {
	_, err := tx.c.exec("UPDATE certificates SET renew_at = $1 WHERE id = $2 AND renew_at <> $1", micros(at), string(id))
	return err
}

// dueRenewals finds what is due, the longest due first.
const dueRenewals = "SELECT id FROM certificates WHERE renew_at > 0 AND renew_at <= $1 ORDER BY renew_at LIMIT $2 "

// ClaimRenewals takes certificates whose renewal is due, at most so many, those
// first that have been due for longest. Nobody else gets them for so long as is
// said; whoever has them may by then have set another time, which HasRenewal tells.
func (db *DB) ClaimRenewals(ctx context.Context, most int, hold time.Duration) (claimed []clm.ObjectID, until time.Time, err error) {
	err = db.submit(ctx, nil, func(tx *Tx) error {
		until = tx.Now.Add(hold)
		claimed, err = all(tx, scanOne[clm.ObjectID], "UPDATE certificates SET renew_at = $3 WHERE id IN ("+dueRenewals+db.dialect.skipLocked+") RETURNING id",
			micros(tx.Now), most, micros(until))
		return err
	})
	return claimed, until, err
}

// HasRenewal reports whether the certificate is there and to be renewed at that time.
func (tx *Tx) HasRenewal(id clm.ObjectID, at time.Time) (bool, error) {
	n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM certificates WHERE id = $1 AND renew_at = $2", string(id), micros(at))
	return n > 0, err
}

// printOf tells facts that are searched for from one another.
func printOf(f clm.Facts) string {
	values := append(Cohort{}.Holding(f).Row(), strings.ToLower(f.CommonName))
	for _, s := range sansOf(f.Names) {
		values = append(values, s.kind, s.value)
	}
	return strconv.FormatInt(hashOf(values), 36)
}

// san is one searchable name of a certificate.
type san struct{ kind, value string }

func (tx *Tx) saveSANs(id clm.ObjectID, names clm.Names) error {
	have, err := all(tx, func(r row) (s san, err error) { return s, r.Scan(&s.kind, &s.value) },
		"SELECT kind, value FROM sans WHERE certificate = $1", string(id))
	if err != nil {
		return err
	}
	gone := map[san]bool{}
	for _, s := range have {
		gone[s] = true
	}
	for _, s := range sansOf(names) {
		if _, known := gone[s]; known {
			gone[s] = false
			continue
		}
		gone[s] = false
		if _, err := tx.c.exec("INSERT INTO sans (kind, value, certificate) VALUES ($1, $2, $3)", s.kind, s.value, string(id)); err != nil {
			return err
		}
	}
	for s, isGone := range gone {
		if !isGone {
			continue
		}
		if _, err := tx.c.exec("DELETE FROM sans WHERE kind = $1 AND value = $2 AND certificate = $3", s.kind, s.value, string(id)); err != nil {
			return err
		}
		if err := tx.keepRecordName(s.value, id); err != nil {
			return err
		}
	}
	return nil
}

func sansOf(names clm.Names) (sans []san) {
	for _, of := range []struct {
		kind   clm.Attr
		values []string
	}{
		{clm.SANDNS, names.DNS}, {clm.SANEmail, names.Email}, {clm.SANIP, names.IP}, {clm.SANURI, names.URI}, {clm.SANUPN, names.UPN},
	} {
		for _, v := range of.values {
			sans = append(sans, san{string(of.kind), storable(strings.ToLower(v))})
		}
	}
	return sans
}

// AddVersion writes a new version down and gives it its ID and time.
func (tx *Tx) AddVersion(v *clm.Version) error { return tx.AddVersionOf(nil, v) }

// AddVersionOf is AddVersion for whoever knows the place as it is.
func (tx *Tx) AddVersionOf(place *clm.Object, v *clm.Version) error {
	number, err := tx.newNumber()
	if err != nil {
		return err
	}
	v.ID, v.Created = clm.VersionID(number), tx.Now
	if err := tx.insertVersion(*v); err != nil {
		return err
	}
	return tx.addRecord(*v, place)
}

// RestoreVersion writes a version down again that was deleted with its place, without
// its key: what was ordered for it is still to come.
func (tx *Tx) RestoreVersion(v clm.Version) error {
	v.Sealed = nil
	if err := tx.insertVersion(v); err != nil {
		return err
	}
	return tx.addRecord(v, nil)
}

func (tx *Tx) insertVersion(v clm.Version) error {
	_, err := tx.c.exec(`INSERT INTO versions (id, certificate, created, user_csr, sealed, csr, key_hash, authority, ref, cert, chain, thumbprint, serial, not_before, not_after, record, external, key_wish, ends)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		int64(v.ID), string(v.Certificate), micros(v.Created), v.UserCSR, v.Sealed, v.CSR, v.KeyHash, string(v.Authority), v.Ref,
		v.Cert, hex.EncodeToString(v.Chain), v.Thumbprint, v.Serial, micros(v.NotBefore), micros(v.NotAfter), v.Record, v.External, string(v.KeyWish), micros(v.Ends))
	return tx.duplicate(err)
}

// SaveVersion writes what was learnt about the version. A key that is there stays
// as it is: it may have been sealed anew since v was read.
func (tx *Tx) SaveVersion(v clm.Version) error {
	_, err := tx.c.exec(`UPDATE versions SET sealed = COALESCE(sealed, $2), csr = $3, key_hash = $4, authority = $5, ref = $6, cert = $7, chain = $8,
		thumbprint = $9, serial = $10, not_before = $11, not_after = $12, user_csr = $13, orphaned = $14 WHERE id = $1`,
		int64(v.ID), v.Sealed, v.CSR, v.KeyHash, string(v.Authority), v.Ref,
		v.Cert, hex.EncodeToString(v.Chain), v.Thumbprint, v.Serial, micros(v.NotBefore), micros(v.NotAfter), v.UserCSR, micros(v.Orphaned))
	return err
}

const versionColumns = "v.id, v.certificate, v.created, v.user_csr, v.sealed, v.csr, v.key_hash, v.authority, v.ref, v.cert, v.chain, v.thumbprint, v.serial, v.not_before, v.not_after, v.orphaned, v.record, v.external, v.key_wish, v.ends, v.removed"

func scanVersion(r row) (clm.Version, error) {
	v, chain, created, notBefore, notAfter, orphaned, ends, removed := clm.Version{}, "", int64(0), int64(0), int64(0), int64(0), int64(0), int64(0)
	if err := r.Scan(&v.ID, &v.Certificate, &created, &v.UserCSR, &v.Sealed, &v.CSR, &v.KeyHash, &v.Authority, &v.Ref,
		&v.Cert, &chain, &v.Thumbprint, &v.Serial, &notBefore, &notAfter, &orphaned, &v.Record, &v.External, &v.KeyWish, &ends, &removed); err != nil {
		return v, err
	}
	v.Created, v.NotBefore, v.NotAfter, v.Orphaned, v.Ends, v.Removed = fromMicros(created), fromMicros(notBefore), fromMicros(notAfter), fromMicros(orphaned), fromMicros(ends), fromMicros(removed)
	var err error
	v.Chain, err = hex.DecodeString(chain)
	return v, err
}

// DropVersion forgets a version that nothing has come of: one without a certificate.
func (tx *Tx) DropVersion(id clm.VersionID) error {
	for _, query := range []string{
		"DELETE FROM records WHERE id IN (SELECT id FROM versions WHERE id = $1 AND cert IS NULL)", "DELETE FROM versions WHERE id = $1 AND cert IS NULL",
	} {
		if _, err := tx.c.exec(query, int64(id)); err != nil {
			return err
		}
	}
	return nil
}

// Version finds a version. It fails with NotFound.
func (tx *Tx) Version(id clm.VersionID) (clm.Version, error) {
	v, err := one(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.id = $1", int64(id))
	return v, notFound(err)
}

// VersionByRecord finds the version that had the ID in the system that it came from. It
// fails with NotFound.
func (tx *Tx) VersionByRecord(record string) (clm.Version, error) {
	v, err := one(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.record = $1 AND v.record <> ''", record)
	return v, notFound(err)
}

// VersionsByExternal lists the versions that were asked for by the external name, the
// oldest first.
func (tx *Tx) VersionsByExternal(name string) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.external = $1 AND v.external <> '' ORDER BY v.created, v.id", name)
}

// VersionsBySerial lists the versions whose certificate has the serial number, upper-case
// hex of whole octets, the oldest first.
func (tx *Tx) VersionsBySerial(serial string) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.serial = $1 AND v.serial <> '' ORDER BY v.created, v.id", serial)
}

// Versions lists all versions of a certificate, the oldest first.
func (tx *Tx) Versions(id clm.ObjectID) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.certificate = $1 ORDER BY v.created, v.id", string(id))
}

// Holders lists the versions, in use or not and of whatever place, whose
// certificate has the thumbprint, the oldest first.
func (tx *Tx) Holders(thumbprint string) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.thumbprint = $1 AND v.thumbprint <> '' ORDER BY v.created, v.id", thumbprint)
}

// KeySeen reports whether the public key has served before: a certificate was
// issued for it, be it one whose place is gone, or another place has asked for one.
// A certificate that the place itself did not want any more does not count.
func (tx *Tx) KeySeen(hash []byte, place clm.ObjectID) (bool, error) {
	n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM (SELECT 1 AS x FROM versions WHERE key_hash = $1 AND (cert IS NOT NULL AND orphaned = 0 OR certificate <> $2) UNION ALL SELECT 1 FROM past_keys WHERE key_hash = $1 LIMIT 1) AS seen",
		hash, string(place))
	return n > 0, err
}

// KeyCompromised reports whether the public key is known to be compromised.
func (tx *Tx) KeyCompromised(hash []byte) (bool, error) {
	n, err := one(tx, scanOne[int64], "SELECT COUNT(*) FROM compromised_keys WHERE key_hash = $1", hash)
	return n > 0, err
}

// CompromiseKey writes down that the public key is compromised.
func (tx *Tx) CompromiseKey(hash []byte) error {
	_, err := tx.c.exec("INSERT INTO compromised_keys (key_hash, at) VALUES ($1, $2) ON CONFLICT (key_hash) DO NOTHING", hash, micros(tx.Now))
	return err
}

// KeyMates lists the versions with certificates for the public key, of whatever
// place, the oldest first, at most so many.
func (tx *Tx) KeyMates(hash []byte, most int) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.key_hash = $1 AND v.thumbprint <> '' ORDER BY v.created, v.id LIMIT $2", hash, most)
}

// KeysBelow reports whether the object, or one below it, has a private key: that of a
// version, or whatever it owns in the vault.
func (tx *Tx) KeysBelow(o *clm.Object) (bool, error) {
	low, high := below(o.DN.Key())
	return one(tx, scanOne[bool], `SELECT EXISTS (SELECT 1 FROM objects o WHERE (o.id = $1 OR o.dn_key > $2 AND o.dn_key < $3) AND (
			EXISTS (SELECT 1 FROM versions v WHERE v.certificate = o.id AND v.sealed IS NOT NULL)
			OR EXISTS (SELECT 1 FROM secret_owners w WHERE w.owner = o.id)))`,
		string(o.ID), low, high)
}

// ReplaceKey puts the sealed key in the place of the one that the version has, if
// it has one; nil takes it away.
func (tx *Tx) ReplaceKey(id clm.VersionID, sealed []byte) error {
	_, err := tx.c.exec("UPDATE versions SET sealed = $1 WHERE id = $2", sealed, int64(id))
	return err
}

// ResealVersions runs reseal over the sealed key of every version, in batches
// after the version named, and returns the last one it saw; zero at the end.
func (tx *Tx) ResealVersions(after clm.VersionID, most int, reseal func(clm.VersionID, []byte) ([]byte, error)) (clm.VersionID, error) {
	type sealed struct {
		id  clm.VersionID
		key []byte
	}
	batch, err := all(tx, func(r row) (s sealed, err error) { return s, r.Scan(&s.id, &s.key) },
		"SELECT id, sealed FROM versions WHERE id > $1 AND sealed IS NOT NULL ORDER BY id LIMIT $2", int64(after), most)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	for _, s := range batch {
		fresh, err := reseal(s.id, s.key)
		if err != nil {
			return 0, err
		}
		if fresh == nil {
			continue
		}
		if _, err := tx.c.exec("UPDATE versions SET sealed = $1 WHERE id = $2", fresh, int64(s.id)); err != nil {
			return 0, err
		}
	}
	return batch[len(batch)-1].id, nil
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return clm.NotFound
	}
	return err
}

// chainCache keeps CA certificates by their fingerprint, with what stands above
// them. They never change; that may, where it was not known.
type chainCache struct {
	mu    sync.Mutex
	links map[string]link
}

type link struct {
	cert  []byte
	above string
}

// SaveChain keeps the certificates, the issuer first and the root last, and
// returns the fingerprint of the first, by which Chain finds them all again.
func (tx *Tx) SaveChain(chain [][]byte) ([]byte, error) {
	var first []byte
	for i, cert := range chain {
		print := sha256.Sum256(cert)
		above := ""
		if i+1 < len(chain) {
			next := sha256.Sum256(chain[i+1])
			above = hex.EncodeToString(next[:])
		}
		if i == 0 {
			first = print[:]
		}
		if known, err := tx.link(hex.EncodeToString(print[:])); err == nil && known.above == above {
			continue
		}
		if _, err := tx.c.exec("INSERT INTO chains (fingerprint, above, cert) VALUES ($1, $2, $3) ON CONFLICT (fingerprint) DO UPDATE SET above = excluded.above",
			hex.EncodeToString(print[:]), above, cert); err != nil {
			return nil, err
		}
		tx.db.chains.forget(hex.EncodeToString(print[:]))
	}
	return first, nil
}

func (c *chainCache) forget(fingerprint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, fingerprint)
}

// Chain finds the certificates from the one with the fingerprint up to the root.
func (tx *Tx) Chain(fingerprint []byte) (chain [][]byte, err error) {
	for at := hex.EncodeToString(fingerprint); at != ""; {
		l, err := tx.link(at)
		if err != nil {
			return nil, notFound(err)
		}
		chain, at = append(chain, l.cert), l.above
	}
	return chain, nil
}

func (tx *Tx) link(fingerprint string) (link, error) {
	cache := &tx.db.chains
	cache.mu.Lock()
	l, ok := cache.links[fingerprint]
	cache.mu.Unlock()
	if ok {
		return l, nil
	}
	l, err := one(tx, func(r row) (l link, err error) { return l, r.Scan(&l.cert, &l.above) },
		"SELECT cert, above FROM chains WHERE fingerprint = $1", fingerprint)
	// Only what is committed for certain, and nothing that lacks what is above it:
	// another node may learn that.
	if err == nil && tx.entry == nil && (l.above != "" || isRoot(l.cert)) {
		cache.mu.Lock()
		if cache.links == nil {
			cache.links = map[string]link{}
		}
		cache.links[fingerprint] = l
		cache.mu.Unlock()
	}
	return l, err
}

func isRoot(der []byte) bool {
	cert, err := x509.ParseCertificate(der)
	return err == nil && bytes.Equal(cert.RawSubject, cert.RawIssuer)
}
