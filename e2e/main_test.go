package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/certwright/certwright/internal/coretest"
)

// The programs under test, built once for all tests.
var certwright, vcertCommand string

// atOnce is how many tests run at the same time, unless the flag says otherwise:
// more than there are processors, because most of their time they wait for clients
// that ask every two seconds.
const atOnce = 5

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	os.Exit(coretest.Main(tests{m}))
}

// tests are the tests of this package with what they need.
type tests struct{ *testing.M }

// Run builds the programs, runs the tests and ends the servers.
func (m tests) Run() int {
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
	code := m.M.Run()
	for _, s := range sharedServers {
		if err := s.finish(); err != nil {
			fmt.Fprintf(os.Stderr, "%s server: %v\n", s.kind, err)
			code = 1
		}
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
