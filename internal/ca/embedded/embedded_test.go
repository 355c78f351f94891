package embedded

import (
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/ca/catest"
	"github.com/certwright/certwright/internal/pki"
)

// The embedded CA keeps every promise of package ca, with either kind of key and
// also when it takes its time.
func TestConformance(t *testing.T) {
	for _, test := range []struct {
		name   string
		spec   pki.KeySpec
		values map[string]string
	}{
		{"RSA", rsa2048, nil},
		{"ECDSA", p256, urls},
		{"slow", rsa2048, with(urls, "profile", "both", "issue-after", "50ms")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			issuer := issuerOf(t, test.spec, time.Now())
			catest.Test(t, func(t *testing.T) ca.CA {
				c, err := Connector.New(ca.Settings{Values: test.values, Issuer: &issuer})
				if err != nil {
					t.Fatal(err)
				}
				return c
			})
		})
	}
}
