package pki

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

const storePassword = "Keyst0re-pass"

func mustJKS(t *testing.T, b Bundle, password string) []byte {
	t.Helper()
	store, err := EncodeJKS(b, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// Java opens the store with its password and the key with the key's, and finds
// the key of the certificate, for every kind of key.
func TestJavaOpensOurKeystores(t *testing.T) {
	t.Parallel()
	for spec, key := range testKeys() {
		if spec.Bits == 1024 {
			continue // as 2048
		}
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			b := threeCerts(t, key)
			b.FriendlyName = "Shop"
			store := mustJKS(t, b, storePassword)
			open := []string{"-srcstoretype", "JKS", "-srcstorepass", storePassword, "-srcalias", "shop", "-srckeypass", password}
			sameBundle(t, "keytool", viaKeytool(t, store, open...), b)

			out := tool(t, "keytool", nil, "-list", "-v", "-storetype", "JKS", "-keystore", inFile(t, store), "-storepass", storePassword)
			for _, want := range []string{"Alias name: shop\n", "Creation date: Jan 1, 2026", "Entry type: PrivateKeyEntry", "Certificate chain length: 3", "contains 1 entry"} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing from:\n%s", want, out)
				}
			}
		})
	}
}

// Neither password does the other's work.
func TestWrongPasswordsForKeystores(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, eccKey())
	b.FriendlyName = "shop"
	file := inFile(t, mustJKS(t, b, storePassword))
	for _, args := range [][]string{
		{"-storepass", password, "-keypass", password},
		{"-storepass", storePassword, "-keypass", storePassword},
	} {
		args = append([]string{"-certreq", "-alias", "shop", "-storetype", "JKS", "-keystore", file}, args...)
		if out, err := tryTool(t, "keytool", nil, args...); err == nil {
			t.Errorf("%v opens it:\n%s", args, out)
		}
	}
}

// Without a password of its own the key is protected by that of the store.
func TestKeyUnderTheStoresPassword(t *testing.T) {
	b := threeCerts(t, eccKey())
	b.FriendlyName, b.Password = "shop", nil
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(mustJKS(t, b, storePassword)), []byte(storePassword)); err != nil {
		t.Fatal(err)
	}
	entry, err := ks.GetPrivateKeyEntry("shop", []byte(storePassword))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(entry.PrivateKey)
	if err != nil || !isSameKey(key, b.Key) {
		t.Errorf("got %v, %v", key, err)
	}
	if len(entry.CertificateChain) != 3 || !slices.Equal(entry.CertificateChain[0].Content, b.Cert) || !entry.CreationTime.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %d certificates of %v", len(entry.CertificateChain), entry.CreationTime)
	}
}

// Without a key there are trusted certificates, each under an alias of its own.
func TestKeystoreWithoutKey(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, eccKey())
	b.FriendlyName, b.Key = "Shop", nil
	store := mustJKS(t, b, storePassword)
	out := tool(t, "keytool", nil, "-list", "-rfc", "-storetype", "JKS", "-keystore", inFile(t, store), "-storepass", storePassword)
	if strings.Count(out, "Entry type: trustedCertEntry") != 3 || strings.Count(out, "BEGIN CERTIFICATE") != 3 {
		t.Errorf("keytool:\n%s", out)
	}
	ks := keystore.New(keystore.WithCaseExactAliases())
	if err := ks.Load(bytes.NewReader(store), []byte(storePassword)); err != nil {
		t.Fatal(err)
	}
	for alias, want := range map[string][]byte{"shop": b.Cert, "shop-1": b.Chain[0], "shop-2": b.Chain[1]} {
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil || !slices.Equal(entry.Certificate.Content, want) {
			t.Errorf("%s: %v", alias, err)
		}
	}
}

// Aliases and passwords may be of any characters that Java has.
func TestKeystoreBeyondASCII(t *testing.T) {
	t.Parallel()
	b := threeCerts(t, eccKey())
	b.FriendlyName, b.Password = "ZÜRICH 世😀", []byte("Schlüssel-世€")
	store := mustJKS(t, b, "Störe-世€")
	got := viaKeytool(t, store, "-srcstoretype", "JKS", "-srcstorepass", "Störe-世€", "-srckeypass", string(b.Password),
		"-srcalias", "zürich 世😀", "-destkeypass", password)
	sameBundle(t, "keytool", got, b)
}

// What would make no keystore is refused.
func TestKeystoreThatCannotBe(t *testing.T) {
	whole := threeCerts(t, eccKey())
	whole.FriendlyName = "shop"
	for name, c := range map[string]struct {
		edit          func(*Bundle)
		storePassword string
		want          error
	}{
		"no friendly name":  {func(b *Bundle) { b.FriendlyName = "" }, storePassword, ErrNoFriendlyName},
		"no store password": {func(*Bundle) {}, "", ErrNoPassword},
		"no certificate":    {func(b *Bundle) { b.Cert = []byte("x") }, storePassword, ErrNotCertificate},
		"broken chain":      {func(b *Bundle) { b.Chain = [][]byte{{1}} }, storePassword, ErrNotCertificate},
		"key in a token":    {func(b *Bundle) { b.Key = struct{ crypto.Signer }{b.Key} }, storePassword, ErrUnsupportedKey},
	} {
		b := whole
		c.edit(&b)
		if store, err := EncodeJKS(b, []byte(c.storePassword)); !errors.Is(err, c.want) || store != nil {
			t.Errorf("%s: got %d bytes, %v, want %v", name, len(store), err, c.want)
		}
	}
}
