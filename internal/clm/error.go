// Package clm is the vocabulary and the rules of certificate lifecycle
// management: the object tree with its policy and rights, certificates and
// their versions, the work that moves them from stage to stage, and the ways in
// which all of this can fail. It is pure: no clock, no randomness, no storage,
// no network, and nothing but the standard library, so that every rule can be
// read and tested by itself.
package clm

import (
	"errors"
	"fmt"
	"strings"
)

// A Kind says what went wrong in terms of the domain. It is the only thing an
// edge may switch on; the words that a client reads are chosen there, never here.
type Kind uint8

// The kinds of failure.
const (
	Internal    Kind = iota // a fault of ours; its text is for the log only
	Invalid                 // an input is malformed; Field says which
	NotFound                // there is no such object, or the actor may not see it
	Denied                  // the object is visible, but the actor lacks a right
	Busy                    // work on the object is open; Field says in which state
	InError                 // work on the object has stopped on an error
	Disabled                // the object's processing is disabled
	Unmanaged               // the management type forbids it; Value is the type
	NeedsCSR                // a certificate signing request is required, or refused; Field says which
	Violation               // policy forbids it; Breaches says what
	NotIssued               // there is no certificate
	NoKey                   // there is no private key to give
	Unnecessary             // there is nothing to do
	Unsupported             // this kind of object or value cannot do that
	Exists                  // there is such an object already
	Limited                 // too many tries; later perhaps
	Unwritten               // the store could not keep it; Field says what
)

var kindNames = [...]string{
	Internal: "internal error", Invalid: "invalid", NotFound: "not found", Denied: "denied", Busy: "busy",
	InError: "in error", Disabled: "disabled", Unmanaged: "not managed", NeedsCSR: "signing request", Violation: "policy violation",
	NotIssued: "not issued", NoKey: "no private key", Unnecessary: "nothing to do", Unsupported: "not supported",
	Exists: "exists already", Limited: "too many tries", Unwritten: "cannot be stored",
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is a failure of a use case: a kind with names and values, never a sentence.
type Error struct {
	Kind     Kind
	Subject  string   // the object acted on, as it is to be shown
	Field    string   // which input, state or setting, in our names
	Value    string   // the value that was not allowed
	Breaches []Breach // for Violation: every rule that was broken, in the order of the rules
	Err      error    // the cause, for the log only
}

// A Breach is one broken rule of policy. Value is the offending value; it is
// empty where the request left the part out.
type Breach struct {
	Rule  RuleName
	Value string
}

// Error describes the failure for logs. Clients never see it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.Error())
	for _, part := range []struct{ name, value string }{{"subject", e.Subject}, {"field", e.Field}, {"value", e.Value}} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s=%q", part.name, part.value)
		}
	}
	for _, v := range e.Breaches {
		fmt.Fprintf(&b, " rule=%s value=%q", v.Rule, v.Value)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is find the kind and errors.As the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// AsError finds the *Error in err. Anything foreign becomes Internal; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if k, ok := errors.AsType[Kind](err); ok {
		return &Error{Kind: k, Err: err}
	}
	return &Error{Kind: Internal, Err: err}
}

// About returns err as an *Error about subject, keeping a subject it has already.
// A nil error stays nil.
func About(subject string, err error) error {
	if err == nil {
		return nil
	}
	e := *AsError(err)
	if e.Subject == "" {
		e.Subject = subject
	}
	return &e
}

// Fail returns an error of the kind with its field and value.
func Fail(kind Kind, field, value string) *Error {
	return &Error{Kind: kind, Field: field, Value: value}
}
