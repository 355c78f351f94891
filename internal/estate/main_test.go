package estate

import (
	"fmt"
	"os"
	"testing"

	"github.com/certwright/certwright/internal/coretest"
)

// adaPassword is in the environment of all tests, for the example.
const adaPassword = "Ada-of-the-example-1"

func TestMain(m *testing.M) {
	if err := os.Setenv("CERTWRIGHT_ADA_PASSWORD", adaPassword); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(coretest.Main(m))
}
