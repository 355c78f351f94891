// Package nginx puts certificates where an nginx uses them. What lies in the paths
// of one of its server blocks is one application; all that are read by one nginx
// share its check and its reload.
//
// To reload twice, or from two sides at once, is harmless: nginx does the same again.
package nginx

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/remote"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of nginx.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.ServiceProgram, clm.ServiceConfig, clm.ServiceUnit},
	LayOut:    shelf.PEM,
	Service:   func(s deploy.Settings) (deploy.Service, error) { return newService(s), nil },
}.Driver(look.TLS, 443)

var fields = append(append([]deploy.Field{
	{Attr: clm.ServiceProgram, Label: "Program"},           // without it, nginx from the path
	{Attr: clm.ServiceConfig, Label: "Configuration File"}, // without it, the one that nginx was built with
	{Attr: clm.ServiceUnit, Label: "Systemd Unit"},         // without it, nginx itself tells the one that runs
}, shelf.PEMFieldsBut(clm.ChainFile, clm.ReplaceChain)...), shelf.OwnerFields...)

// A service is an nginx.
type service struct {
	deploy.Programs
	config string // the path of its configuration; empty: the one that it was built with
	unit   string
}

func newService(s deploy.Settings) service {
	program, config, unit := s.Value(clm.ServiceProgram, "nginx"), s.Value(clm.ServiceConfig, ""), s.Value(clm.ServiceUnit, "")
	ask := func(words ...string) []string {
		if config != "" {
			words = append(words, "-c", config)
		}
		return append([]string{program}, words...)
	}
	p := deploy.Programs{
		Service: strings.Join([]string{"nginx", s.Machine(), program, config, unit}, "\n"),
		Host:    s.Host,
		Checks:  ask("-t"),
		Reloads: ask("-s", "reload"),
		Noise:   []string{"syntax is ok", " test failed", " test is successful", "signal process started"},
		Stamp:   stamp,
	}
	if unit != "" {
		p.Reloads = []string{"systemctl", "reload", unit}
	}
	return service{p, config, unit}
}

// stamp are the time and the process, which some builds print.
var stamp = regexp.MustCompile(`^\d+/\d+/\d+ [\d:]+ | \d+#\d+:`)

// dead is what nginx says of the one that it should tell and that is not there: its
// PID file is missing, is empty, or is an old one.
var dead = regexp.MustCompile(`\[error\] (open\(\)|invalid PID number) |\[alert\] kill\(`)

// Reload has the nginx that runs read its configuration and certificates. Where the
// system tells, it waits until a worker that has read them has begun, and those of
// before take nobody any more. What nginx cannot read then, it leaves as it was, and
// starts no worker, which is an error.
func (s service) Reload(ctx context.Context) (said string, err error) {
	host, err := s.Host()
	if err != nil {
		return "", err
	}
	pid := s.master(ctx, host)
	before, unknown := deploy.Workers(ctx, host, pid)
	said, err = s.Programs.Reload(ctx)
	switch {
	case err != nil && dead.MatchString(err.Error()):
		return said, fmt.Errorf("nginx does not run: %w", err)
	case err != nil:
		return said, err
	}
	if s.unit != "" {
		if err := s.AwaitUnit(ctx, s.unit); err != nil {
			return said, err
		}
	}
	if unknown != nil {
		return said, nil
	}
	came, err := deploy.AwaitWorker(ctx, host, pid, before, deploy.WorkerTime)
	if err == nil && !came {
		err = fmt.Errorf("nginx: process %d has started no worker: its error log says why", pid)
	}
	if err != nil {
		return said, err
	}
	return said, deploy.AwaitRetreat(ctx, host, before, "shutting down")
}

// pidFile matches where a configuration has the number of the master process written.
var pidFile = regexp.MustCompile(`(?m)^\s*pid\s+([^\s;]+)\s*;`)

// master is the number of the master process; zero where it is not found out.
func (s service) master(ctx context.Context, host *remote.Host) int {
	number, err := host.ReadFile(ctx, s.pidPath(ctx, host))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(number)))
	return pid
}

// pidPath is where the number of the master process stands, as the configuration file
// says; where that says nothing of it, nginx prints all files that belong to it, for
// which it reads all certificates.
func (s service) pidPath(ctx context.Context, host *remote.Host) string {
	if s.config != "" {
		text, err := host.ReadFile(ctx, s.config)
		if at := pidFile.FindSubmatch(text); err == nil && at != nil {
			return string(at[1])
		}
	}
	text, err := s.Run(ctx, append(slices.Clone(s.Checks[:1]), append([]string{"-T", "-q"}, s.Checks[2:]...)...))
	if at := pidFile.FindStringSubmatch(text); err == nil && at != nil {
		return at[1]
	}
	return ""
}
