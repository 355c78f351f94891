package tpp

import (
	"net/http"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// sshName names a template or certificate.
type sshName struct {
	DN   lenient.String
	Guid lenient.String
}

func (n *sshName) isGiven() bool { return n.DN.Trimmed() != "" || n.Guid.Trimmed() != "" }

// sshTemplateQuery is what POST SSHCertificates/Template/Retrieve takes.
type sshTemplateQuery struct {
	sshName
	IncludeCAKeyPairDetails lenient.Bool
}

// sshTemplate serves POST SSHCertificates/Template/Retrieve: what may be asked for.
func (a *api) sshTemplate(c *call, in *sshTemplateQuery) answer {
	if !in.isGiven() {
		return a.sshFail(c, clm.Fail(clm.Invalid, fieldMissing, "Guid or DN"))
	}
	t, err := a.core.SSHTemplate(c.Context(), c.who(), in.DN.Trimmed(), guidOf(in.Guid.Value))
	if err != nil {
		return a.sshFail(c, err)
	}
	one := func(attr clm.Attr) string { return clm.Setting{Values: t.Own[attr]}.First() }
	many := func(attr clm.Attr) []string { return list(t.Own[attr]) }
	body := map[string]any{
		"DN": t.DN, "Guid": braced(t.ID), "Name": t.DN.Name(), "CreatedOn": stampOf(t.Created), "Contacts": universals(t.Own[clm.Contact]),
		"AccessControl": map[string]any{
			"DefaultCertificateIdentifier": one(clm.SSHKeyID),
			"DefaultPrincipals":            many(clm.SSHPrincipals), "AllowedPrincipalsPatterns": many(clm.SSHPrincipalsIn),
			"DefaultExtensions": many(clm.SSHExtensions), "AllowedExtensions": many(clm.SSHExtensionsIn),
			"DefaultForceCommand": one(clm.SSHForceCommand), "AllowedForceCommandPatterns": many(clm.SSHForceCommandsIn),
			"DefaultSourceAddresses": many(clm.SSHSourceAddresses), "AllowedSourceAddresses": many(clm.SSHSourceNetworksIn),
		},
		"APIClient": map[string]any{
			"AllowedToRequestCertificateIdentifier": t.Lets(clm.SSHOwnKeyID), "AllowedToRequestExtensions": t.Lets(clm.SSHOwnExtensions),
			"AllowedToRequestForceCommand": t.Lets(clm.SSHOwnForceCommand), "AllowedToRequestPrincipals": t.Lets(clm.SSHOwnPrincipals),
			"AllowedToRequestSourceAddresses": t.Lets(clm.SSHOwnSourceAddresses),
		},
		"Certificate": map[string]any{
			"Type": sshKinds[t.IsForHosts()], "AllowedPrivateKeyAlgorithms": many(clm.SSHKeys), "DefaultPrivateKeyAlgorithm": one(clm.KeyAlgorithm),
			"CertificateDestinationDn": t.Folder, "ValidityPeriod": one(clm.SSHMaxValidity),
		},
	}
	if t.Signer.ID != "" {
		body["CAKeyPairDN"], body["CAKeyPairGuid"] = t.Signer.DN, braced(t.Signer.ID)
		if !in.IncludeCAKeyPairDetails.Set || in.IncludeCAKeyPairDetails.Value {
			body["CAKeyPair"] = sshKeyPair(t.Signer)
		}
	}
	return sshOK(body)
}

// sshKeyPair is a key pair as it is shown.
func sshKeyPair(k core.SSHKeyPair) map[string]any {
	return map[string]any{
		"CreatedOn": stampOf(k.Created), "DN": k.DN, "FingerprintSHA256": k.Fingerprint(), "Guid": braced(k.ID), "KeyAlgorithm": k.Algorithm(),
		"KeyStorage": softwareStorage, "Name": k.DN.Name(), "PublicKeyData": k.PublicKey(),
	}
}

// sshPublicKey serves GET SSHCertificates/Template/Retrieve/PublicKeyData, for
// everybody: a line as servers want it.
func (a *api) sshPublicKey(c *call, in *sshName) answer {
	if !in.isGiven() {
		return a.sshFail(c, clm.Fail(clm.Invalid, fieldMissing, "Guid or DN"))
	}
	line, err := a.core.SSHPublicKey(c.Context(), in.DN.Trimmed(), guidOf(in.Guid.Value))
	if err != nil {
		return a.sshFail(c, err)
	}
	return answer{status: http.StatusOK, file: &file{name: "ca.pub", mime: "text/plain; charset=utf-8", data: []byte(line)}}
}

// sshTemplates serves GET SSHCertificates/Template/Available.
func (a *api) sshTemplates(c *call) answer {
	templates, err := a.core.SSHTemplates(c.Context(), c.who())
	if err != nil {
		return a.sshFail(c, err)
	}
	shown := []any{}
	for _, t := range templates {
		shown = append(shown, map[string]any{"DN": t.DN, "Guid": braced(t.ID)})
	}
	return ok(shown)
}

// newSSHKeyPair is what POST SSHCertificates/CAKeyPair/Create takes.
type newSSHKeyPair struct {
	Name                 lenient.String
	ParentDN             lenient.String
	KeyAlgorithm         lenient.String
	KeyStorage           lenient.String
	PrivateKeyData       secret.Plain
	PrivateKeyPassphrase secret.Plain
}

// sshKeyPairCreate serves POST SSHCertificates/CAKeyPair/Create.
func (a *api) sshKeyPairCreate(c *call, in *newSSHKeyPair) answer {
	switch storage := in.KeyStorage.Trimmed(); {
	case in.Name.Trimmed() == "":
		return a.sshFail(c, clm.Fail(clm.Invalid, fieldMissing, "Name"))
	case storage != "" && storage != softwareStorage:
		return a.sshFail(c, clm.Fail(clm.Invalid, fieldStorage, storage))
	}
	made, err := a.core.CreateSSHKeyPair(c.Context(), c.who(), core.NewSSHKeyPair{
		Parent: in.ParentDN.Trimmed(), Name: in.Name.Trimmed(), Algorithm: in.KeyAlgorithm.Trimmed(),
		Key: in.PrivateKeyData, Passphrase: in.PrivateKeyPassphrase,
	})
	if err != nil {
		return a.sshFail(c, err)
	}
	body := sshKeyPair(made)
	body["ProcessingDetails"] = map[string]any{"Status": sshReady, "StatusDescription": ""}
	return sshOK(body)
}
