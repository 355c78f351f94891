//go:build unix

package store

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// lockFile takes the lock that says: this process serves the database. The
// operating system lets go of it when the process ends, however it ends.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is locked", path)
	}
	return f, nil
}
