package store

import "github.com/certwright/certwright/internal/clm"

// Holders lists the versions, in use or not and of whatever place, whose
// certificate has the thumbprint, the oldest first.
func (tx *Tx) Holders(thumbprint string) ([]clm.Version, error) {
	return all(tx, scanVersion, "SELECT "+versionColumns+" FROM versions v WHERE v.thumbprint = $1 AND v.thumbprint <> '' ORDER BY v.id", thumbprint)
}
