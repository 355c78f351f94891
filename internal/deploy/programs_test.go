package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// TestProgramsSayWhyTheyFail wants the line that says it, not the noise after it.
func TestProgramsSayWhyTheyFail(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
	}{
		{"nothing is wrong", "echo fine", ""},
		{"noise and empty lines come last", "echo one; echo why; echo test failed; echo; exit 1", "why"},
		{"nothing is said", "exit 3", "exit status 3"},
		{"only noise", "echo test failed; exit 3", "exit status 3"},
		{"it dies of a signal", "echo why; kill -KILL $$", "ended by signal: killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := deploy.Programs{Host: local, Checks: []string{"/bin/sh", "-c", c.script}, Noise: []string{"test failed"}}
			_, err := p.Check(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+c.want) || !strings.HasPrefix(err.Error(), "sh -c ")) {
				t.Errorf("got %v, want sh -c ...: %s", err, c.want)
			}
			if said, err := p.Reload(t.Context()); said != "" || err != nil {
				t.Errorf("reload without a program: %q, %v", said, err)
			}
		})
	}
	p := deploy.Programs{Host: local, Checks: []string{"/nowhere/nginx", "-t"}}
	if _, err := p.Check(t.Context()); err == nil || err.Error() != "nginx -t: no such program" {
		t.Errorf("a program that is not there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Checks = []string{"sleep", "60"}
	if _, err := p.Check(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	gone := deploy.Programs{Checks: p.Checks, Host: func() (*remote.Host, error) { return nil, remote.ErrUnreachable }}
	if _, err := gone.Check(t.Context()); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a host that is not there: %v", err)
	}
}

func local() (*remote.Host, error) { return remote.Local(), nil }

// TestCheckArgumentsRefusesOptions keeps values from being taken for options.
func TestCheckArgumentsRefusesOptions(t *testing.T) {
	fields := []deploy.Field{
		{Attr: clm.ServiceProgram, Label: "Program"}, {Attr: clm.ServiceConfig, Label: "Configuration"}, {Attr: clm.ServiceUnit, Label: "Unit"},
	}
	for _, c := range []struct {
		attr        clm.Attr
		value, want string
	}{
		{clm.ServiceProgram, "", ""},
		{clm.ServiceProgram, "nginx", ""},
		{clm.ServiceProgram, "/usr/sbin/nginx", ""},
		{clm.ServiceConfig, "/etc/nginx.conf", ""},
		{clm.ServiceConfig, "nginx.conf", `Configuration: "nginx.conf" is not an absolute path`},
		{clm.ServiceUnit, "-H root@elsewhere", `Unit: "-H root@elsewhere" cannot be an argument`},
		{clm.ServiceUnit, "a\nb", `Unit: "a\nb" cannot be an argument`},
		{clm.CheckCommand, "-x", ""},
	} {
		s := deploy.Settings{Values: map[clm.Attr][]string{c.attr: {c.value}}}
		err := s.CheckArguments(fields, clm.ServiceProgram, clm.ServiceConfig, clm.ServiceUnit)
		if got := text(err); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.attr, c.value, got, c.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
