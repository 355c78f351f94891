package pki

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// openssl runs the real program on input and returns what it says, having failed
// the test if it fails.
func openssl(t *testing.T, input []byte, args ...string) string {
	t.Helper()
	return tool(t, "openssl", input, args...)
}

// tryOpenssl is openssl for when it may fail.
func tryOpenssl(t *testing.T, input []byte, args ...string) (string, error) {
	t.Helper()
	return tryTool(t, "openssl", input, args...)
}

// tool runs another program so.
func tool(t *testing.T, name string, input []byte, args ...string) string {
	t.Helper()
	out, err := tryTool(t, name, input, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// tryTool runs a program. On a machine without it the test is skipped, unless the
// environment forbids that.
func tryTool(t *testing.T, name string, input []byte, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
		t.Fatalf("%s is not installed, and nothing may be skipped", name)
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	if name == "keytool" {
		args = append(args, "-J-XX:TieredStopAtLevel=1") // starts faster
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8") // for names and passwords that are not ASCII
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// inFile writes content to a file that lives as long as the test.
func inFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
