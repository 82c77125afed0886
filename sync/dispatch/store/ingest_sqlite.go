package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// stmt returns a prepared statement of the writer's connection. mu is held.
func (l *lite) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := l.stmts[text]; ok {
		return s, nil
	}
	s, err := l.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	l.stmts[text] = s
	return s, nil
}

func (l *lite) exec(ctx context.Context, text string, args ...any) error {
	s, err := l.stmt(ctx, text)
	if err != nil {
		return err
	}
	if _, err := s.ExecContext(ctx, args...); err != nil {
		return fmt.Errorf("%.40s…: %w", text, err)
	}
	return nil
}

// row scans one row; found is false without one.
func (l *lite) row(ctx context.Context, dst []any, text string, args ...any) (found bool, err error) {
	s, err := l.stmt(ctx, text)
	if err != nil {
		return false, err
	}
	switch err := s.QueryRowContext(ctx, args...).Scan(dst...); {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%.40s…: %w", text, err)
	}
	return true, nil
}

func (l *lite) store(ctx context.Context, b *book, decide func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // a commit is not interrupted half-way
	l.mu.Lock()
	defer l.mu.Unlock()
	b.ask()
	if err := l.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := l.load(ctx, b)
	if err == nil {
		err = decide()
	}
	if err == nil {
		err = l.save(ctx, b)
	}
	if err == nil {
		err = l.exec(ctx, "COMMIT")
	}
	if err != nil {
		_ = l.exec(ctx, "ROLLBACK") // fails where SQLite rolled back by itself
	}
	return err
}

func (l *lite) load(ctx context.Context, b *book) error {
	for key, r := range b.gateways {
		if _, err := l.row(ctx, []any{&r.revoked}, "SELECT revoked FROM gateway WHERE key = ?1", key); err != nil {
			return err
		}
	}
	for id, r := range b.streams {
		if err := l.exec(ctx, "INSERT INTO stream (gateway, epoch) VALUES (?1, ?2) ON CONFLICT DO NOTHING", id.gateway, id.epoch); err != nil {
			return err
		}
		var have string
		if _, err := l.row(ctx, []any{&r.key, &have}, "SELECT key, have FROM stream WHERE gateway = ?1 AND epoch = ?2", id.gateway, id.epoch); err != nil {
			return err
		}
		var err error
		if r.have, err = parseSet(have); err != nil {
			return fmt.Errorf("epoch %s: %w", id.epoch, err)
		}
	}
	for id, r := range b.standing {
		var state string
		found, err := l.row(ctx, []any{&state}, "SELECT state FROM standing WHERE gateway = ?1 AND numbering = ?2 AND place = ?3 AND kind = ?4", id.gateway, id.numbering, id.place, id.kind)
		if err != nil {
			return err
		}
		if err := unmarshal(found, state, &r.state); err != nil {
			return err
		}
	}
	for id, r := range b.alerts {
		var state string
		found, err := l.row(ctx, []any{&r.stored, &r.changed, &r.lastNum, &r.lastStored, &state},
			"SELECT stored, changed, last_number, last_stored, state FROM alert WHERE gateway = ?1 AND id = ?2 AND numbering = ?3 AND place = ?4 AND kind = ?5",
			id.gateway, id.id, id.numbering, id.place, id.kind)
		if err != nil {
			return err
		}
		if err := unmarshal(found, state, &r.state); err != nil {
			return err
		}
	}
	for id, r := range b.anchors {
		var err error
		if r.known, err = l.row(ctx, []any{&r.mono, &r.shift, &r.estimate}, "SELECT mono, shift, estimate FROM anchor WHERE gateway = ?1 AND boot = ?2", id.gateway, id.boot); err != nil {
			return err
		}
	}
	for id, r := range b.answers {
		var err error
		if r.known, err = l.row(ctx, []any{&r.accepted, &r.refused, &r.reason, &r.answered},
			"SELECT accepted, refused, reason, answered FROM command WHERE gateway = ?1 AND id = ?2", id.gateway, id.id); err != nil {
			return err
		}
	}
	for id := range b.repeated() {
		var r storedRow
		found, err := l.row(ctx, []any{&r.link, &r.raw}, "SELECT link, raw FROM event WHERE stream = ?1 AND seq = ?2", id.stream, int64(id.seq))
		if err != nil {
			return err
		}
		if found {
			b.stored[id] = r
		}
	}
	return nil
}

func unmarshal(found bool, text string, dst any) error {
	if !found {
		return nil
	}
	if err := json.Unmarshal([]byte(text), dst); err != nil {
		return fmt.Errorf("state of an alert: %w", err)
	}
	return nil
}

func marshal(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("state of an alert: %w", err)
	}
	return string(b), nil
}

func (l *lite) save(ctx context.Context, b *book) error {
	for i := range b.events {
		e := &b.events[i]
		if err := l.exec(ctx, "INSERT INTO event (stream, seq, at, link, alarm, subject, refused, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			e.stream, int64(e.seq), e.at, e.link, e.alarm, e.subject, e.refused, e.raw); err != nil {
			return err
		}
	}
	for _, d := range b.deliveries {
		if err := l.exec(ctx, "INSERT INTO delivery (stream, seq, link, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", d.stream, int64(d.seq), d.link, d.at); err != nil {
			return err
		}
	}
	for _, x := range b.strays {
		if err := l.exec(ctx, "INSERT INTO stray (gateway, digest, at, link, reason, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING", x.gateway, x.digest, x.at, x.link, x.reason, x.raw); err != nil {
			return err
		}
	}
	for _, r := range b.streams {
		if !r.dirty {
			continue
		}
		if err := l.exec(ctx, "UPDATE stream SET have = ?2, events = events + ?3, refused = refused + ?4, forked = max(forked, ?5) WHERE key = ?1",
			r.key, r.have.String(), r.events, r.refused, r.forked); err != nil {
			return err
		}
	}
	for id, r := range b.standing {
		if !r.dirty {
			continue
		}
		state, err := marshal(r.state)
		if err != nil {
			return err
		}
		if err := l.exec(ctx, `INSERT INTO standing (gateway, numbering, place, kind, id, stands, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
			ON CONFLICT (gateway, numbering, place, kind) DO UPDATE SET id = excluded.id, stands = excluded.stands, state = excluded.state`,
			id.gateway, id.numbering, id.place, id.kind, r.state.ID, bit(r.state.Open()), state); err != nil {
			return err
		}
	}
	for id, r := range b.alerts {
		if !r.dirty {
			continue
		}
		state, err := marshal(r.state)
		if err != nil {
			return err
		}
		if err := l.exec(ctx, `INSERT INTO alert (gateway, id, numbering, place, kind, status, stored, changed, last_number, last_stored, state)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
			ON CONFLICT (gateway, id, numbering, place, kind) DO UPDATE SET status = excluded.status, stored = excluded.stored, changed = excluded.changed,
			last_number = excluded.last_number, last_stored = excluded.last_stored, state = excluded.state`,
			id.gateway, id.id, id.numbering, id.place, id.kind, string(r.status()), r.stored, r.changed, r.lastNum, r.lastStored, state); err != nil {
			return err
		}
	}
	for id, r := range b.anchors {
		if !r.dirty {
			continue
		}
		if err := l.exec(ctx, "INSERT INTO anchor (gateway, boot, mono, shift, estimate) VALUES (?1, ?2, ?3, ?4, ?5) "+mergeAnchor, id.gateway, id.boot, r.mono, r.shift, r.estimate); err != nil {
			return err
		}
	}
	for id, r := range b.answers {
		if !r.dirty {
			continue
		}
		if err := l.exec(ctx, "UPDATE command SET accepted = ?3, refused = ?4, reason = ?5, answered = ?6 WHERE gateway = ?1 AND id = ?2",
			id.gateway, id.id, r.accepted, r.refused, r.reason, r.answered); err != nil {
			return err
		}
	}
	for _, o := range b.outgoing {
		if err := l.exec(ctx, "INSERT INTO outbox (webhook, gateway, alert, event, stored, due) VALUES (?1, ?2, ?3, ?4, ?5, ?5)", o.webhook, o.gateway, o.alert, o.raw, b.now); err != nil {
			return err
		}
	}
	return nil
}
