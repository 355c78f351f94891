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

// responderPause is how long nobody tries again when no responder could be made.
const responderPause = time.Minute

// A responder is a key that signs OCSP answers, with its certificate; or the reason
// why there is none.
type responder struct {
	cert  *x509.Certificate
	key   crypto.Signer
	err   error
	again time.Time // it was all that could be had, and nobody tries to make another before; zero: it will do
}

// isOld reports whether there should be a new one by now: it is of the future, as the
// clock was wrong by which it was made, or less than a third of its life is left, and
// another could last longer.
func (r *responder) isOld(now time.Time, issuer *x509.Certificate) bool {
	return now.Before(r.cert.NotBefore) || r.cert.NotAfter.Sub(now) < r.cert.NotAfter.Sub(r.cert.NotBefore)/3 && r.cert.NotAfter.Before(issuer.NotAfter)
}

func (r *responder) isValid(now time.Time) bool {
	return r != nil && r.err == nil && !now.Before(r.cert.NotBefore) && now.Before(r.cert.NotAfter)
}

// present is the publisher's responder as far as it will do without looking again;
// otherwise nil.
func (p *publisher) present(now time.Time) *responder {
	r := p.responder.Load()
	switch {
	case r == nil:
		return nil
	case r.again.IsZero():
		return only(r, !r.isOld(now, p.cert))
	}
	return only(r, now.Before(r.again) && !now.Before(r.again.Add(-responderPause)))
}

func only(r *responder, ok bool) *responder {
	if ok {
		return r
	}
	return nil
}

// responder finds the publisher's responder, which all nodes share, and sees to it
// that there is a new one in good time. While none can be made the old one goes on.
func (c *Core) responder(ctx context.Context, p *publisher) (*responder, error) {
	if r := p.present(c.db.Now()); r != nil {
		return r, r.err
	}
	done, err := takeToken(ctx, p.renewing)
	if err != nil {
		return nil, err
	}
	defer done()
	if r := p.present(c.db.Now()); r != nil { // somebody was faster
		return r, r.err
	}
	r, err := c.sharedResponder(ctx, p)
	switch now := c.db.Now(); {
	case err == nil:
	case ctx.Err() != nil: // whoever asked has hung up
		return nil, err
	default:
		if !r.isValid(now) {
			r = p.responder.Load()
		}
		if r.isValid(now) {
			r = &responder{cert: r.cert, key: r.key}
		} else {
			r = &responder{err: fmt.Errorf("OCSP responder of %s: %w", p.name, err)}
		}
		r.again = now.Add(responderPause)
		c.log.Error("make an OCSP responder", slog.String("issuer", p.name), slog.Any("error", err))
	}
	p.responder.Store(r)
	return r, r.err
}

// sharedResponder is the responder that stands in the database, or a new one that
// takes its place there if it is old. When it fails there may be an old one.
func (c *Core) sharedResponder(ctx context.Context, p *publisher) (r *responder, err error) {
	var issuer *ca.Issuer
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		if r, err = c.storedResponder(tx, p); err != nil || r != nil && !r.isOld(tx.Now, p.cert) {
			return err
		}
		issuer, err = c.issuer(tx, p.name)
		return err
	})
	if err != nil || issuer == nil {
		return r, err
	}
	made, row, err := c.newResponder(*issuer, p)
	if err != nil {
		return r, err
	}
	fresh := made
	err = c.db.Write(ctx, store.Entry{Actor: publication, Action: "add responder", Subject: p.name}, func(tx *store.Tx) error {
		stored, err := c.storedResponder(tx, p)
		if err != nil {
			return err
		}
		if stored != nil && !stored.isOld(tx.Now, p.cert) {
			fresh = stored
			tx.Refused(clm.Unnecessary)
			return nil
		}
		fresh = made
		tx.About(p.name, pki.Thumbprint(row.Cert))
		return tx.AddResponder(row)
	})
	if err != nil {
		return r, err
	}
	return fresh, nil
}

// storedResponder is the responder that stands in the database, nil where there is
// none. One that was made in the future is as good as none: a clock was wrong.
func (c *Core) storedResponder(tx *store.Tx, p *publisher) (*responder, error) {
	stored, err := tx.Responder(p.print, tx.Now.Add(listSkew))
	if errors.Is(err, clm.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &responder{}
	if r.cert, err = x509.ParseCertificate(stored.Cert); err != nil {
		return nil, err
	}
	if r.key, err = c.openKey(stored.Sealed, responderBind(stored)); err != nil {
		return nil, err
	}
	return r, nil
}

// newResponder makes a responder whose key is as the issuer's: whoever knows the one
// algorithm knows the other, and the answers are worth no less than the certificates.
func (c *Core) newResponder(issuer ca.Issuer, p *publisher) (*responder, store.Responder, error) {
	row := store.Responder{Issuer: p.print, Made: c.db.Now()}
	if c.makeResponder == nil {
		return nil, row, errors.New("nobody makes responders here")
	}
	key, err := pki.GenerateKey(pki.SpecOf(p.cert.PublicKey))
	if err != nil {
		return nil, row, err
	}
	if row.Cert, err = c.makeResponder(issuer, key, row.Made); err != nil {
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
	return &responder{cert: cert, key: key}, row, nil
}

func responderBind(r store.Responder) string {
	return fmt.Sprintf("responder/%x/%d", r.Issuer, r.Made.UnixMicro())
}
