package deploytest

import (
	"bytes"
	"testing"

	"github.com/certwright/certwright/internal/deploy/look"
)

// TestDaemonsShowTheirFirstCertificate starts each that speaks something else than the
// web, and ends it again.
func TestDaemonsShowTheirFirstCertificate(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (stop func(), spec look.Spec){
		"postfix": func(t *testing.T) (stop func(), spec look.Spec) {
			p := StartPostfix(t, Site{})
			return p.Stop, p.Look()
		},
		"dovecot": func(t *testing.T) (stop func(), spec look.Spec) {
			d := StartDovecot(t, Site{})
			return d.Stop, d.Look()
		},
		"postgresql": func(t *testing.T) (stop func(), spec look.Spec) {
			p := StartPostgreSQL(t, Site{})
			return p.Stop, p.Look()
		},
		"tomcat": func(t *testing.T) (stop func(), spec look.Spec) {
			c := StartTomcat(t, Site{}, Keystore{Password: `a "b" & 'c'`})
			return c.Stop, c.Look()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop, spec := start(t)
			first, err := look.Look(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			again, err := look.Look(t.Context(), spec)
			if err != nil || !bytes.Equal(first.Chain[0], again.Chain[0]) {
				t.Errorf("another certificate is shown the second time, %v", err)
			}
			for range 2 {
				stop()
			}
			if seen, err := look.Look(t.Context(), spec); err == nil {
				t.Errorf("%s still shows something", seen.Address)
			}
		})
	}
}
