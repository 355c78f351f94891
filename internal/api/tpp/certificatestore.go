package tpp

import (
	"encoding/base64"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// certificateStoreRoutes are the calls about certificates that are kept by themselves.
// The page of Remove names another scope than those of its kin; either will do.
var certificateStoreRoutes = []route{
	{"POST", "/vedsdk/x509certificatestore/add", needs("certificate:manage"), read((*api).storeAdd)},
	{"POST", "/vedsdk/x509certificatestore/lookup", needs("restricted"), read((*api).storeLookup)},
	{"POST", "/vedsdk/x509certificatestore/lookupexpiring", needs("restricted"), read((*api).storeExpiring)},
	{"POST", "/vedsdk/x509certificatestore/remove", needs("certificate:manage", "restricted:delete"), read((*api).storeRemove)},
	{"POST", "/vedsdk/x509certificatestore/retrieve", needs("certificate:manage"), read((*api).storeRetrieve)},
}

// storeQuery is what the calls about kept certificates take; each reads what it needs.
type storeQuery struct {
	OwnerDN                      lenient.String
	CertificateString            lenient.String
	Certificate                  lenient.String
	CertificateCollectionStrings lenient.StringList
	ProtectionKey                lenient.String
	TypedNameValues              []typedValue
	VaultID                      lenient.Int64
	Name, Value                  lenient.String
	DaysToExpiration             lenient.Int
}

// A typedValue is a fact as clients send it.
type typedValue struct{ Name, Type, Value lenient.String }

// read is the fact. Dates may be seconds since 1970.
func (v typedValue) read() (core.Fact, error) {
	f := core.Fact{Name: v.Name.Trimmed(), Value: v.Value.Value}
	switch strings.ToLower(v.Type.Trimmed()) {
	case "", "string":
		return f, nil
	case "int", "integer":
		n, err := strconv.ParseInt(v.Value.Trimmed(), 10, 64)
		f.Value = n
		return f, asInvalid(err, "value")
	case "datetime", "date":
		if n, err := strconv.ParseInt(v.Value.Trimmed(), 10, 64); err == nil {
			f.Value = time.Unix(n, 0)
			return f, nil
		}
		at, err := lenient.ParseDate(v.Value.Value)
		f.Value = at
		return f, asInvalid(err, "value")
	}
	return f, clm.Fail(clm.Invalid, "type", v.Type.Value)
}

func asInvalid(err error, field string) error {
	if err == nil {
		return nil
	}
	return clm.Fail(clm.Invalid, field, "")
}

// certificateDER reads a certificate: base64 of DER or of PEM, or PEM itself.
func certificateDER(text string) ([]byte, error) {
	der := []byte(text)
	if !strings.Contains(text, "-----BEGIN") {
		var err error
		if der, err = fromBase64(der); err != nil {
			return nil, clm.Fail(clm.Invalid, "certificate", "")
		}
	}
	if block, _ := pem.Decode(der); block != nil {
		return block.Bytes, nil
	}
	return der, nil
}

// storeAdd serves POST X509CertificateStore/Add: one certificate, or several of which
// the first is the leaf.
func (a *api) storeAdd(c *call, in *storeQuery) answer {
	texts := in.CertificateCollectionStrings.NonEmpty()
	isCollection := len(texts) > 0
	if in.CertificateString.Trimmed() != "" {
		texts, isCollection = []string{in.CertificateString.Value}, false
	}
	switch {
	case in.OwnerDN.Trimmed() == "":
		return lacks("OwnerDN")
	case len(texts) == 0:
		return lacks("CertificateString or CertificateCollectionStrings")
	}
	id, existed, err := a.storeAll(c, in, texts)
	if err != nil {
		return secretResults.refuse(a, c, "Adding a certificate", err)
	}
	done := map[string]any{"VaultId": id}
	if isCollection {
		done["LeafExisted"] = existed
	}
	return secretResults.ok(done)
}

func (a *api) storeAll(c *call, in *storeQuery, texts []string) (id int64, existed bool, err error) {
	add := core.AddCertificates{Owner: in.OwnerDN.Value, Keyname: in.ProtectionKey.Value}
	for _, text := range texts {
		der, err := certificateDER(text)
		if err != nil {
			return 0, false, err
		}
		add.Certificates = append(add.Certificates, der)
	}
	for _, v := range in.TypedNameValues {
		f, err := v.read()
		if err != nil {
			return 0, false, err
		}
		add.Facts = append(add.Facts, f)
	}
	return a.core.AddCertificates(c.Context(), c.who(), add)
}

// The lists that lookups of certificates answer.
const (
	storeIDs         = "VaultIds"
	storeCollection  = "CertificateCollectionStrings"
	storeCollection2 = "CertificateCollection" // as the sample of the page POST X509CertificateStore/Lookup has it
)

// storeLookup serves POST X509CertificateStore/Lookup: by the certificate, by its
// owner, or by a name and a value that are associated with it.
func (a *api) storeLookup(c *call, in *storeQuery) answer {
	var found map[string]any
	var err error
	switch {
	case in.CertificateString.Trimmed() != "":
		found, err = a.storeByCertificate(c, in)
	case in.OwnerDN.Trimmed() != "":
		found, err = collection(a.core.CertificatesOf(c.Context(), c.who(), in.OwnerDN.Value))
	case in.Name.Trimmed() != "":
		found, err = collection(a.core.CertificatesWith(c.Context(), c.who(), core.Fact{Name: in.Name.Trimmed(), Value: in.Value.Value}))
	default:
		return lacks("CertificateString, OwnerDN or Name")
	}
	if err != nil {
		return secretResults.refuse(a, c, "Looking up certificates", err, storeIDs, storeCollection, storeCollection2)
	}
	return secretResults.ok(found)
}

func (a *api) storeByCertificate(c *call, in *storeQuery) (map[string]any, error) {
	der, err := certificateDER(in.CertificateString.Value)
	if err != nil {
		return nil, err
	}
	ids, err := a.core.CertificateEntries(c.Context(), c.who(), der)
	if err != nil {
		return nil, err
	}
	return map[string]any{"VaultId": ids[0], storeIDs: ids}, nil
}

func collection(found []core.VaultedCertificate, err error) (map[string]any, error) {
	ids, texts := []int64{}, []string{}
	for _, v := range found {
		ids, texts = append(ids, v.ID), append(texts, base64.StdEncoding.EncodeToString(v.DER))
	}
	return map[string]any{storeIDs: ids, storeCollection: texts, storeCollection2: texts}, err
}

// storeExpiring serves POST X509CertificateStore/LookupExpiring.
func (a *api) storeExpiring(c *call, in *storeQuery) answer {
	switch {
	case in.OwnerDN.Trimmed() == "":
		return lacks("OwnerDN")
	case !in.DaysToExpiration.Set:
		return lacks("DaysToExpiration")
	}
	var ids []int64
	err := error(nil)
	if in.DaysToExpiration.Wrong != "" {
		err = clm.Fail(clm.Invalid, "days", "")
	} else {
		ids, err = a.core.ExpiringCertificates(c.Context(), c.who(), in.OwnerDN.Value, in.DaysToExpiration.Value)
	}
	if err != nil {
		return secretResults.refuse(a, c, "Looking up expiring certificates", err, storeIDs)
	}
	return secretResults.ok(map[string]any{storeIDs: items(ids)})
}

// storeRemove serves POST X509CertificateStore/Remove.
func (a *api) storeRemove(c *call, in *storeQuery) answer {
	switch {
	case in.OwnerDN.Trimmed() == "":
		return lacks("OwnerDN")
	case !in.VaultID.Set && in.Certificate.Trimmed() == "":
		return lacks("Certificate or VaultId")
	}
	id, err := in.vaultID()
	var der []byte
	if err == nil && id == 0 {
		der, err = certificateDER(in.Certificate.Value)
	}
	if err == nil {
		err = a.core.RemoveCertificate(c.Context(), c.who(), in.OwnerDN.Value, id, der)
	}
	if err != nil {
		return secretResults.refuse(a, c, "Removing a certificate", err)
	}
	return secretResults.ok(nil)
}

// vaultID is the number that is given; zero when there is none.
func (in *storeQuery) vaultID() (int64, error) {
	if in.VaultID.Set && (in.VaultID.Wrong != "" || in.VaultID.Value <= 0) {
		return 0, clm.Fail(clm.Invalid, "vault-id", "")
	}
	return in.VaultID.Value, nil
}

// storeRetrieve serves POST X509CertificateStore/Retrieve.
func (a *api) storeRetrieve(c *call, in *storeQuery) answer {
	if !in.VaultID.Set {
		return lacks("VaultId")
	}
	id, err := in.vaultID()
	var got core.VaultedCertificate
	if err == nil {
		got, err = a.core.RetrieveCertificate(c.Context(), c.who(), id)
	}
	if err != nil {
		return secretResults.refuse(a, c, "Retrieving a certificate", err, "TypedNameValues")
	}
	return secretResults.ok(map[string]any{
		"CertificateString": base64.StdEncoding.EncodeToString(got.DER), "TypedNameValues": typedValues(got.Facts),
	})
}
