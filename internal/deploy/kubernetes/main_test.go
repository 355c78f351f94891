package kubernetes

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain also looks for what was started and not ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
