package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// maxAddresses is how many addresses are remembered below which certificates may say
// that lists and answers are found, the present one among them.
const maxAddresses = 9

// SetPublishURL says below which address relying parties reach what is published
// here: certificates made from now on name it. Former addresses are remembered,
// for the sake of the certificates that name those. It fails with Invalid.
func (c *Core) SetPublishURL(ctx context.Context, base string) error {
	base = strings.TrimRight(base, "/")
	if err := checkAddress(base); err != nil {
		return &clm.Error{Kind: clm.Invalid, Field: string(clm.PublishURL), Value: base, Err: err}
	}
	if err := c.makeRoots(ctx); err != nil {
		return err
	}
	var known []string
	if err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = addresses(tx)
		return err
	}); err != nil || len(known) > 0 && known[0] == base {
		return err
	}
	return c.db.Write(ctx, store.Entry{Actor: clm.System, Action: "put", Subject: string(clm.RootDN)}, func(tx *store.Tx) error {
		path, err := tx.Path(clm.RootDN)
		if err != nil {
			return err
		}
		root := cloned(path.Last())
		former := slices.DeleteFunc(slices.Clone(root.Own[clm.PublishURL]), func(known string) bool { return known == base })
		all := append([]string{base}, former...)
		all = all[:min(len(all), maxAddresses)]
		root.Own[clm.PublishURL] = all
		tx.About(string(clm.RootDN), Change{DN: clm.RootDN, Attr: clm.PublishURL, Values: all}.String())
		return tx.SaveObject(root)
	})
}

// checkAddress makes sure that certificates can say the address. It is plain HTTP: a
// client that needed TLS to look would have to look for that first.
func checkAddress(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it must be http://, a host and perhaps a port and a path")
	case strings.ContainsFunc(base, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("it must be in ASCII")
	}
	return nil
}

// addresses are those below which this installation publishes: the one that new
// certificates name, then former ones; none where nothing was said.
func addresses(tx *store.Tx) ([]string, error) {
	root, err := tx.Path(clm.RootDN)
	if errors.Is(err, clm.NotFound) { // the first start is not through yet
		return nil, nil
	}
	return root.Value(clm.PublishURL).Values, err
}

// publishAddress is the address that new certificates name; empty: they name none.
func publishAddress(tx *store.Tx) (string, error) {
	all, err := addresses(tx)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0], nil
}

// holdsIssuer reports whether the key of the version's issuer is held here.
func holdsIssuer(tx *store.Tx, v clm.Version) (bool, error) {
	if len(v.Chain) == 0 {
		return false, nil
	}
	return tx.HoldsIssuer(v.Chain)
}

// enlist writes the revocation down for the lists and answers of the version's
// issuer, if its key is held here. What is revoked already stays as it is.
func enlist(tx *store.Tx, v clm.Version, r clm.Revocation) error {
	held, err := holdsIssuer(tx, v)
	if err != nil || !held || len(v.Cert) == 0 {
		return err
	}
	at := r.Accepted
	if at.IsZero() {
		at = tx.Now
	}
	shard, err := shardOf(tx, v)
	if err != nil {
		return err
	}
	return tx.Enlist(store.LedgerEntry{Issuer: v.Chain, Serial: v.Serial, Shard: shard, NotAfter: v.NotAfter, Revoked: at, Reason: r.Reason})
}

// shardOf is the part of a list to which the certificate points. That is the version's
// own, unless it is another version of the same certificate, which was imported.
func shardOf(tx *store.Tx, v clm.Version) (int64, error) {
	cert, err := x509.ParseCertificate(v.Cert)
	if err != nil || len(cert.CRLDistributionPoints) == 0 {
		return v.ID.Shard(), nil
	}
	last, err := tx.LastShard()
	if err != nil {
		return 0, err
	}
	for _, point := range cert.CRLDistributionPoints {
		file := point[strings.LastIndex(point, "/")+1:]
		n, err := strconv.ParseInt(strings.TrimSuffix(file, ".crl"), 10, 64)
		if err == nil && n >= 0 && n <= last && strings.HasSuffix(file, ".crl") {
			return n, nil
		}
	}
	return v.ID.Shard(), nil
}

// A publisher is an issuer whose key is held here, as relying parties know it.
type publisher struct {
	*ca.Issuer
	cert  *x509.Certificate
	print []byte // the fingerprint of its certificate
	above []byte // that of the one above; nil for a root

	listing   chan struct{} // holds a token while a list is being made
	renewing  chan struct{} // holds a token while a responder is being made
	responder atomic.Pointer[responder]
}

func newPublisher(i *ca.Issuer) (*publisher, error) {
	cert, err := x509.ParseCertificate(i.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
	}
	p := &publisher{Issuer: i, cert: cert, print: fingerprint(i.Chain[0]), listing: make(chan struct{}, 1), renewing: make(chan struct{}, 1)}
	if len(i.Chain) > 1 {
		p.above = fingerprint(i.Chain[1])
	}
	return p, nil
}

func fingerprint(cert []byte) []byte {
	sum := sha256.Sum256(cert)
	return sum[:]
}

// named and printed are ways to name a publisher.
func named(name string) func(*publisher) bool {
	return func(p *publisher) bool { return p.Name == name }
}

func printed(fingerprint []byte) func(*publisher) bool {
	return func(p *publisher) bool { return bytes.Equal(p.print, fingerprint) }
}

// publisher finds the first publisher that is so. It fails with NotFound.
func (c *Core) publisher(tx *store.Tx, is func(*publisher) bool) (*publisher, error) {
	if p := first(c.knownPublishers(), is); p != nil {
		return p, nil
	}
	all, err := c.publishers(tx)
	if err != nil {
		return nil, err
	}
	if p := first(all, is); p != nil {
		return p, nil
	}
	return nil, clm.NotFound
}

func first(all []*publisher, is func(*publisher) bool) *publisher {
	if at := slices.IndexFunc(all, is); at >= 0 {
		return all[at]
	}
	return nil
}

func (c *Core) knownPublishers() []*publisher {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.published
}

// publishers looks for publishers that were not known yet, and lists all.
func (c *Core) publishers(tx *store.Tx) ([]*publisher, error) {
	all, err := tx.Issuers()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if first(c.knownPublishers(), named(i.Name)) != nil {
			continue
		}
		issuer, err := c.issuer(tx, i.Name)
		if err != nil {
			return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
		}
		p, err := newPublisher(issuer)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if first(c.published, named(i.Name)) == nil { // nobody was faster
			c.published = append(slices.Clone(c.published), p)
		}
		c.mu.Unlock()
	}
	return c.knownPublishers(), nil
}

// serial is the serial number of the publisher's own certificate.
func (p *publisher) serial() string { return pki.Serial(p.cert) }

// takeToken waits for a token; the function that it returns gives it back.
func takeToken(ctx context.Context, token chan struct{}) (giveBack func(), err error) {
	select {
	case token <- struct{}{}:
		return func() { <-token }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
