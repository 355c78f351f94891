package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test, built once for all tests.
var certwright, vcertCommand string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "certwright-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	for _, s := range sharedServers {
		if err := s.finish(); err != nil {
			fmt.Fprintf(os.Stderr, "%s server: %v\n", s.kind, err)
			code = 1
		}
	}
	if err := cluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func build(dir string) error {
	certwright = filepath.Join(dir, "certwright")
	vcertCommand = filepath.Join(dir, "vcert")
	if err := goBuild("..", certwright, "./cmd/certwright"); err != nil {
		return err
	}
	return goBuild(".", vcertCommand, "github.com/Venafi/vcert/v5/cmd/vcert")
}

func goBuild(dir, out, pkg string) error {
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if msg, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, msg)
	}
	return nil
}

// need skips a test that lacks something of the machine, or fails it where nothing
// may be skipped.
func need(t *testing.T, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CERTWRIGHT_NO_SKIP") == "1":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}
