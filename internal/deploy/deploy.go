// Package deploy says what a driver promises that puts certificates where
// applications use them. Each driver is a folder of its own beside this file;
// package all lists them, package deploytest holds the tests that each must pass.
//
// A certificate is put in use in five steps, and each can be done again after a
// crash: it is placed beside what is in use; what is in use is looked at; the
// service is let find the new one, and checks its configuration; it reads it; and
// then the service is looked at from outside. Where the last does not show the new
// certificate, the service is let find again what it found before.
package deploy

import (
	"context"
	"errors"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
)

// A Target is one application: where its certificate lies, what uses it, and where
// it is seen.
type Target struct {
	Store   Store
	Service Service     // nil: nothing has to be told
	Looks   []look.Spec // none: nobody can see it from outside
	Bare    bool        // the settings want no chain: the service shows none, and none is to be waited for
}

// A Store is where the certificate of one application lies. An error that wraps
// remote.ErrUnreachable may be gone when it is tried again; no other is.
type Store interface {
	// Place puts the bundle beside what is in use, where nothing reads it yet. A
	// second time is harmless.
	Place(ctx context.Context, b pki.Bundle) error

	// Inspect reads what a service would find now.
	Inspect(ctx context.Context) (Found, error)

	// Switch lets services find what was placed, all of it at once, and keeps what
	// they found before. Where they find it already it does nothing. It fails when
	// the bundle was not placed.
	Switch(ctx context.Context, b pki.Bundle) error

	// Back lets services find what they found before Switch, and forgets the other.
	// Where there is nothing to go back to it does nothing.
	Back(ctx context.Context) error

	// Keep forgets what services found before Switch, which is final from then on.
	Keep(ctx context.Context) error
}

// Found is what lies in a store: a certificate and what stands above it, DER. Cert
// is nil where there is none.
type Found struct {
	Cert  []byte
	Chain [][]byte
}

// A Service reads certificates from stores. What its commands printed is returned
// whether they failed or not; it may be long, and may hold secrets.
type Service interface {
	// Name names the service among all those that this process knows. Those of the
	// same name are one service: one call of Check and Reload serves all the stores
	// that it reads. None of these may be switched meanwhile, up to where the service
	// has been seen with what it was to read: it opens certificate and key one after
	// the other, and an Apache that finds two that do not fit together ends.
	Name() string

	// Check has the service check the configuration as it would read it now. It
	// changes nothing.
	Check(ctx context.Context) (said string, err error)

	// Reload has the service read its certificates.
	Reload(ctx context.Context) (said string, err error)
}

// Settings is what a target is made from.
type Settings struct {
	ID      clm.ObjectID                 // of the application
	Values  map[clm.Attr][]string        // of its driver's fields, with what stands above it
	Secrets map[clm.Attr]secret.Plain    // the passwords of the credentials that its fields name
	Address string                       // of the device
	Port    int                          // zero: the usual one of whatever is spoken
	Login   remote.Login                 // as whom
	Host    func() (*remote.Host, error) // the device, for drivers that need its files and programs
}

// Value is the first value of a field, or the other text where it has none.
func (s Settings) Value(a clm.Attr, otherwise string) string {
	if values := s.Values[a]; len(values) > 0 && values[0] != "" {
		return values[0]
	}
	return otherwise
}

// IsOn reports whether the field says yes, or says nothing and otherwise is yes.
func (s Settings) IsOn(a clm.Attr, otherwise bool) bool {
	switch s.Value(a, "") {
	case "":
		return otherwise
	case "1":
		return true
	}
	return false
}

// A Field is a setting of a driver: an attribute of the application.
type Field struct {
	Attr       clm.Attr
	Label      string // for people
	Required   bool
	Credential bool // it names a credential, whose password is among Settings.Secrets
}

// A Driver makes targets of one kind.
type Driver struct {
	Fields   []Field
	WantsKey bool   // it cannot do without the private key
	Protocol string // in which its service is looked at unless said otherwise; empty: nobody can
	Port     int    // where

	// New makes a target. It does not connect to anything. An error says which
	// setting makes no sense, in terms of the field's label.
	New func(Settings) (Target, error)
}

// A Registry holds the drivers by the kind of the class of their applications.
type Registry map[string]Driver

// Kind is the kind of a class of applications, in lower-case letters; empty for other
// classes.
func Kind(class clm.Class) string {
	kind, ok := strings.CutPrefix(string(class), string(clm.ApplicationClass("")))
	if !ok {
		return ""
	}
	return strings.ToLower(kind)
}

// For finds the driver for applications of the class; ok: there is one.
func (r Registry) For(class clm.Class) (d Driver, ok bool) {
	d, ok = r[Kind(class)]
	return d, ok
}

// ErrNotPlaced is why Switch fails where Place has not been.
var ErrNotPlaced = errors.New("the certificate was not placed")
