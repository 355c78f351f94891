package clm

import (
	"errors"
	"slices"
	"time"
)

// plans is the whole lifecycle, to be read like a table of contents.
var plans = map[Op][]Stage{
	Enroll:  {CreateKey, CreateCSR, Submit, Collect, Activate, End},
	Install: {Place, Inspect, Configure, Reload, Verify, Settle, End},
	Revoke:  {RevokeAt, End},
	Hold:    {RevokeAt, End},
	Release: {RevokeAt, End},
	Abandon: {Collect, Disown, End},
	Undo:    {Restore, End},
}

// Plan lists the stages of an operation in their order.
func Plan(op Op) []Stage { return slices.Clone(plans[op]) }

// Limits of trying again. What never reached the CA or the target is tried a few
// times within a minute or two.
const (
	MaxAttempts  = 3
	FirstBackoff = 10 * time.Second // doubled for every further try
	MaxPatience  = 90 * 24 * time.Hour
)

// noWords is the failure of what fails without saying why: a work without one has not stopped.
const noWords = "failed, and does not say why"

// An Outcome is what an effect reports when it did not fail: facts learnt, or
// Later, when asking again makes sense then.
type Outcome struct {
	Later time.Time
	Key   []byte // sealed private key
	CSR   []byte
	Hash  []byte // of the public key
	Ref   string
	Cert  []byte
	Chain [][]byte // the certificates above Cert, the issuer first
	Memo  string   // what later stages need to know
}

// Begin makes the first state of a work that starts at the stage, in the lane of
// enrolments unless it is put into another.
func Begin(op Op, at Stage, now time.Time) Work {
	return Work{Op: op, Lane: EnrollLane, Stage: at, Since: now, NotBefore: now, Created: now}
}

// Advance is the whole state machine: the work as it was, what its effect
// reported, the time; and out comes the work as it must be written next.
func Advance(w Work, out Outcome, err error, now time.Time) Work {
	w.Note = ""
	if out.Memo != "" {
		w.Memo = out.Memo
	}
	switch {
	case err == nil && out.Later.IsZero():
		return next(w, now)
	case err == nil && now.Sub(w.Since) < MaxPatience:
		w.NotBefore = out.Later
	case err == nil:
		w.Failure = "no answer in time"
	case IsPermanent(err) || w.Attempt+1 >= MaxAttempts:
		w.Failure = orElse(err.Error(), noWords)
		w.Attempt++
	default:
		w.Note = err.Error()
		w.NotBefore = now.Add(FirstBackoff << w.Attempt)
		w.Attempt++
	}
	return w
}

func next(w Work, now time.Time) Work {
	plan := plans[w.Op]
	w.Stage = plan[slices.Index(plan, w.Stage)+1]
	w.Attempt, w.Since, w.NotBefore = 0, now, now
	w.Done = w.Stage == End
	return w
}

// permanent marks an error that trying again cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks err as one that trying again cannot mend; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether trying again cannot mend err.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[permanent](err)
	return ok
}
