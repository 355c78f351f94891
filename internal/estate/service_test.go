package estate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// Service accounts come to be what the file says, and are exported but for their secrets.
func TestServiceAccounts(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "robot.secret"), []byte("Another-robots-1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"The-first-robots-1", "Another-robots-1"} {
			r.Secret(secret.NewString(s))
		}
		robot := func(client, with string) (clm.Actor, string, error) {
			return r.LoginService(context.Background(), core.ServiceLogin{Client: client, Secret: secret.NewString(with), Address: "192.0.2.1"})
		}
		for _, step := range []struct {
			name, file string
			want       []string
			logsIn     [2]string
			scope      string
		}{
			{"new", `
groups: [{name: robots}]
serviceAccounts: [{name: robot, clientId: id-1, secret: The-first-robots-1, functions: [renew, VIEW, view], groups: [robots]}]
folders: [{dn: '\VED\Policy\Shop', rights: [{to: robot, allow: RW}, {to: robots, allow: [r, private-key-read]}]}]
`, []string{
				"create group robots", "create user robot", "user robot: groups = robots",
				"create service account robot", "service account robot: clientId = id-1", "service account robot: functions = renew, view",
				"service account robot: secret",
				`create Policy \VED\Policy\Shop`, `\VED\Policy\Shop: rights of robot = view, read, write, create, delete, associate`,
				`\VED\Policy\Shop: rights of robots = view, read, private-key-read`,
			}, [2]string{"id-1", "The-first-robots-1"}, "renew view"},
			{"silent", `serviceAccounts: [{name: ROBOT}]`, nil, [2]string{"id-1", "The-first-robots-1"}, "renew view"},
			{"of a user", `{users: [{name: robot, auditor: yes}], serviceAccounts: [{name: robot, clientId: id-2, secretFile: robot.secret, functions: all}]}`, []string{
				"user robot: auditor = yes", "service account robot: clientId = id-2", "service account robot: functions = all", "service account robot: secret",
			}, [2]string{"id-2", "Another-robots-1"}, ""},
		} {
			plan := apply(t, r, load(t, step.file), Options{Plan: true, Dir: dir})
			report := apply(t, r, load(t, step.file), Options{Dir: dir})
			if diff := cmp.Diff(step.want, report.Changes); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
			if diff := cmp.Diff(plan.Changes, report.Changes); diff != "" {
				t.Errorf("%s: planned (-), done (+):\n%s", step.name, diff)
			}
			if again := apply(t, r, load(t, step.file), Options{Dir: dir}); len(again.Changes) > 0 {
				t.Errorf("%s: applied again it changes %q", step.name, again.Changes)
			}
			who, scope, err := robot(step.logsIn[0], step.logsIn[1])
			if err != nil || who.Name != "robot" || scope != step.scope || len(who.Groups) != 2 {
				t.Errorf("%s: got %+v, %q, %v", step.name, who, scope, err)
			}
		}
		text := export(t, r, ExportOptions{})
		_, section, _ := strings.Cut(text, "\nserviceAccounts:\n")
		section, _, _ = strings.Cut(section, "\n\n")
		if diff := cmp.Diff("  - name: robot\n    clientId: id-2\n    functions: [all]", section); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
		if strings.Contains(text, "robots-1") {
			t.Error("a secret is exported")
		}
	})
}

// What the installation does not let be a service account is refused with its place.
func TestRefusedServiceAccounts(t *testing.T) {
	r := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	apply(t, r, load(t, "{users: [{name: jo, password: Jo-of-the-test-1}], serviceAccounts: [{name: robot, clientId: x, secret: y}]}"), Options{})
	for _, test := range []struct{ name, file, want string }{
		{"without a client", "serviceAccounts: [{name: other}]", "line 1: serviceAccounts[0]: is new and has no clientId"},
		{"with the client of another", "serviceAccounts: [{name: other, clientId: x}]", `line 1: serviceAccounts[0] (other): is there already, as something else (client "x")`},
		{"of a user with a password", "serviceAccounts: [{name: jo, clientId: z}]", `line 1: serviceAccounts[0] (jo): is there already, as something else`},
		{"without what holds the secret", "serviceAccounts: [{name: robot, secretEnv: NO_SUCH_VARIABLE}]", "line 1: serviceAccounts[0].secretEnv: the environment has no NO_SUCH_VARIABLE"},
	} {
		_, err := Apply(context.Background(), r.Core, r.Admin, load(t, test.file), Options{})
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

// Folders are known as groups by the names that the file gives them.
func TestGroupNames(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{Idle: true})
		for _, step := range []struct {
			name, file string
			want       []string
			group      string // finds \VED\Policy\Web\Shops
		}{
			{"new", `folders: [{dn: '\VED\Policy\Web\Shops', groupName: Sellers}]`, []string{
				`create Policy \VED\Policy\Web`, `create Policy \VED\Policy\Web\Shops`, `\VED\Policy\Web\Shops: group name = Sellers`,
			}, "sellers"},
			{"silent", `folders: [{dn: '\VED\Policy\Web\Shops'}]`, nil, "Sellers"},
			{"another", `folders: [{dn: '\ved\policy\web\shops', groupName: Vendors}]`, []string{`\VED\Policy\Web\Shops: group name = Vendors`}, "Vendors"},
			{"its own", `folders: [{dn: '\VED\Policy\Web', groupName: Web}]`, nil, "Vendors"},
			{"none", `folders: [{dn: '\VED\Policy\Web\Shops', groupName: ''}]`, []string{`\VED\Policy\Web\Shops: group name: none`}, "web/shops"},
			{"again", `folders: [{dn: '\VED\Policy\Web\Shops', groupName: Sellers}]`, []string{`\VED\Policy\Web\Shops: group name = Sellers`}, "Sellers"},
		} {
			plan := apply(t, r, load(t, step.file), Options{Plan: true})
			report := apply(t, r, load(t, step.file), Options{})
			if diff := cmp.Diff(step.want, report.Changes); diff != "" {
				t.Errorf("%s: want (-), got (+):\n%s", step.name, diff)
			}
			if diff := cmp.Diff(plan.Changes, report.Changes); diff != "" {
				t.Errorf("%s: planned (-), done (+):\n%s", step.name, diff)
			}
			if again := apply(t, r, load(t, step.file), Options{}); len(again.Changes) > 0 {
				t.Errorf("%s: applied again it changes %q", step.name, again.Changes)
			}
			g, err := r.Group(context.Background(), r.Admin, step.group)
			if err != nil || string(g.Path.Last().DN) != `\VED\Policy\Web\Shops` {
				t.Errorf("%s: got %+v, %v", step.name, g, err)
			}
		}
		_, err := Apply(context.Background(), r.Core, r.Admin, load(t, `folders: [{dn: '\VED\Policy\Other', groupName: SELLERS}]`), Options{})
		if !errors.Is(err, clm.Exists) {
			t.Errorf("the name of another group: got %v, want Exists", err)
		}
		if text := export(t, r, ExportOptions{}); strings.Count(text, "groupName:") != 1 || !strings.Contains(text, "    groupName: Sellers\n") {
			t.Errorf("the export does not say the one name:\n%s", text)
		}
	})
}
