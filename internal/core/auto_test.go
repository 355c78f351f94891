package core_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// due begins what is due and waits until each of the places has another version
// than it had.
func due(t *testing.T, r *coretest.Rig, want int) {
	t.Helper()
	begun, err := r.RenewDue(context.Background())
	if err != nil || begun != want {
		t.Fatalf("got %d renewals begun, %v; want %d", begun, err, want)
	}
}

// settled waits until nothing is open for the place, and returns its version in use.
func settled(t *testing.T, r *coretest.Rig, dn string) core.Issued {
	t.Helper()
	for {
		got, err := r.Retrieve(context.Background(), r.Admin, core.Retrieve{DN: dn, KeyIfAny: true})
		if err != nil {
			t.Fatal(err)
		}
		if got.Open == nil {
			fits(t, got)
			return got
		}
		if _, err := r.Wait(context.Background(), got.Open.ID, patience); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate is renewed once its window has come, once, and again in the next
// window; until then nothing happens.
func TestRenewedWithinWindow(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		r.Folder(`\VED\Policy\Auto`, map[clm.Attr]clm.Rule{clm.ValidityDays: {Values: []string{"90"}}, clm.RenewalWindow: {Values: []string{"20"}}})
		first := request(t, r, `\VED\Policy\Auto`, "www.example.com")
		dn := string(first.Place.DN)
		due(t, r, 0)
		r.Clock.Turn(69 * clm.Day) // a day before the window
		due(t, r, 0)
		r.Clock.Turn(7 * clm.Day) // past the first quarter of the window
		due(t, r, 1)
		second := settled(t, r, dn)
		if second.Version.Serial == first.Version.Serial {
			t.Fatal("the certificate was not renewed")
		}
		due(t, r, 0)
		r.Clock.Turn(77 * clm.Day)
		due(t, r, 1)
		if third := settled(t, r, dn); third.Version.Serial == second.Version.Serial {
			t.Error("the certificate was not renewed again")
		}
	})
}

// Nothing is renewed by itself that somebody has switched off or that cannot be.
func TestNotRenewedByItself(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		off := request(t, r, r.Folder(`\VED\Policy\Off`, map[clm.Attr]clm.Rule{clm.NoAutoRenewal: {Values: []string{"1"}}}), "off.example.com")
		disabled := request(t, r, core.DefaultZone, "disabled.example.com")
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: string(disabled.Place.DN), Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.Off: {"1"}}}); err != nil {
			t.Fatal(err)
		}
		done, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, CSR: csrOf(t, clm.Names{CommonName: "csr.example.com"}, newKey(t))})
		if err != nil {
			t.Fatal(err)
		}
		await(t, r, done)
		r.Clock.Turn(5 * 365 * clm.Day)
		due(t, r, 0)
		// Once it is allowed it is made up for.
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: `\VED\Policy\Off`, Class: clm.Folder, Policy: map[clm.PolicyKey]clm.Rule{{Class: clm.AnyCertificate, Attr: clm.NoAutoRenewal}: {}}}); err != nil {
			t.Fatal(err)
		}
		due(t, r, 1)
		settled(t, r, string(off.Place.DN))
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: string(disabled.Place.DN), Class: clm.ServerCertificate, Own: map[clm.Attr][]string{clm.Off: {"0"}}}); err != nil {
			t.Fatal(err)
		}
		due(t, r, 1)
	})
}

// A renewal that came to nothing is tried again a day later, not a lifetime later
// and not at once.
func TestAutomaticRenewalIsTriedAgain(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		const zone = `\VED\Policy\Auto`
		r.Folder(zone, nil)
		got := request(t, r, zone, "www.example.com")
		r.Folder(zone, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.org"}}})
		r.Clock.Turn(5 * 365 * clm.Day)
		due(t, r, 0) // the folder does not allow the name any more
		r.Folder(zone, map[clm.Attr]clm.Rule{clm.DomainWhitelist: {Values: []string{"example.com"}}})
		due(t, r, 0)
		r.Clock.Turn(25 * time.Hour)
		due(t, r, 1)
		settled(t, r, string(got.Place.DN))
	})
}

// Certificates that were issued together are not renewed together.
func TestRenewalsAreSpread(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	r.Folder(`\VED\Policy\Auto`, map[clm.Attr]clm.Rule{clm.ValidityDays: {Values: []string{"90"}}, clm.RenewalWindow: {Values: []string{"40"}}})
	const many = 100
	for i := range many {
		request(t, r, `\VED\Policy\Auto`, fmt.Sprintf("www%d.example.com", i))
	}
	r.Clock.Turn(50*clm.Day - time.Hour)
	due(t, r, 0)
	sum := 0
	for day := range 10 {
		r.Clock.Turn(clm.Day)
		begun, err := r.RenewDue(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if begun > many/3 {
			t.Errorf("on day %d %d of %d are renewed", day, begun, many)
		}
		sum += begun
	}
	r.Clock.Turn(clm.Day)
	begun, err := r.RenewDue(context.Background())
	if sum += begun; err != nil || sum != many {
		t.Errorf("got %d renewed after a quarter of the window, %v; want all %d", sum, err, many)
	}
}

// A window that is not shorter than the lifetime would renew for ever, and is refused.
func TestWindowIsShorterThanLifetime(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	for _, c := range []struct {
		name             string
		window, lifetime string
		ok               bool
	}{
		{"shorter", "29", "30", true},
		{"as long", "30", "30", false},
		{"longer", "31", "30", false},
		{"lifetime not known", "300", "", true},
		{"no number", "soon", "", false},
		{"nothing", "0", "30", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := map[clm.PolicyKey]clm.Rule{{Class: clm.AnyCertificate, Attr: clm.RenewalWindow}: {Values: []string{c.window}}}
			if c.lifetime != "" {
				rules[clm.PolicyKey{Class: clm.AnyCertificate, Attr: clm.ValidityDays}] = clm.Rule{Values: []string{c.lifetime}}
			}
			_, err := r.Put(context.Background(), r.Admin, core.Put{DN: `\VED\Policy\` + c.name, Class: clm.Folder, Policy: rules})
			if (err == nil) != c.ok || err != nil && !errors.Is(err, clm.Invalid) {
				t.Errorf("got %v, want ok %v", err, c.ok)
			}
		})
	}
}

// A folder's window that has come to be too long for a certificate keeps nobody
// from changing something else about it.
func TestTooLongWindowRefusesNothingElse(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	const dn = `\VED\Policy\Window\www`
	put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.ValidityDays: {"10"}})
	r.Folder(`\VED\Policy\Window`, map[clm.Attr]clm.Rule{clm.RenewalWindow: {Values: []string{"20"}}})
	put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.Off: {"1"}})
	for _, own := range []map[clm.Attr][]string{{clm.ValidityDays: {"20"}}, {clm.RenewalWindow: {"10"}}} {
		_, err := r.Put(context.Background(), r.Admin, core.Put{DN: dn, Class: clm.ServerCertificate, Own: own})
		if !errors.Is(err, clm.Invalid) {
			t.Errorf("%v: got %v, want %v", own, err, clm.Invalid)
		}
	}
}
