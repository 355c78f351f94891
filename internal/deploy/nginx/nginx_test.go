package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// TestDriver holds the driver against its promises, on a real nginx.
func TestDriver(t *testing.T) {
	deploytest.Test(t, deploytest.Case{
		Start: func(t *testing.T) deploytest.Ground {
			w := deploytest.StartNginx(t, deploytest.Site{Name: "www.example.com"})
			spec := w.Sites[0].Look()
			return deploytest.Ground{
				Target: func() deploy.Target { return deploytest.Target(t, Driver, w.Settings(0, nil)) },
				Look:   &spec,
				Keys:   []string{w.Sites[0].Key},
			}
		},
		Lost: func(t *testing.T) (deploy.Target, string) {
			place := filepath.Join(t.TempDir(), "nowhere")
			w := &deploytest.Web{Sites: []deploytest.Site{{Cert: place + "/a.crt", Key: place + "/a.key"}}}
			return deploytest.Target(t, Driver, w.Settings(0, nil)), place
		},
	})
}

// TestOverSSH takes certificates into use, and one back, on a host that is logged in to.
func TestOverSSH(t *testing.T) {
	if testing.Short() {
		t.Skip("logins are left out of short runs")
	}
	sshd, pool := deploytest.StartSSHD(t), remote.NewPool()
	t.Cleanup(pool.Close)
	w := deploytest.StartNginx(t, deploytest.Site{Name: "www.example.com"})
	s := w.Settings(0, nil)
	s.Host = func() (*remote.Host, error) { return pool.Host(sshd.Access), nil }
	to := deploytest.Target(t, Driver, s)
	first := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
	deploytest.Use(t, to, first)
	deploytest.Shows(t, w.Sites[0].Look(), first)
	deploytest.Must(t, to.Store.Keep(t.Context()))
	second := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
	deploytest.Use(t, to, second)
	deploytest.Shows(t, w.Sites[0].Look(), second)
	deploytest.Must(t, to.Store.Back(t.Context()))
	_, err := to.Service.Reload(t.Context())
	deploytest.Must(t, err)
	deploytest.Shows(t, w.Sites[0].Look(), first)
}

// TestUnits has systemd told, and notices that the unit ends a moment later.
func TestUnits(t *testing.T) {
	for _, ends := range []int{0, 3} {
		dir := t.TempDir()
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in 'reload nginx') exit 0;; 'is-active nginx') echo failed; exit %d;; esac\nexit 9\n", ends)
		deploytest.Must(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.crt", Key: "/a.key"}}, Program: "true"}
		_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServiceUnit: "nginx"})).Service.Reload(t.Context())
		if (err != nil) != (ends != 0) || err != nil && err.Error() != "systemctl is-active nginx: failed" {
			t.Errorf("is-active ends with %d: got %v", ends, err)
		}
	}
}

// TestReloadWithoutAWorker does not take an nginx for one that has read its certificates
// that is deaf to what it is told.
func TestReloadWithoutAWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("waiting for a worker is left out of short runs")
	}
	t.Parallel()
	w := deploytest.StartNginx(t, deploytest.Site{})
	w.Program = deploytest.Deaf(t, w.Program, "reload")
	_, err := deploytest.Target(t, Driver, w.Settings(0, nil)).Service.Reload(t.Context())
	if want := fmt.Sprintf("nginx: process %d has started no worker", w.PID); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s...", err, want)
	}
}

// TestManySitesShareOneReload puts fifty certificates in use with one check and one
// reload, and says how long they take.
func TestManySitesShareOneReload(t *testing.T) {
	if testing.Short() {
		t.Skip("fifty sites are left out of short runs")
	}
	const many = 50
	w := deploytest.StartNginx(t, make([]deploytest.Site, many)...)
	bundles, targets := make([]pki.Bundle, many), make([]deploy.Target, many)
	names := map[string]bool{}
	for i := range many {
		bundles[i] = deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
		targets[i] = deploytest.Target(t, Driver, w.Settings(i, nil))
		names[targets[i].Service.Name()] = true
		deploytest.Must(t, targets[i].Store.Place(t.Context(), bundles[i]))
		deploytest.Must(t, targets[i].Store.Switch(t.Context(), bundles[i]))
	}
	if len(names) != 1 {
		t.Errorf("they are %d services: %v", len(names), names)
	}
	began := time.Now()
	said, err := targets[0].Service.Check(t.Context())
	deploytest.Must(t, err)
	checked := time.Now()
	if !strings.Contains(said, "test is successful") {
		t.Errorf("the check says %q", said)
	}
	_, err = targets[1].Service.Reload(t.Context())
	deploytest.Must(t, err)
	reloaded := time.Now()
	for i := range many {
		deploytest.Shows(t, w.Sites[i].Look(), bundles[i])
	}
	t.Logf("%d sites: check %v, reload %v, until all are seen %v", many, checked.Sub(began), reloaded.Sub(checked), time.Since(reloaded))
}

// TestReloadsSideBySide has many check and reload at once, after certificates have
// changed.
func TestReloadsSideBySide(t *testing.T) {
	w := deploytest.StartNginx(t, make([]deploytest.Site, 4)...)
	for range 3 {
		bundles, targets := make([]pki.Bundle, len(w.Sites)), make([]deploy.Target, len(w.Sites))
		for i := range w.Sites {
			bundles[i] = deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
			targets[i] = deploytest.Target(t, Driver, w.Settings(i, nil))
			deploytest.Must(t, targets[i].Store.Place(t.Context(), bundles[i]))
			deploytest.Must(t, targets[i].Store.Switch(t.Context(), bundles[i]))
		}
		var all sync.WaitGroup
		for _, one := range targets {
			all.Go(func() {
				if _, err := one.Service.Check(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := one.Service.Reload(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i := range w.Sites {
			deploytest.Shows(t, w.Sites[i].Look(), bundles[i])
			deploytest.Must(t, targets[i].Store.Keep(t.Context()))
		}
	}
}

// TestCheckSaysWhatIsWrong wants nginx's own word for it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	w := deploytest.StartNginx(t, deploytest.Site{})
	service := deploytest.Target(t, Driver, w.Settings(0, nil)).Service
	w.Change(t, func(sites []deploytest.Site) { sites[0].Key = "/nowhere.key" })
	said, err := service.Check(t.Context())
	want := regexp.MustCompile("^nginx -t -c " + w.Config + `: (nginx: )?\[emerg\] cannot load certificate key "/nowhere.key": `)
	if err == nil || !want.MatchString(err.Error()) || !strings.Contains(said, "test failed") {
		t.Errorf("got %v, said %q; want %s...", err, said, want)
	}
}

// TestReloadNoticesThatNothingRuns has no PID file, an empty one and an old one.
func TestReloadNoticesThatNothingRuns(t *testing.T) {
	w := deploytest.StartNginx(t, deploytest.Site{})
	service := deploytest.Target(t, Driver, w.Settings(0, nil)).Service
	w.Stop()
	for name, prepare := range map[string]func() error{
		"no PID file":       func() error { return os.RemoveAll(w.PIDFile) },
		"an empty PID file": func() error { return os.WriteFile(w.PIDFile, nil, 0o644) },
		"an old PID file":   func() error { return os.WriteFile(w.PIDFile, fmt.Appendln(nil, w.PID), 0o644) },
	} {
		deploytest.Must(t, prepare())
		_, err := service.Reload(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "nginx does not run: nginx -s reload -c ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServiceConfig: "/nowhere.conf"})).Service.Reload(t.Context())
	if err == nil || strings.Contains(err.Error(), "does not run") || !strings.Contains(err.Error(), "/nowhere.conf") {
		t.Errorf("no configuration: got %v", err)
	}
}

// TestSettings has the programs that are run for settings, and what is refused.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name   string
		more   map[clm.Attr]string
		check  string
		reload string
		err    string
	}{
		{"nothing is set", nil, "nginx -t", "nginx -s reload", ""},
		{"a program", map[clm.Attr]string{clm.ServiceProgram: "/opt/nginx"}, "/opt/nginx -t", "/opt/nginx -s reload", ""},
		{"a configuration", map[clm.Attr]string{clm.ServiceConfig: "/a b"}, "nginx -t -c /a b", "nginx -s reload -c /a b", ""},
		{"a unit", map[clm.Attr]string{clm.ServiceUnit: "nginx@1"}, "nginx -t", "systemctl reload nginx@1", ""},
		{"no key", map[clm.Attr]string{clm.KeyFile: ""}, "", "", "Private Key File is not set"},
		{"an option", map[clm.Attr]string{clm.ServiceUnit: "--now"}, "", "", `Systemd Unit: "--now" cannot be an argument`},
		{"a path that is none", map[clm.Attr]string{clm.ServiceConfig: "nginx.conf"}, "", "", `Configuration File: "nginx.conf" is not an absolute path`},
	} {
		w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.crt", Key: "/a.key"}}}
		made, err := Driver.New(w.Settings(0, c.more))
		if err != nil || c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: got %v, want %q", c.name, err, c.err)
			}
			continue
		}
		s := made.Service.(service)
		if got := strings.Join(s.Checks, " "); got != c.check {
			t.Errorf("%s: checks by %q, want %q", c.name, got, c.check)
		}
		if got := strings.Join(s.Reloads, " "); got != c.reload {
			t.Errorf("%s: reloads by %q, want %q", c.name, got, c.reload)
		}
	}
}

// TestOtherServicesHaveOtherNames lets no two that are not the same share a reload.
func TestOtherServicesHaveOtherNames(t *testing.T) {
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.crt", Key: "/a.key"}}}
	plain, other := w.Settings(0, nil), w.Settings(0, nil)
	other.Address = "elsewhere"
	all := []deploy.Settings{plain, other}
	for _, a := range []clm.Attr{clm.ServiceProgram, clm.ServiceConfig, clm.ServiceUnit} {
		all = append(all, w.Settings(0, map[clm.Attr]string{a: "/other"}))
	}
	var names []string
	for _, s := range all {
		names = append(names, deploytest.Target(t, Driver, s).Service.Name())
	}
	slices.Sort(names)
	if got := len(slices.Compact(slices.Clone(names))); got != len(all) {
		t.Errorf("%d of %d names differ: %q", got, len(all), names)
	}
}
