// Package apache puts certificates where an Apache HTTP server uses them. What lies
// in the paths of one of its virtual hosts is one application; all that are read by
// one Apache share its check and its reload.
//
// To reload twice, or from two sides at once, is harmless: Apache does the same again.
package apache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/look"
	"github.com/certwright/certwright/internal/deploy/shelf"
)

// Driver is the driver of Apache.
var Driver = shelf.Kind{
	Fields:    fields,
	Arguments: []clm.Attr{clm.ServiceProgram, clm.ServiceConfig, clm.ServiceUnit},
	LayOut:    shelf.PEM,
	Service:   func(s deploy.Settings) (deploy.Service, error) { return newService(s), nil },
}.Driver(look.TLS, 443)

// The program is apachectl unless it is said: on Debian that knows what the
// configuration wants of the environment. Where it takes no arguments, as on Red Hat,
// httpd must be said.
var fields = append(append([]deploy.Field{
	{Attr: clm.ServiceProgram, Label: "Program"},
	{Attr: clm.ServiceConfig, Label: "Configuration File"}, // without it, the one that Apache was built with
	{Attr: clm.ServiceUnit, Label: "Systemd Unit"},         // without it, Apache itself tells the one that runs
}, shelf.PEMFields...), shelf.OwnerFields...)

// A service is an Apache.
type service struct {
	deploy.Programs
	unit string
	dump []string // the program that tells where the PID file is; it checks less than the other
}

func newService(s deploy.Settings) service {
	program, config, unit := s.Value(clm.ServiceProgram, "apachectl"), s.Value(clm.ServiceConfig, ""), s.Value(clm.ServiceUnit, "")
	ask := func(words ...string) []string {
		if config != "" {
			words = append(words, "-f", config)
		}
		return append([]string{program}, words...)
	}
	return service{unit: unit, dump: ask("-t", "-D", "DUMP_RUN_CFG"), Programs: deploy.Programs{
		Service: strings.Join([]string{"apache", s.Machine(), program, config, unit}, "\n"),
		Host:    s.Host,
		Checks:  ask("-t"),
		Reloads: ask("-k", "graceful"),
		Noise: []string{
			"AH00014: Configuration check failed", "AH00558: ", // that it has no name
			"Action '", "The Apache error log may have more information", "Syntax OK",
		},
	}}
}

// Reload has the Apache that runs read its configuration and certificates, and waits
// until it has.
//
// An Apache that cannot use a certificate then ends, because its check does not look
// into certificates and keys. It leaves its PID file behind, by which it can be told
// from one that was stopped: the first is started again, with what it finds by then,
// the second is left alone, which is an error.
func (s service) Reload(ctx context.Context) (said string, err error) {
	if s.unit != "" {
		return s.reloadUnit(ctx)
	}
	if said, err = s.Run(ctx, s.dump); err != nil {
		return said, err
	}
	file := pidFile.FindStringSubmatch(said)
	if file == nil {
		return s.Programs.Reload(ctx)
	}
	host, err := s.Host()
	if err != nil {
		return "", err
	}
	text, err := host.ReadFile(ctx, file[1])
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("apache does not run: there is no %s", file[1])
	}
	pid, notNumber := strconv.Atoi(strings.TrimSpace(string(text)))
	before, unknown := deploy.Workers(ctx, host, pid)
	said, err = s.Programs.Reload(ctx) // which starts an Apache where none runs
	if err != nil || notNumber != nil || unknown != nil {
		return said, err
	}
	came, err := deploy.AwaitWorker(ctx, host, pid, before, deploy.WorkerTime)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return said, errors.New("apache has ended instead of reading its certificates: its error log says why")
	}
	if err == nil && !came {
		err = fmt.Errorf("apache: process %d has started no worker: its error log says why", pid)
	}
	return said, err
}

// pidFile finds the PID file in a dump of the configuration.
var pidFile = regexp.MustCompile(`(?m)^PidFile: "(/.*)"$`)

func (s service) reloadUnit(ctx context.Context) (said string, err error) {
	what := "reload"
	if _, err := s.Run(ctx, []string{"systemctl", "is-failed", "--quiet", s.unit}); err == nil {
		what = "restart"
	}
	said, err = s.Run(ctx, []string{"systemctl", what, s.unit})
	if err == nil {
		err = s.AwaitUnit(ctx, s.unit)
	}
	return said, err
}
