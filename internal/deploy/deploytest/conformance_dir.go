package deploytest

import (
	"os"
	"testing"
)

// QuickDir is a folder of the test's that daemons can reach which are not root. It is
// in memory where there is such a thing: on a disk each change of a driver is waited
// for, and tests make many.
func QuickDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "certwright-test-")
	if err != nil {
		return Dir(t)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
