package core

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// The vault is what clients see of everything that is sealed here, each under a
// number. It has two sources. The parts of the versions of certificates stand in it
// by themselves: their numbers follow from that of the version, their owner is the
// certificate, and they come and go with it. Everything else is kept as a secret,
// with owners and facts.

// The kinds of what is in the vault that mean something here, as the API numbers
// them. Whatever stands for something that is not in use any more has Archived added.
const (
	VaultCertificate int64 = 2     // X.509, DER
	VaultPKCS12      int64 = 4     //
	VaultPassword    int64 = 32    //
	VaultBlob        int64 = 128   //
	VaultKey         int64 = 256   // PKCS #8, DER
	VaultCSR         int64 = 512   // PKCS #10, DER
	VaultPublicKey   int64 = 4096  // SubjectPublicKeyInfo, DER
	VaultSSH         int64 = 16384 // an SSH certificate
	Archived         int64 = 1 << 30
)

// vaultKinds are all kinds that there are.
var vaultKinds = []int64{1, VaultCertificate, VaultPKCS12, 8, 16, VaultPassword, 64, VaultBlob, VaultKey, VaultCSR, 1024, 2048, VaultPublicKey, 8192, VaultSSH}

func isVaultKind(kind int64) bool { return slices.Contains(vaultKinds, kind&^Archived) }

// The protection keys that can be asked for. Whichever it is, everything is sealed
// with the master key.
const (
	DefaultProtection = "Software:Default"
	NoProtection      = "Null:Null"
)

// Protections lists the protection keys, the usual one first.
var Protections = []string{DefaultProtection, NoProtection}

// A Part is a part of a version: what is added to the number of the version is that
// of the part.
type Part int64

// The parts of a version.
const (
	CertificatePart Part = iota
	KeyPart
	CSRPart
	PublicKeyPart

	partsOfVersion = 4
)

// partKinds are the kinds of the parts.
var partKinds = [partsOfVersion]int64{VaultCertificate, VaultKey, VaultCSR, VaultPublicKey}

// oldNumbers is where the numbers of versions begin that stem from databases in which
// they did not yet leave room for those of their parts. Only the certificates of such
// versions are in the vault.
const oldNumbers = 1 << 32

// VaultID is the number of the part of a version. ok is false for a version whose
// number leaves no room for its parts, which all have its own.
func VaultID(v clm.VersionID, p Part) (id int64, ok bool) {
	if v >= oldNumbers {
		return int64(v), p == CertificatePart
	}
	return int64(v) + int64(p), true
}

// PartOf is the version and the part of it that the number stands for, if there is
// such a version.
func PartOf(id int64) (clm.VersionID, Part) {
	if id >= oldNumbers {
		return clm.VersionID(id), CertificatePart
	}
	return clm.VersionID(id - id%partsOfVersion), Part(id % partsOfVersion)
}

// secretBind is what a secret is bound to, so that rows cannot be swapped.
func secretBind(id int64) string { return fmt.Sprintf("secret/%d", id) }

// addSecret seals plain and writes it down as a secret of the kind that the owner
// has; there is none when owner is empty. An empty keyname is the usual one.
func (c *Core) addSecret(tx *store.Tx, kind int64, keyname string, plain secret.Plain, owner clm.ObjectID) (int64, error) {
	s := store.Secret{Kind: kind, Keyname: cmp.Or(keyname, DefaultProtection), Hash: lookupHash(kind, plain)}
	err := tx.AddSecret(&s, func(id int64) ([]byte, error) { return c.box.Seal(plain, secretBind(id)) })
	if err == nil && owner != "" {
		err = tx.OwnSecret(s.ID, owner)
	}
	return s.ID, err
}

// lookupHash is by which a secret of the kind is found that has this content. There is
// one for certificates only: that of a password would help guessing it.
func lookupHash(kind int64, plain secret.Plain) []byte {
	if kind&^Archived != VaultCertificate {
		return nil
	}
	hash := sha256.Sum256(plain.Reveal())
	return hash[:]
}

// replaceSecret seals plain in the place of what the secret has held, and makes it one
// of the kind, which is not that of certificates. An empty keyname leaves the one that
// it has.
func (c *Core) replaceSecret(tx *store.Tx, id, kind int64, keyname string, plain secret.Plain) error {
	sealed, err := c.box.Seal(plain, secretBind(id))
	if err != nil {
		return err
	}
	return tx.RefillSecret(store.Secret{ID: id, Kind: kind, Keyname: keyname, Sealed: sealed})
}

// openSecret is what was sealed with addSecret. It fails with NotFound, with the
// Field "vault-id", when there is no such secret; parts of versions are none.
func (c *Core) openSecret(tx *store.Tx, id int64) (kind int64, plain secret.Plain, err error) {
	s, err := tx.Secret(id)
	if errors.Is(err, clm.NotFound) {
		return 0, plain, noVaultEntry(id)
	}
	if err != nil {
		return 0, plain, err
	}
	plain, err = c.box.Open(s.Sealed, secretBind(id))
	return s.Kind, plain, fault(err)
}

// noVaultEntry says that there is nothing of the number that the actor may see.
func noVaultEntry(id int64) error { return clm.Fail(clm.NotFound, "vault-id", fmt.Sprint(id)) }
