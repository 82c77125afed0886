//go:build !sqliteonly

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// trip collects statements for one round trip to the server.
type trip struct {
	pgx.Batch
}

// do queues a statement that returns nothing.
func (t *trip) do(text string, args ...any) { t.Queue(text, args...) }

// rows queues a query and what to do with each row.
func (t *trip) rows(f func(pgx.Rows) error, text string, args ...any) {
	t.Queue(text, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			if err := f(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (p *postgres) store(ctx context.Context, b *book, decide func() error) error {
	return retry(ctx, func() error {
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		done := false
		defer func() {
			if !done {
				bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				_, _ = conn.Exec(bounded, "ROLLBACK") // a broken connection rolls back by itself
			}
		}()
		b.ask()
		var load trip
		p.load(&load, b)
		if err := conn.SendBatch(ctx, &load.Batch).Close(); err != nil {
			return err
		}
		if again := b.repeated(); len(again) > 0 {
			var second trip
			p.loadStored(&second, b, again)
			if err := conn.SendBatch(ctx, &second.Batch).Close(); err != nil {
				return err
			}
		}
		if err := decide(); err != nil {
			return err
		}
		if len(b.events) >= copyFrom {
			if err := p.copyEvents(ctx, conn.Conn(), b.events); err != nil {
				return err
			}
		}
		var save trip
		if err := p.save(&save, b); err != nil {
			return err
		}
		save.do("COMMIT")
		if err := conn.SendBatch(ctx, &save.Batch).Close(); err != nil {
			return err
		}
		done = true
		return nil
	})
}

// load queues the beginning of the transaction, the locks and all questions.
// The locks are taken in the order of the gateways' keys, and every statement
// after them sees what was committed until then.
func (p *postgres) load(t *trip, b *book) {
	t.do("BEGIN ISOLATION LEVEL READ COMMITTED")
	t.rows(func(r pgx.Rows) error {
		var key, revoked int64
		if err := r.Scan(&key, &revoked); err != nil {
			return err
		}
		b.gateways[key].revoked = revoked
		return nil
	}, "SELECT key, revoked FROM gateway WHERE key = ANY($1) ORDER BY key FOR UPDATE", sortedKeys(b.gateways))

	ids := ordered(b.streams, streamID.compare)
	gateways, epochs := make([]int64, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		gateways[i], epochs[i] = id.gateway, id.epoch
	}
	t.do(`INSERT INTO stream (gateway, epoch) SELECT k.g, k.e FROM unnest($1::bigint[], $2::text[]) AS k (g, e)
		WHERE NOT EXISTS (SELECT FROM stream s WHERE s.gateway = k.g AND s.epoch = k.e) ON CONFLICT DO NOTHING`, gateways, epochs)
	t.rows(func(r pgx.Rows) error {
		var id streamID
		var row streamRow
		var have string
		err := r.Scan(&id.gateway, &id.epoch, &row.key, &have)
		if err == nil {
			row.have, err = parseSet(have)
		}
		if err != nil {
			return fmt.Errorf("epoch %s: %w", id.epoch, err)
		}
		b.streams[id] = &row
		return nil
	}, `SELECT s.gateway, s.epoch, s.key, s.have FROM unnest($1::bigint[], $2::text[]) AS k (g, e)
		JOIN stream s ON s.gateway = k.g AND s.epoch = k.e`, gateways, epochs)
	p.loadAlerts(t, b)
	p.loadRest(t, b)
}

func (p *postgres) loadAlerts(t *trip, b *book) {
	if len(b.standing) == 0 {
		return
	}
	var g []int64
	var n, pl, k, is []string
	for _, id := range ordered(b.standing, standingID.compare) {
		g, n, pl, k = append(g, id.gateway), append(n, id.numbering), append(pl, id.place), append(k, id.kind)
	}
	t.rows(func(r pgx.Rows) error {
		var id standingID
		var state string
		if err := r.Scan(&id.gateway, &id.numbering, &id.place, &id.kind, &state); err != nil {
			return err
		}
		return unmarshal(true, state, &b.standing[id].state)
	}, `SELECT s.gateway, s.numbering, s.place, s.kind, s.state FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS k (g, n, p, k)
		JOIN standing s ON s.gateway = k.g AND s.numbering = k.n AND s.place = k.p AND s.kind = k.k`, g, n, pl, k)
	g, n, pl, k = nil, nil, nil, nil
	for _, id := range ordered(b.alerts, alertID.compare) {
		g, n, pl, k, is = append(g, id.gateway), append(n, id.numbering), append(pl, id.place), append(k, id.kind), append(is, id.id)
	}
	t.rows(func(r pgx.Rows) error {
		var id alertID
		var row alertRow
		var state string
		if err := r.Scan(&id.gateway, &id.numbering, &id.place, &id.kind, &id.id, &row.stored, &row.changed, &row.lastNum, &row.lastStored, &state); err != nil {
			return err
		}
		b.alerts[id] = &row
		return unmarshal(true, state, &row.state)
	}, `SELECT a.gateway, a.numbering, a.place, a.kind, a.id, a.stored, a.changed, a.last_number, a.last_stored, a.state
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS k (g, n, p, k, i)
		JOIN alert a ON a.gateway = k.g AND a.id = k.i AND a.numbering = k.n AND a.place = k.p AND a.kind = k.k`, g, n, pl, k, is)
}

func (p *postgres) loadRest(t *trip, b *book) {
	if len(b.anchors) > 0 {
		var g []int64
		var boot []string
		for _, id := range ordered(b.anchors, bootID.compare) {
			g, boot = append(g, id.gateway), append(boot, id.boot)
		}
		t.rows(func(r pgx.Rows) error {
			var id bootID
			row := anchorRow{known: true}
			err := r.Scan(&id.gateway, &id.boot, &row.mono, &row.shift, &row.estimate)
			if err == nil {
				b.anchors[id] = &row
			}
			return err
		}, `SELECT a.gateway, a.boot, a.mono, a.shift, a.estimate FROM unnest($1::bigint[], $2::text[]) AS k (g, b)
			JOIN anchor a ON a.gateway = k.g AND a.boot = k.b`, g, boot)
	}
	if len(b.answers) > 0 {
		var g []int64
		var ids []string
		for _, id := range ordered(b.answers, answerID.compare) {
			g, ids = append(g, id.gateway), append(ids, id.id)
		}
		t.rows(func(r pgx.Rows) error {
			var id answerID
			row := answerRow{known: true}
			err := r.Scan(&id.gateway, &id.id, &row.accepted, &row.refused, &row.reason, &row.answered)
			if err == nil {
				b.answers[id] = &row
			}
			return err
		}, `SELECT c.gateway, c.id, c.accepted, c.refused, c.reason, c.answered FROM unnest($1::bigint[], $2::text[]) AS k (g, i)
			JOIN command c ON c.gateway = k.g AND c.id = k.i`, g, ids)
	}
}

func (p *postgres) loadStored(t *trip, b *book, ids map[eventID]struct{}) {
	var streams, seqs []int64
	for id := range ids {
		streams, seqs = append(streams, id.stream), append(seqs, int64(id.seq))
	}
	t.rows(func(r pgx.Rows) error {
		var id eventID
		var seq int64
		var row storedRow
		err := r.Scan(&id.stream, &seq, &row.link, &row.raw)
		if err == nil {
			id.seq = uint64(seq)
			b.stored[id] = row
		}
		return err
	}, "SELECT e.stream, e.seq, e.link, e.raw FROM unnest($1::bigint[], $2::bigint[]) AS k (s, n) JOIN event e ON e.stream = k.s AND e.seq = k.n", streams, seqs)
}

// copyFrom is the number of events from which COPY is faster than INSERT,
// although it takes two more round trips.
const copyFrom = 256

func (p *postgres) copyEvents(ctx context.Context, conn *pgx.Conn, list []eventRow) error {
	row := make([]any, 8)
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"event"}, []string{"stream", "seq", "at", "link", "alarm", "subject", "refused", "raw"},
		pgx.CopyFromSlice(len(list), func(i int) ([]any, error) {
			e := &list[i]
			row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = e.stream, int64(e.seq), e.at, e.link, int32(e.alarm), e.subject, e.refused, e.raw
			return row, nil
		}))
	return err
}

// save queues all writes. Rows go as arrays, one statement a table.
func (p *postgres) save(t *trip, b *book) error {
	if n := len(b.events); n > 0 && n < copyFrom {
		streams, seqs, ats, alarms := make([]int64, n), make([]int64, n), make([]int64, n), make([]int32, n)
		links, subjects, refused, raw := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
		for i := range b.events {
			e := &b.events[i]
			streams[i], seqs[i], ats[i], alarms[i] = e.stream, int64(e.seq), e.at, int32(e.alarm)
			links[i], subjects[i], refused[i], raw[i] = e.link, e.subject, e.refused, e.raw
		}
		t.do(`INSERT INTO event (stream, seq, at, link, alarm, subject, refused, raw)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::int[], $6::text[], $7::text[], $8::bytea[])`,
			streams, seqs, ats, links, alarms, subjects, refused, raw)
	}
	for _, d := range b.deliveries {
		t.do("INSERT INTO delivery (stream, seq, link, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", d.stream, int64(d.seq), d.link, d.at)
	}
	for _, x := range b.strays {
		t.do("INSERT INTO stray (gateway, digest, at, link, reason, raw) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING", x.gateway, x.digest, x.at, x.link, x.reason, x.raw)
	}
	var keys, events, refused, forked []int64
	var haves []string
	for _, id := range ordered(b.streams, streamID.compare) {
		if r := b.streams[id]; r.dirty {
			keys, haves, events = append(keys, r.key), append(haves, r.have.String()), append(events, r.events)
			refused, forked = append(refused, r.refused), append(forked, r.forked)
		}
	}
	if len(keys) > 0 {
		t.do(`UPDATE stream s SET have = k.h, events = s.events + k.e, refused = s.refused + k.r, forked = greatest(s.forked, k.f)
			FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS k (key, h, e, r, f) WHERE s.key = k.key`, keys, haves, events, refused, forked)
	}
	if err := p.saveAlerts(t, b); err != nil {
		return err
	}
	for _, id := range ordered(b.anchors, bootID.compare) {
		if r := b.anchors[id]; r.dirty {
			t.do("INSERT INTO anchor (gateway, boot, mono, shift, estimate) VALUES ($1, $2, $3, $4, $5) "+mergeAnchor, id.gateway, id.boot, r.mono, r.shift, r.estimate)
		}
	}
	for _, id := range ordered(b.answers, answerID.compare) {
		if r := b.answers[id]; r.dirty {
			t.do("UPDATE command SET accepted = $3, refused = $4, reason = $5, answered = $6 WHERE gateway = $1 AND id = $2", id.gateway, id.id, r.accepted, r.refused, r.reason, r.answered)
		}
	}
	if n := len(b.outgoing); n > 0 {
		hooks, gateways, alerts, raw := make([]string, n), make([]int64, n), make([]string, n), make([][]byte, n)
		for i, o := range b.outgoing {
			hooks[i], gateways[i], alerts[i], raw[i] = o.webhook, o.gateway, o.alert, o.raw
		}
		t.do(`INSERT INTO outbox (webhook, gateway, alert, event, stored, due)
			SELECT w, g, a, e, $5::bigint, $5::bigint FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[]) WITH ORDINALITY AS k (w, g, a, e, n) ORDER BY n`,
			hooks, gateways, alerts, raw, b.now)
	}
	var changed []Topic
	for topic := range topics {
		if b.topics[topic] {
			changed = append(changed, topic)
		}
	}
	if len(changed) > 0 {
		t.do("SELECT pg_notify($1, $2)", channel, p.note(changed))
	}
	return nil
}

func (p *postgres) saveAlerts(t *trip, b *book) error {
	var g []int64
	var n, pl, k, is, states, status []string
	var stands []int32
	for _, id := range ordered(b.standing, standingID.compare) {
		r := b.standing[id]
		if !r.dirty {
			continue
		}
		state, err := marshal(r.state)
		if err != nil {
			return err
		}
		g, n, pl, k = append(g, id.gateway), append(n, id.numbering), append(pl, id.place), append(k, id.kind)
		is, stands, states = append(is, r.state.ID), append(stands, int32(bit(r.state.Open()))), append(states, state)
	}
	if len(g) > 0 {
		t.do(`INSERT INTO standing (gateway, numbering, place, kind, id, stands, state)
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[])
			ON CONFLICT (gateway, numbering, place, kind) DO UPDATE SET id = excluded.id, stands = excluded.stands, state = excluded.state`, g, n, pl, k, is, stands, states)
	}
	g, n, pl, k, is, states = nil, nil, nil, nil, nil, nil
	var stored, changed, nums, last []int64
	for _, id := range ordered(b.alerts, alertID.compare) {
		r := b.alerts[id]
		if !r.dirty {
			continue
		}
		state, err := marshal(r.state)
		if err != nil {
			return err
		}
		g, n, pl, k, is = append(g, id.gateway), append(n, id.numbering), append(pl, id.place), append(k, id.kind), append(is, id.id)
		status, states = append(status, string(r.status())), append(states, state)
		stored, changed, nums, last = append(stored, r.stored), append(changed, r.changed), append(nums, r.lastNum), append(last, r.lastStored)
	}
	if len(g) > 0 {
		t.do(`INSERT INTO alert (gateway, id, numbering, place, kind, status, stored, changed, last_number, last_stored, state)
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[])
			ON CONFLICT (gateway, id, numbering, place, kind) DO UPDATE SET status = excluded.status, stored = excluded.stored, changed = excluded.changed,
			last_number = excluded.last_number, last_stored = excluded.last_stored, state = excluded.state`,
			g, is, n, pl, k, status, stored, changed, nums, last, states)
	}
	return nil
}
