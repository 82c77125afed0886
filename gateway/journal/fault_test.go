package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// holds reports whether a condition is set.
func (r *running) holds(name string) bool {
	return slices.ContainsFunc(r.health.List(), func(c health.Condition) bool { return c.Name == name })
}

// fill appends n alarms and n routine events, waits for them and returns the
// names of all.
func (r *running) fill(n int) map[alert.Ref]alert.Type {
	r.t.Helper()
	type answer struct {
		ref alert.Ref
		of  alert.Type
		err error
	}
	c := make(chan answer, 2*n)
	for i := range n {
		for _, e := range []alert.Event{raise(uint64(i + 1)), routine(i)} {
			r.Append(e, func(ref alert.Ref, err error) { c <- answer{ref, e.Type, err} })
		}
	}
	refs := make(map[alert.Ref]alert.Type)
	for range 2 * n {
		select {
		case a := <-c:
			if a.err != nil {
				r.t.Fatal(a.err)
			}
			refs[a.ref] = a.of
		case <-time.After(patience):
			r.t.Fatal("no answer to Append")
		}
	}
	return refs
}

// damaged fills a journal, stops it, lets hurt do its work on the file, and
// opens it again.
func damaged(t *testing.T, n int, hurt func(path string)) (*running, map[alert.Ref]alert.Type, time.Duration) {
	t.Helper()
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(n)
	r.stop()
	hurt(o.Path)
	began := time.Now()
	r = start(t, o)
	took := time.Since(began)
	return r, refs, took
}

// salvaged waits for the event that says how the salvage ended and returns all
// rows of both lanes.
func (r *running) salvaged() (rows []Row, said alert.Event) {
	r.t.Helper()
	eventually(r.t, "the end of the salvage", func() bool {
		for _, l := range Lanes() {
			rows = append(rows, drain(r.t, r.Cursor("mqtt", l))...)
		}
		for _, row := range rows {
			if row.Type == alert.JournalRecovered {
				said, _ = row.Event()
				return true
			}
		}
		return false
	})
	return rows, said
}

func overwrite(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestDamagedFileIsSetAsideAndSalvaged(t *testing.T) {
	const n = 400
	for name, c := range map[string]struct {
		hurt func(path string)
		// atLeast is how many of the 2n rows must be found again.
		atLeast int
	}{
		"header zeroed":      {func(p string) { overwrite(t, p, 0, make([]byte, 4096)) }, 2 * n},
		"header is garbage":  {func(p string) { overwrite(t, p, 0, bytes.Repeat([]byte("garbage!"), 512)) }, 2 * n},
		"tail cut off":       {func(p string) { must(t, os.Truncate(p, size(t, p)*3/4/4096*4096)) }, n / 2},
		"torn in mid-page":   {func(p string) { must(t, os.Truncate(p, size(t, p)/2+1000)) }, n / 2},
		"pages zeroed":       {func(p string) { overwrite(t, p, 4096, make([]byte, 12*4096)) }, n / 2},
		"everything garbage": {func(p string) { overwrite(t, p, 0, bytes.Repeat([]byte("garbage!"), int(size(t, p)/8))) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, refs, took := damaged(t, n, c.hurt)
			if took > 20*time.Second { // 2 s on a machine that does nothing else
				t.Errorf("a fresh file was in use after %v", took)
			}
			fresh := r.mustPut(raise(n + 1))
			rows, said := r.salvaged()
			got := make(map[alert.Ref]bool)
			for _, row := range rows {
				if _, ok := refs[row.Ref]; ok {
					got[row.Ref] = true
				} else if row.Ref.Epoch != fresh.Epoch {
					t.Errorf("row %v was never appended", row.Ref)
				}
				if row.Ref.Epoch == fresh.Epoch && refs[row.Ref] != "" {
					t.Errorf("the fresh file uses the old epoch")
				}
			}
			t.Logf("opened in %v, %d of %d rows came back; %s", took, len(got), 2*n, said.Detail)
			if len(got) < c.atLeast {
				t.Errorf("%d of %d rows came back, want %d", len(got), 2*n, c.atLeast)
			}
			if said.Count != uint64(len(got)) {
				t.Errorf("the event says %d rows, %d came", said.Count, len(got))
			}
			eventually(t, "the file is marked as salvaged", func() bool {
				left, err := asideFiles(r.opt.Path, damagedInfix)
				kept, err2 := asideFiles(r.opt.Path, salvagedInfix)
				return err == nil && err2 == nil && len(left) == 0 && len(kept) == 1
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowsThatEveryConsumerHasAreNotSalvagedAgain(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	r.fill(300)
	c := r.Cursor("mqtt", Alarm)
	rows := drain(t, c)
	c.Advance(rows[199])
	r.stop()
	// Cut the last pages: the trees stay readable, the file does not open.
	must(t, os.Truncate(o.Path, size(t, o.Path)-4096))
	r = start(t, o)
	for _, row := range first(r.salvaged()) {
		if row.Type == alert.Raised && row.Ref.Epoch == rows[0].Ref.Epoch && row.Ref.Seq <= rows[199].Ref.Seq {
			if r.cursorsKnown() {
				t.Fatalf("row %d came again", row.Ref.Seq)
			}
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

// cursorsKnown reports whether the salvage could read the old cursors.
func (r *running) cursorsKnown() bool {
	var n int
	err := r.st.read.QueryRow("SELECT count(*) FROM salvage WHERE stage > 0").Scan(&n)
	return err == nil && n > 0
}

func TestDamageAtRunTimeIsMendedWithoutLosingAnEvent(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(300)
	// Fold the log into the database and spoil it under the running writer.
	if _, err := r.st.read.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	overwrite(t, o.Path, 4096, make([]byte, size(t, o.Path)-4096))
	before := r.Epoch()
	// Readers have nothing in their caches yet and meet the damage.
	eventually(t, "a fresh epoch", func() bool {
		_, _ = r.Cursor("mqtt", Alarm).Read(context.Background(), 1000)
		_, _ = r.put(routine(1))
		return r.Epoch() != before
	})
	ref := r.mustPut(raise(1000))
	rows, said := r.salvaged()
	if !slices.ContainsFunc(rows, func(x Row) bool { return x.Ref == ref }) {
		t.Errorf("the event after the damage did not come")
	}
	if !strings.Contains(said.Detail, "could not be read") {
		t.Errorf("the event says %q", said.Detail)
	}
	if !r.holds(conditionDamaged) {
		t.Errorf("rows were lost (%d appended) and no condition says so", len(refs))
	}
	r.stop()
	r = start(t, o)
	if state, _ := r.Recorded(); len(state.Open()) != 7 {
		t.Errorf("%d alerts are open after the replacement, want all 7 rooms", len(state.Open()))
	}
}

func TestFlippedBitParksOneRow(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	for n := uint64(1); n <= 5; n++ {
		r.mustPut(raise(n))
	}
	r.stop()
	whole, err := os.ReadFile(o.Path)
	must(t, err)
	for from := 0; ; { // every copy on a lane's page: which one is the row is the engine's business
		i := bytes.Index(whole[from:], []byte(`{"numbering":"n","number":3,`))
		if i < 0 {
			break
		}
		overwrite(t, o.Path, int64(from+i)+26, []byte("7"))
		from += i + 1
	}
	r = start(t, o)
	c := r.Cursor("mqtt", Alarm)
	rows := drain(t, c)
	var got []uint64
	for _, row := range rows {
		got = append(got, row.Ref.Seq)
	}
	if !slices.Equal(got, []uint64{1, 2, 4, 5}) {
		t.Fatalf("rows %v came, want all but the third", got)
	}
	var told []Row
	eventually(t, "the parked event", func() bool {
		told = append(told, drain(t, r.Cursor("mqtt", Routine))...)
		return len(told) > 0 && told[0].Type == alert.JournalParked
	})
	c.Advance(rows[len(rows)-1])
	if s := r.Stats().Cursors[0]; s.Depth != 0 || s.Parked != 1 {
		t.Errorf("stats %+v, want nothing left and one parked", s)
	}
	r.stop()
	reader, err := OpenReader(o.Path)
	must(t, err)
	defer reader.Close()
	if rep, err := reader.Verify(t.Context(), nil); err != nil || len(rep.Damaged) != 1 {
		t.Errorf("Verify: %+v, %v: want one damaged row", rep, err)
	}
}

// smallDisk mounts a file system of its own. The tests run as root.
func smallDisk(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Fatalf("mount a small disk (run the tests as root, in a container with --privileged): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// glut fills a disk to the last block.
func glut(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "glut")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for block := 1 << 20; block >= 4096; block /= 2 {
		for {
			if _, err := f.Write(make([]byte, block)); err != nil {
				break
			}
		}
	}
	return path
}

func TestFullDiskUsesTheBallastAndRecovers(t *testing.T) {
	dir := smallDisk(t, "16m")
	o := Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}, Ballast: 2 << 20}
	r := start(t, o)
	r.mustPut(raise(1))
	eventually(t, "the ballast", func() bool { return r.ballast.stands() })
	rubbish := glut(t, dir)
	var refs []alert.Ref
	for n := uint64(2); n <= 600; n++ { // durable all the way: more than the log had left
		refs = append(refs, r.mustPut(raise(n)))
	}
	if !r.holds(conditionFull) {
		t.Error("the disk is full, and no condition says so")
	}
	if r.ballast.stands() {
		t.Error("the ballast still stands")
	}
	must(t, os.Remove(rubbish))
	eventually(t, "the ballast again and no condition", func() bool { return r.ballast.stands() && !r.holds(conditionFull) })
	if rows := drain(t, r.Cursor("mqtt", Alarm)); len(rows) != 600 || rows[599].Ref != refs[598] {
		t.Errorf("%d rows came, want 600", len(rows))
	}
}

func TestFullDiskWithoutBallastMeansMemoryAndAWayBack(t *testing.T) {
	dir := smallDisk(t, "8m")
	o := Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}, RetryEvery: 20 * time.Millisecond}
	r := start(t, o)
	c := r.Cursor("mqtt", Alarm)
	r.mustPut(raise(1))
	c.Advance(drain(t, c)[0])
	rubbish := glut(t, dir)
	want := []alert.Ref{}
	memory := false
	for n := uint64(2); n < 3000 && !memory; n++ {
		ref, err := r.put(raise(n))
		memory = errors.Is(err, ErrNotDurable)
		if err != nil && !memory {
			t.Fatal(err)
		}
		want = append(want, ref)
	}
	if !memory {
		t.Fatal("the disk never filled")
	}
	for n := uint64(3000); n < 3010; n++ {
		ref, _ := r.put(raise(n))
		want = append(want, ref)
	}
	must(t, os.Remove(rubbish))
	eventually(t, "back to the file", func() bool { return r.Stats().Durable })
	var got []alert.Ref
	for _, row := range drain(t, c) {
		got = append(got, row.Ref)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d rows came, want %d, each once and in order", len(got), len(want))
	}
	r.stop()
	reader, err := OpenReader(o.Path)
	must(t, err)
	defer reader.Close()
	if rep, err := reader.Verify(t.Context(), nil); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}

func TestNewerSchemaIsLeftAloneAndDoesNotSilenceTheGateway(t *testing.T) {
	o := Options{Path: file(t), RetryEvery: 10 * time.Millisecond}
	r := start(t, o)
	r.mustPut(raise(1))
	r.stop()
	db, err := sql.Open("sqlite", o.Path)
	must(t, err)
	_, err = db.Exec("PRAGMA user_version = 99")
	must(t, errors.Join(err, db.Close()))
	before, err := os.ReadFile(o.Path)
	must(t, err)
	if _, err := OpenReader(o.Path); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("OpenReader: %v, want ErrNewerSchema", err)
	}
	r = start(t, o)
	if !r.holds(conditionMemory) {
		t.Error("no condition")
	}
	if _, err := r.put(raise(2)); !errors.Is(err, ErrNotDurable) {
		t.Errorf("Append: %v, want ErrNotDurable", err)
	}
	r.stop()
	after, err := os.ReadFile(o.Path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the newer file was changed")
	}
}

func TestRemovedFileIsRescuedFromTheOpenJournal(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(100)
	epoch := r.Epoch()
	for _, ext := range []string{"", "-wal", "-shm"} {
		must(t, os.Remove(o.Path+ext))
	}
	eventually(t, "a fresh file", func() bool { return r.Epoch() != epoch })
	r.mustPut(raise(500))
	rows, said := r.salvaged()
	got := 0
	for _, row := range rows {
		if refs[row.Ref] != "" {
			got++
		}
	}
	if got != len(refs) {
		t.Errorf("%d of %d rows came; %s", got, len(refs), said.Detail)
	}
	eventually(t, "no condition", func() bool { return !r.holds(conditionDamaged) })
	r.stop()
	if size(t, o.Path) == 0 {
		t.Error("the fresh file is empty")
	}
}

func TestVanishedFileIsWrittenDown(t *testing.T) {
	for name, hurt := range map[string]func(string) error{
		"removed": os.Remove,
		"emptied": func(p string) error { return os.Truncate(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			r, _, _ := damaged(t, 5, func(p string) { must(t, hurt(p)) })
			if _, said := r.salvaged(); !strings.Contains(said.Detail, "vanished") {
				t.Errorf("the event says %q", said.Detail)
			}
			if !r.holds(conditionDamaged) {
				t.Error("no condition")
			}
		})
	}
}

func TestInterruptedSalvageLosesNothing(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(3000)
	r.stop()
	whole := size(t, o.Path)
	must(t, os.Truncate(o.Path, whole-4096)) // the tree of one lane has a hole, the rest is readable
	got := make(map[alert.Ref]bool)
	for round := 0; ; round++ {
		j, err := Open(Options{Path: o.Path, Consumers: o.Consumers, Ballast: -1})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		woken := j.Appended(Alarm)
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		select { // stop after the first chunk, as a crash would
		case <-woken:
		case <-time.After(100 * time.Millisecond):
		}
		for _, l := range Lanes() {
			for _, row := range drain(t, j.Cursor("mqtt", l)) {
				got[row.Ref] = true
			}
		}
		cancel()
		must(t, <-ended)
		left, err := asideFiles(o.Path, damagedInfix)
		must(t, err)
		if len(left) == 0 {
			t.Logf("salvaged in %d rounds", round+1)
			break
		}
		if round > 100 {
			t.Fatal("the salvage does not come to an end")
		}
	}
	missing := 0
	for ref := range refs {
		if !got[ref] {
			missing++
		}
	}
	if missing > 32 { // a page of 4 KiB holds no more
		t.Errorf("%d of %d rows are missing, one page was cut off", missing, len(refs))
	}
}
