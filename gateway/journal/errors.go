package journal

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors that a caller decides on.
var (
	// ErrNotDurable is given to done when the event is in memory only: it
	// reaches the cursors, and it is gone if the power fails.
	ErrNotDurable = errors.New("the journal is in memory only")
	// ErrOverflow is given to done when the disk stalls and the bound on
	// waiting events is reached. The loss is written down as a gap.
	ErrOverflow = errors.New("too many events wait for the disk")
	// ErrClosed is given to done and returned by cursors after Run has ended.
	ErrClosed = errors.New("the journal is closed")
	// ErrInUse is returned by Open when another process has the file.
	ErrInUse = errors.New("another process uses the journal")
	// ErrNewerSchema says that the file was written by a newer program.
	ErrNewerSchema = errors.New("the journal was written by a newer version of nabat; install that version again")
	// ErrTooLarge is given to done for an event that is far beyond any real one.
	ErrTooLarge = errors.New("event is too large")
)

var (
	// errBadRow: one row cannot be trusted; the rest of the file can.
	errBadRow = errors.New("row is damaged")
	// errDamaged: the file as a whole cannot be trusted.
	errDamaged = errors.New("journal file is damaged")
)

// trouble is what an error means for the file.
type trouble uint8

const (
	troubleUnknown trouble = iota // nothing that the file should be blamed for yet
	troubleFull                   // no space left
	troubleDamaged                // the content is not what was written
	troubleAccess                 // the disk or its rights: I/O error, read-only, locked
)

// ofSchema says of an error from one of this program's own statements that the
// file is damaged, where the statement does not fit the file's tables: they are
// not those that its version stands for.
func ofSchema(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_ERROR {
		return fmt.Errorf("%w: %w", err, errDamaged)
	}
	return err
}

// diagnose says what an error from the database means. Only codes decide;
// texts differ between versions.
func diagnose(err error) trouble {
	if errors.Is(err, errDamaged) {
		return troubleDamaged
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return troubleUnknown
	}
	if e.Code() == sqlite3.SQLITE_IOERR_CORRUPTFS {
		return troubleDamaged
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return troubleFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return troubleDamaged
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM:
		return troubleAccess
	default:
		return troubleUnknown
	}
}
