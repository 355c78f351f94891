package file

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

const (
	storePassword = "it's the störe's"
	keyPassword   = "the key's own $"
)

// values are settings: of the paths, those that are relative are below a directory.
type values map[clm.Attr]string

// places are the attributes that are paths.
var places = []clm.Attr{clm.CertificateFile, clm.KeyFile, clm.ChainFile, clm.KeyStore}

func (v values) settings(dir string, secrets map[clm.Attr]secret.Plain) deploy.Settings {
	s := deploy.Settings{
		ID: "00000000-0000-4000-8000-000000000002", Values: map[clm.Attr][]string{}, Secrets: secrets,
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
	}
	for a, text := range v {
		s.Values[a] = []string{text}
	}
	for _, a := range places {
		if s.Value(a, "") != "" {
			s.Values[a] = []string{filepath.Join(dir, v[a])}
		}
	}
	return s
}

var passwords = map[clm.Attr]secret.Plain{
	clm.KeyCredential:   secret.NewString(keyPassword),
	clm.StoreCredential: secret.NewString(storePassword),
}

// kinds are the drivers with settings that suffice.
var kinds = []struct {
	name   string
	driver deploy.Driver
	values values
	secret map[clm.Attr]secret.Plain
	keys   []string
}{
	{"PEM", PEM, values{clm.CertificateFile: "site.crt", clm.KeyFile: "site.key", clm.ChainFile: "chain.crt"}, nil, []string{"site.key"}},
	{"PEM in one file", PEM, values{clm.CertificateFile: "site.pem", clm.KeyFile: "site.pem"}, passwords, []string{"site.pem"}},
	{"PKCS#12", PKCS12, values{clm.CertificateFile: "site.p12"}, passwords, []string{"site.p12"}},
	{"JKS", JKS, values{clm.KeyStore: "site.jks", clm.StoreAlias: "Site"}, passwords, []string{"site.jks"}},
}

// TestConformance holds each driver against what all drivers promise.
func TestConformance(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			deploytest.Test(t, deploytest.Case{
				Quick: k.secret == nil, // to derive a key from a password takes long, which is its purpose
				Start: func(t *testing.T) deploytest.Ground {
					dir := deploytest.QuickDir(t)
					g := deploytest.Ground{
						Target:  func() deploy.Target { return target(t, k.driver, k.values.settings(dir, k.secret)) },
						Secrets: []string{storePassword, keyPassword},
					}
					for _, key := range k.keys {
						g.Keys = append(g.Keys, filepath.Join(dir, key))
					}
					return g
				},
				Lost: func(t *testing.T) (deploy.Target, string) {
					dir := filepath.Join(deploytest.QuickDir(t), "nowhere")
					return target(t, k.driver, k.values.settings(dir, k.secret)), dir
				},
			})
		})
	}
}

func target(t *testing.T, d deploy.Driver, s deploy.Settings) deploy.Target {
	t.Helper()
	made, err := d.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// use puts a bundle in use.
func use(t *testing.T, d deploy.Driver, s deploy.Settings, b pki.Bundle) {
	t.Helper()
	store, ctx := target(t, d, s).Store, t.Context()
	if err := errors.Join(store.Place(ctx, b), store.Switch(ctx, b), store.Keep(ctx)); err != nil {
		t.Fatal(err)
	}
}

// run runs a program of the machine, which has to succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(t, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func tryRun(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	program := deploytest.Program(t, name)
	if name == "keytool" {
		args = append(args, "-J-XX:TieredStopAtLevel=1") // starts faster
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8") // for passwords that are not ASCII
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// labels lists the labels of the PEM blocks in a file; of certificates, the common
// names.
func labels(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\r")) {
		t.Errorf("%s: its lines do not end with LF", name)
	}
	var all []string
	block, rest := pem.Decode(text)
	for ; block != nil; block, rest = pem.Decode(rest) {
		label := block.Type
		if label == "CERTIFICATE" {
			label = pki.CommonName(block.Bytes)
		}
		all = append(all, label)
	}
	if len(rest) > 0 {
		t.Errorf("%s: there is more than PEM in it: %q", name, rest)
	}
	return strings.Join(all, ", ")
}

// TestPEMLayouts looks at which file holds what.
func TestPEMLayouts(t *testing.T) {
	const leaf, issuer, root, key = "layout.test", "Test Issuer", "Test Root", "PRIVATE KEY"
	b := deploytest.NewBundle(t, leaf, deploytest.NewKey(t, deploytest.RSA))
	curve := deploytest.NewBundle(t, leaf, deploytest.NewKey(t, deploytest.ECC))
	byRoot := b
	byRoot.Chain = b.Chain[1:]
	two := values{clm.CertificateFile: "c", clm.KeyFile: "k"}
	three := values{clm.CertificateFile: "c", clm.KeyFile: "k", clm.ChainFile: "h"}
	cases := []struct {
		name   string
		values values
		bundle pki.Bundle
		secret map[clm.Attr]secret.Plain
		want   map[string]string
	}{
		{"without a chain file", two, b, nil, map[string]string{"c": leaf + ", " + issuer, "k": key}},
		{"without any chain", two.with(clm.BundleChain, "0"), b, nil, map[string]string{"c": leaf, "k": key}},
		{"with a chain file", three, b, nil, map[string]string{"c": leaf, "h": issuer, "k": key}},
		{"issued by the root", two, byRoot, nil, map[string]string{"c": leaf}},
		{"issued by the root, with a chain file", three, byRoot, nil, map[string]string{"c": leaf, "h": root}},
		{"all in one", values{clm.CertificateFile: "c", clm.KeyFile: "c", clm.ChainFile: "c"}, b, nil, map[string]string{"c": leaf + ", " + issuer + ", " + key}},
		{"certificate and key in one", values{clm.CertificateFile: "c", clm.KeyFile: "c", clm.ChainFile: "h"}, b, nil, map[string]string{"c": leaf + ", " + key, "h": issuer}},
		{"chain and key in one", three.with(clm.ChainFile, "k"), b, nil, map[string]string{"c": leaf, "k": issuer + ", " + key}},
		{"PKCS#1", two.with(clm.KeySyntax, "PKCS#1"), b, nil, map[string]string{"k": "RSA " + key}},
		{"PKCS#1 of a curve", two.with(clm.KeySyntax, "PKCS #1"), curve, nil, map[string]string{"k": "EC " + key}},
		{"encrypted", two, b, passwords, map[string]string{"k": "ENCRYPTED " + key}},
		{"PKCS#1, encrypted", two.with(clm.KeySyntax, "PKCS#1"), b, passwords, map[string]string{"k": "RSA " + key}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := deploytest.QuickDir(t)
			use(t, PEM, c.values.settings(dir, c.secret), c.bundle)
			for name, want := range c.want {
				if got := labels(t, filepath.Join(dir, name)); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			keyFile := filepath.Join(dir, c.values[clm.KeyFile])
			got := run(t, "openssl", "pkey", "-in", keyFile, "-passin", "pass:"+keyPassword, "-pubout")
			der, err := x509.MarshalPKIXPublicKey(c.bundle.Key.Public())
			if want := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})); err != nil || got != want {
				t.Errorf("openssl finds another key: %v\n%s", err, got)
			}
			if c.secret == nil {
				return
			}
			if _, err := tryRun(t, "openssl", "pkey", "-in", keyFile, "-passin", "pass:wrong", "-noout"); err == nil {
				t.Error("openssl reads the key with another password")
			}
		})
	}
}

// with is a copy that has the value, too.
func (v values) with(a clm.Attr, text string) values {
	all := values{a: text}
	for other, text := range v {
		if other != a {
			all[other] = text
		}
	}
	return all
}

// TestChainStays leaves a chain alone that is there, if the settings want that.
func TestChainStays(t *testing.T) {
	b := deploytest.NewBundle(t, "chain.test", deploytest.NewKey(t, deploytest.ECC))
	for _, overwrite := range []string{"0", "1", ""} {
		dir := deploytest.QuickDir(t)
		v := values{clm.CertificateFile: "c", clm.KeyFile: "k", clm.ChainFile: "h", clm.ReplaceChain: overwrite}
		own := []byte("my own chain\n")
		if err := os.WriteFile(filepath.Join(dir, "h"), own, 0o644); err != nil {
			t.Fatal(err)
		}
		use(t, PEM, v.settings(dir, nil), b)
		got, err := os.ReadFile(filepath.Join(dir, "h"))
		if stayed := bytes.Equal(got, own); err != nil || stayed != (overwrite == "0") {
			t.Errorf("Overwrite Existing Chain %q: it stayed: %v, %v", overwrite, stayed, err)
		}
	}
}

// TestCommandsTellServices checks and reloads by commands that touch a file. Without
// any there is no service.
func TestCommandsTellServices(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			dir := deploytest.QuickDir(t)
			checked, reloaded := filepath.Join(dir, "checked"), filepath.Join(dir, "reloaded")
			v := k.values.with(clm.CheckCommand, "touch "+checked).with(clm.ReloadCommand, "touch "+reloaded)
			service := target(t, k.driver, v.settings(dir, k.secret)).Service
			if service == nil {
				t.Fatal("there is no service")
			}
			for _, step := range []struct {
				do   func(context.Context) (string, error)
				file string
			}{{service.Check, checked}, {service.Reload, reloaded}} {
				if _, err := os.Stat(step.file); err == nil {
					t.Errorf("%s is there too early", step.file)
				}
				if said, err := step.do(t.Context()); err != nil {
					t.Errorf("%v: %s", err, said)
				}
				if _, err := os.Stat(step.file); err != nil {
					t.Error(err)
				}
			}
			if s := target(t, k.driver, k.values.with(clm.ServiceUnit, "site").settings(dir, k.secret)).Service; s == nil {
				t.Error("Systemd Unit: there is no service")
			}
			if s := target(t, k.driver, k.values.settings(dir, k.secret)).Service; s != nil {
				t.Errorf("without commands there is a service %q", s.Name())
			}
		})
	}
}

// TestBare looks at which settings let a service show no chain.
func TestBare(t *testing.T) {
	two := values{clm.CertificateFile: "c", clm.KeyFile: "k"}
	p12 := values{clm.CertificateFile: "c"}
	for _, c := range []struct {
		driver deploy.Driver
		values values
		want   bool
	}{
		{PEM, two, false},
		{PEM, two.with(clm.BundleChain, "0"), true},
		{PEM, two.with(clm.BundleChain, "0").with(clm.ChainFile, "h"), false},
		{PKCS12, p12, false},
		{PKCS12, p12.with(clm.BundleChain, "0"), true},
		{PKCS12, p12.with(clm.BundleChain, "0").with(clm.ChainFile, "h"), false},
		{JKS, values{clm.KeyStore: "s", clm.StoreAlias: "a"}, false},
	} {
		if got := target(t, c.driver, c.values.settings("/x", passwords)).Bare; got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
}

// TestPKCS12IsReadByOthers opens what was made with openssl and keytool.
func TestPKCS12IsReadByOthers(t *testing.T) {
	b := deploytest.NewBundle(t, "p12.test", deploytest.NewKey(t, deploytest.RSA))
	cases := []struct {
		name   string
		values values
		alias  string
		certs  int
	}{
		{"with the chain", values{clm.CertificateFile: "s.p12", clm.FriendlyName: "mine"}, "mine", 2},
		{"without the chain", values{clm.CertificateFile: "s.p12", clm.BundleChain: "0"}, "p12.test", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := deploytest.QuickDir(t)
			use(t, PKCS12, c.values.settings(dir, passwords), b)
			file := filepath.Join(dir, "s.p12")
			text := run(t, "openssl", "pkcs12", "-in", file, "-passin", "pass:"+keyPassword, "-nodes")
			if got := strings.Count(text, "BEGIN CERTIFICATE"); got != c.certs || !strings.Contains(text, "friendlyName: "+c.alias) {
				t.Errorf("openssl finds %d certificates, want %d and %q", got, c.certs, c.alias)
			}
			text = run(t, "keytool", "-list", "-keystore", file, "-storepass", keyPassword)
			if !strings.Contains(text, c.alias+", ") || !strings.Contains(text, "PrivateKeyEntry") {
				t.Errorf("keytool finds:\n%s", text)
			}
		})
	}
}

// TestPKCS12WithOtherEntriesStays refuses to replace a store in which keytool has put
// another key or a trusted certificate, also when it does so after Place; the store
// stays as it is. One with a single key, and any other that may be replaced, goes.
func TestPKCS12WithOtherEntriesStays(t *testing.T) {
	t.Parallel()
	b := deploytest.NewBundle(t, "p12.test", deploytest.NewKey(t, deploytest.ECC))
	const refusal = "Replace Store does not say that it may go"
	addKey := func(alias string) func(*testing.T, string, ...string) {
		return func(t *testing.T, _ string, store ...string) {
			run(t, "keytool", append(store, "-genkeypair", "-alias", alias, "-keyalg", "EC", "-dname", "CN="+alias)...)
		}
	}
	addTrusted := func(t *testing.T, dir string, store ...string) {
		trusted := filepath.Join(dir, "root.crt")
		if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Chain[1]}), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "keytool", append(store, "-importcert", "-noprompt", "-alias", "root", "-file", trusted)...)
	}
	type add = func(t *testing.T, dir string, store ...string)
	cases := []struct {
		name     string
		password string
		replace  string
		before   []add // of Place
		after    []add
		want     string // of Place or Switch
	}{
		{name: "one key", password: keyPassword, before: []add{addKey("a")}},
		{name: "two keys", password: keyPassword, before: []add{addKey("a"), addKey("b")}, want: refusal},
		{name: "two keys that may go", password: keyPassword, replace: "1", before: []add{addKey("a"), addKey("b")}},
		{name: "a trusted certificate", password: keyPassword, before: []add{addKey("a"), addTrusted}, want: refusal},
		{name: "nothing but a trusted certificate", password: keyPassword, before: []add{addTrusted}, want: refusal},
		{name: "another password", password: "another one", before: []add{addKey("a")}, want: refusal},
		{name: "another password that may go", password: "another one", replace: "1", before: []add{addKey("a")}},
		{name: "a second key after Place", password: keyPassword, before: []add{addKey("a")}, after: []add{addKey("b")}, want: refusal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := deploytest.QuickDir(t)
			file := filepath.Join(dir, "s.p12")
			store := []string{"-keystore", file, "-storepass", c.password, "-storetype", "PKCS12"}
			for _, add := range c.before {
				add(t, dir, store...)
			}
			v := values{clm.CertificateFile: "s.p12", clm.ReplaceStore: c.replace}
			made, ctx := target(t, PKCS12, v.settings(dir, passwords)).Store, t.Context()
			err := made.Place(ctx, b)
			if (err != nil) != (c.want != "" && c.after == nil) {
				t.Errorf("Place: got %v", err)
			}
			for _, add := range c.after {
				add(t, dir, store...)
			}
			old, readErr := os.ReadFile(file)
			if err == nil {
				err = made.Switch(ctx, b)
			}
			now, nowErr := os.ReadFile(file)
			if err := errors.Join(readErr, nowErr); err != nil {
				t.Fatal(err)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if isSame := bytes.Equal(now, old); isSame != (c.want != "") {
				t.Errorf("the store is the same: %v", isSame)
			}
		})
	}
}

// TestJKSKeepsOtherEntries puts a key into a store that keytool has made, beside
// another key and a trusted certificate, and lets keytool look.
func TestJKSKeepsOtherEntries(t *testing.T) {
	t.Parallel()
	dir := deploytest.QuickDir(t)
	file, trusted := filepath.Join(dir, "s.jks"), filepath.Join(dir, "root.crt")
	b := deploytest.NewBundle(t, "jks.test", deploytest.NewKey(t, deploytest.RSA))
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Chain[1]}), 0o644); err != nil {
		t.Fatal(err)
	}
	store := []string{"-keystore", file, "-storepass", storePassword, "-storetype", "JKS"}
	for _, alias := range []string{"theirs", "site"} {
		run(t, "keytool", append(store, "-genkeypair", "-alias", alias, "-keyalg", "RSA", "-dname", "CN="+alias, "-keypass", storePassword)...)
	}
	run(t, "keytool", append(store, "-importcert", "-noprompt", "-alias", "räißen", "-file", trusted)...)

	v := values{clm.KeyStore: "s.jks", clm.StoreAlias: "Site"}
	for range 2 {
		use(t, JKS, v.settings(dir, passwords), b)
	}
	if text := run(t, "keytool", append(store, "-list")...); !strings.Contains(text, "contains 3 entries") || !strings.Contains(text, "räißen") {
		t.Errorf("keytool finds:\n%s", text)
	}
	if text := run(t, "keytool", append(store, "-list", "-v", "-alias", "site")...); !strings.Contains(text, "chain length: 2") || !strings.Contains(text, "CN=jks.test") {
		t.Errorf("keytool finds:\n%s", text)
	}
	request := func(alias, password string) (string, error) {
		return tryRun(t, "keytool", append(store, "-certreq", "-alias", alias, "-keypass", password)...)
	}
	for alias, password := range map[string]string{"site": keyPassword, "theirs": storePassword} {
		if text, err := request(alias, password); err != nil {
			t.Errorf("the key %s cannot be used: %v\n%s", alias, err, text)
		}
	}
	if _, err := request("site", storePassword); err == nil {
		t.Error("the key can be used with the password of the store, though it has its own")
	}

	use(t, JKS, v.with(clm.ReplaceStore, "1").settings(dir, map[clm.Attr]secret.Plain{clm.StoreCredential: passwords[clm.StoreCredential]}), b)
	if text := run(t, "keytool", append(store, "-list")...); !strings.Contains(text, "contains 1 entry") {
		t.Errorf("Replace Store: keytool finds:\n%s", text)
	}
	if text, err := request("site", storePassword); err != nil {
		t.Errorf("the key has not the password of the store: %v\n%s", err, text)
	}
}

// TestJKSChangedInBetween adds an entry to the store after a certificate was placed:
// it is still there when that was switched.
func TestJKSChangedInBetween(t *testing.T) {
	t.Parallel()
	dir := deploytest.QuickDir(t)
	b := deploytest.NewBundle(t, "jks.test", deploytest.NewKey(t, deploytest.ECC))
	v, ctx := values{clm.KeyStore: "s.jks", clm.StoreAlias: "site"}, t.Context()
	store := target(t, JKS, v.settings(dir, passwords)).Store
	if err := store.Place(ctx, b); err != nil {
		t.Fatal(err)
	}
	another := v.with(clm.StoreAlias, "other").settings(dir, passwords)
	another.ID = "00000000-0000-4000-8000-000000000003"
	use(t, JKS, another, b)
	if err := store.Switch(ctx, b); err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{"site", "other"} {
		found, err := target(t, JKS, v.with(clm.StoreAlias, alias).settings(dir, passwords)).Store.Inspect(ctx)
		if err != nil || !bytes.Equal(found.Cert, b.Cert) {
			t.Errorf("%s is not found: %v", alias, err)
		}
	}
}

// TestStoresThatCannotBeUsed looks at what is said of settings that make no sense,
// and of stores that are not what they should be.
func TestStoresThatCannotBeUsed(t *testing.T) {
	b := deploytest.NewBundle(t, "bad.test", deploytest.NewKey(t, deploytest.ECC))
	jks := values{clm.KeyStore: "s.jks", clm.StoreAlias: "site"}
	other := map[clm.Attr]secret.Plain{clm.StoreCredential: secret.NewString("another one"), clm.KeyCredential: passwords[clm.KeyCredential]}
	cases := []struct {
		name   string
		driver deploy.Driver
		values values
		secret map[clm.Attr]secret.Plain
		old    func(t *testing.T, dir string)
		want   string
	}{
		{"PEM without a certificate file", PEM, values{clm.KeyFile: "k"}, nil, nil, "Certificate File is not set"},
		{"PEM without a key file", PEM, values{clm.CertificateFile: "c"}, nil, nil, "Private Key File is not set"},
		{"PEM with a syntax that there is not", PEM, values{clm.CertificateFile: "c", clm.KeyFile: "k", clm.KeySyntax: "PKCS#9"}, nil, nil, "Private Key Syntax"},
		{"PKCS#12 without a password", PKCS12, values{clm.CertificateFile: "c"}, nil, nil, "Private Key Password Credential is not set"},
		{"PKCS#12 with its chain in itself", PKCS12, values{clm.CertificateFile: "c", clm.ChainFile: "c"}, passwords, nil, "Certificate Chain File"},
		{"PKCS#12 that must be there", PKCS12, values{clm.CertificateFile: "c", clm.CreateStore: "0"}, passwords, nil, "Create Store"},
		{"JKS without a store", JKS, values{clm.StoreAlias: "site"}, passwords, nil, "Key Store is not set"},
		{"JKS without a password", JKS, jks, nil, nil, "Key Store Credential is not set"},
		{"JKS without an alias", JKS, values{clm.KeyStore: "s.jks"}, passwords, nil, "Certificate Label is not set"},
		{"JCEKS", JKS, jks.with(clm.StoreType, "JCEKS"), passwords, nil, "Store Type"},
		{"JKS that must be there", JKS, jks.with(clm.CreateStore, "0"), passwords, nil, "Create Store"},
		{"JKS with another password", JKS, jks, passwords, func(t *testing.T, dir string) { use(t, JKS, jks.settings(dir, other), b) }, "s.jks: it has another password"},
		{"JKS that is none", JKS, jks, passwords, func(t *testing.T, dir string) {
			use(t, PKCS12, values{clm.CertificateFile: "s.jks"}.settings(dir, passwords), b)
		}, "s.jks: it is not a Java keystore"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := deploytest.QuickDir(t)
			if c.old != nil {
				c.old(t, dir)
			}
			made, err := c.driver.New(c.values.settings(dir, c.secret))
			if err == nil {
				err = made.Store.Place(t.Context(), b)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	s := values{clm.KeyFile: "k"}.settings("/x", nil)
	s.Values[clm.CertificateFile] = []string{"relative/path"}
	if _, err := PEM.New(s); err == nil || !strings.Contains(err.Error(), "Certificate File") {
		t.Errorf("a relative path: got %v", err)
	}
}
