package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// Programs is a service that is spoken to by programs of its host.
type Programs struct {
	Service string                       // its name; see Service.Name
	Host    func() (*remote.Host, error) // where it runs
	Checks  []string                     // the program that checks, with its arguments; none: there is nothing to check
	Reloads []string                     // the program that reloads; none: the service reads its files by itself
	Noise   []string                     // lines with one of these say nothing of what is wrong
	Stamp   *regexp.Regexp               // what is left out of the line that does, like the time; nil: nothing
}

// Name is p.Service.
func (p Programs) Name() string { return p.Service }

// Check runs the program that checks.
func (p Programs) Check(ctx context.Context) (said string, err error) { return p.Run(ctx, p.Checks) }

// Reload runs the program that reloads.
func (p Programs) Reload(ctx context.Context) (said string, err error) { return p.Run(ctx, p.Reloads) }

// Run runs a program. Where it fails, the error is the line in which it says why.
func (p Programs) Run(ctx context.Context, args []string) (said string, err error) {
	if len(args) == 0 {
		return "", nil
	}
	host, err := p.Host()
	if err != nil {
		return "", err
	}
	said, err = host.Run(ctx, remote.Command{Args: args})
	exit, failed := errors.AsType[*remote.ExitError](err)
	if err == nil || !failed {
		return said, err
	}
	words := strings.Join(append([]string{path.Base(args[0])}, args[1:]...), " ")
	line := lastLine(said, p.Noise)
	if p.Stamp != nil {
		line = p.Stamp.ReplaceAllString(line, "")
	}
	if line != "" && exit.Signal == "" {
		return said, fmt.Errorf("%s: %s", words, line)
	}
	return said, fmt.Errorf("%s: %w", words, exit)
}

// lastLine is the last line of what a program printed that is not noise.
func lastLine(said string, noise []string) string {
	lines := strings.Split(said, "\n")
	for _, line := range slices.Backward(lines) {
		isNoise := func(n string) bool { return strings.Contains(line, n) }
		if line = strings.TrimSpace(line); line != "" && !slices.ContainsFunc(noise, isNoise) {
			return line
		}
	}
	return ""
}

// Machine names the device among all devices.
func (s Settings) Machine() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

// CheckArguments fails when the value of one of the fields cannot stand among the
// arguments of a program, because that would take it for an option, or cannot be the
// path that it should be.
func (s Settings) CheckArguments(fields []Field, attrs ...clm.Attr) error {
	for _, f := range fields {
		value := s.Value(f.Attr, "")
		switch {
		case value == "" || !slices.Contains(attrs, f.Attr):
		case strings.HasPrefix(value, "-") || strings.ContainsFunc(value, unicode.IsControl):
			return fmt.Errorf("%s: %q cannot be an argument", f.Label, value)
		case paths[f.Attr] && !path.IsAbs(value):
			return fmt.Errorf("%s: %q is not an absolute path", f.Label, value)
		}
	}
	return nil
}

// paths are the fields with the path of something that is no program; that of a
// program may be a name.
var paths = map[clm.Attr]bool{clm.ServiceConfig: true, clm.ServiceSocket: true, clm.ServicePIDFile: true}
