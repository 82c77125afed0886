package powercut

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A model: every byte has one stable value and the values written since the
// last flush; after a cut it must hold one of them, and with Drop the stable one.
func TestCutKeepsFlushedBytesAndInventsNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 8 * sector
		disk := NewDisk(make([]byte, size))
		stable, seen := make([]byte, size), make([]byte, size)
		maybe := make([]map[byte]bool, size)
		clearMaybe := func() {
			for i := range maybe {
				maybe[i] = map[byte]bool{stable[i]: true}
			}
		}
		clearMaybe()
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				if err := disk.Flush(); err != nil {
					t.Fatal(err)
				}
				copy(stable, seen)
				clearMaybe()
			default:
				off := rapid.IntRange(0, size-1).Draw(t, "off")
				b := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(1, size-off).Draw(t, "len"))
				fua := rapid.Bool().Draw(t, "fua")
				if err := disk.WriteAt(b, int64(off), fua); err != nil {
					t.Fatal(err)
				}
				for i, v := range b {
					seen[off+i] = v
					if fua {
						stable[off+i], maybe[off+i] = v, map[byte]bool{v: true}
					} else {
						maybe[off+i][v] = true
					}
				}
			}
			got := make([]byte, size)
			if err := disk.ReadAt(got, 0); err != nil || !bytes.Equal(got, seen) {
				t.Fatalf("a read sees other bytes than were written (%v)", err)
			}
		}
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		torn, _ := disk.AfterCut(Tear, r)
		for i, v := range torn {
			if !maybe[i][v] {
				t.Fatalf("byte %d is %d after a cut: neither flushed nor written", i, v)
			}
		}
		disk.Cut(Drop, r)
		got := make([]byte, size)
		if err := disk.ReadAt(got, 0); err != nil || !bytes.Equal(got, stable) {
			t.Fatalf("a cut that drops the cache left other bytes than were flushed (%v)", err)
		}
	})
}

func TestTapeReplaysWhatTheDiskWentThrough(t *testing.T) {
	disk, tape := NewDisk(make([]byte, 4*sector)), &Tape{}
	disk.Record(tape)
	fill := func(v byte) []byte { return bytes.Repeat([]byte{v}, sector) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(disk.WriteAt(fill(1), 0, false))
	must(disk.Flush())
	disk.Mark(1)
	must(disk.WriteAt(fill(2), 0, false))
	must(disk.WriteAt(fill(3), sector, true))
	points := 0
	err := tape.Replay(200, rand.New(rand.NewPCG(1, 2)), func(p Point) error {
		points++
		if p.Mark == 1 && p.Image[0] == 0 {
			t.Errorf("step %d: a marked write is gone", p.Step)
		}
		if p.Policy == Drop && p.Image[0] == 2 {
			t.Errorf("step %d: an unflushed write survived a cut that drops all", p.Step)
		}
		if p.Step == tape.Len() && p.Image[sector] != 3 {
			t.Errorf("step %d: a forced write is gone", p.Step)
		}
		return nil
	})
	if err != nil || points != 200 {
		t.Fatalf("%d points, %v", points, err)
	}
}

func TestNothingReachesADiskWithoutPower(t *testing.T) {
	disk := NewDisk(make([]byte, 2*sector))
	if err := disk.WriteAt([]byte("first"), 0, false); err != nil {
		t.Fatal(err)
	}
	disk.PowerOff()
	if err := disk.Flush(); !errors.Is(err, ErrPower) {
		t.Errorf("flush: %v", err)
	}
	if err := disk.WriteAt([]byte("second"), sector, true); !errors.Is(err, ErrPower) {
		t.Errorf("write: %v", err)
	}
	if loss := disk.Cut(Drop, rand.New(rand.NewPCG(1, 2))); loss.Writes != 1 || loss.Lost != 1 {
		t.Errorf("got %+v", loss)
	}
	got := make([]byte, 2*sector)
	if err := disk.ReadAt(got, 0); err != nil || !bytes.Equal(got, make([]byte, 2*sector)) {
		t.Errorf("something survived: %v", err)
	}
	if err := disk.Flush(); err != nil {
		t.Errorf("the power is back: %v", err)
	}
}
