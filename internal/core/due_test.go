package core_test

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/store"
)

// live turns the clock forward until nothing is left of the time, in steps that
// become shorter with it, renews what has become due, and returns how many times.
func live(t *testing.T, r *coretest.Rig, dn string, end time.Time) (renewals int) {
	t.Helper()
	for {
		left := end.Sub(r.Clock.Now())
		if left <= 0 {
			return renewals
		}
		r.Clock.Turn(max(time.Minute, min(12*time.Hour, left/20)))
		begun, err := r.RenewDue(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if begun > 0 && r.Clock.Now().Before(end) {
			settled(t, r, dn)
		}
		renewals += begun
	}
}

// What ends on the day that was asked for is not renewed towards it, until the day
// is another.
func TestEndDateIsNotRenewedTowards(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		put(t, r, core.DefaultCA, clm.Authority, map[clm.Attr][]string{clm.AuthorityKind: {"ours"}})
		for _, attr := range []clm.Attr{clm.EndDate, clm.EndDateFor("ours")} {
			end := r.Clock.Now().Add(90 * clm.Day).UTC().Truncate(time.Second)
			done, err := r.Request(ctx, r.Admin, core.Request{
				Folder: core.DefaultZone, Name: strings.ReplaceAll(string(attr), "/", " "), Names: clm.Names{CommonName: "www.example.com"}, KeyAlgorithm: clm.ECC,
				Own: map[clm.Attr][]string{attr: {end.Format(time.RFC3339)}},
			})
			check(t, err)
			if got := await(t, r, done); !got.Version.NotAfter.Equal(end) {
				t.Fatalf("%s: it ends on %s, want %s", attr, got.Version.NotAfter, end)
			}
			n := live(t, r, string(done.DN), end.Add(-clm.Day))
			t.Logf("%s: %d renewals in 90 days", attr, n)
			if n != 0 {
				t.Errorf("%s: renewed %d times", attr, n)
			}
			put(t, r, string(done.DN), clm.ServerCertificate, map[clm.Attr][]string{attr: {end.Add(90 * clm.Day).Format(time.RFC3339)}})
			due(t, r, 1)
			settled(t, r, string(done.DN))
			put(t, r, string(done.DN), clm.ServerCertificate, map[clm.Attr][]string{clm.NoAutoRenewal: {"1"}})
		}
	})
}

// Near the end of the CA that issues it a certificate is renewed a few times, not
// ever faster.
func TestNoStormAtTheEndOfTheIssuer(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	r.Folder(`\VED\Policy\End`, map[clm.Attr]clm.Rule{clm.ValidityDays: {Values: []string{"365"}}, clm.RenewalWindow: {Values: []string{"30"}}})
	chain, err := r.Chain(context.Background(), core.RSAIssuer)
	check(t, err)
	issuer, err := x509.ParseCertificate(chain[0])
	check(t, err)
	end := issuer.NotAfter
	r.Clock.Turn(end.Add(-90 * clm.Day).Sub(r.Clock.Now()))
	got := request(t, r, `\VED\Policy\End`, "www.example.com")
	if !got.Version.NotAfter.Equal(end) {
		t.Fatalf("it ends on %s, want %s", got.Version.NotAfter, end)
	}
	n := live(t, r, string(got.Place.DN), end.Add(-2*time.Minute))
	t.Logf("%d renewals in 90 days", n)
	if n < 1 || n > 15 {
		t.Errorf("renewed %d times", n)
	}
	// What is issued now would have been due before, counted from its beginning.
	n = 0
	for range 5 {
		begun, err := r.RenewDue(context.Background())
		check(t, err)
		settled(t, r, string(got.Place.DN))
		n += begun
	}
	if n > 1 {
		t.Errorf("renewed %d times at once", n)
	}
	r.Clock.Turn(2 * time.Minute)
	r.Clock.Turn(time.Hour) // it has ended, and so has the CA
	if _, err := r.RenewDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		r.Clock.Turn(5 * time.Minute)
		due(t, r, 0)
	}
	if n := len(entries(t, r, "renew")); n > 20 {
		t.Errorf("%d entries", n)
	}
}

// What a request or a renewal writes on a place counts for its renewal from then
// on, whatever becomes of the work.
func TestRequestsAreHeededByTheRenewal(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		f := &coretest.Faulty{}
		r := coretest.New(t, d, coretest.Options{Connectors: f.Connectors()})
		r.AddFaulty(nil)
		ctx := context.Background()
		ask := func(cn string, hold bool, own map[clm.Attr][]string) core.Accepted {
			t.Helper()
			done, err := r.Request(ctx, r.Admin, core.Request{
				Folder: coretest.FaultyZone, Names: clm.Names{CommonName: cn}, KeyAlgorithm: clm.ECC, Hold: hold, Reenable: true, Own: own,
			})
			check(t, err)
			return done
		}
		off := func(cn string) {
			done := ask(cn, false, nil)
			await(t, r, done)
			put(t, r, string(done.DN), clm.ServerCertificate, map[clm.Attr][]string{clm.Off: {"1"}})
		}
		for _, cn := range []string{"switched off", "watched"} {
			await(t, r, ask(cn, false, nil))
		}
		off("asked for")
		off("renewed")
		ask("switched off", true, map[clm.Attr][]string{clm.NoAutoRenewal: {"1"}})
		ask("watched", true, map[clm.Attr][]string{clm.ManagementType: {clm.Monitoring}})
		ask("asked for", true, nil)
		f.At(func(context.Context, coretest.Call) error { return clm.Permanent(errors.New("no")) })
		done, err := r.Renew(ctx, r.Admin, core.Renew{DN: coretest.FaultyZone + `\renewed`, Reenable: true})
		check(t, err)
		if _, err := r.Wait(ctx, done.Work, patience); err != nil {
			t.Fatal(err)
		}
		check(t, r.DB.Write(ctx, store.Entry{Actor: r.Admin, Action: "reset"}, func(tx *store.Tx) error { return tx.EndWork(done.Work) }))
		f.At(nil)
		r.Clock.Turn(5 * 365 * clm.Day)
		due(t, r, 2)
		for _, cn := range []string{"asked for", "renewed"} {
			settled(t, r, coretest.FaultyZone+`\`+cn)
		}
	})
}

// Whoever finds a certificate due that is not renewed says so, and why.
func TestEntriesOfWhatIsNotRenewed(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		leaf := func(cn string) core.Imported {
			f := foreignLeaf(t, cn, 0, nil)
			return take(t, r, core.Import{Certificate: bundle(f), Key: f.keyPEM(t)})
		}
		busy, refused, renewed := leaf("busy.example.com"), leaf("refused.example.org"), leaf("fine.example.com")
		_, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(busy.DN)})
		check(t, err)
		r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.com"}}})
		r.Clock.Turn(350 * clm.Day)
		due(t, r, 1)
		due(t, r, 0)
		outcomes := map[string]string{}
		for _, e := range entries(t, r, "renew") {
			if e.Actor == "automatic renewal" {
				outcomes[e.Subject] += e.Outcome + ";"
				if (e.Detail == "") != (e.Outcome == "ok") {
					t.Errorf("got %+v", e)
				}
			}
		}
		for dn, want := range map[clm.DN]string{busy.DN: "busy;", refused.DN: "policy violation;", renewed.DN: "ok;"} {
			if outcomes[string(dn)] != want {
				t.Errorf("%s: got %q, want %q", dn, outcomes[string(dn)], want)
			}
		}
	})
}

// Two nodes that look at a time begin each renewal once and say so once.
func TestNodesShareRenewals(t *testing.T) {
	t.Parallel()
	d := coretest.Postgres(t)
	r := coretest.New(t, d, coretest.Options{Idle: true})
	const many = 100
	for i := range many {
		f := foreignLeaf(t, fmt.Sprintf("www%d.example.com", i), 0, nil)
		take(t, r, core.Import{Certificate: bundle(f), Key: f.keyPEM(t)})
	}
	other := coretest.New(t, d, coretest.Options{Idle: true})
	r.Clock.Turn(360 * clm.Day)
	other.Clock.Turn(360 * clm.Day)
	begun := make(chan int, 2)
	for _, node := range []*coretest.Rig{r, other} {
		go func() {
			n, err := node.RenewDue(context.Background())
			if err != nil {
				t.Error(err)
			}
			begun <- n
		}()
	}
	if n := <-begun + <-begun; n != many {
		t.Errorf("%d were begun, want %d", n, many)
	}
	if n := len(entries(t, r, "renew")); n != many {
		t.Errorf("%d entries for %d renewals", n, many)
	}
}

// A fault of ours is no refusal: it is an error, and once it has passed the
// certificate is renewed without a day's delay.
func TestFaultsAreNoRefusals(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		var broken atomic.Bool
		r := coretest.New(t, d, coretest.Options{Idle: true, Fault: func(statement string) error {
			if broken.Load() && strings.Contains(statement, "subjects") {
				return errors.New("out of order")
			}
			return nil
		}})
		f := foreignLeaf(t, "www.example.com", 0, nil)
		take(t, r, core.Import{Certificate: bundle(f), Key: f.keyPEM(t)})
		r.Clock.Turn(360 * clm.Day)
		broken.Store(true)
		if n, err := r.RenewDue(context.Background()); n != 0 || err == nil || !strings.Contains(err.Error(), "out of order") {
			t.Errorf("got %d, %v", n, err)
		}
		broken.Store(false)
		r.Clock.Turn(clm.MinAgain + time.Second)
		due(t, r, 1)
		if e := entries(t, r, "renew"); len(e) != 2 || e[0].Outcome != clm.Internal.Error() || e[1].Outcome != "ok" {
			t.Errorf("got %+v", e)
		}
	})
}

// A certificate that cannot even be read keeps no other from being renewed, nor
// does the look at its folder that fails with it.
func TestOneThatFailsStarvesNobody(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	const many = 70 // more than are claimed at a time
	for i := range many {
		f := foreignLeaf(t, fmt.Sprintf("www%d.example.com", i), 0, nil)
		take(t, r, core.Import{Certificate: bundle(f), Key: f.keyPEM(t)})
	}
	raw, err := sql.Open("sqlite", r.Database.Address)
	check(t, err)
	defer raw.Close()
	spoil := func(own string) {
		t.Helper()
		_, err := raw.Exec("UPDATE objects SET own = $1 WHERE dn_key = $2", own, []byte(strings.ToLower(core.DefaultZone+`\www0.example.com`)))
		check(t, err)
	}
	spoil("nonsense")
	r.Folder(core.DefaultZone, map[clm.Attr]clm.Rule{clm.RenewalWindow: {Values: []string{"40"}}})
	r.Clock.Turn(360 * clm.Day)
	if n, err := r.RenewDue(context.Background()); n != many-1 || err == nil {
		t.Errorf("got %d, %v; want %d and an error", n, err, many-1)
	}
	spoil("")
}

// A refusal costs a certificate that lives for hours some of them, not a day.
func TestShortLivedAreTriedAgainSoon(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	const zone = `\VED\Policy\Short`
	r.Folder(zone, map[clm.Attr]clm.Rule{clm.ValidityDays: {Values: []string{"1"}}})
	got := request(t, r, zone, "www.example.com")
	r.Folder(zone, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.org"}}})
	r.Clock.Turn(19 * time.Hour)
	due(t, r, 0)
	r.Folder(zone, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.com"}}})
	due(t, r, 0)
	r.Clock.Turn(90 * time.Minute)
	due(t, r, 1)
	settled(t, r, string(got.Place.DN))
}
