package remote

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A disk has the calls that all else is made of, as package os has them. What
// Create and Mkdir make is ours alone before anything is in it.
type disk interface {
	Open(name string) (file, error) // for reading; a directory too, for its Sync and owner
	Create(name string) (file, error)
	Mkdir(name string) error
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) (names []string, err error)
	Readlink(name string) (string, error)
	Symlink(target, name string) error
	Rename(from, to string) error
	RemoveAll(name string) error

	// numbers finds users and groups by name. An empty name is -1.
	numbers(user, group string) (uid, gid int, err error)
	numbersOf(fs.FileInfo) (uid, gid int)
}

// A file is what disks open.
type file interface {
	io.ReadWriteCloser
	Stat() (fs.FileInfo, error)
	Chown(uid, gid int) error
	Chmod(fs.FileMode) error
	Sync() error
}

// What is being made has a name with this beginning and chance behind it. What a
// crash has left of that is removed when it is older than what is made beside it by
// leftoverAge, so that the clock of this host does not matter.
const (
	tempPrefix  = ".certwright-tmp-"
	leftoverAge = time.Hour
)

func readFile(d disk, name string) ([]byte, error) {
	info, err := d.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", fs.ErrInvalid)
	}
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if len(data) > MaxFile {
		return nil, fmt.Errorf("more than %d bytes", MaxFile)
	}
	return data, err
}

func ownerOf(d disk, name string) (Owner, error) {
	info, err := d.Stat(name)
	if err != nil {
		return Owner{}, err
	}
	uid, gid := d.numbersOf(info)
	return Owner{User: fmt.Sprint(uid), Group: fmt.Sprint(gid), Mode: info.Mode().Perm()}, nil
}

func readLink(d disk, name string) (string, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return "", err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return "", fmt.Errorf("%w: not a symbolic link", fs.ErrInvalid)
	}
	return d.Readlink(name)
}

// writeFile makes the file in a directory that is ours alone, because some disks
// cannot make a file that nobody else can open.
func writeFile(ctx context.Context, d disk, name string, data []byte, o Owner) error {
	return put(ctx, d, name, func(temp string) (made string, err error) {
		if err := d.Mkdir(temp); err != nil {
			return "", err
		}
		made = path.Join(temp, "file")
		f, err := d.Create(made)
		if err != nil {
			return "", err
		}
		_, err = f.Write(data)
		if err == nil {
			err = own(d, f, o, 0o600)
		}
		return made, errors.Join(err, f.Close())
	})
}

func symlink(ctx context.Context, d disk, target, name string) error {
	return put(ctx, d, name, func(temp string) (string, error) {
		return temp, d.Symlink(target, temp)
	})
}

// mkdir gives a directory its owner before its name, lest a crash leave one that
// is there and stays as it is.
func mkdir(ctx context.Context, d disk, name string, o Owner) error {
	if isThere, err := isDir(d, name); isThere || err != nil {
		return err
	}
	if err := mkdir(ctx, d, path.Dir(name), o); err != nil {
		return err
	}
	err := put(ctx, d, name, func(temp string) (string, error) {
		if err := d.Mkdir(temp); err != nil {
			return "", err
		}
		f, err := d.Open(temp)
		if err != nil {
			return "", err
		}
		return temp, errors.Join(own(d, f, o, 0o755), f.Close())
	})
	if isThere, _ := isDir(d, name); isThere {
		return nil // somebody else may have been faster
	}
	return err
}

func isDir(d disk, name string) (bool, error) {
	info, err := d.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && !info.IsDir():
		return false, fmt.Errorf("%s: %w", name, syscall.ENOTDIR)
	}
	return err == nil, err
}

func removeAll(ctx context.Context, d disk, name string) error {
	_, err := d.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = d.RemoveAll(name)
	}
	if err == nil {
		err = syncDir(d, path.Dir(name))
	}
	return err
}

// put lets make make something at or below a temporary place, and then gives it its
// name. What make has synced stays through a crash, and so does the name.
func put(ctx context.Context, d disk, name string, make func(temp string) (made string, err error)) error {
	dir := path.Dir(name)
	temp := path.Join(dir, tempPrefix+rand.Text())
	made, err := make(temp)
	if err == nil {
		sweep(d, dir, temp)
		err = ctx.Err()
	}
	if err == nil {
		err = d.Rename(made, name)
	}
	if err != nil || made != temp {
		_ = d.RemoveAll(temp) // if that fails it is swept later
	}
	if err != nil {
		return err
	}
	return syncDir(d, dir)
}

// sweep removes what crashes have left in a directory, as far as it can.
func sweep(d disk, dir, temp string) {
	now, err := d.Lstat(temp)
	if err != nil {
		return
	}
	names, _ := d.ReadDir(dir)
	for _, name := range names {
		if !strings.HasPrefix(name, tempPrefix) {
			continue
		}
		left := path.Join(dir, name)
		if info, err := d.Lstat(left); err == nil && now.ModTime().Sub(info.ModTime()) > leftoverAge {
			_ = d.RemoveAll(left)
		}
	}
}

// own gives a new file its owner and mode and syncs it. The owner comes first,
// since it is who the mode is for.
func own(d disk, f file, o Owner, mode fs.FileMode) error {
	uid, gid, err := d.numbers(o.User, o.Group)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	isUID, isGID := d.numbersOf(info)
	if uid < 0 {
		uid = isUID
	}
	if gid < 0 {
		gid = isGID
	}
	if uid != isUID || gid != isGID {
		if err := f.Chown(uid, gid); err != nil {
			return fmt.Errorf("give it to %s:%s: %w", cmp.Or(o.User, "-"), cmp.Or(o.Group, "-"), withoutName(err))
		}
	}
	if err := f.Chmod(cmp.Or(o.Mode.Perm(), mode)); err != nil {
		return err
	}
	return f.Sync()
}

// number is the name where that is a number, -1 where it is empty, and else what
// look finds.
func number(name string, look func() (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	found, err := look()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(found, 10, 31)
	return int(n), err
}

// syncDir syncs a directory, where the file system has a way to.
func syncDir(d disk, dir string) error {
	f, err := d.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
