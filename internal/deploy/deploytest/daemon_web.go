package deploytest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/pki"
)

// A Site is something that a web server serves by TLS: where, and from which files.
// What is not said is chosen. Where the files are not there, the site begins with a
// certificate of its own.
type Site struct {
	Name  string // the server name; empty: localhost
	Port  int    // of 127.0.0.1; sites that share one are told apart by their names
	Cert  string // the file with the certificate and what stands above it
	Key   string // for HAProxy the same
	Chain string // the file with what stands above the certificate; Apache alone reads it, and only where it is said
}

// Look is where the site is looked at.
func (s Site) Look() look.Spec {
	return look.Spec{Protocol: look.TLS, Host: "127.0.0.1", Port: s.Port, Name: s.Name}
}

// A Web is a web server that runs.
type Web struct {
	*Daemon
	Program string // its path
	Config  string // the path of its configuration
	PIDFile string // where its number stands
	Socket  string // where it takes orders, if it does
	Sites   []Site

	text func(Web) string // of the configuration
}

// newWeb chooses what was not said of the sites and writes their first files. The key
// of a site lies beside its certificate, or in the same file where keyName is empty.
func newWeb(t testing.TB, sites []Site, keyName string) *Web {
	t.Helper()
	w := &Web{Sites: append([]Site(nil), sites...)}
	dir := Dir(t)
	for i := range w.Sites {
		s := &w.Sites[i]
		if s.Name == "" {
			s.Name = "localhost"
		}
		if s.Port == 0 {
			s.Port = FreePort(t)
		}
		own := filepath.Join(dir, "tls", fmt.Sprintf("%d-%s", i, s.Name))
		if s.Cert == "" {
			s.Cert = filepath.Join(own, "site.pem")
		}
		if s.Key == "" && keyName != "" {
			s.Key = filepath.Join(filepath.Dir(s.Cert), keyName)
		}
		if s.Key == "" {
			s.Key = s.Cert
		}
		FirstFiles(t, s.Name, s.Cert, s.Key)
	}
	w.Config = filepath.Join(dir, "server.conf")
	w.PIDFile = filepath.Join(dir, "server.pid")
	return w
}

// Settings are those of an application on this machine that is the site of this
// number, with what else is set.
func (w *Web) Settings(site int, more map[clm.Attr]string) deploy.Settings {
	s := w.Sites[site]
	values := map[clm.Attr][]string{
		clm.CertificateFile: {s.Cert}, clm.KeyFile: {s.Key}, clm.ChainFile: {s.Chain},
		clm.ServiceProgram: {w.Program}, clm.ServiceConfig: {w.Config},
	}
	for a, value := range more {
		values[a] = []string{value}
	}
	return deploy.Settings{
		ID: clm.ObjectID(fmt.Sprintf("00000000-0000-4000-8000-%012d", site)), Values: values, Address: "127.0.0.1",
		Host: func() (*remote.Host, error) { return remote.Local(), nil },
	}
}

// Change writes another configuration, which the server reads when it is told to:
// a site of another file than the driver writes, say, or one whose key is missing.
func (w *Web) Change(t testing.TB, change func(sites []Site)) {
	t.Helper()
	change(w.Sites)
	w.configure(t)
}

func (w *Web) configure(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(w.Config, []byte(w.text(*w)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ports are those of the sites, each once.
func (w *Web) ports() []int {
	var ports []int
	seen := map[int]bool{}
	for _, s := range w.Sites {
		if !seen[s.Port] {
			ports = append(ports, s.Port)
		}
		seen[s.Port] = true
	}
	return ports
}

// Use puts the certificate in use up to where it should be seen.
func Use(t testing.TB, to deploy.Target, b pki.Bundle) {
	t.Helper()
	for _, s := range []step{place, turn, tell} {
		if err := s.do(t.Context(), to, b); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
}

// Shows waits until the certificate is seen there, with its chain.
func Shows(t testing.TB, s look.Spec, b pki.Bundle) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if _, err := look.Await(ctx, []look.Spec{s}, b.Cert, b.Chain, 20*time.Millisecond); err != nil {
		t.Error(err)
	}
}

// Deaf writes a program which is the other one, except that it does nothing and says
// that all is well when one of its arguments is one of the words.
func Deaf(t testing.TB, program string, words ...string) string {
	t.Helper()
	path := filepath.Join(Dir(t), filepath.Base(program))
	script := "#!/bin/sh\nfor word; do case \"$word\" in " + strings.Join(words, "|") + ") exit 0;; esac; done\nexec '" + program + "' \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
