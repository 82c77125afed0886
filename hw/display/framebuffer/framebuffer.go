// Package framebuffer shows pictures on any screen that the kernel draws on,
// through /dev/fb0: HDMI without a browser.
//
// Pixels are written, not mapped: where a screen is taken away, a write is an
// error, but a store to mapped memory would end the whole program. Text of the
// kernel's console would come through; boot with console=tty3 and
// vt.global_cursor_default=0 to keep it away.
package framebuffer

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/display"
)

// Renew is how often the whole picture is written anew, and a screen that the
// kernel has darkened is lit again.
const Renew = 10 * time.Second

// Options say which screen.
type Options struct {
	// Device is the framebuffer; "/dev/fb0" when empty.
	Device string
	// Rotate is how many degrees the picture is turned clockwise: 0, 90, 180, 270.
	Rotate int
}

// Display is an open screen. One goroutine uses it.
type Display struct {
	opt    Options
	file   *os.File
	layout layout
	img    *image.RGBA
	shown  []byte
	next   time.Time
}

var _ display.Drawer = (*Display)(nil)

// Requests of the kernel's linux/fb.h.
const (
	getVariable = 0x4600
	getFixed    = 0x4602
	setBlank    = 0x4611
)

// Open finds out how a screen keeps its pixels. The error names the device and
// what to do.
func Open(opt Options) (*Display, error) {
	if opt.Device == "" {
		opt.Device = "/dev/fb0"
	}
	if opt.Rotate%90 != 0 || opt.Rotate < 0 || opt.Rotate > 270 {
		return nil, fmt.Errorf("screen %s: rotate is %d, want 0, 90, 180 or 270", opt.Device, opt.Rotate)
	}
	file, err := os.OpenFile(opt.Device, os.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("screen: is a monitor connected, and has the kernel a driver for it (see /proc/fb)? %w", err)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("screen: add the service's user to the group video: %w", err)
	case err != nil:
		return nil, fmt.Errorf("screen: %w", err)
	}
	var v variable
	var f fixed
	err = control(file, getVariable, uintptr(unsafe.Pointer(&v)))
	if err == nil {
		err = control(file, getFixed, uintptr(unsafe.Pointer(&f)))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("screen %s does not say what it is like; is it a framebuffer? %w", opt.Device, err), file.Close())
	}
	l, err := layoutOf(v, f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("screen %s: %w", opt.Device, err), file.Close())
	}
	d := &Display{opt: opt, file: file, layout: l}
	width, height := l.width, l.height
	if opt.Rotate%180 != 0 {
		width, height = height, width
	}
	d.img = image.NewRGBA(image.Rect(0, 0, width, height))
	return d, nil
}

// control runs an ioctl on a file without taking it from Go's poller.
func control(file *os.File, request, arg uintptr) error {
	c, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if err := c.Control(func(fd uintptr) { _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, arg) }); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// Draw shows a picture. Lines above and below what changed are not written
// again; where nothing did, the first two are, which shows that the screen is
// still there.
func (d *Display) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Draw(d.img, r, src, sp, draw.Src)
	want := d.layout.pack(d.img, d.opt.Rotate)
	from, to := 0, d.layout.height
	if d.shown == nil || !time.Now().Before(d.next) {
		// Not every driver can darken a screen; one that cannot has not.
		_ = control(d.file, setBlank, 0)
		d.next = time.Now().Add(Renew)
	} else {
		from, to = d.layout.changed(d.shown, want)
	}
	begin, end := from*d.layout.line, (to-1)*d.layout.line+d.layout.width*d.layout.bytes
	if _, err := d.file.WriteAt(want[begin:end], int64(d.layout.first+begin)); err != nil {
		return fmt.Errorf("draw on screen %s (is the monitor connected?): %w", d.opt.Device, err)
	}
	d.shown = want
	return nil
}

// Halt makes the screen black.
func (d *Display) Halt() error { return d.Draw(d.img.Bounds(), image.Black, image.Point{}) }

// Close gives the device back. Closing twice is allowed.
func (d *Display) Close() error {
	if err := d.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close screen %s: %w", d.opt.Device, err)
	}
	return nil
}

// ColorModel has all colours.
func (d *Display) ColorModel() color.Model { return color.RGBAModel }

// Bounds begin at 0, 0 and are turned as the picture is.
func (d *Display) Bounds() image.Rectangle { return d.img.Bounds() }

func (d *Display) String() string { return "screen " + d.opt.Device }
