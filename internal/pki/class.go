package pki

import (
	"crypto/x509"
	"slices"

	"github.com/certwright/certwright/internal/clm"
)

// serverUsages are the enhanced key usages (RFC 5280, section 4.2.1.12; RFC 5055,
// section 3.2.4.2.1) of certificates that serve.
var serverUsages = []string{
	"1.3.6.1.5.5.7.3.1",  // server authentication
	"1.3.6.1.5.5.7.3.3",  // code signing
	"1.3.6.1.5.5.7.3.8",  // time stamping
	"1.3.6.1.5.5.7.3.9",  // OCSP signing
	"1.3.6.1.5.5.7.3.15", // SCVP server
	"1.3.6.1.5.5.7.3.16", // SCVP client
}

const usageSmartCardLogon = "1.3.6.1.4.1.311.20.2.2"

// ClassOf says by its enhanced key usages what a certificate is for: a server, if
// one of them is a server's; a person, if one is smart card logon, or if there are
// any and the alternative names have a mail address or a user principal name; a
// device otherwise.
func ClassOf(cert *x509.Certificate) clm.Class {
	usages := usageOIDs(cert.Extensions)
	names, _ := ReadNames(cert.RawSubject, cert.Extensions) // as far as it can be read
	namesPerson := len(names.Email)+len(names.UPN) > 0
	switch {
	case slices.ContainsFunc(usages, func(oid string) bool { return slices.Contains(serverUsages, oid) }):
		return clm.ServerCertificate
	case slices.Contains(usages, usageSmartCardLogon), namesPerson && len(usages) > 0:
		return clm.UserCertificate
	}
	return clm.DeviceCertificate
}
