package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

var (
	ours    = bytes.Repeat([]byte{0xa1}, 32) // the fingerprint of an issuer whose key is held
	foreign = bytes.Repeat([]byte{0xb2}, 32)
)

// revoked is an entry of ours in the shard, revoked now.
func revoked(tx *store.Tx, serial string, shard int64) store.LedgerEntry {
	return store.LedgerEntry{Issuer: ours, Serial: serial, Shard: shard, NotAfter: tx.Now.Add(time.Hour), Revoked: tx.Now, Reason: clm.Superseded}
}

// What is on hold is to be listed anew whenever that changes, and a list that was made
// before it changed does not count as one that says so.
func TestHoldIsListedAsItStands(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		part, whole := store.Part{Issuer: ours, Shard: 3}, store.Part{Issuer: ours, Shard: store.WholeList}
		var drawn []store.LedgerEntry // what a list says that somebody is making
		lacks := func(when string, want bool) {
			t.Helper()
			n.look(func(tx *store.Tx) error {
				for _, p := range []store.Part{part, whole} {
					if got, err := tx.Lacks(p); err != nil || got != want {
						t.Errorf("%s: got that list %d lacks something: %v, %v; want %v", when, p.Shard, got, err, want)
					}
				}
				return nil
			})
		}
		hold := func(reason clm.Reason) func() {
			return func() {
				n.do("hold", func(tx *store.Tx) error {
					e := revoked(tx, "0A", 3)
					e.Reason = reason
					return tx.Enlist(e)
				})
			}
		}
		release := func() { n.do("release", func(tx *store.Tx) error { return tx.Delist(ours, "0A") }) }
		draw := func() {
			n.look(func(tx *store.Tx) (err error) {
				if drawn, err = tx.Revoked(part, time.Time{}); err == nil {
					var gone []store.LedgerEntry
					gone, err = tx.Delisted(part)
					drawn = append(drawn, gone...)
				}
				return err
			})
		}
		list := func() {
			n.do("list", func(tx *store.Tx) error { return errors.Join(tx.Listed(part, drawn), tx.Listed(whole, drawn)) })
		}
		for _, c := range []struct {
			name  string
			do    []func()
			lacks bool
		}{
			{"put on hold", []func(){hold(clm.CertificateHold)}, true},
			{"listed", []func(){draw, list}, false},
			{"put on hold again", []func(){hold(clm.CertificateHold)}, false},
			{"taken off", []func(){release}, true},
			{"put on hold while that was listed", []func(){draw, hold(clm.CertificateHold), list}, true},
			{"taken off while that was listed", []func(){draw, release, list}, true},
			{"put on hold anew while the old hold was listed", []func(){hold(clm.CertificateHold), draw, release, hold(clm.CertificateHold), list}, true},
			{"taken off and listed", []func(){release, draw, list}, false},
			{"taken off again", []func(){release}, false},
			{"revoked while the hold was listed", []func(){hold(clm.CertificateHold), draw, hold(clm.Superseded), list}, true},
			{"revoked and listed", []func(){draw, list}, false},
			{"put on hold when revoked", []func(){hold(clm.CertificateHold), release}, false},
		} {
			for _, do := range c.do {
				n.turn(time.Second)
				do()
			}
			lacks(c.name, c.lacks)
		}
		if at, reason, err := n.standing(ours, "0A"); err != nil || at.IsZero() || reason != clm.Superseded {
			t.Errorf("got %v, reason %d, %v; want it revoked", at, reason, err)
		}
	})
}

// Lists name what was revoked and has expired since once more, but not what was on hold
// and was released.
func TestWhatWasReleasedIsNotListedAtItsEnd(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.do("revoke", func(tx *store.Tx) error {
			held := revoked(tx, "0A", 3)
			held.Reason = clm.CertificateHold
			return errors.Join(tx.Enlist(held), tx.Delist(ours, "0A"), tx.Enlist(revoked(tx, "0B", 3)))
		})
		n.turn(2 * time.Hour)
		n.look(func(tx *store.Tx) error {
			for _, shard := range []int64{3, store.WholeList} {
				named, err := tx.Revoked(store.Part{Issuer: ours, Shard: shard}, tx.Now)
				if err != nil || len(named) != 1 || named[0].Serial != "0B" {
					t.Errorf("got %+v, %v", named, err)
				}
			}
			return nil
		})
	})
}

// standing is how the certificate stands with the issuer.
func (n node) standing(issuer []byte, serial string) (at time.Time, reason clm.Reason, err error) {
	n.t.Helper()
	n.look(func(tx *store.Tx) error {
		at, reason, err = tx.Standing(issuer, serial)
		return nil
	})
	return at, reason, err
}

// What is revoked once stays revoked as it was then. Only that the key is compromised
// becomes the reason later, and then the lists lack it.
func TestFirstRevocationHolds(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		part, whole := store.Part{Issuer: ours, Shard: 3}, store.Part{Issuer: ours, Shard: store.WholeList}
		var first time.Time
		for _, step := range []struct {
			given, want clm.Reason
			lacks       bool
		}{{clm.Superseded, clm.Superseded, true}, {clm.CessationOfOperation, clm.Superseded, false}, {clm.KeyCompromise, clm.KeyCompromise, true}, {clm.Superseded, clm.KeyCompromise, false}, {clm.KeyCompromise, clm.KeyCompromise, false}} {
			n.do("revoke", func(tx *store.Tx) error {
				e := revoked(tx, "0A", 3)
				if e.Reason = step.given; first.IsZero() {
					first = tx.Now
				} else {
					e.Shard = 4
				}
				return tx.Enlist(e)
			})
			if at, reason, err := n.standing(ours, "0A"); err != nil || !at.Equal(first) || reason != step.want {
				t.Errorf("reason %d given: got %v, reason %d, %v; want reason %d, at %v", step.given, at, reason, err, step.want, first)
			}
			n.do("list", func(tx *store.Tx) error {
				for _, p := range []store.Part{part, whole} {
					lacks, err := tx.Lacks(p)
					if err != nil || lacks != step.lacks {
						t.Errorf("reason %d given: got that list %d lacks something %v, %v; want %v", step.given, p.Shard, lacks, err, step.lacks)
					}
					entries, err := tx.Revoked(p, time.Time{})
					if err != nil || len(entries) != 1 || entries[0].Shard != 3 || entries[0].Reason != step.want {
						t.Errorf("reason %d given: got %+v, %v", step.given, entries, err)
					}
					if err := tx.Listed(p, entries); err != nil {
						return err
					}
				}
				return nil
			})
			n.turn(time.Hour)
		}
		if _, _, err := n.standing(foreign, "0A"); !errors.Is(err, clm.NotFound) {
			t.Errorf("of another issuer: got %v, want not found", err)
		}
	})
}

// A list that was made before a reason changed does not count as one that names it.
func TestReasonIsNotLostToLateList(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		part := store.Part{Issuer: ours, Shard: 3}
		var made []store.LedgerEntry
		n.do("revoke", func(tx *store.Tx) error { return tx.Enlist(revoked(tx, "0A", 3)) })
		n.look(func(tx *store.Tx) (err error) {
			made, err = tx.Revoked(part, time.Time{})
			return err
		})
		n.do("revoke", func(tx *store.Tx) error {
			e := revoked(tx, "0A", 3)
			e.Reason = clm.KeyCompromise
			return tx.Enlist(e)
		})
		n.do("list", func(tx *store.Tx) error { return tx.Listed(part, made) })
		n.look(func(tx *store.Tx) error {
			lacks, err := tx.Lacks(part)
			if !lacks {
				t.Error("the list is said to name a reason that was given later")
			}
			return err
		})
	})
}

// What a whole list names is noted in several writes, and all of it.
func TestWholeListIsNoted(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const many = 2500
		n.do("revoke", func(tx *store.Tx) error {
			for i := range int64(many) {
				if err := tx.Enlist(revoked(tx, fmt.Sprintf("%04X", i+1), i%5)); err != nil {
					return err
				}
			}
			return nil
		})
		whole := store.Part{Issuer: ours, Shard: store.WholeList}
		var entries []store.LedgerEntry
		read := func() (lacks bool) {
			n.look(func(tx *store.Tx) (err error) {
				if entries, err = tx.Revoked(whole, time.Time{}); err == nil {
					lacks, err = tx.Lacks(whole)
				}
				return err
			})
			return lacks
		}
		if !read() || len(entries) != many || entries[0].Listed {
			t.Errorf("got %d entries, want %d that are lacking", len(entries), many)
		}
		if err := n.NoteListed(context.Background(), whole, entries); err != nil {
			t.Fatal(err)
		}
		if read() || len(entries) != many || !entries[0].Listed || !entries[many-1].Listed {
			t.Error("not all is noted")
		}
		n.look(func(tx *store.Tx) error {
			if parts, err := tx.Unlisted(store.Part{}, 10); err != nil || len(parts) != 5 {
				t.Errorf("got %d parts to be listed, %v; want 5 as before", len(parts), err)
			}
			return nil
		})
	})
}

// What a failed statement comes to is an error, and then nothing is written.
func TestRevocationIsNotLostSilently(t *testing.T) {
	n := openWith(t, coretest.EmptySQLite(t), func(statement string) error {
		if bytes.Contains([]byte(statement), []byte("INTO ledger")) {
			return errors.New("the disk is full")
		}
		return nil
	})
	err := n.Write(context.Background(), store.Entry{Action: "revoke"}, func(tx *store.Tx) error { return tx.Enlist(revoked(tx, "0A", 0)) })
	if err == nil {
		t.Error("the revocation was lost silently")
	}
}

// Whoever publishes is woken once what is to be listed can be seen.
func TestEnlistingWakes(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		n.do("revoke", func(tx *store.Tx) error { return tx.Enlist(revoked(tx, "0A", 0)) })
		receive(t, "a token", n.Enlisted())
	})
}

// When a place is deleted the books keep what issuers of ours have issued to it and
// is still valid, and nothing else.
func TestDeletedPlacesStayInTheBooks(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		place := n.add(clm.ServerCertificate, clm.PolicyDN+`\www`)
		var first clm.VersionID
		n.do("issue", func(tx *store.Tx) error {
			if _, err := tx.AddIssuer(store.Issuer{Name: "ours", Fingerprint: ours, Sealed: []byte("sealed")}); err != nil {
				return err
			}
			for _, v := range []clm.Version{
				{Serial: "01", Cert: []byte("valid"), Chain: ours, NotAfter: tx.Now.Add(time.Hour)},
				{Serial: "02", Cert: []byte("expired"), Chain: ours, NotAfter: tx.Now.Add(-time.Hour)},
				{Serial: "03", Cert: []byte("of another"), Chain: foreign, NotAfter: tx.Now.Add(time.Hour)},
				{Serial: "04", Cert: []byte("revoked"), Chain: ours, NotAfter: tx.Now.Add(time.Hour)},
				{}, // nothing has come of it
			} {
				v.Certificate = place.ID
				if err := tx.AddVersion(&v); err != nil {
					return err
				}
				if first == 0 {
					first = v.ID
				}
				if err := tx.SaveRevocation(clm.Revocation{Version: v.ID}); err != nil {
					return err
				}
				if err := tx.AddCheck(v.ID); err != nil {
					return err
				}
			}
			return tx.Enlist(revoked(tx, "04", first.Shard()))
		})
		for _, when := range []string{"before", "after"} {
			for _, want := range []struct {
				serial  string
				issuer  []byte
				known   bool
				revoked bool
			}{
				{"01", ours, true, false}, {"02", ours, when == "before", false}, {"03", foreign, when == "before", false},
				{"04", ours, true, true}, {"05", ours, false, false}, {"", ours, false, false},
			} {
				at, _, err := n.standing(want.issuer, want.serial)
				if (err == nil) != want.known || !at.IsZero() != want.revoked {
					t.Errorf("%s, serial %s: got %v, %v; want known %v, revoked %v", when, want.serial, at, err, want.known, want.revoked)
				}
			}
			if when == "before" {
				n.do("delete", func(tx *store.Tx) error { return tx.DeleteObject(place) })
			}
		}
		n.look(func(tx *store.Tx) error {
			for _, table := range []string{"revocations", "checks", "versions"} {
				if rows, err := tx.Rows(table); err != nil || rows != 0 {
					t.Errorf("%s: got %d rows, %v; want none", table, rows, err)
				}
			}
			return nil
		})
		// What was only issued can still be revoked, and is listed then.
		n.do("revoke", func(tx *store.Tx) error { return tx.Enlist(revoked(tx, "01", first.Shard())) })
		n.look(func(tx *store.Tx) error {
			parts, err := tx.Unlisted(store.Part{}, 10)
			if len(parts) != 1 {
				t.Errorf("got %v to be listed, want one", parts)
			}
			return err
		})
	})
}

// A list takes the place of the one that it was made to follow, and of no other.
func TestListFollowsItsPredecessor(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		part := store.Part{Issuer: ours, Shard: 3}
		for _, step := range []struct {
			number, was int64
			saved       bool
		}{{10, 7, false}, {10, 0, true}, {11, 0, false}, {11, 9, false}, {11, 10, true}, {12, 10, false}} {
			n.do("publish", func(tx *store.Tx) error {
				saved, err := tx.SaveList(store.List{Part: part, Number: step.number, Made: tx.Now, Until: tx.Now, DER: []byte{1}}, step.was)
				if err == nil && saved != step.saved {
					t.Errorf("%d after %d: got saved %v, want %v", step.number, step.was, saved, step.saved)
				}
				return err
			})
		}
		n.look(func(tx *store.Tx) error {
			l, err := tx.List(part)
			if err == nil && l.Number != 11 {
				t.Errorf("got number %d, want 11", l.Number)
			}
			return err
		})
	})
}

// Parts that lack something are found page by page, and no more once they are listed;
// a part names nothing of another.
func TestUnlistedParts(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		const parts, each = 7, 3
		n.do("revoke", func(tx *store.Tx) error {
			for i := range int64(parts * each) {
				if err := tx.Enlist(revoked(tx, fmt.Sprintf("%02X", i+1), i%parts)); err != nil {
					return err
				}
			}
			return nil
		})
		for found, after := 0, (store.Part{}); ; {
			var page []store.Part
			n.do("list", func(tx *store.Tx) (err error) {
				if page, err = tx.Unlisted(after, 2); err != nil {
					return err
				}
				for _, p := range page {
					entries, err := tx.Revoked(p, time.Time{})
					if err != nil {
						return err
					}
					if len(entries) != each {
						t.Errorf("shard %d: got %d entries, want %d", p.Shard, len(entries), each)
					}
					if err := tx.Listed(p, entries); err != nil {
						return err
					}
				}
				return nil
			})
			if len(page) == 0 {
				if found != parts {
					t.Errorf("got %d parts, want %d", found, parts)
				}
				break
			}
			found, after = found+len(page), page[len(page)-1]
		}
		n.look(func(tx *store.Tx) error {
			left, err := tx.Unlisted(store.Part{}, 10)
			if len(left) > 0 {
				t.Errorf("still to be listed: %v", left)
			}
			all := store.Part{Issuer: ours, Shard: store.WholeList}
			whole, e := tx.Revoked(all, time.Time{})
			if len(whole) != parts*each {
				t.Errorf("got %d entries in the whole list, want %d", len(whole), parts*each)
			}
			part, expired := store.Part{Issuer: ours, Shard: 0}, tx.Now.Add(2*time.Hour)
			none, e2 := tx.Revoked(part, expired)
			if len(none) > 0 {
				t.Errorf("got %d entries of expired certificates that were listed, want none", len(none))
			}
			whole, e3 := tx.Revoked(all, expired)
			if len(whole) != parts*each {
				t.Errorf("got %d entries of expired certificates that no whole list has named, want %d", len(whole), parts*each)
			}
			return errors.Join(err, e, e2, e3)
		})
	})
}

var readsAll = regexp.MustCompile(`(?m)Seq Scan|^SCAN (ledger|versions)\b`)

// What is asked for each revocation, each list and each answer is found by an index,
// and by one that leads to nothing else.
func TestLedgerIsNotScanned(t *testing.T) {
	onEach(t, func(t *testing.T, n node) {
		var last int64
		n.do("revoke", func(tx *store.Tx) error {
			for i := range int64(2000) {
				if err := tx.Enlist(revoked(tx, fmt.Sprintf("%04X", i+1), i/4)); err != nil {
					return err
				}
				last = i / 4
			}
			return nil
		})
		part, whole := store.Part{Issuer: ours, Shard: last}, store.Part{Issuer: ours, Shard: store.WholeList}
		for what, c := range map[string]struct {
			ask  func(*store.Tx) error
			uses []string // on SQLite
		}{
			"the standing":             {func(tx *store.Tx) error { _, _, err := tx.Standing(ours, "0001"); return err }, []string{"(issuer=? AND serial=?)", "(serial=?)"}},
			"a part":                   {func(tx *store.Tx) error { _, err := tx.Revoked(part, tx.Now); return err }, []string{"ledger_shard (issuer=? AND shard=? AND not_after>?)", "ledger_unlisted (issuer=? AND shard=? AND not_after<?)"}},
			"all":                      {func(tx *store.Tx) error { _, err := tx.Revoked(whole, tx.Now); return err }, []string{"ledger_issuer (issuer=? AND not_after>?)", "ledger_unwhole (issuer=? AND not_after<?)"}},
			"what a part lacks":        {func(tx *store.Tx) error { _, err := tx.Lacks(part); return err }, []string{"ledger_unlisted (issuer=? AND shard=?)"}},
			"what a whole list lacks":  {func(tx *store.Tx) error { _, err := tx.Lacks(whole); return err }, []string{"ledger_unwhole (issuer=?)"}},
			"the last part":            {func(tx *store.Tx) error { _, err := tx.LastEntered(ours); return err }, []string{"(issuer=?)"}}, // of those that are revoked, and of those that no list names
			"what leaves a part":       {func(tx *store.Tx) error { _, err := tx.Delisted(part); return err }, []string{"ledger_unlisted (issuer=? AND shard=?)"}},
			"what leaves a whole list": {func(tx *store.Tx) error { _, err := tx.Delisted(whole); return err }, []string{"ledger_unwhole (issuer=?)"}},
			"what to publish":          {func(tx *store.Tx) error { _, err := tx.Unlisted(store.Part{}, 10); return err }, []string{"ledger_unlisted"}},
		} {
			n.look(func(tx *store.Tx) error {
				plans, err := tx.Explain(c.ask)
				for query, plan := range plans {
					if !strings.Contains(query, "ledger") {
						continue
					}
					if readsAll.MatchString(plan) {
						t.Errorf("%s: %s\n%s", what, query, plan)
					}
					for _, use := range c.uses {
						if !n.IsShared() && !strings.Contains(plan, use) {
							t.Errorf("%s: %s\n%s\nwant it to use %s", what, query, plan, use)
						}
					}
				}
				return err
			})
		}
	})
}
