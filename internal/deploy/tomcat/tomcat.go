// Package tomcat puts certificates where a Tomcat uses them: into the keystore that a
// Certificate of its server.xml names, either
//
//	certificateKeystoreFile="{Key Store}" certificateKeystorePassword="..." certificateKeystoreType="PKCS12"
//
// or the same of type JKS. A Tomcat reads it when it starts and when it is told, and
// only then. There are three ways to tell it, and one of them has to be set:
//
//   - its manager (version 8.5.24 or newer), which breaks no connection, and stays with
//     the old certificate where it cannot use the new one;
//   - any command of the administrator's;
//   - systemd, which restarts it: for some seconds nobody is served.
//
// To tell it twice is harmless, but for what a restart costs.
package tomcat

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of Tomcat.
var Driver = shelf.Kind{Fields: fields, LayOut: newLayout, Service: newService}.Driver(look.TLS, 8443)

var fields = slices.Concat([]deploy.Field{
	{Attr: clm.KeyStore, Label: "Key Store", Required: true},
	{Attr: clm.StoreCredential, Label: "Key Store Credential", Required: true, Credential: true},
	{Attr: clm.StoreType, Label: "Store Type"},         // JKS or PKCS12; without it, JKS where the file is called so
	{Attr: clm.StoreAlias, Label: "Certificate Label"}, // which JKS must have
	{Attr: clm.KeyCredential, Label: "Private Key Password Credential", Credential: true},
	{Attr: clm.CreateStore, Label: "Create Store"},
	{Attr: clm.ReplaceStore, Label: "Replace Store"},
	{Attr: clm.ServiceSocket, Label: "Manager"}, // http://user@127.0.0.1:8080/manager, as the device reaches it
	{Attr: clm.ServiceUser, Label: "Manager Credential", Credential: true},
}, deploy.CommandFields, shelf.OwnerFields)

// The formats of keystores.
const (
	formatJKS    = "JKS"
	formatPKCS12 = "PKCS12"
)

// newLayout lays out the keystore. PKCS #12 has fewer settings, whose names are
// others.
func newLayout(s deploy.Settings) (shelf.Layout, error) {
	format, err := formatOf(s)
	if err != nil {
		return shelf.Layout{}, err
	}
	s.Values, s.Secrets = maps.Clone(s.Values), maps.Clone(s.Secrets)
	if format == formatJKS {
		s.Values[clm.StoreType] = []string{formatJKS}
		return shelf.JKS(s)
	}
	file := s.Value(clm.KeyStore, "")
	if !path.IsAbs(file) || path.Clean(file) != file {
		return shelf.Layout{}, wrong(clm.KeyStore, "%q is not the absolute path of a file", file)
	}
	if key := s.Secrets[clm.KeyCredential]; !key.IsEmpty() && !key.Equal(s.Secrets[clm.StoreCredential]) {
		return shelf.Layout{}, wrong(clm.KeyCredential, "PKCS #12 has one password for all, that of the store")
	}
	s.Values[clm.CertificateFile] = []string{file}
	s.Values[clm.FriendlyName] = s.Values[clm.StoreAlias]
	s.Secrets[clm.KeyCredential] = s.Secrets[clm.StoreCredential]
	return shelf.PKCS12(s)
}

// formatOf is the format of the keystore: what is said, or what its name says.
func formatOf(s deploy.Settings) (string, error) {
	wanted := s.Value(clm.StoreType, "")
	switch strings.ToUpper(strings.NewReplacer(" ", "", "#", "").Replace(wanted)) {
	case formatJKS:
		return formatJKS, nil
	case formatPKCS12:
		return formatPKCS12, nil
	case "":
		if strings.EqualFold(path.Ext(s.Value(clm.KeyStore, "")), ".jks") {
			return formatJKS, nil
		}
		return formatPKCS12, nil
	}
	return "", wrong(clm.StoreType, "%q is neither %s nor %s", wanted, formatJKS, formatPKCS12)
}

// wrong is what is wrong with a setting, under the label that people know it by.
func wrong(a clm.Attr, format string, args ...any) error {
	i := slices.IndexFunc(fields, func(f deploy.Field) bool { return f.Attr == a })
	return fmt.Errorf("%s: %w", fields[i].Label, fmt.Errorf(format, args...))
}
