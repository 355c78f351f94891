package avx

import (
	"errors"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

var downloadRoutes = []route{
	{method: http.MethodGet, name: "certificate/download", handle: (*api).download},
	{method: http.MethodPost, name: "certificate/download/format", handle: read((*api).downloadFormat)},
	{method: http.MethodGet, name: "certificate/download/content", handle: (*api).downloadContent},
}

// A reading says which certificate a call is about that changes nothing: where there is a
// resourceId nothing else is looked at.
type reading struct {
	ResourceID   lenient.String `json:"resourceId"`
	CommonName   lenient.String `json:"commonName"`
	SerialNumber lenient.String `json:"serialNumber"`
}

// ref is the record that is meant. refused says which member is missing.
func (r reading) ref() (ref core.RecordRef, refused *failure) {
	ref = core.RecordRef{ID: r.ResourceID.Trimmed(), CommonName: r.CommonName.Trimmed(), Serial: r.SerialNumber.Trimmed(), IDAlone: true}
	switch {
	case ref.ID != "" || ref.Serial != "":
		return ref, nil
	case ref.CommonName != "":
		return ref, new(mandatory("serialNumber"))
	}
	return ref, new(mandatory("resourceId"))
}

// readingWords are how failures read of handing out what is there.
var readingWords = union(recordWords, words{
	{kind: clm.NotIssued}: notIssued,
	{kind: clm.NoKey}:     noKey,
})

// A refusal is what this package itself has to say against a call in the midst of a use
// case.
type refusal struct{ failure }

func (r refusal) Error() string { return r.code }

// refuseHandOut says why a certificate was not handed out.
func (a *api) refuseHandOut(c *call, err error) answer {
	switch e := clm.AsError(err); {
	case e.Kind == clm.Denied && e.Field == "key":
		return fail(keyRestricted(e.Value))
	case e.Kind == clm.Invalid && e.Field == "record" && e.Value != "":
		return fail(badIdentifiers).tagged(tags{"matches": e.Value})
	}
	return a.refuseSaid(c, readingWords, err)
}

// asRefusal finds the refusal in an error.
func asRefusal(err error) (said failure, ok bool) {
	r, ok := errors.AsType[refusal](err)
	return r.failure, ok
}

// mayHandOut is what is looked at once a record is found: what the account may do and, of a
// record that has a certificate, whether the wish's password may lock its key.
func (c *call) mayHandOut(withKey bool, w wish) func(core.Record) error {
	return func(rec core.Record) error {
		if !c.may(mayDownload) || withKey && !c.may(mayDownloadKey) {
			return refusal{accessDenied}
		}
		if f := w.checkPassword(rec.Path); rec.State == core.RecordIssued && f != nil {
			return refusal{*f}
		}
		return nil
	}
}

// send answers with the file that the wish wants.
func (a *api) send(c *call, ref core.RecordRef, w wish, withKey bool) answer {
	issued, _, err := a.core.HandOut(c.Context(), c.who(), core.HandOut{Record: ref, WithKey: withKey, Check: c.mayHandOut(withKey, w)})
	if err != nil {
		return a.refuseHandOut(c, err)
	}
	f, refused := w.encode(issued)
	if refused != nil {
		return fail(*refused)
	}
	sent := answer{status: http.StatusOK, file: &f}
	if withKey {
		return sent.with("Cache-Control", "no-store")
	}
	return sent
}

// download answers with a certificate as PEM and, if it is wanted, its private key.
func (a *api) download(c *call) answer {
	ref, refused := c.readingOf("resourceId").ref()
	if refused != nil {
		return fail(*refused)
	}
	withKey, refused := c.flag("keyRequired")
	if refused == nil {
		_, refused = c.flag("isCACertificate")
	}
	if refused != nil {
		return fail(*refused)
	}
	return a.send(c, ref, wish{format: defaultFormat}, withKey)
}

// readingOf is a reading whose resourceId stands in the query, by that name.
func (c *call) readingOf(name string) (r reading) {
	r.ResourceID.Value = c.URL.Query().Get(name)
	return r
}

// flag reads a yes or no of the query; none is a no.
func (c *call) flag(name string) (yes bool, refused *failure) {
	text := strings.ToLower(strings.TrimSpace(c.URL.Query().Get(name)))
	yes, known := flags[text]
	if text != "" && !known {
		return false, new(mandatory(name))
	}
	return yes, nil
}

// formatBody is what certificate/download/format takes.
type formatBody struct {
	reading
	Format                  lenient.String
	Password                secret.Plain
	IsChainRequired         lenient.Bool
	IsKeyEncryptionRequired lenient.Bool
}

// downloadFormat answers with a certificate in the form that the body names.
func (a *api) downloadFormat(c *call, in *formatBody) answer {
	w := wish{format: in.Format.Trimmed(), password: in.Password, chain: in.IsChainRequired.Value, encryptKey: in.IsKeyEncryptionRequired.Value}
	form, refused := w.form()
	if refused != nil {
		return fail(*refused)
	}
	ref, refused := in.ref()
	if refused != nil {
		return fail(*refused)
	}
	return a.send(c, ref, w, form.withKey)
}

// A contentReply is a certificate within an envelope.
type contentReply struct {
	CertificateContents string `json:"certificateContents"`
	PrivateKeyContent   string `json:"privateKeyContent"` // nobody can ask for it here
	CommonName          string `json:"commonName"`
	SerialNumber        string `json:"serialNumber"`
	Format              string `json:"format"`
	Success             bool   `json:"success"`
}

// downloadContent answers with a certificate as a text. That there is none yet is no
// failure.
func (a *api) downloadContent(c *call) answer {
	ref, refused := c.readingOf("resourceId").ref()
	if refused != nil {
		return fail(*refused)
	}
	w := wish{format: defaultFormat}
	if w.chain, refused = c.flag("isChainRequired"); refused != nil {
		return fail(*refused)
	}
	issued, rec, err := a.core.HandOut(c.Context(), c.who(), core.HandOut{Record: ref, Check: c.mayHandOut(false, w)})
	content := contentReply{CommonName: rec.CommonName, SerialNumber: colons(rec.Version.Serial), Format: defaultFormat}
	if errors.Is(err, clm.NotIssued) {
		return ok(http.StatusOK, content, "")
	}
	if err != nil {
		return a.refuseHandOut(c, err)
	}
	f, refused := w.encode(issued)
	if refused != nil {
		return fail(*refused)
	}
	content.CertificateContents, content.Success = string(f.data), true
	return ok(http.StatusOK, content, "")
}
