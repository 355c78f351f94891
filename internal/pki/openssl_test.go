package pki

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// openssl runs the real program on input and returns what it says, having failed
// the test if it fails. On a machine without it the test is skipped, unless the
// environment forbids that.
func openssl(t *testing.T, input []byte, args ...string) string {
	t.Helper()
	out, err := tryOpenssl(t, input, args...)
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	return out
}

// tryOpenssl is openssl for when it may fail.
func tryOpenssl(t *testing.T, input []byte, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CERTWRIGHT_NO_SKIP") == "1" {
		t.Fatal("openssl is not installed, and nothing may be skipped")
	}
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
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
