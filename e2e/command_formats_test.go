package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// The kinds of file that vcert writes everything into, with the options that it
// wants for them and how each is taken apart.
var containers = map[string]struct {
	options []string
	unpack  func(t *testing.T, file string) files
}{
	"pkcs12": {nil, func(t *testing.T, file string) files { return unpackPKCS12(t, file, keyPassword) }},
	"legacy-pkcs12": {nil, func(t *testing.T, file string) files {
		return unpackPKCS12(t, file, keyPassword, "-legacy")
	}},
	"jks": {[]string{"--jks-alias", "till", "--jks-password", storePassword}, func(t *testing.T, file string) files {
		return javaStore{file, "till", storePassword, keyPassword}.unpack(t)
	}},
	"pem": {nil, func(t *testing.T, file string) files {
		return unpackPEM(t, readFile(t, file))
	}},
	"json": {nil, func(t *testing.T, file string) files {
		var all struct {
			Certificate, PrivateKey string
			Chain                   []string
		}
		if err := json.Unmarshal([]byte(readFile(t, file)), &all); err != nil {
			t.Fatal(err)
		}
		return unpackPEM(t, all.Certificate+all.PrivateKey+strings.Join(all.Chain, ""))
	}},
}

// unpackPEM takes a text apart that begins with a certificate. Its chain may come
// twice: vcert takes for the key all that follows where the key begins.
func unpackPEM(t *testing.T, text string) files {
	t.Helper()
	f := filesIn(t.TempDir())
	writeFile(t, f.cert, []byte(text))
	openssl(t, "pkey", "-in", f.cert, "-passin", "pass:"+keyPassword, "-out", f.key)
	chain := ""
	_, rest := pem.Decode([]byte(text))
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if one := string(pem.EncodeToMemory(block)); block.Type == "CERTIFICATE" && !strings.Contains(chain, one) {
			chain += one
		}
	}
	writeFile(t, f.chain, []byte(chain))
	return f
}

// writtenAs are the options that have vcert write such a file, and the file.
func writtenAs(t *testing.T, format string) (options []string, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "all")
	return append([]string{"--format", format, "--file", file, "--key-password", keyPassword}, containers[format].options...), file
}

// checkContainer wants the file to hold a certificate with that name, the key that
// fits it, and its chain.
func checkContainer(t *testing.T, s *server, format, file, name string) files {
	t.Helper()
	f := containers[format].unpack(t, file)
	checkCert(t, s, f, name, name)
	checkKey(t, f, "")
	checkChain(t, f)
	return f
}

// TestCommandWritesKeyStores enrols straight into the files that programs want. Of
// keys on curves that the server made, vcert cannot: it takes the key that it is
// sent for PKCS #8, which it asks for with RSA alone. Picking up is the way there.
func TestCommandWritesKeyStores(t *testing.T) {
	cases := []struct {
		name, format string
		args         []string
	}{
		{"service RSA as PKCS 12", "pkcs12", []string{"--csr", "service", "--key-type", "rsa"}},
		{"service RSA as JKS", "jks", []string{"--csr", "service", "--key-type", "rsa"}},
		{"service RSA as PEM", "pem", []string{"--csr", "service", "--key-type", "rsa"}},
		{"service P256 as PEM", "pem", []string{"--csr", "service", "--key-type", "ecdsa", "--key-curve", "p256"}},
		{"local RSA as PKCS 12", "pkcs12", []string{"--key-type", "rsa"}},
		{"local P256 as PKCS 12", "pkcs12", []string{"--key-type", "ecdsa", "--key-curve", "p256"}},
		{"local RSA as JKS", "jks", []string{"--key-type", "rsa"}},
		{"local P256 as JKS", "jks", []string{"--key-type", "ecdsa", "--key-curve", "p256"}},
	}
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				options, file := writtenAs(t, c.format)
				name := fmt.Sprintf("store-%d.example.org", i)
				mustVcert(t, s, "enroll", args([]string{"-t", token, "-z", "Open", "--cn", name, "--san-dns", name}, c.args, options)...)
				checkContainer(t, s, c.format, file, name)
			})
		}
	})
}

// TestCommandPicksUpKeyStores fetches certificates whose keys the server made in
// every format, more than once, and renews them into the same.
func TestCommandPicksUpKeyStores(t *testing.T) {
	cases := []struct {
		name    string
		key     []string
		formats []string
		renewal string // the format that the renewed certificate is written in
	}{
		{"box-rsa.example.org", []string{"--key-type", "rsa"}, []string{"legacy-pkcs12", "jks"}, "pkcs12"},
		{"box-p384.example.org", []string{"--key-type", "ecdsa", "--key-curve", "p384"}, []string{"pem", "json", "pkcs12", "jks"}, "jks"},
	}
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				id := filepath.Join(t.TempDir(), "id.txt")
				mustVcert(t, s, "enroll", args([]string{"-t", token, "-z", "Open", "--cn", c.name, "--san-dns", c.name, "--csr", "service"},
					c.key, []string{"--no-pickup", "--pickup-id-file", id})...)
				var old files
				for _, format := range c.formats {
					options, file := writtenAs(t, format)
					mustVcert(t, s, "pickup", args([]string{"-p", "tpp", "-t", token, "--pickup-id-file", id, "--timeout", "60"}, options, nil)...)
					old = checkContainer(t, s, format, file, c.name)
				}
				options, file := writtenAs(t, c.renewal)
				mustVcert(t, s, "renew", args([]string{"-t", token, "--id", readFile(t, id), "--csr", "service"}, options, nil)...)
				now := checkContainer(t, s, c.renewal, file, c.name)
				if publicKey(t, old.cert) == publicKey(t, now.cert) {
					t.Error("renewal gave the same key")
				}
			})
		}
	})
}

// TestCommandKeepsKey renews where the folder wants the key to stay, made there or
// handed in again; elsewhere nobody is let.
func TestCommandKeepsKey(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token := commandToken(t, s)
		t.Run("service key stays", func(t *testing.T) {
			t.Parallel()
			old, now := filesIn(t.TempDir()), filesIn(t.TempDir())
			service := []string{"-t", token, "--csr", "service", "--key-password", keyPassword}
			mustVcert(t, s, "enroll", args(service, old.flags(), []string{"-z", "Keep", "--cn", "stay.example.org"})...)
			_, said, err := vcertTalking(t, s, "renew", args(service, now.flags(), []string{"--thumbprint", "file:" + old.cert})...)
			if err != nil || !strings.Contains(said, "private key reused") {
				t.Errorf("renewal: got %v and %q, want that the key is reused", err, said)
			}
			checkCert(t, s, now, "stay.example.org")
			checkKey(t, now, keyPassword)
			if publicKey(t, old.cert) != publicKey(t, now.cert) || serial(t, old.cert) == serial(t, now.cert) {
				t.Error("want another certificate for the same key")
			}
		})
		for zone, allowed := range map[string]bool{"Keep": true, "Open": false} {
			t.Run("own key in "+zone, func(t *testing.T) {
				t.Parallel()
				old, now, dir := filesIn(t.TempDir()), filesIn(t.TempDir()), t.TempDir()
				csr := filepath.Join(dir, "csr.pem")
				mustVcert(t, s, "enroll", args([]string{"-t", token, "-z", zone, "--cn", "mine.example.net", "--key-type", "ecdsa"}, old.flags(), nil)...)
				openssl(t, "req", "-new", "-key", old.key, "-out", csr, "-subj", "/CN=mine.example.net")
				_, err := vcert(t, s, "renew", "-t", token, "--id", readFile(t, old.id), "--csr", "file:"+csr,
					"--cert-file", now.cert, "--chain-file", now.chain, "--pickup-id-file", now.id)
				if !allowed {
					if want := "This CSR appears to reuse a private key."; err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("renewal: got %v, want %q", err, want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkCert(t, s, now, "mine.example.net")
				if publicKey(t, old.cert) != publicKey(t, now.cert) || serial(t, old.cert) == serial(t, now.cert) {
					t.Error("want another certificate for the same key")
				}
			})
		}
	})
}
