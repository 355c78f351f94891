package core_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/ca"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/pki"
	"github.com/certwright/certwright/internal/secret"
	"github.com/certwright/certwright/internal/store"
)

const here = "http://pki.example.com"

// publishing is a rig that publishes below an address. o.Idle: only when it is asked to.
func publishing(t testing.TB, d coretest.Database, o coretest.Options) *coretest.Rig {
	t.Helper()
	r := coretest.New(t, d, o)
	if err := r.SetPublishURL(context.Background(), here); err != nil {
		t.Fatal(err)
	}
	return r
}

// partOf is the part of the list of the ECDSA issuer.
func partOf(t testing.TB, r *coretest.Rig, shard int64) store.Part {
	t.Helper()
	chain, err := r.Chain(context.Background(), core.ECDSAIssuer)
	if err != nil {
		t.Fatal(err)
	}
	print := sha256.Sum256(chain[0])
	return store.Part{Issuer: print[:], Shard: shard}
}

// enlist has certificates with the serial numbers revoked, without more ado.
func enlist(t testing.TB, db *store.DB, p store.Part, serials ...string) {
	t.Helper()
	if err := db.Write(context.Background(), store.Entry{Action: "revoke"}, func(tx *store.Tx) error {
		for _, serial := range serials {
			e := store.LedgerEntry{Issuer: p.Issuer, Serial: serial, Shard: p.Shard, NotAfter: tx.Now.Add(90 * clm.Day), Revoked: tx.Now, Reason: clm.Superseded}
			if err := tx.Enlist(e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// makeShards sees to it that there may be versions in so many shards.
func makeShards(t testing.TB, r *coretest.Rig, many int) {
	t.Helper()
	if err := r.DB.Write(context.Background(), store.Entry{Action: "number"}, func(tx *store.Tx) error {
		_, err := tx.TakeVersions(many * 1024)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// crl fetches a list of the ECDSA issuer, which must be as it says it is.
func crl(t testing.TB, r *coretest.Rig, shard int64) (core.List, *x509.RevocationList) {
	t.Helper()
	l, err := r.List(context.Background(), core.ECDSAIssuer, shard)
	if err != nil {
		t.Fatal(err)
	}
	return l, parsed(t, r, l)
}

func parsed(t testing.TB, r *coretest.Rig, l core.List) *x509.RevocationList {
	t.Helper()
	list, err := x509.ParseRevocationList(l.DER)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := r.Chain(context.Background(), core.ECDSAIssuer)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	if now := r.DB.Now(); list.Number.Int64() != l.Number || list.ThisUpdate.After(now) || list.NextUpdate.Before(now) {
		t.Errorf("got list %v from %v to %v, want list %d of now, %v", list.Number, list.ThisUpdate, list.NextUpdate, l.Number, now)
	}
	return list
}

// names lists the serial numbers in the list, sorted.
func names(list *x509.RevocationList) (serials []string) {
	for _, e := range list.RevokedCertificateEntries {
		serials = append(serials, fmt.Sprintf("%X", e.SerialNumber.Bytes()))
	}
	slices.Sort(serials)
	return serials
}

func publishAll(t testing.TB, r *coretest.Rig) {
	t.Helper()
	if err := r.PublishLists(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// The numbers of lists grow although the clock stands still or goes back, after a
// restart, and after the database has gone back to an older state.
func TestListNumbersOnlyGrow(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		part, last := partOf(t, r, 0), int64(0)
		next := func(when, serial string) store.List {
			t.Helper()
			enlist(t, r.DB, part, serial)
			publishAll(t, r)
			l, list := crl(t, r, 0)
			if l.Number <= last {
				t.Errorf("%s: got number %d after %d", when, l.Number, last)
			}
			if !slices.Contains(names(list), serial) {
				t.Errorf("%s: got %v, want %s in it", when, names(list), serial)
			}
			last = l.Number
			return l
		}
		first := next("at first", "01")
		r.Clock.Turn(-3 * time.Minute)
		second := next("while the clock has gone back", "02")
		r.Stop()
		r.Start(coretest.Options{Idle: true})
		next("after a restart", "03")
		if err := r.DB.Write(context.Background(), store.Entry{Action: "restore"}, func(tx *store.Tx) error {
			saved, err := tx.SaveList(first, last)
			if err == nil && !saved {
				err = errors.New("the list is another one")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		r.Clock.Turn(4 * time.Minute) // a restore takes its time
		next("after the lists were restored", "04")
		if second.Number != first.Number+1 {
			t.Errorf("got %d after %d, want the next", second.Number, first.Number)
		}
	})
}

// Publishers that work at a time, on one node or several, lose nothing: whatever is
// said to be listed stands in the list of that moment.
func TestPublishersAtATimeLoseNothing(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		nodes := []*core.Core{r.Core}
		for range 2 {
			db := r.DB
			if db.IsShared() {
				var err error
				if db, err = store.Open(context.Background(), d.Address, store.Options{Clock: r.Clock.Now}); err != nil {
					t.Fatal(err)
				}
				defer db.Close()
			}
			nodes = append(nodes, core.New(core.Config{DB: db, Box: r.Box, Log: slog.New(slog.DiscardHandler)}))
		}
		part := partOf(t, r, 0)
		const many = 40
		revoking, done := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for _, c := range nodes {
			all.Go(func() {
				for revoking.Err() == nil {
					if err := c.PublishLists(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Go(func() {
			last := int64(0)
			for revoking.Err() == nil {
				last = listed(t, r, part, last)
			}
		})
		var serials []string
		for i := range many {
			serials = append(serials, fmt.Sprintf("%02X", i+1))
			enlist(t, r.DB, part, serials[i])
		}
		done()
		all.Wait()
		publishAll(t, r)
		listed(t, r, part, 0)
		if _, list := crl(t, r, 0); !slices.Equal(names(list), serials) {
			t.Errorf("got %v, want %v", names(list), serials)
		}
	})
}

// A list that was made before another was published comes too late: the other one
// names what was revoked meanwhile.
func TestLateListIsNotPublished(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		part, other := partOf(t, r, 0), core.New(core.Config{DB: r.DB, Box: r.Box, Log: slog.New(slog.DiscardHandler)})
		crl(t, r, 0)
		r.Clock.Turn(13 * time.Hour)
		saved, err := r.PublishAfter(context.Background(), core.ECDSAIssuer, 0, func() {
			enlist(t, r.DB, part, "0A")
			if err := other.PublishLists(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if err != nil || saved {
			t.Errorf("got published %v, %v; want it refused", saved, err)
		}
		listed(t, r, part, 0)
		if _, list := crl(t, r, 0); !slices.Equal(names(list), []string{"0A"}) {
			t.Errorf("got %v, want what was revoked last", names(list))
		}
	})
}

// listed makes sure that the list names what is said to be listed, and follows the
// one with the number; it returns its own.
func listed(t testing.TB, r *coretest.Rig, p store.Part, last int64) int64 {
	var l store.List
	var entries []store.LedgerEntry
	err := r.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		if entries, err = tx.Revoked(p, time.Time{}); err == nil {
			l, err = tx.List(p)
		}
		return err
	})
	if errors.Is(err, clm.NotFound) {
		return last
	}
	if err != nil {
		t.Error(err)
		return last
	}
	if l.Number < last {
		t.Errorf("got number %d after %d", l.Number, last)
	}
	list, err := x509.ParseRevocationList(l.DER)
	if err != nil {
		t.Error(err)
		return last
	}
	named := names(list)
	for _, e := range entries {
		if e.Listed && !slices.Contains(named, e.Serial) {
			t.Errorf("%s is said to be listed and is not", e.Serial)
		}
	}
	return l.Number
}

// What one revocation costs does not depend on what is revoked elsewhere: one list is
// made, which names what is revoked in its own part.
func TestRevocationCostsItsPartOnly(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		const shards, each = 8, 250
		makeShards(t, r, shards+1)
		for shard := range int64(shards) {
			var serials []string
			for i := range each {
				serials = append(serials, fmt.Sprintf("%04X", 1+int(shard)*each+i))
			}
			enlist(t, r.DB, partOf(t, r, shard+1), serials...)
		}
		publishAll(t, r)
		before := lists(t, r)
		enlist(t, r.DB, partOf(t, r, 0), "FFFF")
		publishAll(t, r)
		if _, list := crl(t, r, 0); !slices.Equal(names(list), []string{"FFFF"}) {
			t.Errorf("got %v, want the one that was revoked there", names(list))
		}
		if made := lists(t, r) - before; made != 1 {
			t.Errorf("got %d lists made for one revocation, want 1", made)
		}
		if _, list := crl(t, r, core.WholeList); len(names(list)) != shards*each+1 {
			t.Errorf("got %d in the whole list, want %d", len(names(list)), shards*each+1)
		}
	})
}

// lists is how many lists were published so far that named something new.
func lists(t testing.TB, r *coretest.Rig) (n int) {
	t.Helper()
	entries, err := r.Entries("publish")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Outcome == "ok" {
			n++
		}
	}
	return n
}

// A list is served as it is while it is fresh, made anew in the middle of its life,
// and never old. There is an entry only for those that name something new.
func TestListsAreMadeWhenTheyMustBe(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		last := map[int64]int64{}
		for _, step := range []struct {
			what   string
			turn   time.Duration
			revoke string
			shard  int64
			made   bool
			names  int
		}{
			{"asked for first", 0, "", 0, true, 0},
			{"asked for again", time.Hour, "", 0, false, 0},
			{"in the middle of its life", 12 * time.Hour, "", 0, true, 0},
			{"the whole list, asked for first", 0, "", core.WholeList, true, 0},
			{"the whole list, hours later", 5 * time.Hour, "", core.WholeList, false, 0},
			{"the whole list, after one was revoked", 0, "0A", core.WholeList, true, 1},
			{"the whole list, right after another was revoked", time.Second, "0B", core.WholeList, false, 1},
			{"the whole list, a minute after it was revoked", time.Minute, "", core.WholeList, true, 2},
			{"the whole list, another minute later", time.Minute, "", core.WholeList, false, 2},
			{"the whole list, half a day later", 12 * time.Hour, "", core.WholeList, true, 2},
		} {
			r.Clock.Turn(step.turn)
			if step.revoke != "" {
				enlist(t, r.DB, partOf(t, r, 0), step.revoke)
			}
			before := lists(t, r)
			l, list := crl(t, r, step.shard)
			if made := l.Number != last[step.shard]; made != step.made || len(names(list)) != step.names {
				t.Errorf("%s: got another list %v of %v, want %v of %d", step.what, made, names(list), step.made, step.names)
			}
			if news := len(names(list)) > 0 && step.names > 0 && step.made && step.turn != 12*time.Hour; (lists(t, r) > before) != news {
				t.Errorf("%s: got %d entries, want some: %v", step.what, lists(t, r)-before, news)
			}
			last[step.shard] = l.Number
		}
	})
}

// The whole list names what was revoked by a slow clock, or committed late.
func TestWholeListGoesByNoClock(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		crl(t, r, core.WholeList)
		part := partOf(t, r, 0)
		if err := r.DB.Write(context.Background(), store.Entry{Action: "revoke"}, func(tx *store.Tx) error {
			return tx.Enlist(store.LedgerEntry{Issuer: part.Issuer, Serial: "0A", NotAfter: tx.Now.Add(clm.Day), Revoked: tx.Now.Add(-9 * time.Minute)})
		}); err != nil {
			t.Fatal(err)
		}
		publishAll(t, r)
		r.Clock.Turn(time.Minute)
		if _, list := crl(t, r, core.WholeList); !slices.Equal(names(list), []string{"0A"}) {
			t.Errorf("got %v, want the one revoked", names(list))
		}
	})
}

// The time of a list grows with each, even within a second or where the clock is a
// little back; a list of the far future is replaced.
func TestListTimesGrow(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	makeShards(t, r, 1)
	part, last := partOf(t, r, 0), time.Time{}
	for n, turn := range []time.Duration{0, 0, 0, -3 * time.Minute, time.Hour} {
		r.Clock.Turn(turn)
		enlist(t, r.DB, part, fmt.Sprintf("%02X", n+1))
		publishAll(t, r)
		l, _ := crl(t, r, 0)
		if !l.Made.After(last) {
			t.Errorf("list %d: got it made at %v after one of %v", n, l.Made, last)
		}
		last = l.Made
	}
	r.Clock.Turn(-time.Hour)
	if l, _ := crl(t, r, 0); !l.Made.Before(last) {
		t.Errorf("got a list of %v in place of one of the future, %v", l.Made, last)
	}
}

// After a backup was restored the number is greater than any before, at once.
func TestRestoredListsAreMadeAnew(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		for _, shard := range []int64{0, core.WholeList} {
			saved, _ := crl(t, r, shard)
			r.Clock.Turn(13 * time.Hour)
			lost, _ := crl(t, r, shard)
			r.Clock.Turn(time.Hour)
			r.Stop()
			r.Start(coretest.Options{Idle: true})
			saved.Made = r.DB.Now().Add(-time.Hour) // it is not due for its age
			if err := r.DB.Write(context.Background(), store.Entry{Action: "restore"}, func(tx *store.Tx) error {
				_, err := tx.SaveList(saved, lost.Number)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			first, _ := crl(t, r, shard)
			if first.Number <= lost.Number {
				t.Errorf("list %d: got number %d after %d", shard, first.Number, lost.Number)
			}
			if again, _ := crl(t, r, shard); again.Number != first.Number {
				t.Errorf("list %d: it was made once more", shard)
			}
		}
	})
}

// What is revoked in a part that is still to be counted, as the counter has come from
// a backup, is published there all the same.
func TestPartBeyondTheCounterIsPublished(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		enlist(t, r.DB, partOf(t, r, 70), "0A")
		publishAll(t, r)
		if _, list := crl(t, r, 70); !slices.Equal(names(list), []string{"0A"}) {
			t.Errorf("got %v, want the one revoked", names(list))
		}
		crl(t, r, 69)
		if _, err := r.List(context.Background(), core.ECDSAIssuer, 71); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want no list where nothing can be", err)
		}
	})
}

// A part is taken from an address of ours only, whichever it was at the time.
func TestPartIsReadFromOurAddressesOnly(t *testing.T) {
	t.Parallel()
	urls := []string{"http://now.example", "http://then.example:81/pki"}
	own := clm.VersionID(3 * 4096)
	for what, c := range map[string]struct {
		points []string
		want   int64
	}{
		"no address":                         {nil, 3},
		"the present address":                {[]string{ca.ListURL(urls[0], "my ca", 900)}, 900},
		"a former address":                   {[]string{"http://x.example/7.crl", ca.ListURL(urls[1], "my ca", 5)}, 5},
		"an address of others":               {[]string{"http://x.example/crl/my%20ca/7.crl"}, 3},
		"another issuer":                     {[]string{ca.ListURL(urls[0], "other", 7)}, 3},
		"the whole list":                     {[]string{ca.WholeListURL(urls[0], "my ca")}, 3},
		"a number that is written otherwise": {[]string{"http://now.example/crl/my%20ca/07.crl"}, 3},
		"a number below zero":                {[]string{ca.ListURL(urls[0], "my ca", -1)}, 3},
	} {
		cert := issue(t, &x509.Certificate{CRLDistributionPoints: c.points}, nil)
		if got := core.ShardOf(clm.Version{ID: own, Cert: cert.der}, "my ca", urls); got != c.want {
			t.Errorf("%s: got part %d, want %d", what, got, c.want)
		}
	}
	if got := core.ShardOf(clm.Version{ID: own, Cert: []byte("none")}, "my ca", urls); got != 3 {
		t.Errorf("what cannot be read: got part %d, want 3", got)
	}
}

// A whole list keeps nobody waiting who wants a part or an answer, nor the other way
// round, and is read only once.
func TestWholeListsKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	makeShards(t, r, 1)
	giveBack := r.TakeTurns()
	first, _ := crl(t, r, core.WholeList)
	giveBack()
	again, _ := crl(t, r, core.WholeList)
	if &first.DER[0] != &again.DER[0] || again.Sum != sha256.Sum256(again.DER) {
		t.Error("a whole list was read again, or its sum is wrong")
	}
	if err := r.DB.Write(context.Background(), store.Entry{Action: "publish elsewhere"}, func(tx *store.Tx) error {
		other := first
		other.Number++
		_, err := tx.SaveList(other, first.Number)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if l, err := r.List(context.Background(), core.ECDSAIssuer, core.WholeList); err != nil || l.Number != first.Number+1 {
		t.Errorf("got list %d, %v; want the one that another node has published, %d", l.Number, err, first.Number+1)
	}
	r.Clock.Turn(13 * time.Hour)
	giveBack = r.TakeWholeTurn()
	defer giveBack()
	waiting, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.List(waiting, core.ECDSAIssuer, core.WholeList) })
	crl(t, r, 0)
	cancel()
	done.Wait()
	if text := r.Log.String(); strings.Contains(text, "make a revocation list") {
		t.Errorf("that somebody has hung up was logged:\n%s", text)
	}
}

// A list that cannot be made anew is served as it is while it is valid, and that is
// logged once a minute.
func TestFailingListIsToldOnce(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true, Fault: func(statement string) error {
		if full.Load() && strings.Contains(statement, "UPDATE lists") {
			return errors.New("the disk is full")
		}
		return nil
	}})
	makeShards(t, r, 1)
	first, _ := crl(t, r, 0)
	r.Clock.Turn(13 * time.Hour)
	full.Store(true)
	for want := 1; want <= 2; want++ {
		for range 3 {
			if l, err := r.List(context.Background(), core.ECDSAIssuer, 0); err != nil || l.Number != first.Number {
				t.Errorf("got list %d, %v; want the one of before", l.Number, err)
			}
		}
		if got := strings.Count(r.Log.String(), "make a revocation list"); got != want {
			t.Errorf("got %d lines in the log, want %d", got, want)
		}
		r.Clock.Turn(core.ToldFor)
	}
}

// However much is revoked, a part is made about once a second.
func TestPartsAreMadeOnceASecond(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{})
	makeShards(t, r, 1)
	part, n := partOf(t, r, 0), 0
	begun := time.Now()
	for time.Since(begun) < 2500*time.Millisecond {
		n++
		enlist(t, r.DB, part, fmt.Sprintf("%04X", n))
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, "a list is made", func() bool { return lists(t, r) > 0 })
	if made, took := lists(t, r), time.Since(begun); made > int(took/time.Second)+2 {
		t.Errorf("got %d lists in %v, want about one a second", made, took)
	}
}

// A root has a whole list and no parts, until it issues something that is no CA.
func TestRootsHaveNoParts(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{})
		ctx := context.Background()
		const root, template = core.ECDSAIssuer + "-root", `\VED\Policy\CAs\Root`
		request(t, r, core.DefaultZone, "www.example.com")
		if _, err := r.List(ctx, root, 0); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want no part of a root's list", err)
		}
		if _, err := r.List(ctx, root, core.WholeList); err != nil {
			t.Error(err)
		}
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: template, Class: clm.Authority, Own: map[clm.Attr][]string{clm.Driver: {core.DriverName}, clm.Issuer: {root}}}); err != nil {
			t.Fatal(err)
		}
		folder := r.Folder(`\VED\Policy\Root`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{template}}})
		done, err := r.Request(ctx, r.Admin, core.Request{Folder: folder, Names: clm.Names{CommonName: "www.example.com"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Wait(ctx, done.Work, patience); err != nil {
			t.Fatal(err)
		}
		if _, err := r.List(ctx, root, 0); err != nil {
			t.Errorf("got %v, want the part to which a certificate points", err)
		}
	})
}

// A revoked certificate leaves the list once a list has named it after its end, and
// not before.
func TestExpiredCertificatesLeaveTheList(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{Idle: true})
		makeShards(t, r, 1)
		enlist(t, r.DB, partOf(t, r, 0), "0A")
		publishAll(t, r)
		for _, step := range []struct {
			turn time.Duration
			want int
		}{{0, 1}, {89 * clm.Day, 1}, {3 * clm.Day, 1}, {clm.Day, 0}} {
			r.Clock.Turn(step.turn)
			for _, shard := range []int64{0, core.WholeList} {
				if _, list := crl(t, r, shard); len(names(list)) != step.want {
					t.Errorf("list %d after %v more: got %v, want %d in it", shard, step.turn, names(list), step.want)
				}
			}
		}
	})
}

// Lists say all addresses at which certificates look for them: the present one and
// former ones, as soon as there is another.
func TestFormerAddressesStayInLists(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		makeShards(t, r, 1)
		if _, err := r.List(ctx, core.ECDSAIssuer, 0); !errors.Is(err, clm.NotFound) {
			t.Errorf("without an address: got %v, want no part of a list, which would pass for the whole", err)
		}
		enlist(t, r.DB, partOf(t, r, 0), "0A")
		publishAll(t, r)
		var addresses []string
		for n := range 10 {
			base := fmt.Sprintf("http://pki%d.example.com:8480/x", n)
			addresses = slices.Insert(addresses, 0, base)
			for range 2 { // the second time it is known
				if err := r.SetPublishURL(ctx, base+"/"); err != nil {
					t.Fatal(err)
				}
			}
			l, list := crl(t, r, 0)
			want := addresses[:min(len(addresses), 9)]
			if l.URLs != strings.Join(want, " ") {
				t.Errorf("got addresses %q, want %q", l.URLs, want)
			}
			for _, base := range want {
				if !strings.Contains(string(list.Raw), ca.ListURL(base, core.ECDSAIssuer, 0)) {
					t.Errorf("the list does not say that it is found at %s", base)
				}
			}
		}
		for _, bad := range []string{"", "pki.example.com", "ftp://pki.example.com", "http://", "http://a b", "http://ü.example", "http://u:p@pki.example.com", "http://pki.example.com?q"} {
			if err := r.SetPublishURL(ctx, bad); !errors.Is(err, clm.Invalid) {
				t.Errorf("%q: got %v, want it refused", bad, err)
			}
		}
	})
}

// Lists that nobody can need are not made.
func TestThereAreNoListsWithoutEnd(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	makeShards(t, r, 2)
	for _, shard := range []int64{-2, 1000, 1 << 62} {
		if _, err := r.List(context.Background(), core.ECDSAIssuer, shard); !errors.Is(err, clm.NotFound) {
			t.Errorf("shard %d: got %v, want not found", shard, err)
		}
	}
	if _, err := r.List(context.Background(), "nobody", core.WholeList); !errors.Is(err, clm.NotFound) {
		t.Errorf("got %v, want no list of an issuer that is not there", err)
	}
	if err := r.DB.Read(context.Background(), func(tx *store.Tx) error {
		if has, err := tx.HasParts(partOf(t, r, 0).Issuer); err != nil || has {
			t.Errorf("lists were made, or %v", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// CAs made while an address is known say where the one above publishes; a root has a
// list, too, and the responder knows which CAs it has certified.
func TestIssuersSayWhereTheirRootPublishes(t *testing.T) {
	t.Parallel()
	r := publishing(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	const root = core.ECDSAIssuer + "-root"
	if _, err := r.AddIssuer(ctx, r.Admin, core.NewIssuer{
		Name: "second", Above: root, Subject: clm.Names{CommonName: "Second CA", Organization: "Certwright", Country: "US"}, Key: pki.KeySpec{Algorithm: clm.ECC, Curve: clm.P256},
	}); err != nil {
		t.Fatal(err)
	}
	der, err := r.Certificate(ctx, "second")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][]string{
		ca.CertURL(here, root): cert.IssuingCertificateURL, ca.WholeListURL(here, root): cert.CRLDistributionPoints, ca.OCSPURL(here): cert.OCSPServer,
	} {
		if !slices.Equal(got, []string{what}) {
			t.Errorf("got %q, want %s", got, what)
		}
	}
	above, err := r.Certificate(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask1(t, r, cert, above); got.Status != pki.StatusGood {
		t.Errorf("got status %v of an issuing CA, want good", got.Status)
	}
	l, err := r.List(ctx, root, core.WholeList)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := x509.ParseRevocationList(l.DER); err != nil || len(list.RevokedCertificateEntries) != 0 {
		t.Errorf("got %v, %v; want an empty list", list, err)
	}
}

// A server that runs publishes by itself what is revoked, whoever revokes it.
func TestRevocationsArePublishedByThemselves(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := publishing(t, d, coretest.Options{})
		place := request(t, r, r.Folder(`\VED\Policy\EC`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{core.ECDSACA}}}), "www.example.com")
		cert, err := x509.ParseCertificate(place.Version.Cert)
		if err != nil {
			t.Fatal(err)
		}
		shard := place.Version.ID.Shard()
		if want := ca.ListURL(here, core.ECDSAIssuer, shard); !slices.Equal(cert.CRLDistributionPoints, []string{want}) {
			t.Errorf("the certificate points to %q, want %s", cert.CRLDistributionPoints, want)
		}
		if _, list := crl(t, r, shard); len(names(list)) != 0 {
			t.Errorf("got %v, want nothing revoked", names(list))
		}
		if _, err := r.Revoke(context.Background(), r.Admin, core.Revoke{DN: string(place.Place.DN), Reason: clm.KeyCompromise}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is listed", func() bool {
			_, list := crl(t, r, shard)
			if !slices.Contains(names(list), place.Version.Serial) {
				return false
			}
			if got := list.RevokedCertificateEntries[0].ReasonCode; got != int(clm.KeyCompromise) {
				t.Errorf("got reason %d, want %d", got, clm.KeyCompromise)
			}
			return true
		})
	})
}

// A certificate that was imported, too, is named in the part of the list to which it
// points, whichever of the versions is revoked and whichever place was deleted.
func TestImportedCertificateIsListedWhereItPoints(t *testing.T) {
	t.Parallel()
	for _, removed := range []bool{false, true} {
		t.Run(fmt.Sprintf("removed %v", removed), func(t *testing.T) {
			t.Parallel()
			r := publishing(t, coretest.SQLite(t), coretest.Options{})
			ctx := context.Background()
			first := request(t, r, r.Folder(`\VED\Policy\EC`, map[clm.Attr]clm.Rule{clm.IssuedBy: {Values: []string{core.ECDSACA}}}), "www.example.com")
			var bundle []byte
			for _, der := range append([][]byte{first.Version.Cert}, first.Chain...) {
				bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
			}
			r.Stop()
			r.Start(coretest.Options{}) // it takes numbers of other shards
			copied, err := r.Import(ctx, r.Admin, core.Import{Folder: core.DefaultZone, Name: "copy", Certificate: secret.NewPlain(bundle)})
			if err != nil {
				t.Fatal(err)
			}
			gone, left := copied.DN, first.Place.DN
			if removed {
				gone, left = left, gone
			}
			place, err := r.Object(ctx, r.Admin, string(gone))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Remove(ctx, r.Admin, place.ID); err != nil {
				t.Fatal(err)
			}
			revoke(t, r, left, clm.Superseded)
			publishAll(t, r)
			if _, list := crl(t, r, first.Version.ID.Shard()); !slices.Contains(names(list), first.Version.Serial) {
				t.Errorf("got %v, want %s where the certificate points", names(list), first.Version.Serial)
			}
		})
	}
}
