package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

const revocationColumns = "r.version, r.reason, r.comments, r.actor, r.requested, r.accepted, r.seen_crl, r.seen_ocsp, r.cleared, r.held"

func scanRevocation(r row) (v clm.Revocation, err error) {
	var requested, accepted, crl, ocsp, cleared, held int64
	err = r.Scan(&v.Version, &v.Reason, &v.Comments, &v.Actor, &requested, &accepted, &crl, &ocsp, &cleared, &held)
	v.Requested, v.Accepted, v.SeenCRL, v.SeenOCSP, v.Cleared = fromMicros(requested), fromMicros(accepted), fromMicros(crl), fromMicros(ocsp), fromMicros(cleared)
	v.Held = fromMicros(held)
	return v, err
}

// Revocation is what is known of the version's revocation; the zero Revocation
// where nobody has asked for one.
func (tx *Tx) Revocation(id clm.VersionID) (clm.Revocation, error) {
	r, err := one(tx, scanRevocation, "SELECT "+revocationColumns+" FROM revocations r WHERE r.version = $1", int64(id))
	if errors.Is(err, sql.ErrNoRows) {
		return clm.Revocation{}, nil
	}
	return r, err
}

// Revocations lists what is known of the revocations of a certificate's versions,
// cleared ones too.
func (tx *Tx) Revocations(certificate clm.ObjectID) ([]clm.Revocation, error) {
	return all(tx, scanRevocation, "SELECT "+revocationColumns+" FROM versions v JOIN revocations r ON r.version = v.id WHERE v.certificate = $1", string(certificate))
}

// SaveRevocation writes down what is known of a revocation. What is revoked is not on hold
// any more; otherwise nothing changes about that.
func (tx *Tx) SaveRevocation(r clm.Revocation) error {
	_, err := tx.c.exec(`INSERT INTO revocations (version, reason, comments, actor, requested, accepted, seen_crl, seen_ocsp, told, cleared)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9) ON CONFLICT (version) DO UPDATE SET reason = excluded.reason, comments = excluded.comments, actor = excluded.actor,
		requested = excluded.requested, accepted = excluded.accepted, seen_crl = excluded.seen_crl, seen_ocsp = excluded.seen_ocsp, told = 0, cleared = excluded.cleared,
		held = CASE WHEN excluded.accepted > 0 THEN 0 ELSE revocations.held END`,
		int64(r.Version), int(r.Reason), r.Comments, r.Actor, micros(r.Requested), micros(r.Accepted), micros(r.SeenCRL), micros(r.SeenOCSP), micros(r.Cleared))
	return err
}

// SaveHold writes down that the version is on hold since then; zero: it is not any more.
func (tx *Tx) SaveHold(id clm.VersionID, since time.Time) error {
	_, err := tx.c.exec(`INSERT INTO revocations (version, reason, comments, actor, requested, accepted, seen_crl, seen_ocsp, told, cleared, held)
		VALUES ($1, 0, '', '', 0, 0, 0, 0, 0, 0, $2) ON CONFLICT (version) DO UPDATE SET held = excluded.held, seen_crl = 0, seen_ocsp = 0`,
		int64(id), micros(since))
	return err
}

// ToldPending writes down that whoever asked for the revocation was told that it
// is still to come.
func (tx *Tx) ToldPending(id clm.VersionID) error {
	_, err := tx.c.exec("UPDATE revocations SET told = $1 WHERE version = $2", micros(tx.Now), int64(id))
	return err
}

// AddCheck has somebody look, from now on, whether relying parties see the
// revocation. Until somebody has, it counts as seen nowhere.
func (tx *Tx) AddCheck(id clm.VersionID) error {
	_, err := tx.c.exec(`INSERT INTO checks (version, due, tries, since_crl, since_ocsp) VALUES ($1, $2, 0, $2, $2)
		ON CONFLICT (version) DO UPDATE SET due = excluded.due, tries = 0, since_crl = excluded.since_crl, since_ocsp = excluded.since_ocsp`, int64(id), micros(tx.Now))
	return err
}

// EndCheck ends the looking.
func (tx *Tx) EndCheck(id clm.VersionID) error {
	_, err := tx.c.exec("DELETE FROM checks WHERE version = $1", int64(id))
	return err
}
