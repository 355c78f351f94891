package apache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
)

// TestDriver holds the driver against its promises, on a real Apache.
func TestDriver(t *testing.T) {
	deploytest.Test(t, deploytest.Case{
		Start: func(t *testing.T) deploytest.Ground {
			w := deploytest.StartApache(t, deploytest.Site{Name: "www.example.com"})
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

// TestChainFile puts a certificate in use whose chain is in a file of its own.
func TestChainFile(t *testing.T) {
	chain := filepath.Join(t.TempDir(), "chain.pem")
	text, err := os.ReadFile(firstFile(t))
	deploytest.Must(t, err)
	deploytest.Must(t, os.WriteFile(chain, text, 0o644))
	w := deploytest.StartApache(t, deploytest.Site{Chain: chain})
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.RSA))
	deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, nil)), b)
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// firstFile is a file with a certificate.
func firstFile(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "first.pem")
	deploytest.FirstFiles(t, "chain.test", name, name+".key")
	return name
}

// TestCheckSaysWhatIsWrong wants Apache's own word for it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	w := deploytest.StartApache(t, deploytest.Site{})
	w.Change(t, func(sites []deploytest.Site) { sites[0].Key = "/nowhere.key" })
	_, err := deploytest.Target(t, Driver, w.Settings(0, nil)).Service.Check(t.Context())
	want := "apache2 -t -f " + w.Config + ": SSLCertificateKeyFile: file '/nowhere.key' does not exist or is empty"
	if err == nil || strings.Replace(err.Error(), "httpd", "apache2", 1) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestReloadLeavesAloneWhatWasStopped does not start an Apache that an administrator
// has stopped.
func TestReloadLeavesAloneWhatWasStopped(t *testing.T) {
	w := deploytest.StartApache(t, deploytest.Site{})
	w.Stop()
	_, err := deploytest.Target(t, Driver, w.Settings(0, nil)).Service.Reload(t.Context())
	if want := "apache does not run: there is no " + w.PIDFile; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := look.Look(t.Context(), w.Sites[0].Look()); err == nil {
		t.Error("it was started")
	}
}

// TestWayBackStartsWhatHasDied breaks a virtual host in a way that the check does not
// see, which ends Apache; when it is mended, a reload brings it back.
func TestWayBackStartsWhatHasDied(t *testing.T) {
	w := deploytest.StartApache(t, deploytest.Site{}, deploytest.Site{})
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
	to := deploytest.Target(t, Driver, w.Settings(0, nil))
	right := w.Sites[0].Key
	w.Change(t, func(sites []deploytest.Site) { sites[0].Key = sites[1].Key })
	deploytest.Must(t, to.Store.Place(t.Context(), b))
	deploytest.Must(t, to.Store.Switch(t.Context(), b))
	_, err := to.Service.Check(t.Context())
	deploytest.Must(t, err)
	_, err = to.Service.Reload(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "apache has ended") {
		t.Errorf("got %v", err)
	}
	<-w.Ended()

	w.Change(t, func(sites []deploytest.Site) { sites[0].Key = right })
	_, err = to.Service.Reload(t.Context())
	deploytest.Must(t, err)
	t.Cleanup(func() { stopOther(t, w) })
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// stopOther stops an Apache that another one has started.
func stopOther(t *testing.T, w *deploytest.Web) {
	made := deploytest.Target(t, Driver, w.Settings(0, nil)).Service.(service)
	made.Reloads[slices.Index(made.Reloads, "graceful")] = "stop"
	if _, err := made.Run(context.Background(), made.Reloads); err != nil {
		t.Error(err)
	}
}

// TestDebiansProgramKnowsTheEnvironment uses what is used where nothing is set.
func TestDebiansProgramKnowsTheEnvironment(t *testing.T) {
	w := deploytest.StartApache(t, deploytest.Site{})
	w.Program = deploytest.Program(t, "apachectl")
	if os.Getuid() != 0 {
		t.Skip("only root can use it")
	}
	b := deploytest.NewBundle(t, "www.example.com", deploytest.NewKey(t, deploytest.ECC))
	deploytest.Use(t, deploytest.Target(t, Driver, w.Settings(0, nil)), b)
	deploytest.Shows(t, w.Sites[0].Look(), b)
}

// TestUnits has systemd told, and a unit that has failed started again; one that ends a
// moment later is noticed.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		name   string
		failed int // what "systemctl is-failed" ends with
		active int // what "systemctl is-active" ends with
		want   string
		says   string
	}{
		{"it runs", 1, 0, "is-failed --quiet apache2\nreload apache2\nis-active apache2\n", ""},
		{"it has failed", 0, 0, "is-failed --quiet apache2\nrestart apache2\nis-active apache2\n", ""},
		{"it ends", 1, 3, "is-failed --quiet apache2\nreload apache2\nis-active apache2\n", "systemctl is-active apache2: failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\ncase \"$1\" in is-failed) exit %d;; is-active) echo failed; exit %d;; esac\n", log, c.failed, c.active)
			deploytest.Must(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755))
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			w := &deploytest.Web{Sites: []deploytest.Site{{Cert: "/a.crt", Key: "/a.key"}}}
			_, err := deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{clm.ServiceUnit: "apache2"})).Service.Reload(t.Context())
			if (err != nil) != (c.says != "") || err != nil && !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if got, err := os.ReadFile(log); err != nil || string(got) != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
