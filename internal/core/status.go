package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Limits of OCSP answers.
const (
	answerLife = 8 * time.Hour // so long relying parties may go by an answer; another is signed when half of that has passed
	maxAnswers = 4096          // signed answers that are kept, at least; twice as many at most
	maxAsked   = 8             // certificates that one request may be about: an answer to several is of use to one client only
)

// An Answer is a signed OCSP response.
type Answer struct {
	DER     []byte
	Made    time.Time
	Until   time.Time // when there must be another
	ForThis bool      // it is for this request only
}

// StatusKinds are the ways in which Status fails: the request cannot be read, or it
// is about a certificate that no issuer of ours has issued.
var StatusKinds = []clm.Kind{clm.Internal, clm.Invalid, clm.NotFound}

// Status answers an OCSP request, DER, about certificates of one issuer whose key is
// held here. What stands in the database counts each time, whichever node wrote it;
// only the signature under an answer that is still true is used again.
func (c *Core) Status(ctx context.Context, request []byte) (Answer, error) {
	r, err := pki.ReadStatusRequest(request)
	if err == nil {
		if r.Questions = askedOnce(r.Questions); len(r.Questions) > maxAsked {
			err = fmt.Errorf("it is about more than %d certificates", maxAsked)
		}
	}
	if err != nil {
		return Answer{}, &clm.Error{Kind: clm.Invalid, Field: "request", Err: err}
	}
	var p *publisher
	var at time.Time // everything that is said was so at that time, or became so since
	err = c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		at = tx.Now
		if p, err = c.publisher(tx, func(p *publisher) bool { return r.Questions[0].IsAbout(p.cert) }); err != nil || r.Nonce == nil {
			return err
		}
		root, err := tx.Path(clm.RootDN)
		if err == nil && !root.Value(clm.OCSPNonce).IsOn() {
			r.Nonce = nil
		}
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	statuses, err := c.statuses(ctx, p, r.Questions)
	if err != nil {
		return Answer{}, err
	}
	signs, err := c.responder(ctx, p)
	if err != nil {
		return Answer{}, err
	}
	if len(statuses) > 1 || r.Nonce != nil {
		a, err := c.signAnswer(ctx, signs, at, pki.Answer{Statuses: statuses, Nonce: r.Nonce})
		a.ForThis = true
		return a, err
	}
	return c.keptAnswer(ctx, signs, at, statuses[0])
}

// askedOnce are the questions without those that were asked before.
func askedOnce(questions []pki.Question) (all []pki.Question) {
	for _, q := range questions {
		if !slices.ContainsFunc(all, func(asked pki.Question) bool { return bytes.Equal(asked.Raw, q.Raw) }) {
			all = append(all, q)
		}
	}
	return all
}

// statuses are the answers to the questions, which must all be about certificates
// that the publisher has issued. Each is looked up by itself: there are others who
// want to read.
func (c *Core) statuses(ctx context.Context, p *publisher, questions []pki.Question) (all []pki.CertStatus, err error) {
	for _, q := range questions {
		if !q.IsAbout(p.cert) {
			return nil, clm.NotFound
		}
		s := pki.CertStatus{Question: q, Status: pki.StatusGood}
		if err := c.db.Glance(ctx, func(tx *store.Tx) error {
			revoked, reason, err := tx.Standing(p.print, q.Serial)
			if errors.Is(err, clm.NotFound) {
				// Certificates of CAs have no version.
				_, err = c.publisher(tx, func(below *publisher) bool { return bytes.Equal(below.above, p.print) && below.serial() == q.Serial })
			}
			if err == nil && !revoked.IsZero() {
				s.Status, s.RevokedAt, s.Reason = pki.StatusRevoked, revoked, reason
			}
			return err
		}); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// keptAnswer finds a signed answer that says just this, or signs one.
func (c *Core) keptAnswer(ctx context.Context, signs *responder, at time.Time, s pki.CertStatus) (Answer, error) {
	key := fmt.Sprintf("%s %d %d %d %s", s.Question.Raw, s.Status, s.RevokedAt.UnixMicro(), s.Reason, signs.cert.Signature)
	if a, ok := c.answers.find(key, c.db.Now()); ok {
		return a, nil
	}
	a, err := c.signAnswer(ctx, signs, at, pki.Answer{Statuses: []pki.CertStatus{s}})
	if err == nil {
		c.answers.keep(key, a)
	}
	return a, err
}

// signAnswer signs what was so at the time: what was revoked since then, while others
// were signing, must not be called good as of a later one. Like a list it is valid a
// little earlier.
func (c *Core) signAnswer(ctx context.Context, signs *responder, at time.Time, answer pki.Answer) (a Answer, err error) {
	done, err := takeToken(ctx, c.signing)
	if err != nil {
		return a, err
	}
	defer done()
	at = at.Truncate(time.Second)
	a.Made, a.Until = at, at.Add(answerLife)
	if end := signs.cert.NotAfter; end.Before(a.Until) {
		a.Until = end
	}
	answer.ProducedAt = a.Made
	for n := range answer.Statuses {
		answer.Statuses[n].ThisUpdate, answer.Statuses[n].NextUpdate = a.Made.Add(-listSkew), a.Until
	}
	a.DER, err = pki.SignStatus(answer, signs.cert.Raw, signs.key)
	return a, err
}

// answers are signed answers by all that they say. What nobody has asked for in a
// while is forgotten: when the young ones are full they become the old ones.
type answers struct {
	mu         sync.Mutex
	young, old map[string]Answer
}

// find finds an answer that has lived less than half of its life.
func (s *answers) find(key string, now time.Time) (Answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.young[key]
	if !ok {
		if a, ok = s.old[key]; ok {
			s.put(key, a)
		}
	}
	return a, ok && !now.Before(a.Made) && now.Sub(a.Made) < a.Until.Sub(a.Made)/2
}

func (s *answers) keep(key string, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, a)
}

func (s *answers) put(key string, a Answer) {
	if _, known := s.young[key]; s.young == nil || !known && len(s.young) >= maxAnswers {
		s.young, s.old = make(map[string]Answer, maxAnswers), s.young
	}
	s.young[key] = a
}
