package avx

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// A certificate is a record as searches show it. Clients read members by their type: what
// is not known is an empty text, zero or an empty list, never null.
type certificate struct {
	ResourceID         string `json:"resourceId"`
	UUID               string `json:"uuid"`
	CommonName         string `json:"commonName"`
	SerialNumber       string `json:"serialNumber"` // empty until there is a certificate, as all that only that says
	IssuerCommonName   string `json:"issuerCommonName"`
	Status             string `json:"status"`
	AvxStatus          string `json:"avxStatus"`
	ExpiryStatus       string `json:"expiryStatus"`
	ValidFrom          int64  `json:"validFrom"` // milliseconds since 1970
	ValidTo            int64  `json:"validTo"`
	ValidFor           string `json:"validFor"`
	Group              string `json:"group"`
	Permission         string `json:"permission"`
	Category           string `json:"category"`
	CertificateAuthor  string `json:"certificateAuthority"`
	Type               string `json:"type"`
	CSRGenerationSrc   string `json:"csrGenerationSource"`
	KeyAlgorithmSize   string `json:"keyAlgorithmAndSize"`
	SignatureAlgorithm string `json:"signatureAlgorithm"`
	SignatureHash      string `json:"signatureHashAlgorithm"`
	KeyUsage           string `json:"keyUsage"`
	ExtendedKeyUsage   string `json:"extendedKeyUsage"`
	BasicConstraints   string `json:"basicConstraints"`
	Version            string `json:"version"`
	PublicKey          string `json:"publicKey"` // base64
	Thumbprint         string `json:"thumbPrint"`
	ThumbprintAlg      string `json:"thumbprintAlgorithm"`
	SubjectKeyID       string `json:"subjectKeyIdentifier"`
	AuthorityKeyID     string `json:"authorityKeyIdentifier"`
	IssuerSerial       string `json:"issuerSerialNumber"`
	Subject            string `json:"subject"`
	SubjectO           string `json:"subjectOrganization"`
	SubjectOU          string `json:"subjectOrganizationUnit"`
	SubjectL           string `json:"subjectLocality"`
	SubjectST          string `json:"subjectState"`
	SubjectC           string `json:"subjectCountry"`
	MailAddress        string `json:"mailAddress"`
	StreetAddress      string `json:"streetAddress"`
	PostalCode         string `json:"postalCode"`
	IssuerO            string `json:"issuerOrganization"`
	IssuerOU           string `json:"issuerOrganizationUnit"`
	IssuerL            string `json:"issuerLocality"`
	IssuerST           string `json:"issuerState"`
	IssuerC            string `json:"issuerCountry"`
	ComplianceStatus   string `json:"complianceStatus"`
	AutoRenewDate      string `json:"autoRenewDate"`
	MissingForRenewal  string `json:"missingParamsForAutoRenew"`
	OrderID            string `json:"orderId"`

	FirstDiscovery      int64   `json:"firstDiscoveryDate"`
	LastBeforeDiscovery int64   `json:"lastBeforeDiscoveryDate"`
	LastDiscovery       int64   `json:"lastDiscoveryDate"`
	SANCount            int     `json:"cumulativeSanCount"`
	ChainPriority       int     `json:"chainPriority"`
	CVSS                float64 `json:"cvss"`
	CSRAvailable        bool    `json:"csrAvailable"`
	Suspended           bool    `json:"suspendedCertificate"`
	IssuedByRoot        bool    `json:"issuedByRootCertificate"`
	KeyAvailable        bool    `json:"privatekeyAvaliable"` // spelled so on the wire

	RequestIDs          []string `json:"requestIds"`
	SANs                []string `json:"subjectAlternativeNames"`
	AssociatedObjects   []string `json:"associatedObjects"`
	DiscoverySources    []string `json:"discoverySources"`
	Applications        []string `json:"applications"`
	NewConnectors       []string `json:"newConnectors"`
	PolicyIdentifiers   []string `json:"policyIdentifiers"`
	CertificatePolicies []string `json:"certificatePolicies"`
	AuthorityInfo       []string `json:"authorityInfoAccess"`
	CRLs                []string `json:"crlDistributionPoints"`

	HSM    hsmDetails `json:"certificateHSMDetails"`
	Device struct{}   `json:"deviceDetails"`
}

type hsmDetails struct {
	AutoFilled bool `json:"autoFilled"`
}

// The words of the tables below that come in several of them.
const (
	wordNew     = "New Certificate"
	wordRevoked = "Revoked"
)

// statusWords are the words for how a record stands.
var statusWords = map[core.RecordStatus]string{
	core.StatusPending: wordNew, core.StatusManaged: "Managed", core.StatusMonitored: "Monitored",
	core.StatusRevoked: wordRevoked, core.StatusFailed: "Failed", core.StatusRejected: "Rejected",
}

// categories are the words for what certificates are for.
var categories = map[core.RecordKind]string{
	core.ServerRecord: "Server", core.ClientRecord: "Client", core.CodeRecord: "Code Signing",
	core.RootRecord: "Root CA", core.AboveRecord: "Intermediate CA", core.DeviceRecord: "Device",
}

// expiresSoon is how long before its end a certificate is said to be about to expire.
const expiresSoon = 30 * 24 * time.Hour

// certificateOf is the record as searches show it.
func certificateOf(r *core.RecordView) certificate {
	o := certificate{
		ResourceID: r.ID, UUID: r.UUID, CommonName: r.CommonName, Status: statusWords[r.Status()], AvxStatus: statusWords[core.StatusMonitored],
		ExpiryStatus: expiry(r), Group: r.Group, Permission: "R", Category: categories[r.Kind], Type: "X.509", CertificateAuthor: vendorOf(r),
		CSRAvailable: len(r.Version.CSR) > 0, Suspended: r.Revocation.IsHeld(), KeyAvailable: r.HasKey, OrderID: r.Version.Ref, CSRGenerationSrc: csrSource(r),
		RequestIDs: []string{}, SANs: []string{}, AssociatedObjects: []string{}, DiscoverySources: []string{}, Applications: []string{}, NewConnectors: []string{},
		PolicyIdentifiers: []string{}, CertificatePolicies: []string{}, AuthorityInfo: []string{}, CRLs: []string{},
	}
	if r.Managed {
		o.AvxStatus = statusWords[core.StatusManaged]
	}
	if r.Rights.Has(clm.Write) {
		o.Permission = "RW"
	}
	for _, w := range r.Orders {
		o.RequestIDs = append(o.RequestIDs, "R"+requestID(w.ID))
	}
	if r.State == core.RecordIssued {
		o.issued(r)
	}
	return o
}

// expiry is what the record says of the end of its certificate.
func expiry(r *core.RecordView) string {
	status := r.Status()
	switch left := r.Version.NotAfter.Sub(r.Now); {
	case status != core.StatusManaged && status != core.StatusMonitored:
		return statusWords[status]
	case left < 0:
		return "Expired"
	case r.Revocation.IsHeld():
		return "Suspended"
	case left <= expiresSoon:
		return "Expiry in 30 days"
	}
	return "Valid"
}

// vendorOf is who issues, by the name that the vendor goes by first.
func vendorOf(r *core.RecordView) string {
	switch {
	case len(r.Vendors) > 0:
		return r.Vendors[0]
	case r.IsOrdered:
		return vendors[0][0]
	}
	return ""
}

// csrSource says where the signing request was made, as requests for certificates say it.
func csrSource(r *core.RecordView) string {
	switch {
	case !r.Version.UserCSR && (r.State != core.RecordIssued || len(r.Version.CSR) > 0):
		return "appviewx"
	case r.Version.UserCSR && len(r.Version.CSR) > 0:
		return "uploadCSR"
	}
	return "" // it came with its certificate
}

// issued adds what the certificate says.
func (o *certificate) issued(r *core.RecordView) {
	v := r.Version
	o.SerialNumber, o.ValidFrom, o.ValidTo = colons(v.Serial), v.NotBefore.UnixMilli(), v.NotAfter.UnixMilli()
	o.ValidFor = fmt.Sprintf("%d days", max(int64(v.NotAfter.Sub(r.Now)/(24*time.Hour)), 0))
	o.Thumbprint, o.ThumbprintAlg = v.Thumbprint, "SHA1"
	cert, err := x509.ParseCertificate(v.Cert)
	if err != nil {
		return // it is known by its dates and numbers alone
	}
	d := pki.Describe(cert)
	o.Subject, o.KeyUsage, o.ExtendedKeyUsage = d.Subject, d.KeyUsage, strings.Join(d.EnhancedKeyUsage, ", ")
	o.SignatureAlgorithm, o.SignatureHash = d.SignatureAlgorithm, hashIn(d.SignatureAlgorithm)
	o.KeyAlgorithmSize, o.PublicKey = keyText(d.Key), base64.StdEncoding.EncodeToString(cert.RawSubjectPublicKeyInfo)
	o.SubjectKeyID, o.AuthorityKeyID = d.SubjectKeyID, d.AuthorityKeyID
	o.Version, o.BasicConstraints = fmt.Sprint(cert.Version), "CA:FALSE"
	if cert.BasicConstraintsValid && cert.IsCA {
		o.BasicConstraints = "CA:TRUE"
	}
	n := d.Names
	o.SubjectO, o.SubjectOU, o.SubjectL, o.SubjectST, o.SubjectC = n.Organization, strings.Join(n.OrganizationalUnit, ", "), n.Locality, n.Province, n.Country
	o.StreetAddress, o.PostalCode, o.MailAddress = strings.Join(cert.Subject.StreetAddress, ", "), strings.Join(cert.Subject.PostalCode, ", "), mailIn(cert)
	for _, names := range [][]string{n.DNS, n.Email, n.IP, n.URI, n.UPN} {
		o.SANs = append(o.SANs, names...)
	}
	o.SANCount = len(o.SANs)
	o.AuthorityInfo, o.CRLs = append(o.AuthorityInfo, cert.IssuingCertificateURL...), append(o.CRLs, cert.CRLDistributionPoints...)
	for _, id := range cert.PolicyIdentifiers {
		o.PolicyIdentifiers = append(o.PolicyIdentifiers, id.String())
	}
	o.issuedBy(cert, r.Chain)
}

// issuedBy adds what is known of the issuer.
func (o *certificate) issuedBy(cert *x509.Certificate, chain [][]byte) {
	by, _ := pki.ReadNames(cert.RawIssuer, nil) // as far as it can be read
	o.IssuerCommonName, o.IssuerO, o.IssuerOU = by.CommonName, by.Organization, strings.Join(by.OrganizationalUnit, ", ")
	o.IssuerL, o.IssuerST, o.IssuerC = by.Locality, by.Province, by.Country
	if len(chain) == 0 {
		return
	}
	if issuer, err := x509.ParseCertificate(chain[0]); err == nil {
		o.IssuerSerial = colons(pki.Serial(issuer))
		o.IssuedByRoot = len(chain) == 1 && string(issuer.RawSubject) == string(issuer.RawIssuer)
	}
}

// mailIn is the address in the subject.
func mailIn(cert *x509.Certificate) string {
	for _, a := range cert.Subject.Names {
		if a.Type.String() == "1.2.840.113549.1.9.1" {
			return fmt.Sprint(a.Value)
		}
	}
	return ""
}

// keyText is the kind of a key with its size: RSA 2048, EC 256.
func keyText(k pki.KeySpec) string {
	algorithm := k.Algorithm
	if algorithm == clm.ECC {
		algorithm = "EC"
	}
	if size := k.Size(); size > 0 {
		return fmt.Sprintf("%s %d", algorithm, size)
	}
	return algorithm
}

// hashIn is the hash function that a signature algorithm is made with.
func hashIn(algorithm string) string {
	for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
		if strings.HasPrefix(algorithm, hash) {
			return strings.ToUpper(hash)
		}
	}
	return ""
}

// colons is hex in upper case with a colon between its octets.
func colons(text string) string {
	octets, err := hex.DecodeString(text)
	if err != nil {
		return text
	}
	return strings.ReplaceAll(fmt.Sprintf("% X", octets), " ", ":")
}
