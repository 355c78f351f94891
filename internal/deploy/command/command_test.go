package command

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/deploytest"
)

// TestDriver holds the driver against its promises, on an nginx of which it knows
// no more than two commands.
func TestDriver(t *testing.T) {
	deploytest.Test(t, deploytest.Case{
		Start: func(t *testing.T) deploytest.Ground {
			w := deploytest.StartNginx(t, deploytest.Site{Name: "www.example.com"})
			spec := w.Sites[0].Look()
			return deploytest.Ground{
				Target: func() deploy.Target {
					return deploytest.Target(t, Driver, w.Settings(0, map[clm.Attr]string{
						clm.ChainFile:    "", // nginx reads none
						clm.CheckCommand: single(w.Program) + " -t -c " + single(w.Config), clm.ReloadCommand: w.Program + ` -s "reload" -c ` + single(w.Config),
					}))
				},
				Look: &spec,
				Keys: []string{w.Sites[0].Key},
			}
		},
		Lost: func(t *testing.T) (deploy.Target, string) {
			place := filepath.Join(t.TempDir(), "nowhere")
			return deploytest.Target(t, Driver, settings(place, map[clm.Attr]string{clm.ReloadCommand: "true"})), place
		},
	})
}

// settings are those of files in a directory.
func settings(dir string, more map[clm.Attr]string) deploy.Settings {
	w := &deploytest.Web{Sites: []deploytest.Site{{Cert: dir + "/a.crt", Key: dir + "/a.key"}}}
	return w.Settings(0, more)
}

// TestSettings refuses commands that would not do what they say, and an application
// of which nobody would know what it does.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name string
		more map[clm.Attr]string
		want string
	}{
		{"a reload", map[clm.Attr]string{clm.ReloadCommand: "a"}, ""},
		{"a look", map[clm.Attr]string{clm.LookAt: "127.0.0.1:443"}, ""},
		{"a port", map[clm.Attr]string{clm.ListenPort: "443"}, ""},
		{"a check and a look", map[clm.Attr]string{clm.CheckCommand: "a", clm.LookAt: "127.0.0.1:443"}, ""},
		{"nothing", nil, "neither Reload Command nor Look At is set: nobody would know whether the certificate is used"},
		{"only blanks", map[clm.Attr]string{clm.ReloadCommand: "  "}, "neither Reload Command nor Look At is set: nobody would know whether the certificate is used"},
		{"an open quote", map[clm.Attr]string{clm.ReloadCommand: "a 'b"}, "Reload Command: a single quote has no end"},
		{"a pipe", map[clm.Attr]string{clm.CheckCommand: "a | b", clm.ReloadCommand: "a"}, "Check Command: no shell reads it: | must be quoted, and means nothing more"},
		{"an empty name", map[clm.Attr]string{clm.ReloadCommand: "'' b"}, "Reload Command names no program"},
		{"no certificate", map[clm.Attr]string{clm.ReloadCommand: "a", clm.CertificateFile: ""}, "Certificate File is not set"},
	} {
		made, err := Driver.New(settings("/nowhere", c.more))
		if got := text(err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		hasCommand := c.more[clm.CheckCommand] != "" || c.more[clm.ReloadCommand] != ""
		if err == nil && (made.Service != nil) != hasCommand {
			t.Errorf("%s: service %v", c.name, made.Service)
		}
	}
}

// TestServices tells those apart that are told by other commands or elsewhere.
func TestServices(t *testing.T) {
	name := func(more map[clm.Attr]string) string {
		return deploytest.Target(t, Driver, settings("/nowhere", more)).Service.Name()
	}
	one := map[clm.Attr]string{clm.CheckCommand: "a b", clm.ReloadCommand: "c"}
	if first, second := name(one), name(one); first != second {
		t.Errorf("one service has two names: %q, %q", first, second)
	}
	for _, other := range []map[clm.Attr]string{
		{clm.CheckCommand: "a", clm.ReloadCommand: "c"}, {clm.CheckCommand: "a b", clm.ReloadCommand: "d"},
		{clm.CheckCommand: "a b c", clm.ReloadCommand: ""},
	} {
		other[clm.ListenPort] = "443"
		if name(one) == name(other) {
			t.Errorf("%v has the name of another", other)
		}
	}
	elsewhere := settings("/nowhere", one)
	elsewhere.Address = "elsewhere"
	if deploytest.Target(t, Driver, elsewhere).Service.Name() == name(one) {
		t.Error("a service elsewhere has the same name")
	}
}

// TestCommandsEndInTime kills what takes longer than there is time for.
func TestCommandsEndInTime(t *testing.T) {
	service := deploytest.Target(t, Driver, settings("/nowhere", map[clm.Attr]string{clm.ReloadCommand: "sh -c 'sleep 1000; sleep 1000'"})).Service
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := service.Reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestCommandsSayWhyTheyFail wants the last line of a program.
func TestCommandsSayWhyTheyFail(t *testing.T) {
	command := `sh -c 'echo one; echo "$1: two"; exit 3' sh 'a  b'`
	said, err := deploytest.Target(t, Driver, settings("/nowhere", map[clm.Attr]string{clm.ReloadCommand: command})).Service.Reload(t.Context())
	want := `sh -c echo one; echo "$1: two"; exit 3 sh a  b: a  b: two`
	if said != "one\na  b: two\n" || text(err) != want {
		t.Errorf("got %q, %v; want %s", said, err, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func single(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
