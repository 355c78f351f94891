package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/store"
)

// Limits of revocation lists.
const (
	listLife     = 24 * time.Hour   // so long relying parties may go by a list; it is made anew when half of that has passed
	listSkew     = 5 * time.Minute  // lists and answers are valid a little before they are made, for clocks that are slow
	expiredFor   = 24 * time.Hour   // a certificate leaves the lists after one that was made so long after its end
	wholeAge     = time.Minute      // a whole list is not made anew before it is so old
	listTries    = 20               // in a row, while other nodes publish the same list
	partsAtATime = 100              // parts that are looked for at a time
	publishRest  = time.Second      // after something was published, so that a part is made about once a second at most
	publishPause = pollInterval     // the longest that what another node has revoked and not listed lies unseen
	failedPause  = 10 * time.Second // before it is tried again
	toldFor      = time.Minute      // what fails each time that somebody asks is logged no more often
)

// A List is a revocation list as it was published last. Only what was written down
// is ever handed out, so that all nodes say the same.
type List = store.List

// WholeList is the shard of the list that names all that the issuer has revoked. It
// is for programs that take one file only, and made when they ask for it.
const WholeList = store.WholeList

// publication is the actor of what is published.
var publication = clm.Actor{Name: "publication", Master: true}

// Certificate is the issuer's certificate, DER. It fails with NotFound.
func (c *Core) Certificate(ctx context.Context, issuer string) (der []byte, err error) {
	err = c.db.Glance(ctx, func(tx *store.Tx) error {
		p, err := c.publisher(tx, named(issuer))
		if err == nil {
			der = p.cert.Raw
		}
		return err
	})
	return der, err
}

// List is one part of the issuer's revocation list, or the whole of it. It fails
// with NotFound where there is no such issuer, where there can be no certificate
// in the part yet, and, for parts, while nobody knows where they are published.
func (c *Core) List(ctx context.Context, issuer string, shard int64) (List, error) {
	var p *publisher
	var kept List
	due := false
	err := c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if p, err = c.publisher(tx, named(issuer)); err != nil {
			return err
		}
		var urls []string
		if kept, urls, err = c.kept(tx, p, shard); err == nil {
			due, err = c.isDue(tx, kept, urls, false)
		}
		return err
	})
	if err != nil || !due {
		return kept, err
	}
	made, err := c.renewList(ctx, p, shard)
	if err != nil && c.db.Now().Before(kept.Until) {
		if ctx.Err() == nil { // nobody has hung up
			c.tell("make a revocation list", fmt.Sprintf("%s/%d", issuer, shard), err)
		}
		return kept, nil
	}
	return made, err
}

// kept finds the list that was published last, one without a number if there is
// none yet, and the addresses that it should say.
func (c *Core) kept(tx *store.Tx, p *publisher, shard int64) (l List, urls []string, err error) {
	part := store.Part{Issuer: p.print, Shard: shard}
	if shard == WholeList {
		l, err = p.wholeList(tx)
	} else {
		if urls, err = addresses(tx); err != nil {
			return l, nil, err
		}
		if len(urls) == 0 {
			return l, nil, clm.NotFound
		}
		l, err = tx.List(part)
	}
	if errors.Is(err, clm.NotFound) {
		l = List{Part: part}
		if err = nil; shard != WholeList {
			err = p.mayName(tx, shard)
		}
	}
	return l, urls, err
}

// wholeList is the whole list that was published last. It is large, and read only
// when there is another.
func (p *publisher) wholeList(tx *store.Tx) (List, error) {
	part := store.Part{Issuer: p.print, Shard: WholeList}
	if l := p.whole.Load(); l != nil {
		if n, err := tx.ListNumber(part); err != nil || n == l.Number {
			return *l, err
		}
	}
	l, err := tx.List(part)
	if err == nil {
		p.whole.Store(&l)
	}
	return l, err
}

// mayName fails with NotFound where no certificate can point to the part. After a
// backup was restored the books may know of parts that are still to be counted. A
// root has parts only if it has issued something other than CAs.
func (p *publisher) mayName(tx *store.Tx, shard int64) error {
	if shard < 0 {
		return clm.NotFound
	}
	entered, err := tx.LastEntered(p.print)
	if err != nil || shard <= entered {
		return err
	}
	last, err := tx.LastShard()
	if err == nil && shard > last {
		err = clm.NotFound
	}
	if err != nil || p.above != nil || entered >= 0 {
		return err
	}
	if has, err := tx.HasParts(p.print); err != nil || has {
		return err
	}
	subject := strings.ToLower(pki.FormatName(p.cert.RawSubject))
	_, n, err := tx.Find(store.Filter{Match: func(k *store.Cohort) bool { return k.Issuer == subject && !k.SelfSigned }, Limit: 1})
	if err == nil && n == 0 {
		err = clm.NotFound
	}
	return err
}

// isDue reports whether there must be another list in place of the one that was
// published last: there is none; it is from before this process began, and may have
// come from a backup, with a number lower than others have seen; half of its life has
// passed; it is not valid yet, as the clock was wrong by which it was made; it is
// found elsewhere by now; or it lacks something. What a part lacks is the affair of
// whoever is publishing: all others get it as it is. A whole list takes long to make,
// and may lack something for a while.
func (c *Core) isDue(tx *store.Tx, l List, urls []string, publishing bool) (bool, error) {
	age, mayLack := tx.Now.Sub(l.Made), !publishing
	if l.Shard == WholeList {
		mayLack = age < wholeAge
	}
	switch {
	case l.Number == 0, l.Made.Before(c.began) && !c.began.After(tx.Now), age >= listLife/2, age < -listSkew, l.URLs != strings.Join(urls, " "):
		return true, nil
	case mayLack:
		return false, nil
	}
	return tx.Lacks(l.Part)
}

// A draft is a list to be made in place of another.
type draft struct {
	*publisher
	store.Part
	issuer  *ca.Issuer
	at      time.Time // as of when it is
	was     List
	urls    []string // the addresses, for a part
	entries []store.LedgerEntry
	gone    []store.LedgerEntry // what was on hold and is to be named no more
}

// renewList publishes a list that names all that is revoked and will do for a
// while, unless the present one is such a list. Whole lists take so long that they
// are made one at a time, and that neither parts nor answers wait for them.
func (c *Core) renewList(ctx context.Context, p *publisher, shard int64) (List, error) {
	listing, signing := p.listing, c.signing
	if shard == WholeList {
		listing, signing = p.listingWhole, c.signingWhole
	}
	done, err := takeToken(ctx, listing)
	if err != nil {
		return List{}, err
	}
	defer done()
	for range listTries {
		d, due, err := c.draft(ctx, p, shard)
		if err != nil || !due {
			return d.was, err
		}
		signed, err := takeToken(ctx, signing)
		if err != nil {
			return List{}, err
		}
		l, err := d.sign()
		signed()
		if err != nil {
			return l, err
		}
		if saved, err := c.publish(ctx, d, l); err != nil || saved {
			return l, err
		}
	}
	return List{}, fmt.Errorf("the revocation list %d of %s is being published by others all the time", shard, p.name)
}

// draft reads what a new list is made of, all as of one moment. due: the present one
// will not do.
func (c *Core) draft(ctx context.Context, p *publisher, shard int64) (d draft, due bool, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		d = draft{publisher: p, Part: store.Part{Issuer: p.print, Shard: shard}, at: tx.Now}
		if d.was, d.urls, err = c.kept(tx, p, shard); err != nil {
			return err
		}
		if due, err = c.isDue(tx, d.was, d.urls, true); err != nil || !due {
			return err
		}
		if d.issuer, err = c.issuer(tx, p.name); err != nil {
			return err
		}
		var expired time.Time // everything is named that no list has named
		if !d.was.Made.IsZero() {
			expired = d.was.Made.Add(-expiredFor)
		}
		if d.entries, err = tx.Revoked(d.Part, expired); err == nil {
			d.gone, err = tx.Delisted(d.Part)
		}
		return err
	})
	return d, due, err
}

// sign makes the list. Its number grows from one list to the next, and with the
// time, so that it grows even where older lists have been forgotten. Its time grows,
// too, unless that would make it a list of the future.
func (d draft) sign() (List, error) {
	made := d.at.Truncate(time.Second)
	if next := d.was.Made.Add(time.Second); next.After(made) && !next.After(d.at.Add(listSkew)) {
		made = next
	}
	l := List{
		Part: d.Part, Number: max(d.was.Number+1, d.at.UnixMicro()), URLs: strings.Join(d.urls, " "),
		Made: made, Until: made.Add(listLife),
	}
	spec := pki.List{Number: l.Number, ThisUpdate: l.Made.Add(-listSkew), NextUpdate: l.Until}
	for _, base := range d.urls {
		spec.URLs = append(spec.URLs, ca.ListURL(base, d.name, d.Shard))
	}
	for _, e := range d.entries {
		spec.Revoked = append(spec.Revoked, pki.RevokedCert{Serial: e.Serial, At: e.Revoked, Reason: e.Reason})
	}
	var err error
	if l.DER, err = pki.SignList(spec, d.issuer.Chain[0], d.issuer.Key); err != nil {
		return List{}, fmt.Errorf("revocation list %d of %s: %w", d.Shard, d.name, err)
	}
	l.Sum = sha256.Sum256(l.DER)
	return l, nil
}

// publish writes the list down, provided that it follows the one that it was made
// to follow. Otherwise somebody else was faster, and nothing happens. There is an
// entry for it only if it says something new: anybody can have lists made.
func (c *Core) publish(ctx context.Context, d draft, l List) (saved bool, err error) {
	changed := slices.Concat(slices.DeleteFunc(slices.Clone(d.entries), func(e store.LedgerEntry) bool { return e.Listed }), d.gone)
	if len(changed) == 0 {
		saved, err = c.db.RenewList(ctx, l, d.was.Number)
	} else {
		subject := fmt.Sprintf("%s/%d", d.name, d.Shard)
		err = c.db.Write(ctx, store.Entry{Actor: publication, Action: "publish", Subject: subject}, func(tx *store.Tx) (err error) {
			if saved, err = tx.SaveList(l, d.was.Number); err != nil {
				return err
			}
			if !saved {
				tx.Refused(clm.Unnecessary)
				return nil
			}
			tx.About(subject, fmt.Sprintf("number %d: %d revoked", l.Number, len(d.entries)))
			if d.Shard == WholeList {
				return nil
			}
			return tx.Listed(d.Part, changed)
		})
	}
	if err != nil || !saved || d.Shard != WholeList {
		return saved, err
	}
	d.whole.Store(&l)
	if err := c.db.NoteListed(context.WithoutCancel(ctx), d.Part, changed); err != nil {
		c.tell("note what a revocation list names", d.name, err)
	}
	return true, nil
}
