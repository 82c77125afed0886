package journal

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"nabat/gateway/alert"
)

func TestRetentionNeverPassesAnEnabledCursor(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"fast", "slow"}, KeepRows: 10}
	r := start(t, o)
	r.fill(1000)
	fast, slow := r.Cursor("fast", Alarm), r.Cursor("slow", Alarm)
	fast.Advance(last(drain(t, fast)))
	rows := drain(t, slow)
	slow.Advance(rows[299])
	eventually(t, "all but KeepRows of the first 300 are deleted", func() bool { return r.Stats().Rows["alarm"] == 710 })
	slow.Rewind()
	if rest := drain(t, slow); len(rest) != 700 || rest[0].Ref != rows[300].Ref {
		t.Fatalf("%d rows are left for the slow consumer, want 700", len(rest))
	}
	slow.Advance(last(rows))
	eventually(t, "all but KeepRows are deleted", func() bool { return r.Stats().Rows["alarm"] == 10 })
	if n := r.Stats().Rows["routine"]; n != 1000 {
		t.Errorf("%d routine rows stand, want all 1000: nobody has read them", n)
	}
	r.stop()

	o.Consumers = nil // a consumer that is no longer enabled holds nothing
	r = start(t, o)
	eventually(t, "routine rows go too", func() bool { return r.Stats().Rows["routine"] == 10 })
	r.mustPut(raise(2000))
	r.stop()
	reader, err := OpenReader(o.Path)
	must(t, err)
	defer reader.Close()
	if rep, err := reader.Verify(t.Context(), nil); err != nil || !rep.OK() {
		t.Errorf("Verify: %+v, %v", rep, err)
	}
}

func last(rows []Row) Row { return rows[len(rows)-1] }

func TestOldRowsGoByAge(t *testing.T) {
	now := alert.Stamp{Wall: time.Unix(1_800_000_000, 0).UTC(), Boot: "b", Mono: 24 * time.Hour}
	r := start(t, Options{Path: file(t), Keep: 24*time.Hour - 300*time.Millisecond, Now: func() alert.Stamp { return now }})
	for n := uint64(1); n <= 600; n++ { // made at n milliseconds
		r.mustPut(raise(n))
	}
	eventually(t, "rows older than Keep are deleted", func() bool { return r.Stats().Rows["alarm"] == 301 })
}

func TestCapDropsOldestRoutineRowsAndSaysSo(t *testing.T) {
	r := start(t, Options{Path: file(t), Consumers: []string{"mqtt"}, RoutineCap: 500})
	refs := r.fill(2000)
	eventually(t, "the cap", func() bool { return r.Stats().Rows["routine"] <= 500 })
	if n := r.Stats().Rows["alarm"]; n != 2000 {
		t.Errorf("%d alarm rows stand, want all", n)
	}
	var dropped uint64
	rows := drain(t, r.Cursor("mqtt", Routine))
	kept := 0
	for _, row := range rows {
		if row.Type != alert.JournalGap {
			kept++
			continue
		}
		e, err := row.Event()
		must(t, err)
		if refs[*e.From] != alert.LinkUp || refs[*e.Through] != alert.LinkUp {
			t.Errorf("gap from %v through %v: not routine rows of this test", e.From, e.Through)
		}
		dropped += e.Count
	}
	if int(dropped)+kept != 2000 {
		t.Errorf("%d rows came and %d are named as dropped, want 2000 together", kept, dropped)
	}
	if !r.holds(conditionGap) {
		t.Error("no condition")
	}
}

func TestStalledDiskDropsRoutineEventsWithAGapAndKeepsAlarms(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}, PendingRoutine: 10, PendingAlarms: 1000, Ballast: -1}
	j, err := Open(o)
	must(t, err)
	var refused, saved int
	count := func(_ alert.Ref, err error) {
		switch {
		case err == nil:
			saved++
		case errors.Is(err, ErrOverflow):
			refused++
		default:
			t.Error(err)
		}
	}
	for n := range 100 { // nobody writes yet, as with a disk that does not answer
		j.Append(routine(n), count)
		j.Append(raise(uint64(n+1)), count)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, j.Run(ctx)) // commits what is pending and ends
	if saved != 110 || refused != 90 {
		t.Errorf("%d saved and %d refused, want 110 and 90", saved, refused)
	}
	r := start(t, o)
	if n := len(drain(t, r.Cursor("mqtt", Alarm))); n != 100 {
		t.Errorf("%d alarms, want 100", n)
	}
	gap, err := last(drain(t, r.Cursor("mqtt", Routine))).Event()
	if err != nil || gap.Type != alert.JournalGap || gap.Count != 90 {
		t.Errorf("the last routine event is %+v, want a gap of 90", gap)
	}
}

func TestLogStaysBoundedUnderLoad(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	for range 10 {
		r.fill(2000)
		_ = drain(t, r.Cursor("mqtt", Alarm))
	}
	if n := size(t, o.Path+"-wal"); n > 24<<20 {
		t.Errorf("the log has %d MiB", n>>20)
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	o := Options{Path: file(t), Ballast: 1 << 20}
	r := start(t, o)
	r.mustPut(raise(1))
	eventually(t, "the ballast", func() bool { return r.ballast.stands() })
	entries, err := os.ReadDir(filepath.Dir(o.Path))
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Dir(o.Path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode())
	}
}

// TestKilledMigrationStartsAgain cuts a migration at each statement, as a kill
// would: SQLite rolls the open transaction back.
func TestKilledMigrationStartsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	steps := fstest.MapFS{
		"schema/1.sql": {Data: []byte("CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);")},
		"schema/2.sql": {Data: []byte("ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7; INSERT INTO a VALUES (2, 8); SELECT no_such_function();")},
	}
	open := func() (*sql.DB, *sql.Conn) {
		must(t, touch(path))
		db, err := sql.Open("sqlite", fileDSN(path, filePragmas()))
		must(t, err)
		conn, err := db.Conn(t.Context())
		must(t, err)
		return db, conn
	}
	version := func(c *sql.Conn) (v, rows int) {
		must(t, c.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&v))
		must(t, c.QueryRowContext(t.Context(), "SELECT count(*) FROM a").Scan(&rows))
		return v, rows
	}
	db, conn := open()
	if err := migrate(t.Context(), conn, steps); err == nil {
		t.Fatal("the broken step passed")
	}
	if v, rows := version(conn); v != 1 || rows != 1 {
		t.Errorf("after a failed step: version %d with %d rows, want 1 with 1", v, rows)
	}
	must(t, errors.Join(conn.Close(), db.Close()))
	steps["schema/2.sql"].Data = bytes.ReplaceAll(steps["schema/2.sql"].Data, []byte("SELECT no_such_function();"), nil)
	db, conn = open()
	must(t, migrate(t.Context(), conn, steps))
	must(t, migrate(t.Context(), conn, steps)) // a second time there is nothing to do
	if v, rows := version(conn); v != 2 || rows != 2 {
		t.Errorf("after the repaired step: version %d with %d rows, want 2 with 2", v, rows)
	}
	must(t, errors.Join(conn.Close(), db.Close()))
}

func TestSettingAsideSurvivesACrashInTheMiddle(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(50)
	// The state of a crash between the renames: the database has gone aside,
	// its log, which holds everything, has not.
	files := map[string][]byte{}
	for _, ext := range []string{"", "-wal"} {
		b, err := os.ReadFile(o.Path + ext)
		must(t, err)
		files[ext] = b
	}
	r.stop()
	must(t, os.Remove(o.Path))
	must(t, os.WriteFile(o.Path+damagedInfix+"0123456789abcdef", files[""], 0o600))
	must(t, os.WriteFile(o.Path+"-wal", files["-wal"], 0o600))
	r = start(t, o)
	rows, said := r.salvaged()
	if int(said.Count) != len(refs) || len(rows) != len(refs)+1 {
		t.Errorf("%d rows came, the event says %d, want %d", len(rows)-1, said.Count, len(refs))
	}
	for ref := range refs {
		if ref.Epoch == r.Epoch() {
			t.Fatal("the fresh file took the old epoch from the old log")
		}
	}
}

func TestReaderFollowsARunningJournal(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	refs := r.fill(20)
	reader, err := OpenReader(o.Path)
	must(t, err)
	defer reader.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []alert.Ref
	var next alert.Ref
	must(t, reader.Tail(ctx, 5, true, func(row Row) error {
		got = append(got, row.Ref)
		if len(got) == 5 {
			next = r.mustPut(raise(100))
		}
		if len(got) == 6 {
			cancel()
		}
		return nil
	}))
	if len(got) != 6 || got[4].Seq != uint64(len(refs)) || got[5] != next {
		t.Errorf("Tail gave %v, want the last five of %d and then %v", got, len(refs), next)
	}
	if !slices.IsSortedFunc(got, func(a, b alert.Ref) int { return int(a.Seq) - int(b.Seq) }) {
		t.Errorf("Tail gave %v, want them in order", got)
	}
}

func TestExportAndCursors(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}}
	r := start(t, o)
	r.fill(10)
	c := r.Cursor("mqtt", Alarm)
	rows := drain(t, c)
	c.Advance(rows[3])
	r.stop()
	reader, err := OpenReader(o.Path)
	must(t, err)
	defer reader.Close()
	var out bytes.Buffer
	n, err := reader.Export(t.Context(), &out)
	if err != nil || n != 20 {
		t.Fatalf("%d rows exported, %v", n, err)
	}
	for line := range bytes.Lines(out.Bytes()) {
		var l struct {
			Lane string          `json:"lane"`
			Seq  uint64          `json:"seq"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(line, &l); err != nil || l.Seq == 0 || len(l.Data) == 0 {
			t.Errorf("line %s: %v", line, err)
		}
	}
	list, err := reader.Cursors(t.Context())
	if err != nil || len(list) != 1 || list[0].Depth != 6 || list[0].Oldest == nil || *list[0].Oldest != rows[4].At {
		t.Errorf("Cursors: %+v, %v: want one, six rows behind, the fifth next", list, err)
	}
}

// TestFailedCommitIsLookedUp: a commit that failed is made again; one that
// failed and happened all the same is not. Either way the event stands once,
// under one name.
func TestFailedCommitIsLookedUp(t *testing.T) {
	for name, happened := range map[string]bool{"failed": false, "failed but happened": true} {
		t.Run(name, func(t *testing.T) {
			o := Options{Path: file(t), Consumers: []string{"mqtt"}, Ballast: -1}
			j, err := Open(o)
			must(t, err)
			told := 0
			j.st.lie = func(committed bool) error {
				if committed == happened && told == 0 {
					told++
					return errors.New("the disk did not say")
				}
				return nil
			}
			var refs []alert.Ref
			for n := uint64(1); n <= 3; n++ {
				j.Append(raise(n), func(r alert.Ref, err error) {
					if err != nil {
						t.Errorf("event %d: %v", n, err)
					}
					refs = append(refs, r)
				})
			}
			for j.commitPending() {
			}
			if told != 1 {
				t.Fatal("the fault never came")
			}
			rows := drain(t, j.Cursor("mqtt", Alarm))
			if len(rows) != 3 || len(refs) != 3 {
				t.Fatalf("%d rows and %d answers, want 3 of each", len(rows), len(refs))
			}
			for i, r := range rows {
				if r.Ref != refs[i] || r.Ref.Seq != uint64(i+1) {
					t.Errorf("row %d is %v, acknowledged as %v", i, r.Ref, refs[i])
				}
			}
			must(t, j.Close())
		})
	}
}

// TestUnknownCommitBeforeMemoryIsNotDoubled: the commit happens, reports an
// error, and the disk is gone before anybody can look. The event is then in
// memory and in the file; after the return it stands once.
func TestUnknownCommitBeforeMemoryIsNotDoubled(t *testing.T) {
	o := Options{Path: file(t), Consumers: []string{"mqtt"}, Ballast: -1, RetryEvery: 20 * time.Millisecond}
	dir, hidden := filepath.Dir(o.Path), filepath.Dir(o.Path)+".hidden"
	j, err := Open(o)
	must(t, err)
	commits := 0
	j.st.lie = func(committed bool) error {
		if committed {
			commits++
		}
		if !committed || commits != 2 {
			return nil
		}
		return errors.Join(os.Rename(dir, hidden), os.WriteFile(dir, nil, 0o600), errors.New("the disk did not say"))
	}
	r := run(t, j)
	first := r.mustPut(raise(1))
	if _, err := r.put(raise(2)); !errors.Is(err, ErrNotDurable) {
		t.Fatalf("the second event: %v, want ErrNotDurable", err)
	}
	must(t, os.Remove(dir))
	must(t, os.Rename(hidden, dir))
	eventually(t, "back to the file", func() bool { return r.Stats().Durable })
	third := r.mustPut(raise(3))
	if third.Epoch != first.Epoch || third.Seq != 2 {
		t.Errorf("after the return comes %v, want number 2 of epoch %s", third, first.Epoch)
	}
	var numbers []uint64
	for _, row := range drain(t, r.Cursor("mqtt", Alarm)) {
		e, err := row.Event()
		must(t, err)
		numbers = append(numbers, e.Number)
	}
	if !slices.Equal(numbers, []uint64{1, 2, 3}) {
		t.Errorf("events %v came, want each once", numbers)
	}
}

// TestBadSectorCountsAsDamage: only the judgement is tested; no disk here has
// a sector that fails on command. What follows from it is tested with damage.
func TestBadSectorCountsAsDamage(t *testing.T) {
	r := start(t, Options{Path: file(t), Consumers: []string{"mqtt"}})
	c := r.Cursor("mqtt", Alarm)
	failure := errors.New("input/output error")
	var what []trouble
	for _, at := range []int64{5, 5, 7, 7, 7} {
		what = append(what, diagnose(c.judge(at, failure)))
	}
	want := []trouble{troubleUnknown, troubleUnknown, troubleUnknown, troubleUnknown, troubleDamaged}
	if !slices.Equal(what, want) {
		t.Errorf("failures at 5, 5, 7, 7, 7 count as %v, want %v", what, want)
	}
}

// TestGivenUpEventsBecomeOneGap: a loss is written down once it can be, and
// the attempt does not keep the writer busy until then.
func TestGivenUpEventsBecomeOneGap(t *testing.T) {
	j, err := Open(Options{Path: file(t), Consumers: []string{"mqtt"}, Ballast: -1})
	must(t, err)
	var told error
	failure := errors.New("nothing took it")
	j.giveUp(&batch{items: []item{{event: raise(1), row: Row{Lane: Alarm}, done: func(_ alert.Ref, err error) { told = err }}}}, failure)
	if !errors.Is(told, failure) {
		t.Errorf("done got %v", told)
	}
	if j.commitPending() {
		t.Error("the writer goes on at once, for ever if the fault stays")
	}
	r := run(t, j)
	var rows []Row
	eventually(t, "the gap", func() bool {
		rows = append(rows, drain(t, r.Cursor("mqtt", Routine))...)
		return len(rows) > 0
	})
	if gap, err := rows[0].Event(); err != nil || gap.Type != alert.JournalGap || gap.Subject != "alarm" || gap.Count != 1 {
		t.Errorf("the gap is %+v, %v", gap, err)
	}
}
