package store

import (
	"context"
	"time"

	"nabat/sync/command"
)

// Signer makes the compact JWS of a command.
type Signer interface {
	// Sign is called inside a transaction: it must not wait for anything.
	Sign(command.Claims) (string, error)
}

// CommandState is what became of a command.
type CommandState string

// States of commands.
const (
	CommandPending  CommandState = "pending"
	CommandAccepted CommandState = "accepted"
	CommandRefused  CommandState = "refused"
	CommandExpired  CommandState = "expired"
)

// Command is one command to one gateway.
type Command struct {
	Gateway Gateway
	// Claims are those that were signed last: their Counter and Challenge
	// change when a command is signed anew, their ID does not.
	Claims command.Claims
	JWS    string
	By     string
	// At is when it was issued first, Signed when last.
	At, Signed time.Time
	// Published is when a broker took the last signed form; zero when none did.
	Published time.Time
	State     CommandState
	// Answered is when the answer was stored; Reason is a refusal's.
	Answered time.Time
	Reason   string
}

// Issue gives a command its audience, its ID where it has none, its counter
// (above all that the gateway has had or says to have seen) and, where the
// gateway's clock is not synchronised, its challenge; signs and stores it.
// Claims without Expires expire after 10 minutes.
func (s *Store) Issue(ctx context.Context, g Gateway, c command.Claims, by string, sign Signer) (Command, error) {
	return s.issue(ctx, g, c, by, sign)
}

// Commands returns the signed commands of a gateway with a counter above
// after that wait for an answer, ascending by counter, at most 100.
func (s *Store) Commands(ctx context.Context, g Gateway, after uint64) ([]Command, error) {
	return s.commandsAfter(ctx, g, after)
}

// CommandsOf returns the latest commands to a gateway, or about one of its
// alerts where alertID is not empty, the newest first, at most limit.
func (s *Store) CommandsOf(ctx context.Context, g Gateway, alertID string, limit int) ([]Command, error) {
	return s.commandsOf(ctx, g, alertID, limit)
}

// Unpublished hands out commands that no broker has taken in their last signed
// form, oldest first. It hides them from other callers for lease, so that
// several processes do not publish the same ones.
func (s *Store) Unpublished(ctx context.Context, lease time.Duration, limit int) ([]Command, error) {
	return s.unpublished(ctx, lease, limit)
}

// Published notes that a broker took the command in this signed form.
func (s *Store) Published(ctx context.Context, g Gateway, id string, counter uint64) error {
	return s.published(ctx, g, id, counter)
}

// Reissue signs the gateway's unanswered, unexpired commands anew, those that
// were last signed before then, and returns them; they are unpublished again.
func (s *Store) Reissue(ctx context.Context, g Gateway, before time.Time, sign Signer) ([]Command, error) {
	return s.reissue(ctx, g, before, sign)
}

// ReissueDue does the same for all gateways that are online.
func (s *Store) ReissueDue(ctx context.Context, before time.Time, sign Signer) ([]Command, error) {
	return s.reissueDue(ctx, before, sign)
}
