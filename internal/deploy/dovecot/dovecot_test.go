package dovecot

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// settings are those of an application of a Dovecot on this machine.
func settings(d deploytest.Dovecot) deploy.Settings {
	return deploy.Settings{
		ID: "00000000-0000-4000-8000-000000000143", Address: "127.0.0.1",
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
		Values: map[clm.Attr][]string{
			clm.ServiceConfig: {d.Config}, clm.CertificateFile: {d.Cert}, clm.KeyFile: {d.Key},
		},
	}
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
					d := deploytest.StartDovecot(t, site(t))
					spec := d.Look()
					return deploytest.Ground{Target: func() deploy.Target { return deploytest.Target(t, Driver, settings(d)) }, Look: &spec, Keys: []string{d.Key}}
				},
				Lost: func(t *testing.T) (deploy.Target, string) {
					s := settings(deploytest.Dovecot{Site: deploytest.Site{Cert: "/nowhere/site.pem", Key: "/nowhere/site.key"}, Config: "/nowhere/dovecot.conf"})
					return deploytest.Target(t, Driver, s), "/nowhere"
				},
			})
		})
	}
}

// TestIMAPS looks at the port of IMAP over TLS, which shows the same certificate.
func TestIMAPS(t *testing.T) {
	t.Parallel()
	d := deploytest.StartDovecot(t, deploytest.Site{})
	b := deploytest.SelfSigned(t, "next.test")
	deploytest.Use(t, deploytest.Target(t, Driver, settings(d)), b)
	d.Await(t, "the new certificate", func() bool {
		got, err := look.Look(t.Context(), look.Spec{Protocol: look.TLS, Host: "127.0.0.1", Port: d.IMAPS})
		return err == nil && bytes.Equal(got.Chain[0], b.Cert)
	})
}

// TestCheckReadsTheFiles has Dovecot check configurations that it could not use, and
// says no key.
func TestCheckReadsTheFiles(t *testing.T) {
	t.Parallel()
	d := deploytest.StartDovecot(t, deploytest.Site{})
	service := deploytest.Target(t, Driver, settings(d)).Service
	said, err := service.Check(t.Context())
	if err != nil || strings.Contains(said, "KEY") {
		t.Fatalf("%v: %s", err, said)
	}
	config, err := os.ReadFile(d.Config)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ config, want string }{
		"a file that is not there":     {strings.ReplaceAll(string(config), d.Key, "/nowhere.key"), "/nowhere.key"},
		"a setting that is not there":  {string(config) + "nonsense = 1\n", "nonsense"},
		"a section without an end":     {string(config) + "service x {\n", d.Config},
		"what is not a setting at all": {string(config) + "}\n", d.Config},
	} {
		if err := os.WriteFile(d.Config, []byte(c.config), 0o644); err != nil {
			t.Fatal(err)
		}
		if said, err := service.Check(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v: %s", name, err, said)
		}
	}
}

// TestReloadOfNone tells a Dovecot that does not run.
func TestReloadOfNone(t *testing.T) {
	t.Parallel()
	d := deploytest.StartDovecot(t, deploytest.Site{})
	d.Stop()
	if said, err := deploytest.Target(t, Driver, settings(d)).Service.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestSettings are those that make no sense.
func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		attr        clm.Attr
		value, want string
	}{
		"no certificate file":          {clm.CertificateFile, "", "Certificate File"},
		"a key beside the way":         {clm.KeyFile, "key.pem", "Private Key File"},
		"a configuration with options": {clm.ServiceConfig, "-n", "Configuration File"},
		"a program with options":       {clm.ServiceProgram, "-c", "Program"},
	} {
		s := settings(deploytest.Dovecot{Site: deploytest.Site{Cert: "/a/cert.pem", Key: "/a/key.pem"}})
		s.Values[c.attr] = []string{c.value}
		if _, err := Driver.New(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want something of %s", name, err, c.want)
		}
	}
}
