package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/sftp"
)

// sudoSFTP starts the SFTP server as root, from wherever it is, with nothing that it
// makes open to others before it has its mode.
var sudoSFTP = quote(append([]string{"sh", "-c", `
for server in "$@"; do
	if test -x "$server"; then exec sudo -n -- "$server" -u 0077; fi
done
echo "no sftp-server where it is looked for" >&2
exit 127`, "sh"}, sftpServers...))

// sftpServers are where systems have the program: Debian; Red Hat; SUSE, Arch and
// Alpine; BSD and macOS; others.
var sftpServers = []string{
	"/usr/lib/openssh/sftp-server",
	"/usr/libexec/openssh/sftp-server",
	"/usr/lib/ssh/sftp-server",
	"/usr/libexec/sftp-server",
	"/usr/lib/sftp-server",
	"/usr/local/libexec/sftp-server",
}

// maxDropped is how many SFTP sessions of a connection may hang. Each may keep its
// program on the host, and one of its sessions, for as long as the connection is there.
const maxDropped = maxSessions / 2

// An sftpSession is the program on the host that works on files.
type sftpSession struct {
	*sftp.Client
	over <-chan struct{} // closed when it has ended
	drop func()          // has all who wait for it fail now
}

// files is the connection's SFTP session. It is started when it is needed, also again.
func (c *connection) files(ctx context.Context) (*sftpSession, error) {
	c.sftp.Lock()
	defer c.sftp.Unlock()
	if c.sftp.session != nil {
		select {
		case <-c.sftp.session.over:
		default:
			return c.sftp.session, nil
		}
	}
	s, err := c.startSFTP(ctx)
	if err != nil {
		return nil, fmt.Errorf("start SFTP: %w", err)
	}
	c.sftp.session = s
	return s, nil
}

// drop gives up a session that hangs: it does one thing after the other, so nobody gets
// anything from it any more. The next one who needs files has another started.
func (c *connection) drop(s *sftpSession) {
	c.sftp.Lock()
	defer c.sftp.Unlock()
	if c.sftp.session != s {
		return
	}
	c.sftp.session = nil
	s.drop()
	if c.sftp.dropped++; c.sftp.dropped == maxDropped {
		c.close()
	}
}

func (c *connection) startSFTP(ctx context.Context) (*sftpSession, error) {
	kind, what := "subsystem", "sftp"
	if c.access.Sudo {
		kind, what = "exec", sudoSFTP
	}
	s, err := c.open(ctx, kind, what)
	if err != nil {
		return nil, err
	}
	var said clipped
	ended := make(chan error, 1)
	over := make(chan struct{})
	answers, from := io.Pipe() // since what reads from a session waits until the host has closed it
	err = c.start(func() {
		var all sync.WaitGroup
		all.Go(func() { _, _ = io.Copy(&said, s.Stderr()) })
		all.Go(func() {
			_, err := io.Copy(from, s)
			from.CloseWithError(err)
		})
		ended <- s.wait(context.WithoutCancel(ctx))
		all.Wait()
		close(over)
	})
	if err != nil {
		return nil, err
	}
	drop := func() {
		s.Close()
		from.CloseWithError(io.ErrUnexpectedEOF)
		answers.CloseWithError(io.ErrUnexpectedEOF)
	}
	patience, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	stop := context.AfterFunc(patience, drop)
	client, err := sftp.NewClientPipe(answers, s)
	if !stop() {
		if err = ctx.Err(); err == nil {
			err = lost(patience.Err())
		}
	}
	if err == nil {
		err = hasExtensions(client)
	}
	if err == nil {
		return &sftpSession{client, over, drop}, c.start(func() {
			_ = client.Wait()
			drop()
		})
	}
	drop()
	var end error
	select {
	case <-over:
		end = <-ended
	case <-time.After(waitDelay): // it hangs
	}
	switch exit, ok := errors.AsType[*ExitError](end); {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case ok:
		return nil, fmt.Errorf("%w: %s", exit, strings.TrimSpace(Redact(said.String())))
	case errors.Is(err, io.ErrUnexpectedEOF), c.isGone():
		return nil, lost(err)
	}
	return nil, err
}

// hasExtensions refuses a server that cannot keep what WriteFile promises. OpenSSH
// has both since 6.5.
func hasExtensions(client *sftp.Client) error {
	for _, name := range []string{"posix-rename@openssh.com", "fsync@openssh.com"} {
		if _, ok := client.HasExtension(name); !ok {
			return fmt.Errorf("the server has no %s", name)
		}
	}
	return nil
}

// An sftpDisk is the disk of a host that is logged in to, for one use.
type sftpDisk struct {
	ctx    context.Context
	conn   *connection
	client *sftp.Client
}

// sftpError tells the errors that the server has sent, and those of a context, from
// those of the connection.
func sftpError(err error) error {
	status, isStatus := errors.AsType[*sftp.StatusError](err)
	switch {
	case isStatus && status.FxCode() == sftp.ErrSSHFxFailure:
		return errors.New("the host says only that it failed") // the protocol has no more words
	case isStatus && status.FxCode() == sftp.ErrSSHFxBadMessage:
		return syscall.EINVAL // which OpenSSH sends so
	case err == nil, isStatus, errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return lost(err)
}

func (d sftpDisk) Open(name string) (file, error) { return d.open(name, os.O_RDONLY) }

func (d sftpDisk) Create(name string) (file, error) {
	f, err := d.open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d sftpDisk) open(name string, flags int) (file, error) {
	f, err := d.client.OpenFile(name, flags)
	if err != nil {
		return nil, sftpError(err)
	}
	return sftpFile{f}, nil
}

func (d sftpDisk) Mkdir(name string) error {
	if err := d.client.Mkdir(name); err != nil {
		return sftpError(err)
	}
	return sftpError(d.client.Chmod(name, 0o700))
}

func (d sftpDisk) Stat(name string) (fs.FileInfo, error) {
	info, err := d.client.Stat(name)
	return info, sftpError(err)
}

func (d sftpDisk) Lstat(name string) (fs.FileInfo, error) {
	info, err := d.client.Lstat(name)
	return info, sftpError(err)
}

func (d sftpDisk) ReadDir(name string) (names []string, err error) {
	infos, err := d.client.ReadDirContext(d.ctx, name)
	for _, info := range infos {
		names = append(names, info.Name())
	}
	slices.Sort(names)
	return names, sftpError(err)
}

func (d sftpDisk) Readlink(name string) (string, error) {
	target, err := d.client.ReadLink(name)
	return target, sftpError(err)
}

func (d sftpDisk) Symlink(target, name string) error {
	return sftpError(d.client.Symlink(target, name))
}

func (d sftpDisk) Rename(from, to string) error { return sftpError(d.client.PosixRename(from, to)) }

// RemoveAll goes down directories, never through links.
func (d sftpDisk) RemoveAll(name string) error {
	info, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return sftpError(d.client.Remove(name))
	}
	names, err := d.ReadDir(name)
	if err != nil {
		return err
	}
	for _, child := range names {
		if err := d.RemoveAll(path.Join(name, child)); err != nil {
			return err
		}
	}
	return sftpError(d.client.RemoveDirectory(name))
}

func (d sftpDisk) numbersOf(info fs.FileInfo) (uid, gid int) {
	stat := info.Sys().(*sftp.FileStat)
	return int(stat.UID), int(stat.GID)
}

// numbers asks programs of the host, which know of all the users that it has.
func (d sftpDisk) numbers(user, group string) (uid, gid int, err error) {
	uid, err = d.number(user, "user", []string{"id", "-u", user}, 0)
	if err != nil {
		return 0, 0, err
	}
	gid, err = d.number(group, "group", []string{"getent", "group", group}, 2)
	return uid, gid, err
}

// number is what the command prints in a field, from then on without asking.
func (d sftpDisk) number(name, kind string, command []string, field int) (int, error) {
	return number(name, func() (string, error) {
		d.conn.Lock()
		defer d.conn.Unlock()
		if found := d.conn.known[kind+" "+name]; found != "" {
			return found, nil
		}
		if strings.HasPrefix(name, "-") || strings.ContainsAny(name, "\x00\n") {
			return "", fmt.Errorf("not the name of a %s: %q", kind, name)
		}
		var said clipped
		err := d.conn.run(d.ctx, quote(command), nil, &said)
		fields := strings.Split(strings.TrimSpace(said.String()), ":")
		if _, isExit := errors.AsType[*ExitError](err); isExit || err == nil && len(fields) <= field {
			return "", fmt.Errorf("the host knows no %s %s", kind, name)
		}
		if err != nil {
			return "", err
		}
		d.conn.known[kind+" "+name] = fields[field]
		return fields[field], nil
	})
}

// An sftpFile is a file whose errors are told apart.
type sftpFile struct{ *sftp.File }

func (f sftpFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err == io.EOF {
		return n, err
	}
	return n, sftpError(err)
}

func (f sftpFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, sftpError(err)
}

func (f sftpFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return info, sftpError(err)
}

func (f sftpFile) Chown(uid, gid int) error     { return sftpError(f.File.Chown(uid, gid)) }
func (f sftpFile) Chmod(mode fs.FileMode) error { return sftpError(f.File.Chmod(mode)) }
func (f sftpFile) Sync() error                  { return sftpError(f.File.Sync()) }
func (f sftpFile) Close() error                 { return sftpError(f.File.Close()) }
