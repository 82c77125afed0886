package sms

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"modernc.org/sqlite" // also registers the driver "sqlite"

	"nabat/gateway/alert"
)

//go:embed schema/1.sql
var schema string

// schemaVersion is the version of schema/1.sql.
const schemaVersion = 1

// store is the durable (event, recipient) table. A message that it says is
// handed over survives a power cut. Its methods may be called from any
// goroutine; there is one connection.
type store struct {
	db *sql.DB
	// durable says that it is a file.
	durable bool
}

// openStore opens the file, makes it where there is none, and proves that it
// can be written.
func openStore(ctx context.Context, path string, now alert.Stamp) (*store, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "cell_size_check(1)", "trusted_schema(0)"}}
	s, err := openDSN(ctx, "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode(), now)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s.durable = true
	var mode string
	var sync int
	err = errors.Join(s.db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode), s.db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync))
	if err == nil && (mode != "wal" || sync != 2) {
		err = fmt.Errorf("journal_mode is %s and synchronous is %d", mode, sync)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.close())
	}
	return s, os.Chmod(path, 0o600)
}

// openMemory makes a table that lasts until the program ends.
func openMemory(ctx context.Context, now alert.Stamp) (*store, error) {
	return openDSN(ctx, "file::memory:?_txlock=immediate", now)
}

func openDSN(ctx context.Context, dsn string, now alert.Stamp) (*store, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &store{db: db}
	if err := s.migrate(ctx, now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

// errNewer says that the file was written by a newer version.
var errNewer = errors.New("the file belongs to a newer version of nabat")

func (s *store) migrate(ctx context.Context, now alert.Stamp) error {
	return s.transact(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > schemaVersion {
			return errNewer
		}
		if version == 0 {
			if _, err := tx.ExecContext(ctx, schema); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES (1, ?, 0, 0)", encodeStamp(now)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "PRAGMA user_version = 1"); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE meta SET opened = opened + 1")
		return err
	})
}

func (s *store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// damaged reports whether an error says that the file is no database any more.
func damaged(err error) bool {
	const corrupt, notADatabase = 11, 26 // SQLite's primary result codes
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == corrupt || e.Code()&0xff == notADatabase)
}

// stamps stand in the table as JSON: they are read by this package alone.
func encodeStamp(s alert.Stamp) string {
	b, err := json.Marshal(s)
	if err != nil { // a struct of texts and numbers always encodes
		return "{}"
	}
	return string(b)
}

func decodeStamp(text string) (s alert.Stamp) {
	if json.Unmarshal([]byte(text), &s) != nil {
		return alert.Stamp{} // a bit has flipped: as old as this boot, at least
	}
	return s
}

// born is when the table was begun.
func (s *store) born(ctx context.Context) (alert.Stamp, error) {
	var text string
	err := s.db.QueryRowContext(ctx, "SELECT born FROM meta").Scan(&text)
	return decodeStamp(text), err
}

// pinRefused is which state of the PIN file was refused last.
func (s *store) pinRefused(ctx context.Context) (changed int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT pin_refused FROM meta").Scan(&changed)
	return changed, err
}

func (s *store) refusePIN(ctx context.Context, changed int64) error {
	_, err := s.db.ExecContext(ctx, "UPDATE meta SET pin_refused = ?", changed)
	return err
}

// fresh reports whether the table was made by this opening.
func (s *store) fresh(ctx context.Context) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT opened FROM meta").Scan(&n)
	return n == 1, err
}
