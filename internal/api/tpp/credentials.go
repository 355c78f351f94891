package tpp

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// credentialRoutes are the calls about credentials.
var credentialRoutes = []route{
	{"POST", "/vedsdk/credentials/create", needs("security:manage"), read((*api).credentialCreate)},
	{"POST", "/vedsdk/credentials/update", needs("security:manage"), read((*api).credentialUpdate)},
	{"POST", "/vedsdk/credentials/retrieve", needs("security:manage"), read((*api).credentialRetrieve)},
	{"POST", "/vedsdk/credentials/enumerate", needs("security"), read((*api).credentialEnumerate)},
	{"POST", "/vedsdk/credentials/delete", needs("security:delete"), read((*api).credentialDelete)},
	{"POST", "/vedsdk/credentials/rename", needs("security:manage"), read((*api).credentialRename)},
}

// credentialResults are the codes of the calls about credentials: those of Config, and
// some more.
var credentialResults = &results{
	done: 1,
	names: map[int]string{
		2: "InvalidArgument", 7: "InsufficientPrivileges", 400: "ObjectDoesNotExist", 401: "ObjectAlreadyExists", 403: "ObjectNameTooLong",
		404: "ObjectDepthTooDeep", 405: "ObjectInvalidName", 407: "ObjectInvalidContainment", 408: "ObjectMandatoryMissing",
		410: "ObjectInvalidOperation", 1000: "SecretStoreFailed", 1004: "CredentialTypeMismatch", 1005: "NoDriver", 1006: "VaultTypeMismatch",
		1008: "VaultDataUnrecognized",
	},
	rules: []resultRule{
		{clm.NotFound, "vault-id", 1000},
		{clm.NotFound, "", 400},
		{clm.Invalid, "parent", 400},
		{clm.Invalid, "dn", 400},
		{clm.Invalid, "length", 403},
		{clm.Invalid, "depth", 404},
		{clm.Invalid, "name", 405},
		{clm.Invalid, "missing", 408},
		{clm.Invalid, "", 2},
		{clm.Denied, "", 7},
		{clm.Exists, "", 401},
		{clm.Unsupported, "class", 407},
		{clm.Unsupported, "place", 407},
		{clm.Unsupported, "object", 410},
		{clm.Unsupported, "below", 410},
		{clm.Unsupported, "secret", 1000},
		{clm.Unsupported, "kind", 1004},
		{clm.Unsupported, "driver", 1005},
		{clm.Unsupported, "vault-type", 1006},
		{clm.Unsupported, "content", 1008},
	},
}

// A credentialKind is what the vendor calls by a friendly name.
type credentialKind struct {
	friendly string
	class    string
	vault    int64
	hasKey   bool
	values   []credentialValue
	needed   string // the value that it cannot be without; empty: there is none
}

// A credentialValue is one of the values of a credential. One with an attribute may
// be seen by all who may read the object.
type credentialValue struct {
	name     string
	isBinary bool
	attr     string
}

var credentialKinds = []credentialKind{
	{friendly: "Password", class: "Password Credential", vault: core.VaultPassword, needed: "Password", values: []credentialValue{{name: "Password"}}},
	{friendly: "UsernamePassword", class: "Username Password Credential", vault: core.VaultPassword, needed: "Password", values: []credentialValue{
		{name: "Username", attr: "Username"}, {name: "Password"}}},
	{friendly: "Certificate", class: "Certificate Credential", vault: core.VaultPKCS12, hasKey: true, needed: "Certificate", values: []credentialValue{
		{name: "Certificate", isBinary: true}, {name: "Password"}}},
	{friendly: "PrivateKey", class: "Private Key Credential", vault: core.VaultKey, hasKey: true, needed: "Key", values: []credentialValue{
		{name: "Username", attr: "Username"}, {name: "Key", isBinary: true}, {name: "Password"}}},
	{friendly: "Generic", class: "Generic Credential", vault: core.VaultBlob, needed: "Generic", values: []credentialValue{
		{name: "Generic", isBinary: true}, {name: "Password"}}},
	{friendly: "Amazon", class: "Amazon Credential", vault: core.VaultPassword, values: []credentialValue{
		{name: "Source", attr: "Authentication Source"}, {name: "AccessKey"}, {name: "SecretKey"}, {name: "ExternalId"},
		{name: "Role", attr: "Role"}, {name: "AdfsUrl", attr: "Web Service URL"}, {name: "AdfsCredential"}, {name: "RegionCode", attr: "Region Code"}}},
	{friendly: "Google", class: "Google Credential", vault: core.VaultPassword, needed: "Json", values: []credentialValue{{name: "Json"}}},
}

// vaultAttr is where the number of the secret of a credential stands.
var vaultAttr = names.Attr("Vault Id")

func kindBy(is func(credentialKind) bool) (credentialKind, error) {
	at := slices.IndexFunc(credentialKinds, is)
	if at < 0 {
		return credentialKind{}, clm.Fail(clm.Unsupported, "driver", "")
	}
	return credentialKinds[at], nil
}

// credentialQuery is what the calls about credentials take; each reads what it needs.
type credentialQuery struct {
	CredentialPath    lenient.String
	NewCredentialPath lenient.String
	FriendlyName      lenient.String
	Values            []struct {
		Name  lenient.String
		Value secret.Plain
	}
	Password      secret.Plain
	Description   lenient.String
	EncryptionKey lenient.String
	Shared        lenient.Bool
	Expiration    lenient.String
	Contact       contacts
	Pattern       lenient.String
	Recursive     lenient.Bool
}

// contacts are users and groups: a name of the kind local:{GUID}, an entry with such
// names, or a list of either.
type contacts struct {
	lenient.Presence
	people []principal
}

// UnmarshalJSON never repeats what it cannot read.
func (p *contacts) UnmarshalJSON(data []byte) error {
	*p = contacts{}
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		items = []json.RawMessage{data}
	}
	p.Set = string(data) != "null"
	for _, item := range items {
		var one principal
		if err := json.Unmarshal(item, &one); err == nil {
			p.people = append(p.people, one)
			continue
		}
		var name lenient.String
		if err := json.Unmarshal(item, &name); err != nil {
			return err
		}
		if rest, isLocal := cutPrefixFold(name.Trimmed(), localPrefix); isLocal && isGUID.MatchString(rest) {
			one.PrefixedUniversal = name
		} else {
			one.PrefixedName = name
		}
		p.people = append(p.people, one)
	}
	return nil
}

// credential translates the query. What is not said of the object stays as it is.
func (a *api) credential(c *call, in *credentialQuery) (k core.Credential, kind credentialKind, err error) {
	kind, err = kindBy(func(k credentialKind) bool { return strings.EqualFold(k.friendly, in.FriendlyName.Trimmed()) })
	if err != nil {
		return k, kind, err
	}
	class, _ := names.Class(kind.class)
	k = core.Credential{
		DN: in.CredentialPath.Value, Class: class, Own: map[clm.Attr][]string{}, Vault: kind.vault, Keyname: in.EncryptionKey.Value,
		Number: vaultAttr, HasKey: kind.hasKey,
	}
	if k.Values, err = in.values(kind, k.Own); err != nil {
		return k, kind, err
	}
	if in.Description.Set {
		k.Own[clm.Description] = []string{in.Description.Value}
	}
	if in.Shared.Set {
		k.Own[names.Attr("Shared")] = []string{map[bool]string{true: "1", false: "0"}[in.Shared.Value]}
	}
	if in.EncryptionKey.Trimmed() != "" {
		k.Own[names.Attr("Protection Key")] = []string{in.EncryptionKey.Trimmed()}
	}
	if in.Contact.Set {
		if k.Own[clm.Contact], err = a.people(c, in.Contact.people); err != nil {
			return k, kind, err
		}
	}
	at, err := readExpiration(in.Expiration.Trimmed())
	if err == nil && !at.IsZero() {
		k.Own[names.Attr("Expiration")] = []string{at.UTC().Format(attributeDate)}
	}
	return k, kind, err
}

// values reads the values. Those that may be seen it puts on the object; those that
// are null it passes over.
func (in *credentialQuery) values(kind credentialKind, own map[clm.Attr][]string) (map[string]secret.Plain, error) {
	sealed := map[string]secret.Plain{}
	if !in.Password.IsEmpty() && kind.has("Password") {
		sealed["Password"] = in.Password
	}
	for _, given := range in.Values {
		at := slices.IndexFunc(kind.values, func(v credentialValue) bool { return strings.EqualFold(v.name, given.Name.Trimmed()) })
		if at < 0 {
			return nil, clm.Fail(clm.Invalid, "values", given.Name.Value)
		}
		value := given.Value
		switch v := kind.values[at]; {
		case value.Reveal() == nil:
		case v.attr != "":
			own[names.Attr(v.attr)] = []string{string(value.Reveal())}
		case v.isBinary:
			decoded, err := fromBase64(value.Reveal())
			if err != nil {
				return nil, clm.Fail(clm.Invalid, "values", v.name)
			}
			sealed[v.name] = secret.NewPlain(decoded)
		default:
			sealed[v.name] = value
		}
	}
	return sealed, nil
}

func (k credentialKind) has(name string) bool {
	return slices.ContainsFunc(k.values, func(v credentialValue) bool { return v.name == name })
}

// readExpiration reads when a credential expires: a date, or milliseconds since 1970.
// It is never when nothing is said, or as pytpp says nothing: /Date(None)/.
func readExpiration(text string) (time.Time, error) {
	if text == "" || strings.Contains(text, "None") {
		return time.Time{}, nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	at, err := lenient.ParseDate(text)
	if err != nil || at.Year() > 9999 {
		return time.Time{}, clm.Fail(clm.Invalid, "expiration", "")
	}
	return at, nil
}

// credentialCreate serves POST Credentials/Create.
func (a *api) credentialCreate(c *call, in *credentialQuery) answer {
	return a.writeCredential(c, in, "Creating a credential", func(k core.Credential, kind credentialKind) error {
		if _, has := k.Values[kind.needed]; !has && kind.needed != "" {
			return clm.Fail(clm.Invalid, "missing", kind.needed)
		}
		return a.core.CreateCredential(c.Context(), c.who(), k)
	})
}

// credentialUpdate serves POST Credentials/Update.
func (a *api) credentialUpdate(c *call, in *credentialQuery) answer {
	return a.writeCredential(c, in, "Updating a credential", func(k core.Credential, _ credentialKind) error {
		return a.core.UpdateCredential(c.Context(), c.who(), k)
	})
}

func (a *api) writeCredential(c *call, in *credentialQuery, doing string, do func(core.Credential, credentialKind) error) answer {
	switch {
	case in.CredentialPath.Trimmed() == "":
		return lacks("CredentialPath")
	case in.FriendlyName.Trimmed() == "":
		return lacks("FriendlyName")
	}
	k, kind, err := a.credential(c, in)
	if err == nil {
		err = do(k, kind)
	}
	if err != nil {
		return credentialResults.refuse(a, c, doing, err)
	}
	return credentialResults.ok(nil)
}

// credentialRetrieve serves POST Credentials/Retrieve.
func (a *api) credentialRetrieve(c *call, in *credentialQuery) answer {
	if in.CredentialPath.Trimmed() == "" {
		return lacks("CredentialPath")
	}
	got, err := a.core.RetrieveCredential(c.Context(), c.who(), core.Credential{DN: in.CredentialPath.Value, Number: vaultAttr})
	var shown map[string]any
	if err == nil {
		shown, err = showCredential(got)
	}
	if err != nil {
		return credentialResults.refuse(a, c, "Retrieving a credential", err, "Values")
	}
	return credentialResults.ok(shown)
}

// showCredential is a credential on the wire.
func showCredential(k core.Credential) (facts, error) {
	class := names.ClassName(k.Class)
	kind, err := kindBy(func(k credentialKind) bool { return k.class == class })
	if err != nil {
		return nil, err
	}
	if k.Vault != 0 && k.Vault != kind.vault {
		return nil, clm.Fail(clm.Unsupported, "vault-type", strconv.FormatInt(k.Vault, 10))
	}
	first := func(attr clm.Attr) string { return clm.Setting{Values: k.Own[attr]}.First() }
	f := facts{"Classname": class, "Contact": contactEntries(k), "FriendlyName": kind.friendly}
	f.add("Description", first(clm.Description))
	if at, err := lenient.ParseDate(first(names.Attr("Expiration"))); err == nil {
		f["Expiration"] = jsonDate(at)
	}
	values := []any{}
	for _, v := range kind.values {
		value, has := k.Values[v.name]
		shown := map[string]any{"Name": v.name, "Type": "string", "Value": string(value.Reveal())}
		switch {
		case v.attr != "":
			shown["Value"] = first(names.Attr(v.attr))
			has = shown["Value"] != ""
		case v.isBinary:
			shown["Type"], shown["Value"] = "byte[]", base64.StdEncoding.EncodeToString(value.Reveal())
		}
		if has {
			values = append(values, shown)
		}
	}
	if k.Bound != "" {
		values = append(values, map[string]any{"Name": "Certificate DN", "Type": "string", "Value": k.Bound})
	}
	f["Values"] = values
	return f, nil
}

// contactEntries are the contacts of a credential on the wire. Of one of another
// directory only the name is known.
func contactEntries(k core.Credential) []identity {
	entries := []identity{}
	for _, id := range k.Own[clm.Contact] {
		at := slices.IndexFunc(k.Contacts, func(account core.Account) bool { return string(account.ID) == id })
		if at < 0 {
			entries = append(entries, identity{Name: id, PrefixedName: id, PrefixedUniversal: universal(clm.PrincipalID(id))})
			continue
		}
		account := k.Contacts[at]
		entries = append(entries, identity{
			FullName: `\VED\Identity\` + account.Name, IsGroup: account.IsGroup, Name: account.Name, Prefix: "local", PrefixedName: localPrefix + account.Name,
			PrefixedUniversal: universal(account.ID), Type: map[bool]int{false: 1, true: 2}[account.IsGroup], Universal: braced(account.ID),
		})
	}
	return entries
}

// credentialEnumerate serves POST Credentials/Enumerate.
func (a *api) credentialEnumerate(c *call, in *credentialQuery) answer {
	found, err := a.core.Credentials(c.Context(), c.who(), in.CredentialPath.Trimmed(), in.Pattern.Value, in.Recursive.Value)
	if err != nil {
		return credentialResults.refuse(a, c, "Enumerating credentials", err, "CredentialInfos")
	}
	infos := []any{}
	for _, o := range found {
		infos = append(infos, map[string]any{"ClassName": names.TypeName(o), "FullName": o.DN})
	}
	return credentialResults.ok(map[string]any{"CredentialInfos": infos})
}

// credentialDelete serves POST Credentials/Delete.
func (a *api) credentialDelete(c *call, in *credentialQuery) answer {
	if in.CredentialPath.Trimmed() == "" {
		return lacks("CredentialPath")
	}
	if err := a.core.DeleteCredential(c.Context(), c.who(), in.CredentialPath.Value); err != nil {
		return credentialResults.refuse(a, c, "Deleting a credential", err)
	}
	return credentialResults.ok(nil)
}

// credentialRename serves POST Credentials/Rename.
func (a *api) credentialRename(c *call, in *credentialQuery) answer {
	switch {
	case in.CredentialPath.Trimmed() == "":
		return lacks("CredentialPath")
	case in.NewCredentialPath.Trimmed() == "":
		return lacks("NewCredentialPath")
	}
	if err := a.core.RenameCredential(c.Context(), c.who(), in.CredentialPath.Value, in.NewCredentialPath.Value); err != nil {
		return credentialResults.refuse(a, c, "Renaming a credential", err)
	}
	return credentialResults.ok(nil)
}
