package deploytest

import (
	"testing"

	"github.com/certwright/certwright/internal/deploy"
)

// Target is what the driver makes of the settings, which it must.
func Target(t testing.TB, d deploy.Driver, s deploy.Settings) deploy.Target {
	t.Helper()
	made, err := d.New(s)
	Must(t, err)
	return made
}

// Must fails the test for an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
