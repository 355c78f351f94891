package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A postgresCluster is a PostgreSQL of our own, reached through a socket in its
// directory and by nothing else. It starts when it is first wanted.
type postgresCluster struct {
	once sync.Once
	err  error
	dir  string
	bin  string
	as   *syscall.SysProcAttr // who runs it, when that is not us
	cmd  *exec.Cmd
	made atomic.Int64 // databases
}

var cluster postgresCluster

func (c *postgresCluster) start() error {
	c.once.Do(func() { c.err = c.launch() })
	return c.err
}

func (c *postgresCluster) launch() error {
	if c.bin = postgresPrograms(); c.bin == "" {
		return errors.New("PostgreSQL is not installed")
	}
	var err error
	if c.dir, err = os.MkdirTemp("", "certwright-pg-"); err != nil {
		return err
	}
	if err := c.dropRoot(); err != nil {
		return err
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		return err
	}
	c.cmd = c.command("postgres", "-D", c.data(), "-k", c.dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
	if err := c.cmd.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(readyWithin)
	for c.run("pg_isready", "-q", "-h", c.dir) != nil {
		if time.Now().After(deadline) {
			return errors.New("PostgreSQL is not ready in time")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// postgresPrograms finds the newest installed version, where Debian keeps it or on
// the path.
func postgresPrograms() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p)
	}
	return ""
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// dropRoot prepares to run PostgreSQL as the user postgres where we are root,
// because it refuses to be.
func (c *postgresCluster) dropRoot() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	c.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(c.dir, uid, gid)
}

func (c *postgresCluster) data() string { return filepath.Join(c.dir, "data") }

func (c *postgresCluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.as
	return cmd
}

func (c *postgresCluster) run(program string, args ...string) error {
	if out, err := c.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// database makes an empty database and answers its URL.
func (c *postgresCluster) database() (string, error) {
	name := fmt.Sprintf("e2e%d", c.made.Add(1))
	if err := c.run("createdb", "-h", c.dir, "-U", "postgres", name); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://postgres@/%s?host=%s", name, c.dir), nil
}

// stop ends the cluster, if it was started, and removes it.
func (c *postgresCluster) stop() error {
	if c.dir == "" {
		return nil
	}
	defer os.RemoveAll(c.dir)
	if c.cmd == nil || c.cmd.Process == nil {
		return nil
	}
	c.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
	return c.cmd.Wait()
}
