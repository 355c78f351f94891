package tpp

import (
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// versionOf finds the version by the number of its certificate or private key.
func versionOf(vaultID string) (id clm.VersionID, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(vaultID), 10, 64)
	id, part := core.PartOf(n)
	return id, err == nil && n > 1 && (part == core.CertificatePart || part == core.KeyPart)
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
			versions = append(versions, facts{"CertificateDetails": certificateFacts(v.Version, v.Revocation).withRefusal(v.Refusal), "VaultId": v.ID})
		}
		return ok(map[string]any{"PreviousVersions": versions}), err
	})
}
