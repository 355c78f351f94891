package tpp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// enrolment is what POST Certificates/Request takes.
type enrolment struct {
	output
	PolicyDN                lenient.String
	ObjectName              lenient.String
	CADN                    lenient.String
	PKCS10                  lenient.String
	Subject                 lenient.String // the common name alone
	Organization            lenient.String
	OrganizationalUnit      lenient.StringList
	City                    lenient.String
	State                   lenient.String
	Country                 lenient.String
	SubjectAltNames         []altName
	KeyAlgorithm            lenient.String
	KeyBitSize              lenient.Int
	EllipticCurve           lenient.String
	PkixParameterSet        lenient.String
	CertificateType         lenient.String
	ManagementType          lenient.String
	CASpecificAttributes    []nameValue
	Approvers               []principal
	Contacts                []principal
	CustomFields            []customField
	CreatedBy               lenient.String
	Origin                  lenient.String
	Devices                 []any
	DisableAutomaticRenewal lenient.Bool
	Reenable                lenient.Bool
	SetWorkToDo             lenient.Bool
}

type altName struct {
	Type     lenient.String
	TypeName lenient.String
	Name     lenient.String
}

type nameValue struct{ Name, Value lenient.String }

type principal struct{ PrefixedUniversal, PrefixedName lenient.String }

type customField struct {
	Name   lenient.String
	Values lenient.StringList
}

// createdBy is who made an object when the caller does not say.
const createdBy = "Web SDK"

// request serves POST Certificates/Request: a certificate at a new place, or the
// next one of a place that has the same name.
func (a *api) request(c *call, in *enrolment) answer {
	fail := func(err error) answer { return a.refuse(c, requesting, in.PolicyDN.Trimmed(), err) }
	want, err := in.translate()
	if err != nil {
		return fail(err)
	}
	acc, err := a.core.Request(c.Context(), c.who(), want)
	if err != nil {
		return fail(err)
	}
	body := map[string]any{"CertificateDN": acc.DN, "Guid": braced(acc.ID)}
	most, err := a.wait(c, &in.output)
	if err != nil {
		return fail(err)
	}
	if most == 0 || acc.Work == 0 {
		return ok(body)
	}
	f, stood, done, err := a.await(c, &in.output, acc, most, false)
	switch {
	case err != nil:
		return fail(err)
	case stood.failed:
		body["Error"] = stood.Status
		return answer{status: http.StatusBadRequest, phrase: requesting.phrase, body: body}
	case !done && a.opt.RequestTimeoutStatus == http.StatusOK:
		return ok(body)
	case !done:
		body["Error"] = textPending
		return answer{status: a.opt.RequestTimeoutStatus, body: body}
	}
	for name, value := range in.members(f) {
		body[name] = value
	}
	return ok(body)
}

// translate says in our terms what is asked for. With a signing request the
// members for subject and key do not count. What can be wrong with a member is
// told once the folder is known to the caller, in Check.
func (in *enrolment) translate() (core.Request, error) {
	class := in.class()
	own, ownErr := in.own()
	want := core.Request{
		Folder: in.PolicyDN.Value, Name: in.ObjectName.Trimmed(), Class: class, Authority: in.CADN.Trimmed(),
		CSR: in.PKCS10.Trimmed(), Own: own, Reenable: in.Reenable.Value, Hold: in.SetWorkToDo.Set && !in.SetWorkToDo.Value,
	}
	var namesErr, keyErr error
	if want.CSR == "" {
		want.Names, namesErr = in.names()
		keyErr = in.writeKey(&want)
	} else if want.Name == "" {
		want.Name = in.Subject.Trimmed()
	}
	want.Check = func(p clm.Path) error {
		for _, err := range []error{
			in.check(p, false, want.CSR != ""), ownErr, namesErr, keyErr, in.checkExtras(class),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if in.PolicyDN.Trimmed() == "" {
		return want, clm.Fail(clm.Invalid, "folder", "")
	}
	return want, nil
}

// checkExtras refuses what this server does not do rather than forget it.
func (in *enrolment) checkExtras(class clm.Class) error {
	if len(in.Devices) > 0 {
		return clm.Fail(clm.Unsupported, fieldDevices, "")
	}
	if len(in.CustomFields) > 0 {
		return clm.About(names.ClassName(class), clm.Fail(clm.Unsupported, fieldCustom, in.CustomFields[0].Name.Value))
	}
	return nil
}

// certificateTypes are the classes by the names that CertificateType takes.
var certificateTypes = map[string]clm.Class{
	"": clm.ServerCertificate, "auto": clm.ServerCertificate, "server": clm.ServerCertificate,
	"device": clm.DeviceCertificate, "user": clm.UserCertificate, "codesigning": clm.CodeSigningCertificate,
}

// class reads CertificateType; what it does not know counts as Auto.
func (in *enrolment) class() clm.Class {
	class, ok := certificateTypes[strings.ToLower(strings.ReplaceAll(in.CertificateType.Value, " ", ""))]
	if !ok {
		class = clm.ServerCertificate
	}
	return class
}

// names reads the subject and the alternative names.
func (in *enrolment) names() (clm.Names, error) {
	n := clm.Names{
		CommonName: in.Subject.Trimmed(), Organization: in.Organization.Trimmed(), Locality: in.City.Trimmed(),
		Province: in.State.Trimmed(), Country: in.Country.Trimmed(),
	}
	for _, unit := range in.OrganizationalUnit.Values {
		if unit = strings.TrimSpace(unit); unit != "" {
			n.OrganizationalUnit = append(n.OrganizationalUnit, unit)
		}
	}
	lists := map[string]*[]string{
		"0": &n.UPN, "othername": &n.UPN, "upn": &n.UPN, "1": &n.Email, "email": &n.Email, "rfc822": &n.Email,
		"2": &n.DNS, "dns": &n.DNS, "6": &n.URI, "uri": &n.URI, "7": &n.IP, "ipaddress": &n.IP, "ip": &n.IP,
	}
	for _, alt := range in.SubjectAltNames {
		kind := alt.TypeName
		if !kind.Set {
			kind = alt.Type
		}
		to := lists[strings.ToLower(strings.ReplaceAll(kind.Value, " ", ""))]
		if to == nil {
			return n, clm.Fail(clm.Invalid, "san", kind.Value)
		}
		if name := alt.Name.Trimmed(); name != "" {
			*to = append(*to, name)
		}
	}
	return n, nil
}

// pkixSets are the parameter sets that stand for keys made here, below the arc of
// the vendor's object ids.
var pkixSets = map[string]core.Request{
	"1.1.1024": {KeyAlgorithm: clm.RSA, KeySize: 1024}, "1.1.2048": {KeyAlgorithm: clm.RSA, KeySize: 2048},
	"1.1.3072": {KeyAlgorithm: clm.RSA, KeySize: 3072}, "1.1.4096": {KeyAlgorithm: clm.RSA, KeySize: 4096},
	"2.1.256": {KeyAlgorithm: clm.ECC, Curve: clm.P256}, "2.1.384": {KeyAlgorithm: clm.ECC, Curve: clm.P384},
	"2.1.521": {KeyAlgorithm: clm.ECC, Curve: clm.P521},
}

const pkixArc = "1.3.6.1.4.1.28783.10."

// writeKey reads the members about the key; a parameter set replaces the others.
func (in *enrolment) writeKey(want *core.Request) error {
	if id := in.PkixParameterSet.Trimmed(); id != "" {
		set, ok := pkixSets[strings.TrimPrefix(id, pkixArc)]
		if !ok || !strings.HasPrefix(id, pkixArc) {
			return clm.Fail(clm.Invalid, "pkix", id)
		}
		want.KeyAlgorithm, want.KeySize, want.Curve = set.KeyAlgorithm, set.KeySize, set.Curve
		return nil
	}
	if in.KeyBitSize.Wrong != "" || in.KeyBitSize.Value < 0 {
		value := in.KeyBitSize.Wrong
		if value == "" {
			value = strconv.Itoa(in.KeyBitSize.Value)
		}
		return clm.Fail(clm.Invalid, "key-size", value)
	}
	want.KeyAlgorithm, want.KeySize, want.Curve = in.KeyAlgorithm.Trimmed(), in.KeyBitSize.Value, in.EllipticCurve.Trimmed()
	return nil
}

// own reads the members that become values of the object.
func (in *enrolment) own() (map[clm.Attr][]string, error) {
	own := map[clm.Attr][]string{clm.CreatedBy: {createdBy}}
	for _, extra := range in.CASpecificAttributes {
		attr := names.Attr(extra.Name.Trimmed())
		switch {
		case extra.Name.Trimmed() == "":
		case !isCAAttribute(attr):
			return own, clm.Fail(clm.Invalid, "ca-attribute", extra.Name.Trimmed())
		default:
			own[attr] = []string{extra.Value.Value}
		}
	}
	for attr, member := range map[clm.Attr]lenient.String{clm.CreatedBy: in.CreatedBy, clm.Origin: in.Origin} {
		if v := member.Trimmed(); v != "" {
			own[attr] = []string{v}
		}
	}
	for attr, members := range map[clm.Attr][]principal{clm.Approver: in.Approvers, clm.Contact: in.Contacts} {
		for _, p := range members {
			if id := p.id(); id != "" {
				own[attr] = append(own[attr], id)
			}
		}
	}
	if in.DisableAutomaticRenewal.Set {
		own[clm.NoAutoRenewal] = []string{flag(in.DisableAutomaticRenewal.Value)}
	}
	if t := in.ManagementType.Trimmed(); t != "" {
		known, ok := managementType(t)
		if !ok {
			return own, clm.Fail(clm.Invalid, "management", t)
		}
		own[clm.ManagementType] = []string{known}
	}
	return own, nil
}

// isCAAttribute reports whether CASpecificAttributes may set the attribute: what
// is about the order, and what only some CA understands. Settings have members of
// their own, or are not the caller's to choose.
func isCAAttribute(a clm.Attr) bool {
	return a == clm.ValidityDays || a == clm.EndDate || a == clm.Origin ||
		strings.HasPrefix(string(a), string(clm.EndDateFor(""))) || strings.HasPrefix(string(a), names.Unknown)
}

// id is the principal as it is kept.
func (p principal) id() string {
	if u := p.PrefixedUniversal.Trimmed(); u != "" {
		return principalOf(u)
	}
	return p.PrefixedName.Trimmed()
}

// managementType is the canonical spelling of a management type.
func managementType(s string) (known string, ok bool) {
	for _, t := range []string{clm.Unassigned, clm.Monitoring, clm.Enrollment, clm.Provisioning} {
		if strings.EqualFold(t, s) {
			return t, true
		}
	}
	return "", false
}

// flag writes a yes or no as attributes have it.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}
