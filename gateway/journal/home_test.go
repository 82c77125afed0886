package journal

import (
	"context"
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

// A return that fails half-way must go on where it was, not begin anew.
func TestFailedReturnsDoubleNothing(t *testing.T) {
	dir := smallDisk(t, "16m")
	o := Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}, RetryEvery: 10 * time.Millisecond, Ballast: -1}
	r := start(t, o)
	r.stop()
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	r = start(t, o)
	const events = 3000
	var refs []alert.Ref
	for n := uint64(1); n <= events; n++ {
		ref, err := r.put(raise(n))
		if !errors.Is(err, ErrNotDurable) {
			t.Fatalf("done got %v, want ErrNotDurable", err)
		}
		refs = append(refs, ref)
	}
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=700k")) // room for some of them
	eventually(t, "a disk that is full again", func() bool {
		var fs unix.Statfs_t
		return unix.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) < 64<<10
	})
	if r.Stats().Durable {
		t.Fatal("everything fitted: the test shows nothing")
	}
	must(t, unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"))
	eventually(t, "back to the file", func() bool { return r.Stats().Durable })
	rows := drain(t, r.Cursor("mqtt", Alarm))
	if len(rows) != events {
		t.Fatalf("%d rows after the return, want %d", len(rows), events)
	}
	for i, row := range rows {
		if row.Ref != refs[i] {
			t.Fatalf("row %d is %v, want %v", i, row.Ref, refs[i])
		}
	}
}

// Rows that are safe in a set-aside file must not be moved to memory, where a
// stop ends them, and the file must not be marked as done.
func TestSalvageWaitsForTheFile(t *testing.T) {
	dir := smallDisk(t, "16m")
	o := Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}, RetryEvery: time.Hour, Ballast: -1}
	r := start(t, o)
	for n := uint64(1); n <= 600; n++ {
		r.mustPut(raise(n))
	}
	r.stop()
	f, err := os.OpenFile(o.Path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 100), 0) // the header
	must(t, errors.Join(err, f.Close()))
	j, err := Open(o) // sets the file aside; nothing runs yet
	must(t, err)
	full, err := os.Create(filepath.Join(dir, "full"))
	must(t, err)
	for block := make([]byte, 4096); err == nil; {
		_, err = full.Write(block)
	}
	must(t, full.Close())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	kept := make(chan error, 1)
	j.Append(raise(601), func(_ alert.Ref, err error) { kept <- err })
	if err := <-kept; !errors.Is(err, ErrNotDurable) {
		t.Fatalf("on a full disk: %v", err)
	}
	// Long enough for a salvage that does not wait: it takes 60 ms.
	<-time.After(1500 * time.Millisecond)
	cancel()
	must(t, <-ended)
	must(t, os.Remove(full.Name()))
	r = start(t, o)
	got := make(map[alert.Ref]bool)
	eventually(t, "every acknowledged row", func() bool {
		for _, row := range drain(t, r.Cursor("mqtt", Alarm)) {
			got[row.Ref] = true
		}
		return len(got) >= 600
	})
}

// Salvaged rows that a consumer had already are passed for it, but never over
// a row that it has not seen.
func TestSalvageMovesNoCursorOverAnUnreadRow(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"fast", "slow"}}
	r := start(t, o)
	for n := uint64(1); n <= 50; n++ {
		r.mustPut(raise(n))
	}
	fast := r.Cursor("fast", Alarm)
	fast.Advance(last(drain(t, fast)))
	r.stop()
	f, err := os.OpenFile(o.Path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 100), 0)
	must(t, errors.Join(err, f.Close()))
	j, err := Open(o)
	must(t, err)
	fresh := make(chan alert.Ref, 1)
	j.Append(raise(51), func(ref alert.Ref, _ error) { fresh <- ref }) // committed before the first salvaged row
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	want := <-fresh
	eventually(t, "the salvage", func() bool { return j.Stats().Rows["alarm"] == 51 })
	eventually(t, "its account", func() bool { return j.Stats().Rows["routine"] >= 1 })
	rows := drain(t, j.Cursor("fast", Alarm))
	if len(rows) == 0 || rows[0].Ref != want {
		t.Errorf("the consumer that was ahead got %d rows; the new one %v must be the first", len(rows), want)
	}
	if rows := drain(t, j.Cursor("slow", Alarm)); len(rows) != 51 {
		t.Errorf("the other consumer got %d rows, want all 51", len(rows))
	}
	cancel()
	must(t, <-ended)
}
