//go:build sqliteonly

package store

import (
	"context"
	"fmt"
)

// openPostgres refuses: a gateway's program carries this package for its
// demonstration only, and four megabytes of PostgreSQL's client would have to
// fit on its card. The dispatch program is built without the tag.
func openPostgres(context.Context, Options) (engine, error) {
	return nil, fmt.Errorf("this program was built for SQLite only (tag sqliteonly): %w", ErrInvalid)
}

// badData is for what PostgreSQL refuses; SQLite refuses nothing that was
// checked.
func badData(error) bool { return false }
