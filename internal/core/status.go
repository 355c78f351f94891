package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	if err != nil {
		return Answer{}, &clm.Error{Kind: clm.Invalid, Field: "request", Err: err}
	}
	var p *publisher
	var statuses []pki.CertStatus
	err = c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if p, err = c.publisher(tx, func(p *publisher) bool { return r.Questions[0].IsAbout(p.cert) }); err != nil {
			return err
		}
		if statuses, err = c.statuses(tx, p, r.Questions); err != nil || r.Nonce == nil {
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
	signs, err := c.responder(ctx, p)
	if err != nil {
		return Answer{}, err
	}
	if len(statuses) > 1 || r.Nonce != nil {
		a, err := c.signAnswer(ctx, signs, pki.Answer{Statuses: statuses, Nonce: r.Nonce})
		a.ForThis = true
		return a, err
	}
	return c.keptAnswer(ctx, signs, statuses[0])
}

// statuses are the answers to the questions, which must all be about certificates
// that the publisher has issued.
func (c *Core) statuses(tx *store.Tx, p *publisher, questions []pki.Question) (all []pki.CertStatus, err error) {
	for _, q := range questions {
		if !q.IsAbout(p.cert) {
			return nil, clm.NotFound
		}
		revoked, reason, err := tx.Standing(p.print, q.Serial)
		if errors.Is(err, clm.NotFound) {
			// Certificates of CAs have no version.
			_, err = c.publisher(tx, func(below *publisher) bool { return bytes.Equal(below.above, p.print) && below.serial() == q.Serial })
		}
		if err != nil {
			return nil, err
		}
		s := pki.CertStatus{Question: q, Status: pki.StatusGood}
		if !revoked.IsZero() {
			s.Status, s.RevokedAt, s.Reason = pki.StatusRevoked, revoked, reason
		}
		all = append(all, s)
	}
	return all, nil
}

// keptAnswer finds a signed answer that says just this, or signs one.
func (c *Core) keptAnswer(ctx context.Context, signs *responder, s pki.CertStatus) (Answer, error) {
	key := fmt.Sprintf("%s %d %d %d %s", s.Question.Raw, s.Status, s.RevokedAt.UnixMicro(), s.Reason, signs.cert.Signature)
	if a, ok := c.answers.find(key, c.db.Now()); ok {
		return a, nil
	}
	a, err := c.signAnswer(ctx, signs, pki.Answer{Statuses: []pki.CertStatus{s}})
	if err == nil {
		c.answers.keep(key, a)
	}
	return a, err
}

func (c *Core) signAnswer(ctx context.Context, signs *responder, answer pki.Answer) (a Answer, err error) {
	done, err := takeToken(ctx, c.signing)
	if err != nil {
		return a, err
	}
	defer done()
	now := c.db.Now().Truncate(time.Second)
	a.Made, a.Until = now, now.Add(answerLife)
	if end := signs.cert.NotAfter; end.Before(a.Until) {
		a.Until = end
	}
	answer.ProducedAt = a.Made
	for n := range answer.Statuses {
		answer.Statuses[n].ThisUpdate, answer.Statuses[n].NextUpdate = a.Made, a.Until
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
