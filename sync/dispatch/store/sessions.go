package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// FindCtx returns a session's data; found is false where there is none, or it
// has expired.
func (v Sessions) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	hash := sha256.Sum256([]byte(token))
	err = v.s.db().one(ctx, []any{&b}, "SELECT data FROM session WHERE token = $1 AND expiry > $2", hash[:], v.s.now())
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return b, true, nil
}

// CommitCtx stores a session, in place of one with the same token, and takes
// the opportunity to delete what has expired.
func (v Sessions) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	hash := sha256.Sum256([]byte(token))
	err := v.s.update(ctx, func(t tx) error {
		if _, err := t.exec(ctx, `INSERT INTO session (token, data, expiry) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, hash[:], b, micros(expiry)); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM session WHERE expiry <= $1 AND token <> $2", v.s.now(), hash[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session; an unknown one is no error.
func (v Sessions) DeleteCtx(ctx context.Context, token string) error {
	hash := sha256.Sum256([]byte(token))
	err := v.s.update(ctx, func(t tx) error {
		_, err := t.exec(ctx, "DELETE FROM session WHERE token = $1", hash[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

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
