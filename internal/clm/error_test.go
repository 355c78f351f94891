package clm

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

// Whatever an error is wrapped in, its kind, its facts and its cause are found.
func TestErrorsAreFound(t *testing.T) {
	cause := io.ErrUnexpectedEOF
	for _, test := range []struct {
		name    string
		err     error
		kind    Kind
		subject string
	}{
		{"a kind", Busy, Busy, ""},
		{"a kind, wrapped", fmt.Errorf("renew: %w", Busy), Busy, ""},
		{"an error", Fail(Invalid, "csr", "x"), Invalid, ""},
		{"an error about something", About("www", Fail(Invalid, "csr", "x")), Invalid, "www"},
		{"the first subject stays", About("folder", About("www", Busy)), Busy, "www"},
		{"something foreign", cause, Internal, ""},
		{"something foreign about something", About("www", cause), Internal, "www"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := AsError(test.err)
			if got.Kind != test.kind || got.Subject != test.subject || !errors.Is(got, test.kind) {
				t.Errorf("got %v, want %v about %q", got, test.kind, test.subject)
			}
			if got.Kind == Internal && !errors.Is(got, cause) {
				t.Errorf("%v has lost its cause", got)
			}
		})
	}
	if AsError(nil) != nil || About("www", nil) != nil {
		t.Error("nil does not stay nil")
	}
}

// About leaves the error that it was given as it is: errors are shared.
func TestAboutCopies(t *testing.T) {
	shared := Fail(Invalid, "csr", "x")
	_ = About("www", shared)
	if shared.Subject != "" {
		t.Errorf("the shared error is now about %q", shared.Subject)
	}
}

// Every kind has words for the log, a kind that does not exist included.
func TestKindsHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for k := Internal; k <= Unwritten; k++ {
		if k.Error() == "" || seen[k.Error()] {
			t.Errorf("kind %d says %q", k, k.Error())
		}
		seen[k.Error()] = true
	}
	if len(kindNames) != int(Unwritten)+1 || Kind(200).Error() == "" {
		t.Error("there are names without kinds, or the other way round")
	}
}
