package tpp

import (
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// Every way in which the use cases about custom fields fail has a code, and every code
// a name.
func TestEveryFailureOfFieldsHasACode(t *testing.T) {
	for _, kind := range core.FieldKinds {
		if _, known := metadataResults.code(clm.Fail(kind, "custom-field", "")); !known && kind != clm.Internal {
			t.Errorf("%v has no code", kind)
		}
	}
	for _, rule := range metadataResults.rules {
		if metadataResults.names[rule.code] == "" {
			t.Errorf("%d has no name", rule.code)
		}
	}
}
