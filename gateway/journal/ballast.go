package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ballast is a file of real blocks that stands for the space which alarms need
// on a full disk: SQLite cannot even delete without writing. The writer owns it.
type ballast struct {
	path string
	size int64
}

// stands reports whether the ballast can be released.
func (b ballast) stands() bool {
	info, err := os.Stat(b.path)
	return b.size > 0 && err == nil && info.Size() > 0
}

// release gives the space back. It reports whether there was any.
func (b ballast) release() bool {
	stood := b.stands()
	err := os.Remove(b.path)
	return stood && err == nil
}

// ensure makes the ballast where it is missing and the disk has room for it
// and as much again. It reports whether it stands.
func (b ballast) ensure() (bool, error) {
	if b.size <= 0 {
		return true, nil
	}
	if info, err := os.Stat(b.path); err == nil && info.Size() == b.size {
		return true, nil
	}
	free, err := freeSpace(filepath.Dir(b.path))
	if err != nil {
		return false, err
	}
	if free < 2*b.size {
		return false, nil
	}
	if err := b.create(); err != nil {
		_ = os.Remove(b.path) // half a ballast is made anew next time
		if errors.Is(err, unix.ENOSPC) {
			return false, nil
		}
		return false, fmt.Errorf("set space by in %s: %w", b.path, err)
	}
	return true, nil
}

func (b ballast) create() error {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, b.size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = fill(f, b.size)
	}
	return errors.Join(err, f.Close())
}

// fill writes the blocks where the file system cannot just reserve them.
func fill(f *os.File, size int64) error {
	zeros := make([]byte, 64<<10)
	for size > 0 {
		n, err := f.Write(zeros[:min(size, int64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// freeSpace returns the bytes that the folder's file system has left.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // 32-bit machines need it
}
