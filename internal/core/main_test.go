package core_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/certwright/certwright/internal/coretest"
)

// TestMain also looks for what was started and not ended.
func TestMain(m *testing.M) {
	code := coretest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
