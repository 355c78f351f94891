package avx

import (
	"cmp"
	"net/http"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// usualLimit is how many records a list has unless it is asked for fewer or more.
const usualLimit = 100

// list lists all records, whatever they are for, page after page.
func (a *api) list(c *call, in *listing) answer {
	limit := in.SearchOptions.Limit
	if limit.Wrong != "" || limit.Value < 0 {
		return fail(mandatory("limit"))
	}
	page, err := a.core.Records(c.Context(), c.who(), core.RecordQuery{
		Limit: int(min(cmp.Or(limit.Value, usualLimit), core.MaxRecords)), After: in.NextPageToken.Trimmed(), Untold: true,
	})
	if err != nil {
		return a.refuse(c, words{{clm.Invalid, "after"}: mandatory("nextPageToken")}, err)
	}
	return ok(http.StatusOK, listed{certificatesOf(page.Found), len(page.Found), page.Next}, "")
}

// A listed is a page of a list. The token of the last page is empty.
type listed struct {
	Objects         []certificate `json:"objects"`
	ObtainedRecords int           `json:"obtainedRecords"`
	NextPageToken   string        `json:"nextPageToken"`
}
