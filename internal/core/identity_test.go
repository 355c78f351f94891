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
