package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// A service is a PostgreSQL server.
type service struct {
	deploy.Programs
	data string // its data directory
	key  string // the path of its private key
}

func newService(s deploy.Settings) service {
	data, key, unit := path.Clean(s.Value(clm.ServiceConfig, "")), s.Value(clm.KeyFile, ""), s.Value(clm.ServiceUnit, "")
	p := deploy.Programs{Service: strings.Join([]string{"postgresql", s.Machine(), data, unit}, "\n"), Host: s.Host}
	if unit != "" {
		p.Reloads = []string{"systemctl", "reload", unit}
	}
	return service{p, data, key}
}

// Check finds out whether the server runs, and would take the key.
func (s service) Check(ctx context.Context) (said string, err error) {
	host, err := s.Host()
	if err != nil {
		return "", err
	}
	p, err := s.find(ctx, host)
	if err != nil {
		return "", err
	}
	key, err := host.Owner(ctx, s.key)
	if err != nil {
		return "", err
	}
	if !isTaken(key, p.user) {
		return "", fmt.Errorf("%s is user %s's with mode %04o: PostgreSQL, which is user %s, takes a key "+
			"of its own with mode 0600 or one of root's with mode 0640", s.key, key.User, key.Mode.Perm(), p.user)
	}
	return "", nil
}

// Reload has the server read its configuration and certificates: it sends the signal
// that pg_ctl sends, which itself refuses to be run by root.
func (s service) Reload(ctx context.Context) (said string, err error) {
	if len(s.Reloads) > 0 {
		return s.Programs.Reload(ctx)
	}
	host, err := s.Host()
	if err != nil {
		return "", err
	}
	p, err := s.find(ctx, host)
	if err != nil {
		return "", err
	}
	return s.Run(ctx, []string{"kill", "-HUP", strconv.Itoa(p.pid)})
}

// A process is the server's, that all others descend from.
type process struct {
	pid  int
	user string // by number
}

// find finds the server's process in postmaster.pid. That is a file of the server's
// user, so what it names must be a process of the same user: else he could have us
// send signals to those of others.
func (s service) find(ctx context.Context, host *remote.Host) (process, error) {
	name := path.Join(s.data, "postmaster.pid")
	text, err := host.ReadFile(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, fmt.Errorf("PostgreSQL does not run: there is no %s", name)
	}
	if err != nil {
		return process{}, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return process{}, fmt.Errorf("%s does not begin with the number of a process", name)
	}
	runsAs, err := host.Owner(ctx, path.Join("/proc", strconv.Itoa(pid)))
	if errors.Is(err, fs.ErrNotExist) {
		return process{}, fmt.Errorf("PostgreSQL does not run: %s names process %d, which is not there", name, pid)
	}
	if err != nil {
		return process{}, err
	}
	data, err := host.Owner(ctx, s.data)
	if err != nil {
		return process{}, err
	}
	if runsAs.User != data.User {
		return process{}, fmt.Errorf("PostgreSQL does not run: %s names process %d, which is user %s's, not user %s's",
			name, pid, runsAs.User, data.User)
	}
	return process{pid, runsAs.User}, nil
}

// isTaken reports whether the server takes a key of this owner, as function
// check_ssl_key_file_permissions of its source has it, save that one of root's must
// be such that the group can read it.
func isTaken(key remote.Owner, runsAs string) bool {
	switch key.User {
	case runsAs:
		return key.Mode&0o077 == 0
	case "0":
		return key.Mode&0o037 == 0 && key.Mode&0o040 != 0
	}
	return false
}
