package alert

import "errors"

// Errors about announcements of people.
var (
	// ErrNotice: it is empty, too long, has no bounded time, or names what the site does not have.
	ErrNotice = errors.New("not an announcement")
	// ErrNoNotice: there is nothing to end.
	ErrNoNotice = errors.New("no such announcement stands")
)
