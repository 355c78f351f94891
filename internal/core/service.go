package core

import (
	"context"
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// A ServiceAccount is a user for programs: one without a password, that logs in with a
// client's ID and secret, and may be limited to some of what its rights allow.
type ServiceAccount struct {
	Name      string // of the user
	Client    string
	Functions []string // what it may do at most; none: all that its rights allow
}

// PutServiceAccount says what a service account shall be. Who it is, is its name.
type PutServiceAccount struct {
	ServiceAccount
	Secret secret.Plain // empty: it stays as it is
	Plan   bool         // only say what would change
}

// functionMark is what is between functions where they are kept in one text.
const functionMark = " "

func functionsOf(scope string) []string { return strings.Fields(scope) }

// PutServiceAccount brings a service account to what it shall be, makes the user where
// there is none, and says what had to change for that. Any change ends what was begun with
// the account. Only a master may. It fails with Denied, Invalid (the name, or the client's
// ID, of field "client", or a function, of field "function"), Exists (a group or a user
// with a password has the name; or, of field "client", another account has the ID) and
// Busy (somebody else is changing the secret).
func (c *Core) PutServiceAccount(ctx context.Context, who clm.Actor, p PutServiceAccount) (changes []string, err error) {
	if !who.Master {
		return nil, clm.About(p.Name, clm.Denied)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	var user *store.Principal
	var known, fresh store.ServiceAccount
	newSecret := false
	look := func(tx *store.Tx) (err error) {
		user, known, err = p.find(tx)
		return err
	}
	diff := func() {
		fresh, changes = p.diff(known, newSecret)
	}
	if err := c.db.Read(ctx, look); err != nil {
		return nil, err
	}
	had := known.Secret
	newSecret = !p.Secret.IsEmpty() && (had == "" || !c.checkPassword(p.Secret, had))
	if diff(); len(changes) == 0 || p.Plan {
		return changes, nil
	}
	hash := had
	if newSecret {
		hash = c.hashPassword(p.Secret) // it takes long: not inside a transaction
	}
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "put service account", Subject: p.Name}, func(tx *store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		if !p.Secret.IsEmpty() && known.Secret != had {
			return clm.About(p.Name, clm.Fail(clm.Busy, "secret", ""))
		}
		diff()
		tx.About(p.Name, strings.Join(changes, "; "))
		if user == nil {
			user = &store.Principal{Name: p.Name}
			if err := savePrincipal(tx, user); err != nil {
				return err
			}
		}
		fresh.Principal = user.ID
		if newSecret {
			fresh.Secret = hash
		}
		if err := tx.SaveServiceAccount(fresh); err != nil {
			return err
		}
		return tx.EndSessionsOf(user.ID, "")
	})
	return changes, err
}

// check looks at what can be seen without an installation. Clients send their IDs in front
// of a colon.
func (p PutServiceAccount) check() error {
	if err := clm.CheckName(p.Name); err != nil {
		return err
	}
	if clm.CheckName(p.Client) != nil || strings.Contains(p.Client, ":") {
		return clm.About(p.Name, clm.Fail(clm.Invalid, "client", p.Client))
	}
	for _, f := range p.Functions {
		if len(functionsOf(f)) != 1 || strings.TrimSpace(f) != f {
			return clm.About(p.Name, clm.Fail(clm.Invalid, "function", f))
		}
	}
	return nil
}

// find finds the user of the account, nil where there is none, and the account as it is.
func (p PutServiceAccount) find(tx *store.Tx) (user *store.Principal, known store.ServiceAccount, err error) {
	user, err = tx.PrincipalByName(p.Name)
	switch {
	case errors.Is(err, clm.NotFound):
		user = nil
	case err != nil:
		return nil, known, err
	case user.IsGroup, user.Password != "":
		return nil, known, clm.About(p.Name, clm.Exists)
	default:
		if known, err = tx.ServiceAccountOf(user.ID); err != nil && !errors.Is(err, clm.NotFound) {
			return nil, known, err
		}
	}
	other, err := tx.ServiceAccount(p.Client)
	switch {
	case errors.Is(err, clm.NotFound):
		return user, known, nil
	case err == nil && (user == nil || other.Principal != user.ID):
		err = clm.About(p.Name, clm.Fail(clm.Exists, "client", p.Client))
	}
	return user, known, err
}

// diff is the account as it shall be, but for its secret, and what that changes.
func (p PutServiceAccount) diff(known store.ServiceAccount, newSecret bool) (fresh store.ServiceAccount, changes []string) {
	fresh = known
	fresh.Client, fresh.Scope = p.Client, strings.Join(p.Functions, functionMark)
	account := "service account " + p.Name
	if known.Client == "" {
		changes = append(changes, "create "+account)
	}
	if fresh.Client != known.Client {
		changes = append(changes, account+": clientId = "+p.Client)
	}
	if fresh.Scope != known.Scope {
		functions := "all"
		if len(p.Functions) > 0 {
			functions = strings.Join(p.Functions, ", ")
		}
		changes = append(changes, account+": functions = "+functions)
	}
	if newSecret {
		changes = append(changes, account+": secret")
	}
	return fresh, changes
}

// ServiceAccounts lists the service accounts by their clients' IDs. It fails with Denied
// for everybody but masters.
func (c *Core) ServiceAccounts(ctx context.Context, who clm.Actor) (list []ServiceAccount, err error) {
	if !who.Master {
		return nil, clm.Denied
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list = nil
		known, err := tx.Principals()
		if err != nil {
			return err
		}
		accounts, err := tx.ServiceAccounts()
		for _, a := range accounts {
			if user := known[a.Principal]; user != nil {
				list = append(list, ServiceAccount{Name: user.Name, Client: a.Client, Functions: functionsOf(a.Scope)})
			}
		}
		return err
	})
	return list, err
}

// ServiceLogin is a client's try to prove that it is one.
type ServiceLogin struct {
	Client  string
	Secret  secret.Plain
	Address string // where it comes from: failures are limited as those of users are
	Via     string // the way by which it comes, for the audit log
}

// LoginService finds the actor that the client is, and what it may do at most, as the Scope
// of a session; empty: all. It fails with NotFound (there is no such client), Denied (the
// secret is wrong) or Limited (there is, and there were too many failures); the first two
// take the same time. Failures are audited.
func (c *Core) LoginService(ctx context.Context, l ServiceLogin) (who clm.Actor, scope string, err error) {
	client := l.Client
	if clm.CheckName(client) != nil {
		client = "" // nobody is called that, and nothing is to be kept of it
	}
	var account store.ServiceAccount
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		account, err = tx.ServiceAccount(client)
		return err
	})
	if err != nil && !errors.Is(err, clm.NotFound) {
		return who, "", err
	}
	wrong := clm.Denied
	if account.Client == "" {
		wrong = clm.NotFound
	}
	counted := `service\` + client // no user is called that
	if !c.failures.begin(c.db.Now(), counted, l.Address) {
		if wrong == clm.Denied {
			wrong = clm.Limited
		}
		return who, "", wrong // the failures that led here are in the audit log
	}
	if !c.checkPassword(l.Secret, account.Secret) {
		return who, "", c.refuseLogin(ctx, client, l.Via, wrong)
	}
	c.failures.succeed(counted, l.Address)
	who, err = c.actor(ctx, account.Principal)
	who.Via = l.Via
	return who, account.Scope, err
}
