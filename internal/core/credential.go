package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// A Credential is what is needed to log in somewhere: an object with what may be seen
// of it, and one secret in the vault with the rest. Which values it has is the
// business of its kind, which the edge knows.
type Credential struct {
	DN      string
	Class   clm.Class               // of the kind
	Own     map[clm.Attr][]string   // what may be seen; an attribute without values is removed
	Values  map[string]secret.Plain // what may not, by name
	Vault   int64                   // the kind of the secret
	Keyname string                  // one of Protections, in any case; empty for the usual one
	Number  clm.Attr                // the attribute with the number of the secret
	HasKey  bool                    // there is a private key among the values: who writes them needs the right for it

	Contacts []Account // the users and groups among those of Own, as they stand; only told
	Bound    clm.DN    // the certificate that it is about, where it is an object; only told
}

// CredentialKinds are the ways in which the use cases of credentials fail. NotFound
// without a Field is about the object, with the Field "parent" about what is to hold it;
// Unsupported with the Field "class" is about a place that can hold none, with "kind"
// about an object that is no credential of the kind, with "secret" about one without its
// secret, with "content" about one whose secret cannot be read. Those of MoveKinds come
// with the fields that they have there.
var CredentialKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Exists, clm.Unsupported}

// CreateCredential makes a credential. It fails with Invalid, NotFound, Denied, Exists
// and Unsupported.
func (c *Core) CreateCredential(ctx context.Context, who clm.Actor, k Credential) error {
	dn, err := clm.ParseDN(k.DN)
	if err != nil {
		return clm.About(k.DN, wrongDN(k.DN, err))
	}
	keyname, sealed, err := k.read(nil)
	if err == nil {
		err = k.check()
	}
	if err != nil {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "create credential", Subject: string(dn)}, func(tx *store.Tx) error {
		parent, rights, err := findParent(tx, who, dn)
		if err != nil {
			return err
		}
		above := parent.Last()
		if dn, err = childDN(above, dn.Name()); err != nil {
			return err
		}
		switch need := clm.Create | k.need(); {
		case !above.Class.MayHold(k.Class):
			return clm.About(string(dn), clm.Fail(clm.Unsupported, "class", string(k.Class)))
		case !rights.Has(need):
			return clm.About(string(dn), clm.Denied)
		}
		if _, err := tx.Path(dn); err == nil {
			return clm.About(string(dn), clm.Exists)
		} else if !errors.Is(err, clm.NotFound) {
			return err
		}
		o := &clm.Object{ID: tx.NewObjectID(), DN: dn, Class: k.Class, Own: map[clm.Attr][]string{}}
		id, err := c.addSecret(tx, k.Vault, keyname, sealed, o.ID)
		if err != nil {
			return err
		}
		k.write(o, id)
		return tx.AddObject(o, above.ID)
	})
}

// need is what else than the usual right the values want.
func (k Credential) need() clm.Rights {
	if k.HasKey && len(k.Values) > 0 {
		return clm.KeyWrite
	}
	return 0
}

// check makes sure that nothing of what may be seen looks like a reference.
func (k Credential) check() error {
	for _, values := range k.Own {
		if err := forged(values); err != nil {
			return err
		}
	}
	return nil
}

// write puts what may be seen, and the number of the secret, on the object.
func (k Credential) write(o *clm.Object, id int64) {
	for a, values := range k.Own {
		set(o.Own, a, values...)
	}
	set(o.Own, k.Number, strconv.FormatInt(id, 10))
}

// read is the protection key, and the values as one secret: those of before, and what
// k has in their place.
func (k Credential) read(before map[string][]byte) (keyname string, sealed secret.Plain, err error) {
	if keyname, err = readKeyname(k.Keyname); err != nil {
		return "", sealed, err
	}
	values := maps.Clone(before)
	if values == nil {
		values = map[string][]byte{}
	}
	for name, value := range k.Values {
		values[name] = value.Reveal()
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "", sealed, err
	}
	if len(text) > 2*MaxSecret {
		return "", sealed, clm.Fail(clm.Invalid, "size", fmt.Sprint(len(text)))
	}
	return keyname, secret.NewPlain(text), nil
}

// findCredential finds a credential of the class, or of any, and the number of its
// secret; zero where it has none.
func findCredential(tx *store.Tx, who clm.Actor, k Credential) (o *clm.Object, rights clm.Rights, id int64, err error) {
	path, rights, err := find(tx, who, k.DN)
	if err != nil {
		return nil, 0, 0, err
	}
	if err := isCredential(path); err != nil {
		return nil, 0, 0, err
	}
	if o = path.Last(); k.Class != "" && o.Class != k.Class {
		return nil, 0, 0, clm.About(k.DN, clm.Fail(clm.Unsupported, "kind", string(o.Class)))
	}
	named := clm.Setting{Values: o.Own[k.Number]}.First()
	if named == "" {
		return o, rights, 0, nil
	}
	// The attribute can be written by those who may not read the vault: it counts only
	// where the credential owns what it names.
	owned, err := tx.SecretsOf(o.ID)
	if err != nil {
		return nil, 0, 0, err
	}
	for _, s := range owned {
		if strconv.FormatInt(s.ID, 10) == named {
			return o, rights, s.ID, nil
		}
	}
	return o, rights, 0, clm.About(k.DN, clm.Fail(clm.Unsupported, "secret", named))
}

// openCredential opens the values of a credential, with the kind of its secret.
func (c *Core) openCredential(tx *store.Tx, dn string, id int64) (kind int64, values map[string][]byte, err error) {
	if id == 0 {
		return 0, nil, nil
	}
	kind, plain, err := c.openSecret(tx, id)
	if err != nil {
		return 0, nil, err
	}
	if json.Unmarshal(plain.Reveal(), &values) != nil {
		return 0, nil, clm.About(dn, clm.Fail(clm.Unsupported, "content", strconv.FormatInt(id, 10)))
	}
	return kind, values, nil
}

// UpdateCredential changes a credential: the values that are given, and those own
// values that k names. What it does not speak of stays as it is. It fails with Invalid,
// NotFound, Denied and Unsupported.
func (c *Core) UpdateCredential(ctx context.Context, who clm.Actor, k Credential) error {
	if _, _, err := k.read(nil); err != nil {
		return err
	}
	if err := k.check(); err != nil {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "update credential", Subject: k.DN}, func(tx *store.Tx) error {
		o, rights, id, err := findCredential(tx, who, k)
		if clm.AsError(err) != nil && clm.AsError(err).Field == "secret" {
			err = nil // it gets another one
		}
		if err != nil {
			return err
		}
		if !rights.Has(clm.Write | k.need()) {
			return clm.About(k.DN, clm.Denied)
		}
		changed := cloned(o)
		if id, err = c.changeValues(tx, k, changed, id); err != nil {
			return err
		}
		k.write(changed, id)
		return tx.SaveObject(changed)
	})
}

// changeValues writes the values of the credential, into the secret with the number or
// a new one: what others own too is left to them.
func (c *Core) changeValues(tx *store.Tx, k Credential, o *clm.Object, id int64) (int64, error) {
	_, before, err := c.openCredential(tx, k.DN, id)
	if clm.AsError(err) != nil && clm.AsError(err).Kind != clm.Unsupported { // what is not ours is replaced
		return 0, err
	}
	keyname, sealed, err := k.read(before)
	if err != nil {
		return 0, err
	}
	owners, err := tx.SecretOwners(id)
	if err != nil {
		return 0, err
	}
	if len(owners) != 1 {
		if err := tx.DisownSecret(id, o.ID); err != nil {
			return 0, err
		}
		return c.addSecret(tx, k.Vault, keyname, sealed, o.ID)
	}
	if k.Keyname == "" {
		keyname = ""
	}
	return id, c.replaceSecret(tx, id, k.Vault, keyname, sealed)
}

// RetrieveCredential hands out a credential with its values. Only a master may. It
// fails with Invalid, NotFound, Denied and Unsupported. k says which: its DN, the
// attribute with the number, and where it is given the class.
func (c *Core) RetrieveCredential(ctx context.Context, who clm.Actor, k Credential) (got Credential, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "retrieve credential", Subject: k.DN}, func(tx *store.Tx) error {
		if !who.Master {
			return clm.About(k.DN, clm.Denied)
		}
		o, _, id, err := findCredential(tx, who, k)
		if err != nil {
			return err
		}
		kind, values, err := c.openCredential(tx, k.DN, id)
		if err != nil {
			return err
		}
		got = Credential{DN: string(o.DN), Class: o.Class, Own: o.Own, Values: map[string]secret.Plain{}, Vault: kind}
		for name, value := range values {
			got.Values[name] = secret.NewPlain(value)
		}
		if got.Contacts, err = accountsOf(tx, o.Own[clm.Contact]); err != nil {
			return err
		}
		got.Bound, err = certificateOf(tx, clm.Setting{Values: o.Own[clm.Bound]}.First())
		return err
	})
	if err != nil {
		return Credential{}, err
	}
	return got, nil
}

// certificateOf is the object that the value names; empty where it is not there.
func certificateOf(tx *store.Tx, value string) (clm.DN, error) {
	id, isRef := clm.RefID(value)
	if !isRef {
		id = clm.ObjectID(value)
	}
	path, err := tx.PathByID(id)
	if errors.Is(err, clm.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return path.Last().DN, nil
}

// accountsOf lists the principals of an attribute that are there.
func accountsOf(tx *store.Tx, ids []string) (list []Account, err error) {
	known, err := tx.Principals()
	for _, id := range ids {
		if p := known[clm.PrincipalID(id)]; p != nil {
			list = append(list, Account{ID: p.ID, Name: p.Name, IsGroup: p.IsGroup})
		}
	}
	return list, err
}

// Credentials lists the credentials directly in the object, or anywhere below it,
// that fit the pattern and that the actor may see, by DN. An empty dn is the folder
// that is above all. It fails with Invalid and NotFound.
func (c *Core) Credentials(ctx context.Context, who clm.Actor, dn, pattern string, below bool) (found []clm.Object, err error) {
	fits, err := clm.ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	if dn == "" {
		dn = string(clm.PolicyDN)
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		start, _, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		all, err := tx.Credentials()
		if err != nil {
			return err
		}
		found = nil
		for _, o := range all {
			isIn := o.DN.Parent().Key() == start.Last().DN.Key() || below && o.DN.IsBelow(start.Last().DN)
			if !isIn || !fits.Matches(o.DN) {
				continue
			}
			path, err := tx.Path(o.DN)
			if err != nil {
				return err
			}
			if path.Rights(who).Has(clm.View) {
				found = append(found, *o)
			}
		}
		return nil
	})
	return found, err
}

// DeleteCredential deletes a credential and its secrets. It fails with Invalid,
// NotFound, Denied and Unsupported.
func (c *Core) DeleteCredential(ctx context.Context, who clm.Actor, dn string) error {
	return c.db.Write(ctx, store.Entry{Actor: who, Action: "delete credential", Subject: dn}, func(tx *store.Tx) error {
		path, rights, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		if err := isCredential(path); err != nil {
			return err
		}
		if !rights.Has(clm.Delete) {
			return clm.About(dn, clm.Denied)
		}
		return c.deleteOne(tx, path)
	})
}

func isCredential(path clm.Path) error {
	if o := path.Last(); !o.Class.Is(clm.Credential) {
		return clm.About(string(o.DN), clm.Fail(clm.Unsupported, "kind", string(o.Class)))
	}
	return nil
}

// RenameCredential gives a credential another name or place. It fails as Rename does,
// and with Unsupported when it is none.
func (c *Core) RenameCredential(ctx context.Context, who clm.Actor, dn, to string) error {
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		path, _, err := find(tx, who, dn)
		if err != nil {
			return err
		}
		return isCredential(path)
	})
	if err != nil {
		return err
	}
	return c.Rename(ctx, who, dn, to)
}
