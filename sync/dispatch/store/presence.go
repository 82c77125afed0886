package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/event"
)

// SilentAfter is how long after its last word a gateway counts as silent:
// three heartbeats and a little.
const SilentAfter = 65 * time.Second

// Word is a status document as it came in.
type Word struct {
	Gateway Gateway
	Status  event.Status
	// Link says how it came: "mqtt", "http".
	Link string
	// At is when it came, by our own clock.
	At time.Time
	// Stale marks a retained document: it says what was last said, not that
	// the gateway lives now.
	Stale bool
	// Answered says that the link answers the word with the receipt itself, so
	// that none is owed later.
	Answered bool
}

// Heard is what a link owes the gateway after a word.
type Heard struct {
	// NewSession says that the word began a session that was not known.
	NewSession bool
	// Receipt is what is stored of the status document's epoch; its Epoch is
	// empty where the document has none.
	Receipt event.Receipt
	// Due says that the receipt should be sent (again): the session is new, or
	// for more than 10 s the gateway's last event has been beyond the mark, or
	// rows have waited for this link. Of those the receipt may have been lost,
	// because a process ended between the commit and the receipt.
	Due bool
	// Pending counts the commands that have neither an answer nor expired.
	// After a new session, reissue them.
	Pending int
}

// Heard notes a status document. A gateway that is not registered gets
// ErrDenied. Heartbeats that change nothing are not flushed to disk at once.
func (s *Store) Heard(ctx context.Context, w Word) (Heard, error) {
	key, err := s.key(ctx, w.Gateway)
	if errors.Is(err, ErrNotFound) {
		return Heard{}, fmt.Errorf("status: %w: %w", err, ErrDenied)
	}
	if err != nil {
		return Heard{}, fmt.Errorf("status: %w", err)
	}
	doc, err := json.Marshal(w.Status)
	if err != nil {
		return Heard{}, fmt.Errorf("status of %s: %w", w.Gateway, err)
	}
	h, calm, err := s.hearing(ctx, key, w)
	if err != nil {
		return Heard{}, fmt.Errorf("status of %s: %w", w.Gateway, err)
	}
	var topics []Topic
	if !calm {
		topics = append(topics, GatewaysChanged)
	}
	var out Heard
	err = s.update(ctx, func(t tx) error {
		out = h
		if calm && t.d.lazy != "" {
			if _, err := t.exec(ctx, t.d.lazy); err != nil {
				return err
			}
		}
		return s.note(ctx, t, key, w, string(doc), &out)
	}, topics...)
	if err != nil {
		return Heard{}, fmt.Errorf("status of %s: %w", w.Gateway, err)
	}
	return out, nil
}

// hearing looks at what is known before the transaction: calm says that the
// word changes nothing that anybody waits for. A mistake of it costs a page a
// refresh, or saves a flush.
func (s *Store) hearing(ctx context.Context, key int64, w Word) (h Heard, calm bool, err error) {
	var revoked int64
	if err := s.db().one(ctx, []any{&revoked}, "SELECT revoked FROM gateway WHERE key = $1", key); err != nil {
		return h, false, err
	}
	if revoked != 0 {
		return h, false, fmt.Errorf("its credentials were withdrawn: %w", ErrDenied)
	}
	var was event.Status
	var text, session string
	var online int
	var heard int64
	err = s.db().one(ctx, []any{&text, &session, &online, &heard}, `SELECT s.status, p.session, p.online, p.heard FROM said s
		JOIN presence p ON p.gateway = s.gateway AND p.link = $2 WHERE s.gateway = $1`, key, plain(w.Link, maxKey))
	if errors.Is(err, ErrNotFound) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		return h, false, nil //nolint:nilerr // an unreadable one is replaced
	}
	calm = online == bit(w.Status.Online) && session == plain(w.Status.Session, maxKey) && s.opt.Now().Sub(fromMicros(heard)) < SilentAfter &&
		slices.EqualFunc(was.Conditions, w.Status.Conditions, func(a, b health.Condition) bool { return a.Name == b.Name })
	return h, calm, nil
}

// note writes what a word says, and reads what it is owed.
func (s *Store) note(ctx context.Context, t tx, key int64, w Word, doc string, out *Heard) error {
	link, session := plain(w.Link, maxKey), plain(w.Status.Session, maxKey)
	var was string
	var wasOnline int
	var heard int64
	err := t.one(ctx, []any{&was, &wasOnline, &heard}, "SELECT session, online, heard FROM presence WHERE gateway = $1 AND link = $2"+t.d.lock, key, link)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	at := micros(w.At)
	heard = min(heard, at) // our clock may have been ahead
	switch {
	case !w.Status.Online && known && was != session:
		return nil // the will of a session that another has followed already
	case w.Stale && known && heard > 0 && was == session && w.Status.Online:
		at = heard
	case w.Stale:
		at = heard // zero where it was never heard
	case !w.Status.Online:
		at = heard // a will comes from the broker, not from the gateway
	}
	out.NewSession = w.Status.Online && (!known || was != session)
	if _, err := t.exec(ctx, `INSERT INTO presence (gateway, link, online, session, heard) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (gateway, link) DO UPDATE SET online = excluded.online, session = excluded.session, heard = excluded.heard`,
		key, link, bit(w.Status.Online), session, max(at, heard)); err != nil {
		return err
	}
	if !w.Status.Online {
		return nil
	}
	if w.Status.Epoch != "" && event.CheckID(w.Status.Epoch) == nil {
		if out.Receipt, err = receiptFrom(ctx, t, key, w.Status.Epoch); err != nil {
			return err
		}
	}
	var behind int64
	if err := t.one(ctx, []any{&behind}, "SELECT behind FROM said WHERE gateway = $1"+t.d.lock, key); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	switch now := micros(w.At); {
	case w.Answered: // what the other link waits for is the other link's
	case out.Receipt.Epoch == "" || w.Status.LastSeq <= out.Receipt.Through && w.Status.QueueDepth == 0:
		behind = 0
	case behind == 0 || behind > now: // our clock may have been ahead
		behind = now
	case now-behind >= behindFor.Microseconds():
		out.Due = true
	}
	out.Due = out.Due || out.NewSession && out.Receipt.Epoch != ""
	var clockError time.Duration
	if !w.Stale && !w.Status.Clock.Wall.IsZero() {
		clockError = w.Status.Clock.Wall.Sub(w.At)
	}
	// Kept with a synchronised clock too: a gateway that has just started, or
	// has lost its counter, takes it as the proof that a command is not a copy.
	challenge := plain(w.Status.Challenge, maxKey)
	if _, err := t.exec(ctx, `INSERT INTO said (gateway, status, clock_error, counter, challenge, behind) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway) DO UPDATE SET status = excluded.status, clock_error = excluded.clock_error, counter = excluded.counter,
		challenge = excluded.challenge, behind = excluded.behind`,
		key, doc, clockError.Microseconds(), int64(min(w.Status.Counter, maxNumber-1)), challenge, behind); err != nil {
		return err
	}
	if err := t.one(ctx, []any{&out.Pending}, "SELECT count(*) FROM command WHERE gateway = $1 AND accepted = 0 AND refused < counter AND expires > $2", key, s.now()); err != nil {
		return err
	}
	return noteClock(ctx, t, key, w)
}

// behindFor is how long events may be without a receipt before it is said again.
const behindFor = 10 * time.Second

func noteClock(ctx context.Context, t tx, key int64, w Word) error {
	c := w.Status.Clock
	if c.Boot == "" || w.Stale {
		return nil // when a retained word was said is not known
	}
	row := anchorRow{}
	boot := plain(c.Boot, maxName)
	err := t.one(ctx, []any{&row.mono, &row.shift, &row.estimate}, "SELECT mono, shift, estimate FROM anchor WHERE gateway = $1 AND boot = $2", key, boot)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	row.known = err == nil
	row.learn(alert.Stamp{Wall: c.Wall, Boot: boot, Mono: c.Mono, Synced: c.Synced}, micros(w.At))
	if !row.dirty {
		return nil
	}
	_, err = t.exec(ctx, "INSERT INTO anchor (gateway, boot, mono, shift, estimate) VALUES ($1, $2, $3, $4, $5) "+mergeAnchor, key, boot, row.mono, row.shift, row.estimate)
	return err
}
