package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

const robotClient = "robot-client"

var robotSecret = secret.NewString("a-Secret-of-7-robots")

// robot is a service account that may do what is named.
func robot(functions ...string) core.PutServiceAccount {
	return core.PutServiceAccount{
		ServiceAccount: core.ServiceAccount{Name: "robot", Client: robotClient, Functions: functions}, Secret: robotSecret,
	}
}

func putRobot(t testing.TB, r *coretest.Rig, p core.PutServiceAccount) []string {
	t.Helper()
	if !p.Secret.IsEmpty() {
		r.Secret(p.Secret)
	}
	changes, err := r.PutServiceAccount(context.Background(), r.Admin, p)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func loginRobot(r *coretest.Rig, client string, with secret.Plain) (clm.Actor, string, error) {
	return r.LoginService(context.Background(), core.ServiceLogin{Client: client, Secret: with, Address: "192.0.2.1", Via: "test"})
}

// What a service account is, is told when it is put, and not a second time; a plan changes
// nothing. Its user is found by its name and has no password.
func TestPutServiceAccount(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		plan := robot("view", "renew")
		plan.Plan = true
		want := []string{
			"create service account robot", "service account robot: clientId = robot-client", "service account robot: functions = view, renew",
			"service account robot: secret",
		}
		if diff := cmp.Diff(want, putRobot(t, r, plan)); diff != "" {
			t.Error(diff)
		}
		if _, _, err := loginRobot(r, robotClient, robotSecret); !errors.Is(err, clm.NotFound) {
			t.Errorf("after a plan: got %v, want NotFound", err)
		}
		if diff := cmp.Diff(want, putRobot(t, r, robot("view", "renew"))); diff != "" {
			t.Error(diff)
		}
		if changes := putRobot(t, r, robot("view", "renew")); len(changes) > 0 {
			t.Errorf("the second time: got %q, want nothing", changes)
		}
		silent := robot()
		silent.Secret = secret.Plain{}
		if diff := cmp.Diff([]string{"service account robot: functions = all"}, putRobot(t, r, silent)); diff != "" {
			t.Error(diff)
		}
		list, err := r.ServiceAccounts(ctx, r.Admin)
		if diff := cmp.Diff([]core.ServiceAccount{{Name: "robot", Client: robotClient, Functions: []string{}}}, list); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "robot", Groups: []string{}}); err != nil {
			t.Error(err)
		}
		who, _, err := loginRobot(r, robotClient, robotSecret)
		if err != nil || who.Name != "robot" || who.Via != "test" || len(who.Groups) != 1 || who.Master {
			t.Errorf("got %+v, %v", who, err)
		}
		if _, err := r.Login(ctx, core.Login{Name: "robot", Password: robotSecret}); !errors.Is(err, clm.Denied) {
			t.Errorf("as a user: got %v, want Denied", err)
		}
	})
}

// What cannot be a service account is refused, and leaves nothing behind.
func TestRefusedServiceAccounts(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		jo := user(t, r, "jo")
		putRobot(t, r, robot())
		put := func(change func(*core.PutServiceAccount)) core.PutServiceAccount {
			p := core.PutServiceAccount{ServiceAccount: core.ServiceAccount{Name: "other", Client: "other"}, Secret: robotSecret}
			change(&p)
			return p
		}
		for _, test := range []struct {
			name string
			who  clm.Actor
			put  core.PutServiceAccount
			want *clm.Error
		}{
			{"by no master", jo, put(func(*core.PutServiceAccount) {}), &clm.Error{Kind: clm.Denied}},
			{"without a name", r.Admin, put(func(p *core.PutServiceAccount) { p.Name = "" }), &clm.Error{Kind: clm.Invalid, Field: "name"}},
			{"without a client", r.Admin, put(func(p *core.PutServiceAccount) { p.Client = "" }), &clm.Error{Kind: clm.Invalid, Field: "client"}},
			{"with a colon", r.Admin, put(func(p *core.PutServiceAccount) { p.Client = "a:b" }), &clm.Error{Kind: clm.Invalid, Field: "client"}},
			{"with two functions in one", r.Admin, put(func(p *core.PutServiceAccount) { p.Functions = []string{"view create"} }), &clm.Error{Kind: clm.Invalid, Field: "function"}},
			{"of a user with a password", r.Admin, put(func(p *core.PutServiceAccount) { p.Name = "JO" }), &clm.Error{Kind: clm.Exists}},
			{"of a group", r.Admin, put(func(p *core.PutServiceAccount) { p.Name = core.Everyone }), &clm.Error{Kind: clm.Exists}},
			{"with the client of another", r.Admin, put(func(p *core.PutServiceAccount) { p.Client = robotClient }), &clm.Error{Kind: clm.Exists, Field: "client"}},
		} {
			_, err := r.PutServiceAccount(ctx, test.who, test.put)
			if got := clm.AsError(err); got.Kind != test.want.Kind || got.Field != test.want.Field {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
		if _, err := r.ServiceAccounts(ctx, jo); !errors.Is(err, clm.Denied) {
			t.Errorf("listed by no master: got %v, want Denied", err)
		}
		if list, err := r.ServiceAccounts(ctx, r.Admin); err != nil || len(list) != 1 {
			t.Errorf("got %v, %v; want the first alone", list, err)
		}
	})
}

// A wrong secret and an unknown client are told apart and audited. Too many failures close
// the client, to that address alone, and unknown ones look as before.
func TestServiceLoginsAreLimited(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	r.Clock.Stop()
	putRobot(t, r, robot("view"))
	wrong := secret.NewString("wrong")
	for _, test := range []struct {
		client string
		want   clm.Kind
		shown  string
	}{{robotClient, clm.Denied, robotClient}, {"ROBOT-CLIENT", clm.NotFound, "ROBOT-CLIENT"}, {"nobody", clm.NotFound, "nobody"}, {"a\xffb\x00", clm.NotFound, ""}, {"", clm.NotFound, ""}} {
		if _, _, err := loginRobot(r, test.client, wrong); !errors.Is(err, test.want) {
			t.Errorf("%q: got %v, want %v", test.client, err, test.want)
		}
		checkRefusal(t, r, "login", test.shown, test.shown, test.want)
	}
	for range 20 {
		_, _, err := loginRobot(r, robotClient, wrong)
		_, _, other := loginRobot(r, "nobody", wrong)
		if !errors.Is(other, clm.NotFound) {
			t.Fatalf("an unknown client: got %v, want NotFound", other)
		}
		if errors.Is(err, clm.Limited) {
			break
		}
	}
	if _, _, err := loginRobot(r, robotClient, robotSecret); !errors.Is(err, clm.Limited) {
		t.Errorf("after many failures: got %v, want Limited", err)
	}
	elsewhere := core.ServiceLogin{Client: robotClient, Secret: robotSecret, Address: "192.0.2.2"}
	if _, scope, err := r.LoginService(context.Background(), elsewhere); err != nil || scope != "view" {
		t.Errorf("from elsewhere: got %q, %v", scope, err)
	}
	r.Clock.Turn(time.Hour)
	if _, _, err := loginRobot(r, robotClient, robotSecret); err != nil {
		t.Errorf("later: %v", err)
	}
}

// A change of the account ends what was begun with it, and so does the end of its user.
func TestChangedServiceAccountsBeginAnew(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		other := robot("view")
		other.Client = "another-client"
		rotated := other
		rotated.Secret = secret.NewString("another-Secret-of-8-robots")
		limited := rotated
		limited.Functions = []string{"renew"}
		putRobot(t, r, robot("view"))
		steps := []struct {
			name   string
			before core.PutServiceAccount
			change func()
		}{
			{"another client", robot("view"), func() { putRobot(t, r, other) }},
			{"another secret", other, func() { putRobot(t, r, rotated) }},
			{"other functions", rotated, func() { putRobot(t, r, limited) }},
			{"no user", limited, func() {
				if err := r.DeleteObject(ctx, r.Admin, string(core.IdentityDN.Child("robot")), false); err != nil {
					t.Fatal(err)
				}
			}},
		}
		for _, step := range steps {
			who, scope, err := loginRobot(r, step.before.Client, step.before.Secret)
			if err != nil || scope != step.before.Functions[0] {
				t.Fatalf("%s: got %q, %v", step.name, scope, err)
			}
			_, opens, err := r.BeginSession(ctx, who, core.Terms{Kind: "test", Scope: scope, Most: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if s, err := r.SessionOf(ctx, "test", opens); err != nil || s.Scope != scope {
				t.Fatalf("%s: got %+v, %v", step.name, s, err)
			}
			step.change()
			if _, err := r.SessionOf(ctx, "test", opens); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v, want Denied", step.name, err)
			}
		}
		if _, _, err := loginRobot(r, limited.Client, limited.Secret); !errors.Is(err, clm.NotFound) {
			t.Errorf("in the end: got %v, want NotFound", err)
		}
		putRobot(t, r, robot()) // the name and the ID are free again
	})
}

// Sessions are of a kind: what opens one is not found by whoever asks for another kind,
// nor for tokens and keys, and those are no sessions of a kind.
func TestSessionsAreOfAKind(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		key, _, err := r.APIKey(ctx, r.Admin)
		if err != nil {
			t.Fatal(err)
		}
		opening := map[string][]secret.Plain{"": {grant(t, r).Access, key}}
		for _, kind := range []string{"one", "two"} {
			_, opens, err := r.BeginSession(ctx, r.Admin, core.Terms{Kind: kind, Most: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			opening[kind] = []secret.Plain{opens}
		}
		for of, tokens := range opening {
			for _, asked := range []string{"", "one", "two"} {
				for i, opens := range tokens {
					s, err := r.SessionOf(ctx, asked, opens)
					if of == asked && (err != nil || s.Kind != of) {
						t.Errorf("kind %q, %d: got %+v, %v", of, i, s, err)
					}
					if of != asked && (!errors.Is(err, clm.NotFound) || s.ID != "") {
						t.Errorf("kind %q asked for as %q, %d: got %+v, %v; want NotFound", of, asked, i, s, err)
					}
				}
			}
		}
	})
}

// A session that is used lives on, but not beyond its end; one that is not used ends.
func TestSessionsEndWhenIdle(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		const idle, most = 10 * time.Minute, time.Hour
		begin := func() secret.Plain {
			_, opens, err := r.BeginSession(ctx, r.Admin, core.Terms{Kind: "test", Idle: idle, Most: most})
			if err != nil {
				t.Fatal(err)
			}
			return opens
		}
		left, used := begin(), begin()
		var lived time.Duration
		for ; lived < 2*most; lived += idle * 3 / 4 {
			if _, err := r.SessionOf(ctx, "test", used); err != nil {
				if !errors.Is(err, clm.Denied) {
					t.Fatal(err)
				}
				break
			}
			r.Clock.Turn(idle * 3 / 4)
		}
		if lived < most || lived > most+idle {
			t.Errorf("the session lived for %v, want about %v", lived, most)
		}
		if _, err := r.SessionOf(ctx, "test", left); !errors.Is(err, clm.Denied) {
			t.Errorf("what was left alone: got %v, want Denied", err)
		}
	})
}

// What a client gets may have a form of its own, which counts as a whole.
func TestSessionsHaveAShape(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	var bare secret.Plain
	_, opens, err := r.BeginSession(ctx, r.Admin, core.Terms{Kind: "test", Most: time.Hour, Shape: func(token secret.Plain, s core.Session) secret.Plain {
		bare = token
		return secret.NewPlain(slices.Concat([]byte(s.Actor.Name+"."), token.Reveal()))
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.Secret(opens)
	if _, err := r.SessionOf(ctx, "test", opens); err != nil {
		t.Error(err)
	}
	changed := secret.NewPlain(slices.Concat([]byte("root."), bare.Reveal()))
	for _, other := range []secret.Plain{bare, changed, {}} {
		if _, err := r.SessionOf(ctx, "test", other); !errors.Is(err, clm.NotFound) {
			t.Errorf("got %v, want NotFound", err)
		}
	}
}
