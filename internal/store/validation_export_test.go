package store

import (
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// DueValidations is what ClaimValidations looks for.
func (tx *Tx) DueValidations(now time.Time, most int) ([]clm.ObjectID, error) {
	return all(tx, scanOne[clm.ObjectID], dueValidations, micros(now), most)
}
