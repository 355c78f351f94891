package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/certwright/certwright/internal/clm"
)

// What a certificate may be used for, and whom it names, decide what it is.
func TestClassOfCertificates(t *testing.T) {
	pkix := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, n} }
	smartCard := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}
	host := clm.Names{CommonName: "x", DNS: []string{"x.example"}}
	mail := clm.Names{CommonName: "x", Email: []string{"x@example.com"}}
	upn := clm.Names{CommonName: "x", UPN: []string{"x@example.com"}}
	for name, c := range map[string]struct {
		usages []asn1.ObjectIdentifier
		names  clm.Names
		want   clm.Class
	}{
		"server authentication":            {[]asn1.ObjectIdentifier{pkix(1)}, host, clm.ServerCertificate},
		"server and client":                {[]asn1.ObjectIdentifier{pkix(2), pkix(1)}, host, clm.ServerCertificate},
		"server with a mail address":       {[]asn1.ObjectIdentifier{pkix(1)}, mail, clm.ServerCertificate},
		"server and smart card":            {[]asn1.ObjectIdentifier{smartCard, pkix(1)}, upn, clm.ServerCertificate},
		"code signing":                     {[]asn1.ObjectIdentifier{pkix(3)}, mail, clm.ServerCertificate},
		"time stamping":                    {[]asn1.ObjectIdentifier{pkix(8)}, host, clm.ServerCertificate},
		"OCSP signing":                     {[]asn1.ObjectIdentifier{pkix(9)}, host, clm.ServerCertificate},
		"SCVP server":                      {[]asn1.ObjectIdentifier{pkix(15)}, host, clm.ServerCertificate},
		"SCVP client":                      {[]asn1.ObjectIdentifier{pkix(16)}, host, clm.ServerCertificate},
		"smart card logon":                 {[]asn1.ObjectIdentifier{smartCard}, host, clm.UserCertificate},
		"client with a mail address":       {[]asn1.ObjectIdentifier{pkix(2)}, mail, clm.UserCertificate},
		"client with a principal name":     {[]asn1.ObjectIdentifier{pkix(2)}, upn, clm.UserCertificate},
		"client of a host":                 {[]asn1.ObjectIdentifier{pkix(2)}, host, clm.DeviceCertificate},
		"a mail address without any usage": {nil, mail, clm.DeviceCertificate},
		"nothing":                          {nil, host, clm.DeviceCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			cert := newCert{names: c.names, key: eccKey(), edit: func(x *x509.Certificate) { x.UnknownExtKeyUsage = c.usages }}.make(t)
			if got := ClassOf(cert); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
