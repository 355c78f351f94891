package estate

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// What a file says of objects of every kind is told in the vendor's words, once.
func TestThings(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		dir := t.TempDir()
		write(t, dir, "blob", []byte("\x00\x01"))
		for _, step := range []struct {
			name, file string
			want       []string
		}{
			{"attributes", `
folders: [{dn: '\VED\Policy\A', attributes: {notes: x, Scep Challenge Password: sesame, Whatever: [a, b], Escalation Contact: y}}]
`, []string{
				`create Policy \VED\Policy\A`,
				`\VED\Policy\A: Escalation Contact = y`, `\VED\Policy\A: Notes = x`,
				`\VED\Policy\A: Scep Challenge Password = (a secret)`, `\VED\Policy\A: Whatever = a, b`,
			}},
			{"other attributes", `folders: [{dn: '\VED\Policy\A', attributes: {Notes: '', Whatever: [b]}}]`, []string{
				`\VED\Policy\A: Notes: none`, `\VED\Policy\A: Whatever = b`,
			}},
			{"people", `
users: [{name: bob, fullName: Bob Builder, email: bob@example.com, auditor: true}]
groups: [{name: ops, owners: [bob], members: [bob], rights: [{to: bob, allow: [view]}]}]
`, []string{
				"create group ops", "create user bob", "user bob: auditor = yes", "user bob: groups = ops",
				`\VED\Identity\ops: Owner = bob`, `\VED\Identity\ops: rights of bob = view`,
				`\VED\Identity\bob: Internet EMail Address = bob@example.com`, `\VED\Identity\bob: Full Name = Bob Builder`,
			}},
			{"no auditor any more", `users: [{name: bob, auditor: false, fullName: ''}]`, []string{
				"user bob: auditor = no", `\VED\Identity\bob: Full Name: none`,
			}},
			{"a team", `
groups: [{name: Web, team: true, owners: [bob], members: [bob], assets: ['\VED\Policy\A']}]
`, []string{
				"create group Web", "user bob: groups = Web, ops", `\VED\Identity\Web: Owner = bob`,
				`create Policy \VED\Policy\Web`,
				`\VED\Policy\Web: rights of Web = view, read, write, create, delete, rename, associate, revoke, private-key-read, private-key-write`,
				`\VED\Policy\A: rights of Web = view, read, write, create, delete, rename, associate, revoke, private-key-read, private-key-write`,
				`\VED\Identity\Web: Certwright:team-folder = \VED\Policy\Web`,
				`\VED\Identity\Web: Assets = \VED\Policy\A`,
			}},
			{"reasons", `server: {selfApproval: yes, reasons: [{code: 1, name: Why, description: 'because, as ever'}]}`, []string{
				`\VED: Certwright:self-approval = 1`, `\VED\Workflow Tickets: Approval Reason = 1,Why,because, as ever`,
			}},
			{"workflows", `
folders: [{dn: '\VED\Policy\A', workflows: ['\VED\Policy\W\one'], engines: [east]}, {dn: '\VED\Policy\A\B', blockedWorkflows: '\VED\Policy\W\one'}]
workflows: [{dn: '\VED\Policy\W\one', stage: 500, approvers: [bob], reason: 1, applicationClass: apache, disabled: true}]
objects: [{dn: '\VED\Engines\east', class: venafi platform}]
`, []string{
				`create Policy \VED\Policy\A\B`, `create Policy \VED\Policy\W`, `create Workflow \VED\Policy\W\one`,
				`\VED\Policy\W\one: Certwright:approvers = bob`, `\VED\Policy\W\one: Disabled = 1`,
				`\VED\Policy\W\one: Certwright:for-class = Apache`, `\VED\Policy\W\one: Certwright:reason = 1`, `\VED\Policy\W\one: Certwright:stage = 500`,
				`create Venafi Platform \VED\Engines\east`,
				`\VED\Policy\A: Certwright:engines = east`, `\VED\Policy\A: Workflow = \VED\Policy\W\one`,
				`\VED\Policy\A\B: Workflow Block = \VED\Policy\W\one`,
			}},
			{"a workflow no more", `
folders: [{dn: '\VED\Policy\A', workflows: [], engines: []}]
workflows: [{dn: '\VED\Policy\W\one', stage: '', disabled: false}]
`, []string{
				`\VED\Policy\W\one: Disabled: none`, `\VED\Policy\W\one: Certwright:stage: none`,
				`\VED\Policy\A: Certwright:engines: none`, `\VED\Policy\A: Workflow: none`,
			}},
			{"credentials", `
devices: [{dn: '\VED\Policy\A\web', attributes: {Credential: '\VED\Policy\A\login'}, policyFor: {Basic: {Credential: '\VED\Policy\A\blob'}}}]
credentials:
  - {dn: '\VED\Policy\A\login', kind: UsernamePassword, username: deploy, password: Login-of-the-tests-1}
  - {dn: '\VED\Policy\A\blob', kind: Generic, file: blob, contacts: [ops]}
  - {dn: '\VED\Policy\A\empty', kind: CyberArk Password Credential}
`, []string{
				`create Username Password Credential \VED\Policy\A\login`, `\VED\Policy\A\login: Username = deploy`, `\VED\Policy\A\login: secret`,
				`create Generic Credential \VED\Policy\A\blob`, `\VED\Policy\A\blob: Contact = ops`, `\VED\Policy\A\blob: secret`,
				`create CyberArk Password Credential \VED\Policy\A\empty`, `create Device \VED\Policy\A\web`,
				`\VED\Policy\A\web: Credential = \VED\Policy\A\login`,
				`\VED\Policy\A\web: policy for Basic: Credential = \VED\Policy\A\blob`,
			}},
			{"settings of drivers", `
folders:
  - {dn: '\VED\Policy\A', policyFor: {Kubernetes: {Certwright:namespace: shop}, Device: {Global sudo: {value: yes, locked: true}}}, policy: {Certwright:all-or-nothing: yes}}
devices:
  - dn: '\VED\Policy\A\web'
    hostKeys: SHA256:IK22eFkrMnsHVBg5XaKwPcPS5hIxKxhH5xWWrFvCjmw
    connection: ssh
    applications:
      - {name: k, class: Kubernetes, secretName: www-tls, keyCredential: '\VED\Policy\A\login', restart: no}
      - {name: n, class: nginx, lookAt: ['a:443', 'smtp://[::1]:25/b'], fileUserMode: 0400, attributes: {Certwright:look-time: 7}}
`, []string{
				`\VED\Policy\A: policy for Kubernetes: Certwright:namespace = shop`, `\VED\Policy\A: policy Certwright:all-or-nothing = 1`,
				`\VED\Policy\A: policy for Device: Global sudo = 1 (locked)`,
				`\VED\Policy\A\web: Connection Method = SSH`, `\VED\Policy\A\web: Trusted Fingerprint = SHA256:IK22eFkrMnsHVBg5XaKwPcPS5hIxKxhH5xWWrFvCjmw`,
				`create Kubernetes \VED\Policy\A\web\k`, `\VED\Policy\A\web\k: Restart Application = 0`, `\VED\Policy\A\web\k: Certwright:secret-name = www-tls`,
				`create NGINX \VED\Policy\A\web\n`, `\VED\Policy\A\web\n: File Permissions: User = 0400`,
				`\VED\Policy\A\web\n: Certwright:look-at = a:443, smtp://[::1]:25/b`, `\VED\Policy\A\web\n: Certwright:look-time = 7`,
				`\VED\Policy\A\web\k: Private Key Password Credential = \VED\Policy\A\login`,
			}},
			{"settings no more", `
devices: [{dn: '\VED\Policy\A\web', hostKeys: [], applications: [{name: k, class: Kubernetes, restart: '', keyCredential: ''}]}]
`, []string{
				`\VED\Policy\A\web: Trusted Fingerprint: none`, `\VED\Policy\A\web\k: Restart Application: none`,
				`\VED\Policy\A\web\k: Private Key Password Credential: none`,
			}},
			{"another password, which is not looked at", `credentials: [{dn: '\VED\Policy\A\login', kind: UsernamePassword, password: Login-of-the-tests-2}]`, nil},
			{"another password instead", `credentials: [{dn: '\VED\Policy\A\login', kind: UsernamePassword, password: Login-of-the-tests-3, replace: true}]`, []string{
				`\VED\Policy\A\login: secret`,
			}},
			{"SSH", `
sshKeyPairs: [{name: users, algorithm: ed25519, rights: [{to: bob, allow: [view]}]}]
sshTemplates: [{name: users, keyPair: users, validity: 8h, mayAskKeyId: false, mayAskPrincipals: true}]
`, []string{
				"create SSH key pair users", `\VED\Certificate Authority\SSH\Key Pairs\users: rights of bob = view`,
				`create SSH CA Template \VED\Certificate Authority\SSH\Templates\users`,
				`\VED\Certificate Authority\SSH\Templates\users: ` + names.AttrName(clm.SSHOwnKeyID) + ` = 0`,
				`\VED\Certificate Authority\SSH\Templates\users: ` + names.AttrName(clm.SSHValidity) + ` = 8h`,
				`\VED\Certificate Authority\SSH\Templates\users: ` + names.AttrName(clm.SSHSigner) + ` = \VED\Certificate Authority\SSH\Key Pairs\users`,
			}},
			{"certificates", `
fields: [{name: Contract, for: [Device, X509 Certificate]}]
devices: [{dn: '\VED\Policy\A\web', customFields: {Contract: A-17}}]
certificates:
  - {dn: '\VED\Policy\A\asked', commonName: a.example.com, issue: false, attributes: {Notes: x}, rights: [{to: bob, allow: [view]}]}
  - {dn: '\VED\Policy\A\bare', class: X509 Certificate, issue: false, attributes: {X509 Subject: b.example.com}, rights: [{to: bob, allow: [view]}]}
`, []string{
				"create field Contract", "field Contract: for = Device, X509 Certificate",
				`\VED\Policy\A\web: Contract = A-17`,
				`create certificate \VED\Policy\A\asked (not issued)`, `\VED\Policy\A\asked: rights of bob = view`,
				`create X509 Certificate \VED\Policy\A\bare`, `\VED\Policy\A\bare: X509 Subject = b.example.com`, `\VED\Policy\A\bare: rights of bob = view`,
			}},
		} {
			if diff := cmp.Diff(step.want, changeIn(t, r, dir, step.file)); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
			again := changeIn(t, r, dir, step.file)
			if isReplaced := strings.Contains(step.file, "replace: true"); len(again) > 0 != isReplaced {
				t.Errorf("%s: applied again, it changes %q", step.name, again)
			}
		}
		r.Secret(secret.NewString("Login-of-the-tests-3"))
		got, err := r.RetrieveCredential(context.Background(), r.Admin, core.Credential{DN: `\VED\Policy\A\login`, Number: clm.SecretNumber})
		if value := got.Values["Password"]; err != nil || string(value.Reveal()) != "Login-of-the-tests-3" {
			t.Errorf("got %v, want the last password", err)
		}
		if err := r.Rename(context.Background(), r.Admin, `\VED\Policy\A\login`, `\VED\Policy\A\B\renamed`); err != nil {
			t.Fatal(err)
		}
		web, err := r.Object(context.Background(), r.Admin, `\VED\Policy\A\web`)
		if named := web.Own[names.Attr("Credential")]; err != nil || !cmp.Equal(named, []string{`\VED\Policy\A\B\renamed`}) {
			t.Errorf("got %q, %v; want the device to name the credential by its new name", named, err)
		}
	})
}

// A workflow of the file stops certificates of the same file.
func TestWorkflowsHoldAtOnce(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{})
	report := apply(t, r, load(t, `
folders: [{dn: '\VED\Policy\A', workflows: '\VED\Policy\A\ask'}]
workflows: [{dn: '\VED\Policy\A\ask', stage: 0, approvers: [admin]}]
certificates: [{dn: '\VED\Policy\A\x', commonName: x.example.com}]
`), Options{})
	open, err := r.Wait(context.Background(), report.Certificates[0].Work, core.MaxWait)
	if err != nil || open.State != clm.Gated {
		t.Fatalf("got %+v, %v; want it to wait for an approval", open, err)
	}
	if v, err := r.View(context.Background(), r.Admin, `\VED\Policy\A\x`); err != nil || len(v.Tickets) != 1 {
		t.Errorf("got %d tickets, %v; want one", len(v.Tickets), err)
	}
}
