package core

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// csrWish says, before anything else about a signing request is looked at,
// whether one may or must be there. hasUserCSR: the place's requests come from
// outside; where policy has come to want them made here, it is to be forgotten.
func csrWish(p clm.Policy, given, hasUserCSR bool) error {
	switch {
	case p.UserCSR.Locked && p.UserCSR.IsOn() && !given:
		return clm.Fail(clm.NeedsCSR, "required", string(p.UserCSR.From))
	case p.UserCSR.Locked && !p.UserCSR.IsOn() && given:
		return clm.Fail(clm.NeedsCSR, "refused", string(p.UserCSR.From))
	case hasUserCSR && !given && !p.UserCSR.Locked:
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
// key that has served before is reported by itself, everything else together. One
// that is known to be compromised is refused whatever policy says.
// Where subjects are to be unique, what passes has its subject from then on.
func judge(tx *store.Tx, p clm.Policy, d clm.Demand, csr *pki.CSR, place clm.ObjectID) error {
	var err error
	if csr != nil {
		if err = keyMayServe(tx, p, csr, place); err != nil {
			return err
		}
	}
	if d.SubjectTaken, err = subjectTaken(tx, p, d.Names, place); err != nil {
		return err
	}
	if broken := p.Judge(d); len(broken) > 0 {
		return &clm.Error{Kind: clm.Violation, Breaches: broken}
	}
	if p.UniqueSubjects {
		return tx.TakeSubject(place, subjectOf(d.Names))
	}
	return tx.LeaveSubject(place) // it may come to have another, of which nobody would know
}

// keyMayServe fails with a Violation where the key of the signing request has served before
// and policy minds, or is known to be compromised.
func keyMayServe(tx *store.Tx, p clm.Policy, csr *pki.CSR, place clm.ObjectID) error {
	seen, err := tx.KeySeen(csr.KeyHash, place)
	if err != nil {
		return err
	}
	bad, err := tx.KeyCompromised(csr.KeyHash)
	if err == nil && (bad || seen && !p.KeyReuse) {
		err = &clm.Error{Kind: clm.Violation, Breaches: []clm.Breach{{Rule: clm.RuleKeyReuse}}}
	}
	return err
}

// canBeMade makes sure that keys of the kind are made here. Those that come from
// outside may be others.
func canBeMade(d clm.Demand) error {
	if err := specOf(d).Check(); err != nil {
		return &clm.Error{Kind: clm.Invalid, Field: "key", Value: specOf(d).String(), Err: err}
	}
	return nil
}

// maxNamesakes is how many certificates of the same common name are looked at.
const maxNamesakes = 1000

// subjectTaken reports whether policy wants subjects to be there only once, and
// another place than this one has the subject: its certificate does, or it was
// judged for one that it is still to get. A certificate without a common name is
// known by what it was judged for alone.
func subjectTaken(tx *store.Tx, p clm.Policy, n clm.Names, place clm.ObjectID) (bool, error) {
	subject := subjectOf(n)
	if !p.UniqueSubjects || subject == "" {
		return false, nil
	}
	if taken, err := tx.SubjectTaken(place, subject); err != nil || taken || n.CommonName == "" {
		return taken, err
	}
	namesakes, err := tx.CertificatesNamed(n.CommonName, place, maxNamesakes)
	return slices.ContainsFunc(namesakes, func(cert []byte) bool {
		return strings.EqualFold(pki.SubjectName(cert), subject)
	}), err
}

// subjectOf is the subject as text; empty where there is none or it cannot be.
func subjectOf(n clm.Names) string {
	der, err := pki.Subject(n)
	if err != nil {
		return ""
	}
	return pki.FormatName(der)
}

// A beginning is how the work begins that leads to the next version of a place.
type beginning struct {
	csr      *pki.CSR // from outside; nil: it is made here
	reason   string
	action   Action      // what the asker calls it; may be empty
	external string      // the asker's name for it; may be empty
	key      clm.KeyWish // of a key that is made here
	ends     time.Time   // the end that is wanted; zero: what the place says
	claim    bool        // the work is held from the start by whoever gets the task

	// from is the open work that this replaces, if any: it is ended, and what a worker
	// brings for it later is dropped; if it had stopped, the new work stands as stopped as
	// the old one did, until somebody retries or resets it.
	from *clm.Work
}

// begin opens the work that leads to the next version of the place at the end of
// the path.
func begin(tx *store.Tx, who clm.Actor, path clm.Path, b beginning) (*task, error) {
	place, csr, from := path.Last(), b.csr, b.from
	t := &task{path: path, version: clm.Version{Certificate: place.ID, External: b.external, KeyWish: b.key, Ends: b.ends}}
	w, v := &t.work, &t.version
	*w = clm.Begin(clm.Enroll, clm.CreateKey, tx.Now)
	if csr != nil {
		v.UserCSR, v.CSR, v.KeyHash, t.names = true, csr.DER, csr.KeyHash, csr.Names
		*w = clm.Begin(clm.Enroll, clm.Submit, tx.Now)
	} else if path.Value(clm.UserCSR).IsOn() {
		w.Stage, w.NotBefore = clm.CreateCSR, clm.Never // until one comes
	}
	if err := tx.AddVersionOf(place, v); err != nil {
		return t, unwritten(map[bool]string{true: "csr", false: "work"}[v.UserCSR], err)
	}
	w.Subject, w.Version, w.Actor, w.Reason, w.Action = place.ID, v.ID, who.Name, b.reason, string(b.action)
	if from != nil {
		if err := endEnrolment(tx, *from); err != nil {
			return t, err
		}
		w.Failure, w.Overlaid = from.Failure, from.Failure != ""
	}
	waits := w.NotBefore.After(tx.Now)
	add := tx.AddWork
	if b.claim && w.Failure == "" && !waits {
		add = func(w *clm.Work) error { return tx.AddHeldWork(w, lease) }
	}
	if err := add(w); err != nil || waits {
		return t, unwritten("work", err)
	}
	var err error
	t.asked, err = takeTickets(tx, *w)
	return t, unwritten("work", err)
}

// unwritten says what it was that could not be stored. No rule that was forgotten
// can open two works: where the index refuses the second, the place is Busy.
func unwritten(what string, err error) error {
	switch err {
	case nil:
		return nil
	case store.ErrDuplicate:
		return clm.Busy
	}
	return &clm.Error{Kind: clm.Unwritten, Field: what, Err: err}
}

// dropHeld forgets the signing request that was kept for the place, if there was
// one. The caller writes the place.
func dropHeld(tx *store.Tx, place *clm.Object) error {
	held := place.Own[clm.HeldCSR]
	if len(held) == 0 {
		return nil
	}
	delete(place.Own, clm.HeldCSR)
	id, err := strconv.ParseInt(held[0], 10, 64)
	if err != nil {
		return err
	}
	return tx.DropVersion(clm.VersionID(id))
}

// heldCSR is the signing request that was handed in for the place at the end of
// the path and not acted upon, if there is one and policy does not forbid it.
func heldCSR(tx *store.Tx, path clm.Path) (*pki.CSR, error) {
	held := path.Last().Own[clm.HeldCSR]
	if wanted := path.Value(clm.UserCSR); len(held) == 0 || wanted.Locked && !wanted.IsOn() {
		return nil, nil
	}
	id, err := strconv.ParseInt(held[0], 10, 64)
	if err != nil {
		return nil, err
	}
	v, err := tx.Version(clm.VersionID(id))
	if err != nil {
		return nil, err
	}
	return pki.ParseCSRDER(v.CSR)
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
	o := &Open{Work: w}
	if !w.Done && w.Failure == "" {
		gates, err := tx.Gates(w.ID)
		if err != nil {
			return nil, err
		}
		for _, g := range gates {
			if g.Stage == w.Stage && g.Holds(tx.Now) {
				o.Gates = append(o.Gates, g)
			}
		}
	}
	o.State = w.State(len(o.Gates) > 0)
	return o, nil
}

// MaxWait is the longest that a call may wait for work.
const MaxWait = 120 * time.Second
