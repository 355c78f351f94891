package postfix

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// settings are those of an application of a Postfix on this machine.
func settings(p deploytest.Postfix) deploy.Settings {
	return deploy.Settings{
		ID: "00000000-0000-4000-8000-000000000025", Address: "127.0.0.1",
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
		Values: map[clm.Attr][]string{
			clm.ServiceProgram: {p.Program}, clm.ServiceConfig: {p.Config},
			clm.CertificateFile: {p.Cert}, clm.KeyFile: {p.Key},
		},
	}
}

// oneFile starts a Postfix that reads key and certificate from one file. Its name must
// have no comma in it, as those of a test's folders may.
func oneFile(t testing.TB) deploytest.Postfix {
	t.Helper()
	dir, err := os.MkdirTemp("", "certwright")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "site.pem")
	return deploytest.StartPostfix(t, deploytest.Site{Cert: file, Key: file})
}

// TestConformance holds the driver against the promises of all drivers.
func TestConformance(t *testing.T) {
	t.Parallel()
	deploytest.Test(t, deploytest.Case{
		Start: func(t *testing.T) deploytest.Ground {
			p := deploytest.StartPostfix(t, deploytest.Site{})
			spec := p.Look()
			return deploytest.Ground{Target: func() deploy.Target { return deploytest.Target(t, Driver, settings(p)) }, Look: &spec, Keys: []string{p.Key}}
		},
		Lost: func(t *testing.T) (deploy.Target, string) {
			s := settings(deploytest.Postfix{Site: deploytest.Site{Cert: "/nowhere/site.pem", Key: "/nowhere/site.key"}, Config: "/nowhere/conf"})
			return deploytest.Target(t, Driver, s), "/nowhere"
		},
	})
}

// TestNobodyIsServedHalfAPair switches again and again under servers of which each
// serves one connection, so that they read the file all the time.
func TestNobodyIsServedHalfAPair(t *testing.T) {
	t.Parallel()
	p := oneFile(t)
	main, err := os.OpenFile(filepath.Join(p.Config, "main.cf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := main.WriteString("max_use = 1\n"); err != nil {
		t.Fatal(err)
	}
	if err := main.Close(); err != nil {
		t.Fatal(err)
	}
	to := deploytest.Target(t, Driver, settings(p))
	if said, err := to.Service.Reload(t.Context()); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var looking sync.WaitGroup
	var seen atomic.Int32 // certificates
	looking.Go(func() {
		var last []byte
		for ctx.Err() == nil {
			got, err := look.Look(t.Context(), p.Look())
			if err != nil {
				t.Error(err)
				return
			}
			if !bytes.Equal(got.Chain[0], last) {
				last = got.Chain[0]
				seen.Add(1)
			}
		}
	})
	for n, end := 0, time.Now().Add(time.Minute); n < 40 || seen.Load() < 10 && time.Now().Before(end) && !t.Failed(); n++ {
		b := deploytest.SelfSigned(t, "next.test")
		for _, step := range []func() error{
			func() error { return to.Store.Place(t.Context(), b) },
			func() error { return to.Store.Switch(t.Context(), b) },
			func() error { return to.Store.Keep(t.Context()) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	looking.Wait()
	if got := seen.Load(); got < 10 {
		t.Errorf("only %d certificates were seen", got)
	}
}

// TestPostfixSaysWhatIsWrong has it check and reload what it cannot.
func TestPostfixSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := deploytest.StartPostfix(t, deploytest.Site{})
	service := deploytest.Target(t, Driver, settings(p)).Service
	if said, err := service.Check(t.Context()); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	master := filepath.Join(p.Config, "master.cf")
	good, err := os.ReadFile(master)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(master, []byte("nonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := service.Check(t.Context()); err == nil || !strings.Contains(said, master) {
		t.Errorf("check of a broken master.cf: %v: %s", err, said)
	}
	if err := os.WriteFile(master, good, 0o644); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if said, err := service.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("reload of one that does not run: %v: %s", err, said)
	}
}

// TestSettings are those that make no sense, and those of one service.
func TestSettings(t *testing.T) {
	good := settings(deploytest.Postfix{Program: "/usr/sbin/postfix", Config: "/etc/postfix", Site: deploytest.Site{Cert: "/a/cert.pem", Key: "/a/key.pem"}})
	with := func(a clm.Attr, value string) deploy.Settings {
		s := good
		s.Values = maps.Clone(s.Values)
		s.Values[a] = []string{value}
		return s
	}
	for name, c := range map[string]struct {
		s    deploy.Settings
		want string
	}{
		"no certificate file":          {with(clm.CertificateFile, ""), "Certificate File"},
		"a key beside the way":         {with(clm.KeyFile, "key.pem"), "Private Key File"},
		"a configuration with options": {with(clm.ServiceConfig, "-v"), "Configuration Directory"},
		"a configuration somewhere":    {with(clm.ServiceConfig, "postfix"), "Configuration Directory"},
		"a program with options":       {with(clm.ServiceProgram, "-c"), "Program"},
	} {
		if _, err := Driver.New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something of %s", name, err, c.want)
		}
	}
	same, other := with(clm.CertificateFile, "/b/cert.pem"), with(clm.ServiceConfig, "/etc/postfix-2")
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, same).Service.Name(); a != b {
		t.Errorf("one service is %q and %q", a, b)
	}
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, other).Service.Name(); a == b {
		t.Errorf("two services are %q", a)
	}
}
