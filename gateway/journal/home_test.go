package journal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
)

func TestNoUsableFolderMeansMemoryAndAWayBack(t *testing.T) {
	dir := t.TempDir()
	block := filepath.Join(dir, "data")
	must(t, os.WriteFile(block, nil, 0o600)) // a file where the folder should be
	r := start(t, Options{Path: filepath.Join(block, "journal.db"), Consumers: []string{"mqtt"}, RetryEvery: 20 * time.Millisecond})
	if !r.holds(conditionMemory) || r.Stats().Durable {
		t.Error("in memory, and nothing says so")
	}
	c := r.Cursor("mqtt", Alarm)
	var refs []alert.Ref
	for n := uint64(1); n <= 600; n++ {
		ref, err := r.put(raise(n))
		if !errors.Is(err, ErrNotDurable) {
			t.Fatalf("done got %v, want ErrNotDurable", err)
		}
		refs = append(refs, ref)
	}
	rows, err := c.Read(t.Context(), 100)
	if err != nil || len(rows) != 100 || rows[0].Ref != refs[0] {
		t.Fatalf("%d rows from memory, %v", len(rows), err)
	}
	c.Advance(rows[49])
	must(t, os.Remove(block)) // the technician repairs it
	eventually(t, "back to the file, and nothing says otherwise", func() bool { return r.Stats().Durable && !r.holds(conditionMemory) })
	durable := r.mustPut(raise(601))
	if durable.Epoch == refs[0].Epoch {
		t.Error("the file uses the epoch of the memory journal")
	}
	c.Advance(rows[99]) // delivered while the journal moved
	rest := drain(t, c)
	if len(rest) != 501 || rest[0].Ref != refs[100] || rest[500].Ref != durable {
		t.Fatalf("%d rows came after the return, want 501 in order", len(rest))
	}
	epoch := r.Epoch()
	r.stop()
	r = start(t, r.opt)
	if r.Epoch() != epoch {
		t.Error("the epoch changed at the next start")
	}
	if state, saved := r.Recorded(); len(state.Open()) != 7 || len(saved) != 7 {
		t.Errorf("%d alerts open after the next start, want 7", len(state.Open()))
	}
	if again := drain(t, r.Cursor("mqtt", Alarm)); len(again) != 501 {
		t.Errorf("%d rows after the next start, want 501", len(again))
	}
}

func TestReadOnlyDiskMeansMemoryAndAWayBack(t *testing.T) {
	dir := smallDisk(t, "16m")
	o := Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}, RetryEvery: 20 * time.Millisecond}
	r := start(t, o)
	backlog := r.mustPut(raise(1)) // nobody has read it yet
	r.stop()
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	returned := make(chan alert.State, 1)
	o.OnRecovered = func(s alert.State, _ map[alert.Key]alert.Ref) { returned <- s }
	r = start(t, o)
	if state, saved := r.Recorded(); len(state.Open()) != 1 || len(saved) != 1 {
		t.Errorf("an alert that was open is not shown because the disk is read-only: %+v", state.Open())
	}
	c := r.Cursor("mqtt", Alarm)
	ref, err := r.put(raise(2))
	if !errors.Is(err, ErrNotDurable) || !r.holds(conditionMemory) {
		t.Fatalf("on a read-only disk: %v", err)
	}
	rows := drain(t, c)
	if len(rows) != 1 || rows[0].Ref != ref {
		t.Fatalf("from memory came %v, want %v", rows, ref)
	}
	c.Advance(rows[0])
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, ""))
	eventually(t, "back to the file", func() bool { return r.Stats().Durable })
	if state := <-returned; len(state.Open()) != 2 {
		t.Errorf("%d open alerts after the return, want both", len(state.Open()))
	}
	// The row that waited in the file comes, and the other again after it.
	if rows := drain(t, c); len(rows) != 2 || rows[0].Ref != backlog || rows[1].Ref != ref {
		t.Errorf("after the return came %v, want %v and %v", rows, backlog, ref)
	}
}
