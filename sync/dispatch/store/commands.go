package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

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

// defaultLife is how long a command holds that says nothing about it.
const defaultLife = 10 * time.Minute

// Issue gives a command its audience, its ID where it has none, its counter
// (above all that the gateway has had or says to have seen) and the gateway's
// last challenge; signs and stores it.
// Claims without Expires expire after 10 minutes.
func (s *Store) Issue(ctx context.Context, g Gateway, c command.Claims, by string, sign Signer) (Command, error) {
	key, err := s.key(ctx, g)
	if err != nil {
		return Command{}, fmt.Errorf("issue a command: %w", err)
	}
	if c.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return Command{}, fmt.Errorf("issue a command: %w", err)
		}
		c.ID = id.String()
	}
	now := s.opt.Now()
	if c.Expires == 0 {
		c.Expires = now.Add(defaultLife).Unix()
	}
	if len(c.ID) > maxKey || strings.ContainsRune(c.ID, 0) || c.Expires <= now.Unix() {
		return Command{}, fmt.Errorf("issue a command: its id cannot be used, or it has expired: %w", ErrInvalid)
	}
	c.Audience = g.String()
	out := Command{Gateway: g, By: by, At: fromMicros(micros(now)), Signed: fromMicros(micros(now)), State: CommandPending}
	err = s.update(ctx, func(t tx) error {
		if err := s.sign(ctx, t, key, &c, now, sign, &out); err != nil {
			return err
		}
		claims, err := marshal(c)
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, `INSERT INTO command (gateway, id, counter, claims, jws, issuer, alert, at, signed, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) ON CONFLICT DO NOTHING`,
			key, c.ID, int64(c.Counter), claims, out.JWS, plain(by, maxName), plain(c.Alert, maxName), micros(now), c.Expires*1_000_000)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrExists
		}
		return s.chain(ctx, t, by, "command."+string(c.Verb), g.String(), claims)
	}, CommandsChanged)
	if err != nil {
		return Command{}, fmt.Errorf("issue a command to %s: %w", g, err)
	}
	return out, nil
}

// sign takes the next counter of the gateway, whose row it locks, and signs.
func (s *Store) sign(ctx context.Context, t tx, key int64, c *command.Claims, now time.Time, sign Signer, out *Command) error {
	var own, seen, revoked int64
	if err := t.one(ctx, []any{&own, &revoked}, "SELECT counter, revoked FROM gateway WHERE key = $1"+t.d.lock, key); err != nil {
		return err
	}
	if revoked != 0 {
		return fmt.Errorf("its credentials were withdrawn: %w", ErrDenied)
	}
	c.Challenge = ""
	if err := t.one(ctx, []any{&seen, &c.Challenge}, "SELECT counter, challenge FROM said WHERE gateway = $1", key); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	next := max(own, seen) + 1
	c.Counter, c.Issued = uint64(next), now.Unix()
	var err error
	if out.JWS, err = sign.Sign(*c); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	out.Claims = *c
	_, err = t.exec(ctx, "UPDATE gateway SET counter = $2 WHERE key = $1", key, next)
	return err
}

const commandColumns = `SELECT g.site, g.id, c.claims, c.jws, c.issuer, c.at, c.signed, c.published, c.accepted, c.refused, c.counter, c.expires, c.answered, c.reason
	FROM command c JOIN gateway g ON g.key = c.gateway `

// waiting chooses the commands without an answer; $1 is the time now.
const waiting = "c.accepted = 0 AND c.refused < c.counter AND c.expires > $1 "

func (s *Store) commandsWhere(ctx context.Context, t tx, where string, args ...any) ([]Command, error) {
	var list []Command
	now := s.now()
	err := t.each(ctx, func(scan func(...any) error) error {
		var c Command
		var claims string
		var at, signed, published, refused, counter, expires, answered int64
		var accepted bool
		if err := scan(&c.Gateway.Site, &c.Gateway.ID, &claims, &c.JWS, &c.By, &at, &signed, &published, &accepted, &refused, &counter, &expires, &answered, &c.Reason); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(claims), &c.Claims); err != nil {
			return fmt.Errorf("claims of a command to %s: %w", c.Gateway, err)
		}
		c.At, c.Signed, c.Published = fromMicros(at), fromMicros(signed), fromMicros(published)
		switch {
		case accepted:
			c.State, c.Reason = CommandAccepted, ""
		case refused >= counter:
			c.State = CommandRefused
		case expires <= now:
			c.State = CommandExpired
		default:
			c.State = CommandPending
		}
		if c.State == CommandAccepted || c.State == CommandRefused {
			c.Answered = fromMicros(answered)
		}
		list = append(list, c)
		return nil
	}, commandColumns+where, args...)
	return list, err
}

// Bounds of lists of commands.
const mostCommands = 100

// Commands returns the signed commands of a gateway with a counter above
// after that wait for an answer, ascending by counter, at most 100.
func (s *Store) Commands(ctx context.Context, g Gateway, after uint64) ([]Command, error) {
	if after > maxNumber {
		return nil, nil
	}
	list, err := s.commandsWhere(ctx, s.db(), "WHERE "+waiting+"AND g.site = $2 AND g.id = $3 AND g.revoked = 0 AND c.counter > $4 ORDER BY c.counter LIMIT "+strconv.Itoa(mostCommands),
		s.now(), g.Site, g.ID, int64(after))
	if err != nil {
		return nil, fmt.Errorf("commands of %s: %w", g, err)
	}
	return list, nil
}

// CommandsOf returns the latest commands to a gateway, or about one of its
// alerts where alertID is not empty, the newest first, at most limit.
func (s *Store) CommandsOf(ctx context.Context, g Gateway, alertID string, limit int) ([]Command, error) {
	where, args := "WHERE g.site = $1 AND g.id = $2 ", []any{g.Site, g.ID, limit}
	if alertID != "" {
		where, args = where+"AND c.alert = $4 ", append(args, plain(alertID, maxName))
	}
	list, err := s.commandsWhere(ctx, s.db(), where+"ORDER BY c.at DESC, c.counter DESC LIMIT $3", args...)
	if err != nil {
		return nil, fmt.Errorf("commands of %s: %w", g, err)
	}
	return list, nil
}

// Unpublished hands out commands that no broker has taken in their last signed
// form, oldest first. It hides them from other callers for lease, so that
// several processes do not publish the same ones.
func (s *Store) Unpublished(ctx context.Context, lease time.Duration, limit int) ([]Command, error) {
	var list []Command
	// Asked without a transaction first: mostly there is nothing.
	const where = "WHERE " + waiting + "AND c.published = 0 AND c.leased <= $1 AND g.revoked = 0 "
	var n int
	now := s.now()
	err := s.db().one(ctx, []any{&n}, "SELECT count(*) FROM command c JOIN gateway g ON g.key = c.gateway "+where, now)
	if err == nil && n > 0 {
		err = s.update(ctx, func(t tx) (err error) {
			skip := t.d.skip
			if skip != "" {
				skip = " FOR UPDATE OF c SKIP LOCKED"
			}
			if list, err = s.commandsWhere(ctx, t, where+"ORDER BY c.signed, c.gateway, c.counter LIMIT $2"+skip, now, limit); err != nil {
				return err
			}
			for _, c := range list {
				if _, err := t.exec(ctx, "UPDATE command SET leased = $3 WHERE id = $1 AND counter = $2", c.Claims.ID, int64(c.Claims.Counter), now+lease.Microseconds()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("unpublished commands: %w", err)
	}
	return list, nil
}

// Published notes that a broker took the command in this signed form.
func (s *Store) Published(ctx context.Context, g Gateway, id string, counter uint64) error {
	key, err := s.key(ctx, g)
	if err != nil {
		return fmt.Errorf("published: %w", err)
	}
	err = s.update(ctx, func(t tx) error {
		_, err := t.exec(ctx, "UPDATE command SET published = $4, leased = 0 WHERE gateway = $1 AND id = $2 AND counter = $3", key, id, int64(min(counter, maxNumber)), s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("command %s to %s was published: %w", id, g, err)
	}
	return nil
}

// Reissue signs the gateway's unanswered, unexpired commands anew, those that
// were last signed before then, and returns them; they are unpublished again.
// One that would undo the word of a later one is refused instead: of a time of
// arrival and of a drill the last word holds, and it would become the last.
func (s *Store) Reissue(ctx context.Context, g Gateway, before time.Time, sign Signer) ([]Command, error) {
	key, err := s.key(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("reissue: %w", err)
	}
	var list []Command
	found := 0
	now := s.opt.Now()
	err = s.update(ctx, func(t tx) (err error) {
		// The gateway's row first, as everybody does.
		var revoked int64
		if err := t.one(ctx, []any{&revoked}, "SELECT revoked FROM gateway WHERE key = $1"+t.d.lock, key); err != nil || revoked != 0 {
			list, found = nil, 0
			return err
		}
		if list, err = s.commandsWhere(ctx, t, "WHERE "+waiting+"AND c.gateway = $2 AND c.signed < $3 ORDER BY c.at, c.counter LIMIT "+strconv.Itoa(mostCommands), micros(now), key, micros(before)); err != nil {
			return err
		}
		found = len(list)
		if list, err = s.withoutOvertaken(ctx, t, key, list); err != nil {
			return err
		}
		for i := range list {
			c := &list[i]
			claims := c.Claims
			if err := s.sign(ctx, t, key, &claims, now, sign, c); err != nil {
				return err
			}
			text, err := marshal(claims)
			if err != nil {
				return err
			}
			c.Signed, c.Published = fromMicros(micros(now)), time.Time{}
			if _, err := t.exec(ctx, "UPDATE command SET counter = $3, claims = $4, jws = $5, signed = $6, published = 0, leased = 0 WHERE gateway = $1 AND id = $2",
				key, claims.ID, int64(claims.Counter), text, c.JWS, micros(now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reissue commands to %s: %w", g, err)
	}
	if found > 0 {
		// Told afterwards: an update without a change tells nobody.
		if err := s.update(ctx, func(tx) error { return nil }, CommandsChanged); err != nil {
			return list, fmt.Errorf("tell of commands to %s: %w", g, err)
		}
	}
	return list, nil
}

// ReissueDue does the same for all gateways that are online.
func (s *Store) ReissueDue(ctx context.Context, before time.Time, sign Signer) ([]Command, error) {
	var due []Gateway
	err := s.db().each(ctx, func(scan func(...any) error) error {
		var g Gateway
		err := scan(&g.Site, &g.ID)
		due = append(due, g)
		return err
	}, "SELECT DISTINCT g.site, g.id FROM command c JOIN gateway g ON g.key = c.gateway JOIN presence p ON p.gateway = g.key WHERE "+waiting+
		"AND g.revoked = 0 AND c.signed < $2 AND p.online = 1 AND p.heard > $3", s.now(), micros(before), micros(s.opt.Now().Add(-SilentAfter)))
	if err != nil {
		return nil, fmt.Errorf("commands that are due: %w", err)
	}
	var list []Command
	for _, g := range due {
		more, err := s.Reissue(ctx, g, before, sign)
		list = append(list, more...)
		if err != nil {
			return list, err
		}
	}
	return list, nil
}
