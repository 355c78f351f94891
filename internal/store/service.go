package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
)

// A ServiceAccount is a user that logs in with a client's ID and secret.
type ServiceAccount struct {
	Client    string
	Principal clm.PrincipalID // no two have the same
	Secret    string          // its argon2id hash; empty: nobody logs in with one
	Scope     string          // what it may do at most; the edge knows what that means
}

const selectServiceAccount = "SELECT client, principal, secret, scope FROM service_accounts"

func scanServiceAccount(r row) (s ServiceAccount, err error) {
	err = r.Scan(&s.Client, &s.Principal, &s.Secret, &s.Scope)
	return s, err
}

// ServiceAccount finds the account of a client by its ID, which is compared exactly. It
// fails with NotFound.
func (tx *Tx) ServiceAccount(client string) (ServiceAccount, error) {
	if !utf8.ValidString(client) || strings.ContainsFunc(client, unicode.IsControl) { // PostgreSQL would not even look for it
		return ServiceAccount{}, clm.NotFound
	}
	s, err := one(tx, scanServiceAccount, selectServiceAccount+" WHERE client = $1", client)
	return s, notFound(err)
}

// ServiceAccountOf finds the account of a user. It fails with NotFound.
func (tx *Tx) ServiceAccountOf(id clm.PrincipalID) (ServiceAccount, error) {
	s, err := one(tx, scanServiceAccount, selectServiceAccount+" WHERE principal = $1", string(id))
	return s, notFound(err)
}

// ServiceAccounts lists all accounts by their clients' IDs.
func (tx *Tx) ServiceAccounts() ([]ServiceAccount, error) {
	return all(tx, scanServiceAccount, selectServiceAccount+" ORDER BY client")
}

// SaveServiceAccount adds the account of a user, or writes it anew.
func (tx *Tx) SaveServiceAccount(s ServiceAccount) error {
	_, err := tx.c.exec(`INSERT INTO service_accounts (client, principal, secret, scope) VALUES ($1, $2, $3, $4)
		ON CONFLICT (principal) DO UPDATE SET client = excluded.client, secret = excluded.secret, scope = excluded.scope`,
		s.Client, string(s.Principal), s.Secret, s.Scope)
	return tx.duplicate(err)
}
