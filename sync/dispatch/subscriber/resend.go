package subscriber

import (
	"context"
	"log/slog"
	"time"

	"nabat/sync/dispatch/store"
)

// resendAfter is how long a gateway that is online has to answer a command
// before it is signed anew; resendEvery is how often that is looked at.
const (
	resendAfter = 15 * time.Second
	resendEvery = 5 * time.Second
)

// Due is the part of a store that signs what was not answered.
type Due interface {
	ReissueDue(ctx context.Context, before time.Time, sign store.Signer) ([]store.Command, error)
}

// Resend signs the commands anew that gateways which are online have not
// answered, until ctx ends. Each process may run one: a command that was just
// signed by another is not due.
func Resend(ctx context.Context, s Due, sign store.Signer, log *slog.Logger) error {
	ticker := time.NewTicker(resendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if _, err := s.ReissueDue(ctx, now.Add(-resendAfter), sign); err != nil && ctx.Err() == nil {
				log.Warn("commands could not be signed anew", "error", err)
			}
		}
	}
}
