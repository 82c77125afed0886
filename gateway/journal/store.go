package journal

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// store is one open database: one connection that writes, a few that read.
// conn and its statements belong to the writer; read may be used by anyone.
type store struct {
	name   string // for messages: the path, or "memory"
	memory bool
	write  *sql.DB
	conn   *sql.Conn
	read   *sql.DB
	page   [lanes]*sql.Stmt // of read
	stmt   statements
	// prepared are the statements of conn. database/sql does not close them with
	// a connection that was taken out of its pool, and SQLite keeps a connection
	// with its locks until the last of them is closed.
	prepared []*sql.Stmt

	// lie, where a test sets it, is asked before and after each commit whether
	// to report an error: no real disk fails on command in between.
	lie func(committed bool) error
}

type statements struct {
	begin, commit, rollback   *sql.Stmt
	insert                    [lanes]*sql.Stmt
	meta, cursor, alert, park *sql.Stmt
	deleteUpTo                [lanes]*sql.Stmt
	salvage                   *sql.Stmt
}

// pragmas of every connection to a file. FULL makes each commit survive a
// power cut; the automatic checkpoint is the backstop of the one that the
// journal makes when it is idle.
func filePragmas() []string {
	return []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"wal_autocheckpoint(4096)", "journal_size_limit(16777216)", "cell_size_check(1)", "trusted_schema(0)"}
}

// fileDSN names a file as a SQLite URI.
func fileDSN(file string, pragmas []string, extra ...string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + q.Encode()
}

// openStore opens the database, brings its schema up to date and prepares
// everything. The file must exist (with its access rights) unless memory.
func openStore(ctx context.Context, file string, memory bool) (_ *store, err error) {
	st := &store{name: file, memory: memory}
	dsn := fileDSN(file, filePragmas())
	if memory {
		// memdb is SQLite's own shared memory file system: the same code
		// path as a file, seen by every connection of this process. The page
		// limit (128 MiB) keeps a dead disk from taking the machine along.
		st.name = "memory"
		dsn = fileDSN("/nabat-"+randomID(), []string{"busy_timeout(5000)", "journal_mode(MEMORY)", "max_page_count(32768)"}, "vfs", "memdb")
	}
	defer func() {
		if err != nil {
			st.close()
			err = fmt.Errorf("open journal %s: %w", st.name, err)
		}
	}()
	if st.write, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	st.write.SetMaxOpenConns(1)
	if st.conn, err = st.write.Conn(ctx); err != nil {
		return nil, err
	}
	if !memory {
		if err := checkPragmas(ctx, st.conn); err != nil {
			return nil, err
		}
	}
	if err := migrate(ctx, st.conn, schemaFiles); err != nil {
		return nil, ofSchema(err)
	}
	if err := st.prepare(ctx); err != nil {
		return nil, ofSchema(err)
	}
	if st.read, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	st.read.SetMaxOpenConns(4)
	st.read.SetMaxIdleConns(4)
	for _, l := range Lanes() {
		if st.page[l], err = st.read.PrepareContext(ctx, "SELECT "+columns+" FROM "+l.String()+
			" WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?"); err != nil {
			return nil, ofSchema(err)
		}
	}
	return st, nil
}

// checkPragmas reads back what the DSN asked for, because a spelling that a
// version does not know is ignored without a word.
func checkPragmas(ctx context.Context, conn *sql.Conn) error {
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
		"wal_autocheckpoint": "4096", "cell_size_check": "1",
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			return fmt.Errorf("read pragma %s: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("pragma %s is %q, want %q: %w", name, got, want, errPragma)
		}
	}
	return nil
}

var errPragma = errors.New("the database engine ignored a setting that durability needs")

func (st *store) prepare(ctx context.Context) error {
	s := &st.stmt
	for text, dst := range map[string]**sql.Stmt{
		"BEGIN IMMEDIATE": &s.begin, "COMMIT": &s.commit, "ROLLBACK": &s.rollback,
		"INSERT INTO alarm (" + columns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?)":   &s.insert[Alarm],
		"INSERT INTO routine (" + columns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?)": &s.insert[Routine],
		"DELETE FROM alarm WHERE pos <= ?":                                     &s.deleteUpTo[Alarm],
		"DELETE FROM routine WHERE pos <= ?":                                   &s.deleteUpTo[Routine],
		"UPDATE meta SET seq = ?, last_alarm = ?, last_routine = ?":            &s.meta,
		`INSERT INTO cursor (consumer, lane, pos) VALUES (?,?,?)
		 ON CONFLICT (consumer, lane) DO UPDATE SET pos = excluded.pos`: &s.cursor,
		`INSERT INTO alert (numbering, place, kind, epoch, seq, data, crc) VALUES (?,?,?,?,?,?,?)
		 ON CONFLICT (numbering, place, kind) DO UPDATE SET
		 epoch = excluded.epoch, seq = excluded.seq, data = excluded.data, crc = excluded.crc`: &s.alert,
		`INSERT INTO parked (consumer, lane, pos, epoch, seq, type, subject, data, reason, wall_ns) VALUES (?,?,?,?,?,?,?,?,?,?)
		 ON CONFLICT (consumer, lane, pos) DO NOTHING`: &s.park,
		`INSERT INTO salvage (name, stage, at, alarms, routines, lost) VALUES (?,?,?,?,?,?)
		 ON CONFLICT (name) DO UPDATE SET stage = excluded.stage, at = excluded.at,
		 alarms = excluded.alarms, routines = excluded.routines, lost = excluded.lost`: &s.salvage,
	} {
		var err error
		if *dst, err = st.conn.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("prepare %q: %w", text, err)
		}
		st.prepared = append(st.prepared, *dst)
	}
	return nil
}

// close lets go of every connection. Readers that are in the middle of a page
// finish it.
func (st *store) close() {
	if st == nil {
		return
	}
	if st.read != nil {
		_ = st.read.Close() // nothing can be lost by a reader
	}
	for _, s := range st.prepared {
		_ = s.Close()
	}
	if st.conn != nil {
		_ = st.conn.Close() // every commit that counts was already answered
	}
	if st.write != nil {
		_ = st.write.Close()
	}
}

// transact runs f inside one transaction of the writer.
func (st *store) transact(f func() error) error {
	ctx := context.Background() // a commit is not interrupted half-way
	if _, err := st.stmt.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := f()
	if err == nil && st.lie != nil {
		err = st.lie(false)
	}
	if err == nil {
		if _, err = st.stmt.commit.ExecContext(ctx); err == nil {
			if st.lie != nil {
				return st.lie(true)
			}
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	// After some errors SQLite has rolled back already; then this one fails
	// and tells nothing new.
	_, _ = st.stmt.rollback.ExecContext(ctx)
	return err
}

// migrate brings the schema forward, one transaction for each step. A file
// from a newer program is refused untouched.
func migrate(ctx context.Context, conn *sql.Conn, files fs.FS) error {
	steps, err := schemaSteps(files)
	if err != nil {
		return err
	}
	var have int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have > len(steps) {
		return fmt.Errorf("schema version is %d, this program knows up to %d: %w", have, len(steps), ErrNewerSchema)
	}
	for v := have + 1; v <= len(steps); v++ {
		text := "BEGIN IMMEDIATE;\n" + steps[v-1] + "\nPRAGMA user_version = " + strconv.Itoa(v) + ";\nCOMMIT;"
		if _, err := conn.ExecContext(ctx, text); err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK") // fails where SQLite rolled back by itself
			return fmt.Errorf("schema step %d: %w", v, err)
		}
	}
	return nil
}

// schemaSteps returns the steps 1, 2, 3… from files named 1.sql, 2.sql, 3.sql…
func schemaSteps(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "schema/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list schema: %w", err)
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".sql")) // 0 for a wrong name, refused below
		return n
	}
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	steps := make([]string, len(names))
	for i, name := range names {
		if number(name) != i+1 {
			return nil, fmt.Errorf("schema file %s: want number %d: %w", name, i+1, fs.ErrInvalid)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		steps[i] = string(text)
	}
	return steps, nil
}
