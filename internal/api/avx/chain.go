package avx

import (
	"cmp"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/pki"
)

var chainRoutes = []route{
	{method: http.MethodGet, name: "cert-holisticview-get-chain-with-actions", handle: (*api).chain},
}

// A chainReply is a certificate below what it hangs from: the root first, itself last.
type chainReply struct {
	CertificateChain []chainLink `json:"certificateChain"`
}

type chainLink struct {
	CertificateView certificateView `json:"certificateView"`
}

// A certificateView is one certificate of a chain. Only the last is a record.
type certificateView struct {
	CommonName       string `json:"commonName"`
	SerialNumber     string `json:"serialNumber"`
	IssuerCommonName string `json:"issuerCommonName"`
	UUID             string `json:"uuid"`
}

// chain answers with the chain of a record. Clients take the last certificate for that of
// the record, and one without a serial number for one that has yet to come.
func (a *api) chain(c *call) answer {
	ref, refused := c.readingOf("certificateId").ref()
	if refused != nil {
		return fail(mandatory("certificateId"))
	}
	issued, rec, err := a.core.HandOut(c.Context(), c.who(), core.HandOut{Record: ref, Check: c.mayLook})
	if errors.Is(err, clm.NotIssued) {
		return ok(http.StatusOK, chainReply{[]chainLink{{certificateView{CommonName: rec.CommonName, UUID: rec.UUID}}}}, "")
	}
	if err != nil {
		return a.refuseHandOut(c, err)
	}
	var links []chainLink
	for _, der := range slices.Backward(append([][]byte{issued.Version.Cert}, issued.Chain...)) {
		links = append(links, chainLink{viewOf(der)})
	}
	links[len(links)-1].CertificateView.UUID = rec.UUID
	return ok(http.StatusOK, chainReply{links}, "")
}

// mayLook reports whether the account may look at certificates.
func (c *call) mayLook(core.Record) error {
	if !c.may(mayView) && !c.may(mayDownload) {
		return refusal{accessDenied}
	}
	return nil
}

// viewOf is the certificate, DER. One without a common name is called by its whole name.
func viewOf(der []byte) certificateView {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return certificateView{}
	}
	named := func(common string, whole []byte) string { return cmp.Or(common, pki.FormatName(whole)) }
	return certificateView{
		CommonName:       named(cert.Subject.CommonName, cert.RawSubject),
		SerialNumber:     colons(pki.Serial(cert)),
		IssuerCommonName: named(cert.Issuer.CommonName, cert.RawIssuer),
	}
}
