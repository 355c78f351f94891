package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A form is one in which certificates are handed out: what is asked for, and how it
// is taken apart again. What has no key has no key file.
type form struct {
	format    string
	ask       object
	mime      string
	extension string
	unpack    func(t *testing.T, file string) files
}

var forms = map[string]form{
	"traditional PEM": {"Base64", object{"IncludePrivateKey": true, "Password": keyPassword, "IncludeChain": true}, "application/x-pem-file", ".pem",
		func(t *testing.T, file string) files {
			for _, mark := range []string{" PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "subject=CN="} {
				if text := strings.ReplaceAll(readFile(t, file), "\r", ""); !strings.Contains(text, mark) {
					t.Errorf("got %s, want %q in it", text, mark)
				}
			}
			return unpackPEM(t, readFile(t, file))
		}},
	"PEM without a key": {"base64", object{}, "application/x-pem-file", ".cer",
		func(t *testing.T, file string) files { return files{cert: file} }},
	"PKCS 8": {"Base64 (PKCS #8)", object{"IncludePrivateKey": true, "Password": keyPassword, "IncludeChain": true}, "application/x-pem-file", ".pem",
		func(t *testing.T, file string) files {
			f := unpackPEM(t, readFile(t, file))
			certtool(t, "--key-info", "--pkcs8", "--password", keyPassword, "--infile", keyBlock(t, file))
			return f
		}},
	"DER": {"DER", object{"IncludeChain": true}, "application/x-x509-ca-cert", ".cer",
		func(t *testing.T, file string) files {
			openssl(t, "x509", "-inform", "DER", "-in", file, "-out", file+".pem")
			return files{cert: file + ".pem"}
		}},
	"PKCS 7": {"PKCS #7", object{"IncludeChain": true}, "application/x-pkcs7-certificates", ".p7b",
		func(t *testing.T, file string) files {
			openssl(t, "pkcs7", "-inform", "DER", "-print_certs", "-in", file, "-out", file+".pem")
			if info := certtool(t, "--p7-info", "--inder", "--infile", file); !strings.Contains(info, "Number of certificates: 3") && strings.Count(info, "BEGIN CERTIFICATE") != 3 {
				t.Errorf("certtool sees %s, want three certificates", info)
			}
			_, chain, _ := strings.Cut(readFile(t, file+".pem"), "-----END CERTIFICATE-----")
			return files{cert: file + ".pem", chain: writeFile(t, file+".chain", []byte(chain))}
		}},
	"PKCS 12": {"PKCS #12", object{"Password": keyPassword, "IncludeChain": true}, "application/x-pkcs12", ".p12",
		func(t *testing.T, file string) files {
			certtool(t, "--p12-info", "--inder", "--password", keyPassword, "--infile", file)
			if list := keytool(t, "-list", "-keystore", file, "-storetype", "PKCS12", "-storepass", keyPassword); !strings.Contains(list, "PrivateKeyEntry") {
				t.Errorf("keytool sees %s, want an entry with a key", list)
			}
			return unpackPKCS12(t, file, keyPassword)
		}},
	"PKCS 12 for old software": {"PKCS#12", object{"Password": keyPassword, "IncludeChain": true, "EncryptionAlgorithm": "1.2.840.113549.1.12.1.3", "FriendlyName": "old"}, "application/x-pkcs12", ".p12",
		func(t *testing.T, file string) files {
			if info := openssl(t, "pkcs12", "-in", file, "-passin", "pass:"+keyPassword, "-info", "-noout"); !strings.Contains(info, "pbeWithSHA1And3-KeyTripleDES-CBC") {
				t.Errorf("openssl sees %s, want 3DES", info)
			}
			return unpackPKCS12(t, file, keyPassword)
		}},
	"JKS": {"JKS", object{"Password": keyPassword, "KeystorePassword": storePassword, "FriendlyName": "till", "IncludeChain": true}, "application/octet-stream", ".jks",
		func(t *testing.T, file string) files {
			return javaStore{file, "till", storePassword, keyPassword}.unpack(t)
		}},
}

// keyBlock writes the private key of a PEM file into a file of its own.
func keyBlock(t *testing.T, file string) string {
	t.Helper()
	_, rest, _ := strings.Cut(readFile(t, file), "-----BEGIN ENCRYPTED PRIVATE KEY-----")
	body, _, _ := strings.Cut(rest, "-----END ENCRYPTED PRIVATE KEY-----")
	return writeFile(t, file+".key", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----"+body+"-----END ENCRYPTED PRIVATE KEY-----\n"))
}

// check takes the file apart and looks at it. Where it brings no chain, that one is
// taken.
func (f form) check(t *testing.T, s *server, content []byte, name, chain string) files {
	t.Helper()
	got := f.unpack(t, writeFile(t, filepath.Join(t.TempDir(), "file"), content))
	if got.chain == "" {
		got.chain = chain
	}
	checkChain(t, got)
	checkCert(t, s, got, name, name)
	if got.key != "" {
		checkKey(t, got, "")
	}
	return got
}

// TestRenewsInEveryFormat waits for each renewal and takes what came of it apart
// with other people's tools.
func TestRenewsInEveryFormat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		a := login(t, s, "alice")
		for algorithm, name := range map[string]string{"RSA": "form-rsa.example.org", "ECC": "form-ecc.example.org"} {
			t.Run(algorithm, func(t *testing.T) {
				t.Parallel()
				dn := `\VED\Policy\Open\` + name
				first := enrol(t, a, object{"PolicyDN": `\VED\Policy\Open`, "Subject": name, "KeyAlgorithm": algorithm})
				seen := []string{serial(t, first.cert)}
				for kind, f := range forms {
					body := maps.Clone(f.ask)
					body["CertificateDN"], body["Format"], body["WorkToDoTimeout"] = dn, f.format, 60
					got := a.must(t, "vedsdk/certificates/renew", body)
					if got.get("Success") != "true" || got.get("Format") != f.format || got.get("Filename") != name+f.extension {
						t.Errorf("%s: got %s as %s, want %s as %s", kind, got.get("Filename"), got.get("Format"), name+f.extension, f.format)
					}
					now := serial(t, f.check(t, s, got.file(t), name, first.chain).cert)
					if slices.Contains(seen, now) {
						t.Errorf("%s: got the certificate %s again", kind, now)
					}
					seen = append(seen, now)
				}
				if past := a.history(t, dn); len(past) != len(forms) {
					t.Errorf("got %d previous versions, want %d", len(past), len(forms))
				}
			})
		}
	})
}

// TestDownloadsFiles fetches the files themselves, by calls whose passwords stand in
// their URLs.
func TestDownloadsFiles(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		a, dn, name := login(t, s, "alice"), `\VED\Policy\Open\download.example.org`, "download.example.org"
		order := enrol(t, a, object{"PolicyDN": `\VED\Policy\Open`, "Subject": name, "KeyAlgorithm": "ECC"})
		for kind, f := range forms {
			query := url.Values{"CertificateDN": {dn}, "Format": {f.format}}
			for name, value := range f.ask {
				query.Set(name, fmt.Sprint(value))
			}
			got, err := a.get("vedsdk/certificates/retrieve?" + query.Encode())
			if want := `attachment; filename="` + name + f.extension + `"`; err != nil || got.Status != http.StatusOK ||
				got.Header.Get("Content-Type") != f.mime || got.Header.Get("Content-Disposition") != want {
				t.Errorf("%s: got %d with %v, %v, want %s and %s", kind, got.Status, got.Header, err, f.mime, want)
				continue
			}
			if now := f.check(t, s, got.Body, name, order.chain); serial(t, now.cert) != serial(t, order.cert) {
				t.Errorf("%s: got another certificate", kind)
			}
		}
	})
}
