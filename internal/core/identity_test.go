package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

func named(name string) core.PrincipalRef { return core.PrincipalRef{Name: name} }

// groups makes groups, each in the ones that stand behind it.
func groups(t *testing.T, r *coretest.Rig, in map[string][]string) {
	t.Helper()
	for range 2 { // the groups that they are in have to be there first
		for name, above := range in {
			p := core.PutPrincipal{Name: name, IsGroup: true}
			if _, err := r.PrincipalNamed(context.Background(), name); err == nil {
				p.Groups = above
			}
			if _, err := r.PutPrincipal(context.Background(), r.Admin, p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// namesIn lists principals by name.
func namesIn(list []core.Principal) (all []string) {
	for _, p := range list {
		all = append(all, p.Name)
	}
	return all
}

// Whoever owns or may write a group that makes masters or auditors of its members, or is
// in one that does, still cannot put anybody into it.
func TestOnlyMastersMakeMasters(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		who := user(t, r, "jo")
		yes := true
		for _, p := range []core.PutPrincipal{
			{Name: "masters", IsGroup: true, Master: true}, {Name: "auditors", IsGroup: true, Auditor: &yes},
			{Name: "in masters", IsGroup: true, Groups: []string{"masters"}}, {Name: "plain", IsGroup: true},
		} {
			if _, err := r.PutPrincipal(ctx, r.Admin, p); err != nil {
				t.Fatal(err)
			}
			dn := string(core.IdentityDN.Child(p.Name))
			if _, err := r.Put(ctx, r.Admin, core.Put{
				DN: dn, Class: clm.Group, Own: map[clm.Attr][]string{clm.Owners: {string(who.ID)}}, Rights: map[string]clm.Rights{"jo": clm.AllRights},
			}); err != nil {
				t.Fatal(err)
			}
			want := error(clm.Denied)
			if p.Name == "plain" {
				want = nil
			}
			_, _, err := r.ChangeMembers(ctx, who, core.MembersChange{Group: named(p.Name), Members: []core.PrincipalRef{named("jo")}})
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", p.Name, err, want)
			}
			if _, err := r.RenameGroup(ctx, who, named(p.Name), p.Name+" now", false); !errors.Is(err, want) {
				t.Errorf("rename %s: got %v, want %v", p.Name, err, want)
			}
		}
		if again, err := r.Login(ctx, core.Login{Name: "jo", Password: r.Password}); err != nil || again.Master || again.Auditor {
			t.Errorf("got %+v, %v", again, err)
		}
	})
}

// Groups that are in one another, as only an administrator's file can make them, end no
// question about them.
func TestGroupsInOneAnother(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	groups(t, r, map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}})
	user(t, r, "jo")
	if _, _, err := r.ChangeMembers(ctx, r.Admin, core.MembersChange{Group: named("a"), Members: []core.PrincipalRef{named("jo")}}); err != nil {
		t.Fatal(err)
	}
	_, all, err := r.Memberships(ctx, named("jo"), true)
	if want := []string{"a", "b", "c", core.Everyone}; err != nil || !slices.Equal(namesIn(all), want) {
		t.Errorf("memberships: got %v, %v; want %v", namesIn(all), err, want)
	}
	members, err := r.Members(ctx, named("a"), true)
	if want := []string{"b", "c", "jo"}; err != nil || !slices.Equal(namesIn(members), want) {
		t.Errorf("members: got %v, %v; want %v", namesIn(members), err, want)
	}
	_, unknown, err := r.ChangeMembers(ctx, r.Admin, core.MembersChange{Group: named("a"), Members: []core.PrincipalRef{named("a"), named("b"), named("c")}})
	if err != nil || !slices.Equal(unknown, []int{0, 1, 2}) {
		t.Errorf("one more of them: got %v, %v", unknown, err)
	}
}

// Wrong old passwords count as failed logins do, and close the account to the address.
func TestOldPasswordsAreLimited(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	who := user(t, r, "jo")
	change := func(old secret.Plain) error {
		_, err := r.SetPassword(ctx, who, core.NewPassword{Of: named("jo"), Old: old, New: secret.NewString("a new one, long enough to be looked for"), Address: "192.0.2.1"})
		return err
	}
	for i := range core.MaxFailures {
		if err := change(secret.NewString("wrong")); !errors.Is(err, clm.Denied) {
			t.Fatalf("failure %d: got %v, want Denied", i+1, err)
		}
	}
	if err := change(r.Password); !errors.Is(err, clm.Limited) {
		t.Errorf("then the right one: got %v, want Limited", err)
	}
	if _, err := r.Login(ctx, core.Login{Name: "jo", Password: r.Password, Address: "192.0.2.1"}); !errors.Is(err, clm.Limited) {
		t.Errorf("a login: got %v, want Limited", err)
	}
	checkRefusal(t, r, "set password", string(core.IdentityDN.Child("jo")), "jo", clm.Limited)
	r.Clock.Turn(core.FailurePause + time.Second)
	if err := change(r.Password); err != nil {
		t.Errorf("after a pause: got %v", err)
	}
}

// However many there are, no more are found than are wanted, in the same order.
func TestBrowseIsLimited(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	in := map[string][]string{}
	for i := range 30 {
		in[fmt.Sprintf("g%02d", i)] = nil
	}
	groups(t, r, in)
	for _, test := range []struct {
		limit, want int
	}{{0, 30}, {-1, 30}, {7, 7}, {1 << 30, 30}} {
		found, err := r.Browse(ctx, core.Browse{Filter: "g", Groups: true, Limit: test.limit})
		if err != nil || len(found) != test.want || found[0].Name != "g00" {
			t.Errorf("limit %d: got %v, %v; want %d", test.limit, namesIn(found), err, test.want)
		}
	}
}

// A team that is refused leaves nothing behind: no group, no folder, no rights.
func TestRefusedTeamLeavesNothing(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		user(t, r, "jo")
		for _, team := range []core.TeamChange{
			{Owners: []core.PrincipalRef{named("nobody")}},
			{Owners: []core.PrincipalRef{named("jo")}, Assets: []string{core.DefaultZone, `\VED\Policy\Nothing`}},
			{Owners: []core.PrincipalRef{named("jo")}, Products: []string{clm.Ref("00000000-0000-0000-0000-000000000000")}},
		} {
			if _, _, err := r.AddTeam(ctx, r.Admin, "Team", team); err == nil {
				t.Fatalf("%+v: got no error", team)
			}
		}
		if _, err := r.Identity(ctx, named("Team")); !errors.Is(err, clm.NotFound) {
			t.Errorf("the group: got %v, want NotFound", err)
		}
		if _, err := r.Object(ctx, r.Admin, `\VED\Policy\Team`); !errors.Is(err, clm.NotFound) {
			t.Errorf("the folder: got %v, want NotFound", err)
		}
		zone, err := r.Object(ctx, r.Admin, core.DefaultZone)
		if err != nil || len(zone.Grants) != 0 {
			t.Errorf("the asset: got %v, %v", zone.Grants, err)
		}
	})
}

// Nothing that changes users, groups or who is in them leaves nobody a master.
func TestAMasterRemains(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		put := func(p core.PutPrincipal) error {
			_, err := r.PutPrincipal(ctx, r.Admin, p)
			return err
		}
		leave := func(member, group string) error {
			_, _, err := r.ChangeMembers(ctx, r.Admin, core.MembersChange{Group: named(group), Members: []core.PrincipalRef{named(member)}, Remove: true})
			return err
		}
		for _, p := range []core.PutPrincipal{
			{Name: "masters", IsGroup: true, Master: true}, {Name: "inner", IsGroup: true, Groups: []string{"masters"}}, {Name: core.Admin, Groups: []string{"inner"}},
			{Name: "empty", IsGroup: true, Master: true},
		} {
			if err := put(p); err != nil {
				t.Fatal(err)
			}
		}
		for name, change := range map[string]func() error{
			"leaves":               func() error { return leave(core.Admin, "inner") },
			"leaves by nesting":    func() error { return leave("inner", "masters") },
			"the group is deleted": func() error { return r.DeleteGroup(ctx, r.Admin, named("inner")) },
			"the group is put":     func() error { return put(core.PutPrincipal{Name: "masters", IsGroup: true}) },
			"the user is put":      func() error { return put(core.PutPrincipal{Name: core.Admin, Groups: []string{}}) },
		} {
			if err := change(); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v, want Denied", name, err)
			}
			if who, err := r.Login(ctx, core.Login{Name: core.Admin, Password: r.Password}); err != nil || !who.Master {
				t.Fatalf("%s: got %+v, %v; want a master", name, who, err)
			}
		}
		if err := put(core.PutPrincipal{Name: "jo", Master: true}); err != nil {
			t.Fatal(err)
		}
		if err := leave(core.Admin, "inner"); err != nil {
			t.Errorf("with another master: got %v", err)
		}
	})
}

// Who may write a group's object does not come to own the group by that; masters say who
// does, of those that are known, and leave a team one owner.
func TestGroupsAreOwnedByKnownPrincipals(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		jo, eve, gone := user(t, r, "jo"), user(t, r, "eve"), user(t, r, "gone")
		if _, _, err := r.AddTeam(ctx, r.Admin, "Team", core.TeamChange{Owners: []core.PrincipalRef{named("jo"), named("gone")}}); err != nil {
			t.Fatal(err)
		}
		dn := string(core.IdentityDN.Child("Team"))
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: clm.Group, Rights: map[string]clm.Rights{"eve": clm.AllRights}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: core.DefaultZone, Class: clm.Folder, Rights: map[string]clm.Rights{"eve": clm.AllRights}}); err != nil {
			t.Fatal(err)
		}
		if err := r.DeleteObject(ctx, r.Admin, string(core.IdentityDN.Child("gone")), false); err != nil {
			t.Fatal(err)
		}
		jos, eves, gones := string(jo.ID), string(eve.ID), string(gone.ID)
		denied, invalid := clm.Fail(clm.Denied, "read-only", ""), func(field string) error { return clm.Fail(clm.Invalid, field, "") }
		for _, test := range []struct {
			name string
			who  clm.Actor
			edit core.Edit
			want error
		}{
			{"taken over", eve, core.Edit{Attr: clm.Owners, Values: []string{eves}}, denied},
			{"joined", eve, core.Edit{Attr: clm.Owners, Values: []string{eves}, Mode: core.AddTo}, denied},
			{"given an asset", eve, core.Edit{Attr: clm.Assets, Values: []string{core.DefaultZone}}, denied},
			{"no team any more", eve, core.Edit{Attr: clm.TeamFolder}, denied},
			{"no owner", r.Admin, core.Edit{Attr: clm.Owners}, invalid("owners")},
			{"an owner who is gone", r.Admin, core.Edit{Attr: clm.Owners, Values: []string{jos}, Mode: core.RemoveFrom}, invalid("owners")},
			{"text", r.Admin, core.Edit{Attr: clm.Owners, Values: []string{"eve"}, Mode: core.AddTo}, invalid("reference")},
			{"described", eve, core.Edit{Attr: clm.Description, Values: []string{"x"}}, nil},
			{"another owner", r.Admin, core.Edit{Attr: clm.Owners, Values: []string{eves}, Mode: core.AddTo}, nil},
			{"without who is gone", r.Admin, core.Edit{Attr: clm.Owners, Values: []string{gones}, Mode: core.RemoveFrom}, nil},
		} {
			err := r.EditObject(ctx, test.who, dn, []core.Edit{test.edit}, nil)
			if got, want := clm.AsError(err), clm.AsError(test.want); (err == nil) != (test.want == nil) || err != nil && (got.Kind != want.Kind || got.Field != want.Field) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
		team, err := r.Team(ctx, r.Admin, named("Team"))
		if want := []string{"eve", "jo"}; err != nil || !slices.Equal(namesIn(team.Owners), want) {
			t.Errorf("owners: got %v, %v; want %v", namesIn(team.Owners), err, want)
		}
	})
}

// An owner who is not there any more does not count: the last one who is stays.
func TestLastKnownOwnerStays(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		user(t, r, "jo")
		user(t, r, "gone")
		refs := []core.PrincipalRef{named("jo")}
		if _, _, err := r.AddTeam(ctx, r.Admin, "Team", core.TeamChange{Owners: append(refs, named("gone"))}); err != nil {
			t.Fatal(err)
		}
		if err := r.DeleteObject(ctx, r.Admin, string(core.IdentityDN.Child("gone")), false); err != nil {
			t.Fatal(err)
		}
		_, _, demoted := r.ChangeOwners(ctx, r.Admin, core.OwnersChange{Team: named("Team"), Owners: refs, Demote: true})
		_, _, removed := r.ChangeMembers(ctx, r.Admin, core.MembersChange{Group: named("Team"), Members: refs, Remove: true})
		for name, err := range map[string]error{"demoted": demoted, "removed": removed} {
			if e := clm.AsError(err); err == nil || e.Kind != clm.Invalid || e.Field != "owners" {
				t.Errorf("%s: got %v, want Invalid owners", name, err)
			}
		}
	})
}

// What somebody else has said of a team's rights outlives the team's having the folder,
// and a folder that an owner does not see stays the team's.
func TestTeamLeavesOthersEntries(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		user(t, r, "jo")
		folders := []string{`\VED\Policy\Shut`, `\VED\Policy\Open`, `\VED\Policy\Old`}
		for _, dn := range folders {
			if _, err := r.Put(ctx, r.Admin, core.Put{DN: dn, Class: clm.Folder}); err != nil {
				t.Fatal(err)
			}
		}
		made, _, err := r.AddTeam(ctx, r.Admin, "Old", core.TeamChange{Owners: []core.PrincipalRef{named("jo")}, Assets: folders[:2]})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: folders[0], Class: clm.Folder, Rights: map[string]clm.Rights{"Old": 0}}); err != nil {
			t.Fatal(err)
		}
		check := func(when string, dn string, want bool) {
			t.Helper()
			node, err := r.Object(ctx, r.Admin, dn)
			if err != nil {
				t.Fatal(when, err)
			}
			if rights, has := node.Grants[made.ID]; has != want {
				t.Errorf("%s: %s: got an entry %v (%v), want %v", when, dn, has, rights, want)
			}
		}
		jo, err := r.Login(ctx, core.Login{Name: "jo", Password: r.Password}) // now in the team
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.ChangeTeam(ctx, jo, named("Old"), core.TeamChange{Assets: []string{}}); err != nil {
			t.Fatal(err)
		}
		team, err := r.Team(ctx, r.Admin, named("Old"))
		if err != nil || len(team.Assets) != 1 || string(team.Assets[0]) != folders[0] {
			t.Errorf("assets: got %v, %v; want the one that is not seen", team.Assets, err)
		}
		check("changed", folders[0], true)
		check("changed", folders[1], false)
		if err := r.DeleteTeam(ctx, r.Admin, named("Old")); err != nil {
			t.Fatal(err)
		}
		check("deleted", folders[0], true)
		check("deleted", folders[2], false) // the folder was there before, and still is
	})
}

// A password that an administrator puts ends the user's sessions; the one that is there
// already does not. Nobody is put into a user.
func TestPutPasswordEndsSessions(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		tokens := grant(t, r)
		put := func(password secret.Plain) {
			t.Helper()
			if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: core.Admin, Master: true, Password: password}); err != nil {
				t.Fatal(err)
			}
		}
		put(r.Password)
		if err := session(r, tokens.Access); err != nil {
			t.Errorf("the same password: got %v", err)
		}
		put(secret.NewString("a new one, long enough to be looked for"))
		if err := session(r, tokens.Access); err == nil {
			t.Error("another password: the session goes on")
		}
		user(t, r, "jo")
		for _, plan := range []bool{true, false} {
			if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "eve", Groups: []string{"jo"}, Plan: plan}); !errors.Is(err, clm.NotFound) {
				t.Errorf("in a user, plan %v: got %v, want NotFound", plan, err)
			}
		}
	})
}
