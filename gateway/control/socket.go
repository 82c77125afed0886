package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// socketMode lets the gateway's user and group in, and nobody else.
const socketMode = 0o660

// longestPath is what fits into a socket address on Linux, with its final zero.
const longestPath = 107

// listen makes the socket at path. A socket that a killed gateway left behind
// is replaced; one that answers is not, and neither is any other kind of file.
// (Two gateways that start in the same moment are kept apart by the journal's lock.)
func listen(ctx context.Context, path string) (*socket, error) {
	// Bound beside its place and moved there, so that nobody meets it before
	// its mode is right.
	fresh := path + ".new"
	if len(fresh) > longestPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than %d bytes; choose a shorter data_dir", path, longestPath-len(".new"))
	}
	if err := free(ctx, path); err != nil {
		return nil, err
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the remains of a control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("make control socket (may the gateway write to its data_dir?): %w", err)
	}
	s := &socket{Listener: l, path: path}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // it knows the wrong name; Close removes ours
	}
	if err := s.place(fresh); err != nil {
		_ = l.Close()
		_ = os.Remove(fresh)
		return nil, err
	}
	return s, nil
}

// free makes sure that path may be taken.
func free(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at control socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("control socket %s: a file that is no socket is in its place; move it away", path)
	}
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("control socket %s: %w; stop it first, or choose another data_dir", path, ErrRunning)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil // its gateway is dead
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("control socket %s: %w and very busy; stop it first, or choose another data_dir", path, ErrRunning)
	}
	return fmt.Errorf("try control socket: %w", err)
}

// socket is a listener that removes its file, and only its own, when it ends.
type socket struct {
	net.Listener
	path string
	info fs.FileInfo
}

func (s *socket) place(fresh string) error {
	if err := os.Chmod(fresh, socketMode); err != nil {
		return fmt.Errorf("open control socket to the gateway's group: %w", err)
	}
	info, err := os.Lstat(fresh)
	if err != nil {
		return fmt.Errorf("look at control socket: %w", err)
	}
	s.info = info
	if err := os.Rename(fresh, s.path); err != nil {
		return fmt.Errorf("move control socket to its place: %w", err)
	}
	return nil
}

// remove deletes the file unless another gateway has put its own there.
func (s *socket) remove() {
	if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.info) {
		_ = os.Remove(s.path) // a stale socket does no harm: the next start replaces it
	}
}
