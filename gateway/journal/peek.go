package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"nabat/gateway/alert"
)

// peek reads the alerts of a file that cannot be written, as after a start on
// a disk that the kernel has made read-only: a gateway that starts in memory
// must still show the alerts that were open.
func peek(ctx context.Context, path string) (_ []alert.Alert, _ map[alert.Key]alert.Ref, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err
	}
	extra := []string{"mode", "ro"}
	// Without a write-ahead log the file is all there is. With one, SQLite
	// reads both, as long as the log's index is there too.
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		extra = append(extra, "immutable", "1")
	}
	db, err := sql.Open("sqlite", fileDSN(path, []string{"query_only(1)", "cell_size_check(1)", "trusted_schema(0)"}, extra...))
	if err != nil {
		return nil, nil, fmt.Errorf("open %s for reading: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return loadAlerts(ctx, db)
}
