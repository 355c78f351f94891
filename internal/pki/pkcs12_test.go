package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func mustPKCS12(t testing.TB, b Bundle, c Cipher) []byte {
	t.Helper()
	der, err := EncodePKCS12(b, c)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// sameBundle fails the test unless got has the certificates, in their order, and
// the key of want.
func sameBundle(t *testing.T, who string, got, want Bundle) {
	t.Helper()
	if !slices.EqualFunc(got.certs(), want.certs(), slices.Equal[[]byte]) {
		t.Errorf("%s: other certificates", who)
	}
	if (want.Key == nil) != (got.Key == nil) || want.Key != nil && !isSameKey(got.Key, want.Key) {
		t.Errorf("%s: another key", who)
	}
}

// mustImport reads a binary file with the password.
func mustImport(t *testing.T, who string, file []byte, password string) Bundle {
	t.Helper()
	b, err := ParseImport(b64(file), nil, []byte(password))
	if err != nil {
		t.Fatalf("%s: %v", who, err)
	}
	return b
}

// viaKeytool has Java move the entry of a keystore to a PKCS #12 file of its own,
// for which it must decrypt the key, and reads that.
func viaKeytool(t *testing.T, store []byte, args ...string) Bundle {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.p12")
	tool(t, "keytool", nil, append([]string{"-importkeystore", "-noprompt", "-srckeystore", inFile(t, store),
		"-destkeystore", out, "-deststoretype", "PKCS12", "-deststorepass", password}, args...)...)
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return mustImport(t, "keytool", file, password)
}

// openssl, Java, GnuTLS and another library open our PKCS #12 files and find in
// them what we put there, for every kind of key.
func TestPKCS12OfEveryKey(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		if spec.Bits == 1024 {
			continue // as 2048
		}
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			b := threeCerts(t, key)
			b.FriendlyName = "shop"
			der := mustPKCS12(t, b, AES256)
			sameBundle(t, "we", mustImport(t, "we", der, password), b)

			text := openssl(t, der, "pkcs12", "-passin", "pass:"+password, "-nodes")
			got, err := ParseImport(text, []byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			sameBundle(t, "openssl", got, b)
			if strings.Count(text, "friendlyName: shop\n") != 2 || strings.Count(text, "localKeyID:") != 2 {
				t.Errorf("openssl finds other attributes:\n%s", text)
			}
			if out, err := tryOpenssl(t, der, "pkcs12", "-passin", "pass:wrong", "-noout"); err == nil {
				t.Errorf("a wrong password opens the file:\n%s", out)
			}

			sameBundle(t, "keytool", viaKeytool(t, der, "-srcstoretype", "PKCS12", "-srcstorepass", password), b)

			key, leaf, chain, err := pkcs12.DecodeChain(der, password)
			if err != nil {
				t.Fatal(err)
			}
			if !isSameKey(key, b.Key) || !slices.Equal(leaf.Raw, b.Cert) || len(chain) != 2 {
				t.Error("another library finds something else")
			}
			if out := tool(t, "certtool", der, "--p12-info", "--inder", "--password", password); strings.Count(out, "Friendly name: shop") != 2 || strings.Count(out, "BEGIN CERTIFICATE") != 3 {
				t.Errorf("certtool finds something else:\n%s", out)
			}
		})
	}
}

// The cipher is that which was asked for, with its MAC; whoever is known to read
// it does.
func TestPKCS12InEveryCipher(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, rsaKey())
	for name, c := range map[string]struct {
		cipher Cipher
		mac    string
		java   bool // reads it
	}{
		"PBES2, PBKDF2, AES-256-CBC":        {AES256, "MAC: sha256", false}, // Java: see the test above
		"PBES2, PBKDF2, AES-192-CBC":        {AES192, "MAC: sha256", false},
		"PBES2, PBKDF2, AES-128-CBC":        {AES128, "MAC: sha256", true},
		"PBES2, PBKDF2, DES-EDE3-CBC":       {TripleDES, "MAC: sha256", false},
		"pbeWithSHA1And3-KeyTripleDES-CBC,": {OldTripleDES, "MAC: sha1", true},
	} {
		t.Run(name, func(t *testing.T) {
			der := mustPKCS12(t, b, c.cipher)
			out := openssl(t, der, "pkcs12", "-passin", "pass:"+password, "-info", "-nodes")
			if !strings.Contains(out, c.mac) || strings.Count(out, name) != 2 {
				t.Errorf("%s is not in the right places:\n%s", name, out)
			}
			got, err := ParseImport(out, []byte(out), nil)
			if err != nil {
				t.Fatal(err)
			}
			sameBundle(t, "openssl", got, b)
			if c.java {
				sameBundle(t, "keytool", viaKeytool(t, der, "-srcstoretype", "PKCS12", "-srcstorepass", password), b)
			}
			sameBundle(t, "we", mustImport(t, "we", der, password), b)
		})
	}
}

// Friendly names may be of any characters, or missing.
func TestFriendlyNames(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, eccKey())
	for _, name := range []string{"Zürich 世😀", `a"b\c=d`} {
		b.FriendlyName = name
		der := mustPKCS12(t, b, AES256)
		if out := tool(t, "certtool", der, "--p12-info", "--inder", "--password", password); strings.Count(out, "Friendly name: "+name+"\n") != 2 {
			t.Errorf("certtool does not find %q twice:\n%s", name, out)
		}
		if out := tool(t, "keytool", nil, "-list", "-keystore", inFile(t, der), "-storepass", password); !strings.Contains(out, strings.ToLower(name)) {
			t.Errorf("keytool does not find %q:\n%s", name, out)
		}
	}
	b.FriendlyName, b.Chain = "", nil
	out := openssl(t, mustPKCS12(t, b, AES256), "pkcs12", "-passin", "pass:"+password, "-nodes")
	if strings.Contains(out, "friendlyName") || strings.Count(out, "localKeyID") != 2 || strings.Count(out, "BEGIN CERTIFICATE") != 1 {
		t.Errorf("got:\n%s", out)
	}
	if _, _, err := pkcs12.Decode(mustPKCS12(t, b, AES256), password); err != nil {
		t.Errorf("Decode, which takes a single certificate: %v", err)
	}
}

// A password of other characters than ASCII opens the file. Java is not asked; it
// takes no such passwords for PKCS #12.
func TestPKCS12PasswordBeyondASCII(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, eccKey())
	b.Password = []byte("Paßwort-世界-€")
	for _, c := range []Cipher{AES256, OldTripleDES} {
		der := mustPKCS12(t, b, c)
		sameBundle(t, "we", mustImport(t, "we", der, string(b.Password)), b)
		text := openssl(t, der, "pkcs12", "-passin", "pass:"+string(b.Password), "-nodes")
		if got, err := ParseImport(text, []byte(text), nil); err != nil {
			t.Error(err)
		} else {
			sameBundle(t, "openssl", got, b)
		}
	}
}

// A file is refused that would lack what the format is for, or protection.
func TestPKCS12ThatCannotBe(t *testing.T) {
	whole := threeCerts(t, eccKey())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*Bundle)
		want error
	}{
		"no key":         {func(b *Bundle) { b.Key = nil }, ErrNoKey},
		"no password":    {func(b *Bundle) { b.Password = nil }, ErrNoPassword},
		"key in a token": {func(b *Bundle) { b.Key = struct{ ed25519.PrivateKey }{ed} }, ErrUnsupportedKey},
	} {
		b := whole
		c.edit(&b)
		if der, err := EncodePKCS12(b, AES256); !errors.Is(err, c.want) || der != nil {
			t.Errorf("%s: got %d bytes, %v, want %v", name, len(der), err, c.want)
		}
	}
}

// The same bundle is never encrypted alike twice, nor are its two parts.
func TestSaltsAndVectorsAreFresh(t *testing.T) {
	for _, c := range []Cipher{AES256, OldTripleDES} {
		lock := newLock([]byte(password), c)
		_, one := lock([]byte("the same plain text"))
		_, two := lock([]byte("the same plain text"))
		_, three := newLock([]byte(password), c)([]byte("the same plain text"))
		if slices.Equal(one, two) || slices.Equal(one, three) || slices.Equal(two, three) {
			t.Errorf("%v encrypts alike", c)
		}
	}
}
