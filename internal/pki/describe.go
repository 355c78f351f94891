package pki

import (
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certwright/certwright/internal/clm"
)

// Identity is what a certificate is known by.
type Identity struct {
	Names               clm.Names
	Serial              string // whole octets, without the zero octet that DER adds as a sign
	Thumbprint          string // SHA-1 over the certificate
	NotBefore, NotAfter time.Time
	KeyHash             []byte // PublicKeyHash
}

// Identify reads what the certificate is known by. Names that it does not
// understand it leaves out.
func Identify(cert *x509.Certificate) Identity {
	names, _ := ReadNames(cert.RawSubject, cert.Extensions) // as far as it can be read
	return Identity{
		Names: names, Serial: Serial(cert), Thumbprint: Thumbprint(cert.Raw),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, KeyHash: hashOf(cert.RawSubjectPublicKeyInfo),
	}
}

// SubjectName is the subject of a certificate, DER, as FormatName prints it; empty
// where it cannot be read.
func SubjectName(der []byte) string {
	subject, _, ok := namesIn(der)
	if !ok {
		return ""
	}
	return FormatName(subject)
}

// CommonName is the common name in a certificate, DER; empty where there is none.
func CommonName(der []byte) string {
	subject, _, ok := namesIn(der)
	if !ok {
		return ""
	}
	names, _ := ReadNames(subject, nil) // as far as it can be read
	return names.CommonName
}

// Details are the facts of a certificate, in the forms in which certificate
// administrators know them from Windows: names as FormatName prints them, hex in
// upper case without separators.
type Details struct {
	Identity
	Subject, Issuer       string
	Key                   KeySpec
	SignatureAlgorithm    string // sha256RSA; of an unknown algorithm, its OID
	SignatureAlgorithmOID string
	KeyUsage              string   // "KeyEncipherment, DigitalSignature"
	EnhancedKeyUsage      []string // "Server Authentication(1.3.6.1.5.5.7.3.1)"
	AIAIssuers            []string // "0:http://…", where the issuer's certificate is found
	CRLs                  []string // "0::False:http://…", where its revocation lists are found
	SubjectKeyID          string
	AuthorityKeyID        string
}

// signatureNames are the friendly names of signature algorithms in Windows.
var signatureNames = map[string]string{
	"1.2.840.113549.1.1.4":  "md5RSA",
	"1.2.840.113549.1.1.5":  "sha1RSA",
	"1.2.840.113549.1.1.10": "RSASSA-PSS",
	"1.2.840.113549.1.1.11": "sha256RSA",
	"1.2.840.113549.1.1.12": "sha384RSA",
	"1.2.840.113549.1.1.13": "sha512RSA",
	"1.2.840.10045.4.1":     "sha1ECDSA",
	"1.2.840.10045.4.3.2":   "sha256ECDSA",
	"1.2.840.10045.4.3.3":   "sha384ECDSA",
	"1.2.840.10045.4.3.4":   "sha512ECDSA",
}

// keyUsages are the usages in the order in which .NET lists them.
var keyUsages = []struct {
	usage x509.KeyUsage
	name  string
}{
	{x509.KeyUsageEncipherOnly, "EncipherOnly"},
	{x509.KeyUsageCRLSign, "CrlSign"},
	{x509.KeyUsageCertSign, "KeyCertSign"},
	{x509.KeyUsageKeyAgreement, "KeyAgreement"},
	{x509.KeyUsageDataEncipherment, "DataEncipherment"},
	{x509.KeyUsageKeyEncipherment, "KeyEncipherment"},
	{x509.KeyUsageContentCommitment, "NonRepudiation"},
	{x509.KeyUsageDigitalSignature, "DigitalSignature"},
	{x509.KeyUsageDecipherOnly, "DecipherOnly"},
}

// enhancedNames are the friendly names of enhanced key usages in Windows.
var enhancedNames = map[string]string{
	"1.3.6.1.5.5.7.3.1":       "Server Authentication",
	"1.3.6.1.5.5.7.3.2":       "Client Authentication",
	"1.3.6.1.5.5.7.3.3":       "Code Signing",
	"1.3.6.1.5.5.7.3.4":       "Secure Email",
	"1.3.6.1.5.5.7.3.5":       "IP security end system",
	"1.3.6.1.5.5.7.3.6":       "IP security tunnel termination",
	"1.3.6.1.5.5.7.3.7":       "IP security user",
	"1.3.6.1.5.5.7.3.8":       "Time Stamping",
	"1.3.6.1.5.5.7.3.9":       "OCSP Signing",
	"1.3.6.1.5.5.8.2.2":       "IP security IKE intermediate",
	"1.3.6.1.5.2.3.5":         "KDC Authentication",
	"1.3.6.1.4.1.311.10.3.4":  "Encrypting File System",
	"1.3.6.1.4.1.311.10.3.12": "Document Signing",
	"1.3.6.1.4.1.311.20.2.2":  "Smart Card Logon",
	"2.5.29.37.0":             "Any Purpose",
}

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// Describe reads the facts of a certificate. What it does not understand it
// leaves empty.
func Describe(cert *x509.Certificate) Details {
	oid := signatureOID(cert.Raw)
	return Details{
		Identity:              Identify(cert),
		Subject:               FormatName(cert.RawSubject),
		Issuer:                FormatName(cert.RawIssuer),
		Key:                   SpecOf(cert.PublicKey),
		SignatureAlgorithm:    nameOr(signatureNames, oid),
		SignatureAlgorithmOID: oid,
		KeyUsage:              formatKeyUsage(cert.KeyUsage),
		EnhancedKeyUsage:      enhancedKeyUsage(cert.Extensions),
		AIAIssuers:            numbered("%d:%s", cert.IssuingCertificateURL),
		CRLs:                  numbered("%d::False:%s", cert.CRLDistributionPoints),
		SubjectKeyID:          upperHex(cert.SubjectKeyId),
		AuthorityKeyID:        upperHex(cert.AuthorityKeyId),
	}
}

// Thumbprint is the SHA-1 over a certificate, DER, in upper-case hex. It names
// certificates and protects nothing.
func Thumbprint(cert []byte) string {
	sum := sha1.Sum(cert)
	return upperHex(sum[:])
}

// Serial is the serial number in upper-case hex, in whole octets and without the
// zero octet that DER adds as a sign (RFC 5280, section 4.1.2.2).
func Serial(cert *x509.Certificate) string { return formatSerial(cert.SerialNumber) }

// formatSerial is for numbers that are not negative.
func formatSerial(n *big.Int) string {
	if n.Sign() == 0 {
		return "00"
	}
	return upperHex(n.Bytes())
}

// signatureOID is the algorithm that a certificate, DER, is signed with. It is
// read here because crypto/x509 keeps only those algorithms that it knows.
func signatureOID(cert []byte) string {
	in := cryptobyte.String(cert)
	var outer, tbs, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&outer, tag.SEQUENCE) || !outer.ReadASN1(&tbs, tag.SEQUENCE) ||
		!outer.ReadASN1(&algorithm, tag.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return oid.String()
}

// SignatureName is the friendly name of the algorithm that a certificate is signed
// with; of an unknown one, its OID.
func SignatureName(cert *x509.Certificate) string {
	return nameOr(signatureNames, signatureOID(cert.Raw))
}

func formatKeyUsage(usage x509.KeyUsage) string {
	var names []string
	for _, u := range keyUsages {
		if usage&u.usage != 0 {
			names = append(names, u.name)
		}
	}
	return strings.Join(names, ", ")
}

// enhancedKeyUsage lists the usages in the certificate's own order, which
// crypto/x509 does not keep.
func enhancedKeyUsage(extensions []pkix.Extension) []string {
	var usages []string
	for _, oid := range usageOIDs(extensions) {
		usages = append(usages, enhancedNames[oid]+"("+oid+")")
	}
	return usages
}

// usageOIDs are the OIDs of enhanced key usages (RFC 5280, section 4.2.1.12).
func usageOIDs(extensions []pkix.Extension) []string {
	var all []string
	for _, ext := range extensions {
		var oids []asn1.ObjectIdentifier
		if !ext.Id.Equal(oidExtKeyUsage) || !parse(ext.Value, &oids) {
			continue
		}
		for _, oid := range oids {
			all = append(all, oid.String())
		}
	}
	return all
}

// numbered formats each text with its index.
func numbered(format string, texts []string) []string {
	var out []string
	for i, text := range texts {
		out = append(out, fmt.Sprintf(format, i, text))
	}
	return out
}

func nameOr(names map[string]string, oid string) string {
	if name, ok := names[oid]; ok {
		return name
	}
	return oid
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }
