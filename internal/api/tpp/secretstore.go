package tpp

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/secret"
)

// secretRoutes are the calls about secrets. OwnerDelete is there for who may delete
// objects too: clients make it before they delete one.
var secretRoutes = []route{
	{"POST", "/vedsdk/secretstore/add", needs("restricted:manage"), vaultCall{
		"Adding a secret", []string{"VaultType", "Base64Data", "Namespace", "Owner"}, "", (*api).secretAdd}.handler()},
	{"POST", "/vedsdk/secretstore/retrieve", needs("restricted:manage"), vaultCall{
		"Retrieving a secret", []string{"VaultID"}, "", (*api).secretRetrieve}.handler()},
	{"POST", "/vedsdk/secretstore/owneradd", needs("restricted:manage"), vaultCall{
		"Adding an owner", []string{"Namespace", "Owner", "VaultID"}, "", (*api).secretOwnerAdd}.handler()},
	{"POST", "/vedsdk/secretstore/ownerdelete", needs("restricted:delete", "configuration:delete"), vaultCall{
		"Deleting an owner", []string{"Namespace", "Owner"}, "", (*api).secretOwnerDelete}.handler()},
	{"POST", "/vedsdk/secretstore/ownerlookup", needs("restricted"), vaultCall{
		"Looking up the owners of a secret", []string{"Namespace", "VaultID"}, "Owners", (*api).secretOwners}.handler()},
	{"POST", "/vedsdk/secretstore/lookupbyowner", needs("restricted"), vaultCall{
		"Looking up the secrets of an owner", []string{"Namespace", "Owner"}, vaultIDList, (*api).secretsOfOwner}.handler()},
	{"POST", "/vedsdk/secretstore/lookupbyvaulttype", needs("restricted"), vaultCall{
		"Looking up the secrets of a vault type", []string{"VaultType"}, vaultIDList, (*api).secretsOfType}.handler()},
	{"GET", "/vedsdk/secretstore/lookup", needs("restricted"), vaultCall{
		"Looking up all secrets", nil, vaultIDList, (*api).secretsAll}.handler()},
	{"POST", "/vedsdk/secretstore/orphanlookup", needs("restricted"), vaultCall{
		"Looking up the secrets without an owner", []string{"VaultType"}, vaultIDList, (*api).secretOrphans}.handler()},
	{"POST", "/vedsdk/secretstore/associate", needs("restricted:manage"), vaultCall{
		"Associating data with a secret", []string{"VaultID", "Name"}, "", (*api).secretAssociate}.handler()},
	{"POST", "/vedsdk/secretstore/dissociate", needs("restricted:manage"), vaultCall{
		"Dissociating data from a secret", []string{"VaultID"}, "", (*api).secretDissociate}.handler()},
	{"POST", "/vedsdk/secretstore/lookupbyassociation", needs("restricted"), vaultCall{
		"Looking up secrets by associated data", []string{"Name"}, vaultIDList, (*api).secretsByAssociation}.handler()},
	{"POST", "/vedsdk/secretstore/lookupassociationbyvaultid", needs("restricted"), vaultCall{
		"Looking up associated data", []string{"VaultID", "Name"}, "", (*api).secretAssociation}.handler()},
	{"POST", "/vedsdk/secretstore/lookupallassociationsbyvaultid", needs("restricted"), vaultCall{
		"Looking up all associated data", []string{"VaultID"}, "TypedNameValues", (*api).secretAssociations}.handler()},
	{"POST", "/vedsdk/secretstore/mutate", needs("restricted:manage"), vaultCall{
		"Changing the vault type of a secret", []string{"VaultID", "VaultType"}, "", (*api).secretMutate}.handler()},
	{"GET", "/vedsdk/secretstore/encryptionkeysinuse", needs("restricted"), vaultCall{
		"Looking up the encryption keys", nil, "EncryptionKeys", (*api).secretKeys}.handler()},
	{"GET", "/vedsdk/crypto/availablekeys", anyToken, (*api).availableKeys},
	{"GET", "/vedsdk/crypto/defaultkey", anyToken, (*api).defaultKey},
}

const vaultIDList = "VaultIDs"

// The results of the calls about secrets.
const (
	badVaultID       = 8
	badParams        = 9
	noPermission     = 10
	deleteFailed     = 12
	notThatType      = 15
	dissociateFailed = 17
	associateFailed  = 19
	lookupFailed     = 20
	badKey           = 21
	associated       = 27
	noAssociation    = 29
)

var secretResults = &results{
	done: 0,
	names: map[int]string{
		badVaultID: "InvalidVaultID", badParams: "InvalidParams", noPermission: "InsufficientPermissions", deleteFailed: "DeleteSecretFailed",
		notThatType: "RetrieveSecretTypeFailed", dissociateFailed: "DisassociateFailed", associateFailed: "AssociateDataFailed",
		lookupFailed: "LookupFailed", badKey: "InvalidKey", associated: "AssociationAlreadyExists", noAssociation: "AssociationLookupFailed",
	},
	rules: []resultRule{
		{clm.NotFound, "vault-id", badVaultID},
		{clm.Invalid, "vault-id", badVaultID},
		{clm.NotFound, "fact", noAssociation},
		{clm.NotFound, "dissociate", dissociateFailed},
		{clm.NotFound, "certificate", lookupFailed},
		{clm.NotFound, "", badParams},
		{clm.Invalid, "keyname", badKey},
		{clm.Invalid, "kind", notThatType},
		{clm.Invalid, "", badParams},
		{clm.Denied, "", noPermission},
		{clm.Exists, "", associated},
		{clm.Unsupported, "delete", deleteFailed},
		{clm.Unsupported, "dissociate", dissociateFailed},
		{clm.Unsupported, "fact", associateFailed},
		{clm.Unsupported, "", badParams},
	},
}

// secretQuery is what the calls about secrets take; each reads what it needs.
type secretQuery struct {
	Namespace   lenient.String
	Owner       lenient.String
	VaultID     lenient.Int64
	VaultType   lenient.Int64
	Keyname     lenient.String
	Base64Data  secret.Plain
	Name        lenient.String
	StringValue lenient.String
	IntValue    lenient.Int64
	DateValue   factDate
	ValueDate   factDate // what the page POST SecretStore/Dissociate calls DateValue
}

// A factDate is a date. An empty string counts as left out.
type factDate struct{ lenient.Date }

// UnmarshalJSON never repeats the value in its error.
func (d *factDate) UnmarshalJSON(data []byte) error {
	*d = factDate{}
	var text string
	if json.Unmarshal(data, &text) == nil && strings.TrimSpace(text) == "" {
		return nil
	}
	return d.Date.UnmarshalJSON(data)
}

// A vaultCall is one of the calls about secrets.
type vaultCall struct {
	doing    string   // what it does, in words
	required []string // members that must be there
	list     string   // of what it answers: there even when it fails
	do       func(*api, *call, *secretQuery) (map[string]any, error)
}

// handler serves the call.
func (v vaultCall) handler() handler {
	return read(func(a *api, c *call, in *secretQuery) answer {
		if missing := in.missing(v.required); missing != "" {
			return lacks(missing)
		}
		err := in.check()
		var more map[string]any
		if err == nil {
			more, err = v.do(a, c, in)
		}
		switch {
		case err == nil:
			return secretResults.ok(more)
		case v.list == "":
			return secretResults.refuse(a, c, v.doing, err)
		}
		return secretResults.refuse(a, c, v.doing, err, v.list)
	})
}

// missing is the first of the members that was left out or is empty.
func (in *secretQuery) missing(members []string) string {
	has := map[string]bool{
		"Namespace": in.Namespace.Trimmed() != "", "Owner": in.Owner.Trimmed() != "", "Name": in.Name.Trimmed() != "",
		"Base64Data": !in.Base64Data.IsEmpty(), "VaultID": in.VaultID.Set, "VaultType": in.VaultType.Set,
	}
	for _, name := range members {
		if !has[name] {
			return name
		}
	}
	return ""
}

// check makes sure of what is the same for all calls.
func (in *secretQuery) check() error {
	switch {
	case in.Namespace.Trimmed() != "" && !strings.EqualFold(in.Namespace.Trimmed(), "config"):
		return clm.Fail(clm.Invalid, "namespace", in.Namespace.Value)
	case in.VaultID.Wrong != "" || in.VaultID.Set && in.VaultID.Value <= 0:
		return clm.Fail(clm.Invalid, "vault-id", "")
	case in.VaultType.Wrong != "" || in.VaultType.Value < 0:
		return clm.Fail(clm.Invalid, "vault-type", "")
	}
	return nil
}

// fact is the one value that is given, if there is one. A second is refused.
func (in *secretQuery) fact() (core.Fact, error) {
	f := core.Fact{Name: in.Name.Trimmed()}
	var values []any
	if in.StringValue.Set {
		values = append(values, in.StringValue.Value)
	}
	if in.IntValue.Set {
		values = append(values, in.IntValue.Value)
	}
	for _, date := range []factDate{in.DateValue, in.ValueDate} {
		if date.Set {
			values = append(values, date.Value)
		}
	}
	if len(values) > 1 || in.IntValue.Wrong != "" {
		return f, clm.Fail(clm.Invalid, "value", "")
	}
	if len(values) == 1 {
		f.Value = values[0]
	}
	return f, nil
}

// fromBase64 reads base64 leniently: of either alphabet, with or without padding,
// with blanks and line ends in it.
func fromBase64(text []byte) ([]byte, error) {
	clean := make([]byte, 0, len(text))
	for _, b := range text {
		switch b {
		case ' ', '\t', '\r', '\n':
		case '-':
			clean = append(clean, '+')
		case '_':
			clean = append(clean, '/')
		default:
			clean = append(clean, b)
		}
	}
	for len(clean) > 0 && clean[len(clean)-1] == '=' {
		clean = clean[:len(clean)-1]
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(decoded, clean)
	return decoded[:n], err
}

// secretAdd serves POST SecretStore/Add.
func (a *api) secretAdd(c *call, in *secretQuery) (map[string]any, error) {
	content, err := fromBase64(in.Base64Data.Reveal())
	if err != nil {
		return nil, clm.Fail(clm.Invalid, "data", "") // the error tells what it has met
	}
	id, err := a.core.AddSecret(c.Context(), c.who(), core.AddSecret{
		Owner: in.Owner.Value, Kind: in.VaultType.Value, Keyname: in.Keyname.Value, Content: secret.NewPlain(content),
	})
	return map[string]any{"VaultID": id}, err
}

// secretRetrieve serves POST SecretStore/Retrieve.
func (a *api) secretRetrieve(c *call, in *secretQuery) (map[string]any, error) {
	kind, content, err := a.core.RetrieveSecret(c.Context(), c.who(), in.VaultID.Value)
	return map[string]any{"Base64Data": base64.StdEncoding.EncodeToString(content.Reveal()), "VaultType": kind}, err
}

// secretOwnerAdd serves POST SecretStore/OwnerAdd.
func (a *api) secretOwnerAdd(c *call, in *secretQuery) (map[string]any, error) {
	return nil, a.core.OwnSecret(c.Context(), c.who(), in.VaultID.Value, in.Owner.Value)
}

// secretOwnerDelete serves POST SecretStore/OwnerDelete.
func (a *api) secretOwnerDelete(c *call, in *secretQuery) (map[string]any, error) {
	if !in.VaultID.Set {
		return nil, a.core.DisownSecrets(c.Context(), c.who(), in.Owner.Value)
	}
	return nil, a.core.DisownSecret(c.Context(), c.who(), in.VaultID.Value, in.Owner.Value)
}

// secretOwners serves POST SecretStore/OwnerLookup.
func (a *api) secretOwners(c *call, in *secretQuery) (map[string]any, error) {
	owners, err := a.core.VaultOwners(c.Context(), c.who(), in.VaultID.Value)
	return map[string]any{"Owners": items(owners)}, err
}

// items is never null on the wire.
func items[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// secretsOfOwner serves POST SecretStore/LookupByOwner.
func (a *api) secretsOfOwner(c *call, in *secretQuery) (map[string]any, error) {
	ids, err := a.core.VaultEntriesOf(c.Context(), c.who(), in.Owner.Value, in.VaultType.Value)
	return map[string]any{vaultIDList: items(ids)}, err
}

// secretsOfType serves POST SecretStore/LookupByVaultType.
func (a *api) secretsOfType(c *call, in *secretQuery) (map[string]any, error) {
	if in.VaultType.Value == 0 {
		return nil, clm.Fail(clm.Invalid, "vault-type", "")
	}
	ids, err := a.core.VaultEntries(c.Context(), c.who(), in.VaultType.Value)
	return map[string]any{vaultIDList: items(ids)}, err
}

// secretsAll serves GET SecretStore/Lookup.
func (a *api) secretsAll(c *call, _ *secretQuery) (map[string]any, error) {
	ids, err := a.core.VaultEntries(c.Context(), c.who(), 0)
	return map[string]any{vaultIDList: items(ids)}, err
}

// secretOrphans serves POST SecretStore/OrphanLookup.
func (a *api) secretOrphans(c *call, in *secretQuery) (map[string]any, error) {
	ids, err := a.core.VaultOrphans(c.Context(), c.who(), in.VaultType.Value)
	return map[string]any{vaultIDList: items(ids)}, err
}

// secretAssociate serves POST SecretStore/Associate.
func (a *api) secretAssociate(c *call, in *secretQuery) (map[string]any, error) {
	f, err := in.fact()
	if err != nil {
		return nil, err
	}
	return nil, a.core.AddFact(c.Context(), c.who(), in.VaultID.Value, f)
}

// secretDissociate serves POST SecretStore/Dissociate. Without a value all of the name
// goes, and without a name everything.
func (a *api) secretDissociate(c *call, in *secretQuery) (map[string]any, error) {
	f, err := in.fact()
	if err != nil {
		return nil, err
	}
	return nil, a.core.DropFacts(c.Context(), c.who(), in.VaultID.Value, f)
}

// secretsByAssociation serves POST SecretStore/LookupByAssociation.
func (a *api) secretsByAssociation(c *call, in *secretQuery) (map[string]any, error) {
	f, err := in.fact()
	if err != nil {
		return nil, err
	}
	ids, err := a.core.VaultEntriesWith(c.Context(), c.who(), f)
	return map[string]any{vaultIDList: items(ids)}, err
}

// secretAssociation serves POST SecretStore/LookupAssociationByVaultID: the first
// value of the name.
func (a *api) secretAssociation(c *call, in *secretQuery) (map[string]any, error) {
	facts, err := a.core.Facts(c.Context(), c.who(), in.VaultID.Value)
	if err != nil {
		return nil, err
	}
	for _, f := range facts {
		if strings.EqualFold(f.Name, in.Name.Trimmed()) {
			return map[string]any{"Value": factText(f)}, nil
		}
	}
	return nil, clm.Fail(clm.NotFound, "fact", in.Name.Value)
}

// secretAssociations serves POST SecretStore/LookupAllAssociationsByVaultID.
func (a *api) secretAssociations(c *call, in *secretQuery) (map[string]any, error) {
	facts, err := a.core.Facts(c.Context(), c.who(), in.VaultID.Value)
	return map[string]any{"TypedNameValues": typedValues(facts)}, err
}

// secretMutate serves POST SecretStore/Mutate.
func (a *api) secretMutate(c *call, in *secretQuery) (map[string]any, error) {
	return nil, a.core.ChangeSecretKind(c.Context(), c.who(), in.VaultID.Value, in.VaultType.Value)
}

// secretKeys serves GET SecretStore/EncryptionKeysInUse.
func (a *api) secretKeys(c *call, _ *secretQuery) (map[string]any, error) {
	used, err := a.core.ProtectionsInUse(c.Context())
	return map[string]any{"EncryptionKeys": list(used)}, err
}

// availableKeys serves GET Crypto/AvailableKeys.
func (a *api) availableKeys(*call) answer { return ok(map[string]any{"Keynames": core.Protections}) }

// defaultKey serves GET Crypto/DefaultKey.
func (a *api) defaultKey(*call) answer {
	return ok(map[string]any{"DefaultKey": core.DefaultProtection})
}

// attributeDate is how dates stand in attributes and associated data.
const attributeDate = "01/02/2006 15:04:05"

// typedValues are facts on the wire.
func typedValues(facts []core.Fact) []any {
	values := []any{}
	for _, f := range facts {
		values = append(values, map[string]any{"Name": f.Name, "Type": factType(f), "Value": factText(f)})
	}
	return values
}

func factType(f core.Fact) string {
	switch f.Value.(type) {
	case int64:
		return "int"
	case time.Time:
		return "datetime"
	}
	return "string"
}

func factText(f core.Fact) string {
	switch v := f.Value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Time:
		return v.UTC().Format(attributeDate)
	case string:
		return v
	}
	return ""
}
