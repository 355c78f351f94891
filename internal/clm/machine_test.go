package clm

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later = began.Add(time.Hour)
)

// Each arrow of the state machine leads where it says, from every stage.
func TestAdvance(t *testing.T) {
	refused, unreachable := errors.New("no such template"), errors.New("connection refused")
	for at, stage := range Plan(Enroll)[:len(Plan(Enroll))-1] {
		following := Plan(Enroll)[at+1]
		for _, test := range []struct {
			name   string
			change func(*Work) // of the work before
			out    Outcome
			err    error
			want   func(*Work) // what is different afterwards
		}{
			{name: "it went well: the next stage, at once", out: Outcome{Ref: "7"},
				want: func(w *Work) {
					w.Stage, w.Since, w.NotBefore, w.Done = following, later, later, following == End
				}},
			{name: "it went well after failures: they are forgotten", change: func(w *Work) { w.Attempt, w.Note = 2, "connection refused" },
				want: func(w *Work) {
					w.Stage, w.Since, w.NotBefore, w.Done, w.Attempt, w.Note = following, later, later, following == End, 0, ""
				}},
			{name: "ask again later: costs no attempt", out: Outcome{Later: later.Add(time.Minute)},
				want: func(w *Work) { w.NotBefore = later.Add(time.Minute) }},
			{name: "ask again later after failures: keeps count, drops the note", change: func(w *Work) { w.Attempt, w.Note = 1, "connection refused" },
				out: Outcome{Later: later.Add(time.Minute)}, want: func(w *Work) { w.NotBefore, w.Note = later.Add(time.Minute), "" }},
			{name: "ask again later, just before patience ends", change: func(w *Work) { w.Since = later.Add(-MaxPatience + 1) },
				out: Outcome{Later: later.Add(time.Minute)}, want: func(w *Work) { w.NotBefore = later.Add(time.Minute) }},
			{name: "ask again later, but patience has ended: it stops", change: func(w *Work) { w.Since = later.Add(-MaxPatience) },
				out: Outcome{Later: later.Add(time.Minute)}, want: func(w *Work) { w.Failure = "no answer in time" }},
			{name: "it failed for good: it stops", err: Permanent(refused),
				want: func(w *Work) { w.Failure, w.Attempt = "no such template", 1 }},
			{name: "it failed for good, said from further down", err: fmt.Errorf("submit: %w", Permanent(refused)),
				want: func(w *Work) { w.Failure, w.Attempt = "submit: no such template", 1 }},
			{name: "it failed: again in a while", err: unreachable,
				want: func(w *Work) {
					w.Note, w.Attempt, w.NotBefore = "connection refused", 1, later.Add(FirstBackoff)
				}},
			{name: "it failed again: in twice the while", change: func(w *Work) { w.Attempt, w.Note = 1, "timeout" }, err: unreachable,
				want: func(w *Work) {
					w.Note, w.Attempt, w.NotBefore = "connection refused", 2, later.Add(2*FirstBackoff)
				}},
			{name: "it failed too often: it stops", change: func(w *Work) { w.Attempt, w.Note = MaxAttempts-1, "timeout" }, err: unreachable,
				want: func(w *Work) { w.Note, w.Failure, w.Attempt = "", "connection refused", MaxAttempts }},
			{name: "an error outweighs what came with it", out: Outcome{Later: later.Add(time.Minute), Ref: "7"}, err: unreachable,
				want: func(w *Work) {
					w.Note, w.Attempt, w.NotBefore = "connection refused", 1, later.Add(FirstBackoff)
				}},
			{name: "an error without words stops it too", err: Permanent(errors.New("")),
				want: func(w *Work) { w.Failure, w.Attempt = noWords, 1 }},
		} {
			t.Run(string(stage)+"/"+test.name, func(t *testing.T) {
				w := Work{ID: 3, Op: Enroll, Subject: "www", Lane: EnrollLane, Version: 5, Stage: stage, Since: began, NotBefore: began,
					Begun: true, Epoch: 9, Created: began, Actor: "jo", Reason: "renew"}
				if test.change != nil {
					test.change(&w)
				}
				want := w
				test.want(&want)
				if diff := cmp.Diff(want, Advance(w, test.out, test.err, later)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Whatever effects report, a work only goes forward, keeps its identity, and ends
// or stops after so many reports as stages and attempts allow.
func TestWorkEndsOrStops(t *testing.T) {
	plan := Plan(Enroll)
	rapid.Check(t, func(t *rapid.T) {
		now := began
		w := Begin(Enroll, plan[0], now)
		w.ID, w.Version, w.Epoch = 3, 5, 9
		for reports := 0; !w.Done && w.Failure == ""; reports++ {
			if reports > len(plan)*MaxAttempts {
				t.Fatalf("still at %s after %d reports", w.Stage, reports)
			}
			before := w
			var err error
			switch rapid.SampledFrom([]string{"well", "failed", "failed for good"}).Draw(t, "report") {
			case "failed":
				err = errors.New("connection refused")
			case "failed for good":
				err = Permanent(errors.New("no such template"))
			}
			now = now.Add(time.Second)
			w = Advance(w, Outcome{}, err, now)
			if slices.Index(plan, w.Stage) < slices.Index(plan, before.Stage) || w.Key() != before.Key() || w.ID != 3 || w.Epoch != 9 {
				t.Fatalf("got %+v after %+v", w, before)
			}
			if w.Attempt > MaxAttempts || w.Done && w.Failure != "" || w.Done != (w.Stage == End) {
				t.Fatalf("got %+v", w)
			}
		}
	})
}

// Work begins due, and asks for what its version is from crash to crash.
func TestBegin(t *testing.T) {
	w := Begin(Enroll, Submit, began)
	want := Work{Op: Enroll, Lane: EnrollLane, Stage: Submit, Since: began, NotBefore: began, Created: began}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.Version = 5
	first := w.Key()
	w.Stage, w.Epoch, w.Attempt = Collect, 7, 2
	if w.Key() != first {
		t.Errorf("the key changes from %s to %s on the way", first, w.Key())
	}
	if w.Version = 6; w.Key() == first {
		t.Error("another version has the same key")
	}
}

// How a work stands is told by the strongest thing that can be said of it.
func TestState(t *testing.T) {
	for _, test := range []struct {
		name  string
		work  Work
		gated bool
		want  State
	}{
		{"nobody has begun", Work{Stage: CreateKey}, false, Queued},
		{"somebody has begun", Work{Stage: CreateKey, Begun: true}, false, Processing},
		{"it will be tried again", Work{Stage: Submit, Begun: true, Note: "timeout", Attempt: 1}, false, Processing},
		{"it stands before a gate", Work{Stage: Submit, Begun: true}, true, Gated},
		{"nobody has begun for a gate", Work{Stage: CreateKey}, true, Gated},
		{"it waits for a signing request", Work{Stage: CreateCSR, NotBefore: Never}, false, AwaitsCSR},
		{"and has been begun", Work{Stage: CreateCSR, NotBefore: Never, Begun: true}, false, AwaitsCSR},
		{"it is about to make a signing request", Work{Stage: CreateCSR, NotBefore: began, Begun: true}, false, Processing},
		{"it has failed", Work{Stage: Submit, Failure: "refused", Begun: true}, false, Stopped},
		{"it has failed before a gate", Work{Stage: Submit, Failure: "refused"}, true, Stopped},
		{"it is done", Work{Stage: End, Done: true, Begun: true}, false, Finished},
		{"it was ended when it had failed", Work{Stage: Submit, Failure: "refused", Done: true}, true, Finished},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.work.State(test.gated); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
