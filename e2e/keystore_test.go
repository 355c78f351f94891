package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// keytool judges what is for Java; like openssl it shares no code with us.
func keytool(t *testing.T, args ...string) string {
	t.Helper()
	return tool(t, "keytool", append(args, "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")...) // it starts in half the time
}

// certtool is the judge that has GnuTLS's eyes.
func certtool(t *testing.T, args ...string) string {
	t.Helper()
	return tool(t, "certtool", args...)
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		need(t, err)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// unpackPKCS12 takes a PKCS #12 file apart; options are further ones for openssl.
func unpackPKCS12(t *testing.T, file, password string, options ...string) files {
	t.Helper()
	f := filesIn(t.TempDir())
	for _, part := range [][]string{
		{"-nokeys", "-clcerts", "-out", f.cert},
		{"-nokeys", "-cacerts", "-out", f.chain},
		{"-nocerts", "-noenc", "-out", f.key},
	} {
		openssl(t, args([]string{"pkcs12", "-in", file, "-passin", "pass:" + password}, options, part)...)
	}
	return f
}

// A javaStore is a JKS file, the name of the entry that it is to have, and its
// passwords.
type javaStore struct{ file, alias, password, keyPassword string }

// unpack has keytool carry the entry over into a file that openssl can read.
func (j javaStore) unpack(t *testing.T) files {
	t.Helper()
	content, err := os.ReadFile(j.file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(content, []byte{0xfe, 0xed, 0xfe, 0xed}) {
		t.Fatalf("%s is no JKS file", j.file) // keytool would take PKCS #12 for one
	}
	p12 := filepath.Join(t.TempDir(), "from-java.p12")
	keytool(t, "-importkeystore", "-noprompt",
		"-srckeystore", j.file, "-srcstoretype", "JKS", "-srcstorepass", j.password, "-srcalias", j.alias, "-srckeypass", j.keyPassword,
		"-destkeystore", p12, "-deststoretype", "PKCS12", "-deststorepass", keyPassword, "-destkeypass", keyPassword)
	return unpackPKCS12(t, p12, keyPassword)
}

// checkChain wants the certificates between this one and the root, and the root.
func checkChain(t *testing.T, f files) {
	t.Helper()
	if n := strings.Count(readFile(t, f.chain), "-----BEGIN CERTIFICATE-----"); n != 2 {
		t.Errorf("got a chain of %d, want the issuing CA and the root", n)
	}
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
