// Package remote reaches the files and programs of a host: of this one, or of one
// that is logged in to by SSH.
//
// Whatever is written is whole or not there, also for those who read meanwhile and
// after a crash: it is made beside its place, synced and renamed.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/secret"
)

// Limits of what is read from hosts and waited for.
const (
	MaxFile        = 4 << 20          // bytes of a file that is read or written
	MaxOutput      = 64 << 10         // bytes of what a program prints; of more, the middle is left out
	ConnectTimeout = 15 * time.Second // until a host is logged in to
)

// ErrUnreachable is wrapped by what fails because the host cannot be reached now,
// or the connection to it broke. Trying again may help.
var ErrUnreachable = errors.New("the host cannot be reached")

// A Login says as whom a host is used. Which of the secrets are there decides how.
type Login struct {
	User       string
	Password   secret.Plain
	Key        secret.Plain // a private key, in any form that pki.ParseSSHPrivateKey reads
	Passphrase secret.Plain // of Key
}

// An Access says how a host is reached by SSH.
type Access struct {
	Address string
	Port    int // zero: 22
	Login
	HostKeys []string                       // SHA256 fingerprints of the keys that it may have, as ssh-keygen -l prints them
	Trust    bool                           // without HostKeys any key is good that the host shows, which is then told to Learned
	Learned  func(fingerprint, kind string) // of each connection, once it is logged in; nil: nobody wants to know
	Sudo     bool                           // files and programs are used as root, by sudo -n
	Timeout  time.Duration                  // for connecting; zero: ConnectTimeout
}

// An Owner is to whom a file belongs and who may use it.
type Owner struct {
	User  string      // name or number; empty: as it comes
	Group string      // the same
	Mode  fs.FileMode // permission bits; zero: 0600 of a file, 0755 of a directory
}

// A Command is a program with its arguments, which no shell reads. An argument has
// no NUL and no newline in it.
type Command struct {
	Args  []string
	Stdin []byte
}

// A Host is a machine with files and programs. Names of files are absolute and
// clean: no ".", no "..", no slash too many. Errors wrap fs.ErrNotExist and
// fs.ErrPermission where that is why, ErrUnreachable where another time may do, and
// what the context says when it has ended; they name the file or program.
type Host struct{ machine }

// A machine is how the disk and the programs of a host are reached.
type machine interface {
	// use gives the disk to fn. When ctx ends it returns at once, and fn may still
	// be at its last step.
	use(ctx context.Context, fn func(disk) error) error

	run(ctx context.Context, c Command) (output string, err error)

	ask(ctx context.Context, socket string, question []byte) (answer string, err error)

	where() string // for errors: " on the host", or nothing
}

// ReadFile reads a whole file, up to MaxFile, following links. The error wraps
// fs.ErrInvalid where it is no regular file.
func (h *Host) ReadFile(ctx context.Context, name string) ([]byte, error) {
	return ask(ctx, h, "read", name, func(d disk) ([]byte, error) { return readFile(d, name) })
}

// WriteFile puts a file in its place, whole and synced, or leaves what was there.
// Nobody can read it before it has its owner and mode. Links are not followed: a
// link that was there is replaced.
func (h *Host) WriteFile(ctx context.Context, name string, data []byte, o Owner) error {
	if len(data) > MaxFile {
		return fmt.Errorf("write %s: more than %d bytes", name, MaxFile)
	}
	return h.at(ctx, "write", name, func(d disk) error { return writeFile(ctx, d, name, data, o) })
}

// Owner tells whose a file is, following links; numbers for names.
func (h *Host) Owner(ctx context.Context, name string) (Owner, error) {
	return ask(ctx, h, "look at", name, func(d disk) (Owner, error) { return ownerOf(d, name) })
}

// Readlink reads a symbolic link. The error wraps fs.ErrInvalid where it is none.
func (h *Host) Readlink(ctx context.Context, name string) (target string, err error) {
	return ask(ctx, h, "read link", name, func(d disk) (string, error) { return readLink(d, name) })
}

// Symlink makes name a link to target, at once, whatever file or link was there.
func (h *Host) Symlink(ctx context.Context, target, name string) error {
	if target == "" || strings.Contains(target, "\x00") {
		return fmt.Errorf("link %s: not the name of a file: %q", name, target)
	}
	return h.at(ctx, "link", name, func(d disk) error { return symlink(ctx, d, target, name) })
}

// Mkdir makes a directory and those above it, each with the owner and mode; one
// that is there stays as it is.
func (h *Host) Mkdir(ctx context.Context, name string, o Owner) error {
	return h.at(ctx, "make directory", name, func(d disk) error { return mkdir(ctx, d, name, o) })
}

// ReadDir lists the names in a directory, in order.
func (h *Host) ReadDir(ctx context.Context, name string) ([]string, error) {
	return ask(ctx, h, "list", name, func(d disk) ([]string, error) { return d.ReadDir(name) })
}

// RemoveAll removes what is there, with all that is in it. A link is removed, not
// what it points to. What is not there is no error. The root directory is refused.
func (h *Host) RemoveAll(ctx context.Context, name string) error {
	if name == "/" {
		return errors.New("remove /: everything would be gone")
	}
	return h.at(ctx, "remove", name, func(d disk) error { return removeAll(ctx, d, name) })
}

// Run runs a program and returns what it has printed on both outputs, up to
// MaxOutput, also when it fails. A program that ends with another status than zero
// fails with an *ExitError. One that leaves others behind which hold its outputs is
// not waited for longer than a moment. When ctx ends the program is killed; on a
// host that is logged in to this is asked for and not waited for.
func (h *Host) Run(ctx context.Context, c Command) (output string, err error) {
	if err := c.check(); err != nil {
		return "", err
	}
	output, err = h.run(ctx, c)
	if err != nil {
		err = fmt.Errorf("run %s%s: %w", c.Args[0], h.where(), err)
	}
	return output, err
}

// at does something to the file of this name.
func (h *Host) at(ctx context.Context, what, name string, fn func(disk) error) error {
	err := checkName(name)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = h.use(ctx, fn)
	}
	if err != nil {
		return fmt.Errorf("%s %s%s: %w", what, name, h.where(), withoutName(err))
	}
	return nil
}

// ask is at for what has an answer. The answer of a fn that is not waited for any
// more is never looked at.
func ask[T any](ctx context.Context, h *Host, what, name string, fn func(disk) (T, error)) (T, error) {
	var answer, none T
	err := h.at(ctx, what, name, func(d disk) (err error) {
		answer, err = fn(d)
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

// withoutName is the error without the name of the file, which may be one that
// nobody knows.
func withoutName(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

func checkName(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name || strings.Contains(name, "\x00") {
		return fmt.Errorf("%w: an absolute path is wanted, with no dots and slashes too many", fs.ErrInvalid)
	}
	return nil
}
