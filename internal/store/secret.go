package store

import (
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A Secret is something sealed that is no part of a version. Objects own it; it goes
// with the last of them.
type Secret struct {
	ID      int64  // a multiple of four, and the number of nothing else
	Kind    int64  // as the API numbers them
	Keyname string // the protection key that was asked for
	Sealed  []byte
	Hash    []byte // SHA-256 of a certificate; empty for all other kinds, of which a hash would help guessing
	Created time.Time
}

// A Fact is what is known of a secret without opening it. Kind is string, int or
// datetime; Value is in the form in which values of that kind are compared.
type Fact struct{ Name, Kind, Value string }

// AddSecret writes the secret down and gives it its ID and time. seal gets the ID,
// to which what it returns is bound.
func (tx *Tx) AddSecret(s *Secret, seal func(id int64) ([]byte, error)) (err error) {
	if s.ID, err = tx.newNumber(); err != nil {
		return err
	}
	if s.Sealed, err = seal(s.ID); err != nil {
		return err
	}
	s.Created = tx.Now
	_, err = tx.c.exec("INSERT INTO secrets (id, kind, keyname, sealed, hash, created) VALUES ($1, $2, $3, $4, $5, $6)",
		s.ID, s.Kind, s.Keyname, s.Sealed, notNil(s.Hash), micros(s.Created))
	return err
}

// notNil is b, and no NULL when it is empty.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Secret finds a secret. It fails with NotFound.
func (tx *Tx) Secret(id int64) (Secret, error) {
	s, err := one(tx, func(r row) (s Secret, err error) {
		var created int64
		err = r.Scan(&s.ID, &s.Kind, &s.Keyname, &s.Sealed, &s.Hash, &created)
		s.Created = fromMicros(created)
		return s, err
	}, "SELECT id, kind, keyname, sealed, hash, created FROM secrets WHERE id = $1", id)
	return s, notFound(err)
}

// ReplaceSecret puts another sealed value in the place of the one that the secret has.
func (tx *Tx) ReplaceSecret(id int64, sealed []byte) error {
	_, err := tx.c.exec("UPDATE secrets SET sealed = $1 WHERE id = $2", sealed, id)
	return err
}

// RefillSecret is ReplaceSecret for what has no hash, and makes the secret one of the
// kind. An empty keyname leaves the one that it has.
func (tx *Tx) RefillSecret(s Secret) error {
	_, err := tx.c.exec("UPDATE secrets SET kind = $1, keyname = CASE WHEN $2 = '' THEN keyname ELSE $2 END, sealed = $3, hash = $4 WHERE id = $5",
		s.Kind, s.Keyname, s.Sealed, notNil(nil), s.ID)
	return err
}

// ChangeSecretKind makes the secret one of the kind.
func (tx *Tx) ChangeSecretKind(id, kind int64) error {
	_, err := tx.c.exec("UPDATE secrets SET kind = $1 WHERE id = $2", kind, id)
	return err
}

// SetSecretHash writes down by which hash the secret is found; none: by none.
func (tx *Tx) SetSecretHash(id int64, hash []byte) error {
	_, err := tx.c.exec("UPDATE secrets SET hash = $1 WHERE id = $2", notNil(hash), id)
	return err
}

// ResealSecrets runs reseal over every secret, in batches after the one named, and
// returns the last one it saw; zero at the end.
func (tx *Tx) ResealSecrets(after int64, most int, reseal func(id int64, sealed []byte) ([]byte, error)) (int64, error) {
	batch, err := all(tx, func(r row) (s Secret, err error) { return s, r.Scan(&s.ID, &s.Sealed) },
		"SELECT id, sealed FROM secrets WHERE id > $1 ORDER BY id LIMIT $2", after, most)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	for _, s := range batch {
		fresh, err := reseal(s.ID, s.Sealed)
		if err == nil && fresh != nil {
			err = tx.ReplaceSecret(s.ID, fresh)
		}
		if err != nil {
			return 0, err
		}
	}
	return batch[len(batch)-1].ID, nil
}

// OwnSecret makes the object an owner of the secret.
func (tx *Tx) OwnSecret(id int64, owner clm.ObjectID) error {
	_, err := tx.c.exec("INSERT INTO secret_owners (secret, owner) VALUES ($1, $2) ON CONFLICT (secret, owner) DO NOTHING", id, string(owner))
	return err
}

// DisownSecret takes the secret from the object. One that nobody owns any more is
// deleted.
func (tx *Tx) DisownSecret(id int64, owner clm.ObjectID) error {
	n, err := tx.c.exec("DELETE FROM secret_owners WHERE secret = $1 AND owner = $2", id, string(owner))
	if err != nil || n == 0 {
		return err
	}
	left, err := tx.SecretOwners(id)
	if err != nil || len(left) > 0 {
		return err
	}
	for _, query := range []string{"DELETE FROM secret_facts WHERE secret = $1", "DELETE FROM secrets WHERE id = $1"} {
		if _, err := tx.c.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// DropSecretsOf takes all secrets from an object that is being deleted, and deletes
// those that nobody owns any more.
func (tx *Tx) DropSecretsOf(owner clm.ObjectID) error {
	owned, err := tx.SecretsOf(owner)
	if err != nil {
		return err
	}
	for _, s := range owned {
		if err := tx.DisownSecret(s.ID, owner); err != nil {
			return err
		}
	}
	return nil
}

// SecretOwners lists the owners of a secret.
func (tx *Tx) SecretOwners(id int64) ([]clm.ObjectID, error) {
	return all(tx, scanOne[clm.ObjectID], "SELECT owner FROM secret_owners WHERE secret = $1 ORDER BY owner", id)
}

// SecretsOf lists what the object owns, without what is sealed.
func (tx *Tx) SecretsOf(owner clm.ObjectID) ([]Secret, error) {
	return all(tx, func(r row) (s Secret, err error) { return s, r.Scan(&s.ID, &s.Kind) }, "SELECT s.id, s.kind FROM secret_owners o JOIN secrets s ON s.id = o.secret WHERE o.owner = $1 ORDER BY s.id", string(owner))
}

// FirstSecretsOf is SecretsOf for those of the kind, or all where it is zero, and at
// most so many.
func (tx *Tx) FirstSecretsOf(owner clm.ObjectID, kind int64, most int) ([]Secret, error) {
	return all(tx, func(r row) (s Secret, err error) { return s, r.Scan(&s.ID, &s.Kind) }, `SELECT s.id, s.kind FROM secret_owners o JOIN secrets s ON s.id = o.secret
		WHERE o.owner = $1 AND (s.kind = $2 OR $2 = 0) ORDER BY s.id LIMIT $3`, string(owner), kind, most)
}

// Secrets lists all secrets, at most so many.
func (tx *Tx) Secrets(most int) ([]int64, error) {
	return all(tx, scanOne[int64], "SELECT id FROM secrets ORDER BY id LIMIT $1", most)
}

// SecretsOfKind lists the secrets of the kind, at most so many.
func (tx *Tx) SecretsOfKind(kind int64, most int) ([]int64, error) {
	return all(tx, scanOne[int64], "SELECT id FROM secrets WHERE kind = $1 ORDER BY id LIMIT $2", kind, most)
}

// OrphanSecrets lists the secrets of the kind that belong to no object that is there,
// at most so many.
func (tx *Tx) OrphanSecrets(kind int64, most int) ([]int64, error) {
	return all(tx, scanOne[int64], `SELECT id FROM secrets WHERE kind = $1
		AND NOT EXISTS (SELECT 1 FROM secret_owners w JOIN objects o ON o.id = w.owner WHERE w.secret = secrets.id) ORDER BY id LIMIT $2`, kind, most)
}

// SecretWithHash finds the secret of the kind with the hash, the oldest of several.
// It fails with NotFound.
func (tx *Tx) SecretWithHash(kind int64, hash []byte) (int64, error) {
	id, err := one(tx, scanOne[int64], "SELECT id FROM secrets WHERE hash = $1 AND kind = $2 ORDER BY id LIMIT 1", hash, kind)
	return id, notFound(err)
}

// Keynames lists the protection keys that were asked for.
func (tx *Tx) Keynames() ([]string, error) {
	return all(tx, scanOne[string], "SELECT DISTINCT keyname FROM secrets ORDER BY keyname")
}

// HoldsKeys reports whether any version has its private key here.
func (tx *Tx) HoldsKeys() (bool, error) {
	found, err := all(tx, scanOne[int64], "SELECT 1 FROM versions WHERE sealed IS NOT NULL LIMIT 1")
	return len(found) > 0, err
}

// AddFact writes a fact about the secret down; added is false when it was known.
func (tx *Tx) AddFact(id int64, f Fact) (added bool, err error) {
	n, err := tx.c.exec("INSERT INTO secret_facts (secret, name, kind, value) VALUES ($1, $2, $3, $4) ON CONFLICT (secret, name, kind, value) DO NOTHING",
		id, f.Name, f.Kind, f.Value)
	return n > 0, err
}

// DropFact forgets a fact about the secret; dropped is false when it was not known.
func (tx *Tx) DropFact(id int64, f Fact) (dropped bool, err error) {
	n, err := tx.c.exec("DELETE FROM secret_facts WHERE secret = $1 AND name = $2 AND kind = $3 AND value = $4", id, f.Name, f.Kind, f.Value)
	return n > 0, err
}

// Facts lists what is known of the secret, by name.
func (tx *Tx) Facts(id int64) ([]Fact, error) {
	return all(tx, func(r row) (f Fact, err error) { return f, r.Scan(&f.Name, &f.Kind, &f.Value) },
		"SELECT name, kind, value FROM secret_facts WHERE secret = $1 ORDER BY name, kind, value", id)
}

// An OwnedSecret is a secret with one of its owners; empty where it has none.
type OwnedSecret struct {
	ID, Kind int64
	Owner    clm.ObjectID
}

// SecretsWithFact lists the secrets of which the fact is known, or any of its name
// where it is of no kind, once for each owner and by number. It looks at so many facts
// at most, those with the lowest values.
func (tx *Tx) SecretsWithFact(f Fact, most int) ([]OwnedSecret, error) {
	known, args := "name = $1 ORDER BY kind, value, secret LIMIT $2", []any{f.Name, most}
	if f.Kind != "" {
		known, args = "name = $1 AND kind = $2 AND value = $3 ORDER BY secret LIMIT $4", []any{f.Name, f.Kind, f.Value, most}
	}
	return all(tx, func(r row) (s OwnedSecret, err error) { return s, r.Scan(&s.ID, &s.Kind, &s.Owner) },
		`SELECT DISTINCT s.id, s.kind, COALESCE(w.owner, '') FROM (SELECT secret FROM secret_facts WHERE `+known+`) f
		JOIN secrets s ON s.id = f.secret LEFT JOIN secret_owners w ON w.secret = s.id ORDER BY 1, 3`, args...)
}

// SecretsBetween lists the secrets of the kind that the owner has and of which a fact
// like f is known whose value lies between that of f and last.
func (tx *Tx) SecretsBetween(owner clm.ObjectID, kind int64, f Fact, last string) ([]int64, error) {
	return all(tx, scanOne[int64], `SELECT DISTINCT s.id FROM secret_owners o JOIN secrets s ON s.id = o.secret JOIN secret_facts f ON f.secret = s.id
		WHERE o.owner = $1 AND s.kind = $2 AND f.name = $3 AND f.kind = $4 AND f.value >= $5 AND f.value <= $6 ORDER BY s.id`,
		string(owner), kind, f.Name, f.Kind, f.Value, last)
}

// Credentials lists the objects of all classes of credentials.
func (tx *Tx) Credentials() ([]*clm.Object, error) {
	first, end := clm.Credential.Kind(""), clm.Credential+"0" // what follows the slash that ends the first
	return all(tx, scanObject, "SELECT "+objectColumns+", 0 FROM objects o WHERE o.class >= $1 AND o.class < $2 ORDER BY o.dn_key", string(first), string(end))
}

// A Parts says which parts of a version there are.
type Parts struct {
	Version     clm.VersionID
	Certificate clm.ObjectID
	HasKey      bool
	HasCSR      bool
	Current     clm.VersionID // the version of the same certificate that is in use
	KeyHolder   string        // what the certificate says whose private key it has, see clm.KeyHolder
}

// selectParts reads the own values of those few certificates only that say who holds
// their private key.
const selectParts = `SELECT v.id, v.certificate, v.sealed IS NOT NULL, v.csr IS NOT NULL, c.current,
		CASE WHEN o.own LIKE '%"` + string(clm.KeyHolder) + `"%' THEN o.own ELSE '' END
	FROM versions v JOIN certificates c ON c.id = v.certificate JOIN objects o ON o.id = v.certificate WHERE v.thumbprint <> '' AND `

func scanParts(r row) (p Parts, err error) {
	var own string
	if err = r.Scan(&p.Version, &p.Certificate, &p.HasKey, &p.HasCSR, &p.Current, &own); err != nil {
		return p, err
	}
	values, err := fromJSON[map[clm.Attr][]string](own)
	p.KeyHolder = clm.Setting{Values: values[clm.KeyHolder]}.First()
	return p, err
}

// PartsOf says which parts the version has, if it has or had a certificate in use. It
// fails with NotFound.
func (tx *Tx) PartsOf(id clm.VersionID) (Parts, error) {
	p, err := one(tx, scanParts, selectParts+"v.id = $1", int64(id))
	return p, notFound(err)
}

// PartsIn says which parts the versions of a certificate have, the oldest first.
func (tx *Tx) PartsIn(certificate clm.ObjectID) ([]Parts, error) {
	return all(tx, scanParts, selectParts+"v.certificate = $1 ORDER BY v.created, v.id", string(certificate))
}

// PartsWithHash says which parts the versions have whose certificate has the
// thumbprint, the oldest first, at most so many versions.
func (tx *Tx) PartsWithHash(thumbprint string, most int) ([]Parts, error) {
	return all(tx, scanParts, selectParts+"v.thumbprint = $1 ORDER BY v.created, v.id LIMIT $2", thumbprint, most)
}

// PartsWithSerial says which parts the versions have whose certificate has the serial
// number, the oldest first, at most so many versions.
func (tx *Tx) PartsWithSerial(serial string, most int) ([]Parts, error) {
	return all(tx, scanParts, selectParts+"v.serial = $1 AND v.serial <> '' ORDER BY v.created, v.id LIMIT $2", serial, most)
}

// A PartFilter is what versions must have to be listed.
type PartFilter string

// What versions may have to have.
const (
	AnyPart PartFilter = ""
	WithKey PartFilter = "v.sealed IS NOT NULL AND "
	WithCSR PartFilter = "v.csr IS NOT NULL AND "
)

// PartsAfter says which parts the versions have that follow the one named and have
// what is asked for, in the order of their numbers, at most so many versions.
func (tx *Tx) PartsAfter(id clm.VersionID, has PartFilter, most int) ([]Parts, error) {
	return all(tx, scanParts, selectParts+string(has)+"v.id > $1 ORDER BY v.id LIMIT $2", int64(id), most)
}
