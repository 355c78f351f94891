package core

import (
	"context"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// NewPassword is the password that a user is to have.
type NewPassword struct {
	Of      PrincipalRef
	Old     secret.Plain // the user's, which proves that it is the user who asks
	New     secret.Plain
	Address string // where the call comes from: wrong old passwords are limited as logins are
	Session string // the session that asks, and goes on; all others of the user end
}

// MaxPassword is how many octets a password has at most.
const MaxPassword = 1024

// PasswordKinds are the ways in which SetPassword fails. Denied: the old password is
// wrong, or the actor is neither the user nor a master; Limited: after too many wrong
// ones; Invalid, of field "password": the new one is empty or too long.
var PasswordKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound, clm.Denied, clm.Limited}

// SetPassword gives a user a password. Users give the old one, if they have one; a master
// need not. All other sessions of the user end: whoever knew the old password may be in
// one of them.
func (c *Core) SetPassword(ctx context.Context, who clm.Actor, n NewPassword) (user Principal, err error) {
	if n.New.IsEmpty() || len(n.New.Reveal()) > MaxPassword {
		return user, clm.Fail(clm.Invalid, "password", "")
	}
	had := ""
	err = c.aboutOne(ctx, n.Of, func(_ *store.Tx, _ map[clm.PrincipalID]*store.Principal, p *store.Principal) error {
		if p.IsGroup {
			return clm.About(n.Of.String(), clm.NotFound)
		}
		user, had = principalOf(p), p.Password
		return nil
	})
	if err != nil {
		return user, err
	}
	entry := store.Entry{Actor: who, Action: "set password", Subject: string(IdentityDN.Child(user.Name))}
	if err := c.mayChangePassword(who, n, user, had); err != nil {
		return user, c.db.Write(ctx, entry, func(*store.Tx) error { return clm.About(user.Name, err) })
	}
	hash := c.hashPassword(n.New) // it takes long: not inside a transaction
	return user, c.db.Write(ctx, entry, func(tx *store.Tx) error {
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		p := known[user.ID]
		switch {
		case p == nil:
			return clm.About(user.Name, clm.NotFound)
		case p.Password != had: // somebody else was faster: nothing is proved of that one
			return clm.About(user.Name, clm.Denied)
		}
		changed := *p
		changed.Password = hash
		if err := tx.SavePrincipal(&changed); err != nil {
			return err
		}
		return tx.EndSessionsOf(user.ID, n.Session)
	})
}

// mayChangePassword reports whether the actor may say the password of the user, which
// has the hash had.
func (c *Core) mayChangePassword(who clm.Actor, n NewPassword, user Principal, had string) error {
	isOwn := who.ID == user.ID
	switch {
	case !isOwn && !who.Master:
		return clm.Denied
	case had == "", who.Master && !isOwn, who.Master && n.Old.IsEmpty():
		return nil
	case !c.failures.begin(c.db.Now(), user.Name, n.Address):
		return clm.Limited
	case !c.checkPassword(n.Old, had):
		return clm.Denied
	}
	c.failures.succeed(user.Name, n.Address)
	return nil
}

// hashPassword hashes a password when its turn comes, as checkPassword checks one.
func (c *Core) hashPassword(password secret.Plain) string {
	c.hashing <- struct{}{}
	defer func() { <-c.hashing }()
	return c.passwordCost.HashPassword(password)
}
