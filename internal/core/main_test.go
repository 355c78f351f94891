package core_test

import (
	"os"
	"testing"

	"github.com/certwright/certwright/internal/coretest"
)

func TestMain(m *testing.M) { os.Exit(coretest.Main(m)) }
