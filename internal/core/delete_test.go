package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A folder goes with everything below it; certificates elsewhere are used by the
// applications that go no more, and applications elsewhere use none that goes.
func TestDeleteObject(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop, stays := r.Folder(`\VED\Policy\Shop`, nil), r.Folder(`\VED\Policy\Stays`, nil)
		for _, folder := range []string{shop, stays} {
			put(t, r, folder+`\host`, clm.Device, nil)
			put(t, r, folder+`\host\app`, basic, nil)
		}
		gone := take(t, r, core.Import{Folder: shop, Certificate: bundle(foreignLeaf(t, "www.example.com", 0, nil))})
		kept := take(t, r, core.Import{Folder: stays, Certificate: bundle(foreignLeaf(t, "api.example.com", 0, nil))})
		_, err := r.Renew(ctx, r.Admin, core.Renew{DN: string(gone.DN)})
		check(t, err)
		for app, certificate := range map[string]clm.DN{shop + `\host\app`: kept.DN, stays + `\host\app`: gone.DN} {
			check(t, r.EditObject(ctx, r.Admin, app, []core.Edit{{Attr: clm.Bound, Values: []string{string(certificate)}}}, nil))
		}
		if err := r.DeleteObject(ctx, r.Admin, shop, false); !is(err, clm.Unsupported, "below") {
			t.Errorf("got %v for a folder that is not empty", err)
		}
		objectID(t, r, shop+`\host\app`)
		check(t, r.DeleteObject(ctx, r.Admin, shop, true))
		if found, err := r.Search(ctx, r.Admin, core.Search{Below: `\VED\Policy`, Pattern: patternOf(t, "Shop")}); err != nil || len(found) != 0 {
			t.Errorf("got %v, %v", found, err)
		}
		if _, err := r.ObjectByID(ctx, r.Admin, gone.ID); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v for the certificate", err)
		}
		if got := ownOf(t, r, string(kept.DN))[clm.Consumers]; got != nil {
			t.Errorf("the certificate is still used by %q", got)
		}
		if got := ownOf(t, r, stays+`\host\app`)[clm.Bound]; got != nil {
			t.Errorf("the application still uses %q", got)
		}
	})
}

func patternOf(t testing.TB, text string) clm.Pattern {
	t.Helper()
	p, err := clm.ParsePattern(text)
	check(t, err)
	return p
}

// What every installation needs stays, and so does the last user who may do everything.
// It takes the right to delete each object.
func TestDeleteRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, shop+`\a\b`, clm.Folder, nil)
		alice, clerk := user(t, r, "alice"), user(t, r, "clerk")
		give(t, r, shop, "alice", clm.View|clm.Delete)
		give(t, r, shop+`\a\b`, "alice", clm.View)
		give(t, r, string(core.IdentityDN), "clerk", clm.View|clm.Delete)
		for _, c := range []struct {
			name  string
			who   clm.Actor
			dn    string
			kind  clm.Kind
			field string
		}{
			{"nothing", r.Admin, shop + `\no`, clm.NotFound, ""},
			{"no DN", r.Admin, `Shop`, clm.Invalid, "dn"},
			{"the root", r.Admin, `\VED`, clm.Unsupported, "object"},
			{"a root", r.Admin, `\ved\policy`, clm.Unsupported, "object"},
			{"what is there from the start", r.Admin, core.EnginesDN, clm.Unsupported, "object"},
			{"the last master", r.Admin, string(core.IdentityDN) + `\admin`, clm.Unsupported, "object"},
			{"a master, by somebody else", clerk, string(core.IdentityDN) + `\admin`, clm.Denied, ""},
			{"not visible", user(t, r, "stranger"), shop, clm.NotFound, ""},
			{"without the right for what is below", alice, shop, clm.Denied, ""},
		} {
			if err := r.DeleteObject(ctx, c.who, c.dn, true); !is(err, c.kind, c.field) {
				t.Errorf("%s: got %v, want %v %s", c.name, err, c.kind, c.field)
			}
		}
		objectID(t, r, shop+`\a\b`)
		check(t, r.DeleteObject(ctx, clerk, string(core.IdentityDN)+`\alice`, false))
	})
}

// An object takes along what it alone has in the vault, and nothing that others have too.
func TestDeleteTakesSecrets(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		put(t, r, core.DefaultZone+`\a`, clm.Device, nil)
		put(t, r, core.DefaultZone+`\b`, clm.Device, nil)
		own, shared := keep(t, r, core.DefaultZone+`\a`, "lonely-Horse-3-zebra"), keep(t, r, core.DefaultZone+`\a`, "shared-Horse-4-zebra")
		check(t, r.OwnSecret(ctx, r.Admin, shared, core.DefaultZone+`\b`))
		check(t, r.DeleteObject(ctx, r.Admin, core.DefaultZone+`\a`, false))
		if got := kept(t, r, shared); got != "shared-Horse-4-zebra" {
			t.Error("it is another")
		}
		if _, _, err := r.RetrieveSecret(ctx, r.Admin, own); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v for what nobody owns any more", err)
		}
	})
}
