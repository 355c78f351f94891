package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// What every installation starts with. All of it may be changed later; what is
// there already is left alone.
const (
	Admin        = "admin"
	Everyone     = "Everyone"
	RSAIssuer    = "rsa"
	ECDSAIssuer  = "ecdsa"
	DefaultCA    = `\VED\Policy\CAs\Default`
	ECDSACA      = `\VED\Policy\CAs\ECDSA`
	DefaultZone  = `\VED\Policy\Default`
	DriverName   = "embedded"
	DefaultScope = "certificate:approve,delete,discover,manage,revoke;configuration:delete,manage;security:delete,manage;ssh:manage"

	// AdminScope is that of the clients that administrators use: they come to secrets.
	AdminScope = DefaultScope + ";restricted:delete,manage"

	accessValidity = 90 * 24 * time.Hour
	grantValidity  = 365 * 24 * time.Hour
)

// roots stand beside the folder of everything that is managed.
var roots = []Put{
	{DN: FieldsDN, Class: clm.FieldRoot},
	{DN: string(IdentityDN), Class: clm.IdentityRoot},
	{DN: TicketsDN, Class: clm.TicketRoot},
	{DN: EnginesDN, Class: clm.EngineRoot},
	{DN: `\VED\Certificate Authority`, Class: clm.SSHRoot},
	{DN: `\VED\Certificate Authority\SSH`, Class: clm.SSHRoot},
	{DN: SSHTemplatesDN, Class: clm.SSHRoot},
	{DN: SSHKeyPairsDN, Class: clm.SSHRoot},
	{DN: `\VED\Logging`, Class: clm.Container.Kind("logroot")},
	{DN: `\VED\Encryption`, Class: clm.Container.Kind("encryptionroot")},
	{DN: `\VED\Secret Store`, Class: clm.Container.Kind("secretstoreroot")},
	{DN: `\VED\Discovery`, Class: clm.Container.Kind("discoveryroot")},
	{DN: `\VED\Intermediate and Root Certificates`, Class: clm.Container.Kind("intermediateandrootcertificates")},
}

// The places of SSH certificates' templates and of the key pairs that sign them.
const (
	SSHTemplatesDN = `\VED\Certificate Authority\SSH\Templates`
	SSHKeyPairsDN  = `\VED\Certificate Authority\SSH\Key Pairs`
)

// applications are the ids under which the well-known clients ask for tokens.
var applications = []string{
	"vcert-sdk", "vcert-cli", "cert-manager.io", "hashicorp-terraform-by-venafi", "hashicorp-vault-by-venafi",
	"hashicorp-vault-monitor-by-venafi", "pytpp", "websdk",
}

// adminApplications are those of them that administrators use.
var adminApplications = []string{"pytpp", "websdk"}

// issuers are the CAs that are made at first start: for each algorithm a root and
// an issuing CA. RSA stands first and is the default, for the clients' sake.
var issuers = []NewIssuer{
	{Name: RSAIssuer + "-root", Subject: caNames("Certwright RSA Root CA"), Key: pki.KeySpec{Algorithm: clm.RSA, Bits: 2048}},
	{Name: RSAIssuer, Above: RSAIssuer + "-root", Subject: caNames("Certwright RSA Issuing CA"), Key: pki.KeySpec{Algorithm: clm.RSA, Bits: 2048}},
	{Name: ECDSAIssuer + "-root", Subject: caNames("Certwright ECDSA Root CA"), Key: pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}},
	{Name: ECDSAIssuer, Above: ECDSAIssuer + "-root", Subject: caNames("Certwright ECDSA Issuing CA"), Key: pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}},
}

func caNames(cn string) clm.Names {
	return clm.Names{CommonName: cn, Organization: "Certwright", Country: "US"}
}

// Setup makes what every installation starts with, as far as it is not there, and takes
// the certificates of the first release into the inventory. What records of older
// releases are searched by is left to Run, as a server is to answer meanwhile. The
// password is that of a new user admin; one that exists keeps its own. first
// reports whether the user was made by this call.
func (c *Core) Setup(ctx context.Context, password secret.Plain) (first bool, err error) {
	if err := c.db.Describe(ctx, readFacts); err != nil {
		return false, fmt.Errorf("take the certificates into the inventory: %w", err)
	}
	if err := c.makeRoots(ctx); err != nil {
		return false, err
	}
	for _, i := range issuers {
		if _, err := c.Chain(ctx, i.Name); err == nil {
			continue
		} else if !errors.Is(err, clm.NotFound) {
			return false, fmt.Errorf("CA %s: %w", i.Name, err) // the master key is another one, perhaps
		}
		if _, err := c.AddIssuer(ctx, clm.System, i); err != nil {
			return false, err
		}
	}
	for _, p := range slices.Concat(roots, []Put{
		embeddedCA(DefaultCA, RSAIssuer), embeddedCA(ECDSACA, ECDSAIssuer), {DN: DefaultZone, Class: clm.Folder},
	}) {
		if _, err := c.Object(ctx, clm.System, p.DN); err == nil {
			continue
		}
		if _, err := c.Put(ctx, clm.System, p); err != nil {
			return false, err
		}
	}
	if err := c.makeReferences(ctx); err != nil {
		return false, err
	}
	for _, id := range applications {
		if _, err := c.Application(ctx, id); err == nil {
			continue
		}
		scope := DefaultScope
		if slices.Contains(adminApplications, id) {
			scope = AdminScope
		}
		if _, err := c.PutApplication(ctx, clm.System, NewApplication(id, scope), false); err != nil {
			return false, err
		}
	}
	if err := c.showPrincipals(ctx); err != nil {
		return false, err
	}
	if _, err := c.PrincipalNamed(ctx, Everyone); errors.Is(err, clm.NotFound) {
		_, err = c.PutPrincipal(ctx, clm.System, PutPrincipal{Name: Everyone, IsGroup: true})
		if err != nil {
			return false, err
		}
	}
	if _, err = c.PrincipalNamed(ctx, Admin); !errors.Is(err, clm.NotFound) {
		return false, err
	}
	_, err = c.PutPrincipal(ctx, clm.System, PutPrincipal{Name: Admin, Master: true, Password: password})
	return err == nil, err
}

// showPrincipals gives those users and groups their objects in the tree that come from
// an older release.
func (c *Core) showPrincipals(ctx context.Context) error {
	missing := func(tx *store.Tx) (list []*store.Principal, err error) {
		known, err := tx.Principals()
		for _, p := range known {
			_, lookup := tx.PathByID(clm.ObjectID(p.ID))
			if errors.Is(lookup, clm.NotFound) {
				list = append(list, p)
			} else if err == nil {
				err = lookup
			}
		}
		return list, err
	}
	for {
		var without []*store.Principal
		if err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
			without, err = missing(tx)
			return err
		}); err != nil || len(without) == 0 {
			return err
		}
		err := c.db.Write(ctx, store.Entry{Actor: clm.System, Action: "show principals", Subject: string(IdentityDN)}, func(tx *store.Tx) error {
			list, err := missing(tx)
			for _, p := range list[:min(len(list), shownAtATime)] {
				if err == nil {
					copied := *p
					err = savePrincipal(tx, &copied)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}

// shownAtATime is how many users and groups get their objects in one transaction.
const shownAtATime = 200

// HasAdmin reports whether the user admin exists, that is, whether Setup has been
// through before.
func (c *Core) HasAdmin(ctx context.Context) (has bool, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.PrincipalByName(Admin)
		if errors.Is(err, clm.NotFound) {
			return nil
		}
		has = err == nil
		return err
	})
	return has, err
}

// NewApplication is an application with the usual validities.
func NewApplication(id, scope string) Application {
	return Application{ID: id, Name: id, Scope: scope, AccessValidity: accessValidity, GrantValidity: grantValidity, Refreshable: true}
}

func embeddedCA(dn, issuer string) Put {
	return Put{DN: dn, Class: clm.Authority, Own: map[clm.Attr][]string{clm.Driver: {DriverName}, clm.Issuer: {issuer}}}
}

// makeRoots makes the objects above all others. Certificates are ordered from the
// default CA unless a folder says otherwise.
func (c *Core) makeRoots(ctx context.Context) error {
	if _, err := c.Object(ctx, clm.System, string(clm.PolicyDN)); !errors.Is(err, clm.NotFound) {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: clm.System, Action: "make roots", Subject: string(clm.PolicyDN)}, func(tx *store.Tx) error {
		if _, err := tx.Path(clm.PolicyDN); !errors.Is(err, clm.NotFound) {
			return err
		}
		root := &clm.Object{DN: clm.RootDN, Class: clm.Root}
		if err := tx.AddObject(root, ""); err != nil {
			return err
		}
		return tx.AddObject(&clm.Object{DN: clm.PolicyDN, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{
			{Class: clm.AnyCertificate, Attr: clm.IssuedBy}: {Values: []string{DefaultCA}},
		}}, root.ID)
	})
}
