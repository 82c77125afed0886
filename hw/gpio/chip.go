// Package gpio drives input and output lines of the kernel's GPIO character
// device (uAPI v2), so that every error is reported and no edge is lost in
// silence.
//
// periph's own driver drops the kernel's timestamps, spins when a chip is gone,
// returns at once from an endless wait, and turns an output into an input when
// asked what it is; this one satisfies periph's interfaces without that. Lines
// are found by the label of their chip and the offset on it, because the
// numbers of chips change from kernel to kernel. It needs Linux 5.10 or newer.
package gpio

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// chip is a GPIO chip of this machine.
type chip struct {
	// Path is its device node, such as /dev/gpiochip0. It may change at the next boot.
	Path string
	// Name is the kernel's name, such as gpiochip0; Label is the driver's, such
	// as pinctrl-bcm2711. The label is what a configuration names.
	Name, Label string
	// Lines is how many lines it has.
	Lines int
}

// LineID names a line for good.
type LineID struct {
	// Chip is the label of the chip.
	Chip   string
	Offset int
}

func (l LineID) String() string { return l.Chip + ":" + strconv.Itoa(l.Offset) }

const devices = "/dev"

// listChips lists the chips of this machine in the kernel's order. Chips that
// cannot be asked are left out; the error joins what was wrong with them.
func listChips(dir string, probe func(path string) (chip, error)) ([]chip, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "gpiochip*"))
	if err != nil {
		return nil, fmt.Errorf("list GPIO chips: %w", err)
	}
	var list []chip
	var errs []error
	for _, path := range paths {
		// Some systems link an old number to the chip that bears a new one.
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink != 0 {
			continue
		}
		c, err := probe(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b chip) int {
		return cmp.Or(cmp.Compare(number(a.Path), number(b.Path)), strings.Compare(a.Path, b.Path))
	})
	return list, errors.Join(errs...)
}

func number(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "gpiochip"))
	if err != nil {
		return 1 << 30 // an odd name comes last
	}
	return n
}

func probe(path string) (chip, error) {
	f, err := openChip(path)
	if err != nil {
		return chip{}, err
	}
	// Nothing was written through it.
	defer func() { _ = f.Close() }()
	var info uapi.ChipInfo
	err = control(f, func(fd uintptr) (err error) {
		info, err = uapi.GetChipInfo(fd)
		return err
	})
	if err != nil {
		return chip{}, fmt.Errorf("ask %s what it is: %w", path, err)
	}
	return chip{
		Path: path, Name: uapi.BytesToString(info.Name[:]), Label: uapi.BytesToString(info.Label[:]), Lines: int(info.Lines),
	}, nil
}

func openChip(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("open GPIO chip (add the user to the group that owns the device, often gpio): %w", err)
	case err != nil:
		return nil, fmt.Errorf("open GPIO chip: %w", err)
	}
	return f, nil
}

// find looks a line up. Its error is ENODEV when the chip is not there.
func find(id LineID, list []chip, listErr error) (chip, error) {
	var found []chip
	for _, c := range list {
		if c.Label == id.Chip {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0 && listErr != nil:
		return chip{}, fmt.Errorf("chip label %q not found; this machine has: %s; not all could be asked: %w", id.Chip, describe(list), listErr)
	case len(found) == 0:
		return chip{}, fmt.Errorf("chip label %q not found; this machine has: %s: %w", id.Chip, describe(list), unix.ENODEV)
	case len(found) > 1:
		return chip{}, fmt.Errorf("chip label %q is not unique; this machine has: %s", id.Chip, describe(list))
	case id.Offset < 0 || id.Offset >= found[0].Lines:
		return chip{}, fmt.Errorf("line %s does not exist; the chip has lines 0 to %d", id, found[0].Lines-1)
	}
	return found[0], nil
}

// describe lists chips for an error message: "pinctrl-bcm2711
// (gpiochip0, 58 lines)", or "no GPIO chip".
func describe(list []chip) string {
	if len(list) == 0 {
		return "no GPIO chip"
	}
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = fmt.Sprintf("%s (%s, %d lines)", c.Label, c.Name, c.Lines)
	}
	return strings.Join(words, ", ")
}

// control runs an ioctl on f's descriptor without taking it from Go's poller.
func control(f *os.File, ioctl func(fd uintptr) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := c.Control(func(fd uintptr) { failed = ioctl(fd) }); err != nil {
		// Control fails by itself only on a closed file, with an error that
		// cannot be named outside of package os.
		return os.ErrClosed
	}
	return failed
}

// request asks the kernel for one line and returns the line's own file, which
// works with Go's poller.
func request(id LineID, consumer string, config uapi.LineConfig, buffer uint32) (*os.File, error) {
	list, err := listChips(devices, probe)
	chip, err := find(id, list, err)
	if err != nil {
		return nil, err
	}
	f, err := openChip(chip.Path)
	if err != nil {
		return nil, err
	}
	// The line outlives the chip's file; nothing was written through it.
	defer func() { _ = f.Close() }()
	req := uapi.LineRequest{Lines: 1, Config: config, EventBufferSize: buffer}
	req.Offsets[0] = uint32(id.Offset)
	copy(req.Consumer[:len(req.Consumer)-1], consumer)
	err = control(f, func(fd uintptr) error { return uapi.GetLine(fd, &req) })
	switch {
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("request line %s: another program holds it (see gpioinfo): %w", id, err)
	case err != nil:
		return nil, fmt.Errorf("request line %s: %w", id, err)
	}
	if err := unix.SetNonblock(int(req.Fd), true); err != nil {
		// The descriptor is useless; there is nothing to do about a failing close.
		_ = unix.Close(int(req.Fd))
		return nil, fmt.Errorf("request line %s: %w", id, err)
	}
	return os.NewFile(uintptr(req.Fd), "line "+id.String()), nil
}
