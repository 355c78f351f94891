package avx

import (
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
)

// sayBreach words what is against policy: of all that is wrong the first thing. A key
// that must not serve again is a signing request that cannot be used.
func sayBreach(breaches []clm.Breach) (failure, bool) {
	for _, b := range breaches {
		if b.Rule == clm.RuleKeyReuse {
			return mandatory("csrContent"), true
		}
		if text, ok := names.RuleTexts[b.Rule]; ok {
			return cannot(strings.ReplaceAll(text, "{value}", b.Value)), true
		}
	}
	return failure{}, false
}
