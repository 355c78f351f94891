// Package ca says what a connector to a certification authority promises. Each
// connector is a folder of its own beside this file; package all lists them,
// package catest holds the tests that each must pass.
package ca

import (
	"context"
	"crypto"
	"time"

	"github.com/certwright/certwright/internal/clm"
)

// A CA issues certificates.
type CA interface {
	// Submit places the order and returns the CA's name for it. Called again with
	// the same Key it must not make the CA issue twice if there is any way to tell.
	Submit(ctx context.Context, o Order) (ref string, err error)

	// Collect fetches the certificate, or says when to ask again.
	Collect(ctx context.Context, o Order) (Issued, error)
}

// A Revoker is a CA that can be asked to revoke what it has issued. One that is
// Local need not be: what is revoked is written down by whoever holds its key.
type Revoker interface {
	// Revoke revokes. Revoking twice succeeds, whatever the reason was the first time.
	// A comment that is too long for the CA is the CA's to refuse.
	Revoke(ctx context.Context, cert []byte, reason clm.Reason, comment string) error
}

// A Holder is a CA that can be asked to put what it has issued on hold, so that whoever
// relies on it is told that it is revoked, and to take it off again. One that is Local
// need not be, as with a Revoker.
type Holder interface {
	// Hold puts the certificate on hold. Twice succeeds; of what is revoked it fails.
	Hold(ctx context.Context, cert []byte, comment string) error

	// Release takes it off. Twice succeeds; of what is revoked it fails.
	Release(ctx context.Context, cert []byte, comment string) error
}

// Issued is what Collect brings: the certificate and the chain above it, the
// issuer first and the root last, all DER; or Later, when to ask again.
type Issued struct {
	Cert  []byte
	Chain [][]byte
	Later time.Time
}

// An Order is one certificate to be issued. Everything that was chosen for it
// was written down before the CA sees it.
type Order struct {
	Key     string    // the same for the same certificate, whatever happens in between
	At      time.Time // when it was placed; the validity counts from here
	CSR     []byte    // PKCS #10, DER; its signature has been checked
	Names   clm.Names // what the certificate shall say; the CSR's own names do not count
	Days    int       // validity in days; zero leaves it to the CA
	EndDate time.Time // wins over Days when it is not zero
	Ref     string    // the CA's name for the order, once known
	Shard   int64     // the part of a revocation list in which a CA of ours is to name the certificate
}

// Local is a CA that touches nothing outside this process: its certificates are
// pure functions of its key and the order, so that an order may be signed again
// after a crash, and key, request, certificate and activation may be one
// transaction. Its Collect needs no Submit before it.
type Local interface {
	CA
	IsLocal()
}

// An Issuer is a CA certificate whose key this installation holds, with what is
// above it, the root last.
type Issuer struct {
	Name  string // how templates refer to it
	Chain [][]byte
	Key   crypto.Signer
}

// Settings is what a connector is made from: the values of its Fields, the
// issuer that the template names, if it names one, and the clock.
type Settings struct {
	Values  map[string]string
	Issuer  *Issuer
	Publish string           // the address below which this installation publishes, see ListURL; empty: nowhere
	Now     func() time.Time // nil means time.Now; it decides only when to ask again, never what a certificate says
}

// A Field is a setting of a connector. Forms, flags and the dialects' attributes
// are made from it.
type Field struct {
	Name   string // in our terms
	Label  string // for people
	Secret bool   // it is kept sealed and never shown
}

// A Connector makes CAs of one kind.
type Connector struct {
	Fields []Field
	New    func(Settings) (CA, error) // fails when the settings make no sense
}

// A Registry holds the connectors by the name that templates know them by.
type Registry map[string]Connector
