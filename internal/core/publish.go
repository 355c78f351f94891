package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

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
	case u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
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
// issuer, if its key is held here. What is revoked already stays as it is, unless it
// turns out that the key is compromised: that becomes the reason.
func enlist(tx *store.Tx, v clm.Version, r clm.Revocation) error {
	if len(v.Chain) == 0 || len(v.Cert) == 0 {
		return nil
	}
	issuer, err := tx.IssuerNamed(v.Chain)
	if errors.Is(err, clm.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at := r.Accepted
	if at.IsZero() {
		at = tx.Now
	}
	urls, err := addresses(tx)
	if err != nil {
		return err
	}
	return tx.Enlist(store.LedgerEntry{Issuer: v.Chain, Serial: v.Serial, Shard: shardOf(v, issuer, urls), NotAfter: v.NotAfter, Revoked: at, Reason: r.Reason})
}

// shardOf is the part of the issuer's list to which the certificate points, below
// whichever of the addresses. That is the version's own, unless it is another version
// of the same certificate, which was imported; and of a certificate that points to
// none it is the version's own as well.
func shardOf(v clm.Version, issuer string, urls []string) int64 {
	cert, err := x509.ParseCertificate(v.Cert)
	if err != nil {
		return v.ID.Shard()
	}
	for _, point := range cert.CRLDistributionPoints {
		file := point[strings.LastIndex(point, "/")+1:]
		n, err := strconv.ParseInt(strings.TrimSuffix(file, ".crl"), 10, 64)
		if err == nil && n >= 0 && slices.ContainsFunc(urls, func(base string) bool { return ca.ListURL(base, issuer, n) == point }) {
			return n
		}
	}
	return v.ID.Shard()
}

// A publisher is an issuer whose key is held here, as relying parties know it.
type publisher struct {
	name  string
	cert  *x509.Certificate
	print []byte // the fingerprint of its certificate
	above []byte // that of the one above; nil for a root

	listing      chan struct{} // holds a token while a part is being made
	listingWhole chan struct{} // holds a token while the whole list is being made
	renewing     chan struct{} // holds a token while a responder is being made
	responder    atomic.Pointer[responder]
	whole        atomic.Pointer[List] // as it was read or published last
}

func newPublisher(name string, chain [][]byte) (*publisher, error) {
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, err
	}
	p := &publisher{
		name: name, cert: cert, print: fingerprint(chain[0]),
		listing: make(chan struct{}, 1), listingWhole: make(chan struct{}, 1), renewing: make(chan struct{}, 1),
	}
	if len(chain) > 1 {
		p.above = fingerprint(chain[1])
	}
	return p, nil
}

func fingerprint(cert []byte) []byte {
	sum := sha256.Sum256(cert)
	return sum[:]
}

// named and printed are ways to name a publisher.
func named(name string) func(*publisher) bool {
	return func(p *publisher) bool { return p.name == name }
}

func printed(fingerprint []byte) func(*publisher) bool {
	return func(p *publisher) bool { return bytes.Equal(p.print, fingerprint) }
}

// lookPause is how long nobody looks again for issuers made by other nodes, however
// often somebody asks for one that is not there.
const lookPause = 10 * time.Second

// publisher finds the first publisher that is so. It fails with NotFound.
func (c *Core) publisher(tx *store.Tx, is func(*publisher) bool) (*publisher, error) {
	if p := first(c.knownPublishers(), is); p != nil {
		return p, nil
	}
	c.mu.Lock()
	age := tx.Now.Sub(c.looked)
	c.mu.Unlock()
	if age < 0 || age >= lookPause {
		if err := c.lookForPublishers(tx); err != nil {
			return nil, err
		}
	}
	// Whoever looked last may have finished only now.
	if p := first(c.knownPublishers(), is); p != nil {
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

// lookForPublishers makes publishers known that were not known yet. Their keys are
// opened when something is to be signed. One of which nothing can be made keeps
// nobody from the others.
func (c *Core) lookForPublishers(tx *store.Tx) error {
	all, err := tx.Issuers()
	if err != nil {
		return err
	}
	for _, i := range all {
		if first(c.knownPublishers(), named(i.Name)) != nil {
			continue
		}
		chain, err := tx.Chain(i.Fingerprint)
		if err != nil {
			return err
		}
		p, err := newPublisher(i.Name, chain)
		if err != nil {
			c.tell("read the certificate of an issuer", i.Name, err)
			continue
		}
		c.mu.Lock()
		if first(c.published, named(i.Name)) == nil { // nobody was faster
			c.published = append(slices.Clone(c.published), p)
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	c.looked = tx.Now
	c.mu.Unlock()
	return nil
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
