package tpp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// oldNumbers is where the numbers of versions begin that stem from databases in which
// they did not yet leave room for those of their parts.
const oldNumbers = 1 << 32

// vaultIDs are the numbers under which the vendor keeps the parts of a version:
// that of the certificate, and that of the private key, which is the next.
func vaultIDs(v clm.VersionID) (certificate, key int64) {
	if v >= oldNumbers {
		return int64(v), int64(v)
	}
	return int64(v), int64(v) + 1
}

// versionOf finds the version by the number of its certificate or private key.
func versionOf(vaultID string) (id clm.VersionID, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(vaultID), 10, 64)
	if id = clm.VersionID(n); err != nil || id >= oldNumbers {
		return id, err == nil
	}
	return id &^ 1, id > 1 && id&^1%4 == 0
}

type pastQuery struct {
	ExcludeExpired lenient.Bool
	ExcludeRevoked lenient.Bool
}

// previousVersions serves GET Certificates/{guid}/PreviousVersions.
func (a *api) previousVersions(c *call, in *pastQuery) answer {
	return a.withGUID(c, detailing, func(id clm.ObjectID) (answer, error) {
		past, err := a.core.History(c.Context(), c.who(), id, core.Pasts{Unexpired: in.ExcludeExpired.Value, Unrevoked: in.ExcludeRevoked.Value})
		versions := []facts{}
		for _, v := range past {
			number, _ := vaultIDs(v.ID)
			versions = append(versions, facts{"CertificateDetails": certificateFacts(v.Version, v.Revocation).withRefusal(v.Refusal), "VaultId": number})
		}
		return ok(map[string]any{"PreviousVersions": versions}), err
	})
}

// validationResults serves GET Certificates/{guid}/ValidationResults. Nothing is
// validated yet, so there is nothing to be told.
func (a *api) validationResults(c *call) answer {
	found := a.withGUID(c, detailing, func(id clm.ObjectID) (answer, error) {
		_, err := a.core.Details(c.Context(), c.who(), id)
		return answer{status: http.StatusNoContent}, err
	})
	if found.status == http.StatusBadRequest {
		found.status = http.StatusNotFound
	}
	return found
}
