package core_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// application is one that may refresh, with short lives.
var application = core.Application{ID: "app", Name: "app", Scope: "certificate:manage", AccessValidity: time.Hour, GrantValidity: 24 * time.Hour, Refreshable: true}

// grant makes tokens for the administrator.
func grant(t testing.TB, r *coretest.Rig) core.Tokens {
	t.Helper()
	if _, err := r.PutApplication(context.Background(), r.Admin, application, false); err != nil {
		t.Fatal(err)
	}
	tokens, err := r.Grant(context.Background(), r.Admin, application, application.Scope)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// session is the error with which the token is met; nil where it is good.
func session(r *coretest.Rig, token secret.Plain) error {
	_, err := r.Session(context.Background(), token)
	return err
}

// Who logs in is found with all groups; who does not is not told why, and both
// wrong passwords and wrong names are in the audit log.
func TestLogin(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	for _, p := range []core.PutPrincipal{
		{Name: "all", IsGroup: true}, {Name: "staff", IsGroup: true, Groups: []string{"all"}}, {Name: "jo", Password: r.Password, Groups: []string{"staff"}}, {Name: "mute"},
	} {
		if _, err := r.PutPrincipal(ctx, r.Admin, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"jo", "JO", "local:jo"} {
		if who, err := r.Login(ctx, core.Login{Name: name, Password: r.Password}); err != nil || who.Name != "jo" || len(who.Groups) != 3 || who.Master {
			t.Errorf("%s: got %+v, %v", name, who, err)
		}
	}
	for _, login := range []core.Login{
		{Name: "jo", Password: secret.NewString("wrong")}, {Name: "jo"}, {Name: "nobody", Password: r.Password}, {Name: "staff", Password: r.Password}, {Name: "mute"}, {},
	} {
		if who, err := r.Login(ctx, login); !errors.Is(err, clm.Denied) || who.ID != "" {
			t.Errorf("%s: got %+v, %v; want Denied", login.Name, who, err)
		}
		checkRefusal(t, r, "login", login.Name, login.Name, clm.Denied)
	}
}

// Too many failures from one address for one account close it to that address
// for a pause; others are not touched, until there are too many from everywhere
// or for everybody.
func TestFailedLoginsAreLimited(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	r.Clock.Stop() // a pause is no longer than hashing so many passwords may take
	ctx := context.Background()
	user(t, r, "jo")
	login := func(name, address string, password secret.Plain) error {
		_, err := r.Login(ctx, core.Login{Name: name, Address: address, Password: password})
		return err
	}
	wrong := secret.NewString("wrong")
	fail := func(times int, name, address func(int) string) {
		t.Helper()
		for i := range times {
			if err := login(name(i), address(i), wrong); !errors.Is(err, clm.Denied) {
				t.Fatalf("failure %d: got %v, want Denied", i+1, err)
			}
		}
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	type try struct {
		name, account, address string
		want                   error
	}
	check := func(tries ...try) {
		t.Helper()
		for _, test := range tries {
			if err := login(test.account, test.address, r.Password); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", test.name, err, test.want)
			}
		}
	}
	fail(core.MaxFailures, same("jo"), same("192.0.2.1"))
	check(
		try{"the account from the address", "jo", "192.0.2.1", clm.Limited},
		try{"the account under its longer name", "local:JO", "192.0.2.1", clm.Limited},
		try{"the account from elsewhere", "jo", "192.0.2.2", nil},
		try{"another account from the address", core.Admin, "192.0.2.1", nil},
	)
	r.Clock.Turn(core.FailurePause + time.Second)
	check(try{"after a pause", "jo", "192.0.2.1", nil})
	fail(core.MaxFailures, same("jo"), same("192.0.2.1")) // success has cleared the earlier ones
	check(try{"and again", "jo", "192.0.2.1", clm.Limited})

	r.Clock.Turn(core.MaxAnyFailures * core.FailurePause)
	numbered := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	fail(core.MaxAnyFailures, same("jo"), numbered("198.51.100.%d"))
	check(try{"the account after failures from everywhere", "jo", "203.0.113.1", clm.Limited})
	fail(core.MaxAnyFailures, numbered("user %d"), numbered("2001:db8::%d"))
	check(try{"the network after failures for everybody", core.Admin, "2001:db8::ffff", clm.Limited})
	check(try{"another network", core.Admin, "2001:db8:0:1::1", nil})
}

// A refresh token is good once: it brings new tokens, and the old ones are dead.
func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	old := grant(t, r)
	if got, err := r.Session(ctx, old.Access); err != nil || got.Actor.Name != core.Admin || got.Scope != application.Scope || got.ID != old.ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := r.Refresh(ctx, old.Refresh, "another"); !errors.Is(err, clm.Invalid) {
		t.Errorf("for another application: got %v, want Invalid", err)
	}
	fresh, err := r.Refresh(ctx, old.Refresh, "APP")
	if err != nil || fresh.ID != old.ID || !fresh.Until.Equal(old.Until) {
		t.Fatalf("got %+v, %v", fresh, err)
	}
	if err := session(r, old.Access); !errors.Is(err, clm.NotFound) {
		t.Errorf("the old access token: got %v, want NotFound", err)
	}
	if err := session(r, fresh.Access); err != nil {
		t.Errorf("the new access token: got %v", err)
	}
	for name, token := range map[string]secret.Plain{"the old refresh token": old.Refresh, "an access token": fresh.Access, "none": {}, "nonsense": secret.NewString("x")} {
		if _, err := r.Refresh(ctx, token, ""); !errors.Is(err, clm.Denied) {
			t.Errorf("%s: got %v, want Denied", name, err)
		}
	}
	if err := session(r, fresh.Refresh); !errors.Is(err, clm.NotFound) {
		t.Errorf("a refresh token for access: got %v, want NotFound", err)
	}
}

// Of many that use one refresh token at once exactly one gets new tokens.
func TestOneOfManyRefreshes(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		old := grant(t, r)
		const many = 20
		won := make(chan core.Tokens, many)
		var all sync.WaitGroup
		for range many {
			all.Go(func() {
				if fresh, err := r.Refresh(context.Background(), old.Refresh, ""); err == nil {
					won <- fresh
				} else if !errors.Is(err, clm.Denied) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d have won, want one", len(won))
		}
		if err := session(r, (<-won).Access); err != nil {
			t.Errorf("the winner's token: got %v", err)
		}
	})
}

// Tokens die at their time: the access token first, the grant last, and no
// refresh prolongs the grant.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	tokens := grant(t, r)
	r.Clock.Turn(application.AccessValidity)
	if err := session(r, tokens.Access); !errors.Is(err, clm.Denied) {
		t.Errorf("an expired access token: got %v, want Denied", err)
	}
	r.Clock.Turn(application.GrantValidity - application.AccessValidity - 10*time.Minute)
	tokens, err := r.Refresh(ctx, tokens.Refresh, "")
	if err != nil || tokens.AccessUntil.After(tokens.Until) {
		t.Fatalf("got a token until %v of a grant until %v, %v", tokens.AccessUntil, tokens.Until, err)
	}
	r.Clock.Turn(10 * time.Minute)
	if err := session(r, tokens.Access); !errors.Is(err, clm.Denied) {
		t.Errorf("after the grant: got %v, want Denied", err)
	}
	if _, err := r.Refresh(ctx, tokens.Refresh, ""); !errors.Is(err, clm.Denied) {
		t.Errorf("refreshed after the grant: got %v, want Denied", err)
	}
}

// A session that was ended is dead at once, its refresh token too; others live.
func TestEndSession(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	one, other := grant(t, r), grant(t, r)
	if err := r.EndSession(ctx, one.Session); err != nil {
		t.Fatal(err)
	}
	if err := session(r, one.Access); !errors.Is(err, clm.Denied) {
		t.Errorf("got %v, want Denied", err)
	}
	if _, err := r.Refresh(ctx, one.Refresh, ""); !errors.Is(err, clm.Denied) {
		t.Errorf("refreshed: got %v, want Denied", err)
	}
	if err := session(r, other.Access); err != nil {
		t.Errorf("the other: got %v", err)
	}
}

// An application that may not refresh gets no refresh token, and one that may not
// any more can use none.
func TestNotRefreshable(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	ctx := context.Background()
	had := grant(t, r)
	stern := application
	stern.Refreshable = false
	if _, err := r.PutApplication(ctx, r.Admin, stern, false); err != nil {
		t.Fatal(err)
	}
	tokens, err := r.Grant(ctx, r.Admin, stern, "")
	if err != nil || !tokens.Refresh.IsEmpty() || tokens.Access.IsEmpty() {
		t.Errorf("got %+v, %v", tokens, err)
	}
	if _, err := r.Refresh(ctx, had.Refresh, ""); !errors.Is(err, clm.Denied) {
		t.Errorf("got %v, want Denied", err)
	}
}

// Use prolongs an API key, which is written once a minute; without use it dies.
func TestAPIKeyLivesByUse(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	key, until, err := r.APIKey(context.Background(), r.Admin)
	if err != nil || len(key.Reveal()) != 36 || !until.After(r.DB.Now()) {
		t.Fatalf("got a key of %d letters until %v, %v", len(key.Reveal()), until, err)
	}
	for range 5 {
		r.Clock.Turn(core.KeyLife - time.Minute)
		if err := session(r, key); err != nil {
			t.Fatalf("in use: got %v", err)
		}
	}
	prolonged := len(entries(t, r, "prolong key"))
	if err := session(r, key); err != nil || len(entries(t, r, "prolong key")) != prolonged {
		t.Errorf("used at once again: got %v, and something was written", err)
	}
	r.Clock.Turn(2 * time.Minute)
	if err := session(r, key); err != nil {
		t.Error(err)
	}
	r.Clock.Turn(core.KeyLife - time.Minute)
	if err := session(r, key); err != nil {
		t.Errorf("used within its life after it was used: got %v", err)
	}
	r.Clock.Turn(core.KeyLife)
	if err := session(r, key); !errors.Is(err, clm.Denied) {
		t.Errorf("left alone: got %v, want Denied", err)
	}
}

// A client certificate is a login where its issuer is trusted with logins, its
// key usage fits and it has not expired, for the user that it names.
func TestLoginCertificate(t *testing.T) {
	t.Parallel()
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	ctx := context.Background()
	user(t, r, "jo")
	user(t, r, "kim@example.com")
	certificate := func(ca, issuer, profile string, names clm.Names) *x509.Certificate {
		t.Helper()
		if _, err := r.Put(ctx, r.Admin, core.Put{DN: ca, Class: clm.Authority, Own: map[clm.Attr][]string{clm.Driver: {core.DriverName}, clm.Issuer: {issuer}, clm.Profile: {profile}}}); err != nil {
			t.Fatal(err)
		}
		done, err := r.Request(ctx, r.Admin, core.Request{Folder: core.DefaultZone, Name: fmt.Sprint(names.CommonName, " ", issuer, " ", profile), Authority: ca, Names: names, KeyAlgorithm: clm.ECC})
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(await(t, r, done).Version.Cert)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	const clients, servers, others = `\VED\Policy\CAs\Clients`, `\VED\Policy\CAs\Servers`, `\VED\Policy\CAs\Others`
	jo := certificate(clients, core.ECDSAIssuer, "client", clm.Names{CommonName: "jo"})
	kim := certificate(clients, core.ECDSAIssuer, "client", clm.Names{CommonName: "Kim", Email: []string{"kim@example.com"}})
	nobody := certificate(clients, core.ECDSAIssuer, "client", clm.Names{CommonName: "nobody"})
	server := certificate(servers, core.ECDSAIssuer, "server", clm.Names{CommonName: "jo"})
	other := certificate(others, core.RSAIssuer, "client", clm.Names{CommonName: "jo"})

	login := func(cert *x509.Certificate) (string, error) {
		who, err := r.LoginCertificate(ctx, []*x509.Certificate{cert})
		return who.Name, err
	}
	if name, err := login(jo); !errors.Is(err, clm.Denied) {
		t.Errorf("before any issuer is trusted: got %q, %v; want Denied", name, err)
	}
	if _, err := r.Put(ctx, r.Admin, core.Put{DN: string(clm.RootDN), Class: clm.Root, Own: map[clm.Attr][]string{clm.LoginIssuers: {core.ECDSAIssuer}}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		cert *x509.Certificate
		want string
	}{
		{"by common name", jo, "jo"}, {"by e-mail address", kim, "kim@example.com"},
		{"of nobody", nobody, ""}, {"for a server", server, ""}, {"from an issuer that is not trusted", other, ""},
	} {
		name, err := login(test.cert)
		if name != test.want || (test.want == "") != errors.Is(err, clm.Denied) {
			t.Errorf("%s: got %q, %v; want %q", test.name, name, err, test.want)
		}
	}
	if _, err := r.LoginCertificate(ctx, nil); !errors.Is(err, clm.Denied) {
		t.Errorf("none at all: got %v, want Denied", err)
	}
	r.Clock.Turn(time.Until(jo.NotAfter) + time.Hour)
	if name, err := login(jo); !errors.Is(err, clm.Denied) {
		t.Errorf("expired: got %q, %v; want Denied", name, err)
	}
}

// A user that is no longer a member has the group's rights no longer, also in a
// session that began before.
func TestSessionsKnowTheGroupsOfNow(t *testing.T) {
	t.Parallel()
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		ctx := context.Background()
		user(t, r, "jo")
		for _, master := range []bool{true, false} {
			if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "masters", IsGroup: true, Master: true}); err != nil {
				t.Fatal(err)
			}
			groups := map[bool][]string{true: {"masters"}, false: {}}[master]
			if _, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "jo", Groups: groups}); err != nil {
				t.Fatal(err)
			}
			who, err := r.Login(ctx, core.Login{Name: "jo", Password: r.Password})
			if err != nil || who.Master != master {
				t.Errorf("got %+v, %v; want master %v", who, err, master)
			}
		}
	})
}
