package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/deploy"
	"github.com/certwright/certwright/internal/deploy/remote"
)

// A master is an HAProxy with a master process, which starts a worker anew to have it
// read certificates.
type master struct {
	deploy.Programs
	find finder
}

// A finder finds the number of the master process, and the program that tells it.
type finder func(context.Context, *remote.Host) (pid int, tell []string, err error)

// fileMaster is for a master of this program whose number stands in a file.
func fileMaster(program, pidFile string) finder {
	return func(ctx context.Context, host *remote.Host) (pid int, tell []string, err error) {
		text, err := host.ReadFile(ctx, pidFile)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil, fmt.Errorf("haproxy does not run: there is no %s", pidFile)
		}
		if err != nil {
			return 0, nil, err
		}
		pid, err = number(string(text))
		if err != nil {
			return 0, nil, fmt.Errorf("%s: %w", pidFile, err)
		}
		if err := isOf(ctx, host, pid, program); err != nil {
			return 0, nil, fmt.Errorf("haproxy does not run: %s names %w", pidFile, err)
		}
		return pid, []string{"kill", "-USR2", strconv.Itoa(pid)}, nil
	}
}

// isOf fails where the process is of another program: its number may have stood in the
// file since before, and most programs die of the signal. Systems that do not show
// what a process runs are trusted.
func isOf(ctx context.Context, host *remote.Host, pid int, program string) error {
	text, err := host.ReadFile(ctx, fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	runs, _, _ := strings.Cut(string(text), "\x00")
	if !strings.HasPrefix(path.Base(runs), path.Base(program)) {
		return fmt.Errorf("process %d, which runs %q", pid, runs)
	}
	return nil
}

// unitMaster is for a master that systemd has started.
func unitMaster(p deploy.Programs, unit string) finder {
	return func(ctx context.Context, _ *remote.Host) (pid int, tell []string, err error) {
		said, err := p.Run(ctx, []string{"systemctl", "show", "--property=MainPID", "--value", unit})
		if err != nil {
			return 0, nil, err
		}
		pid, err = number(said)
		if err != nil {
			return 0, nil, fmt.Errorf("unit %s does not run: %w", unit, err)
		}
		return pid, []string{"systemctl", "reload", unit}, nil
	}
}

func number(text string) (pid int, err error) {
	pid, err = strconv.Atoi(strings.TrimSpace(text))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%q is not the number of a master process", strings.TrimSpace(text))
	}
	return pid, nil
}

// How often a master is told that starts no worker, and how long it may take each time.
const (
	maxTold  = 3
	toldTime = 5 * time.Second
)

// Reload has the master start a worker, and waits until there is one: HAProxy 2.6
// loses what it is told while it is doing the same for somebody else. On systems that
// do not show the children of a process it is told once and trusted.
func (m master) Reload(ctx context.Context) (said string, err error) {
	host, err := m.Host()
	if err != nil {
		return "", err
	}
	pid, tell, err := m.find(ctx, host)
	if err != nil {
		return "", err
	}
	before, err := deploy.Workers(ctx, host, pid)
	if err != nil {
		return m.Run(ctx, tell)
	}
	for range maxTold {
		more, err := m.Run(ctx, tell)
		said += more
		if err != nil {
			return said, err
		}
		came, err := deploy.AwaitWorker(ctx, host, pid, before, toldTime)
		if came || err != nil {
			return said, err
		}
	}
	return said, fmt.Errorf("haproxy: process %d has started no worker: its log says why, unless it is no master process", pid)
}
