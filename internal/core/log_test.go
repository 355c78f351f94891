package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// texts are the first texts of events, in their order.
func texts(list []core.LogEntry) (all []string) {
	for _, e := range list {
		if e.Event != nil {
			all = append(all, e.Event.Text1)
		}
	}
	return all
}

// The log is read by time, by object and by tree, from either end; everybody sees what
// is about objects that they may read.
func TestLogSelects(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		shop := r.Folder(`\VED\Policy\Shop`, nil)
		id := put(t, r, shop+`\www`, clm.ServerCertificate, nil)
		put(t, r, shop+`\www2`, clm.ServerCertificate, nil)
		var times []time.Time
		for i, about := range []string{shop + `\www`, `\ved\policy\shop\WWW2\`, "elsewhere", shop, `\VED\Policy\Shopping`} {
			times = append(times, r.Clock.Now())
			check(t, r.Report(ctx, r.Admin, about, core.Event{Kind: 1, Text1: fmt.Sprint(i)}))
			r.Clock.Turn(time.Hour)
		}
		bob, eve := user(t, r, "bob"), user(t, r, "eve")
		eve.Auditor = true
		give(t, r, shop+`\www`, "bob", clm.Read)
		events := func(e core.LogEntry) bool { return e.Event != nil }
		for _, c := range []struct {
			name  string
			who   clm.Actor
			query core.LogQuery
			want  string
		}{
			{"all, the latest first", r.Admin, core.LogQuery{}, "4 3 2 1 0"},
			{"the oldest first", r.Admin, core.LogQuery{Oldest: true}, "0 1 2 3 4"},
			{"some", r.Admin, core.LogQuery{Skip: 1, Limit: 2}, "3 2"},
			{"a tree", r.Admin, core.LogQuery{About: strings.ToLower(shop)}, "3 1 0"},
			{"an object", r.Admin, core.LogQuery{About: shop + `\www`}, "0"},
			{"an object that was spelled otherwise", r.Admin, core.LogQuery{About: shop + `\www2`}, "1"},
			{"a folder alone", r.Admin, core.LogQuery{About: shop, Only: true}, "3"},
			{"no object", r.Admin, core.LogQuery{About: "Elsewhere"}, "2"},
			{"nothing there", r.Admin, core.LogQuery{About: `\VED\Policy\None`}, ""},
			{"from a time", r.Admin, core.LogQuery{From: times[3]}, "4 3"},
			{"until a time", r.Admin, core.LogQuery{Until: times[2].Add(-time.Minute), Oldest: true}, "0 1"},
			{"until a time far off", r.Admin, core.LogQuery{Until: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, "4 3 2 1 0"},
			{"from a time far off", r.Admin, core.LogQuery{From: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
			{"an auditor", eve, core.LogQuery{}, "4 3 2 1 0"},
			{"a reader of one", bob, core.LogQuery{}, "0"},
			{"a reader of another", bob, core.LogQuery{About: shop + `\www2`}, ""},
		} {
			c.query.Matches = events
			list, err := r.Core.Log(ctx, c.who, c.query)
			if got := strings.Join(texts(list), " "); err != nil || got != c.want {
				t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
			}
		}
		list, err := r.ObjectLog(ctx, bob, id, 100)
		if err != nil || !slices.Equal(texts(list), []string{"0"}) || len(list) < 2 {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

// Who has the name of an object that is gone does not have its history; who may not see
// an object learns nothing by asking for what is about it.
func TestLogIsOfTheObjectItself(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		dn := r.Folder(`\VED\Policy\Shop`, nil) + `\www`
		bob := user(t, r, "bob")
		put(t, r, dn, clm.ServerCertificate, nil)
		give(t, r, dn, "bob", clm.Read)
		check(t, r.Report(ctx, r.Admin, dn, core.Event{Kind: 1, Text1: "old"}))
		r.Clock.Turn(time.Hour)
		check(t, r.DeleteObject(ctx, r.Admin, dn, false))
		r.Clock.Turn(time.Hour)
		id := put(t, r, dn, clm.ServerCertificate, nil)
		give(t, r, dn, "bob", clm.Read)
		check(t, r.Report(ctx, r.Admin, dn, core.Event{Kind: 1, Text1: "new"}))
		for _, who := range []clm.Actor{r.Admin, bob} {
			list, err := r.ObjectLog(ctx, who, id, 100)
			if err != nil || !slices.Equal(texts(list), []string{"new"}) {
				t.Errorf("%s got %v, %v", who.Name, texts(list), err)
			}
		}
		list, err := r.Core.Log(ctx, bob, core.LogQuery{})
		if err != nil || !slices.Equal(texts(list), []string{"new"}) {
			t.Errorf("of all, bob got %v, %v", texts(list), err)
		}
		for _, about := range []string{`\VED\Policy\Shop`, `\VED\Policy\None`} {
			looked := false
			list, err := r.Core.Log(ctx, bob, core.LogQuery{About: about, Matches: func(core.LogEntry) bool { looked = true; return true }})
			if err != nil || len(list) != 0 || looked {
				t.Errorf("%s: got %v, %v, looked: %v", about, list, err, looked)
			}
		}
	})
}

// What was refused is in the log of the object, however its DN was spelled.
func TestRefusalsAreAboutTheObject(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		dn := r.Folder(`\VED\Policy\Shop`, nil)
		id, bob := objectID(t, r, dn), user(t, r, "bob")
		for _, spelled := range []string{`\ved\policy\SHOP`, `\VED\Policy\Shop\`} {
			if err := r.EditObject(ctx, bob, spelled, []core.Edit{{Attr: clm.Description, Values: []string{"x"}}}, nil); !errors.Is(err, clm.NotFound) {
				t.Errorf("%s: got %v", spelled, err)
			}
		}
		list, err := r.ObjectLog(ctx, r.Admin, id, 2)
		if err != nil || len(list) != 2 {
			t.Fatalf("got %v, %v", list, err)
		}
		for _, e := range list {
			if e.Actor != bob.Name || e.Outcome != clm.NotFound.Error() {
				t.Errorf("got %+v", e)
			}
		}
	})
}

// A long log is read in steps, of which each goes on where the one before ended.
func TestLogIsReadInSteps(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	const many = 2500
	for i := range many {
		check(t, r.Report(ctx, r.Admin, "x", core.Event{Text1: fmt.Sprint(i)}))
	}
	for _, oldest := range []bool{false, true} {
		list, err := r.Core.Log(ctx, r.Admin, core.LogQuery{About: "x", Oldest: oldest})
		got := texts(list)
		if !oldest {
			slices.Reverse(got)
		}
		if err != nil || len(got) != many {
			t.Fatalf("got %d, %v; want %d", len(got), err, many)
		}
		for i, text := range got {
			if text != fmt.Sprint(i) {
				t.Fatalf("got %s at %d", text, i)
			}
		}
	}
}

// There are limits to what a user may keep, and what is too much changes nothing.
func TestPreferencesAreLimited(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		var most []core.Preference
		for i := range core.MaxPreferences {
			most = append(most, core.Preference{Name: fmt.Sprint(i), Value: "x"})
		}
		check(t, r.Prefer(ctx, r.Admin, most))
		check(t, r.Prefer(ctx, r.Admin, []core.Preference{{Name: "7", Value: "y"}}))
		for _, p := range []core.Preference{{Name: "new"}, {Name: "8", Value: strings.Repeat("x", core.MaxPreferenceLength+1)}, {Name: strings.Repeat("n", core.MaxPreferenceName+1)}, {}} {
			if err := r.Prefer(ctx, r.Admin, []core.Preference{{Name: "9", Value: "z"}, p}); err == nil {
				t.Errorf("%.20q was kept", p.Name)
			}
		}
		list, err := r.Preferences(ctx, r.Admin, core.PreferencesOf{})
		if err != nil || len(list) != core.MaxPreferences {
			t.Fatalf("got %d, %v", len(list), err)
		}
		for _, p := range list {
			if want := map[bool]string{true: "y", false: "x"}[p.Name == "7"]; p.Value != want {
				t.Errorf("%s: got %q, want %q", p.Name, p.Value, want)
			}
		}
	})
}
