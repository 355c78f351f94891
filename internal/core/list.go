package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	listSkew     = 5 * time.Minute  // lists are valid a little before they are made, for clocks that are slow
	expiredFor   = 24 * time.Hour   // a certificate leaves the lists after one that was made so long after its end
	wholeAge     = time.Minute      // a whole list is not made anew before it is so old
	wholeSlack   = 5 * time.Minute  // what was revoked so long before a whole list may not be named in it yet: transactions take time
	listTries    = 20               // in a row, while other nodes publish the same list
	partsAtATime = 100              // parts that are looked for at a time
	publishPause = pollInterval     // the longest that what another node has revoked and not listed lies unseen
	failedPause  = 10 * time.Second // before it is tried again
	wrongClock   = 10 * time.Minute // a list made so far in the future was made by a clock that was wrong
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
			der = p.Chain[0]
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
	fresh := false
	err := c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		if p, err = c.publisher(tx, named(issuer)); err == nil {
			kept, fresh, err = c.kept(tx, store.Part{Issuer: p.print, Shard: shard})
		}
		return err
	})
	if err != nil || fresh {
		return kept, err
	}
	made, err := c.renewList(ctx, p, shard)
	if err != nil && c.db.Now().Before(kept.Until) {
		c.log.Error("make a revocation list", slog.String("issuer", issuer), slog.Int64("shard", shard), slog.Any("error", err))
		return kept, nil
	}
	return made, err
}

// kept finds the list that was published last, if there is one, and whether it will
// still do.
func (c *Core) kept(tx *store.Tx, part store.Part) (l List, fresh bool, err error) {
	urls, err := addresses(tx)
	if err != nil {
		return l, false, err
	}
	if part.Shard != WholeList {
		last, err := tx.LastShard()
		switch {
		case err != nil:
			return l, false, err
		case len(urls) == 0 || part.Shard < 0 || part.Shard > last:
			return l, false, clm.NotFound
		}
	}
	l, err = tx.List(part)
	age := tx.Now.Sub(l.Made)
	switch {
	case errors.Is(err, clm.NotFound):
		return List{Part: part}, false, nil
	case err != nil:
		return l, false, err
	case age >= listLife/2 || age < -wrongClock:
		return l, false, nil
	case part.Shard != WholeList:
		return l, l.URLs == strings.Join(urls, " "), nil
	case age < wholeAge:
		return l, true, nil
	}
	more, err := tx.HasRevokedSince(part.Issuer, l.Made.Add(-wholeSlack))
	return l, !more, err
}

// A draft is a list to be made in place of another.
type draft struct {
	*publisher
	store.Part
	at      time.Time // as of when it is
	was     List
	urls    []string // the addresses, for a part
	entries []store.LedgerEntry
}

// renewList publishes a list that names all that is revoked and will do for a
// while, unless the present one is such a list.
func (c *Core) renewList(ctx context.Context, p *publisher, shard int64) (List, error) {
	done, err := takeToken(ctx, p.listing)
	if err != nil {
		return List{}, err
	}
	defer done()
	for range listTries {
		d, needed, err := c.draft(ctx, p, shard)
		if err != nil || !needed {
			return d.was, err
		}
		l, err := c.sign(ctx, d)
		if err != nil {
			return l, err
		}
		if saved, err := c.publish(ctx, d, l); err != nil || saved {
			return l, err
		}
	}
	return List{}, fmt.Errorf("the revocation list %d of %s is being published by others all the time", shard, p.Name)
}

// draft reads what a new list is made of, all as of one moment. needed: the present
// one will not do.
func (c *Core) draft(ctx context.Context, p *publisher, shard int64) (d draft, needed bool, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) (err error) {
		d = draft{publisher: p, Part: store.Part{Issuer: p.print, Shard: shard}, at: tx.Now}
		fresh := false
		if d.was, fresh, err = c.kept(tx, d.Part); err != nil || fresh && shard == WholeList {
			return err
		}
		if shard != WholeList {
			if d.urls, err = addresses(tx); err != nil {
				return err
			}
		}
		var expired time.Time // everything is named that no list has named
		if !d.was.Made.IsZero() {
			expired = d.was.Made.Add(-expiredFor)
		}
		d.entries, err = tx.Revoked(p.print, shard, expired)
		needed = !fresh || slices.ContainsFunc(d.entries, func(e store.LedgerEntry) bool { return !e.Listed })
		return err
	})
	return d, needed, err
}

// sign makes the list. Its number grows from one list to the next, and with the
// time, so that it grows even where older lists have been forgotten.
func (c *Core) sign(ctx context.Context, d draft) (List, error) {
	done, err := takeToken(ctx, c.signing)
	if err != nil {
		return List{}, err
	}
	defer done()
	l := List{
		Part: d.Part, Number: max(d.was.Number+1, d.at.UnixMicro()), URLs: strings.Join(d.urls, " "),
		Made: d.at.Truncate(time.Second), Until: d.at.Add(listLife).Truncate(time.Second),
	}
	spec := pki.List{Number: l.Number, ThisUpdate: l.Made.Add(-listSkew), NextUpdate: l.Until}
	for _, base := range d.urls {
		spec.URLs = append(spec.URLs, ca.ListURL(base, d.Name, d.Shard))
	}
	for _, e := range d.entries {
		spec.Revoked = append(spec.Revoked, pki.RevokedCert{Serial: e.Serial, At: e.Revoked, Reason: e.Reason})
	}
	l.DER, err = pki.SignList(spec, d.Chain[0], d.Key)
	if err != nil {
		return List{}, fmt.Errorf("revocation list %d of %s: %w", d.Shard, d.Name, err)
	}
	return l, nil
}

// publish writes the list down, provided that it follows the one that it was made
// to follow. Otherwise somebody else was faster, and nothing happens.
func (c *Core) publish(ctx context.Context, d draft, l List) (saved bool, err error) {
	subject := fmt.Sprintf("%s/%d", d.Name, d.Shard)
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
		return tx.Listed(d.Part, d.entries)
	})
	return saved, err
}

// publishLists publishes what is revoked until ctx ends.
func (c *Core) publishLists(ctx context.Context) {
	enlisted := c.db.Enlisted()
	for ctx.Err() == nil {
		if err := c.PublishLists(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("publish revocation lists", slog.Any("error", err))
			c.rest(ctx, nil, failedPause)
		}
		c.rest(ctx, enlisted, publishPause)
	}
}

// PublishLists publishes every list that lacks something that was revoked. What a
// revocation costs depends on its own part of the list alone. Any number of nodes
// may do this at a time.
func (c *Core) PublishLists(ctx context.Context) (err error) {
	for after := (store.Part{}); ctx.Err() == nil; {
		var parts []store.Part
		if e := c.db.Glance(ctx, func(tx *store.Tx) error {
			urls, err := addresses(tx)
			if err != nil || len(urls) == 0 {
				return err
			}
			parts, err = tx.Unlisted(after, partsAtATime)
			return err
		}); e != nil || len(parts) == 0 {
			return errors.Join(err, e)
		}
		for _, part := range parts {
			err = errors.Join(err, c.publishPart(ctx, part)) // one that fails keeps nobody from the rest
		}
		after = parts[len(parts)-1]
	}
	return errors.Join(err, ctx.Err())
}

func (c *Core) publishPart(ctx context.Context, part store.Part) error {
	var p *publisher
	if err := c.db.Glance(ctx, func(tx *store.Tx) (err error) {
		p, err = c.publisher(tx, printed(part.Issuer))
		return err
	}); err != nil {
		return fmt.Errorf("issuer %x: %w", part.Issuer, err)
	}
	_, err := c.renewList(ctx, p, part.Shard)
	return err
}
