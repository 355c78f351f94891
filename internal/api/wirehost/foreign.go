package wirehost

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// foreignPassword opens what foreign has locked.
const foreignPassword = "Abcdefgh-123"

// foreign makes a certificate that somebody else has issued: VAR is its base64,
// VAR.pem its PEM with \n spelled out, VAR.file the PEM as it is handed out,
// VAR.chain the PEM with its issuer, VAR.key its key as PEM, VAR.locked the key under
// foreignPassword, VAR.p12 a PKCS #12 file under it, VAR.thumbprint its thumbprint.
func (h *Host) foreign(args []string) error {
	key, err := pki.GenerateKey(keySpecs[args[1]])
	if err != nil {
		return err
	}
	h.Rig.Secret(secret.NewString(foreignPassword))
	names, rest := namesFrom(args[2:])
	leaf := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now()}
	if leaf.RawSubject, err = pki.Subject(names); err != nil {
		return err
	}
	san, has, err := pki.AlternativeNames(names)
	if err != nil {
		return err
	}
	if has {
		leaf.ExtraExtensions = []pkix.Extension{san}
	}
	for _, arg := range rest {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "ago":
			ago, err := time.ParseDuration(value)
			if err != nil {
				return err
			}
			leaf.NotBefore = leaf.NotBefore.Add(-ago)
		case "serial":
			if _, ok := leaf.SerialNumber.SetString(strings.ReplaceAll(value, ":", ""), 16); !ok {
				return errors.New("no such serial number: " + value)
			}
		case "eku":
			leaf.UnknownExtKeyUsage = append(leaf.UnknownExtKeyUsage, oidFrom(value))
		default:
			return errors.New("no such thing: " + arg)
		}
	}
	leaf.NotAfter = leaf.NotBefore.AddDate(1, 0, 0)
	caKey, err := pki.GenerateKey(keySpecs["p256"])
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Foreign CA"}, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	bundle := pki.Bundle{Cert: der, Chain: [][]byte{caDER}, Key: key, Password: []byte(foreignPassword)}
	locked, err := pki.EncodePEM(pki.Bundle{Cert: der, Key: key, Password: bundle.Password}, pki.PEMOptions{PKCS8: true})
	if err != nil {
		return err
	}
	p12, err := pki.EncodePKCS12(bundle, 0)
	if err != nil {
		return err
	}
	plain, err := pki.MarshalKey(key)
	if err != nil {
		return err
	}
	h.Rig.Secret(secret.NewPlain(plain))
	_, lockedKey := pem.Decode(locked)
	block := func(label string, der []byte) string {
		return strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})), "\n", `\n`)
	}
	certificate := block("CERTIFICATE", der)
	for name, value := range map[string]string{
		"": base64.StdEncoding.EncodeToString(der), ".pem": certificate, ".chain": certificate + block("CERTIFICATE", caDER),
		".key": block("PRIVATE KEY", plain), ".locked": strings.ReplaceAll(string(lockedKey), "\r\n", `\n`),
		".file": base64.StdEncoding.EncodeToString([]byte(strings.NewReplacer(`\n`, "\r\n").Replace(certificate))),
		".p12":  base64.StdEncoding.EncodeToString(p12), ".thumbprint": pki.Thumbprint(der),
	} {
		h.Wire.Vars[args[0]+name] = value
	}
	return nil
}

func oidFrom(dotted string) (oid asn1.ObjectIdentifier) {
	for part := range strings.SplitSeq(dotted, ".") {
		n, _ := strconv.Atoi(part) // setups have good ones
		oid = append(oid, n)
	}
	return oid
}
