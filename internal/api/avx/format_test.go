package avx

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// goodPassword is one that may lock a key, and no more than that.
const goodPassword = "Passw0r-"

// handedOut is a certificate for the name with its chain of two and its key.
func handedOut(t *testing.T, name string, spec pki.KeySpec) core.Issued {
	t.Helper()
	make := func(cn string, above *x509.Certificate, by, key crypto.Signer) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
			IsCA: cn != name, BasicConstraintsValid: true,
		}
		if above == nil {
			above, by = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, above, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	key := func(spec pki.KeySpec) crypto.Signer {
		key, err := pki.GenerateKey(spec)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ec := pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}
	rootKey, middleKey, leafKey := key(ec), key(ec), key(spec)
	root := make("Root", nil, nil, rootKey)
	middle := make("Middle", root, rootKey, middleKey)
	leaf := make(name, middle, middleKey, leafKey)
	return core.Issued{
		Place:   clm.Certificate{Object: clm.Object{DN: `\VED\Policy\place`}},
		Version: clm.Version{Cert: leaf.Raw}, Chain: [][]byte{middle.Raw, root.Raw}, Key: leafKey,
	}
}

// tool runs a program of others on a file.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestFormsOpenElsewhere has openssl and keytool read each form.
func TestFormsOpenElsewhere(t *testing.T) {
	t.Parallel()
	const pass = "pass:" + goodPassword
	for _, spec := range []pki.KeySpec{{Algorithm: clm.RSA, Bits: 2048}, {Algorithm: clm.ECC, Curve: clm.P256}} {
		issued := handedOut(t, "WWW.Example.com", spec)
		for _, c := range []struct {
			wish      wish
			extension string
			read      func(file string) string
			want      []string
			not       []string
		}{
			{wish{format: "pem"}, "pem", x509Of("PEM"), []string{"WWW.Example.com"}, nil},
			{wish{format: "CRT", chain: true}, "crt", x509Of("PEM"), []string{"WWW.Example.com"}, nil},
			{wish{format: "cert"}, "cert", x509Of("PEM"), []string{"WWW.Example.com"}, nil},
			{wish{format: "Cer"}, "cer", x509Of("PEM"), []string{"WWW.Example.com"}, nil},
			{wish{format: "DER"}, "der", x509Of("DER"), []string{"WWW.Example.com"}, nil},
			{wish{format: "DerCer"}, "cer", x509Of("DER"), []string{"WWW.Example.com"}, nil},
			{wish{format: "P7B"}, "p7b", pkcs7Of("PEM"), []string{"WWW.Example.com", "Middle", "Root"}, []string{"PRIVATE KEY"}},
			{wish{format: "P7C"}, "p7c", pkcs7Of("DER"), []string{"WWW.Example.com", "Middle", "Root"}, nil},
			{wish{format: "PK8"}, "pk8", func(f string) string { return tool(t, "openssl", "pkey", "-in", f, "-passin", "pass:no", "-pubout") }, []string{"PUBLIC KEY"}, nil},
			{wish{format: "PK8", encryptKey: true, password: secret.NewString(goodPassword)}, "pk8",
				func(f string) string { return tool(t, "openssl", "pkey", "-in", f, "-passin", pass, "-pubout") }, []string{"PUBLIC KEY"}, nil},
			{wish{format: "P12", password: secret.NewString(goodPassword)}, "p12", pkcs12Of(pass), []string{"WWW.Example.com", "Middle", "Root", "PRIVATE KEY", "AES-256-CBC", "sha256"}, nil},
			{wish{format: "PFX", password: secret.NewString(goodPassword)}, "pfx", pkcs12Of(pass), []string{"Middle", "PRIVATE KEY"}, nil},
			{wish{format: "JKS", password: secret.NewString(goodPassword)}, "jks", func(f string) string {
				return tool(t, "keytool", "-list", "-v", "-keystore", f, "-storepass", goodPassword) +
					tool(t, "keytool", "-certreq", "-keystore", f, "-alias", "www.example.com", "-storepass", goodPassword, "-keypass", goodPassword)
			}, []string{"Alias name: www.example.com", "PrivateKeyEntry", "Certificate chain length: 3", "BEGIN NEW CERTIFICATE REQUEST"}, nil},
		} {
			form, refused := c.wish.form()
			if refused != nil {
				t.Fatalf("%s: %+v", c.wish.format, refused)
			}
			i := issued
			if !form.withKey {
				i.Key = nil
			}
			f, refused := c.wish.encode(i)
			if refused != nil {
				t.Fatalf("%s: %+v", c.wish.format, refused)
			}
			if f.name != "WWW.Example.com."+c.extension {
				t.Errorf("%s: the file is called %s", c.wish.format, f.name)
			}
			if isText := bytes.HasPrefix(f.data, []byte("-----BEGIN ")); isText && bytes.ContainsAny(f.data, "\r") {
				t.Errorf("%s has CRs in it", c.wish.format)
			}
			path := filepath.Join(t.TempDir(), f.name)
			if err := os.WriteFile(path, f.data, 0o600); err != nil {
				t.Fatal(err)
			}
			text := c.read(path)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s of %s: no %q in\n%s", c.wish.format, spec.Algorithm, want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%s of %s: %q in\n%s", c.wish.format, spec.Algorithm, not, text)
				}
			}
		}
	}
}

func x509Of(form string) func(string) string {
	return func(file string) string {
		out, _ := exec.Command("openssl", "x509", "-noout", "-subject", "-inform", form, "-in", file).CombinedOutput()
		return string(out)
	}
}

func pkcs7Of(form string) func(string) string {
	return func(file string) string {
		out, _ := exec.Command("openssl", "pkcs7", "-print_certs", "-inform", form, "-in", file).CombinedOutput()
		return string(out)
	}
}

func pkcs12Of(pass string) func(string) string {
	return func(file string) string {
		out, _ := exec.Command("openssl", "pkcs12", "-info", "-in", file, "-passin", pass, "-nodes").CombinedOutput()
		return string(out)
	}
}

// TestChainBehindLeaf has the leaf first and the root last where the chain is wanted, and
// nothing but the leaf where it is not.
func TestChainBehindLeaf(t *testing.T) {
	t.Parallel()
	issued := handedOut(t, "www.example.com", pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	issued.Key = nil
	all := [][]byte{issued.Version.Cert, issued.Chain[0], issued.Chain[1]}
	for _, c := range []struct {
		wish wish
		want []byte
	}{
		{wish{format: "PEM", chain: true}, pki.CertificatesPEM(all...)},
		{wish{format: "PEM"}, pki.CertificatesPEM(all[0])},
		{wish{format: "DER", chain: true}, bytes.Join(all, nil)},
		{wish{format: "DERCER"}, all[0]},
	} {
		f, refused := c.wish.encode(issued)
		if refused != nil || !bytes.Equal(f.data, c.want) {
			t.Errorf("%+v: got %+v and %d bytes, want %d", c.wish, refused, len(f.data), len(c.want))
		}
	}
}

// TestWishes finds what is wrong with a wish.
func TestWishes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format, password string
		encryptKey       bool
		withKey          bool
		want             *failure
	}{
		{"", "", false, false, new(mandatory("format"))},
		{"  ", "", false, false, new(mandatory("format"))},
		{"TXT", "", false, false, &badFormat},
		{"pem", "", false, false, nil},
		{" PEM ", "short", false, false, nil},
		{"PK8", "", false, true, nil},
		{"PK8", "", true, true, new(mandatory("password"))},
		{"PK8", goodPassword, true, true, nil},
		{"P12", "", false, true, new(mandatory("password"))},
		{"PFX", "", false, true, new(mandatory("password"))},
		{"JKS", "", false, true, new(mandatory("password"))},
		{"P12", goodPassword, false, true, nil},
		{"P12", goodPassword[:7], false, true, &weakPassword},
		{"P12", "passw0rd-", false, true, &weakPassword},
		{"P12", "PASSW0RD-", false, true, &weakPassword},
		{"P12", "Password-", false, true, &weakPassword},
		{"P12", "Passw0rdd", false, true, &weakPassword},
		{"JKS", "Pässw0r ", false, true, nil},
	} {
		w := wish{format: c.format, password: secret.NewString(c.password), encryptKey: c.encryptKey}
		withKey, got := w.check()
		switch {
		case (got == nil) != (c.want == nil), got != nil && *got != *c.want:
			t.Errorf("%s with %q: got %+v, want %+v", c.format, c.password, got, c.want)
		case got == nil && withKey != c.withKey:
			t.Errorf("%s has the key: %v", c.format, withKey)
		}
	}
}

// TestAnyPasswordWhereAllowed takes a weak password where the folder of the certificate
// allows it, and none nowhere.
func TestAnyPasswordWhereAllowed(t *testing.T) {
	t.Parallel()
	folder := &clm.Object{Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
		{Class: clm.ServerCertificate, Attr: clm.AnyPassword}: {Values: []string{"1"}},
	}}
	path := clm.Path{folder, {Class: clm.ServerCertificate}}
	if f := (wish{format: "P12", password: secret.NewString("x")}).checkPassword(path); f != nil {
		t.Errorf("got %+v", f)
	}
	if f := (wish{format: "P12"}).checkPassword(path); f == nil || *f != mandatory("password") {
		t.Errorf("got %+v", f)
	}
}

// TestNoFileWithoutKey refuses what cannot be made.
func TestNoFileWithoutKey(t *testing.T) {
	t.Parallel()
	issued := handedOut(t, "www.example.com", pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	keyless, none := issued, issued
	keyless.Key, none.Version.Cert = nil, nil
	for _, c := range []struct {
		wish   wish
		issued core.Issued
		want   failure
	}{
		{wish{format: "P12", password: secret.NewString(goodPassword)}, keyless, noKey},
		{wish{format: "PK8"}, keyless, noKey},
		{wish{format: "PEM"}, none, notIssued},
		{wish{format: "P12", password: secret.NewString("x")}, issued, weakPassword},
	} {
		if _, got := c.wish.encode(c.issued); got == nil || *got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.wish.format, got, c.want)
		}
	}
}

// TestFileNames are good for every file system, and in quotes.
func TestFileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"*.example.com": "_.example.com.pem", "a\"b\r\n/c": "a_b___c.pem", "": ".pem"} {
		if got := fileName(name, "pem"); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	nameless := handedOut(t, "", pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256})
	if got := nameOf(nameless); got != "place" {
		t.Errorf("got %q", got)
	}
}
