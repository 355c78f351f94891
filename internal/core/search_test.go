package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// A search finds what is selected and may be seen, in the order of the DNs.
func TestSearch(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		for _, o := range []struct {
			dn    string
			class clm.Class
		}{
			{`\b`, clm.Folder}, {`\a`, clm.Folder}, {`\a\host`, clm.Device}, {`\a\host\app`, basic}, {`\a.b`, clm.Device}, {`\www`, clm.ServerCertificate},
			{`\hidden`, clm.Folder}, {`\hidden\host`, clm.Device},
		} {
			put(t, r, shop+o.dn, o.class, map[clm.Attr][]string{"tpp:Said": {"Of " + o.dn}})
		}
		alice := user(t, r, "alice")
		give(t, r, shop, "alice", clm.Read)
		give(t, r, shop+`\hidden`, "alice", 0)
		give(t, r, shop+`\a\host`, "alice", clm.View)
		for _, c := range []struct {
			name   string
			search core.Search
			want   string
		}{
			{"directly below", core.Search{}, `\a \a.b \b \www`},
			{"everything below", core.Search{Recursive: true}, `\a \a.b \a\host \a\host\app \b \www`},
			{"of a class", core.Search{Recursive: true, Classes: []clm.Class{clm.Device}}, `\a.b \a\host`},
			{"of one of some classes", core.Search{Recursive: true, Classes: []clm.Class{clm.Device, basic}}, `\a.b \a\host \a\host\app`},
			{"of just the class", core.Search{Recursive: true, Classes: []clm.Class{clm.Application}}, ``},
			{"of a class that derives from it", core.Search{Recursive: true, Classes: []clm.Class{clm.Application, clm.CertificateBase}, Derived: true}, `\a\host\app \www`},
			{"by name", core.Search{Recursive: true, Pattern: patternOf(t, "A*")}, `\a \a.b \a\host\app`},
			{"by DN", core.Search{Recursive: true, Pattern: patternOf(t, `*\HOST\a*`)}, `\a\host\app`},
			{"that say something", core.Search{Recursive: true, Has: "www"}, `\www`},
			{"kept, by what may be read", core.Search{Recursive: true, Keep: func(n core.Node) bool { return len(n.Own["tpp:Said"]) > 0 }}, `\a \a.b \b \www`},
		} {
			c.search.Below = strings.ToUpper(shop)
			found, err := r.Search(ctx, alice, c.search)
			check(t, err)
			var got []string
			for _, n := range found {
				got = append(got, strings.TrimPrefix(string(n.DN), shop))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: got %s, want %s", c.name, got, c.want)
			}
			if n, err := r.Count(ctx, alice, c.search); err != nil || n != len(got) {
				t.Errorf("%s: counted %d, %v", c.name, n, err)
			}
		}
		for _, below := range []string{shop + `\hidden`, shop + `\nothing`} {
			if _, err := r.Search(ctx, alice, core.Search{Below: below}); !is(err, clm.NotFound, "") {
				t.Errorf("%s: got %v", below, err)
			}
		}
		everywhere, err := r.Search(ctx, alice, core.Search{})
		if err != nil || len(everywhere) != 7 { // the six, and the folder itself
			t.Errorf("got %d everywhere, %v", len(everywhere), err)
		}
	})
}

// A search goes on beyond what is read at a time, and finds everything once.
func TestSearchIsWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		const many = 2100
		for n := range many {
			_, err := r.Create(ctx, r.Admin, core.NewObject{DN: fmt.Sprintf(`%s\h%04d`, core.DefaultZone, n), Class: clm.Device})
			check(t, err)
		}
		for _, s := range []core.Search{{Below: core.DefaultZone}, {Recursive: true, Classes: []clm.Class{clm.Device}}} {
			found, err := r.Search(ctx, r.Admin, s)
			check(t, err)
			var names []string
			for _, n := range found {
				names = append(names, n.DN.Name())
			}
			if len(names) != many || !slices.IsSorted(names) || len(slices.Compact(names)) != many {
				t.Errorf("got %d objects", len(names))
			}
		}
	})
}

// Objects are known by their numbers, which are not used again, and by revisions that
// only grow.
func TestNumbersAndRevisions(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		dn := shop + `\host`
		made, err := r.Create(ctx, r.Admin, core.NewObject{DN: dn, Class: clm.Device})
		check(t, err)
		if got, err := r.ObjectByNumber(ctx, r.Admin, made.Number); err != nil || got.ID != made.ID || made.Number <= 0 || made.Number >= 1<<31 {
			t.Errorf("got %s, %v by number %d", got.ID, err, made.Number)
		}
		highest := func(classes ...clm.Class) int64 {
			n, err := r.HighestRevision(ctx, r.Admin, shop, classes)
			check(t, err)
			return n
		}
		before := highest()
		check(t, r.EditObject(ctx, r.Admin, dn, []core.Edit{{Attr: "tpp:x", Values: []string{"1"}}}, nil))
		if after := highest(); after <= before || highest(clm.Device) != after || highest(clm.Folder) >= after {
			t.Errorf("got %d after %d, folders %d", after, before, highest(clm.Folder))
		}
		check(t, r.DeleteObject(ctx, r.Admin, dn, false))
		again, err := r.Create(ctx, r.Admin, core.NewObject{DN: dn, Class: clm.Device})
		check(t, err)
		if again.Number <= made.Number || again.ID == made.ID {
			t.Errorf("got number %d after %d", again.Number, made.Number)
		}
		if _, err := r.ObjectByNumber(ctx, r.Admin, made.Number); !is(err, clm.NotFound, "") {
			t.Errorf("got %v for the number of what is gone", err)
		}
		if _, err := r.ObjectByNumber(ctx, r.Admin, 0); !is(err, clm.NotFound, "") {
			t.Errorf("got %v for no number", err)
		}
		if n, err := r.HighestRevision(ctx, user(t, r, "stranger"), shop, nil); !is(err, clm.NotFound, "") {
			t.Errorf("got %d, %v for whoever may not see it", n, err)
		}
	})
}

// What holds is the highest lock, or else the object's own value, or else the nearest
// folder's; the folder's own entries for folders hold for itself.
func TestEffective(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		put(t, r, shop+`\sub`, clm.Folder, nil)
		dn := shop + `\sub\www`
		put(t, r, dn, clm.ServerCertificate, nil)
		rule := func(folder string, class clm.Class, locked bool, values ...string) {
			check(t, r.EditPolicy(ctx, r.Admin, folder, class, core.Edit{Attr: clm.Locality, Values: values}, locked))
		}
		holds := func(name, dn string, want core.Holding) {
			t.Helper()
			got, err := r.Effective(ctx, r.Admin, dn, clm.Locality)
			if err != nil || !slices.Equal(got.Values, want.Values) || got.From != want.From || got.Locked != want.Locked || got.Overridden != want.Overridden {
				t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
			}
		}
		setting := func(from string, locked bool, value string) clm.Setting {
			return clm.Setting{Values: []string{value}, From: clm.DN(from), Locked: locked}
		}
		holds("nothing", dn, core.Holding{})
		rule(shop, clm.CertificateBase, false, "far")
		holds("a base class", dn, core.Holding{Setting: setting(shop, false, "far")})
		rule(shop+`\sub`, clm.AnyCertificate, false, "near")
		holds("the nearest", dn, core.Holding{Setting: setting(shop+`\sub`, false, "near")})
		check(t, r.EditObject(ctx, r.Admin, dn, []core.Edit{{Attr: clm.Locality, Values: []string{"own"}}}, nil))
		holds("its own", dn, core.Holding{Setting: setting("", false, "own"), Overridden: true})
		rule(shop, clm.CertificateBase, true, "locked")
		holds("a lock", dn, core.Holding{Setting: setting(shop, true, "locked"), Overridden: true})
		rule(shop+`\sub`, clm.Folder, false, "folder")
		holds("a folder for itself", shop+`\sub`, core.Holding{Setting: setting(shop+`\sub`, false, "folder")})
		if found, err := r.FindPolicy(ctx, r.Admin, shop+`\sub`, clm.UserCertificate, clm.Locality); err != nil || found.From != clm.DN(shop) || !found.Locked {
			t.Errorf("got %+v, %v for another class", found, err)
		}
	})
}
