package core_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// TestNamesakesComeToStandSideBySide asks for certificates of one name many times at once:
// each gets a place of its own, and none that is there begins anew.
func TestNamesakesComeToStandSideBySide(t *testing.T) {
	const many = 20
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		var mu sync.Mutex
		places, records := map[clm.DN]bool{}, map[string]bool{}
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				done, err := r.Request(ctx, r.Admin, core.Request{
					Group: core.GatewayGroup, Fresh: true, Names: clm.Names{CommonName: `www\example`}, Action: core.ActionCreate,
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				places[done.DN], records[done.Record] = true, true
			})
		}
		all.Wait()
		if len(places) != many || len(records) != many {
			t.Errorf("got %d places and %d records, want %d of each: %v", len(places), len(records), many, places)
		}
		if dn := clm.DN(`\VED\Policy\Certificate-Gateway\www_example`); !places[dn] || !places[dn+"-2"] {
			t.Errorf("got %v, want %s among them", places, dn)
		}
	})
}

// TestPlacesFindAFreeName makes sure that a name is found where many are taken, also with
// gaps among their numbers, and where it is as long as names can be.
func TestPlacesFindAFreeName(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		long := ""
		for range clm.MaxNameLength {
			long += "ä"
		}
		for _, name := range []string{"www", "www-2", "www-4", "www-7", long} {
			r.Folder(`\VED\Policy\Shop\`+name, nil)
		}
		short := long[:len(long)-2*len("ä")] // so that there is room for the number
		for _, c := range []struct{ name, want string }{
			{"www", "www-5"}, {"www", "www-6"}, {"www", "www-8"}, {"www-2", "www-2-2"}, {long, short + "-2"}, {long, short + "-3"},
		} {
			done, err := r.Request(ctx, r.Admin, core.Request{Group: "Shop", Fresh: true, Name: c.name, Names: clm.Names{CommonName: "www"}})
			if err != nil || done.DN.Name() != c.want {
				t.Errorf("%s: got %s, %v, want %s", c.name, done.DN.Name(), err, c.want)
			}
		}
	})
}

// TestAccountsNameTemplates says by which names of vendors and accounts which templates go,
// and for whom.
func TestAccountsNameTemplates(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		for dn, own := range map[string]map[clm.Attr][]string{
			`\VED\Policy\CAs\A`: {clm.AuthorityVendor: {"Acme", "Acme CA"}, clm.AuthoritySetting: {"main"}},
			`\VED\Policy\CAs\B`: {clm.AuthorityVendor: {"Acme"}},
		} {
			own[clm.Driver], own[clm.Issuer] = []string{core.DriverName}, []string{core.RSAIssuer}
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: clm.Authority, Own: own}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			of   core.AuthorityRef
			want clm.DN // empty: there is none
		}{
			{core.AuthorityRef{Vendors: []string{"acme ca"}, Account: "MAIN"}, `\VED\Policy\CAs\A`},
			{core.AuthorityRef{Vendors: []string{"ACME"}, Account: "b"}, `\VED\Policy\CAs\B`},
			{core.AuthorityRef{Vendors: []string{"Acme"}, Account: "A"}, ""},
			{core.AuthorityRef{Vendors: []string{"Acme CA"}, Account: "B"}, ""},
			{core.AuthorityRef{Vendors: []string{"Other"}, Account: "Default"}, ""},
			{core.AuthorityRef{Vendors: []string{"Other"}, Silent: true, Account: "default"}, clm.DN(core.DefaultCA)},
			{core.AuthorityRef{Silent: true, Account: "main"}, ""},
			{core.AuthorityRef{Silent: true}, ""},
		} {
			found, err := r.CASetting(ctx, r.Admin, c.of)
			switch {
			case c.want == "" && !errors.Is(err, clm.NotFound):
				t.Errorf("%v: got %v, %v, want none", c.of, found, err)
			case c.want != "" && (err != nil || found.Last().DN != c.want):
				t.Errorf("%v: got %v, %v, want %s", c.of, found, err, c.want)
			}
		}
		nobody := clm.Actor{ID: "7e3d5266-0000-4000-8000-000000000000", Name: "nobody"}
		if _, err := r.CASetting(ctx, nobody, core.AuthorityRef{Silent: true, Account: "Default"}); !errors.Is(err, clm.NotFound) {
			t.Errorf("for nobody: got %v", err)
		}
	})
}
