package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// lite is a SQLite file: one connection that writes, a few that read.
type lite struct {
	writeDB, readDB *sql.DB

	mu    sync.Mutex // held during a transaction of conn
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // guarded by mu; of conn
}

var errPragma = errors.New("the database engine ignored a setting that durability needs")

func openLite(ctx context.Context, file string) (_ *lite, err error) {
	if file == "" {
		return nil, fmt.Errorf("want sqlite:PATH: %w", ErrInvalid)
	}
	// Made here, because SQLite would let everybody read it.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "wal_autocheckpoint(4096)",
		"journal_size_limit(16777216)", "cell_size_check(1)", "trusted_schema(0)",
	}}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + q.Encode()
	l := &lite{stmts: make(map[string]*sql.Stmt)}
	defer func() {
		if err != nil {
			_ = l.close()
		}
	}()
	if l.writeDB, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	l.writeDB.SetMaxOpenConns(1)
	if l.conn, err = l.writeDB.Conn(ctx); err != nil {
		return nil, err
	}
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "wal_autocheckpoint": "4096", "cell_size_check": "1",
	} {
		var got string
		if err := l.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			return nil, fmt.Errorf("read pragma %s: %w", name, err)
		}
		if got != want {
			return nil, fmt.Errorf("pragma %s is %q, want %q: %w", name, got, want, errPragma)
		}
	}
	if err := l.migrate(ctx); err != nil {
		return nil, err
	}
	if l.readDB, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	l.readDB.SetMaxOpenConns(4)
	l.readDB.SetMaxIdleConns(4)
	return l, nil
}

// migrate looks at the version inside the transaction that changes it, so that
// the second of two processes finds the work done.
func (l *lite) migrate(ctx context.Context) error {
	steps, err := schemaSteps(schemaFiles, "sqlite")
	if err != nil {
		return err
	}
	if _, err := l.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err = func() error {
		var have int
		if err := l.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if have > len(steps) {
			return fmt.Errorf("schema version is %d, this program knows up to %d: %w", have, len(steps), ErrNewerSchema)
		}
		for v := have + 1; v <= len(steps); v++ {
			if _, err := l.conn.ExecContext(ctx, steps[v-1]+"\nPRAGMA user_version = "+strconv.Itoa(v)); err != nil {
				return fmt.Errorf("schema step %d: %w", v, err)
			}
		}
		_, err := l.conn.ExecContext(ctx, "COMMIT")
		return err
	}()
	if err != nil {
		_, _ = l.conn.ExecContext(ctx, "ROLLBACK") // fails where SQLite rolled back by itself
	}
	return err
}

func (l *lite) read() *sql.DB { return l.readDB }

func (l *lite) dialect() dialect {
	return dialect{mark: "?", size: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"}
}

func (l *lite) update(ctx context.Context, _ []Topic, f func(tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, err := l.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = t.Rollback() }() // after the commit it does nothing
	if err := f(tx{q: t, d: l.dialect()}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// pollEvery is how often another process's changes to the file are looked for.
const pollEvery = time.Second

// listen asks SQLite's own counter of changes by other connections. Which
// topic changed it does not say.
func (l *lite) listen(ctx context.Context, ring func(Topic)) error {
	conn, err := l.readDB.Conn(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("watch the database: %w", err)
	}
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := int64(-1)
	for {
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch the database: %w", err)
		}
		if last >= 0 && version != last {
			for t := range topics {
				ring(t)
			}
		}
		last = version
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (l *lite) ping(ctx context.Context) error {
	return l.update(ctx, nil, func(tx) error { return nil })
}

func (l *lite) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.stmts {
		errs = append(errs, s.Close())
	}
	l.stmts = nil
	if l.conn != nil {
		errs = append(errs, l.conn.Close())
	}
	if l.writeDB != nil {
		errs = append(errs, l.writeDB.Close())
	}
	if l.readDB != nil {
		errs = append(errs, l.readDB.Close())
	}
	return errors.Join(errs...)
}
