package store

import "github.com/certwright/certwright/internal/clm"

// KeepUploadedRequests forgets all but the newest requests of one who hands them in.
func (tx *Tx) KeepUploadedRequests(of clm.PrincipalID, most int) error {
	_, err := tx.c.exec(`DELETE FROM uploaded_requests WHERE principal = $1 AND id NOT IN (
		SELECT id FROM uploaded_requests WHERE principal = $1 ORDER BY created DESC, id DESC LIMIT $2)`, string(of), most)
	return err
}
