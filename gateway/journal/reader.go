package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// Reader reads a journal file without changing it: of a gateway that runs, in
// this process or another, or that is stopped. It never holds a read
// transaction for longer than one page, but for Verify's check of the file.
type Reader struct {
	path string
	db   *sql.DB
}

// OpenReader opens the journal file at path for reading. A file from a newer
// program is refused with ErrNewerSchema. The caller closes the Reader.
func OpenReader(path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db, err := sql.Open("sqlite", fileDSN(path, []string{"busy_timeout(5000)", "query_only(1)", "cell_size_check(1)", "trusted_schema(0)"}, "mode", "ro"))
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	db.SetMaxOpenConns(2)
	r := &Reader{path: path, db: db}
	if err := r.checkSchema(context.Background()); err != nil {
		_ = db.Close() // nothing was written
		return nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	return r, nil
}

func (r *Reader) checkSchema(ctx context.Context) error {
	steps, err := schemaSteps(schemaFiles)
	if err != nil {
		return err
	}
	var have int
	if err := r.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	switch {
	case have > len(steps):
		return fmt.Errorf("schema version is %d, this program knows up to %d: %w", have, len(steps), ErrNewerSchema)
	case have == 0:
		return errNotAJournal
	}
	return nil
}

var errNotAJournal = errors.New("the file is empty or not a journal")

// Close lets go of the file.
func (r *Reader) Close() error { return r.db.Close() }
