package store

import (
	"context"
	"time"
)

// FindCtx returns a session's data; found is false where there is none, or it
// has expired.
func (v Sessions) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	return nil, false, errPending
}

// CommitCtx stores a session, in place of one with the same token.
func (v Sessions) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return errPending
}

// DeleteCtx ends a session; an unknown one is no error.
func (v Sessions) DeleteCtx(ctx context.Context, token string) error { return errPending }

// Find is FindCtx without a bound in time.
func (v Sessions) Find(token string) (b []byte, found bool, err error) {
	return v.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a bound in time.
func (v Sessions) Commit(token string, b []byte, expiry time.Time) error {
	return v.CommitCtx(context.Background(), token, b, expiry)
}

// Delete is DeleteCtx without a bound in time.
func (v Sessions) Delete(token string) error { return v.DeleteCtx(context.Background(), token) }
