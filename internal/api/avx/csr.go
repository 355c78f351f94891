package avx

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
)

var csrRoutes = []route{
	{method: http.MethodPost, name: "cert-csr-upload", function: mayCreate, handle: read((*api).uploadCSR)},
	{method: http.MethodPost, name: "cert-download-csr", handle: read((*api).downloadCSR)},
}

// csrBody is a signing request that is handed in for a creation to come. What else clients
// say of it they say again then.
type csrBody struct {
	CSRContent lenient.String
}

// A csrReply is the name that the creation will have for the signing request, and what it
// says.
type csrReply struct {
	UUID      string  `json:"uuid"`
	CSRParams csrSays `json:"csrParams"`
}

type csrSays struct {
	CommonName   string `json:"commonName"`
	KeyType      string `json:"keyType"`
	BitLength    string `json:"bitLength"`
	HashFunction string `json:"hashFunction"`
}

// uploadCSR keeps a signing request for who has sent it.
func (a *api) uploadCSR(c *call, in *payload[csrBody]) answer {
	up, err := a.core.UploadRequest(c.Context(), c.who(), in.Payload.CSRContent.Trimmed())
	if err != nil {
		return a.refuse(c, words{{clm.Invalid, "csr"}: mandatory("csrContent")}, err)
	}
	key := csrSays{CommonName: up.CSR.Names.CommonName, KeyType: keyNames[up.CSR.Key.Algorithm], HashFunction: hashOf(up.CSR.DER)}
	key.BitLength = strconv.Itoa(up.CSR.Key.Size())
	return ok(http.StatusOK, csrReply{up.ID, key}, "CSR uploaded successfully.")
}

// keyNames are the names of kinds of keys.
var keyNames = map[string]string{clm.RSA: "RSA", clm.ECC: "EC"}

// hashOf is the hash function that the signing request, DER, was signed with, by the name
// that the product has for it; empty where it takes none that has a name.
func hashOf(der []byte) string {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return ""
	}
	said := csr.SignatureAlgorithm.String()
	for _, hash := range []struct{ said, name string }{{"SHA1", "SHA160"}, {"SHA256", "SHA256"}, {"SHA384", "SHA384"}, {"SHA512", "SHA512"}} {
		if strings.Contains(said, hash.said) {
			return hash.name
		}
	}
	return ""
}

// uuidBody names a record.
type uuidBody struct {
	UUID lenient.String `json:"uuId"`
}

// downloadCSR answers with the signing request of a record, PEM.
func (a *api) downloadCSR(c *call, in *payload[uuidBody]) answer {
	id := in.Payload.UUID.Trimmed()
	if id == "" {
		return fail(mandatory("uuId"))
	}
	rec, err := a.core.RecordByUUID(c.Context(), c.who(), id)
	switch {
	case err != nil:
		return a.refuse(c, readingWords, err)
	case !c.may(mayDownload):
		return fail(accessDenied)
	case len(rec.Version.CSR) == 0:
		return fail(noCSR)
	}
	return ok(http.StatusOK, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: rec.Version.CSR})), "")
}

// noCSR is the failure of asking for a signing request that was never here.
var noCSR = cannot("CSR is not available for the certificate.")
