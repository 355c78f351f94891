package core

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Limits of looking whether relying parties see what was revoked.
const (
	checkInterval = 2 * time.Second // between looks at what is due
	checkBatch    = 512             // revocations looked at in one round
	checkTime     = 3 * time.Minute // for one round; what it does not get to has to wait for another
	checkHold     = 2 * checkTime   // so long nobody else looks
	firstPause    = 2 * time.Second // after the first look; it doubles with every further one
	longestPause  = time.Hour
	listsAtOnce   = 4  // revocation lists fetched at a time
	askedAtOnce   = 16 // questions put to responders at a time
)

// checker is the actor of what is learnt by looking.
var checker = clm.Actor{Name: "revocation check", Master: true}

// checkRevocations looks, until ctx ends, whether relying parties see what was revoked.
func (c *Core) checkRevocations(ctx context.Context) {
	look := time.NewTicker(checkInterval)
	defer look.Stop()
	for ctx.Err() == nil {
		if _, err := c.CheckRevocations(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("look for revocations", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-look.C:
		}
	}
}

// CheckRevocations looks at every revocation whose time has come whether it stands in
// the lists and is told by the responders to which the certificate points, and says
// at how many it has looked. What was seen is written down with the time at which it
// was; for the rest it looks again, ever more rarely, for as long as the certificate
// would be valid. Any number of nodes may do this at a time.
func (c *Core) CheckRevocations(ctx context.Context) (looked int, err error) {
	for ctx.Err() == nil {
		checks, err := c.db.ClaimChecks(ctx, checkBatch, checkHold)
		if err == nil && len(checks) > 0 {
			err = c.lookAt(ctx, checks)
		}
		looked += len(checks)
		if err != nil || len(checks) < checkBatch {
			return looked, err
		}
	}
	return looked, ctx.Err()
}

// lookAt takes one round over the checks, and fetches each list once for all of them.
func (c *Core) lookAt(ctx context.Context, checks []store.Check) error {
	r := &round{Core: c, fetcher: newFetcher(&c.watch.silence, c.db.Now), lists: map[string][]*looking{}, asked: map[string]error{}}
	defer r.close()
	if err := c.db.Read(ctx, func(tx *store.Tx) error { return r.prepare(tx, checks) }); err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		each(sorted(r.lists), listsAtOnce, func(address string) { r.readList(asking, address) })
	})
	both.Go(func() { each(r.looks, askedAtOnce, func(l *looking) { r.askResponders(asking, l) }) })
	both.Wait()
	if ctx.Err() == nil {
		c.watch.tell(c.log, r.asked)
	}
	return c.saveLooks(context.WithoutCancel(ctx), r.looks) // what was seen was seen
}

// each calls do with every one of them, so many at a time.
func each[T any](all []T, atOnce int, do func(T)) {
	next := make(chan T)
	var workers sync.WaitGroup
	for range min(atOnce, len(all)) {
		workers.Go(func() {
			for one := range next {
				do(one)
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	workers.Wait()
}

// A round is one round of looking.
type round struct {
	*Core
	*fetcher
	looks []*looking
	lists map[string][]*looking // by address, those that may be named there

	reading sync.Mutex // held by whoever reads a list, which may be long, so that others are served as well

	mu    sync.Mutex
	asked map[string]error // the addresses that were asked, with the first thing that went wrong there
}

// looking is a look that is under way.
type looking struct {
	store.Look   // what is seen is guarded by the round's mutex
	cert, issuer *x509.Certificate
	responders   []string // those that are to be asked
}

// prepare finds out where there is to be looked. Where there is nothing left to be
// seen, nothing is awaited, and the look is the last.
func (r *round) prepare(tx *store.Tx, checks []store.Check) error {
	for _, k := range checks {
		l := &looking{Look: store.Look{Check: k}}
		r.looks = append(r.looks, l)
		cert, err := x509.ParseCertificate(k.Cert)
		if err != nil || k.Revocation.Told().IsZero() || !tx.Now.Before(k.NotAfter) {
			continue
		}
		lists, responders := fetchable(cert.CRLDistributionPoints), fetchable(cert.OCSPServer)
		l.AwaitCRL = len(lists) > 0 && k.Revocation.SeenCRL.IsZero()
		l.AwaitOCSP = len(responders) > 0 && k.Revocation.SeenOCSP.IsZero()
		l.cert = cert
		if l.issuer, err = issuerOf(tx, k.Chain); err != nil {
			return err
		}
		if l.issuer == nil {
			r.cannotTell(l)
			continue
		}
		if l.AwaitOCSP {
			l.responders = responders
		}
		for _, address := range lists {
			if l.AwaitCRL {
				r.lists[address] = append(r.lists[address], l)
			}
		}
	}
	return nil
}

// cannotTell says, the first time, that nothing can be believed that is said of the
// certificate.
func (r *round) cannotTell(l *looking) {
	if l.Tries == 1 && (l.AwaitCRL || l.AwaitOCSP) {
		r.log.Warn("nobody can tell whether a revocation is seen: the issuer's certificate is not known",
			slog.String("certificate", string(l.Certificate)), slog.Int64("version", int64(l.Version)))
	}
}

// fetchable are those of the addresses in a certificate that are fetched from.
func fetchable(addresses []string) []string {
	return slices.DeleteFunc(distinct(addresses), func(a string) bool { return !mayFetch(a) })
}

// issuerOf is the certificate of whoever has issued what stands below the chain; nil
// where it is not known.
func issuerOf(tx *store.Tx, chain []byte) (*x509.Certificate, error) {
	certs, err := tx.Chain(chain)
	if errors.Is(err, clm.NotFound) || err == nil && len(certs) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, _ := x509.ParseCertificate(certs[0]) // what cannot be read is not known
	return cert, nil
}

// readList looks for certificates in the list at the address.
func (r *round) readList(ctx context.Context, address string) {
	text, err := r.list(ctx, address, pki.MaxListSize)
	if err != nil {
		r.note(address, err)
		return
	}
	at := r.db.Now()
	r.reading.Lock()
	defer r.reading.Unlock()
	for _, those := range byIssuer(r.lists[address]) {
		if ctx.Err() != nil {
			return
		}
		r.note(address, r.findIn(text, those, at))
	}
}

// byIssuer puts looks together whose certificates are from the same issuer.
func byIssuer(all []*looking) map[string][]*looking {
	groups := map[string][]*looking{}
	for _, l := range all {
		groups[string(l.issuer.Raw)] = append(groups[string(l.issuer.Raw)], l)
	}
	return groups
}

// findIn looks for certificates of one issuer in a list that was fetched at the time.
func (r *round) findIn(text []byte, those []*looking, at time.Time) error {
	var serials []string
	for _, l := range those {
		serials = append(serials, pki.Serial(l.cert))
	}
	found, err := pki.FindAllInList(text, those[0].issuer, serials)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, l := range those {
		if found[n].Listed && l.isMeant(found[n].Entry.Reason) {
			l.SeenCRL, l.AwaitCRL = at, false
		}
	}
	return nil
}

// askResponders asks one responder after the other until one tells what was done to the
// certificate.
func (r *round) askResponders(ctx context.Context, l *looking) {
	for _, address := range l.responders {
		said, err := r.ask(ctx, address, l)
		r.note(address, err)
		if err == nil && said.Status == pki.StatusRevoked && l.isMeant(said.Reason) {
			r.mu.Lock()
			l.SeenOCSP, l.AwaitOCSP = r.db.Now(), false
			r.mu.Unlock()
			return
		}
	}
}

func (r *round) ask(ctx context.Context, address string, l *looking) (said pki.CertStatus, err error) {
	question, err := pki.AskStatus(l.cert, l.issuer)
	if err != nil {
		return said, err
	}
	answer, err := r.answer(ctx, address, question, pki.MaxStatusSize)
	if err != nil {
		return said, err
	}
	return pki.ReadStatus(answer, l.cert, l.issuer, r.db.Now())
}

// isMeant reports whether what is told for the reason is what is looked for. What is
// revoked for good is not seen as long as relying parties are told of a hold.
func (l *looking) isMeant(told clm.Reason) bool {
	return told != clm.CertificateHold || l.Revocation.IsHeld()
}

// note keeps how it went at an address. One that was not asked at all tells nothing.
func (r *round) note(address string, err error) {
	if errors.Is(err, errUnasked) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked[address] == nil {
		r.asked[address] = err
	}
}

// saveLooks writes down what has come of the looks.
func (c *Core) saveLooks(ctx context.Context, looks []*looking) (err error) {
	var seen, rest []store.Look
	for _, l := range looks {
		l.Next = lookAgain(c.db.Now(), l.Tries)
		if l.SeenCRL.IsZero() && l.SeenOCSP.IsZero() {
			rest = append(rest, l.Look)
		} else {
			seen = append(seen, l.Look)
		}
	}
	if len(rest) > 0 {
		err = c.db.PutOff(ctx, rest)
	}
	var mu sync.Mutex
	each(seen, len(seen), func(l store.Look) { // at once, so that they share commits
		e := c.saveSeen(ctx, l)
		mu.Lock()
		defer mu.Unlock()
		err = errors.Join(err, e)
	})
	return err
}

// lookAgain is when to look next after so many looks. Times are round, so that those
// who wait for the same list come to look for it together.
func lookAgain(now time.Time, tries int) time.Time {
	pause := firstPause
	for range tries - 1 {
		pause = min(2*pause, longestPause)
	}
	return now.Add(pause).Truncate(pause / 4)
}

// saveSeen writes down that the revocation was seen.
func (c *Core) saveSeen(ctx context.Context, l store.Look) error {
	var where []string
	if !l.SeenCRL.IsZero() {
		where = append(where, "CRL")
	}
	if !l.SeenOCSP.IsZero() {
		where = append(where, "OCSP")
	}
	saved := false
	err := c.db.Write(ctx, store.Entry{Actor: checker, Action: "see revocation", Subject: string(l.Certificate)}, func(tx *store.Tx) error {
		path, err := tx.PathByID(l.Certificate)
		if errors.Is(err, clm.NotFound) { // it has just been deleted
			tx.Refused(clm.Unnecessary)
			return tx.EndCheck(l.Version)
		}
		if err != nil {
			return err
		}
		tx.About(string(path.Last().DN), fmt.Sprintf("version %d: %s", l.Version, strings.Join(where, ", ")))
		if saved, err = tx.SaveLook(l); err == nil && !saved {
			tx.Refused(clm.Unnecessary)
		}
		return err
	})
	if err == nil && saved {
		c.watch.see(l)
	}
	return err
}
