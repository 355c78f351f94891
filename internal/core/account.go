package core

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Login is a try to prove who one is.
type Login struct {
	Name     string // a user's name, with or without a local: in front
	Password secret.Plain
	Address  string // where it comes from: failures are limited for each account and each address
	Via      string // the way by which it comes, for the audit log
}

// Login finds the actor whose name and password these are. It fails with Denied,
// which does not say which of the two was wrong, or with Limited after too many
// failures. Failures are audited.
func (c *Core) Login(ctx context.Context, l Login) (clm.Actor, error) {
	name := strings.TrimPrefix(l.Name, "local:")
	if clm.CheckName(name) != nil {
		name = "" // nobody is called that, and nothing is to be kept of it
	}
	if !c.failures.begin(c.db.Now(), name, l.Address) {
		return clm.Actor{}, clm.Limited // the failures that led here are in the audit log
	}
	var found *store.Principal
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		found, err = tx.PrincipalByName(name)
		return err
	})
	if err != nil && !errors.Is(err, clm.NotFound) {
		return clm.Actor{}, err
	}
	hash := ""
	if found != nil && !found.IsGroup {
		hash = found.Password
	}
	if !c.checkPassword(l.Password, hash) {
		return clm.Actor{}, c.refuseLogin(ctx, name, l.Via, clm.Denied)
	}
	c.failures.succeed(name, l.Address)
	who, err := c.actor(ctx, found.ID)
	who.Via = l.Via
	return who, err
}

// checkPassword checks a password when its turn comes: each check takes memory and
// time on purpose, and whoever asks has not logged in yet.
func (c *Core) checkPassword(password secret.Plain, hash string) bool {
	c.hashing <- struct{}{}
	defer func() { <-c.hashing }()
	return c.passwordCost.CheckPassword(password, hash)
}

// refuseLogin writes the failure into the audit log and returns it.
func (c *Core) refuseLogin(ctx context.Context, name, via string, kind clm.Kind) error {
	return c.db.Write(ctx, store.Entry{Actor: clm.Actor{Name: name, Via: via}, Action: "login", Subject: name}, func(*store.Tx) error { return kind })
}

// LoginCertificate finds the user that a TLS client certificate names by its
// common name, or else by one of its e-mail addresses. The first certificate is
// the client's, the others are what it sent along. It must be from one of the
// issuers that the installation trusts to vouch for logins, which none is unless
// an administrator has said so: whoever may order a certificate chooses its name.
// It fails with Denied.
func (c *Core) LoginCertificate(ctx context.Context, sent []*x509.Certificate) (clm.Actor, error) {
	var found *store.Principal
	name := ""
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		if len(sent) == 0 || c.vouched(tx, sent) != nil {
			return nil
		}
		name = sent[0].Subject.CommonName
		for _, n := range append([]string{name}, sent[0].EmailAddresses...) {
			p, err := tx.PrincipalByName(n)
			if err != nil || p.IsGroup {
				continue
			}
			// A service account may be limited to less than its user's rights.
			if _, err := tx.ServiceAccountOf(p.ID); errors.Is(err, clm.NotFound) {
				found = p
				return nil
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return clm.Actor{}, err
	}
	if found == nil {
		return clm.Actor{}, c.refuseLogin(ctx, name, "", clm.Denied)
	}
	return c.actor(ctx, found.ID)
}

// vouched verifies a client's certificate up to an issuer trusted with logins.
func (c *Core) vouched(tx *store.Tx, sent []*x509.Certificate) error {
	root, err := tx.Path(clm.RootDN)
	if err != nil {
		return err
	}
	trusted, between := x509.NewCertPool(), x509.NewCertPool()
	for _, name := range root.Value(clm.LoginIssuers).Values {
		i, err := c.issuer(tx, name)
		if err != nil {
			return err
		}
		cert, err := x509.ParseCertificate(i.Chain[0])
		if err != nil {
			return err
		}
		trusted.AddCert(cert)
	}
	for _, cert := range sent[1:] {
		between.AddCert(cert)
	}
	_, err = sent[0].Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: between, CurrentTime: tx.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

func (c *Core) actor(ctx context.Context, id clm.PrincipalID) (a clm.Actor, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		a, err = actorOf(tx, id)
		return err
	})
	return a, err
}

// actorOf is the user with all groups, nested ones included. It fails with
// NotFound when there is no such user any more.
func actorOf(tx *store.Tx, id clm.PrincipalID) (clm.Actor, error) {
	known, err := tx.Principals()
	if err != nil {
		return clm.Actor{}, err
	}
	p := known[id]
	if p == nil {
		return clm.Actor{}, clm.NotFound
	}
	a := clm.Actor{ID: p.ID, Name: p.Name, Master: p.Master, Auditor: p.Auditor}
	for _, group := range groupsAbove(known, p) {
		a.Groups = append(a.Groups, group.ID)
		a.Master, a.Auditor = a.Master || group.Master, a.Auditor || group.Auditor
	}
	return a, nil
}

// groupsAbove are the groups that the principal is in, nested ones included, the
// nearest first. Groups that are in one another do no harm.
func groupsAbove(known map[clm.PrincipalID]*store.Principal, p *store.Principal) (above []*store.Principal) {
	for queue := groupsOf(known, p); len(queue) > 0; queue = queue[1:] {
		group := known[queue[0]]
		if group == nil || slices.Contains(above, group) {
			continue
		}
		above = append(above, group)
		queue = append(queue, group.In...)
	}
	return above
}

// groupsOf are the groups that the principal is directly in: every user is in the one
// called Everyone, without being written down there.
func groupsOf(known map[clm.PrincipalID]*store.Principal, p *store.Principal) []clm.PrincipalID {
	in := slices.Clone(p.In)
	for _, group := range known {
		if !p.IsGroup && isEveryone(group) && !slices.Contains(in, group.ID) {
			in = append(in, group.ID)
		}
	}
	return in
}

// everyone is the name of the group of all users, as names are compared.
const everyone = "everyone"

// isEveryone reports whether all users are in the group without being written down there.
func isEveryone(p *store.Principal) bool { return p.IsGroup && strings.ToLower(p.Name) == everyone }

// Principal is a user or a group.
type Principal struct {
	ID      clm.PrincipalID
	Name    string
	IsGroup bool
}

// Principals lists the actor itself, first, and its groups.
func (c *Core) Principals(ctx context.Context, who clm.Actor) (list []Principal, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		list = nil
		for _, id := range append([]clm.PrincipalID{who.ID}, who.Groups...) {
			if p := known[id]; p != nil {
				list = append(list, Principal{p.ID, p.Name, p.IsGroup})
			}
		}
		return nil
	})
	return list, err
}
