package avx

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/core"
)

// A hooking asks for a hook to be run. What the hook is called is up to whoever has set
// up the product.
type hooking struct {
	Payload struct {
		Hook  struct{ Name lenient.String }
		Input map[string]json.RawMessage
	}
}

// What the hook that finds records is told; its names are what it is known by.
const (
	hookSerial = "serial_number"
	hookIssuer = "issuer_common_name"
)

// executeHook runs the one hook that there is: it finds records by serial number and
// issuer.
func (a *api) executeHook(c *call, in *hooking) answer {
	serial, hasSerial := in.input(hookSerial)
	issuer, hasIssuer := in.input(hookIssuer)
	if !hasSerial || !hasIssuer {
		return fail(noRecords)
	}
	done := hooked{Status: "Success", Output: []hookOutput{}}
	if serial == "" || issuer == "" {
		return ok(http.StatusOK, done, "")
	}
	page, err := a.core.Records(c.Context(), c.who(), core.RecordQuery{Serial: serial, Issuer: issuer, Limit: core.MaxRecords})
	if err != nil {
		return a.refuse(c, nil, err)
	}
	for _, r := range page.Found {
		done.Output = append(done.Output, hookOutput{r.ID})
	}
	return ok(http.StatusOK, done, "")
}

// input is what the hook is told by the name, in any case.
func (in *hooking) input(name string) (value string, has bool) {
	for key, data := range in.Payload.Input {
		var s lenient.String
		if strings.EqualFold(key, name) && s.UnmarshalJSON(data) == nil {
			return s.Trimmed(), true
		}
	}
	return "", false
}

// A hooked is what a hook answers.
type hooked struct {
	Status string       `json:"status"`
	Output []hookOutput `json:"output"`
}

type hookOutput struct {
	ID string `json:"_id"`
}
