package avx

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

var createRoutes = []route{
	{method: http.MethodPost, name: "certificate/create", function: mayCreate, handle: read((*api).create)},
}

// creation is what certificate/create takes. What is not named here has no effect.
type creation struct {
	CSRGenerationSource lenient.String
	CAConnectorInfo     *connector
	CertificateGroup    struct{ Name lenient.String }
	UploadCSRDetails    struct{ CSRContent, Category lenient.String }
	CertificateFormat   formatWish
	UniqueCertificate   lenient.Bool
	GenericFields       attributes

	isForm bool // from a form: without an account, that which the group's policy says
}

// connector says by which account the certificate is ordered, and what it is to be like.
type connector struct {
	CertificateAuthority   lenient.String
	CASettingName          lenient.String
	CertificateProfileName lenient.String
	Description            lenient.String
	CSRParameters          *csrParameters
	ExistingUUID           lenient.String
	GenericFields          attributes
	CertAttributes         attributes
	CustomAttributes       attributes
	lifetime
}

// attributes are values by the names that clients have for them.
type attributes map[string]lenient.StringList

// formatWish is the form in which a certificate is handed out at once.
type formatWish struct {
	Format   lenient.String
	Password secret.Plain
}

// defaultFormat is that of a certificate whose asker has not said any.
const defaultFormat = "PEM"

func (f formatWish) wish() wish {
	w := wish{format: f.Format.Trimmed(), password: f.Password}
	if w.format == "" {
		w.format = defaultFormat
	}
	return w
}

// The failures that only a creation has.
var (
	badSource = failure{http.StatusBadRequest, "INVALID_CSR_GEN_SOURCE", "Invalid csr generation source specified."}
	noGroup   = failure{http.StatusNotFound, "GROUP_NOT_FOUND", "Invalid group name specified."}
	noSetting = failure{http.StatusNotFound, "CERT-CA-0001", "CA settings are not available."}
	knownKey  = failure{http.StatusConflict, codeInvalidRequest, "CSR parameters already available for the selected CA"}
)

// creating words the failures of a creation.
var creating = words{
	{clm.NotFound, "group"}: noGroup, {clm.Denied, "read-only"}: readGroup,
	{clm.NotFound, "setting"}: noSetting, {clm.Invalid, string(clm.IssuedBy)}: noSetting, {clm.Unsupported, "authority"}: unsuitable,
	{kind: clm.Unmanaged}: monitored,
	{clm.Invalid, "csr"}:  mandatory("csrContent"), {clm.Invalid, "key"}: mandatory("bitLength"),
	{clm.Invalid, "subject"}: mandatory("commonName"), {clm.Invalid, "name"}: mandatory("commonName"),
	{clm.Invalid, "san"}:                     mandatory("enhancedSANTypes"),
	{clm.Invalid, string(clm.RenewalWindow)}: mandatory("renewBefore"),
	{clm.Invalid, "value"}:                   mandatory("customAttributes"), {clm.Invalid, "custom-field"}: mandatory("customAttributes"),
	{clm.Invalid, "choice"}: mandatory("customAttributes"), {clm.Denied, "custom-field"}: mandatory("customAttributes"),
	{clm.Unsupported, "custom-field"}: mandatory("customAttributes"),
}

// textSubmitted is what a creation that was accepted says.
const textSubmitted = "Certificate submission triggered successfully."

// create serves certificate/create: a certificate at a new place or, where a client asks
// for what it has asked for before, that.
func (a *api) create(c *call, in *creation) answer {
	p := promise{wish: in.CertificateFormat.wish(), said: textSubmitted}
	var f *failure
	if p.needsKey, f = a.mayWait(c, p.wish); f != nil {
		return fail(*f)
	}
	if !isExternal(in.external()) {
		return fail(mandatory(fieldExternal))
	}
	if in.asksAgain() {
		return a.askedBefore(c, in.external(), p)
	}
	if p.needsKey && !c.may(mayDownloadKey) {
		return fail(accessDenied)
	}
	want, f := in.translate()
	if f == nil && want.CSR == "" && in.uploads() {
		want.CSR, f = a.uploaded(c, in.CAConnectorInfo.ExistingUUID.Trimmed())
	}
	if f == nil && p.needsKey && want.CSR != "" {
		f = &noKey
	}
	if f != nil {
		return fail(*f)
	}
	want.Approval, want.WithKey = !c.query.autoApproval, p.needsKey
	want.Own[clm.CreatedBy] = []string{c.who().Via}
	acc, err := a.core.Request(c.Context(), c.who(), want)
	if err != nil {
		return a.refuseCreation(c, want.Group, err)
	}
	return a.keep(c, p.of(started{acc.Record, acc.Work}))
}

// of is the promise of what was created.
func (p promise) of(what started) promise {
	p.started = what
	p.later = ok(http.StatusAccepted, map[string]string{
		"resourceId": what.record, "requestId": requestID(what.order), "message": textSubmitted,
	}, textSubmitted)
	return p
}

// refuseCreation answers a creation that failed. A key that must not serve again is told
// from what is wrong with a signing request.
func (a *api) refuseCreation(c *call, group string, err error) answer {
	e := clm.AsError(err)
	switch {
	case e.Kind == clm.Violation && slices.ContainsFunc(e.Breaches, func(b clm.Breach) bool { return b.Rule == clm.RuleKeyReuse }):
		return fail(knownKey)
	case e.Kind == clm.Denied && e.Field == "key":
		return fail(keyRestricted(group))
	case e.Kind == clm.NeedsCSR:
		return fail(cannot(strings.ReplaceAll(originTexts[e.Field], "{value}", e.Value)))
	}
	return a.refuse(c, creating, err)
}

// uploaded is the signing request that the caller has handed in before.
func (a *api) uploaded(c *call, id string) (csr string, refused *failure) {
	if !isLine(id) {
		return "", new(mandatory("existingUuid"))
	}
	csr, err := a.core.UploadedRequest(c.Context(), c.who(), id)
	switch {
	case err == nil:
		return csr, nil
	case clm.AsError(err).Kind == clm.NotFound:
		return "", new(mandatory("existingUuid"))
	}
	a.logFault(c, err)
	return "", &internalFault
}

// askedBefore answers with what the client has asked for by its own name: with the
// certificate once it is there, whether the call waits or not.
func (a *api) askedBefore(c *call, name string, p promise) answer {
	rec, err := a.core.RecordByExternal(c.Context(), c.who(), name)
	if err != nil {
		return a.refuse(c, words{{kind: clm.NotFound}: noRecords}, err)
	}
	what, why := started{record: rec.ID}, textEnded
	for _, w := range rec.Orders {
		if w.Op == clm.Enroll {
			what.order, why = w.ID, cmp.Or(w.Failure, textEnded)
		}
	}
	p = p.of(what)
	if rec.State == core.RecordIssued {
		var f *failure
		if p.needsKey, f = p.wish.check(); f != nil {
			return fail(*f)
		}
		return a.deliver(c, p)
	}
	switch {
	case rec.State != core.RecordPending:
		return fail(cannot(why))
	case p.needsKey && !c.may(mayDownloadKey):
		return fail(accessDenied)
	}
	return a.keep(c, p)
}

// external is the client's own name for what it asks.
func (in *creation) external() string {
	fields := in.GenericFields
	if in.CAConnectorInfo != nil && fields.first(fieldExternal) == "" {
		fields = in.CAConnectorInfo.GenericFields
	}
	return fields.first(fieldExternal)
}

// fieldExternal is the generic field with the client's own name for a request.
const fieldExternal = "externalRequestId"

// maxExternal is how long a client's own name for what it asks may be, in characters.
const maxExternal = 200

func isExternal(name string) bool { return isLine(name) && utf8.RuneCountInString(name) <= maxExternal }

// first is the first value of that name, in any case.
func (a attributes) first(name string) string {
	for key, list := range a {
		if strings.EqualFold(key, name) && len(list.Values) > 0 {
			return strings.TrimSpace(list.Values[0])
		}
	}
	return ""
}

// asksAgain reports whether the client wants what it has asked for before: it gives
// nothing that a certificate could be made of.
func (in *creation) asksAgain() bool {
	i := in.CAConnectorInfo
	return in.UniqueCertificate.Value && in.external() != "" && in.UploadCSRDetails.CSRContent.Trimmed() == "" &&
		(i == nil || i.ExistingUUID.Trimmed() == "" && (i.CSRParameters == nil || i.CSRParameters.CommonName.Trimmed() == ""))
}

// The ways in which the signing request comes about, in lower case.
const (
	sourceHere   = "appviewx"
	sourceUpload = "uploadcsr"
)

// uploads reports whether the signing request comes from the client.
func (in *creation) uploads() bool {
	if source := in.CSRGenerationSource.Trimmed(); source != "" {
		return strings.EqualFold(source, sourceUpload)
	}
	return in.UploadCSRDetails.CSRContent.Trimmed() != "" || in.CAConnectorInfo != nil && in.CAConnectorInfo.ExistingUUID.Trimmed() != ""
}

// translate says in our terms what is asked for, or what is missing or makes no sense. A
// signing request that was handed in before is left out.
func (in *creation) translate() (want core.Request, refused *failure) {
	i := in.CAConnectorInfo
	if i == nil {
		return want, new(mandatory("caConnectorInfo"))
	}
	want = core.Request{
		Group: core.DefaultGroup, Fresh: true, Action: core.ActionCreate, External: in.external(), NoteAs: noted, Own: map[clm.Attr][]string{},
	}
	switch vendor, account := i.CertificateAuthority.Trimmed(), i.CASettingName.Trimmed(); {
	case vendor == "" && account == "" && in.isForm:
	case vendor == "":
		return want, new(mandatory("certificateAuthority"))
	case account == "":
		return want, new(mandatory("caSettingName"))
	case !isLine(vendor + account):
		return want, &noSetting
	default:
		want.Template = settingRef(vendor, account)
	}
	if name := in.CertificateGroup.Name.Trimmed(); !isLine(name) {
		return want, &noGroup
	} else if name != "" {
		want.Group = name
	}
	if description := i.Description.Trimmed(); !isLegible(description) {
		return want, new(mandatory("description"))
	} else if description != "" {
		want.Own[clm.Description] = []string{description}
	}
	for _, read := range []func(*core.Request) *failure{in.readSource, in.readClass, i.lifetime.write, in.readNotes} {
		if f := read(&want); f != nil {
			return want, f
		}
	}
	return want, nil
}

// readSource reads the signing request or, where it is made here, what it is to say.
func (in *creation) readSource(want *core.Request) *failure {
	source := strings.ToLower(in.CSRGenerationSource.Trimmed())
	switch {
	case source != "" && source != sourceHere && source != sourceUpload:
		return &badSource // those of machines of others
	case !in.uploads():
		if in.CAConnectorInfo.CSRParameters == nil {
			return new(mandatory("csrParameters"))
		}
		return in.CAConnectorInfo.CSRParameters.write(want)
	}
	want.CSR = in.UploadCSRDetails.CSRContent.Trimmed()
	if want.CSR == "" && in.CAConnectorInfo.ExistingUUID.Trimmed() != "" {
		return nil
	}
	if _, err := pki.ParseCSR(want.CSR); err != nil {
		return new(mandatory("csrContent"))
	}
	return nil
}

// classes are the categories that can be asked for, in lower case and without blanks.
var classes = map[string]clm.Class{
	"server": clm.ServerCertificate, "client": clm.UserCertificate, "device": clm.DeviceCertificate, "codesigning": clm.CodeSigningCertificate,
}

// readClass reads the category: what the profile says or else the signing request. Of
// several the one counts that the server has, so that a server may be a client too.
func (in *creation) readClass(want *core.Request) *failure {
	want.Class = clm.ServerCertificate
	var categories []string
	if p := in.CAConnectorInfo.CSRParameters; p != nil {
		categories = p.CertificateCategories.Values
	}
	for _, said := range []struct {
		field string
		names []string
	}{
		{"certificateProfileName", []string{in.CAConnectorInfo.CertificateProfileName.Value}},
		{"category", []string{in.UploadCSRDetails.Category.Value}},
		{"certificateCategories", categories},
	} {
		var found []clm.Class
		for _, name := range said.names {
			name = strings.ToLower(strings.Join(strings.Fields(name), ""))
			class, known := classes[name]
			switch {
			case name == "":
			case !known:
				return new(mandatory(said.field))
			default:
				found = append(found, class)
			}
		}
		if len(found) > 0 {
			if want.Class = found[0]; slices.Contains(found, clm.ServerCertificate) {
				want.Class = clm.ServerCertificate
			}
			return nil
		}
	}
	return nil
}

// Limits of what clients say of their certificates besides.
const (
	maxNotes    = 200
	maxNoteName = 200
)

// noted is the attribute that holds what a client says by a name of its own.
func noted(name string) clm.Attr { return clm.Attr("avx:" + name) }

// readNotes reads the attributes. Those of several lists come together; a name that
// stands in several has the values of the last.
func (in *creation) readNotes(want *core.Request) *failure {
	i := in.CAConnectorInfo
	all := attributes{}
	for _, list := range []attributes{in.GenericFields, i.GenericFields, i.CertAttributes, i.CustomAttributes} {
		maps.Copy(all, list)
	}
	if len(all) > maxNotes {
		return new(mandatory("customAttributes"))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, values := strings.TrimSpace(name), all[name].NonEmpty()
		if strings.EqualFold(key, fieldExternal) || len(values) == 0 {
			continue
		}
		if key == "" || len(key) > maxNoteName || !isLine(key) || !isLegible(strings.Join(values, "")) {
			return new(mandatory("customAttributes"))
		}
		want.Notes = append(want.Notes, core.FieldValues{Name: key, Values: values})
	}
	return nil
}

// vendors are the names that the vendors of certificates go by, those of our own CA first.
var vendors = [][]string{
	{"AppViewX", "AppViewX CA"},
	{"Comodo Certificate Manager", "Sectigo"},
}

// settingRef names a template by vendor and account. One that names no vendor is of our own CA.
func settingRef(vendor, account string) *core.AuthorityRef {
	ref := &core.AuthorityRef{Vendors: []string{vendor}, Account: account}
	for at, names := range vendors {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, vendor) }) {
			ref.Vendors, ref.Silent = names, at == 0
		}
	}
	return ref
}
