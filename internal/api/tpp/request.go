package tpp

import (
	"cmp"
	"errors"
	"maps"
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
	Devices                 []device
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

// device is a device that is to be there, with the applications that are to use
// the certificate.
type device struct {
	PolicyDN     lenient.String
	ObjectName   lenient.String
	Host         lenient.String
	Description  lenient.String
	Applications []application
}

type application struct {
	ObjectName     lenient.String
	Class          lenient.String
	DriverName     lenient.String
	Description    lenient.String
	ValidationHost lenient.String
	ValidationPort lenient.String
}

// defaultDriver is the class of an application when the caller names none.
const defaultDriver = "Basic"

// createdBy is who made an object when the caller does not say.
const createdBy = "Web SDK"

// request serves POST Certificates/Request: a certificate at a new place, or the
// next one of a place that has the same name.
func (a *api) request(c *call, in *enrolment) answer {
	fail := func(err error) answer {
		if e := clm.AsError(err); e.Kind == clm.Unsupported && e.Field == fieldCustom {
			err = renamed(err, names.ClassName(clm.Class(e.Subject)))
		}
		return a.refuse(c, requesting, in.PolicyDN.Trimmed(), err)
	}
	approvers, approversErr := a.people(c, in.Approvers)
	contacts, contactsErr := a.people(c, in.Contacts)
	want, err := in.translate(map[clm.Attr][]string{clm.Approver: approvers, clm.Contact: contacts}, approversErr, contactsErr)
	if err != nil {
		return fail(err)
	}
	most, err := a.wait(c, &in.waiting)
	if err != nil {
		return fail(err)
	}
	wanted, _ := in.key(false)
	want.WithKey = wanted && most > 0
	acc, err := a.core.Request(c.Context(), c.who(), want)
	if err != nil {
		return fail(err)
	}
	body := map[string]any{"CertificateDN": acc.DN, "Guid": braced(acc.ID)}
	if len(acc.Devices) > 0 {
		body["Devices"] = devicesReply(acc.Devices)
	}
	if most == 0 || acc.Work == 0 {
		return ok(body)
	}
	f, stood, done, err := a.await(c, &in.output, acc, most, false)
	switch {
	case errors.Is(err, clm.NotFound) && a.isThere(c, acc): // whoever may create there may yet not read
		return ok(body)
	case err != nil:
		refused := fail(err)
		maps.Copy(refused.body.(map[string]any), body)
		return refused
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

// isThere reports whether what was accepted still exists and the caller may see it.
func (a *api) isThere(c *call, acc core.Accepted) bool {
	_, err := a.core.ObjectByID(c.Context(), c.who(), acc.ID)
	return err == nil
}

// translate says in our terms what is asked for. With a signing request the
// members for subject and key do not count. What can be wrong with a member is
// told once the folder is known to the caller, in Check; so is what was wrong with
// the people.
func (in *enrolment) translate(people map[clm.Attr][]string, wrong ...error) (core.Request, error) {
	class := in.class()
	own, ownErr := in.own()
	for attr, ids := range people {
		if len(ids) > 0 {
			own[attr] = ids
		}
	}
	want := core.Request{
		Fields: in.fields(), Devices: in.devices(),
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
	want.Check = func(p clm.Path, keyless bool) error {
		for _, err := range append([]error{in.check(p, false, keyless), ownErr, namesErr, keyErr}, wrong...) {
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

func (in *enrolment) fields() (fields []core.FieldValues) {
	for _, f := range in.CustomFields {
		fields = append(fields, core.FieldValues{Name: f.Name.Trimmed(), Values: f.Values.Values})
	}
	return fields
}

func (in *enrolment) devices() (wishes []core.DeviceWish) {
	for _, d := range in.Devices {
		wish := core.DeviceWish{Folder: d.PolicyDN.Value, Name: d.ObjectName.Trimmed(), Own: map[clm.Attr][]string{
			clm.Host: {d.Host.Trimmed()}, clm.Description: {d.Description.Trimmed()}, clm.CreatedBy: {createdBy},
		}}
		if wish.Folder == "" {
			wish.Folder = in.PolicyDN.Value
		}
		for _, app := range d.Applications {
			class, _ := names.Class(cmp.Or(app.Class.Trimmed(), defaultDriver))
			wish.Applications = append(wish.Applications, core.ApplicationWish{Name: app.ObjectName.Trimmed(), Class: class, Own: map[clm.Attr][]string{
				clm.Program: {app.DriverName.Trimmed()}, clm.Description: {app.Description.Trimmed()}, clm.CreatedBy: {createdBy},
				clm.ListenHost: {app.ValidationHost.Trimmed()}, clm.ListenPort: {app.ValidationPort.Trimmed()},
			}})
		}
		wishes = append(wishes, wish)
	}
	return wishes
}

func devicesReply(bound []core.BoundDevice) []any {
	devices := []any{}
	for _, d := range bound {
		applications := []any{}
		for _, dn := range d.Applications {
			applications = append(applications, map[string]any{"DN": dn})
		}
		devices = append(devices, map[string]any{"DN": d.DN, "Applications": applications})
	}
	return devices
}

// certificateTypes are the classes by the names that CertificateType takes.
var certificateTypes = map[string]clm.Class{
	"": "", "auto": "", "server": clm.ServerCertificate,
	"device": clm.DeviceCertificate, "user": clm.UserCertificate, "codesigning": clm.CodeSigningCertificate,
}

// class reads CertificateType; what it does not know counts as Auto, which is empty.
func (in *enrolment) class() clm.Class {
	return certificateTypes[strings.ToLower(strings.ReplaceAll(in.CertificateType.Value, " ", ""))]
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
	"1.1.8192": {KeyAlgorithm: clm.RSA, KeySize: 8192},
	"2.1.256":  {KeyAlgorithm: clm.ECC, Curve: clm.P256}, "2.1.384": {KeyAlgorithm: clm.ECC, Curve: clm.P384},
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
	if err := addCAAttributes(own, in.CASpecificAttributes); err != nil {
		return own, err
	}
	for attr, member := range map[clm.Attr]lenient.String{clm.CreatedBy: in.CreatedBy, clm.Origin: in.Origin} {
		if v := member.Trimmed(); v != "" {
			own[attr] = []string{v}
		}
	}
	if in.DisableAutomaticRenewal.Set {
		own[clm.NoAutoRenewal] = []string{flag(in.DisableAutomaticRenewal.Value)}
	}
	if t := in.ManagementType.Trimmed(); t != "" {
		known, ok := clm.ReadManagementType(t)
		if !ok {
			return own, clm.Fail(clm.Invalid, "management", t)
		}
		own[clm.ManagementType] = []string{known}
	}
	return own, nil
}

// addCAAttributes reads CASpecificAttributes.
func addCAAttributes(own map[clm.Attr][]string, extras []nameValue) error {
	for _, extra := range extras {
		name := extra.Name.Trimmed()
		attr, known, mayWrite := names.CertificateAttr(name)
		switch {
		case name == "":
		case !isCAAttribute(attr), known && !mayWrite:
			return clm.Fail(clm.Invalid, "ca-attribute", name)
		default:
			own[attr] = []string{extra.Value.Value}
		}
	}
	return nil
}

// isCAAttribute reports whether CASpecificAttributes may set the attribute: what
// is about the order, and what only some CA understands. Settings have members of
// their own, or are not the caller's to choose.
func isCAAttribute(a clm.Attr) bool {
	return a == clm.ValidityDays || a == clm.EndDate || a == clm.Origin ||
		strings.HasPrefix(string(a), string(clm.EndDateFor(""))) || strings.HasPrefix(string(a), names.Unknown)
}

// people reads users and groups into the ids by which they are kept. One of another
// directory is kept as it came; one of this installation that is given by its name
// must be there.
func (a *api) people(c *call, members []principal) (ids []string, err error) {
	for _, p := range members {
		name, isLocal := cutPrefixFold(p.PrefixedName.Trimmed(), localPrefix)
		switch universal := p.PrefixedUniversal.Trimmed(); {
		case universal != "":
			ids = append(ids, principalOf(universal))
		case isLocal:
			id, err := a.core.PrincipalNamed(c.Context(), name)
			if errors.Is(err, clm.NotFound) {
				err = clm.Fail(clm.Invalid, fieldPerson, p.PrefixedName.Trimmed())
			}
			if err != nil {
				return nil, err
			}
			ids = append(ids, string(id))
		default:
			ids = append(ids, name)
		}
	}
	return ids, nil
}

// flag writes a yes or no as attributes have it.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}
