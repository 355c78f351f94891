package tpp

import (
	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// importation is what POST Certificates/Import takes. The certificate is a secret
// too: it may be a file that brings its key.
type importation struct {
	PolicyDN             lenient.String
	ObjectName           lenient.String
	CertificateData      secret.Plain
	PrivateKeyData       secret.Plain
	Password             secret.Plain
	CASpecificAttributes []nameValue
	Reconcile            lenient.Bool
}

// importCertificate serves POST Certificates/Import: a certificate that was issued
// elsewhere.
func (a *api) importCertificate(c *call, in *importation) answer {
	fail := func(err error) answer { return a.refuse(c, importing, in.PolicyDN.Trimmed(), err) }
	switch {
	case in.PolicyDN.Trimmed() == "":
		return fail(clm.Fail(clm.Invalid, fieldMissing, "PolicyDN"))
	case in.CertificateData.IsEmpty():
		return fail(clm.Fail(clm.Invalid, fieldMissing, "CertificateData"))
	}
	own := map[clm.Attr][]string{clm.CreatedBy: {createdBy}}
	if err := addCAAttributes(own, in.CASpecificAttributes); err != nil {
		return fail(err)
	}
	done, err := a.core.Import(c.Context(), c.who(), core.Import{
		Folder: in.PolicyDN.Value, Name: in.ObjectName.Trimmed(), Own: own, Reconcile: in.Reconcile.Value,
		Certificate: in.CertificateData, Key: in.PrivateKeyData, Password: in.Password,
	})
	if err != nil {
		return fail(err)
	}
	body := map[string]any{"CertificateDN": done.DN, "Guid": braced(done.ID), "CertificateVaultId": done.Version}
	if done.HasKey {
		body["PrivateKeyVaultId"], _ = core.VaultID(done.Version, core.KeyPart)
	}
	return ok(body)
}
