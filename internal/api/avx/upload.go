package avx

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

var uploadRoutes = []route{
	{method: http.MethodPost, name: "cert-upload-server-certificate", function: mayUpload, handle: readUpTo(maxUpload, (*api).uploadCertificate)},
	{method: http.MethodPost, name: "certificate/discovery/upload", function: mayUpload, handle: readUpTo(maxUpload, (*api).uploadDiscovered)},
}

// maxDiscovered is how many certificates one call may bring.
const maxDiscovered = 500

// The failures of bringing certificates.
var (
	alreadyThere = failure{http.StatusInternalServerError, "CERT_ALREADY_EXISTS", "Certificate already exists in inventory"}
	badDiscovery = failure{http.StatusBadRequest, "AVX-VLDTN-001", "Invalid payload data."}
)

// uploadWords are how failures read of bringing a certificate.
var uploadWords = words{
	{clm.NotFound, "group"}:      noGroup,
	{kind: clm.NotFound}:         noGroup,
	{kind: clm.Denied}:           readGroup,
	{clm.Exists, "certificate"}:  alreadyThere,
	{kind: clm.Exists}:           cannot("Another object of this name exists in the group."),
	{kind: clm.Busy}:             openOrders,
	{kind: clm.Invalid}:          mandatory("fileContent"),
	{clm.Invalid, "private-key"}: mandatory("password"),
	{clm.Denied, "locked"}:       cannot("The status of the certificate is determined by the policy of the group."),
}

// uploadBody is what cert-upload-server-certificate takes. Where the file comes from and
// what it was called does not matter.
type uploadBody struct {
	FileContent         secret.Plain // base64 of PEM or DER
	Password            secret.Plain
	CertificateCategory lenient.String
	GroupName           lenient.String
	Comments            lenient.String
}

// An uploadReply is a record that was made of a certificate.
type uploadReply struct {
	UUID       string `json:"uuid"`
	Message    string `json:"message"`
	CommonName string `json:"commonName"`
	Category   string `json:"category"`
	ID         string `json:"id"`
}

const textUploaded = "Certificate uploaded successfully."

// uploadCertificate takes in a certificate that was issued elsewhere. Who holds its private
// key has it managed; otherwise it is looked at.
func (a *api) uploadCertificate(c *call, in *payload[uploadBody]) answer {
	p := in.Payload
	class, f := mayBring(p.CertificateCategory)
	if f != nil {
		return fail(*f)
	}
	if !isLegible(p.Comments.Value) {
		return fail(mandatory("comments"))
	}
	file, known := pki.ReadUpload(p.FileContent.Reveal())
	if !known {
		return fail(mandatory("fileContent"))
	}
	done, err := a.core.TakeIn(c.Context(), c.who(), core.TakeIn{
		Group: p.GroupName.Trimmed(), File: secret.NewPlain(file), Password: p.Password, Origin: p.Comments.Trimmed(), Class: class,
	})
	if err != nil {
		return a.refuseUpload(c, p.GroupName.Trimmed(), err)
	}
	return ok(http.StatusOK, uploadedAs(done.Record), textUploaded)
}

func uploadedAs(rec core.Record) uploadReply {
	return uploadReply{
		UUID: rec.UUID, Message: textUploaded, CommonName: rec.CommonName, Category: categoryNames[rec.Path.Last().Class], ID: rec.ID,
	}
}

// refuseUpload says why a certificate was not taken in. A private key that comes along
// needs a right of its own.
func (a *api) refuseUpload(c *call, group string, err error) answer {
	if e := clm.AsError(err); e.Kind == clm.Denied && e.Field == "key" {
		if group == "" {
			group = core.DefaultGroup
		}
		return fail(keyRestricted(group))
	}
	return a.refuse(c, uploadWords, err)
}

// categoryNames are the categories of certificates by their classes.
var categoryNames = map[clm.Class]string{
	clm.ServerCertificate: "Server", clm.AnyCertificate: "Server", clm.UserCertificate: "Client", clm.DeviceCertificate: "Device",
	clm.CodeSigningCertificate: "Code Signing",
}

// mayBring refuses the categories that are none for certificates which are brought: those
// of CAs, and those that nobody knows. What a certificate is for it says itself, mostly.
func mayBring(category lenient.String) (class clm.Class, refused *failure) {
	name := strings.ToLower(strings.Join(strings.Fields(category.Value), ""))
	class, known := classes[cmp.Or(name, "server")]
	if !known {
		return "", new(mandatory("certificateCategory"))
	}
	return class, nil
}

// discoveredBody is what certificate/discovery/upload takes: one file or several, each with
// any number of certificates.
type discoveredBody struct {
	DiscoveryName       lenient.String
	CertificateCategory lenient.String
	GroupName           lenient.String
	Status              lenient.String
	UploadContent       oneOrMore[discoveredFile]
}

type discoveredFile struct {
	FileContent secret.Plain
	Password    secret.Plain
}

// A discoveredReply says what has become of the certificates.
type discoveredReply struct {
	DiscoveryName string        `json:"discoveryName"`
	Uploaded      int           `json:"uploaded"` // new records
	Updated       int           `json:"updated"`  // that were here already, and have the status now
	Failed        int           `json:"failed"`
	Certificates  []uploadReply `json:"certificates"`
}

// isManaged are the statuses that a certificate can be given.
var isManaged = map[string]bool{"managed": true, "monitored": false}

// readStatus is the status that is wanted; nil where none is.
func readStatus(s string) (managed *bool, known bool) {
	if s = strings.ToLower(strings.TrimSpace(s)); s == "" {
		return nil, true
	}
	value, known := isManaged[s]
	return &value, known
}

// uploadDiscovered takes in all certificates of the files, one by one. One that is here
// already gets the status that is wanted. What is wrong with the group ends it; what is
// wrong with one certificate is told of that one.
func (a *api) uploadDiscovered(c *call, in *discoveredBody) answer {
	name, group := in.DiscoveryName.Trimmed(), in.GroupName.Trimmed()
	managed, known := readStatus(in.Status.Value)
	switch {
	case name == "" || !isLine(name):
		return fail(mandatory("discoveryName"))
	case group == "":
		return fail(mandatory("groupName"))
	case !known:
		return fail(badDiscovery)
	case len(in.UploadContent) == 0:
		return fail(mandatory("uploadContent"))
	}
	class, f := mayBring(in.CertificateCategory)
	if f != nil {
		return fail(*f)
	}
	files, f := in.files()
	if f != nil {
		return fail(*f)
	}
	done := discoveredReply{DiscoveryName: name, Certificates: []uploadReply{}}
	for _, file := range files {
		file.Group, file.Managed, file.Origin, file.Class, file.Anew = group, managed, name, class, true
		taken, err := a.core.TakeIn(c.Context(), c.who(), file)
		if err != nil {
			refused := a.refuseUpload(c, group, err)
			if e := clm.AsError(err); e.Kind == clm.NotFound || e.Kind == clm.Internal || e.Kind == clm.Denied && e.Field == "" {
				return refused
			}
			done.Failed++
			done.Certificates = append(done.Certificates, uploadReply{Message: refused.Message.(string)})
			continue
		}
		if taken.Known {
			done.Updated++
		} else {
			done.Uploaded++
		}
		done.Certificates = append(done.Certificates, uploadedAs(taken.Record))
	}
	return ok(http.StatusOK, done, "Certificates uploaded successfully.")
}

// files are the certificates of the body, each with those of CAs that come along.
func (in *discoveredBody) files() (files []core.TakeIn, refused *failure) {
	for _, sent := range in.UploadContent {
		data, known := pki.ReadUpload(sent.FileContent.Reveal())
		if !known {
			return nil, &badDiscovery
		}
		for _, file := range pki.SplitUpload(data) {
			files = append(files, core.TakeIn{File: secret.NewPlain(file), Password: sent.Password})
		}
	}
	if len(files) > maxDiscovered {
		return nil, &badDiscovery
	}
	return files, nil
}
