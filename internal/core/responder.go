package core

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// ResponderMaker makes the certificate by which an issuer whose key is held here
// lets the key sign OCSP answers.
type ResponderMaker func(issuer ca.Issuer, key crypto.Signer, at time.Time) (cert []byte, err error)

// A responder is a key that signs OCSP answers, with its certificate.
type responder struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// isOld reports whether there should be a new one by now: less than a third of its
// life is left, and another could last longer.
func (r *responder) isOld(now time.Time, issuer *x509.Certificate) bool {
	return r.cert.NotAfter.Sub(now) < r.cert.NotAfter.Sub(r.cert.NotBefore)/3 && r.cert.NotAfter.Before(issuer.NotAfter)
}

// responder finds the publisher's responder, which all nodes share, and sees to it
// that there is a new one in good time.
func (c *Core) responder(ctx context.Context, p *publisher) (*responder, error) {
	if r := p.responder.Load(); r != nil && !r.isOld(c.db.Now(), p.cert) {
		return r, nil
	}
	done, err := takeToken(ctx, p.renewing)
	if err != nil {
		return nil, err
	}
	defer done()
	r := p.responder.Load()
	if r != nil && !r.isOld(c.db.Now(), p.cert) { // somebody was faster
		return r, nil
	}
	fresh, err := c.sharedResponder(ctx, p)
	switch {
	case err == nil:
		p.responder.Store(fresh)
		return fresh, nil
	case r != nil && c.db.Now().Before(r.cert.NotAfter):
		c.log.Error("make an OCSP responder", slog.String("issuer", p.Name), slog.Any("error", err))
		return r, nil
	}
	return nil, fmt.Errorf("OCSP responder of %s: %w", p.Name, err)
}

// sharedResponder is the responder that stands in the database, or a new one that
// takes its place there if it is old.
func (c *Core) sharedResponder(ctx context.Context, p *publisher) (*responder, error) {
	var fresh store.Responder
	var r *responder
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = c.storedResponder(tx, p)
		return err
	})
	if err != nil || r != nil {
		return r, err
	}
	made, fresh, err := c.newResponder(p)
	if err != nil {
		return nil, err
	}
	err = c.db.Write(ctx, store.Entry{Actor: publication, Action: "add responder", Subject: p.Name}, func(tx *store.Tx) (err error) {
		if r, err = c.storedResponder(tx, p); err != nil {
			return err
		}
		if r != nil {
			tx.Refused(clm.Unnecessary)
			return nil
		}
		r = made
		tx.About(p.Name, pki.Thumbprint(fresh.Cert))
		return tx.AddResponder(fresh)
	})
	return r, err
}

// storedResponder is the responder that stands in the database; nil where there is
// none or where it is old.
func (c *Core) storedResponder(tx *store.Tx, p *publisher) (*responder, error) {
	stored, err := tx.Responder(p.print)
	if errors.Is(err, clm.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &responder{}
	if r.cert, err = x509.ParseCertificate(stored.Cert); err != nil || r.isOld(tx.Now, p.cert) {
		return nil, err
	}
	r.key, err = c.openKey(stored.Sealed, responderBind(stored))
	return r, err
}

// newResponder makes a responder whose key is as the issuer's, but no longer than
// it need be: whoever knows the one algorithm knows the other.
func (c *Core) newResponder(p *publisher) (*responder, store.Responder, error) {
	row := store.Responder{Issuer: p.print, Made: c.db.Now()}
	spec := pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256}
	if pki.SpecOf(p.cert.PublicKey).Algorithm == clm.RSA {
		spec = pki.KeySpec{Algorithm: clm.RSA, Bits: 2048}
	}
	key, err := pki.GenerateKey(spec)
	if err != nil {
		return nil, row, err
	}
	if c.makeResponder == nil {
		return nil, row, errors.New("nobody makes responders here")
	}
	if row.Cert, err = c.makeResponder(*p.Issuer, key, row.Made); err != nil {
		return nil, row, err
	}
	if row.Sealed, err = c.sealKey(key, responderBind(row)); err != nil {
		return nil, row, err
	}
	cert, err := x509.ParseCertificate(row.Cert)
	if err != nil {
		return nil, row, err
	}
	row.NotAfter = cert.NotAfter
	return &responder{cert, key}, row, nil
}

func responderBind(r store.Responder) string {
	return fmt.Sprintf("responder/%x/%d", r.Issuer, r.Made.UnixMicro())
}
