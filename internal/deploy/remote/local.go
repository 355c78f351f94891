package remote

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"syscall"
)

// Local is the host that this process runs on, used as whoever it runs as.
// Of its environment programs get what says where programs are, who they run for and
// how they speak; the rest may hold passwords.
func Local() *Host { return &Host{local{}} }

type local struct{}

func (local) where() string { return "" }

func (local) use(_ context.Context, fn func(disk) error) error { return fn(localDisk{}) }

// run starts the program in a process group of its own, so that all that it has
// started can be ended with it.
func (local) run(ctx context.Context, c Command) (string, error) {
	var said clipped
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Env, cmd.Dir = environment(), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	return said.String(), localError(ctx, err)
}

func localError(ctx context.Context, err error) error {
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ok && exit.ExitCode() >= 0:
		return &ExitError{Status: exit.ExitCode()}
	case ok:
		return &ExitError{Signal: exit.Sys().(syscall.WaitStatus).Signal().String()}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &ExitError{Status: statusNotFound}
	case errors.Is(err, fs.ErrPermission):
		return &ExitError{Status: statusNotAllowed}
	}
	return err
}

func environment() (env []string) {
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if slices.Contains(passedOn, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, e)
		}
	}
	return env
}

// passedOn are the variables that programs get, beside those that begin with LC_.
var passedOn = []string{"PATH", "HOME", "LANG", "TZ", "USER"}

type localDisk struct{}

func (localDisk) Open(name string) (file, error) {
	return opened(os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0))
}

func (localDisk) Create(name string) (file, error) {
	return opened(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600))
}

// opened keeps a nil *os.File from becoming a file that is not nil.
func opened(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (localDisk) Mkdir(name string) error                { return os.Mkdir(name, 0o700) }
func (localDisk) Stat(name string) (fs.FileInfo, error)  { return os.Stat(name) }
func (localDisk) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (localDisk) Readlink(name string) (string, error)   { return os.Readlink(name) }
func (localDisk) Symlink(target, name string) error      { return os.Symlink(target, name) }
func (localDisk) Rename(from, to string) error           { return os.Rename(from, to) }
func (localDisk) RemoveAll(name string) error            { return os.RemoveAll(name) }

func (localDisk) ReadDir(name string) (names []string, err error) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (localDisk) numbersOf(info fs.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

func (localDisk) numbers(userName, groupName string) (uid, gid int, err error) {
	uid, err = number(userName, func() (string, error) {
		u, err := user.Lookup(userName)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	if err != nil {
		return 0, 0, err
	}
	gid, err = number(groupName, func() (string, error) {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	return uid, gid, err
}
