package shelf

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
)

// The fields that the layouts read, for the drivers that use them. OwnerFields are
// those that New reads, whatever the layout.
var (
	PEMFields = []deploy.Field{
		{Attr: clm.CertificateFile, Label: "Certificate File", Required: true},
		{Attr: clm.KeyFile, Label: "Private Key File", Required: true},
		{Attr: clm.ChainFile, Label: "Certificate Chain File"},
		{Attr: clm.ReplaceChain, Label: "Overwrite Existing Chain"},
		{Attr: clm.BundleChain, Label: "Bundle Certificate"},
		{Attr: clm.KeySyntax, Label: "Private Key Syntax"},
		{Attr: clm.KeyCredential, Label: "Private Key Password Credential", Credential: true},
	}
	PKCS12Fields = []deploy.Field{
		{Attr: clm.CertificateFile, Label: "Certificate File", Required: true},
		{Attr: clm.KeyCredential, Label: "Private Key Password Credential", Required: true, Credential: true},
		{Attr: clm.FriendlyName, Label: "Friendly Name"},
		{Attr: clm.CreateStore, Label: "Create Store"},
		{Attr: clm.ReplaceStore, Label: "Replace Store"},
		{Attr: clm.BundleChain, Label: "Bundle Certificate"},
		{Attr: clm.ChainFile, Label: "Certificate Chain File"},
		{Attr: clm.ReplaceChain, Label: "Overwrite Existing Chain"},
	}
	JKSFields = []deploy.Field{
		{Attr: clm.KeyStore, Label: "Key Store", Required: true},
		{Attr: clm.StoreCredential, Label: "Key Store Credential", Required: true, Credential: true},
		{Attr: clm.StoreAlias, Label: "Certificate Label", Required: true},
		{Attr: clm.StoreType, Label: "Store Type"},
		{Attr: clm.KeyCredential, Label: "Private Key Password Credential", Credential: true},
		{Attr: clm.CreateStore, Label: "Create Store"},
		{Attr: clm.ReplaceStore, Label: "Replace Store"},
	}
	OwnerFields = []deploy.Field{
		{Attr: clm.OwnerRules, Label: "File Permissions Enabled"},
		{Attr: clm.FileUser, Label: "File Owner: User"},
		{Attr: clm.FileGroup, Label: "File Owner: Group"},
		{Attr: clm.FileUserMode, Label: "File Permissions: User"},
		{Attr: clm.FileGroupMode, Label: "File Permissions: Group"},
	}
)

// Check fails when a required field of those has no value, or no password where it
// names a credential: "Private Key File is not set".
func Check(s deploy.Settings, fields []deploy.Field) error {
	for _, f := range fields {
		if f.Required && s.Value(f.Attr, "") == "" && s.Secrets[f.Attr].IsEmpty() {
			return fmt.Errorf("%s is not set", f.Label)
		}
		if f.Required && f.Credential && s.Secrets[f.Attr].IsEmpty() {
			return fmt.Errorf("%s has no password", f.Label)
		}
	}
	return nil
}

// labelOf is what people call a field.
func labelOf(a clm.Attr) string {
	all := slices.Concat(PEMFields, PKCS12Fields, JKSFields, OwnerFields)
	return all[slices.IndexFunc(all, func(f deploy.Field) bool { return f.Attr == a })].Label
}

// checkPath fails when a field's value cannot be the path of a file.
func checkPath(label, name string) error {
	switch {
	case !path.IsAbs(name):
		return fmt.Errorf("%s: %q is not an absolute path", label, name)
	case path.Clean(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		return fmt.Errorf("%s: %q is not the path of a file", label, name)
	}
	return nil
}
