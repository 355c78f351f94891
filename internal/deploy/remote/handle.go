package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"
)

// ReadOwned is ReadFile and Owner of one and the same file, whatever its name comes
// to mean meanwhile.
func (h *Host) ReadOwned(ctx context.Context, name string) (data []byte, o Owner, err error) {
	type answer struct {
		data  []byte
		owner Owner
	}
	a, err := ask(ctx, h, "read", name, func(d disk) (a answer, err error) {
		a.data, a.owner, err = readOwned(d, name)
		return a, err
	})
	return a.data, a.owner, err
}

// readOwned looks before it opens, because to open a pipe may take forever.
func readOwned(d disk, name string) (data []byte, o Owner, err error) {
	info, err := d.Stat(name)
	if err != nil {
		return nil, o, err
	}
	if !info.Mode().IsRegular() {
		return nil, o, errIrregular
	}
	f, err := d.Open(name)
	if err != nil {
		return nil, o, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, o, err
	}
	if !info.Mode().IsRegular() {
		return nil, o, errIrregular
	}
	data, err = io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("more than %d bytes", MaxFile)
	}
	if err != nil {
		return nil, o, err
	}
	return data, ownerIn(d, info), nil
}

var errIrregular = fmt.Errorf("%w: not a regular file", fs.ErrInvalid)

func ownerIn(d disk, info fs.FileInfo) Owner {
	uid, gid := d.numbersOf(info)
	return Owner{User: fmt.Sprint(uid), Group: fmt.Sprint(gid), Mode: info.Mode().Perm()}
}

// An Entry is what has a name in a directory: a file, a directory, or a link itself.
type Entry struct {
	Owner
	Type    fs.FileMode // as fs.FileMode.Type has it; zero: a regular file
	Changed time.Time   // by the host's clock, to the second
}

// Lstat tells what has the name. Links are not followed.
func (h *Host) Lstat(ctx context.Context, name string) (Entry, error) {
	return ask(ctx, h, "look at", name, func(d disk) (Entry, error) { return entryOf(d, name) })
}

func entryOf(d disk, name string) (Entry, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return Entry{}, err
	}
	return Entry{ownerIn(d, info), info.Mode().Type(), info.ModTime()}, nil
}

// Trial makes a directory in another one and removes it again: that tells as whom the
// host is used, and its time.
func (h *Host) Trial(ctx context.Context, dir string) (Entry, error) {
	return ask(ctx, h, "write to", dir, func(d disk) (Entry, error) {
		temp := path.Join(dir, tempPrefix+rand.Text())
		if err := d.Mkdir(temp); err != nil {
			return Entry{}, err
		}
		e, err := entryOf(d, temp)
		if gone := d.RemoveAll(temp); err == nil {
			err = gone
		}
		return e, err
	})
}

// RemoveEmpty removes a directory in which nothing is. One that is not empty or not
// there is no error.
func (h *Host) RemoveEmpty(ctx context.Context, name string) error {
	return h.at(ctx, "remove", name, func(d disk) error {
		err := d.(interface{ rmdir(name string) error }).rmdir(name)
		if err == nil {
			return syncDir(d, path.Dir(name))
		}
		names, unread := d.ReadDir(name)
		if len(names) > 0 || errors.Is(unread, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func (localDisk) rmdir(name string) error { return syscall.Rmdir(name) }

func (d sftpDisk) rmdir(name string) error { return sftpError(d.client.RemoveDirectory(name)) }
