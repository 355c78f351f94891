package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/deploy/remote"
)

// WorkerTime is how long a service may take to start a worker when it has been told to:
// one with many sites reads for seconds before that.
const WorkerTime = 30 * time.Second

// How long workers of before may take to say that they end, how long a service takes to
// end that cannot use what it reads, and how often is looked.
const (
	retreatTime = 5 * time.Second
	settleTime  = time.Second
	workerPause = 20 * time.Millisecond
)

// Workers are the numbers of the processes that a process has started, as Linux tells
// them (proc_pid_children(5)). It fails where there is no such process, and on other
// systems.
func Workers(ctx context.Context, host *remote.Host, pid int) ([]string, error) {
	text, err := host.ReadFile(ctx, fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	return strings.Fields(string(text)), err
}

// AwaitWorker waits until the process has a worker that it did not have before: what
// a service reads when it is told to, it has read by then. It waits for no longer than
// limit. It fails when the process ends.
func AwaitWorker(ctx context.Context, host *remote.Host, pid int, before []string, limit time.Duration) (came bool, err error) {
	for deadline := time.After(limit); ; {
		now, err := Workers(ctx, host, pid)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(now, func(worker string) bool { return !slices.Contains(before, worker) }) {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline:
			return false, nil
		case <-time.After(workerPause):
		}
	}
}

// AwaitRetreat waits until each of the workers has ended, or says in its title, with the
// word, that it is about to: it takes nobody any more then. It waits for five seconds at
// most.
func AwaitRetreat(ctx context.Context, host *remote.Host, workers []string, word string) error {
	deadline := time.After(retreatTime)
	for _, worker := range workers {
		for {
			title, err := host.ReadFile(ctx, "/proc/"+worker+"/cmdline")
			if err != nil || strings.Contains(string(title), word) || len(title) == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-deadline:
				return nil
			case <-time.After(workerPause):
			}
		}
	}
	return nil
}

// AwaitUnit fails when a unit of systemd is not active a moment from now: systemd has
// told the service by then, which may have ended instead of reading.
func (p Programs) AwaitUnit(ctx context.Context, unit string) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleTime):
	}
	_, err := p.Run(ctx, []string{"systemctl", "is-active", unit})
	return err
}
