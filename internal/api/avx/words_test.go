package avx

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// useCases are the tables of words with the kinds that their use cases say they may fail
// with, and the ways that are told from others of the kind.
var useCases = map[string]struct {
	words words
	kinds []clm.Kind
	ways  []way
}{
	"record": {recordWords, core.RecordKinds, []way{{clm.Invalid, "record"}}},
	"renewal": {renewalWords, core.RenewRecordKinds, []way{
		{clm.Invalid, "record"}, {clm.Invalid, "csr"}, {clm.Invalid, "key"}, {clm.Busy, "queued"}, {clm.Busy, "csr"}, {clm.Busy, "revocation"},
		{clm.Unmanaged, ""}, {clm.Unsupported, "record"}, {clm.Unsupported, "authority"}, {clm.NeedsCSR, "required"}, {clm.NeedsCSR, "refused"},
	}},
	"revocation": {revocationWords, core.RevokeRecordKinds, []way{
		{clm.Invalid, "record"}, {clm.Denied, "copy"}, {clm.Busy, "revocation"}, {clm.Unsupported, "record"}, {clm.Unsupported, "authority"},
	}},
}

// faults are the kinds that are faults of ours.
var faults = []clm.Kind{clm.Internal, clm.Unwritten}

// TestEveryKindHasWords wants a sentence for all ways in which use cases say they may fail,
// and none for faults of ours, which the log is told of alone.
func TestEveryKindHasWords(t *testing.T) {
	for name, u := range useCases {
		ways := slices.Clone(u.ways)
		for _, kind := range u.kinds {
			if !slices.ContainsFunc(ways, func(w way) bool { return w.kind == kind }) {
				ways = append(ways, way{kind: kind})
			}
		}
		for _, w := range ways {
			e := &clm.Error{Kind: w.kind, Field: w.field}
			if w.kind == clm.Violation {
				e.Breaches = []clm.Breach{{Rule: clm.RuleLocality, Value: "Paris"}}
			}
			f, ok := u.words.say(e)
			if ok == slices.Contains(faults, w.kind) {
				t.Errorf("%s: %s %s: got %+v", name, w.kind, w.field, f)
			}
			if ok && (f.status < http.StatusBadRequest || f.code == "" || f.text == "" || strings.ContainsAny(f.text, "{}")) {
				t.Errorf("%s: %s %s: got %+v", name, w.kind, w.field, f)
			}
		}
	}
}

// TestNoWordsForNothing wants every row of a table to be for a kind that its use cases may
// fail with.
func TestNoWordsForNothing(t *testing.T) {
	common := []clm.Kind{clm.NotFound, clm.Denied, clm.Invalid, clm.NotIssued, clm.Disabled}
	for name, u := range useCases {
		for w := range maps.Keys(u.words) {
			if !slices.Contains(u.kinds, w.kind) && !slices.Contains(common, w.kind) {
				t.Errorf("%s: nothing fails with %s %s", name, w.kind, w.field)
			}
		}
	}
}

// TestEveryBreachHasWords says of each rule that it was broken, with the value where the
// sentence has one.
func TestEveryBreachHasWords(t *testing.T) {
	for rule, text := range names.RuleTexts {
		f, ok := sayBreach([]clm.Breach{{Rule: rule, Value: "x{value}y"}, {Rule: clm.RuleLocality}})
		want := cannot(strings.ReplaceAll(text, "{value}", "x{value}y"))
		if rule == clm.RuleKeyReuse {
			want = mandatory("csrContent")
		}
		if !ok || f != want {
			t.Errorf("%s: got %+v", rule, f)
		}
	}
}

// TestActions has each action under its own name, with the function that its caller needs.
func TestActions(t *testing.T) {
	for name, want := range map[text]function{
		"Regenerate": mayRegenerate, "Renew": mayRenew, "Reissue": mayReissue, "Revoke": mayRevoke, "Suspend": maySuspend, "Reinstate": mayReinstate,
	} {
		if got := actions[name]; got.name != string(name) || got.function != want || got.begin == nil {
			t.Errorf("%s: got %s, %s", name, got.name, got.function)
		}
		if reasoned := actions[name].isReason(""); reasoned != (name == "Renew") {
			t.Errorf("%s needs no reason: %v", name, reasoned)
		}
	}
	if len(actions) != 6 {
		t.Errorf("there are %d actions", len(actions))
	}
	for _, r := range []text{"Unspecified", "Key compromise", "CA COMPROMISE", "Affiliation Changed", "superseded", "Cessation of operation"} {
		if !isRevocationReason(r) {
			t.Errorf("%s is no reason", r)
		}
	}
}
