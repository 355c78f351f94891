package core

import (
	"maps"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// csrWish says, before anything else about a signing request is looked at,
// whether one may or must be there. hasUserCSR: the place's requests come from
// outside.
func csrWish(p clm.Policy, given, hasUserCSR bool) error {
	switch {
	case p.UserCSR.Locked && p.UserCSR.IsOn() && !given:
		return clm.Fail(clm.NeedsCSR, "required", string(p.UserCSR.From))
	case p.UserCSR.Locked && !p.UserCSR.IsOn() && given:
		return clm.Fail(clm.NeedsCSR, "refused", string(p.UserCSR.From))
	case hasUserCSR && !given:
		return clm.Fail(clm.NeedsCSR, "origin", "")
	}
	return nil
}

// parseCSR reads a signing request that a client sent; none gives nil. The error
// is of kind Invalid and to be returned when its turn comes.
func parseCSR(text string) (*pki.CSR, error) {
	if text == "" {
		return nil, nil
	}
	csr, err := pki.ParseCSR(text)
	if err != nil {
		return nil, &clm.Error{Kind: clm.Invalid, Field: "csr", Value: err.Error(), Err: err}
	}
	return csr, nil
}

// judge is the one gate of compliance: no path to a certificate goes past it. A
// key that has served before is reported by itself, everything else together.
func judge(tx *store.Tx, p clm.Policy, d clm.Demand, csr *pki.CSR, place clm.ObjectID) error {
	if csr != nil {
		seen, err := tx.KeySeen(csr.KeyHash, place)
		if err != nil {
			return err
		}
		if seen && !p.KeyReuse {
			return &clm.Error{Kind: clm.Violation, Breaches: []clm.Breach{{Rule: clm.RuleKeyReuse}}}
		}
	}
	if broken := p.Judge(d); len(broken) > 0 {
		return &clm.Error{Kind: clm.Violation, Breaches: broken}
	}
	if err := specOf(d).Check(); err != nil {
		return &clm.Error{Kind: clm.Invalid, Field: "key", Value: specOf(d).String(), Err: err}
	}
	return nil
}

// begin opens the work that leads to the next version of the place at the end of
// the path. from is the open work that it replaces, if any: it is ended, and what
// a worker brings for it later is dropped; if it had stopped, the new work stands
// as stopped as the old one did, until somebody retries or resets it. With claim
// the work is held from the start by whoever gets the task.
func begin(tx *store.Tx, who clm.Actor, path clm.Path, csr *pki.CSR, from *clm.Work, reason string, claim bool) (*task, error) {
	place := path.Last()
	t := &task{path: path, version: clm.Version{Certificate: place.ID}}
	w, v := &t.work, &t.version
	*w = clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
	if csr != nil {
		v.UserCSR, v.CSR, v.KeyHash, t.names = true, csr.DER, csr.KeyHash, csr.Names
		*w = clm.Begin(clm.Enroll, clm.Submit, tx.Now)
	} else if path.Value(clm.UserCSR).IsOn() {
		w.Stage, w.NotBefore = clm.CreateCSR, clm.Never // until one comes
	}
	if err := tx.AddVersion(v); err != nil {
		return t, err
	}
	w.Subject, w.Version, w.Actor, w.Reason = place.ID, v.ID, who.Name, reason
	if from != nil {
		if err := tx.EndWork(from.ID); err != nil {
			return t, err
		}
		w.Failure, w.Overlaid = from.Failure, from.Failure != ""
	}
	if claim && w.Failure == "" && !w.NotBefore.After(tx.Now) {
		return t, tx.AddHeldWork(w, lease)
	}
	return t, tx.AddWork(w)
}

// cloned returns a copy of a shared object whose own values may be changed.
func cloned(o *clm.Object) *clm.Object {
	c := *o
	c.Own = maps.Clone(o.Own)
	if c.Own == nil {
		c.Own = map[clm.Attr][]string{}
	}
	return &c
}

// openWork is the open work of a place and how it stands; nil where there is none.
func openWork(tx *store.Tx, place clm.ObjectID) (*Open, error) {
	w, err := tx.OpenWork(place, clm.EnrollLane)
	if err != nil || w == nil {
		return nil, err
	}
	return stand(tx, *w)
}

// stand says how a work stands.
func stand(tx *store.Tx, w clm.Work) (*Open, error) {
	gated := false
	if !w.Done && w.Failure == "" {
		gates, err := tx.Gates(w.ID)
		if err != nil {
			return nil, err
		}
		for _, g := range gates {
			gated = gated || g.Before == w.Stage && g.By == ""
		}
	}
	return &Open{Work: w, State: w.State(gated)}, nil
}

// MaxWait is the longest that a call may wait for work.
const MaxWait = 120 * time.Second
