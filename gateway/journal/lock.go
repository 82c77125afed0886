package journal

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile holds the journal for this process. The lock goes when the process
// goes, however it goes. The kernel may refuse it for other reasons than
// another process; only that one is ErrInUse.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s (stop the other nabat, or give this one a folder of its own): %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// noteEpoch writes the journal's epoch into the lock file, and notedEpoch reads
// it: so that a start can tell a first one from one whose file has vanished.
func noteEpoch(lock *os.File, epoch string) error {
	_, err := lock.WriteAt([]byte(epoch+"\n"), 0)
	return err
}

func notedEpoch(lock *os.File) string {
	var b [17]byte
	n, _ := lock.ReadAt(b[:], 0) // an empty or unreadable note is no note
	return strings.TrimSpace(string(b[:n]))
}
