package tomcat

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/secret"
)

// The keystores that Tomcats are tried with.
var (
	pkcs12 = deploytest.Keystore{Type: "PKCS12", Password: `5 <"geheim"> & 'so'`}
	jks    = deploytest.Keystore{Type: "JKS", Password: "geheim1", KeyPassword: "geheim2", Alias: "site"}
)

// settings are those of an application of a Tomcat on this machine, which is told by
// its manager.
func settings(c deploytest.Tomcat, k deploytest.Keystore) deploy.Settings {
	manager, err := url.Parse(c.Manager)
	if err != nil {
		panic(err)
	}
	manager.User = url.User(c.User)
	return deploy.Settings{
		ID: "00000000-0000-4000-8000-000000008443", Address: "127.0.0.1",
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
		Values: map[clm.Attr][]string{
			clm.KeyStore: {c.Cert}, clm.StoreType: {k.Type}, clm.StoreAlias: {k.Alias}, clm.ServiceSocket: {manager.String()},
		},
		Secrets: map[clm.Attr]secret.Plain{
			clm.StoreCredential: secret.NewString(k.Password), clm.KeyCredential: secret.NewString(k.KeyPassword),
			clm.ServiceUser: secret.NewString(c.Password),
		},
	}
}

func awaitLeaf(t testing.TB, c deploytest.Tomcat, leaf []byte) {
	t.Helper()
	c.Await(t, "the new certificate", func() bool {
		got, err := look.Look(t.Context(), c.Look())
		return err == nil && bytes.Equal(got.Chain[0], leaf)
	})
}

// TestConformance holds the driver against the promises of all drivers.
func TestConformance(t *testing.T) {
	for _, k := range []deploytest.Keystore{pkcs12, jks} {
		t.Run(k.Type, func(t *testing.T) {
			t.Parallel()
			deploytest.Test(t, deploytest.Case{
				Start: func(t *testing.T) deploytest.Ground {
					c := deploytest.StartTomcat(t, deploytest.Site{}, k)
					spec := c.Look()
					return deploytest.Ground{
						Target: func() deploy.Target { return deploytest.Target(t, Driver, settings(c, k)) },
						Look:   &spec, Keys: []string{c.Key}, Secrets: []string{k.Password, c.Password},
					}
				},
				Lost: func(t *testing.T) (deploy.Target, string) {
					return deploytest.Target(t, Driver, settings(deploytest.Tomcat{Site: deploytest.Site{Cert: "/nowhere/site.keystore"}, Manager: "http://127.0.0.1:1/nowhere", User: "me", Password: "x"}, k)), "/nowhere"
				},
			})
		})
	}
}

// TestManagerSaysWhatIsWrong asks it what it cannot do, and wants to be told why, by
// who says no password.
func TestManagerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	c := deploytest.StartTomcat(t, deploytest.Site{}, pkcs12)
	before, err := look.Look(t.Context(), c.Look())
	if err != nil {
		t.Fatal(err)
	}
	good := settings(c, pkcs12)
	with := func(a clm.Attr, value string) deploy.Settings {
		s := good
		s.Values, s.Secrets = maps.Clone(s.Values), maps.Clone(s.Secrets)
		if _, is := s.Secrets[a]; is {
			s.Secrets[a] = secret.NewString(value)
		} else {
			s.Values[a] = []string{value}
		}
		return s
	}
	for name, x := range map[string]struct {
		s    deploy.Settings
		want string
	}{
		"a wrong password":           {with(clm.ServiceUser, `wrong"password`), "401"},
		"nobody":                     {with(clm.ServiceSocket, c.Manager), "401"},
		"a manager that is not":      {with(clm.ServiceSocket, strings.TrimSuffix(c.Manager, "manager")+"other"), "404"},
		"a port at which nobody is":  {with(clm.ServiceSocket, "http://me@127.0.0.1:1/manager"), "onnect"},
		"a check that does not pass": {with(clm.CheckCommand, "ls /nowhere"), "/nowhere"},
	} {
		said, err := deploytest.Target(t, Driver, x.s).Service.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %s: %s", name, err, x.want, said)
		}
		if all := fmt.Sprint(err, said); strings.Contains(all, c.Password) || strings.Contains(all, `wrong"password`) {
			t.Errorf("%s: the password is shown", name)
		}
	}

	// It cannot open a store with another password than that in its configuration, and
	// stays with what it has.
	other := with(clm.StoreCredential, "another")
	other.Values[clm.ReplaceStore] = []string{"1"} // it does not open with that
	to, b := deploytest.Target(t, Driver, other), deploytest.SelfSigned(t, "next.test")
	if err := to.Store.Place(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := to.Store.Switch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if said, err := to.Service.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "500") || !strings.Contains(err.Error(), "SSLContext") {
		t.Errorf("reload of a store with another password: %v: %s", err, said)
	}
	awaitLeaf(t, c, before.Chain[0])
	if err := to.Store.Back(t.Context()); err != nil {
		t.Fatal(err)
	}
	deploytest.Use(t, deploytest.Target(t, Driver, good), b)
	awaitLeaf(t, c, b.Cert)
}

// TestOtherWays tells it by a command and by systemd's program, for which another one
// stands in.
func TestOtherWays(t *testing.T) {
	c := deploytest.StartTomcat(t, deploytest.Site{}, pkcs12)
	dir := t.TempDir()
	netrc := filepath.Join(dir, "netrc of the manager")
	curl := fmt.Sprintf("user = %s\nurl = %s\n", quoted(c.User+":"+c.Password), quoted(c.Manager+"/text/sslReload"))
	if err := os.WriteFile(netrc, []byte(curl), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n[ \"$*\" = 'restart tomcat10' ] && exec curl -sSf -K '" + netrc + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for a, value := range map[clm.Attr]string{clm.ReloadCommand: `curl -sSf -K "` + netrc + `"`, clm.ServiceUnit: "tomcat10"} {
		s := settings(c, pkcs12)
		delete(s.Values, clm.ServiceSocket)
		s.Values[a] = []string{value}
		b := deploytest.SelfSigned(t, "next.test")
		deploytest.Use(t, deploytest.Target(t, Driver, s), b)
		awaitLeaf(t, c, b.Cert)
	}
}

// TestSettings are those that make no sense, and those of one service.
func TestSettings(t *testing.T) {
	good := settings(deploytest.Tomcat{Site: deploytest.Site{Cert: "/a/store.p12"}, Manager: "http://127.0.0.1:8080/manager", User: "me", Password: "x"}, deploytest.Keystore{Password: "x"})
	with := func(values ...any) deploy.Settings {
		s := good
		s.Values, s.Secrets = maps.Clone(s.Values), maps.Clone(s.Secrets)
		for i := 0; i < len(values); i += 2 {
			switch v := values[i+1].(type) {
			case string:
				s.Values[values[i].(clm.Attr)] = []string{v}
			case secret.Plain:
				s.Secrets[values[i].(clm.Attr)] = v
			}
		}
		return s
	}
	for name, c := range map[string]struct {
		s    deploy.Settings
		want string
	}{
		"no store":                             {with(clm.KeyStore, ""), "Key Store is not set"},
		"a store somewhere":                    {with(clm.KeyStore, "store.p12"), "Key Store:"},
		"a store beside the way":               {with(clm.KeyStore, "/a/../store.p12"), "Key Store:"},
		"a store without a password":           {with(clm.StoreCredential, secret.Plain{}), "Key Store Credential"},
		"a format that nobody knows":           {with(clm.StoreType, "JCEKS"), "Store Type"},
		"JKS without a label":                  {with(clm.StoreType, "jks"), "Certificate Label"},
		"JKS by its name, without a label":     {with(clm.KeyStore, "/a/store.jks"), "Certificate Label"},
		"a password of the key in PKCS #12":    {with(clm.KeyCredential, secret.NewString("other")), "Private Key Password Credential"},
		"nobody who is told":                   {with(clm.ServiceSocket, ""), "Reload Command"},
		"a manager that is a socket":           {with(clm.ServiceSocket, "/run/tomcat.sock"), "Manager"},
		"a manager that is a file":             {with(clm.ServiceSocket, "file:///etc/passwd"), "Manager"},
		"a manager with a password":            {with(clm.ServiceSocket, "http://me:secret@127.0.0.1/manager"), "Manager"},
		"a user without a password":            {with(clm.ServiceUser, secret.Plain{}), "Manager Credential"},
		"a command that needs a shell":         {with(clm.ReloadCommand, "a | b"), "Reload Command"},
		"a command without a name":             {with(clm.CheckCommand, "'' b"), "Check Command"},
		"a unit that would be taken as option": {with(clm.ServiceSocket, "", clm.ServiceUnit, "--now"), "Systemd Unit"},
	} {
		if _, err := Driver.New(c.s); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want something of %s", name, err, c.want)
		}
	}
	for name, s := range map[string]deploy.Settings{
		"PKCS #12 as the vendor spells it": with(clm.StoreType, "PKCS #12"),
		"the password of the store again":  with(clm.KeyCredential, good.Secrets[clm.StoreCredential]),
		"JKS with a label":                 with(clm.KeyStore, "/a/store.jks", clm.StoreAlias, "site"),
		"a manager without a user":         with(clm.ServiceSocket, "https://127.0.0.1:8443/manager/", clm.ServiceUser, secret.Plain{}),
	} {
		if _, err := Driver.New(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	same, other := with(clm.KeyStore, "/b/store.p12"), with(clm.ServiceSocket, "http://me@127.0.0.1:8081/manager")
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, same).Service.Name(); a != b {
		t.Errorf("one service is %q and %q", a, b)
	}
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, other).Service.Name(); a == b {
		t.Errorf("two services are %q", a)
	}
}
