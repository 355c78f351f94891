package core_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/secret"
)

// Where the tests of lending have their objects.
const (
	lendHosts  = `\VED\Policy\Hosts`
	lendWeb    = lendHosts + `\web` // a device with a credential of its own
	lendShop   = lendWeb + `\shop`
	lendLent   = `\VED\Policy\Lent` // whose policy has a credential for devices
	lendVault  = `\VED\Policy\Vault`
	lendLogin  = lendVault + `\login`
	lendOther  = lendVault + `\other`
	lendRights = clm.View | clm.Read | clm.Write | clm.Create | clm.Delete | clm.Rename | clm.PolicyWrite
)

var (
	shell     = clm.ApplicationClass("shell")
	otherSort = clm.ApplicationClass("other")
)

// newLender makes devices with credentials. The clerk may do what he likes with the
// devices but not use the first credential, which the operator may.
func newLender(t *testing.T, r *coretest.Rig) (clerk, operator clm.Actor) {
	t.Helper()
	ctx := context.Background()
	clerk, operator = user(t, r, "clerk"), user(t, r, "operator")
	for _, folder := range []string{lendHosts, lendHosts + `\Rack`, lendLent, lendVault} {
		r.Folder(folder, nil)
	}
	for _, dn := range []string{lendLogin, lendOther} {
		check(t, r.CreateCredential(ctx, r.Admin, core.Credential{
			DN: dn, Class: clm.Credential.Kind("username-password-credential"), Own: map[clm.Attr][]string{clm.Username: {"root"}},
			Values: map[string]secret.Plain{"Password": secret.NewString("Lent-Sesame-9-Open")}, Vault: 8, Number: clm.SecretNumber,
		}))
	}
	lent := map[clm.PolicyKey]clm.Rule{{Class: clm.Device, Attr: clm.CredentialOf}: {Values: []string{lendLogin}}}
	_, err := r.Put(ctx, r.Admin, core.Put{DN: lendLent, Class: clm.Folder, Policy: lent})
	check(t, err)
	reached := func(credential string) map[clm.Attr][]string {
		return map[clm.Attr][]string{clm.Host: {"192.0.2.7"}, clm.CredentialOf: {credential}}
	}
	put(t, r, lendWeb, clm.Device, reached(lendLogin))
	put(t, r, lendShop, shell, map[clm.Attr][]string{clm.ReloadCommand: {"true"}})
	put(t, r, lendWeb+`\wiki`, shell, map[clm.Attr][]string{clm.Host: {"192.0.2.8"}})
	put(t, r, lendLent+`\own`, clm.Device, reached(lendOther))
	for _, free := range []string{`\free`, `\Rack\host`} {
		put(t, r, lendHosts+free, clm.Device, map[clm.Attr][]string{clm.Host: {"192.0.2.9"}})
	}
	for _, name := range []string{"clerk", "operator"} {
		for _, folder := range []string{lendHosts, lendLent} {
			give(t, r, folder, name, lendRights)
		}
		give(t, r, lendOther, name, clm.Read)
	}
	give(t, r, lendLogin, "operator", clm.Read)
	give(t, r, lendLogin, "clerk", clm.View)
	return clerk, operator
}

func setTo(a clm.Attr, values ...string) []core.Edit { return []core.Edit{{Attr: a, Values: values}} }

// Whoever says to which host a credential is sent, or what is run with it, must be able to
// use it, in whatever way that is said.
func TestAimingTakesUse(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		clerk, operator := newLender(t, r)
		edit := func(dn string, edits []core.Edit) func(clm.Actor) error {
			return func(who clm.Actor) error { return r.EditObject(ctx, who, dn, edits, nil) }
		}
		rule := func(dn string, class clm.Class, a clm.Attr, value string) func(clm.Actor) error {
			return func(who clm.Actor) error {
				return r.EditPolicy(ctx, who, dn, class, core.Edit{Attr: a, Values: []string{value}}, true)
			}
		}
		rename := func(from, to string) func(clm.Actor) error {
			return func(who clm.Actor) error { return r.Rename(ctx, who, from, to) }
		}
		create := func(dn string, class clm.Class) func(clm.Actor) error {
			return func(who clm.Actor) error {
				_, err := r.Create(ctx, who, core.NewObject{DN: dn, Class: class})
				return err
			}
		}
		request := func(who clm.Actor) error {
			ask := onWeb("www.example.com", "shop")
			ask.Folder, ask.Devices[0].Folder = lendHosts, lendLent
			_, err := r.Request(ctx, who, ask)
			return err
		}
		for _, c := range []struct {
			name string
			do   func(clm.Actor) error
		}{
			{"the host of a device", edit(lendWeb, setTo(clm.Host, "198.51.100.6"))},
			{"its port", edit(lendWeb, setTo(clm.Port, "2222"))},
			{"the key that it shows", edit(lendWeb, setTo(clm.SeenKey, "SHA256:x"))},
			{"another key that is good", edit(lendWeb, []core.Edit{{Attr: clm.TrustedKeys, Values: []string{"SHA256:y"}, Mode: core.AddTo}})},
			{"another connection", edit(lendWeb, setTo(clm.ConnectBy, "SSH"))},
			{"as root", edit(lendWeb, setTo(clm.Sudo, "1"))},
			{"a command", edit(lendShop, setTo(clm.ReloadCommand, "false"))},
			{"a program", edit(lendShop, setTo(clm.ServiceProgram, "/tmp/x"))},
			{"no host, so that the device's credential is used", edit(lendWeb+`\wiki`, setTo(clm.Host))},
			{"no credential, so that policy's is used", edit(lendLent+`\own`, setTo(clm.CredentialOf))},
			{"an application on the device", create(lendWeb+`\blog`, shell)},
			{"another class of application", func(who clm.Actor) error { return r.Mutate(ctx, who, lendShop, otherSort, nil) }},
			{"a device where policy has a credential", create(lendLent+`\new`, clm.Device)},
			{"the same in a request", request},
			{"policy that says the host", rule(lendHosts, clm.Device, clm.Host, "198.51.100.7")},
			{"policy that says a command", rule(lendHosts, clm.Application, clm.CheckCommand, "false")},
			{"policy of a device that does", rule(lendWeb, clm.Application, clm.ServiceUnit, "x")},
			{"a device moved to where policy has a credential", rename(lendHosts+`\free`, lendLent+`\free`)},
			{"a folder with one moved there", rename(lendHosts+`\Rack`, lendLent+`\Rack`)},
			{"an application moved to another device", rename(lendWeb+`\blog`, lendLent+`\own\blog`)},
			{"a credential for a device", edit(lendLent+`\Rack\host`, setTo(clm.CredentialOf, lendLogin))},
		} {
			if c.name == "an application moved to another device" {
				check(t, r.EditObject(ctx, r.Admin, lendLent+`\own`, setTo(clm.CredentialOf), nil))
			}
			before, err := r.HighestRevision(ctx, r.Admin, `\VED\Policy`, nil)
			check(t, err)
			if err := c.do(clerk); !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v by the clerk, want %v", c.name, err, clm.Denied)
			}
			if after, err := r.HighestRevision(ctx, r.Admin, `\VED\Policy`, nil); err != nil || after != before {
				t.Errorf("%s: what was refused has changed something (%v)", c.name, err)
			}
			if err := c.do(operator); err != nil {
				t.Errorf("%s: got %v by the operator", c.name, err)
			}
		}
	})
}

// Who asks for devices names no object by a reference of ours.
func TestRequestForgesNoReferences(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ask := onWeb("www.example.com", "shop")
		ask.Devices[0].Own = map[clm.Attr][]string{clm.Host: {clm.Ref(objectID(t, r, core.DefaultZone))}}
		if _, err := r.Request(context.Background(), r.Admin, ask); !is(err, clm.Invalid, "value") {
			t.Errorf("got %v", err)
		}
	})
}

// What has nothing to do with how a host is reached is as it was: the clerk may do it.
func TestOtherChangesTakeNoUse(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		clerk, _ := newLender(t, r)
		for name, err := range map[string]error{
			"a description":                     r.EditObject(ctx, clerk, lendWeb, setTo(clm.Description, "x"), nil),
			"where a certificate lies":          r.EditObject(ctx, clerk, lendShop, setTo(clm.LookAt, "192.0.2.7:443"), nil),
			"another name":                      r.Rename(ctx, clerk, lendShop, lendWeb+`\store`),
			"a place with the same policy":      r.Rename(ctx, clerk, lendWeb, lendHosts+`\Rack\web`),
			"a device without a credential":     r.EditObject(ctx, clerk, lendHosts+`\free`, setTo(clm.Host, "192.0.2.1"), nil),
			"a device with a credential of his": r.EditObject(ctx, clerk, lendLent+`\own`, setTo(clm.Host, "192.0.2.1"), nil),
			"policy for other classes":          r.EditPolicy(ctx, clerk, lendHosts, clm.AnyCertificate, core.Edit{Attr: clm.Host, Values: []string{"x"}}, true),
			"policy for nothing that is there":  r.EditPolicy(ctx, clerk, lendHosts, otherSort, core.Edit{Attr: clm.CheckCommand, Values: []string{"x"}}, true),
		} {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// That an auditor sees a credential does not mean that he may use it.
func TestAuditorsNameNoCredentials(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		newLender(t, r)
		yes := true
		_, err := r.PutPrincipal(ctx, r.Admin, core.PutPrincipal{Name: "auditor", Password: r.Password, Auditor: &yes})
		check(t, err)
		auditor, err := r.Login(ctx, core.Login{Name: "auditor", Password: r.Password})
		check(t, err)
		give(t, r, lendHosts, "auditor", lendRights)
		free := lendHosts + `\free`
		if err := r.EditObject(ctx, auditor, free, setTo(clm.CredentialOf, lendLogin), nil); !is(err, clm.Denied, "reference") {
			t.Errorf("got %v, want %v", err, clm.Denied)
		}
		if err := r.EditObject(ctx, auditor, lendWeb, setTo(clm.Host, "198.51.100.6"), nil); !errors.Is(err, clm.Denied) {
			t.Errorf("got %v for a host, want %v", err, clm.Denied)
		}
		give(t, r, lendLogin, "auditor", clm.Read)
		check(t, r.EditObject(ctx, auditor, free, setTo(clm.CredentialOf, lendLogin), nil))
	})
}

// What is done on the machine on which the server runs is for masters to say, whoever may
// use which credential.
func TestOnlyMastersSayLocal(t *testing.T) {
	onBoth(t, func(t *testing.T, r *coretest.Rig) {
		ctx := context.Background()
		_, operator := newLender(t, r)
		here := lendHosts + `\here`
		put(t, r, here, clm.Device, map[clm.Attr][]string{clm.ConnectBy: {clm.ByLocal}})
		put(t, r, here+`\pay`, shell, nil)
		_, made := r.Create(ctx, operator, core.NewObject{DN: lendHosts + `\made`, Class: clm.Device, Own: setTo(clm.ConnectBy, "LOCAL")})
		_, onIt := r.Create(ctx, operator, core.NewObject{DN: here + `\blog`, Class: shell})
		for name, err := range map[string]error{
			"a device":                     made,
			"a device that is there":       r.EditObject(ctx, operator, lendHosts+`\free`, setTo(clm.ConnectBy, clm.ByLocal), nil),
			"an application, to no avail":  r.EditObject(ctx, operator, lendShop, setTo(clm.ConnectBy, clm.ByLocal), nil),
			"policy":                       r.EditPolicy(ctx, operator, lendHosts, clm.Device, core.Edit{Attr: clm.ConnectBy, Values: []string{"local"}}, false),
			"a command there":              r.EditObject(ctx, operator, here+`\pay`, setTo(clm.ReloadCommand, "false"), nil),
			"a command there, by policy":   r.EditPolicy(ctx, operator, here, shell, core.Edit{Attr: clm.ReloadCommand, Values: []string{"x"}}, false),
			"an application there":         onIt,
			"one that is moved there":      r.Rename(ctx, operator, lendShop, here+`\shop`),
			"that it is there no more":     r.EditObject(ctx, operator, here, setTo(clm.ConnectBy), nil),
			"another class of application": r.Mutate(ctx, operator, here+`\pay`, otherSort, nil),
		} {
			if !errors.Is(err, clm.Denied) {
				t.Errorf("%s: got %v, want %v", name, err, clm.Denied)
			}
		}
		check(t, r.EditObject(ctx, r.Admin, here+`\pay`, setTo(clm.ReloadCommand, "true"), nil))
		check(t, r.EditObject(ctx, operator, here+`\pay`, setTo(clm.Description, "x"), nil))
	})
}

// An application that has a host of its own is reached with nothing of its device's:
// whoever may write it gets no password.
func TestOwnHostTakesNothingOfTheDevice(t *testing.T) {
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		given := make(chan deploy.Settings, 1)
		driver := deploy.Driver{New: func(s deploy.Settings) (deploy.Target, error) {
			given <- s
			return deploy.Target{}, errors.New("seen enough")
		}}
		r := coretest.New(t, d, coretest.Options{Drivers: deploy.Registry{"shell": driver}})
		ctx := context.Background()
		clerk, _ := newLender(t, r)
		put(t, r, lendWeb, clm.Device, map[clm.Attr][]string{clm.Port: {"2222"}, clm.Sudo: {"1"}})
		push := pushTo(t, r, lendShop)
		check(t, r.EditObject(ctx, r.Admin, lendShop, setTo(clm.Port, "4444"), nil))
		push()
		if s := <-given; s.Address != "192.0.2.7" || s.Port != 2222 || s.Login.User != "root" || len(s.Login.Password.Reveal()) == 0 {
			t.Errorf("got %s:%d as %q: want what the device says, and all of it", s.Address, s.Port, s.Login.User)
		}
		check(t, r.EditObject(ctx, clerk, lendShop, setTo(clm.Host, "198.51.100.6"), nil))
		push()
		s := <-given
		if s.Address != "198.51.100.6" || s.Port != 4444 || s.Login.User != "" || len(s.Login.Password.Reveal()) > 0 {
			t.Errorf("got %s:%d as %q: want what the application says, and nothing else", s.Address, s.Port, s.Login.User)
		}
		if _, err := s.Host(); err == nil {
			t.Error("the host can be reached without a credential")
		}
	})
}

// pushTo has the application use a certificate; push pushes it there, and waits until
// nothing more comes of it.
func pushTo(t *testing.T, r *coretest.Rig, app string) (push func() (failure string)) {
	t.Helper()
	ctx := context.Background()
	leaf := foreignLeaf(t, "www.example.com", time.Hour, nil)
	done := take(t, r, core.Import{Certificate: bundle(leaf), Key: leaf.keyPEM(t)})
	dn := string(done.DN)
	put(t, r, dn, clm.ServerCertificate, map[clm.Attr][]string{clm.ManagementType: {clm.Provisioning}})
	_, err := r.Bind(ctx, r.Admin, app, dn)
	check(t, err)
	return func() string {
		t.Helper()
		_, err := r.Push(ctx, r.Admin, core.Push{DN: dn, Applications: []string{app}})
		check(t, err)
		w := settledInstall(t, r, app)
		if w == nil {
			return ""
		}
		_, err = r.Reset(ctx, r.Admin, core.Reset{DN: dn})
		check(t, err)
		return w.Failure
	}
}

// The key that a host shows first is pinned where the host is said, and nowhere else.
func TestSeenKeyIsPinnedWhereTheHostIs(t *testing.T) {
	t.Parallel()
	sshd := deploytest.StartSSHD(t)
	coretest.Databases(t, func(t *testing.T, d coretest.Database) {
		r := coretest.New(t, d, coretest.Options{})
		ctx := context.Background()
		device, dir := at("web"), deploytest.Dir(t)
		check(t, r.CreateCredential(ctx, r.Admin, core.Credential{
			DN: at("login"), Class: clm.Credential.Kind("private-key-credential"), Own: map[clm.Attr][]string{clm.Username: {sshd.Access.User}},
			Values: map[string]secret.Plain{"Key": secret.NewPlain(sshd.Key)}, Vault: 8, Number: clm.SecretNumber,
		}))
		reached := []core.Edit{
			{Attr: clm.Host, Values: []string{"127.0.0.1"}}, {Attr: clm.Port, Values: []string{strconv.Itoa(sshd.Access.Port)}},
			{Attr: clm.CredentialOf, Values: []string{at("login")}},
		}
		app := func(name string) string {
			put(t, r, device+`\`+name, clm.ApplicationClass("pem"), map[clm.Attr][]string{
				clm.CertificateFile: {filepath.Join(dir, name+".crt")}, clm.KeyFile: {filepath.Join(dir, name+".key")}, clm.NoValidate: {"1"},
			})
			return device + `\` + name
		}
		seen := func(dn string) bool { return len(ownOf(t, r, dn)[clm.SeenKey]) > 0 }
		put(t, r, device, clm.Device, nil)
		check(t, r.EditObject(ctx, r.Admin, device, reached, nil))
		own, plain := app("own"), app("plain")
		check(t, r.EditObject(ctx, r.Admin, own, append(reached, core.Edit{Attr: clm.Timeout, Values: []string{"9"}}), nil)) // so that it has connections of its own
		for _, c := range []struct {
			app            string
			device, itself bool
		}{{own, false, true}, {plain, true, false}} {
			if failure := pushTo(t, r, c.app)(); failure != "" {
				t.Fatal(failure)
			}
			if seen(device) != c.device || seen(c.app) != c.itself {
				t.Errorf("%s: the key of its host is pinned on the device: %v, on itself: %v", c.app, seen(device), seen(c.app))
			}
		}
	})
}
