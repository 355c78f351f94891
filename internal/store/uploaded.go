package store

import (
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// An UploadedRequest is a signing request that was handed in for a request to come.
type UploadedRequest struct {
	ID        string
	Principal clm.PrincipalID // who has handed it in
	CSR       []byte          // PKCS #10, DER
	Created   time.Time
}

// AddUploadedRequest writes a request down and gives it its ID and time.
func (tx *Tx) AddUploadedRequest(r *UploadedRequest) error {
	r.ID, r.Created = string(tx.NewObjectID()), tx.Now
	_, err := tx.c.exec("INSERT INTO uploaded_requests (id, principal, csr, created) VALUES ($1, $2, $3, $4)", r.ID, string(r.Principal), r.CSR, micros(r.Created))
	return err
}

// UploadedRequest finds a request. It fails with NotFound.
func (tx *Tx) UploadedRequest(id string) (UploadedRequest, error) {
	r, err := one(tx, func(s row) (r UploadedRequest, err error) {
		var created int64
		err = s.Scan(&r.ID, &r.Principal, &r.CSR, &created)
		r.Created = fromMicros(created)
		return r, err
	}, "SELECT id, principal, csr, created FROM uploaded_requests WHERE id = $1", id)
	return r, notFound(err)
}

// DropUploadedRequests forgets those that were handed in before then, and says how many.
func (tx *Tx) DropUploadedRequests(before time.Time) (n int64, err error) {
	return tx.c.exec("DELETE FROM uploaded_requests WHERE created < $1", micros(before))
}

// HasUploadedRequests reports whether there are any that were handed in before then.
func (tx *Tx) HasUploadedRequests(before time.Time) (bool, error) {
	found, err := all(tx, scanOne[int], "SELECT 1 FROM uploaded_requests WHERE created < $1 LIMIT 1", micros(before))
	return len(found) > 0, err
}
