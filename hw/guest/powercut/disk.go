// Package powercut is a disk that can lose its power: a block device whose
// write cache is volatile, served to a guest over NBD, so that only what the
// guest flushed survives a cut. Killing an emulator that writes to a plain
// file proves nothing, because the host keeps what the guest never flushed.
package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// sector is the unit that a drive writes wholly or not at all.
const sector = 512

// ErrPower is returned by a disk that has no power.
var ErrPower = errors.New("the disk has no power")

// ErrRange is wrapped by errors about bytes outside of the disk.
var ErrRange = errors.New("outside of the disk")

// Policy says what a cut does to writes that were not flushed.
type Policy uint8

const (
	// Drop loses all of them: the longest cache that is lost at once.
	Drop Policy = iota + 1
	// Tear keeps each sector of each of them by chance: a drive that was
	// writing out of order when the power went.
	Tear
)

// Loss counts what a cut did.
type Loss struct {
	// Writes is how many writes were not flushed; Kept and Lost count their sectors.
	Writes, Kept, Lost int
}

// write is one write in the cache.
type write struct {
	off  int64
	data []byte
}

// Disk is a block device with a volatile write cache, held in memory. It may
// be used from any goroutine.
type Disk struct {
	// FlushTime is how long a flush takes, as on a card: the longer, the more
	// often a cut meets one under way. Set it before the disk is served.
	FlushTime time.Duration

	mu  sync.Mutex
	off bool // belongs to mu
	// stable is what survives a cut; cache holds the writes since the last
	// flush, in order. Both belong to mu, and so does tape.
	stable []byte
	cache  []write
	tape   *Tape
}

// NewDisk returns a disk that holds a copy of image.
func NewDisk(image []byte) *Disk {
	return &Disk{stable: append([]byte(nil), image...)}
}

// Size returns the disk's size in bytes.
func (d *Disk) Size() int64 { return int64(len(d.stable)) }

// Record makes tape hold the disk's present stable bytes and everything that
// happens from now on.
func (d *Disk) Record(tape *Tape) {
	d.mu.Lock()
	defer d.mu.Unlock()
	tape.base = append([]byte(nil), d.stable...)
	d.tape = tape
}

// Mark puts a mark on the tape: n of the guest's promises were seen so far.
func (d *Disk) Mark(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tape.add(op{kind: opMark, mark: n})
}

// ReadAt fills b with what the guest would see at off.
func (d *Disk) ReadAt(b []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(off, len(b)); err != nil {
		return err
	}
	copy(b, d.stable[off:])
	for _, w := range d.cache {
		overlay(b, off, w.data, w.off)
	}
	return nil
}

// WriteAt writes b, which the disk keeps. With fua (force unit access) it is
// stable on return; else it waits in the cache for a flush.
func (d *Disk) WriteAt(b []byte, off int64, fua bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(off, len(b)); err != nil {
		return err
	}
	if d.off {
		return ErrPower
	}
	d.tape.add(op{kind: opWrite, off: off, data: b, fua: fua})
	if !fua {
		d.cache = append(d.cache, write{off: off, data: b})
		return nil
	}
	// Older bytes in the cache must not come back over these at a flush. The
	// tape holds the same slices, so they are replaced and not edited.
	for i, w := range d.cache {
		if off < w.off+int64(len(w.data)) && w.off < off+int64(len(b)) {
			d.cache[i].data = append([]byte(nil), w.data...)
			overlay(d.cache[i].data, w.off, b, off)
		}
	}
	copy(d.stable[off:], b)
	return nil
}

// Flush makes all writes so far stable, at the end of FlushTime. If the power
// goes meanwhile, nothing was flushed.
func (d *Disk) Flush() error {
	if d.FlushTime > 0 {
		<-time.After(d.FlushTime)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return ErrPower
	}
	d.tape.add(op{kind: opFlush})
	for _, w := range d.cache {
		copy(d.stable[w.off:], w.data)
	}
	d.cache = nil
	return nil
}

// PowerOff takes the power away: no write or flush reaches the disk any more
// until Cut.
func (d *Disk) PowerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
}

// Cut decides what the power's loss did to the cache, and gives the power
// back. The machine that was writing must be dead by then.
func (d *Disk) Cut(p Policy, r *rand.Rand) Loss {
	d.mu.Lock()
	defer d.mu.Unlock()
	loss := d.spoil(d.stable, p, r)
	d.cache, d.off = nil, false
	return loss
}

// AfterCut returns what would be on the disk if the power went now, and
// leaves the disk as it is.
func (d *Disk) AfterCut(p Policy, r *rand.Rand) ([]byte, Loss) {
	d.mu.Lock()
	defer d.mu.Unlock()
	image := append([]byte(nil), d.stable...)
	return image, d.spoil(image, p, r)
}

// spoil writes to image what the policy keeps of the cache.
func (d *Disk) spoil(image []byte, p Policy, r *rand.Rand) Loss {
	loss := Loss{Writes: len(d.cache)}
	for _, w := range d.cache {
		for at := 0; at < len(w.data); at += sector {
			piece := w.data[at:min(at+sector, len(w.data))]
			if p == Tear && r.IntN(2) == 0 {
				copy(image[w.off+int64(at):], piece)
				loss.Kept++
			} else {
				loss.Lost++
			}
		}
	}
	return loss
}

func (d *Disk) check(off int64, n int) error {
	if off < 0 || off > d.Size()-int64(n) {
		return fmt.Errorf("%d bytes at %d of a disk of %d: %w", n, off, d.Size(), ErrRange)
	}
	return nil
}

// overlay copies to b, which lies at off, what of data, which lies at dataOff,
// overlaps it.
func overlay(b []byte, off int64, data []byte, dataOff int64) {
	from, to := max(off, dataOff), min(off+int64(len(b)), dataOff+int64(len(data)))
	if from < to {
		copy(b[from-off:to-off], data[from-dataOff:])
	}
}
