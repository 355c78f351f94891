package store

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/clm"
)

// A Principal is a user or a group.
type Principal struct {
	ID       clm.PrincipalID
	Name     string
	IsGroup  bool
	Master   bool
	Auditor  bool
	Password string            // its argon2id hash; empty: nobody logs in with one
	In       []clm.PrincipalID // the groups it is directly in
}

func scanPrincipal(r row) (*Principal, error) {
	var p Principal
	err := r.Scan(&p.ID, &p.Name, &p.IsGroup, &p.Master, &p.Auditor, &p.Password)
	return &p, err
}

// Principals finds all users and groups by ID. They are shared and must not be changed.
func (tx *Tx) Principals() (map[clm.PrincipalID]*Principal, error) {
	revision, err := tx.treeRevision()
	if err != nil {
		return nil, err
	}
	cache := &tx.db.tree
	cache.mu.Lock()
	known := cache.at(revision).principals
	cache.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := all(tx, scanPrincipal, "SELECT id, name, is_group, master, auditor, password FROM principals")
	if err != nil {
		return nil, err
	}
	known = make(map[clm.PrincipalID]*Principal, len(found))
	for _, p := range found {
		known[p.ID] = p
	}
	type membership struct{ of, member clm.PrincipalID }
	members, err := all(tx, func(r row) (m membership, err error) { return m, r.Scan(&m.of, &m.member) }, "SELECT of, member FROM members ORDER BY of, member")
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if p := known[m.member]; p != nil {
			p.In = append(p.In, m.of)
		}
	}
	if tx.isOf(revision) {
		cache.mu.Lock()
		cache.at(revision).principals = known
		cache.mu.Unlock()
	}
	return known, nil
}

// PrincipalByName finds a user or group by its name, in any case. It fails with NotFound.
func (tx *Tx) PrincipalByName(name string) (*Principal, error) {
	known, err := tx.Principals()
	if err != nil {
		return nil, err
	}
	key := strings.ToLower(name) // as the index has it
	for _, p := range known {
		if strings.ToLower(p.Name) == key {
			return p, nil
		}
	}
	return nil, clm.About(name, clm.NotFound)
}

// SavePrincipal adds the principal, giving it an ID, or writes a known one anew,
// with the groups it is in.
func (tx *Tx) SavePrincipal(p *Principal) error {
	if p.ID == "" {
		p.ID = clm.PrincipalID(newGUID(tx.Now))
	}
	if _, err := tx.c.exec(`INSERT INTO principals (id, name, name_key, is_group, master, auditor, password) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, is_group = excluded.is_group, master = excluded.master,
		auditor = excluded.auditor, password = excluded.password`,
		string(p.ID), p.Name, strings.ToLower(p.Name), p.IsGroup, p.Master, p.Auditor, p.Password); err != nil {
		return tx.duplicate(err)
	}
	if _, err := tx.c.exec("DELETE FROM members WHERE member = $1", string(p.ID)); err != nil {
		return err
	}
	for _, group := range p.In {
		if _, err := tx.c.exec("INSERT INTO members (of, member) VALUES ($1, $2)", string(group), string(p.ID)); err != nil {
			return err
		}
	}
	return tx.treeChanged()
}

// DropPrincipal takes a user or group away, with its memberships and its sessions.
func (tx *Tx) DropPrincipal(id clm.PrincipalID) error {
	for _, query := range []string{
		"DELETE FROM members WHERE member = $1 OR of = $1",
		"UPDATE sessions SET ended = TRUE, refresh_hash = NULL WHERE principal = $1",
		"DELETE FROM preferences WHERE principal = $1",
		"DELETE FROM service_accounts WHERE principal = $1",
		"DELETE FROM uploaded_requests WHERE principal = $1",
		"DELETE FROM principals WHERE id = $1",
	} {
		if _, err := tx.c.exec(query, string(id)); err != nil {
			return err
		}
	}
	return tx.treeChanged()
}

// An Application is a program that may ask for tokens.
type Application struct {
	ID             string
	Name           string
	Scope          string // at most
	AccessValidity time.Duration
	GrantValidity  time.Duration
	Refreshable    bool
}

// Application finds an application. It fails with NotFound.
func (tx *Tx) Application(id string) (Application, error) {
	if !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) { // PostgreSQL would not even look for it
		return Application{}, clm.NotFound
	}
	a, err := one(tx, scanApplication, "SELECT id, name, scope, access_seconds, grant_seconds, refreshable FROM applications WHERE id = $1", id)
	return a, notFound(err)
}

// Applications lists all applications by their IDs.
func (tx *Tx) Applications() ([]Application, error) {
	return all(tx, scanApplication, "SELECT id, name, scope, access_seconds, grant_seconds, refreshable FROM applications ORDER BY id")
}

func scanApplication(r row) (a Application, err error) {
	var access, grant int64
	err = r.Scan(&a.ID, &a.Name, &a.Scope, &access, &grant, &a.Refreshable)
	a.AccessValidity, a.GrantValidity = time.Duration(access)*time.Second, time.Duration(grant)*time.Second
	return a, err
}

// SaveApplication adds the application or writes a known one anew.
func (tx *Tx) SaveApplication(a Application) error {
	_, err := tx.c.exec(`INSERT INTO applications (id, name, scope, access_seconds, grant_seconds, refreshable) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, scope = excluded.scope, access_seconds = excluded.access_seconds,
		grant_seconds = excluded.grant_seconds, refreshable = excluded.refreshable`,
		a.ID, a.Name, a.Scope, int64(a.AccessValidity/time.Second), int64(a.GrantValidity/time.Second), a.Refreshable)
	return err
}

// A Session is a grant: its tokens are known by their hashes only.
type Session struct {
	ID           string
	Principal    clm.PrincipalID
	Application  string
	Scope        string
	Issued       time.Time
	Until        time.Time
	AccessHash   []byte
	AccessIssued time.Time
	AccessUntil  time.Time
	RefreshHash  []byte // nil where there is no refresh token
	Ended        bool
	Idle         time.Duration // so long it lives on after it was used; zero: as long as it was given
	Kind         string        // which edge has begun it; empty: it is a grant or an API key
}

// AddSession writes a new session down and gives it its ID.
func (tx *Tx) AddSession(s *Session) error {
	s.ID = newGUID(tx.Now)
	_, err := tx.c.exec(`INSERT INTO sessions (id, principal, application, scope, issued, until, access_hash, access_issued, access_until, refresh_hash, ended, idle, kind)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		s.ID, string(s.Principal), s.Application, s.Scope, micros(s.Issued), micros(s.Until), s.AccessHash, micros(s.AccessIssued), micros(s.AccessUntil), s.RefreshHash, s.Ended, s.Idle.Microseconds(), s.Kind)
	return tx.duplicate(err)
}

// SaveSession writes the session's tokens and its end.
func (tx *Tx) SaveSession(s Session) error {
	_, err := tx.c.exec("UPDATE sessions SET access_hash = $1, access_issued = $2, access_until = $3, refresh_hash = $4, ended = $5, until = $6 WHERE id = $7",
		s.AccessHash, micros(s.AccessIssued), micros(s.AccessUntil), s.RefreshHash, s.Ended, micros(s.Until), s.ID)
	return err
}

const selectSession = "SELECT id, principal, application, scope, issued, until, access_hash, access_issued, access_until, refresh_hash, ended, idle, kind FROM sessions"

// SessionByAccess finds a session by the hash of its access token. It fails with NotFound.
func (tx *Tx) SessionByAccess(hash []byte) (Session, error) {
	s, err := one(tx, scanSession, selectSession+" WHERE access_hash = $1", hash)
	return s, notFound(err)
}

// SessionByRefresh finds a session by the hash of its refresh token. It fails with NotFound.
func (tx *Tx) SessionByRefresh(hash []byte) (Session, error) {
	s, err := one(tx, scanSession, selectSession+" WHERE refresh_hash = $1", hash)
	return s, notFound(err)
}

func scanSession(r row) (s Session, err error) {
	var issued, until, accessIssued, accessUntil, idle int64
	err = r.Scan(&s.ID, &s.Principal, &s.Application, &s.Scope, &issued, &until, &s.AccessHash, &accessIssued, &accessUntil, &s.RefreshHash, &s.Ended, &idle, &s.Kind)
	s.Idle = time.Duration(idle) * time.Microsecond
	s.Issued, s.Until, s.AccessIssued, s.AccessUntil = fromMicros(issued), fromMicros(until), fromMicros(accessIssued), fromMicros(accessUntil)
	return s, err
}

// ProlongSession lets a session that has not ended live on until then, and be prolonged
// again until the end.
func (tx *Tx) ProlongSession(id string, until, end time.Time) error {
	_, err := tx.c.exec("UPDATE sessions SET access_until = $1, until = $2 WHERE id = $3 AND ended = FALSE", micros(until), micros(end), id)
	return err
}

// EndSession ends a session and kills its tokens.
func (tx *Tx) EndSession(id string) error {
	_, err := tx.c.exec("UPDATE sessions SET ended = TRUE, refresh_hash = NULL WHERE id = $1", id)
	return err
}

// EndSessionsOf ends all sessions of the user but the one named, and kills their tokens.
func (tx *Tx) EndSessionsOf(id clm.PrincipalID, but string) error {
	_, err := tx.c.exec("UPDATE sessions SET ended = TRUE, refresh_hash = NULL WHERE principal = $1 AND id <> $2 AND ended = FALSE", string(id), but)
	return err
}
