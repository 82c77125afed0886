package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Store is one open database. Its methods may be called from any goroutine.
type Store struct {
	opt  Options
	log  *slog.Logger
	bell bell
	eng  engine
	auth authCache

	mu   sync.Mutex
	keys map[Gateway]int64 // guarded by mu; registered gateways, which are never deleted

	checks chan struct{} // places for password checks
}

// engine is what the two databases do differently. Its methods may be called
// from any goroutine.
type engine interface {
	// read is for queries outside transactions.
	read() *sql.DB
	// update runs f in one transaction that is durable when update returns nil.
	// f may run several times, and must then have the same effect. topics are
	// told to other processes with the commit.
	update(ctx context.Context, topics []Topic, f func(tx) error) error
	// store runs one ingest: it asks for what plan needs, lets decide compute,
	// and saves what it leaves in the book.
	store(ctx context.Context, b *book, decide func() error) error
	// listen calls ring at changes by other processes until ctx is done.
	listen(ctx context.Context, ring func(Topic)) error
	// dialect holds the few words in which SQL differs.
	dialect() dialect
	ping(ctx context.Context) error
	close() error
}

// dialect holds the few words in which SQL differs.
type dialect struct {
	// mark is what a placeholder begins with.
	mark string
	// lock follows a SELECT of rows that the transaction will change; skip
	// leaves out those that another transaction has locked.
	lock, skip string
	// one lets a single transaction through at a time, for the audit chain.
	one string
	// lazy makes the transaction not wait for the disk.
	lazy string
	// size reads the size of the database in bytes.
	size string
}

// tx is a transaction, or the database outside of one.
type tx struct {
	q interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}
	d dialect
}

// text puts the dialect's placeholders into SQL that was written with $1, $2.
func (t tx) text(s string) string {
	if t.d.mark == "$" {
		return s
	}
	return strings.ReplaceAll(s, "$", t.d.mark)
}

func (t tx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	r, err := t.q.ExecContext(ctx, t.text(text), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// each calls f for every row.
func (t tx) each(ctx context.Context, f func(scan func(...any) error) error, text string, args ...any) error {
	rows, err := t.q.QueryContext(ctx, t.text(text), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // an unclosed one would hold its connection
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one scans the first row; without one it returns ErrNotFound.
func (t tx) one(ctx context.Context, dst []any, text string, args ...any) error {
	found := false
	err := t.each(ctx, func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(dst...)
	}, text, args...)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// db is the database outside of a transaction.
func (s *Store) db() tx { return tx{q: s.eng.read(), d: s.eng.dialect()} }

// update changes something and tells who waits for it.
func (s *Store) update(ctx context.Context, f func(tx) error, topics ...Topic) error {
	if err := s.eng.update(ctx, topics, f); err != nil {
		return err
	}
	for _, t := range topics {
		s.bell.ring(t)
	}
	return nil
}

// Open opens the database, makes it where there is none and brings its schema
// up to date; two processes may do so at once. It starts nothing that Close
// does not end.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Conns == 0 {
		opt.Conns = 8
	}
	s := &Store{opt: opt, log: opt.Log, keys: make(map[Gateway]int64), checks: make(chan struct{}, 2)}
	var err error
	switch scheme, rest, _ := strings.Cut(opt.URL, ":"); scheme {
	case "sqlite":
		s.eng, err = openLite(ctx, rest)
		if err != nil {
			return nil, fmt.Errorf("open database %s: %w", rest, err)
		}
	case "postgres", "postgresql":
		s.eng, err = openPostgres(ctx, opt)
		if err != nil {
			return nil, fmt.Errorf("open PostgreSQL: %w", err) // pgx leaves the password out
		}
	default:
		return nil, fmt.Errorf("open database: the URL must begin with sqlite: or postgres://: %w", ErrInvalid)
	}
	return s, nil
}

// Close ends all work and closes the database.
func (s *Store) Close() error {
	if err := s.eng.close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Run hears what other processes change, until ctx is done, and then returns
// nil. It mends its own connection. Everything works without it, except that
// Changed tells of this process's own changes only.
func (s *Store) Run(ctx context.Context) error {
	return s.eng.listen(ctx, func(t Topic) {
		if t == AccessChanged {
			s.auth.forget()
		}
		s.bell.ring(t)
	})
}

// Ping reports whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.eng.ping(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// key returns the database's number of a registered gateway.
func (s *Store) key(ctx context.Context, g Gateway) (int64, error) {
	s.mu.Lock()
	k, ok := s.keys[g]
	s.mu.Unlock()
	if ok {
		return k, nil
	}
	if err := s.db().one(ctx, []any{&k}, "SELECT key FROM gateway WHERE site = $1 AND id = $2", g.Site, g.ID); err != nil {
		if errors.Is(err, ErrNotFound) {
			return 0, fmt.Errorf("gateway %s: %w", g, err)
		}
		return 0, fmt.Errorf("look up gateway %s: %w", g, err)
	}
	s.mu.Lock()
	s.keys[g] = k
	s.mu.Unlock()
	return k, nil
}

// micros is a time as the database has it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func (s *Store) now() int64 { return micros(s.opt.Now()) }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plain returns text that both databases can hold: PostgreSQL has no NUL.
func plain(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
