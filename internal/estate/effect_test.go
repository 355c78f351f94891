package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// applied is a rig to which the example has been applied.
func applied(t testing.TB, d coretest.Database) *coretest.Rig {
	t.Helper()
	r := coretest.New(t, d, coretest.Options{})
	f, opt := example(t)
	await(t, r, apply(t, r, f, opt))
	return r
}

// login is the actor that a user is after logging in with a password.
func login(t testing.TB, r *coretest.Rig, name, password string) clm.Actor {
	t.Helper()
	r.Secret(secret.NewString(password))
	who, err := r.Login(context.Background(), core.Login{Name: name, Password: secret.NewString(password), Address: "192.0.2.1"})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return who
}

// Users log in with passwords from all three sources, and may what their groups
// may, groups of groups included: to see is not yet to request.
func TestRightsTakeEffect(t *testing.T) {
	r := applied(t, coretest.SQLite(t))
	ctx := context.Background()
	ada := login(t, r, "ada", adaPassword)
	bob := login(t, r, "bob", "Bob-of-the-example-1")
	carol := login(t, r, "carol", "Carol-of-the-example-1")
	if !ada.Master || bob.Master || carol.Master {
		t.Error("want ada a master, and neither bob nor carol")
	}
	for _, c := range []struct {
		name     string
		who      clm.Actor
		folder   string
		sees     bool
		requests error
	}{
		{"a master requests", ada, `\VED\Policy\Shop`, true, nil},
		{"who may create requests", bob, `\VED\Policy\Shop`, true, nil},
		{"who may only see does not request", bob, `\VED\Policy\People`, true, clm.NotFound},
		{"a group of groups sees", carol, `\VED\Policy\Shop`, true, clm.NotFound},
		{"nobody sees what no rights speak of", carol, `\VED`, false, clm.NotFound},
	} {
		_, err := r.Object(ctx, c.who, c.folder)
		if sees := err == nil; sees != c.sees {
			t.Errorf("%s: sees %s: got %v, want %v", c.name, c.folder, sees, c.sees)
		}
		name := c.who.Name + ".shop.example"
		_, err = r.Request(ctx, c.who, core.Request{Folder: c.folder, Names: clm.Names{CommonName: name}})
		if !errors.Is(err, c.requests) {
			t.Errorf("%s: requests in %s: got %v, want %v", c.name, c.folder, err, c.requests)
		}
	}
}

// What a folder says holds for what is in it, and is locked where the file says so.
func TestPolicyTakesEffect(t *testing.T) {
	r := applied(t, coretest.SQLite(t))
	ctx := context.Background()
	got, err := r.Policy(ctx, r.Admin, `\VED\Policy\Shop\Legacy`, "")
	if err != nil {
		t.Fatal(err)
	}
	p := got.Policy
	const from = `\VED\Policy\Shop`
	for _, c := range []struct {
		name      string
		got, want clm.Setting
	}{
		{"Organization", p.Organization, clm.Setting{Values: []string{"Shop and Sons"}, From: from, Locked: true}},
		{"Organizational Unit", p.Unit, clm.Setting{Values: []string{"Web", "Ops"}, From: from, Locked: true}},
		{"Country", p.Country, clm.Setting{Values: []string{"BE"}, From: from}},
		{"Certificate Authority", p.Authority, clm.Setting{Values: []string{`\VED\Policy\CAs\Shop`}, From: from, Locked: true}},
		{"Key Algorithm", p.KeyAlgorithm, clm.Setting{Values: []string{"ECC"}, From: from, Locked: true}},
		{"Elliptic Curve", p.Curve, clm.Setting{Values: []string{"P256"}, From: from}},
		{"Key Bit Strength for another class", p.KeySize, clm.Setting{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.name, diff)
		}
	}
	if !p.NoWildcards || p.NoDNS || p.NoIP || !p.NoEmail || !p.NoUPN || !p.NoURI || !cmp.Equal(p.Whitelist, []string{"shop.example"}) {
		t.Errorf("got %+v, want no wildcards, no e-mail, no UPN, no URI, shop.example only", p)
	}
	_, err = r.Request(ctx, r.Admin, core.Request{Folder: from, Names: clm.Names{CommonName: "www.elsewhere.example"}})
	if !errors.Is(err, clm.Violation) {
		t.Errorf("a name outside of the whitelist: got %v, want a violation", err)
	}
	folder, err := r.Object(ctx, r.Admin, from)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := r.Accounts(ctx, r.Admin)
	if err != nil {
		t.Fatal(err)
	}
	contact := folder.Policy[clm.PolicyKey{Class: clm.AnyCertificate, Attr: clm.Contact}].Values
	for _, a := range accounts {
		if a.Name == "ops" && !cmp.Equal(contact, []string{string(a.ID)}) {
			t.Errorf("Contact: got %q, want the id of ops, %s", contact, a.ID)
		}
	}
}

// Settings of the server, issuers, authorities and applications are as the file
// says: a certificate of the CA that vouches for people logs its owner in.
func TestSettingsTakeEffect(t *testing.T) {
	r := applied(t, coretest.SQLite(t))
	ctx := context.Background()
	if wait, err := r.DefaultWait(ctx); err != nil || wait != 30*time.Second {
		t.Errorf("got a wait of %v, %v; want 30s", wait, err)
	}
	got, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: `\VED\Policy\People\bob`})
	if err != nil {
		t.Fatal(err)
	}
	var sent []*x509.Certificate
	for _, der := range append([][]byte{got.Version.Cert}, got.Chain...) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, cert)
	}
	if want := "Shop People CA"; len(sent) != 3 || sent[1].Subject.CommonName != want {
		t.Fatalf("got a chain of %d above %v, want one of 3 with %s", len(sent), sent[0].Subject, want)
	}
	if who, err := r.LoginCertificate(ctx, sent); err != nil || who.Name != "bob" {
		t.Errorf("got %q, %v; want bob", who.Name, err)
	}
	a, err := r.Application(ctx, "shop-deployer")
	want := core.Application{
		ID: "shop-deployer", Name: "The shop's deployer", Scope: "certificate:manage,revoke",
		AccessValidity: 12 * time.Hour, GrantValidity: 90 * 24 * time.Hour,
	}
	if err != nil || a != want {
		t.Errorf("got %+v, %v; want %+v", a, err, want)
	}
	www, err := r.Retrieve(ctx, r.Admin, core.Retrieve{DN: `\VED\Policy\Shop\www`})
	if err != nil {
		t.Fatal(err)
	}
	if days := www.Version.NotAfter.Sub(www.Version.NotBefore).Hours() / 24; days < 29 || days > 31 {
		t.Errorf("got a certificate for %.1f days, want 30", days)
	}
}

// A place is left alone once it holds a certificate or waits for one; a disabled
// one gets none until it is enabled, and stays disabled where the file is silent.
func TestCertificateStates(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		const head = `certificates: [{dn: '\VED\Policy\New\x', commonName: x.example.com, keyAlgorithm: ECC`
		for _, step := range []struct {
			name, file string
			want       []string
		}{
			{"new and disabled", head + ", disabled: true}]", []string{
				`create Policy \VED\Policy\New`, `create certificate \VED\Policy\New\x (disabled)`,
			}},
			{"still disabled", head + ", disabled: true}]", nil},
			{"not said", head + "}]", nil},
			{"enabled", head + ", disabled: false}]", []string{
				`\VED\Policy\New\x: Disabled: none`, `request certificate \VED\Policy\New\x`,
			}},
			{"issued", head + ", disabled: false}]", nil},
			{"disabled again", head + ", disabled: true}]", []string{`\VED\Policy\New\x: Disabled = 1`}},
			{"with other names", head + ", dns: [y.example.com]}]", nil},
		} {
			if diff := cmp.Diff(step.want, change(t, r, step.file)); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
		}
		_, err := r.Renew(context.Background(), r.Admin, core.Renew{DN: `\VED\Policy\New\x`})
		if !errors.Is(err, clm.Disabled) {
			t.Errorf("renew: got %v, want it refused because it is disabled", err)
		}
	})
}
