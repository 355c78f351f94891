package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Venafi/vcert/v5/pkg/certificate"
	"github.com/Venafi/vcert/v5/pkg/verror"
)

// foreign has openssl make a CA and a certificate from it, as somebody else might
// have issued it. kind is what openssl's -newkey wants.
func foreign(t *testing.T, name string, kind ...string) files {
	t.Helper()
	f := filesIn(t.TempDir())
	root := f.chain + ".key"
	openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "100",
		"-subj", "/C=NL/O=Elsewhere/CN=Elsewhere Root "+filepath.Base(filepath.Dir(f.cert)), "-keyout", root, "-out", f.chain)
	openssl(t, args([]string{"req", "-x509", "-newkey"}, kind, []string{"-noenc", "-days", "50", "-subj", "/C=NL/L=Delft/O=Elsewhere/CN=" + name,
		"-addext", "subjectAltName=DNS:" + name, "-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=critical,CA:FALSE",
		"-CA", f.chain, "-CAkey", root, "-keyout", f.key, "-out", f.cert})...)
	return f
}

// base64Of is the content of a file as base64.
func base64Of(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(content)
}

// TestImportsWhatToolsWrite takes in certificates and keys in the forms in which
// openssl, GnuTLS and Java write them, and hands them out again.
func TestImportsWhatToolsWrite(t *testing.T) {
	rsa := foreign(t, "foreign.example.org", "rsa:2048")
	ecc := foreign(t, "foreign.example.org", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")
	out := func(name string) string { return filepath.Join(filepath.Dir(rsa.cert), name) }
	written := func(name string, options ...string) string {
		openssl(t, append(options, "-out", out(name))...)
		return out(name)
	}
	protected := func(name string, options ...string) string {
		return written(name, append(options, "-passout", "pass:"+importPassword)...)
	}
	pack := func(f files) []string {
		return []string{"pkcs12", "-export", "-in", f.cert, "-inkey", f.key, "-certfile", f.chain, "-name", "foreign"}
	}
	modern, bundle := protected("modern.p12", pack(rsa)...), out("bundle.pem")
	writeFile(t, bundle, []byte(readFile(t, rsa.cert)+"\n"+readFile(t, rsa.chain)+"\n"))
	keytool(t, "-importkeystore", "-noprompt", "-srckeystore", modern, "-srcstoretype", "PKCS12", "-srcstorepass", importPassword,
		"-destkeystore", out("java.p12"), "-deststoretype", "PKCS12", "-deststorepass", importPassword)
	certtool(t, "--to-p12", "--load-certificate", ecc.cert, "--load-privkey", ecc.key, "--load-ca-certificate", ecc.chain,
		"--p12-name", "foreign", "--password", importPassword, "--pkcs-cipher", "aes-256", "--outder", "--outfile", out("gnutls.p12"))

	cases := map[string]struct {
		from        files
		certificate string
		key         string // empty: none, or within the certificate's file
		hasKey      bool
	}{
		"PEM":                  {rsa, readFile(t, rsa.cert), "", false},
		"PEM on one line":      {rsa, strings.ReplaceAll(readFile(t, rsa.cert), "\n", `\n`), "", false},
		"DER":                  {ecc, base64Of(t, written("cert.der", "x509", "-in", ecc.cert, "-outform", "DER")), "", false},
		"PEM within base64":    {rsa, base64Of(t, rsa.cert), "", false},
		"PKCS 7":               {rsa, base64Of(t, written("all.p7b", "crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", "DER")), "", false},
		"plain key, chain":     {rsa, readFile(t, bundle), readFile(t, rsa.key), true},
		"plain key in base64":  {ecc, readFile(t, ecc.cert), base64Of(t, written("key.der", "pkcs8", "-topk8", "-nocrypt", "-in", ecc.key, "-outform", "DER")), true},
		"AES key":              {ecc, readFile(t, ecc.cert), readFile(t, protected("aes.pem", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", ecc.key)), true},
		"3DES key":             {rsa, readFile(t, rsa.cert), readFile(t, protected("3des.pem", "pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1", "-in", rsa.key)), true},
		"traditional RSA key":  {rsa, readFile(t, rsa.cert), readFile(t, protected("rsa.pem", "rsa", "-traditional", "-aes128", "-in", rsa.key)), true},
		"traditional ECC key":  {ecc, readFile(t, ecc.cert), readFile(t, protected("ec.pem", "ec", "-aes256", "-in", ecc.key)), true},
		"PKCS 12, RSA":         {rsa, base64Of(t, modern), "", true},
		"PKCS 12, ECC":         {ecc, base64Of(t, protected("ecc.p12", pack(ecc)...)), "", true},
		"PKCS 12, old":         {rsa, base64Of(t, protected("old.p12", append(pack(rsa), "-legacy")...)), "", true},
		"PKCS 12, half old":    {ecc, base64Of(t, protected("half.p12", append(pack(ecc), "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")...)), "", true},
		"PKCS 12 of Java":      {rsa, base64Of(t, out("java.p12")), "", true},
		"PKCS 12 of GnuTLS":    {ecc, base64Of(t, out("gnutls.p12")), "", true},
		"PKCS 12, key renewed": {ecc, base64Of(t, protected("again.p12", pack(ecc)...)), readFile(t, ecc.key), true},
	}
	onSQLite(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				tokens.add(middle(c.certificate + "\n" + c.key))
				got := a.must(t, "vedsdk/certificates/import", object{
					"PolicyDN": `\VED\Policy\Workshop`, "ObjectName": "tool " + name, "CertificateData": c.certificate, "PrivateKeyData": c.key, "Password": importPassword,
				})
				dn := `\VED\Policy\Workshop\tool ` + name
				if hasKey := got.get("PrivateKeyVaultId") != ""; got.get("CertificateDN") != dn || hasKey != c.hasKey {
					t.Fatalf("got %v, want %s with a key: %v", got, dn, c.hasKey)
				}
				checkSame(t, a, dn, c.from, c.hasKey)
			})
		}
	})
}

// middle is what one would know a text by that has been cut short.
func middle(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	l := lines[len(lines)/2]
	return l[len(l)/4 : len(l)/4+min(len(l)/2, 40)]
}

// checkSame wants the place to hold this certificate, and its key.
func checkSame(t *testing.T, a *api, dn string, want files, hasKey bool) {
	t.Helper()
	body := object{"CertificateDN": dn, "Format": "Base64"}
	if hasKey {
		body = object{"CertificateDN": dn, "Format": "Base64 (PKCS #8)", "IncludePrivateKey": true, "Password": keyPassword}
	}
	f := files{cert: filepath.Join(t.TempDir(), "got.pem")}
	f.key = writeFile(t, f.cert, a.must(t, "vedsdk/certificates/retrieve", body).file(t))
	if got, want := openssl(t, "x509", "-in", f.cert), openssl(t, "x509", "-in", want.cert); got != want {
		t.Errorf("got the certificate %s, want %s", got, want)
	}
	if hasKey {
		checkKey(t, f, keyPassword)
	}
}

// TestImportRefuses turns away what does not fit together, and shows nothing of it.
func TestImportRefuses(t *testing.T) {
	one, other := foreign(t, "refused.example.org", "rsa:2048"), foreign(t, "refused.example.org", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	p12 := filepath.Join(t.TempDir(), "wrong.p12")
	tokens.add("Not-The-Right-1", middle(readFile(t, one.key)))
	openssl(t, "pkcs12", "-export", "-in", one.cert, "-inkey", one.key, "-passout", "pass:"+importPassword, "-out", p12)
	onBoth(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		for want, body := range map[string]object{
			"Private key mismatch. The private key does not match the certificate.":                                  {"CertificateData": readFile(t, one.cert), "PrivateKeyData": readFile(t, other.key)},
			"Private key processing failure. The service failed to extract the private key.":                         {"CertificateData": base64Of(t, p12), "Password": "Not-The-Right-1"},
			"Certificate processing error. The service failed to parse the certificate data.":                        {"CertificateData": readFile(t, one.key)},
			`PolicyDN error. \VED\Policy\Nowhere does not exist or you do not have sufficient rights to the object.`: {"CertificateData": readFile(t, one.cert), "PolicyDN": `\VED\Policy\Nowhere`},
			"Insufficient Privileges. The certificate object failed to create.":                                      {"CertificateData": readFile(t, one.cert), "PolicyDN": `\VED\Policy\Keep`},
		} {
			if body["PolicyDN"] == nil {
				body["PolicyDN"] = `\VED\Policy\Workshop`
			}
			if got, err := a.post("vedsdk/certificates/import", body); err != nil || got.Status != 400 || got.Phrase != want || got.get("Error") != want {
				t.Errorf("got %v, %v, want %q", got, err, want)
			}
		}
		if a.guid(t, `\VED\Policy\Workshop\refused.example.org`) != "" {
			t.Error("a refused import has left a place behind")
		}
	})
}

// TestLibraryImports takes certificates in as the library does, and fetches them
// with their keys. What was imported with its key is renewed like any other.
func TestLibraryImports(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c, a := connect(t, s, "alice", "Workshop"), login(t, s, "alice")
		f := foreign(t, "moved.example.org", "rsa:2048")
		locked, p12 := filepath.Join(t.TempDir(), "locked.pem"), filepath.Join(t.TempDir(), "all.p12")
		openssl(t, "pkcs8", "-topk8", "-in", f.key, "-passout", "pass:"+importPassword, "-out", locked)
		openssl(t, "pkcs12", "-export", "-in", f.cert, "-inkey", f.key, "-certfile", f.chain, "-passout", "pass:"+importPassword, "-out", p12)
		for name, r := range map[string]*certificate.ImportRequest{
			"without key":   {CertificateData: readFile(t, f.cert)},
			"plain key":     {CertificateData: readFile(t, f.cert), PrivateKeyData: readFile(t, f.key)},
			"encrypted key": {CertificateData: readFile(t, f.cert), PrivateKeyData: readFile(t, locked), Password: importPassword},
			"PKCS 12":       {CertificateData: base64Of(t, p12), Password: importPassword, PolicyDN: `\VED\Policy\Workshop`},
		} {
			r.ObjectName = "moved " + name
			r.CustomFields = []certificate.CustomField{{Name: "Origin", Value: "e2e", Type: certificate.CustomFieldOrigin}}
			got, err := c.ImportCertificate(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			hasKey := name != "without key"
			if got.CertificateDN != `\VED\Policy\Workshop\`+r.ObjectName || got.Guid == "" || got.CertificateVaultId == 0 || (got.PrivateKeyVaultId != 0) != hasKey {
				t.Errorf("%s: got %+v", name, got)
			}
			checkSame(t, a, got.CertificateDN, f, hasKey)
			if origin := a.details(t, got.CertificateDN).Origin; origin != "e2e (+)" {
				t.Errorf("%s: got the origin %q, want what the library has written afterwards", name, origin)
			}
			_, err = c.RetrieveCertificate(&certificate.Request{PickupID: got.CertificateDN, FetchPrivateKey: true, KeyPassword: keyPassword})
			if want := "Failed to lookup private key, error: Failed to lookup private key vault id"; hasKey != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: retrieval with the key: got %v", name, err)
			}
		}

		id, err := c.RenewCertificate(&certificate.RenewalRequest{CertificateDN: `\VED\Policy\Workshop\moved plain key`})
		if err != nil {
			t.Fatal(err)
		}
		cert, _ := retrieve(t, c, &certificate.Request{PickupID: id})
		if len(cert.DNSNames) != 1 || cert.DNSNames[0] != "moved.example.org" || cert.Subject.Locality[0] != "Delft" || cert.CheckSignatureFrom(rootOf(t, s)) == nil {
			t.Errorf("renewed: got %v of %v by %v", cert.DNSNames, cert.Subject, cert.Issuer)
		}
		if _, err := c.ImportCertificate(&certificate.ImportRequest{CertificateData: "nonsense"}); err == nil || !strings.Contains(err.Error(), verror.ServerBadDataResponce.Error()) {
			t.Errorf("nonsense: got %v, want %v", err, verror.ServerBadDataResponce)
		}
	})
}

// TestImportReconciles keeps the younger certificate in use and the older one as
// history, whichever comes first, from where it can still be had with its key.
func TestImportReconciles(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c, a, dn := connect(t, s, "alice", "Workshop"), login(t, s, "alice"), `\VED\Policy\Workshop\two.example.org`
		young, old := selfSigned(t, "two.example.org", time.Hour), selfSigned(t, "two.example.org", 48*time.Hour)
		var vault int
		for _, f := range []files{young, old} {
			got, err := c.ImportCertificate(&certificate.ImportRequest{
				ObjectName: "two.example.org", CertificateData: readFile(t, f.cert), PrivateKeyData: readFile(t, f.key), Reconcile: true,
			})
			if err != nil || got.CertificateDN != dn {
				t.Fatalf("got %+v, %v", got, err)
			}
			vault = got.CertificateVaultId
		}
		checkSame(t, a, dn, young, true)
		past := a.history(t, dn)
		if len(past) != 1 || past[0].VaultId != vault {
			t.Fatalf("history: got %v, want the older one, %d", past, vault)
		}
		f := files{cert: filepath.Join(t.TempDir(), "old.pem")}
		f.key = writeFile(t, f.cert, a.must(t, fmt.Sprint("vedsdk/certificates/retrieve/", vault), object{
			"Format": "Base64 (PKCS #8)", "IncludePrivateKey": true, "Password": keyPassword,
		}).file(t))
		checkKey(t, f, keyPassword)
		if serial(t, f.cert) != serial(t, old.cert) {
			t.Error("the certificate kept as history is another one")
		}
	})
}

// selfSigned makes a certificate that has been valid for a while.
func selfSigned(t *testing.T, name string, since time.Duration) files {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-since), NotAfter: time.Now().AddDate(0, 1, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := filesIn(t.TempDir())
	writeFile(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	writeFile(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return f
}
