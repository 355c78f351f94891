package core

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

// Application is a program that may ask for tokens on behalf of users.
type Application = store.Application

// Application finds an application by its id, which is compared exactly. It fails
// with NotFound.
func (c *Core) Application(ctx context.Context, id string) (a Application, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		a, err = tx.Application(id)
		return err
	})
	return a, err
}

// Session is a grant as it stands: who, through which application, for what, how long.
type Session struct {
	ID           string
	Actor        clm.Actor
	Application  string    // empty for what was not asked for by one: API keys, and sessions of a kind
	Kind         string    // as its Terms say; empty for grants and API keys
	Scope        string    // as it was asked for; the edge that issued it knows what it means
	Issued       time.Time // of the grant
	Until        time.Time // of the grant
	AccessIssued time.Time
	AccessUntil  time.Time
}

// Tokens are handed out once; only their hashes are kept.
type Tokens struct {
	Session
	Access  secret.Plain
	Refresh secret.Plain // empty where the application may not refresh
}

// keyLife is how long an API key lives after it was used.
const keyLife = 10 * time.Minute

// useStep is how long uses of a session are taken for one: so much sooner than its time of
// idleness it may end.
const useStep = time.Minute

// Grant makes a new grant with an access token and, where the application may
// refresh, a refresh token. Earlier grants stay as they are.
func (c *Core) Grant(ctx context.Context, who clm.Actor, a Application, scope string) (Tokens, error) {
	t := Tokens{Access: newToken()}
	if a.Refreshable {
		t.Refresh = newToken()
	}
	err := c.db.Write(ctx, store.Entry{Actor: who, Action: "grant", Subject: a.ID, Detail: scope}, func(tx *store.Tx) error {
		s := store.Session{
			Principal: who.ID, Application: a.ID, Scope: scope, Issued: tx.Now, Until: tx.Now.Add(a.GrantValidity),
			AccessHash: hashOf(t.Access), AccessIssued: tx.Now, AccessUntil: tx.Now.Add(min(a.AccessValidity, a.GrantValidity)),
			RefreshHash: hashOf(t.Refresh),
		}
		if err := tx.AddSession(&s); err != nil {
			return err
		}
		t.Session = sessionOf(s, who)
		return nil
	})
	return t, err
}

// Refresh exchanges a refresh token for new tokens; the old ones are dead at
// once. application may be empty; otherwise it must be the grant's, in any case.
// It fails with Invalid about the application, which leaves the token usable,
// and with Denied about everything else.
func (c *Core) Refresh(ctx context.Context, refresh secret.Plain, application string) (Tokens, error) {
	t := Tokens{Access: newToken(), Refresh: newToken()}
	err := c.db.Write(ctx, store.Entry{Action: "refresh", Subject: application}, func(tx *store.Tx) error {
		s, err := tx.SessionByRefresh(hashOf(refresh))
		if errors.Is(err, clm.NotFound) {
			return clm.Denied
		}
		if err != nil {
			return err
		}
		if application != "" && !strings.EqualFold(application, s.Application) {
			return clm.Fail(clm.Invalid, "application", application)
		}
		a, err := tx.Application(s.Application)
		if err != nil || s.Ended || !tx.Now.Before(s.Until) || !a.Refreshable {
			return clm.Denied
		}
		who, err := actorOf(tx, s.Principal)
		if err != nil {
			return clm.Denied
		}
		tx.By(who)
		s.AccessHash, s.RefreshHash, s.AccessIssued = hashOf(t.Access), hashOf(t.Refresh), tx.Now
		s.AccessUntil = earlier(tx.Now.Add(a.AccessValidity), s.Until)
		t.Session = sessionOf(s, who)
		return tx.SaveSession(s)
	})
	return t, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Session finds the session of an access token or an API key. It fails with
// NotFound when there is none, and with Denied when it has ended or expired.
func (c *Core) Session(ctx context.Context, access secret.Plain) (Session, error) {
	return c.SessionOf(ctx, "", access)
}

// SessionOf finds the session of the kind that the token opens. Sessions of other kinds
// are not found, so that what one edge hands out is worth nothing at another. It fails as
// Session does.
func (c *Core) SessionOf(ctx context.Context, kind string, access secret.Plain) (Session, error) {
	var s store.Session
	var who clm.Actor
	err := c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if s, err = tx.SessionByAccess(hashOf(access)); err != nil {
			return err
		}
		if s.Kind != kind {
			return clm.NotFound
		}
		if s.Ended || !tx.Now.Before(s.AccessUntil) {
			return clm.Denied
		}
		if who, err = actorOf(tx, s.Principal); errors.Is(err, clm.NotFound) {
			return clm.Denied
		}
		return err
	})
	if err != nil {
		return Session{}, err
	}
	if s.Idle > 0 && s.AccessUntil.Sub(c.db.Now()) < s.Idle-useStep {
		err = c.db.Write(ctx, store.Entry{Actor: who, Action: "prolong key", Subject: who.Name}, func(tx *store.Tx) error {
			s.AccessUntil = tx.Now.Add(s.Idle)
			if s.Kind == "" && s.Application == "" { // an API key has no end
				s.Until = s.AccessUntil
			}
			s.AccessUntil = earlier(s.AccessUntil, s.Until)
			return tx.ProlongSession(s.ID, s.AccessUntil, s.Until)
		})
	}
	return sessionOf(s, who), err
}

// EndSession revokes the grant: its tokens are dead when the call returns.
func (c *Core) EndSession(ctx context.Context, s Session) error {
	entry := store.Entry{Actor: s.Actor, Action: "revoke grant", Subject: s.Application, Detail: s.Scope}
	if s.Kind != "" {
		entry = store.Entry{Actor: s.Actor, Action: "end session", Subject: s.Actor.Name, Detail: s.Kind}
	}
	return c.db.Write(ctx, entry, func(tx *store.Tx) error {
		return tx.EndSession(s.ID)
	})
}

// APIKey makes a key with which the actor may do all that its rights allow. Its
// life is prolonged by use.
func (c *Core) APIKey(ctx context.Context, who clm.Actor) (key secret.Plain, until time.Time, err error) {
	key = newKey()
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "make key", Subject: who.Name}, func(tx *store.Tx) error {
		until = tx.Now.Add(keyLife)
		return tx.AddSession(&store.Session{
			Principal: who.ID, Issued: tx.Now, Until: until, AccessHash: hashOf(key), AccessIssued: tx.Now, AccessUntil: until, Idle: keyLife,
		})
	})
	return key, until, err
}

// Terms are those of a session that begins without an application.
type Terms struct {
	Kind  string        // what kind of session it is, never empty: nobody finds it who asks for another
	Scope string        // what it may do; the edge knows what that means
	Idle  time.Duration // so long it lives on after it was used; zero: as long as Most
	Most  time.Duration // it lives no longer

	// Shape makes what the client gets and shows of a random token; nil: a GUID. It is
	// what counts, as a whole: the token by itself opens nothing.
	Shape func(token secret.Plain, s Session) secret.Plain
}

// BeginSession makes a session of the actor and what opens it, by which SessionOf finds it.
func (c *Core) BeginSession(ctx context.Context, who clm.Actor, terms Terms) (begun Session, opens secret.Plain, err error) {
	err = c.db.Write(ctx, store.Entry{Actor: who, Action: "begin session", Subject: who.Name, Detail: terms.Kind}, func(tx *store.Tx) error {
		s := store.Session{
			Principal: who.ID, Kind: terms.Kind, Scope: terms.Scope, Issued: tx.Now, Until: tx.Now.Add(terms.Most), AccessIssued: tx.Now,
			AccessUntil: tx.Now.Add(terms.Most), Idle: terms.Idle,
		}
		if terms.Idle > 0 {
			s.AccessUntil = earlier(tx.Now.Add(terms.Idle), s.Until)
		}
		begun, opens = sessionOf(s, who), newKey()
		if terms.Shape != nil {
			opens = terms.Shape(newToken(), begun)
		}
		s.AccessHash = hashOf(opens)
		err := tx.AddSession(&s)
		begun.ID = s.ID
		return err
	})
	return begun, opens, err
}

func sessionOf(s store.Session, who clm.Actor) Session {
	return Session{
		ID: s.ID, Actor: who, Application: s.Application, Kind: s.Kind, Scope: s.Scope, Issued: s.Issued, Until: s.Until,
		AccessIssued: s.AccessIssued, AccessUntil: s.AccessUntil,
	}
}

// newToken makes a token of 16 random bytes in base64, which ends in == as
// clients of tokens expect.
func newToken() secret.Plain {
	b := make([]byte, 16)
	rand.Read(b)
	return secret.NewString(base64.StdEncoding.EncodeToString(b))
}

// newKey makes an API key in the form of a GUID (RFC 9562, version 4).
func newKey() secret.Plain {
	b := make([]byte, 16)
	rand.Read(b)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return secret.NewString(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// hashOf is what is kept of a token: it has 120 random bits and more, so that a
// plain hash cannot be turned back.
func hashOf(token secret.Plain) []byte {
	if token.IsEmpty() {
		return nil
	}
	sum := sha256.Sum256(token.Reveal())
	return sum[:]
}
