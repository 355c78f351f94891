package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/smallstep/pkcs7"
	"software.sslmate.com/src/go-pkcs12"
)

// demoAlias is the name of the entry in a Java keystore.
const demoAlias = "shop"

// demoFormats are the formats in which certificates are handed out: what a client
// asks for beside the format, and how it opens what it gets.
var demoFormats = []struct {
	name string
	ask  map[string]any
	open func(file []byte, password string) (keys, certs int, err error)
}{
	{"Base64", map[string]any{"IncludePrivateKey": true}, openPEM},
	{"Base64 (PKCS #8)", map[string]any{"IncludePrivateKey": true}, openPEM},
	{"DER", nil, openDER},
	{"PKCS #7", nil, openPKCS7},
	{"PKCS #12", nil, openPKCS12},
	{"JKS", map[string]any{"IncludePrivateKey": true, "FriendlyName": demoAlias}, openJKS},
}

// renewInFormats renews the certificate once in each format.
func (d *demonstration) renewInFormats(ctx context.Context, dn string) error {
	d.begin("Renew it in every format, and open what comes")
	for _, f := range demoFormats {
		body := map[string]any{"CertificateDN": dn, "Format": f.name, "IncludeChain": true, "WorkToDoTimeout": 30, "Password": d.keyPass}
		maps.Copy(body, f.ask)
		if f.name == "JKS" {
			body["KeystorePassword"] = d.keyPass
		}
		_, err := d.send(ctx, 200, "POST", "/vedsdk/Certificates/Renew", body, func(answer map[string]any) (string, error) {
			text, _ := answer["CertificateData"].(string)
			file, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return "", err
			}
			keys, certs, err := f.open(file, d.keyPass)
			if err != nil {
				return "", fmt.Errorf("open %s: %w", f.name, err)
			}
			return fmt.Sprintf("%s, %d bytes: %s", answer["Filename"], len(file), contents(keys, certs)), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func contents(keys, certs int) string {
	text := "1 certificate"
	if certs != 1 {
		text = fmt.Sprintf("%d certificates", certs)
	}
	if keys > 0 {
		text += " and the private key"
	}
	return text
}

func openPEM(file []byte, _ string) (keys, certs int, err error) {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			keys++
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return keys, certs, err
		}
		certs++
	}
	return keys, certs, nil
}

func openDER(file []byte, _ string) (keys, certs int, err error) {
	_, err = x509.ParseCertificate(file)
	return 0, 1, err
}

func openPKCS7(file []byte, _ string) (keys, certs int, err error) {
	p, err := pkcs7.Parse(file)
	if err != nil {
		return 0, 0, err
	}
	return 0, len(p.Certificates), nil
}

func openPKCS12(file []byte, password string) (keys, certs int, err error) {
	_, _, above, err := pkcs12.DecodeChain(file, password)
	return 1, 1 + len(above), err
}

func openJKS(file []byte, password string) (keys, certs int, err error) {
	store := keystore.New()
	if err := store.Load(bytes.NewReader(file), []byte(password)); err != nil {
		return 0, 0, err
	}
	if !store.IsPrivateKeyEntry(demoAlias) {
		return 0, 0, errors.New("the entry is missing")
	}
	entry, err := store.GetPrivateKeyEntry(demoAlias, []byte(password))
	return 1, len(entry.CertificateChain), err
}
