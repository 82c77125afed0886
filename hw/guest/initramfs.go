package guest

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

//go:embed init.sh
var initScript string

// Entry is one file in the guest.
type Entry struct {
	// Path is the file's place in the guest, absolute.
	Path string
	// Source is the file on this machine to copy; if empty, Text is the content.
	Source string
	Text   string
	// Executable sets the mode to 0755 instead of 0644.
	Executable bool
}

// Program is an executable of this machine under /bin of the guest.
func Program(source, name string) Entry {
	return Entry{Path: "/bin/" + name, Source: source, Executable: true}
}

// Text is a small file with the given content.
func Text(place, content string) Entry { return Entry{Path: place, Text: content} }

// writeInitramfs writes the guest's whole root: busybox, init, the modules
// that the job needs and its files, as one uncompressed archive, because
// unpacking is slow under emulation.
func (k *Kit) writeInitramfs(file string, job Job) error {
	order, err := k.loadOrder(job.Modules)
	if err != nil {
		return err
	}
	entries := []Entry{
		{Path: "/init", Text: initScript, Executable: true},
		{Path: "/job.sh", Text: job.Script},
		{Path: "/bin/busybox", Source: busybox, Executable: true},
		{Path: "/lib/modules/order", Text: strings.Join(order, " ") + "\n"},
	}
	for _, m := range order {
		entries = append(entries, Entry{Path: "/lib/modules/" + m + ".ko", Source: k.path("modules", m+".ko")})
	}
	entries = append(entries, job.Files...)

	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("make the guest's initramfs: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = writeArchive(w, entries)
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write the guest's initramfs %s: %w", file, err)
	}
	return nil
}

// The kernel's initramfs format (Documentation/driver-api/early-userspace/buffer-format.rst):
// a header of hexadecimal numbers, the name, the content, each padded to 4 bytes.
const (
	modeFile    = 0o100000
	modeDir     = 0o040000
	modeCharDev = 0o020000
)

// archive writes records of the kernel's "newc" format.
type archive struct {
	w     io.Writer
	inode int
	dirs  []string
}

// writeArchive writes the entries, the folders above them and the two device
// nodes that a kernel needs before /dev is mounted.
func writeArchive(w io.Writer, entries []Entry) error {
	a := &archive{w: w}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := a.folder(dir); err != nil {
			return err
		}
	}
	if err := a.record("dev/console", modeCharDev|0o600, [2]int{5, 1}, 0, nil); err != nil {
		return err
	}
	if err := a.record("dev/null", modeCharDev|0o666, [2]int{1, 3}, 0, nil); err != nil {
		return err
	}
	for _, e := range entries {
		if err := a.entry(e); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return a.record("TRAILER!!!", 0, [2]int{}, 0, nil)
}

func (a *archive) entry(e Entry) error {
	place := path.Clean("/" + e.Path)
	if err := a.folder(path.Dir(place)); err != nil {
		return err
	}
	mode := modeFile | 0o644
	if e.Executable {
		mode = modeFile | 0o755
	}
	if e.Source == "" {
		return a.record(place[1:], mode, [2]int{}, int64(len(e.Text)), strings.NewReader(e.Text))
	}
	f, err := os.Open(e.Source)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.record(place[1:], mode, [2]int{}, info.Size(), f)
}

// folder writes a folder and those above it, once each.
func (a *archive) folder(dir string) error {
	if dir == "/" || slices.Contains(a.dirs, dir) {
		return nil
	}
	if err := a.folder(path.Dir(dir)); err != nil {
		return err
	}
	a.dirs = append(a.dirs, dir)
	return a.record(dir[1:], modeDir|0o755, [2]int{}, 0, nil)
}

func (a *archive) record(name string, mode int, device [2]int, size int64, content io.Reader) error {
	a.inode++
	const header = "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X"
	head := fmt.Sprintf(header, a.inode, mode, 0, 0, 1, 0, size, 0, 0, device[0], device[1], len(name)+1, 0) + name + "\x00"
	if _, err := io.WriteString(a.w, head+padding(int64(len(head)))); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	if n, err := io.Copy(a.w, io.LimitReader(content, size)); err != nil {
		return err
	} else if n != size {
		return fmt.Errorf("file shrank from %d to %d bytes while it was copied: %w", size, n, io.ErrUnexpectedEOF)
	}
	_, err := io.WriteString(a.w, padding(size))
	return err
}

// padding returns the zero bytes that follow n bytes.
func padding(n int64) string { return "\x00\x00\x00"[:(4-n%4)%4] }
