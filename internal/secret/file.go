package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// forEveryone are the permission bits that a key file must not have. Its group
// may read it, because that is how orchestrators hand secrets to a process.
const forEveryone fs.FileMode = 0o007

// ErrExposed says that everyone on the machine may read or write the key file.
var ErrExposed = errors.New("key file is open to everyone; take the permissions of others away")

// reload reads the file again.
func (b *Box) reload() error {
	b.changing.Lock()
	defer b.changing.Unlock()
	c, err := readFile(b.path, b.passphrase)
	if err != nil {
		return fmt.Errorf("read key file %s: %w", b.path, err)
	}
	return b.use(c)
}

// change edits the file. The edit begins from what the file says now, not from
// what this box has read: another process may have added a key, and a key that
// is lost takes all that was sealed under it along.
func (b *Box) change(what string, edit func(*contents) error) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	if err := b.edit(edit); err != nil {
		return fmt.Errorf("%s: key file %s: %w", what, b.path, err)
	}
	return nil
}

func (b *Box) edit(edit func(*contents) error) error {
	path, err := filepath.EvalSymlinks(b.path)
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	c, err := readFile(path, b.passphrase)
	if err != nil {
		return err
	}
	if err := edit(&c); err != nil {
		return err
	}
	if err := writeFile(path, c, os.Rename); err != nil {
		return err
	}
	return b.use(c)
}

// use makes c what the box seals with. The caller holds changing.
func (b *Box) use(c contents) error {
	k, err := newKeys(c.handle)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	b.keys.Store(k)
	b.passphrase = c.passphrase
	return nil
}

// createFile writes a key file with a first key, unless there is one.
func createFile(path string, passphrase Plain) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	err = writeFile(path, contents{handle, passphrase}, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil // somebody else was faster, and theirs is as good
	}
	return err
}

func readFile(path string, passphrase Plain) (contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return contents{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return contents{}, err
	}
	if info.Mode().Perm()&forEveryone != 0 {
		return contents{}, ErrExposed
	}
	text, err := readLimited(f)
	if err != nil {
		return contents{}, err
	}
	return parse(text, passphrase)
}

// writeFile writes c beside path and has put bring it there whole: os.Rename
// replaces what is there, os.Link refuses to.
func writeFile(path string, c contents, put func(from, to string) error) error {
	text, err := render(c)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // in vain after os.Rename
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := put(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock keeps other processes from changing files in dir as we do, until unlock.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}
