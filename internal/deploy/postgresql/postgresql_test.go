package postgresql

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// settings are those of an application of a PostgreSQL on this machine.
func settings(p deploytest.PostgreSQL) deploy.Settings {
	return deploy.Settings{
		ID: "00000000-0000-4000-8000-000000005432", Address: "127.0.0.1",
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
		Values: map[clm.Attr][]string{
			clm.ServiceConfig: {p.Data}, clm.CertificateFile: {p.Cert}, clm.KeyFile: {p.Key},
		},
	}
}

// place puts a certificate where the server will find it.
func place(t testing.TB, to deploy.Target, b pki.Bundle) {
	t.Helper()
	if err := to.Store.Place(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := to.Store.Switch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// awaitLeaf waits until the server shows the certificate.
func awaitLeaf(t testing.TB, p deploytest.PostgreSQL, leaf []byte) {
	t.Helper()
	p.Await(t, "the new certificate", func() bool {
		got, err := look.Look(t.Context(), p.Look())
		return err == nil && bytes.Equal(got.Chain[0], leaf)
	})
}

// TestConformance holds the driver against the promises of all drivers.
func TestConformance(t *testing.T) {
	for name, site := range map[string]func(t *testing.T) deploytest.Site{
		"two files": func(*testing.T) deploytest.Site { return deploytest.Site{} },
		"one file": func(t *testing.T) deploytest.Site {
			file := filepath.Join(deploytest.Dir(t), "site.pem")
			return deploytest.Site{Cert: file, Key: file}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deploytest.Test(t, deploytest.Case{
				Start: func(t *testing.T) deploytest.Ground {
					p := deploytest.StartPostgreSQL(t, site(t))
					spec := p.Look()
					return deploytest.Ground{Target: func() deploy.Target { return deploytest.Target(t, Driver, settings(p)) }, Look: &spec, Keys: []string{p.Key}}
				},
				Lost: func(t *testing.T) (deploy.Target, string) {
					s := settings(deploytest.PostgreSQL{Site: deploytest.Site{Cert: "/nowhere/site.pem", Key: "/nowhere/site.key"}, Data: "/nowhere/data"})
					return deploytest.Target(t, Driver, s), "/nowhere"
				},
			})
		})
	}
}

// TestOwnerOfTheKey holds the check against what the server does with keys of all
// owners and modes.
func TestOwnerOfTheKey(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	p := deploytest.StartPostgreSQL(t, deploytest.Site{})
	to := deploytest.Target(t, Driver, settings(p))
	for _, c := range []struct {
		name     string
		uid, gid int
		mode     os.FileMode
		taken    bool
	}{
		{"its own", p.Owner.UID, p.Owner.GID, 0o600, true},
		{"its own, that it may only read", p.Owner.UID, p.Owner.GID, 0o400, true},
		{"its own, which its group may read", p.Owner.UID, p.Owner.GID, 0o640, false},
		{"its own, which all may read", p.Owner.UID, p.Owner.GID, 0o644, false},
		{"root's, which its group may read", 0, p.Owner.GID, 0o640, true},
		{"root's, which its group may write", 0, p.Owner.GID, 0o660, false},
		{"root's, which all may read", 0, p.Owner.GID, 0o644, false},
		{"root's alone", 0, 0, 0o600, false},
		{"somebody's", 65534, p.Owner.GID, 0o640, false},
	} {
		before, err := look.Look(t.Context(), p.Look())
		if err != nil {
			t.Fatal(err)
		}
		b := deploytest.SelfSigned(t, "next.test")
		place(t, to, b)
		if err := os.Chown(p.Key, c.uid, c.gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p.Key, c.mode); err != nil {
			t.Fatal(err)
		}
		said, err := to.Service.Check(t.Context())
		if c.taken != (err == nil) || err != nil && !strings.Contains(err.Error(), p.Key) {
			t.Errorf("%s: %v: %s", c.name, err, said)
		}
		loaded := strings.Count(p.Output(), "SSL configuration was not reloaded")
		if said, err := to.Service.Reload(t.Context()); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if c.taken {
			awaitLeaf(t, p, b.Cert)
		} else {
			p.Await(t, "its refusal", func() bool { return strings.Count(p.Output(), "SSL configuration was not reloaded") > loaded })
			awaitLeaf(t, p, before.Chain[0])
		}
		if err := os.Chown(p.Key, p.Owner.UID, p.Owner.GID); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p.Key, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := to.Store.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOthersAreNotSignalled has postmaster.pid name what is not the server.
func TestOthersAreNotSignalled(t *testing.T) {
	t.Parallel()
	p := deploytest.StartPostgreSQL(t, deploytest.Site{})
	service := deploytest.Target(t, Driver, settings(p)).Service
	p.Stop()
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no file":            "",
		"all processes":      "-1\n",
		"this group":         "0\n",
		"the first of all":   "1\n",
		"no number":          "$(reboot)\n",
		"one that has ended": strconv.Itoa(gone.Process.Pid) + "\n",
		"one of another":     strconv.Itoa(other.Process.Pid) + "\n",
	} {
		if name == "one of another" && os.Getuid() != 0 {
			continue // the server's user is who the other's is
		}
		file := filepath.Join(p.Data, "postmaster.pid")
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func() (string, error){
			"check":  func() (string, error) { return service.Check(t.Context()) },
			"reload": func() (string, error) { return service.Reload(t.Context()) },
		} {
			if said, err := do(); err == nil || !strings.Contains(err.Error(), "postmaster.pid") {
				t.Errorf("%s, %s: %v: %s", name, what, err, said)
			}
		}
	}
	if err := other.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = other.Wait() // it was killed
	if status := other.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("the other process had been sent %v", status.Signal())
	}
}

// TestUnit reloads by systemd's program, for which another one stands in.
func TestUnit(t *testing.T) {
	p := deploytest.StartPostgreSQL(t, deploytest.Site{})
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1 $2\" = 'reload postgresql@15-main' ] && kill -HUP %d\n", p.PID)
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	s := settings(p)
	s.Values[clm.ServiceUnit] = []string{"postgresql@15-main"}
	to, b := deploytest.Target(t, Driver, s), deploytest.SelfSigned(t, "next.test")
	place(t, to, b)
	if said, err := to.Service.Reload(t.Context()); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	awaitLeaf(t, p, b.Cert)
}

// TestSettings are those that make no sense, and those of one service.
func TestSettings(t *testing.T) {
	good := settings(deploytest.PostgreSQL{Data: "/var/lib/postgresql/15/main", Site: deploytest.Site{Cert: "/a/cert.pem", Key: "/a/key.pem"}})
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
		"no certificate file": {with(clm.CertificateFile, ""), "Certificate File"},
		"no directory":        {with(clm.ServiceConfig, ""), "Data Directory"},
		"a directory nowhere": {with(clm.ServiceConfig, "data"), "Data Directory"},
		"a unit with options": {with(clm.ServiceUnit, "--now"), "Systemd Unit"},
	} {
		if _, err := Driver.New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something of %s", name, err, c.want)
		}
	}
	same, other := with(clm.ServiceConfig, "/var/lib/postgresql/15/main/"), with(clm.ServiceConfig, "/var/lib/postgresql/15/other")
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, same).Service.Name(); a != b {
		t.Errorf("one service is %q and %q", a, b)
	}
	if a, b := deploytest.Target(t, Driver, good).Service.Name(), deploytest.Target(t, Driver, other).Service.Name(); a == b {
		t.Errorf("two services are %q", a)
	}
}
