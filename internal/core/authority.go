package core

import (
	"context"
	"crypto"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// authority is a CA made from the settings of a template.
type authority struct {
	ca.CA
	id     clm.ObjectID
	kind   string            // the class name that clients know it by
	driver string            // which connector it was made by
	values map[string]string // what it was made from

	publish string // the address that its certificates name
}

// isLocal reports whether the CA touches nothing outside this process.
func (a authority) isLocal() bool {
	_, ok := a.CA.(ca.Local)
	return ok
}

// authorityPath finds a template by the value of an attribute that names it.
func authorityPath(tx *store.Tx, value string) (clm.Path, error) {
	path, err := referred(tx, value)
	if err == nil && path.Last().Class != clm.Authority {
		err = clm.About(value, clm.NotFound)
	}
	return path, err
}

// authority makes the CA of the template that the value names, or finds the one that was
// made from the same settings before.
func (c *Core) authority(tx *store.Tx, dn string) (authority, error) {
	path, err := authorityPath(tx, dn)
	if err != nil {
		return authority{}, aboutCA(dn, err)
	}
	return c.authorityOf(tx, path)
}

// authorityByID is authority for the template from which a version was ordered.
func (c *Core) authorityByID(tx *store.Tx, id clm.ObjectID) (authority, error) {
	path, err := tx.PathByID(id)
	if err != nil {
		return authority{}, aboutCA("of the certificate", err)
	}
	return c.authorityOf(tx, path)
}

// authorityOf is authority for the template at the end of the path.
func (c *Core) authorityOf(tx *store.Tx, path clm.Path) (_ authority, err error) {
	dn := string(path.Last().DN)
	driver := path.Value(clm.Driver).First()
	connector, ok := c.connectors[driver]
	if !ok {
		return authority{}, clm.Permanent(fmt.Errorf("certificate authority %s: there is no connector %q", dn, driver))
	}
	values := map[string]string{}
	for _, f := range connector.Fields {
		if v := path.Value(clm.Attr(f.Name)).First(); v != "" {
			values[f.Name] = v
		}
	}
	id, kind := path.Last().ID, path.Value(clm.AuthorityKind).First()
	publish, err := publishAddress(tx)
	if err != nil {
		return authority{}, aboutCA(dn, err)
	}
	c.mu.Lock()
	known, ok := c.authorities[string(id)]
	c.mu.Unlock()
	if ok && known.driver == driver && known.publish == publish && maps.Equal(known.values, values) {
		known.kind = kind
		return known, nil
	}
	settings := ca.Settings{Values: values, Publish: publish, Now: c.db.Now}
	if name := values[string(clm.Issuer)]; name != "" {
		if settings.Issuer, err = c.issuer(tx, name); err != nil {
			return authority{}, aboutCA(dn, err)
		}
	}
	made, err := connector.New(settings)
	if err != nil {
		return authority{}, clm.Permanent(fmt.Errorf("certificate authority %s: %w", dn, err))
	}
	fresh := authority{CA: made, id: id, kind: kind, driver: driver, values: values, publish: publish}
	c.mu.Lock()
	c.authorities[string(id)] = fresh
	c.mu.Unlock()
	return fresh, nil
}

// aboutCA says which template is of no use, and why. What the database could not
// tell may be known the next time; everything else stays as it is.
func aboutCA(dn string, err error) error {
	err = fmt.Errorf("certificate authority %s: %w", dn, err)
	if clm.AsError(err).Kind != clm.Internal {
		return clm.Permanent(err)
	}
	return fault(err)
}

// issuer finds an issuing CA whose key is held here and opens its key.
func (c *Core) issuer(tx *store.Tx, name string) (*ca.Issuer, error) {
	c.mu.Lock()
	known, ok := c.issuers[name]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	all, err := tx.Issuers()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(i store.Issuer) bool { return i.Name == name })
	if at < 0 {
		return nil, clm.About(name, clm.NotFound)
	}
	chain, err := tx.Chain(all[at].Fingerprint)
	if err != nil {
		return nil, err
	}
	key, err := c.openKey(all[at].Sealed, issuerBind(name))
	if err != nil {
		return nil, err
	}
	found := &ca.Issuer{Name: name, Chain: chain, Key: key}
	c.mu.Lock()
	c.issuers[name] = found
	c.mu.Unlock()
	return found, nil
}

// What sealed keys are bound to, so that rows cannot be swapped.
func issuerBind(name string) string       { return "issuer/" + name }
func versionBind(id clm.VersionID) string { return fmt.Sprintf("version/%d", id) }

func (c *Core) openKey(sealed []byte, bind string) (crypto.Signer, error) {
	plain, err := c.box.Open(sealed, bind)
	if err != nil {
		return nil, err
	}
	return pki.ParseKey(plain.Reveal())
}

func (c *Core) sealKey(key crypto.Signer, bind string) ([]byte, error) {
	der, err := pki.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return c.box.Seal(secret.NewPlain(der), bind)
}

// IssuerMaker makes the certificate of a CA whose key is held here: a root, or an
// issuing CA below the one above.
type IssuerMaker func(above *ca.Issuer, n NewIssuer, key crypto.Signer, at time.Time) (ca.Issuer, error)

// NewIssuer describes a CA whose key is to be held here.
type NewIssuer struct {
	Name    string // how templates refer to it
	Above   string // the name of the CA that signs it; empty: it is a root
	Subject clm.Names
	Key     pki.KeySpec
	Years   int // how long it lasts; zero leaves it to the maker

	// Where relying parties find the certificate of the CA above, whether this one is
	// revoked, and the list of all that it has revoked; AddIssuer fills them in.
	AIAURL, OCSPURL, CDPURL string
}

// AddIssuer makes a CA whose key is held here. A name that is taken is left as it
// is, and the call succeeds: so it may be repeated after a crash.
func (c *Core) AddIssuer(ctx context.Context, who clm.Actor, n NewIssuer) (added bool, err error) {
	if !who.Master {
		return false, clm.Denied
	}
	key, err := pki.GenerateKey(n.Key)
	if err != nil {
		return false, &clm.Error{Kind: clm.Invalid, Field: "key", Value: n.Key.String(), Err: err}
	}
	sealed, err := c.sealKey(key, issuerBind(n.Name))
	if err != nil {
		return false, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "add issuer", Subject: n.Name}, func(tx *store.Tx) error {
		var above *ca.Issuer
		n := n
		if n.Above != "" {
			var err error
			if above, err = c.issuer(tx, n.Above); err != nil {
				return err
			}
			base, err := publishAddress(tx)
			if err != nil {
				return err
			}
			if base != "" {
				n.AIAURL, n.OCSPURL, n.CDPURL = ca.CertURL(base, n.Above), ca.OCSPURL(base), ca.WholeListURL(base, n.Above)
			}
		}
		made, err := c.makeIssuer(above, n, key, tx.Now)
		if err != nil {
			return &clm.Error{Kind: clm.Invalid, Subject: n.Name, Field: "issuer", Value: err.Error(), Err: err}
		}
		fingerprint, err := tx.SaveChain(made.Chain)
		if err != nil {
			return err
		}
		added, err = tx.AddIssuer(store.Issuer{Name: n.Name, Fingerprint: fingerprint, Sealed: sealed})
		if added {
			tx.About(n.Name, hex.EncodeToString(fingerprint))
		}
		return err
	})
	return added, err
}

// Chain is the certificate of the issuer and what stands above it, the root last; DER.
func (c *Core) Chain(ctx context.Context, issuer string) (chain [][]byte, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		i, err := c.issuer(tx, issuer)
		if err == nil {
			chain = i.Chain
		}
		return err
	})
	return chain, err
}

// CABundle is every CA certificate whose key is held here, as PEM: the roots
// first, so that a client may trust the whole of it or the beginning.
func (c *Core) CABundle(ctx context.Context) (bundle []byte, err error) {
	var roots, others []byte
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		roots, others = nil, nil
		all, err := tx.Issuers()
		if err != nil {
			return err
		}
		// A name made of another and a suffix stands behind it; reversed, RSA comes first.
		for _, i := range slices.Backward(all) {
			chain, err := tx.Chain(i.Fingerprint)
			if err != nil {
				return err
			}
			block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0]})
			if len(chain) == 1 {
				roots = append(roots, block...)
			} else {
				others = append(others, block...)
			}
		}
		return nil
	})
	return append(roots, others...), err
}
