package store

import "github.com/certwright/certwright/internal/clm"

// HideVersion takes the version's record out of the inventory: its place keeps it as
// history, and no list of records has it any more.
func (tx *Tx) HideVersion(id clm.VersionID) error {
	if _, err := tx.c.exec("UPDATE versions SET removed = $1 WHERE id = $2", micros(tx.Now), int64(id)); err != nil {
		return err
	}
	return tx.DropRecord(id)
}

// ShowVersion puts it back. What it is searched by is for the caller to write down again.
func (tx *Tx) ShowVersion(id clm.VersionID) error {
	_, err := tx.c.exec("UPDATE versions SET removed = 0 WHERE id = $1", int64(id))
	return err
}

// HasRecords reports whether any version of the place is in the inventory of records.
func (tx *Tx) HasRecords(certificate clm.ObjectID) (bool, error) {
	left, err := all(tx, scanOne[int], "SELECT 1 FROM versions WHERE certificate = $1 AND removed = 0 LIMIT 1", string(certificate))
	return len(left) > 0, err
}
