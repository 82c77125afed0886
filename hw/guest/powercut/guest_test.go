//go:build guest

package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/hw/guest"
)

const (
	diskSize = 32 << 20
	// flushTime is that of a good card.
	flushTime = 4 * time.Millisecond
)

var errCut = errors.New("the power was cut")

// rig is what every test of power cuts needs.
type rig struct {
	t       *testing.T
	kit     *guest.Kit
	program string
	rand    *rand.Rand
}

func newRig(t *testing.T, buildFlags ...string) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("power cuts are looked at through loop mounts, which need root: run the guest tests as root")
	}
	kit, err := guest.Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := guest.Find(p); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "journalload")
	if err := (guest.Target{}).Build(t.Context(), program, "./hw/guest/cmd/journalload", buildFlags...); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &rig{t: t, kit: kit, program: program, rand: rand.New(rand.NewPCG(seed, 1))}
}

// newDisk returns a disk with an empty ext4 on it.
func (r *rig) newDisk() *Disk {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "empty.img")
	if err := os.WriteFile(file, make([]byte, diskSize), 0o600); err != nil {
		r.t.Fatal(err)
	}
	mkfs, err := guest.Find("mkfs.ext4")
	if err != nil {
		r.t.Fatal(err)
	}
	// Eager tables: else the kernel would go on writing them for a minute.
	out, err := exec.Command(mkfs, "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	image, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	disk := NewDisk(image)
	disk.FlushTime = flushTime
	return disk
}

// boot runs a script with the disk on /mnt, hands the console's lines to line,
// and returns when guest and disk are still. line gets a function that cuts
// the power, which anyone may call.
func (r *rig) boot(disk *Disk, mountOption, script string, line func(text string, cut func())) error {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer stop()
	socket := filepath.Join(r.t.TempDir(), "nbd")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	serving, hangUp := context.WithCancel(ctx)
	go func() { served <- disk.ServeOne(serving, l) }()

	powered, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	err = r.kit.Boot(powered, guest.Job{
		Modules: []string{"virtio_blk", "crc32c_intel", "ext4"},
		Files:   []guest.Entry{guest.Program(r.program, "journalload")},
		Script:  "mount -t ext4 -o noatime" + mountOption + " /dev/vda /mnt || exit 3\n" + script,
		QEMU: []string{"-drive", "file=nbd:unix:" + socket + ",if=none,id=d,format=raw,cache=writeback",
			"-device", "virtio-blk-pci,drive=d"},
	}, func(text string) {
		line(text, func() {
			disk.PowerOff()
			cut(errCut)
		})
	})
	if err != nil && !errors.Is(err, errCut) {
		hangUp() // QEMU may never have connected
	}
	serveErr := <-served
	hangUp()
	_ = l.Close() // closed already when ServeOne was told to end
	return errors.Join(err, serveErr)
}

// record boots once with a tape running and ends after a number of promises.
func (r *rig) record(mountOption string, acks int) *Tape {
	r.t.Helper()
	disk, tape, said := r.newDisk(), &Tape{}, NewPromises()
	disk.Record(tape)
	start := time.Now()
	err := r.boot(disk, mountOption, "journalload load /mnt recorded", func(text string, cut func()) {
		n := said.Line(text)
		if n == 0 {
			r.t.Log(text)
			return
		}
		disk.Mark(n)
		if n >= acks {
			cut()
		}
	})
	if !errors.Is(err, errCut) {
		r.t.Fatalf("the recorded boot ended by itself: %v", err)
	}
	r.t.Logf("recorded %d steps of the disk and %d acknowledged records in %v", tape.Len(), said.Acked["recorded"], time.Since(start).Round(time.Millisecond))
	return tape
}

// replay looks at n moments of the tape and hands each broken promise to broken,
// until that returns false. It counts the promises that it held against the
// disk, and the moments at which the cut lost a write.
func (r *rig) replay(tape *Tape, n int, broken func(Point, error) bool) (promised, unflushed int) {
	r.t.Helper()
	dir := r.t.TempDir()
	image, mnt := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o700); err != nil {
		r.t.Fatal(err)
	}
	start, looked := time.Now(), 0
	stop := errors.New("seen enough")
	err := tape.Replay(n, r.rand, func(p Point) error {
		looked++
		promised += p.Mark
		if p.Loss.Lost > 0 {
			unflushed++
		}
		said := NewPromises()
		said.Acked["recorded"] = p.Mark
		if err := os.WriteFile(image, p.Image, 0o600); err != nil {
			return err
		}
		out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput()
		if err != nil {
			said.fault("the file system does not mount: %s", strings.TrimSpace(string(out)))
		} else {
			out, checked := exec.Command(r.program, "verify", mnt).CombinedOutput()
			if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
				return fmt.Errorf("umount %s: %w: %s", mnt, err, out)
			}
			for line := range strings.Lines(string(out)) {
				said.Line(strings.TrimSpace(line))
			}
			if said.Verified == 0 && len(said.Faults) == 0 {
				said.fault("the verification said nothing: %v: %s", checked, out)
			}
		}
		for _, f := range said.Faults {
			if !broken(p, f) {
				return stop
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		r.t.Fatal(err)
	}
	r.t.Logf("looked at %d moments with %d promises, %d of them with writes that were lost, in %v", looked, promised, unflushed, time.Since(start).Round(time.Millisecond))
	return promised, unflushed
}

func TestPowerCutsReplayedLoseNothing(t *testing.T) {
	r := newRig(t)
	tape := r.record("", 600)
	promised, unflushed := r.replay(tape, 200, func(p Point, broken error) bool {
		t.Errorf("cut after step %d of %d, policy %d: %v", p.Step, tape.Len(), p.Policy, broken)
		return true
	})
	if promised == 0 || unflushed == 0 {
		t.Error("no record was acknowledged, or no write was lost, before any of the moments: nothing was proven")
	}
}

func TestPowerCutsOfARunningGuestLoseNothing(t *testing.T) {
	// Five cuts, and more while none of them has hit a write that was not
	// flushed: such a cut proves nothing, and it is a matter of luck.
	const least, most = 5, 30
	r := newRig(t)
	disk, said := r.newDisk(), NewPromises()
	lost, cuts := 0, 0
	for ; cuts < least || lost == 0 && cuts < most; cuts++ {
		c := cuts
		run := fmt.Sprintf("boot%d", c)
		after := time.Duration(100+r.rand.IntN(2400)) * time.Millisecond
		var timer *time.Timer
		err := r.boot(disk, "", "journalload verify /mnt && journalload load /mnt "+run, func(text string, cut func()) {
			switch n := said.Line(text); {
			case n == 0:
				t.Log(text)
			case timer == nil:
				// A clock of its own: a cut on a promise would always come
				// just after a flush.
				timer = time.AfterFunc(after, cut)
			}
		})
		if !errors.Is(err, errCut) {
			t.Fatalf("boot %d ended by itself: %v", c, err)
		}
		policy := Drop
		if c%2 == 1 {
			policy = Tear
		}
		loss := disk.Cut(policy, r.rand)
		lost += loss.Lost
		t.Logf("cut %d: %d records acknowledged in %v; %d writes were not flushed, %d sectors kept, %d lost", c, said.Acked[run], after, loss.Writes, loss.Kept, loss.Lost)
	}
	err := r.boot(disk, "", "journalload verify /mnt", func(text string, _ func()) {
		t.Log(text)
		said.Line(text)
	})
	if err != nil {
		t.Error(err)
	}
	for _, f := range said.Faults {
		t.Error(f)
	}
	if said.Verified != cuts+1 || len(said.Acked) != cuts {
		t.Errorf("%d verifications of %d runs, want %d of %d", said.Verified, len(said.Acked), cuts+1, cuts)
	}
	if lost == 0 {
		t.Error("no cut lost any write: nothing was proven")
	}
}

// The two controls: where the file system does not ask for a flush, or the
// database does not, records must be missing. If they are not, the disk above
// loses nothing either, and the tests before prove nothing.

func TestPowerCutsWithoutBarriersLoseRecords(t *testing.T) {
	mustLose(newRig(t), ",nobarrier")
}

func TestPowerCutsWithoutSyncedCommitsLoseRecords(t *testing.T) {
	mustLose(newRig(t, "-overlay", unsynced(t)), "")
}

func mustLose(r *rig, mountOption string) {
	r.t.Helper()
	tape := r.record(mountOption, 300)
	lost := 0
	r.replay(tape, 40, func(p Point, broken error) bool {
		r.t.Logf("as it should: cut after step %d of %d: %v", p.Step, tape.Len(), broken)
		lost++
		return lost < 5
	})
	if lost == 0 {
		r.t.Fatal("40 power cuts lost nothing although nothing was flushed: the disk's cache is not volatile")
	}
}

// unsynced returns a build overlay in which the journal commits with
// synchronous=NORMAL. The journal itself has no such switch.
func unsynced(t *testing.T) string {
	t.Helper()
	root, err := guest.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(root, "gateway", "journal", "store.go")
	source, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for before, after := range map[string]string{"synchronous(FULL)": "synchronous(NORMAL)", `"synchronous": "2"`: `"synchronous": "1"`} {
		if strings.Count(text, before) != 1 {
			t.Fatalf("%s does not hold %s exactly once any more: teach this control where the journal asks for synced commits", store, before)
		}
		text = strings.Replace(text, before, after, 1)
	}
	changed := filepath.Join(t.TempDir(), "store.go")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{store: changed}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
