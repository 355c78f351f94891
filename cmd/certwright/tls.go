package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// serverFolder is where the servers' own certificates stand: beside the policy
// tree, so that no rule made for others can keep a server from starting.
const serverFolder = `\VED\Server`

// Waits for the server's own certificate.
const (
	ownWait  = 60 * time.Second
	ownCheck = time.Hour
)

// ownCertificate is the server's TLS certificate, a certificate like any other:
// requested, issued and renewed by the work of this very program.
type ownCertificate struct {
	sys     *system
	log     *slog.Logger
	dn      string
	current atomic.Pointer[tls.Certificate]
}

func (o *ownCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return o.current.Load(), nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

func isHostName(s string) bool { return len(s) <= 64 && hostName.MatchString(s) }

// load takes the certificate that is there, as long as it is good and has the
// names; otherwise it requests one and waits for it. When that fails, what is
// there serves on while it is valid; else another place is tried, so that one
// whose work has stopped does not keep the server from starting.
func (o *ownCertificate) load(ctx context.Context, names clm.Names) error {
	o.dn = serverFolder + `\` + names.CommonName
	has := o.take(ctx) == nil
	if has && o.isFresh() && o.fits(names) {
		return nil
	}
	if _, err := o.sys.Put(ctx, clm.System, core.Put{DN: serverFolder, Class: clm.Folder}); err != nil {
		return err
	}
	err := o.request(ctx, names.CommonName, names)
	if err == nil {
		return nil
	}
	o.log.Error("own certificate", slog.Any("error", err))
	if has && o.sys.db.Now().Before(o.current.Load().Leaf.NotAfter) {
		return nil
	}
	return o.request(ctx, names.CommonName+" "+o.sys.db.Now().Format(time.RFC3339), names)
}

func (o *ownCertificate) request(ctx context.Context, name string, names clm.Names) error {
	done, err := o.sys.Request(ctx, clm.System, core.Request{
		Folder: serverFolder, Name: name, Names: names, Authority: core.DefaultCA, KeyAlgorithm: clm.ECC, Reenable: true,
	})
	if err != nil {
		return err
	}
	o.dn = string(done.DN)
	return o.await(ctx, done.Work)
}

func (o *ownCertificate) await(ctx context.Context, work clm.WorkID) error {
	open, err := o.sys.Wait(ctx, work, ownWait)
	if err != nil {
		return err
	}
	if open.State != clm.Finished {
		return fmt.Errorf("not issued: %s%s", open.Failure, open.Note)
	}
	return o.take(ctx)
}

// take takes over the certificate in use.
func (o *ownCertificate) take(ctx context.Context) error {
	got, err := o.sys.Retrieve(ctx, clm.System, core.Retrieve{DN: o.dn, WithKey: true, InUse: true})
	if err != nil {
		return err
	}
	cert := &tls.Certificate{Certificate: append([][]byte{got.Version.Cert}, got.Chain[:len(got.Chain)-1]...), PrivateKey: got.Key}
	if cert.Leaf, err = x509.ParseCertificate(got.Version.Cert); err == nil {
		o.current.Store(cert)
	}
	return err
}

// isFresh reports whether more than a third of the certificate's life is left.
func (o *ownCertificate) isFresh() bool {
	leaf := o.current.Load().Leaf
	return leaf.NotAfter.Sub(o.sys.db.Now()) > leaf.NotAfter.Sub(leaf.NotBefore)/3
}

func (o *ownCertificate) fits(names clm.Names) bool {
	for _, name := range append(names.DNS, names.IP...) {
		if o.current.Load().Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// keepFresh renews the certificate in time, until ctx ends.
func (o *ownCertificate) keepFresh(ctx context.Context) {
	ticker := time.NewTicker(ownCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if o.isFresh() {
			continue
		}
		done, err := o.sys.Renew(ctx, clm.System, core.Renew{DN: o.dn, Reenable: true})
		if err == nil {
			err = o.await(ctx, done.Work)
		}
		if errors.Is(err, clm.Busy) { // another node of the same name
			err = o.take(ctx)
		}
		if err != nil {
			o.log.Error("renew own certificate", slog.Any("error", err))
		}
	}
}
