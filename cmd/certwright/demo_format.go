package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"

	"github.com/certwright/certwright/internal/pki"
)

// demoAlias is the name of the entry in a Java keystore.
const demoAlias = "shop"

// demoFormats are the formats in which certificates are handed out: what a client
// asks for beside the format, and how it opens what it gets.
var demoFormats = []struct {
	name string
	ask  map[string]any
	open func(file []byte, password string) (contents string, err error)
}{
	{"Base64", map[string]any{"IncludePrivateKey": true}, openPEM},
	{"Base64 (PKCS #8)", map[string]any{"IncludePrivateKey": true}, openPEM},
	{"DER", nil, openBinary},
	{"PKCS #7", nil, openBinary},
	{"PKCS #12", nil, openBinary},
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
			contents, err := f.open(file, d.keyPass)
			if err != nil {
				return "", fmt.Errorf("open %s: %w", f.name, err)
			}
			return fmt.Sprintf("%s, %d bytes: %s", answer["Filename"], len(file), contents), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// openPEM finds the certificates in PEM and the private key among them.
func openPEM(file []byte, password string) (string, error) {
	return contents(pki.ParseImport(string(file), file, []byte(password)))
}

func openBinary(file []byte, password string) (string, error) {
	return contents(pki.ParseImport(base64.StdEncoding.EncodeToString(file), nil, []byte(password)))
}

func contents(b pki.Bundle, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text := "1 certificate"
	if len(b.Chain) > 0 {
		text = fmt.Sprintf("%d certificates", 1+len(b.Chain))
	}
	if b.Key != nil {
		text += " and the private key"
	}
	return text, nil
}

// jksMagic begins every Java keystore; its version and the number of its entries
// follow.
const jksMagic = 0xfeedfeed

// openJKS looks at the beginning of a Java keystore: Certwright reads none.
func openJKS(file []byte, _ string) (string, error) {
	const header = 12
	if len(file) < header || binary.BigEndian.Uint32(file) != jksMagic {
		return "", errors.New("it is no keystore")
	}
	entries := binary.BigEndian.Uint32(file[8:])
	if entries != 1 {
		return "", fmt.Errorf("it has %d entries", entries)
	}
	return "a keystore with 1 entry, " + demoAlias, nil
}
