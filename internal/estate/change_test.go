package estate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// Changes are told in the vendor's words; what a file does not speak of stays,
// and what it leaves empty goes.
func TestChanges(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		for _, step := range []struct {
			name, file string
			want       []string
		}{
			{"new", `
authorities:
  - {dn: '\ved\policy\Deep\er\CA', issuer: rsa, issueAfter: 1s, kind: microsoft ca}
folders:
  - {dn: '\VED\Policy\Deep\er\Shop', policy: {City: {value: Ghent, locked: yes}, country: be}, policyFor: {X509 User Certificate: {City: Bruges}}}
  - {dn: '\VED\Policy\Deep', description: "above\nall", rights: [{to: admin, allow: [create, read]}]}
`, []string{
				`create Policy \VED\Policy\Deep`,
				`\VED\Policy\Deep: Description = above all`,
				`\VED\Policy\Deep: rights of admin = read, create`,
				`create Policy \VED\Policy\Deep\er`,
				`create Microsoft CA \VED\Policy\Deep\er\CA`,
				`\VED\Policy\Deep\er\CA: Certwright:driver = embedded`,
				`\VED\Policy\Deep\er\CA: Certwright:issue-after = 1s`,
				`\VED\Policy\Deep\er\CA: Certwright:issuer = rsa`,
				`\VED\Policy\Deep\er\CA: Certwright:kind = Microsoft CA`,
				`create Policy \VED\Policy\Deep\er\Shop`,
				`\VED\Policy\Deep\er\Shop: policy Country = BE`,
				`\VED\Policy\Deep\er\Shop: policy City = Ghent (locked)`,
				`\VED\Policy\Deep\er\Shop: policy for X509 User Certificate: City = Bruges`,
			}},
			{"silent", `folders: [{dn: '\VED\POLICY\DEEP\ER\SHOP'}, {dn: '\VED\Policy\Deep', policy: }]`, nil},
			{"other values", `
authorities: [{dn: '\VED\Policy\Deep\er\CA', issueAfter: '', validityDays: 30}]
folders:
  - dn: '\VED\Policy\Deep\er\Shop'
    policy: {City: {value: Ghent}, Country: '', State: [], Whatever: [a, b]}
  - {dn: '\VED\Policy\Deep', description: '', rights: [{to: admin, allow: []}]}
`, []string{
				`\VED\Policy\Deep: Description: none`,
				`\VED\Policy\Deep: rights of admin: none`,
				`\VED\Policy\Deep\er\CA: Certwright:issue-after: none`,
				`\VED\Policy\Deep\er\CA: Validity Period = 30`,
				`\VED\Policy\Deep\er\Shop: policy Country: none`,
				`\VED\Policy\Deep\er\Shop: policy City = Ghent`,
				`\VED\Policy\Deep\er\Shop: policy Whatever = a, b`,
			}},
			{"an application", `applications: [{id: x, scope: ssh, accessValidity: 90m, grantValidity: 30d}]`, []string{
				"create application x", "application x: scope = ssh", "application x: accessValidity = 1h30m", "application x: grantValidity = 30d",
			}},
			{"another scope", `applications: [{id: x, scope: certificate, refreshable: no}]`, []string{
				"application x: scope = certificate", "application x: refreshable = false",
			}},
			{"settings", `server: {workToDoTimeout: 5, clientAuthorities: [ecdsa, rsa]}`, []string{
				`\VED: Certificate API ToDo Timeout = 5`, `\VED: Certwright:login-issuers = ecdsa, rsa`,
			}},
			{"no settings", `server: {workToDoTimeout: '', clientAuthorities: []}`, []string{
				`\VED: Certificate API ToDo Timeout: none`, `\VED: Certwright:login-issuers: none`,
			}},
			{"a user", `users: [{name: bob, password: Bob-of-the-tests-1, master: true}]`, []string{
				"create user bob", "user bob: master = yes", "user bob: password",
			}},
			{"the same user", `users: [{name: BOB, password: Bob-of-the-tests-1}]`, nil},
			{"another password", `users: [{name: bob, password: Bob-of-the-tests-2, master: false}]`, []string{
				"user bob: master = no", "user bob: password",
			}},
			{"custom fields", `
folders: [{dn: '\VED\Policy\Fields', policy: {used in: [Test], Contract: {value: A-17, locked: true}, Cost Centre: 4711}}]
fields:
  - {name: Cost Centre, pattern: '[0-9]{4}', single: yes, required: no}
  - {name: Environment, label: Used in, kind: list, values: [Test, Production], for: [Device, x509 certificate]}
  - {name: Contract}
`, []string{
				"create field Cost Centre",
				"field Cost Centre: for = X509 Certificate", "field Cost Centre: pattern = [0-9]{4}", "field Cost Centre: single = 1",
				"create field Environment",
				"field Environment: for = Device, X509 Certificate", "field Environment: kind = list",
				"field Environment: values = Test, Production", "field Environment: label = Used in",
				"create field Contract", "field Contract: for = X509 Certificate",
				`create Policy \VED\Policy\Fields`,
				`\VED\Policy\Fields: policy Contract = A-17 (locked)`,
				`\VED\Policy\Fields: policy Cost Centre = 4711`,
				`\VED\Policy\Fields: policy Used in = Test`,
			}},
			{"other custom fields", `
fields: [{name: cost centre, single: no, pattern: ''}, {name: Environment, kind: list, values: Production}]
folders: [{dn: '\VED\Policy\Fields', policy: {Used in: Production, Cost Centre: ''}}]
`, []string{
				"field Cost Centre: pattern: none", "field Cost Centre: single: none", "field Environment: values = Production",
				`\VED\Policy\Fields: policy Cost Centre: none`, `\VED\Policy\Fields: policy Used in = Production`,
			}},
			{"devices", `
devices:
  - dn: \VED\Policy\Racks\web
    host: 192.0.2.7
    description: The first
    applications:
      - {name: shop, class: apache, driver: appapache, host: www.example.com, port: 443, certificate: '\VED\Policy\Racks\www'}
      - {name: blog, certificate: '\VED\Policy\Racks\www', disabled: true}
certificates:
  - {dn: '\VED\Policy\Racks\www', commonName: www.example.com, keyAlgorithm: ECC}
  - {dn: '\VED\Policy\Racks\www2', commonName: www2.example.com, issue: false}
`, []string{
				`create Policy \VED\Policy\Racks`,
				`create Device \VED\Policy\Racks\web`,
				`\VED\Policy\Racks\web: Description = The first`, `\VED\Policy\Racks\web: Host = 192.0.2.7`,
				`create Apache \VED\Policy\Racks\web\shop`,
				`\VED\Policy\Racks\web\shop: SSL Listen Host = www.example.com`, `\VED\Policy\Racks\web\shop: SSL Listen Port = 443`,
				`\VED\Policy\Racks\web\shop: Driver Name = appapache`,
				`create Basic \VED\Policy\Racks\web\blog`, `\VED\Policy\Racks\web\blog: Disabled = 1`,
				`request certificate \VED\Policy\Racks\www`, `create certificate \VED\Policy\Racks\www2 (not issued)`,
				`\VED\Policy\Racks\web\shop: Certificate = \VED\Policy\Racks\www`,
				`\VED\Policy\Racks\web\blog: Certificate = \VED\Policy\Racks\www`,
			}},
			{"other devices", `
devices:
  - dn: \ved\policy\racks\WEB
    applications:
      - {name: shop, class: Apache, certificate: '\ved\policy\racks\WWW2'}
      - {name: blog, certificate: '', disabled: false}
`, []string{
				`\VED\Policy\Racks\web\blog: Disabled: none`,
				`\VED\Policy\Racks\web\shop: Certificate = \VED\Policy\Racks\www2`, `\VED\Policy\Racks\web\blog: Certificate: none`,
			}},
			{"known issuers", `issuers: [{name: rsa, commonName: Certwright RSA Issuing CA, organization: Certwright, country: US, root: rsa-root}]`, nil},
		} {
			if diff := cmp.Diff(step.want, change(t, r, step.file)); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
			if again := change(t, r, step.file); len(again) > 0 {
				t.Errorf("%s: applying again changes %q", step.name, again)
			}
		}
	})
}

// A membership may be said from either side. Where a side has a list, memberships
// in no list end; where neither has, they stay.
func TestMemberships(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	for _, step := range []struct {
		name, file string
		want       map[string][]string
	}{
		{"said by groups", "users: [{name: ann}, {name: ben}]\ngroups: [{name: g, members: [ann, H]}, {name: h, members: [ben]}]",
			map[string][]string{"ann": {"g"}, "ben": {"h"}, "h": {"g"}}},
		{"not said", "users: [{name: ann}]\ngroups: [{name: g}]",
			map[string][]string{"ann": {"g"}, "ben": {"h"}, "h": {"g"}}},
		{"said by users", "users: [{name: ann, groups: [h, G]}]",
			map[string][]string{"ann": {"g", "h"}, "ben": {"h"}, "h": {"g"}}},
		{"said by both", "users: [{name: ben, groups: [g]}]\ngroups: [{name: h, members: ben}]",
			map[string][]string{"ann": {"g"}, "ben": {"g", "h"}, "h": {"g"}}},
		{"ended by a group", "groups: [{name: g, members: [h]}]",
			map[string][]string{"ben": {"h"}, "h": {"g"}}},
		{"ended by a user", "users: [{name: ben, groups: []}]",
			map[string][]string{"h": {"g"}}},
		{"turned round", "groups: [{name: g, members: []}, {name: h, members: [g]}]",
			map[string][]string{"g": {"h"}}},
	} {
		change(t, r, step.file)
		accounts, err := r.Accounts(context.Background(), r.Admin)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, a := range accounts {
			if len(a.Groups) > 0 {
				got[a.Name] = a.Groups
			}
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
		}
		if again := change(t, r, step.file); len(again) > 0 {
			t.Errorf("%s: applying again changes %q", step.name, again)
		}
	}
}

// What a file refers to is looked up before anything is changed.
func TestMissingReferences(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	const head = "groups: [{name: new}]\n"
	for _, c := range []struct{ name, text, want string }{
		{"a member", "groups: [{name: new, members: [nobody]}]", `line 1: groups[0].members[0]: there is no user or group "nobody"`},
		{"a group", head + "users: [{name: bob, groups: [nobodies]}]", `line 2: users[0].groups[0]: there is no group "nobodies"`},
		{"a user as a group", head + "users: [{name: bob, groups: [admin]}]", `line 2: users[0].groups[0]: there is no group "admin"`},
		{"rights", head + rights("{to: nobody, allow: [view]}"), `line 2: folders[0].rights[0].to: there is no user or group "nobody"`},
		{"a contact", head + policy("Contact: [admin, nobody]"), `line 2: folders[0].policy["Contact"][1]: there is no user or group "nobody"`},
		{"an authority", head + policy(`Certificate Authority: \VED\Policy\CAs\Nobody`),
			`line 2: folders[0].policy["Certificate Authority"]: there is no authority \VED\Policy\CAs\Nobody`},
		{"a credential that is nowhere", head + `devices: [{dn: '\VED\Policy\A\d', credential: '\VED\Policy\A\login'}]`, `line 2: devices[0].credential: there is no credential \VED\Policy\A\login`},
		{"a folder as a credential", head + `devices: [{dn: '\VED\Policy\A\d', applications: [{name: x, keyStoreCredential: '\VED\Policy\CAs'}]}]`, `line 2: devices[0].applications[0].keyStoreCredential: there is no credential \VED\Policy\CAs`},
		{"a folder as an authority", head + certificateText(`commonName: x, authority: \VED\Policy\CAs`), `line 2: certificates[0].authority: there is no authority \VED\Policy\CAs`},
		{"an issuer", head + `authorities: [{dn: '\VED\Policy\X', issuer: nobody}]`, `line 2: authorities[0].issuer: there is no issuer "nobody"`},
		{"a voucher", head + "server: {clientAuthorities: [rsa, nobody]}", `line 2: server.clientAuthorities[1]: there is no issuer "nobody"`},
		{"a contact of a certificate", head + certificateText("commonName: x, contacts: [admin, nobody]"), `line 2: certificates[0].contacts[1]: there is no user or group "nobody"`},
		{"a custom field", head + certificateText("commonName: x, customFields: {Floor: 3}"), `line 2: certificates[0].customFields["Floor"]: certificates have no such custom field`},
		{"a custom field of devices", "fields: [{name: Rack, for: Device}]\n" + certificateText("commonName: x, customFields: {Rack: 3}"), `line 2: certificates[0].customFields["Rack"]: certificates have no such custom field`},
		{"a value of a custom field", "fields: [{name: Floor, pattern: '[0-9]'}]\n" + certificateText("commonName: x, customFields: {Floor: 33}"),
			`line 2: certificates[0].customFields["Floor"]: the custom field Floor cannot be "33"`},
		{"a value of a custom field in policy", "fields: [{name: Floor, kind: list, values: [one, two]}]\n" + policy("floor: three"),
			`line 2: folders[0]: the custom field Floor cannot be "three"`},
		{"a certificate", head + deviceText(`{name: x, certificate: '\VED\Policy\Nobody'}`), `line 2: devices[0].applications[0].certificate: there is no certificate \VED\Policy\Nobody`},
		{"a folder as a certificate", head + deviceText(`{name: x, certificate: '\VED\Policy\Default'}`), `line 2: devices[0].applications[0].certificate: there is no certificate \VED\Policy\Default`},
		{"a signing request", head + certificateText("csr: nobody.csr"), "line 2: certificates[0].csr: open nobody.csr: no such file or directory"},
		{"a certificate's file", head + certificateText("certificateFile: nobody.pem"), "line 2: certificates[0].certificateFile: open nobody.pem: no such file or directory"},
		{"the flag for rehearsals", head + certificateText("commonName: x, rehearsal: {state: queued}"),
			"line 2: certificates[0].rehearsal: this is only for servers that were started with --rehearsal"},
		{"a root", head + "issuers: [{name: x, commonName: X, root: nobody}]", `line 2: issuers[0]: there is no issuer "nobody"`},
		{"a variable", head + "users: [{name: bob, passwordEnv: CERTWRIGHT_NOBODY}]", "line 2: users[0].passwordEnv: the environment has no CERTWRIGHT_NOBODY"},
		{"a file", head + "users: [{name: bob, passwordFile: nobody}]", "line 2: users[0].passwordFile: open nobody: no such file or directory"},
	} {
		for _, plan := range []bool{true, false} {
			report, err := Apply(context.Background(), r.Core, r.Admin, load(t, c.text), Options{Plan: plan})
			if err == nil || err.Error() != c.want || len(report.Changes) > 0 {
				t.Errorf("%s:\n got %v after %q\nwant %s", c.name, err, report.Changes, c.want)
			}
		}
	}
}

// Passwords that come from elsewhere are checked like those in the file, and not
// repeated either.
func TestPasswordFiles(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	dir := t.TempDir()
	text := "users: [{name: bob, passwordFile: secret}]"
	for _, c := range []struct{ name, content, want string }{
		{"empty", "\n", "line 1: users[0].passwordFile: the password is empty"},
		{"endless", strings.Repeat("x", MaxPassword+1), "line 1: users[0].passwordFile: the password is longer than 1024 bytes"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Apply(context.Background(), r.Core, r.Admin, load(t, text), Options{Dir: dir}); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(" Bob of the tests 1 \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	apply(t, r, load(t, text), Options{Dir: dir})
	login(t, r, "bob", " Bob of the tests 1 ")
}

// Apply stops at the first failure and tells what was done until then; applying
// the mended file does the rest.
func TestFailureHalfway(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		text := `
folders: [{dn: '\VED\Policy\Shop', policy: {Domain Suffix Whitelist: shop.example}}]
certificates:
  - {dn: '\VED\Policy\Shop\a', commonName: a.shop.example, keyAlgorithm: ECC}
  - {dn: '\VED\Policy\Shop\b', commonName: b.elsewhere.example, keyAlgorithm: ECC}
  - {dn: '\VED\Policy\Shop\c', commonName: c.shop.example, keyAlgorithm: ECC}
`
		report, err := Apply(context.Background(), r.Core, r.Admin, load(t, text), Options{})
		const want = `line 5: certificates[1] (\VED\Policy\Shop\b): breaks policy, common-name/whitelist "b.elsewhere.example"`
		if err == nil || err.Error() != want || !errors.Is(err, clm.Violation) {
			t.Errorf("got %v, want %s", err, want)
		}
		done := []string{
			`create Policy \VED\Policy\Shop`, `\VED\Policy\Shop: policy Domain Suffix Whitelist = shop.example`,
			`request certificate \VED\Policy\Shop\a`,
		}
		if diff := cmp.Diff(done, report.Changes); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
		await(t, r, report)
		rest := change(t, r, strings.Replace(text, "b.elsewhere", "b.shop", 1))
		if want := []string{`request certificate \VED\Policy\Shop\b`, `request certificate \VED\Policy\Shop\c`}; !slices.Equal(rest, want) {
			t.Errorf("the rest: got %q, want %q", rest, want)
		}
	})
}

// What cannot be as the file says is refused where it stands.
func TestRefusals(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	for _, c := range []struct{ name, text, want string }{
		{"a window longer than what it is for", `folders: [{dn: '\VED\Policy\W', policy: {Renewal Window: 90, Validity Period: 60}}]`,
			`line 1: folders[0] (\VED\Policy\W): is not valid (Renewal Window "90")`},
		{"another issuer of the name", "issuers: [{name: rsa, commonName: My CA}]",
			`line 1: issuers[0]: the issuer rsa is there already, with commonName "Certwright RSA Issuing CA" instead of "My CA", and issuers do not change`},
		{"an issuer below no root", "issuers: [{name: x, commonName: X, key: ECC, root: ecdsa}]",
			`line 1: issuers[0] (x): is not valid (issuer "CA \"ecdsa\" may have no CA below it")`},
		{"a group of a user's name", "groups: [{name: Admin}]", `line 1: groups[0] (Admin): is there already, as something else`},
		{"a folder of an authority's name", `folders: [{dn: '\VED\Policy\CAs\Default'}]`,
			`line 1: folders[0] (\VED\Policy\CAs\Default): is there already, as something else (class "Certificate Authority Base")`},
		{"a certificate of a folder's name", `certificates: [{dn: '\VED\Policy\CAs', commonName: x}]`,
			`line 1: certificates[0] (\VED\Policy\CAs): is there already, as something else (class "Policy")`},
		{"an application without a scope", "applications: [{id: x}]", `line 1: applications[0]: is new and has no scope`},
		{"access beyond the known grant", "applications: [{id: vcert-sdk, accessValidity: 1000d}]",
			`line 1: applications[0]: access would be valid for 1000d, the grant for 365d only`},
	} {
		report, err := Apply(context.Background(), r.Core, r.Admin, load(t, c.text), Options{})
		if err == nil || err.Error() != c.want || len(report.Changes) > 0 {
			t.Errorf("%s:\n got %v after %q\nwant %s", c.name, err, report.Changes, c.want)
		}
	}
}

// Who is no master may not even plan.
func TestOnlyMastersApply(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, "users: [{name: bob, password: Bob-of-the-tests-1}]\n"+rights("{to: bob, allow: [all]}"))
	bob := login(t, r, "bob", "Bob-of-the-tests-1")
	for _, plan := range []bool{true, false} {
		_, err := Apply(context.Background(), r.Core, bob, load(t, ""), Options{Plan: plan})
		if !errors.Is(err, clm.Denied) {
			t.Errorf("plan %v: got %v, want it denied", plan, err)
		}
	}
}

// Rights cannot be given to those who are not there, except in a plan.
func TestRightsOfNobody(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	p := core.Put{DN: core.DefaultZone, Class: clm.Folder, Rights: map[string]clm.Rights{"nobody": clm.View}}
	if changes, err := r.Put(context.Background(), r.Admin, p); !errors.Is(err, clm.NotFound) {
		t.Errorf("got %v, %v; want it not found", changes, err)
	}
	p.Plan = true
	if changes, err := r.Put(context.Background(), r.Admin, p); err != nil || len(changes) != 1 {
		t.Errorf("plan: got %v, %v; want one change", changes, err)
	}
}

// A name that looks like a line about a password is no password.
func TestNamesLikePasswords(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	change(t, r, "groups: [{name: 'x: password', members: [admin]}]\nusers: [{name: 'y: password'}]")
	for _, name := range []string{core.Admin, "y: password"} {
		_, err := r.Login(context.Background(), core.Login{Name: name, Password: secret.NewString(""), Address: "192.0.2.1"})
		if !errors.Is(err, clm.Denied) {
			t.Errorf("%s: got %v without a password, want it denied", name, err)
		}
	}
	login(t, r, core.Admin, string(r.Password.Reveal()))
}
