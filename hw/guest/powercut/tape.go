package powercut

import (
	"math/rand/v2"
	"slices"
)

// opKind says what an entry of a tape is.
type opKind uint8

const (
	opWrite opKind = iota + 1
	opFlush
	opMark
)

// op is one entry of a tape.
type op struct {
	kind opKind
	off  int64
	data []byte
	fua  bool
	mark int
}

// Tape is everything that a guest did to a disk, in order, so that a power
// cut after any step of it can be looked at later without booting again.
// It belongs to its Disk while that records; afterwards to its reader.
type Tape struct {
	base []byte
	ops  []op
}

// add appends an entry; a nil tape records nothing.
func (t *Tape) add(o op) {
	if t != nil {
		t.ops = append(t.ops, o)
	}
}

// Len is the number of steps on the tape.
func (t *Tape) Len() int { return len(t.ops) }

// Point is one moment at which the power could have gone.
type Point struct {
	// Step is how many steps of the tape were done.
	Step int
	// Mark is the last mark before: what the guest had promised by then, at least.
	Mark int
	// Policy and Loss are what the cut did to the cache.
	Policy Policy
	Loss   Loss
	// Image is what was left on the disk.
	Image []byte
}

// Replay visits n random points of the tape in its order, half of them with
// each policy, and ends at the first error that visit returns.
func (t *Tape) Replay(n int, r *rand.Rand, visit func(Point) error) error {
	steps := make([]int, n)
	for i := range steps {
		steps[i] = r.IntN(len(t.ops) + 1)
	}
	slices.Sort(steps)
	disk := NewDisk(t.base)
	done, mark := 0, 0
	for i, step := range steps {
		for ; done < step; done++ {
			switch o := t.ops[done]; o.kind {
			case opWrite:
				if err := disk.WriteAt(o.data, o.off, o.fua); err != nil {
					return err
				}
			case opFlush:
				if err := disk.Flush(); err != nil {
					return err
				}
			case opMark:
				mark = o.mark
			}
		}
		policy := Drop
		if i%2 == 1 {
			policy = Tear
		}
		image, loss := disk.AfterCut(policy, r)
		if err := visit(Point{Step: step, Mark: mark, Policy: policy, Loss: loss, Image: image}); err != nil {
			return err
		}
	}
	return nil
}
