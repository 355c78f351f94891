package tpp

import (
	"crypto/x509"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

// facts is an object on the wire whose members stand there only when they have a
// value: one client decodes dates and fails on empty ones.
type facts map[string]any

// add sets a member unless the value is empty.
func (f facts) add(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case int:
		if v == 0 {
			return
		}
	}
	f[name] = value
}

// detailsReply is all that is told of one certificate. The four groups at its
// end are always there: a client cannot renew an object that lacks one.
func detailsReply(d core.Details) facts {
	place := d.Place
	own := func(a clm.Attr) []string { return list(place.Own[a]) }
	isOn := func(name string) bool { return clm.Setting{Values: place.Own[names.Attr(name)]}.IsOn() }
	r := facts{
		"Approver":           universals(d.Path.Value(clm.Approver).Values),
		"Consumers":          append([]clm.DN{}, d.Consumers...),
		"Contact":            universals(d.Path.Value(clm.Contact).Values),
		"CreatedBy":          own(clm.CreatedBy),
		"CreatedOn":          stampOf(place.Created),
		"CustomFields":       customFields(d.Fields),
		"DN":                 place.DN,
		"Guid":               braced(place.ID),
		"ManagementType":     d.Path.Management(),
		"Name":               place.DN.Name(),
		"ParentDn":           place.DN.Parent(),
		"SchemaClass":        names.TypeName(place.Object),
		"CertificateDetails": certificateFacts(d.Version, d.Revocation).withRefusal(d.Refusal),
		"ProcessingDetails":  processingFacts(d),
		"RenewalDetails":     renewalFacts(d.Path),
		"ValidationDetails": facts{
			"NetworkValidationDisabled": isOn("Network Validation Disabled"), "ValidationDisabled": isOn("Validation Disabled"),
			"ValidationState": validationStates[d.Validation.State],
		}.withValidated(d.Validation.Last),
	}
	if place.IsOff() {
		r["Disabled"] = true
	}
	r.add("CertificateAuthorityDN", d.Authority.First())
	r.add("Description", strings.Join(place.Own[clm.Description], ""))
	r.add("Origin", strings.Join(place.Own[clm.Origin], ""))
	return r
}

// validationStates are the vendor's words for how a certificate was found.
var validationStates = map[core.ValidationState]string{core.NotValidated: "Blank", core.FoundInUse: "Success", core.NotInUse: "Failure"}

// withValidated tells when somebody has looked, if somebody has.
func (f facts) withValidated(last time.Time) facts {
	if !last.IsZero() {
		f["LastValidationStateUpdate"] = stamp(last)
	}
	return f
}

// certificateFacts describes the certificate in use.
func certificateFacts(v clm.Version, r clm.Revocation) facts {
	f := facts{}
	cert, err := x509.ParseCertificate(v.Cert)
	if err != nil {
		return f
	}
	d := pki.Describe(cert)
	f.add("AIACAIssuerURL", d.AIAIssuers)
	f.add("AIAKeyIdentifier", d.AuthorityKeyID)
	f.add("C", d.Names.Country)
	f.add("CDPURI", strings.Join(d.CRLs, ", "))
	f.add("CN", d.Names.CommonName)
	f.add("EllipticCurve", d.Key.Curve)
	f.add("EnhancedKeyUsage", strings.Join(d.EnhancedKeyUsage, ", "))
	f.add("Issuer", d.Issuer)
	f.add("KeyAlgorithm", d.Key.Algorithm)
	f.add("KeySize", d.Key.Size())
	f.add("KeyUsage", d.KeyUsage)
	f.add("L", d.Names.Locality)
	f.add("O", d.Names.Organization)
	f.add("OU", d.Names.OrganizationalUnit)
	f.add("PkixParameterSet", pkixSetOf(d.Key))
	f.add("PublicKeyHash", strings.ToUpper(hex.EncodeToString(d.KeyHash)))
	f.addRevocation(r)
	f.add("S", d.Names.Province)
	f.add("SKIKeyIdentifier", d.SubjectKeyID)
	f.add("Serial", d.Serial)
	f.add("SignatureAlgorithm", d.SignatureAlgorithm)
	f.add("SignatureAlgorithmOID", d.SignatureAlgorithmOID)
	f.add("StoreAdded", stamp(v.Created))
	f.add("Subject", d.Subject)
	f.addAlternatives(d.Names)
	f.add("Thumbprint", d.Thumbprint)
	f.add("ValidFrom", stamp(d.NotBefore))
	f.add("ValidTo", stamp(d.NotAfter))
	return f
}

// addRevocation tells of a revocation; the page has two members for that, ours tell
// when it was asked for, and when relying parties came to see it.
func (f facts) addRevocation(r clm.Revocation) {
	if !r.IsKnown() {
		f.addHold(r)
		return
	}
	f["RevocationStatus"], f["RevocationReason"] = "Pending", int(r.Reason)
	if r.IsDone() {
		f["RevocationStatus"] = "Revoked"
	}
	f.add("RevocationComments", r.Comments)
	for name, at := range map[string]time.Time{
		"RevocationRequested": r.Requested, "RevocationDate": r.Accepted, "RevocationSeenInCRL": r.SeenCRL, "RevocationSeenInOCSP": r.SeenOCSP,
	} {
		if !at.IsZero() {
			f[name] = stamp(at)
		}
	}
}

// addHold tells that the certificate is on hold, of which the page knows nothing.
func (f facts) addHold(r clm.Revocation) {
	if r.IsHeld() {
		f["RevocationStatus"], f["RevocationReason"], f["SuspensionDate"] = "Suspended", int(clm.CertificateHold), stamp(r.Held)
	}
}

// withRefusal tells why the certificate could not be revoked, if it could not.
func (f facts) withRefusal(why string) facts {
	if why != "" {
		f["RevocationStatus"], f["RevocationError"] = "Failed", why
	}
	return f
}

func (f facts) addAlternatives(n clm.Names) {
	f.add("SubjectAltNameDNS", n.DNS)
	f.add("SubjectAltNameEmail", n.Email)
	f.add("SubjectAltNameIPAddress", n.IP)
	f.add("SubjectAltNameOtherNameUPN", n.UPN)
	f.add("SubjectAltNameURI", n.URI)
}

// keyStatus is the status of a certificate whose private key is not its own.
var keyStatus = map[core.KeyState]string{
	core.KeyWrong:   "The private key does not match the certificate.",
	core.KeyForeign: "The private key belongs to another object.",
	core.KeyLost:    "The private key is missing.",
}

// processingFacts says how open work stands, or else what is the matter with the
// private key; nothing where all is well.
func processingFacts(d core.Details) facts {
	f := facts{}
	switch {
	case isOpen(d.Open):
		p := progressOf(d.Open)
		if p.failed {
			f["InError"] = true
		}
		f["Stage"], f["Status"] = p.Stage, p.Status
		if len(d.Open.Gates) > 0 {
			f["TicketDN"] = clm.DN(core.TicketsDN).Child(string(d.Open.Gates[0].ID))
		}
	case !d.Installing.IsOver():
		p := installProgress(d.Installing)
		f["Stage"], f["Status"] = p.Stage, p.Status
	default:
		f.add("Status", keyStatus[d.Key])
	}
	return f
}

// renewalFacts is what the next certificate is to say.
func renewalFacts(p clm.Path) facts {
	f := facts{}
	first := func(a clm.Attr) string { return p.Value(a).First() }
	f.add("City", first(clm.Locality))
	f.add("Country", first(clm.Country))
	f.add("EllipticCurve", first(clm.Curve))
	f.add("KeyAlgorithm", first(clm.KeyAlgorithm))
	if n, err := strconv.Atoi(first(clm.KeySize)); err == nil {
		f.add("KeySize", n)
	}
	f.add("Organization", first(clm.Organization))
	f.add("OrganizationalUnit", p.Value(clm.OrganizationalUnit).Values)
	f.add("State", first(clm.Province))
	f.add("Subject", first(clm.CommonName))
	f.addAlternatives(clm.Names{
		DNS: p.Value(clm.SANDNS).Values, Email: p.Value(clm.SANEmail).Values, IP: p.Value(clm.SANIP).Values,
		UPN: p.Value(clm.SANUPN).Values, URI: p.Value(clm.SANURI).Values,
	})
	return f
}
